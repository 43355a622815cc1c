"""A submission of a note on the wire, and ways to spoil it, for the tests of metadata."""

from __future__ import annotations

import re
from hashlib import sha1
from typing import Any, Final
from uuid import UUID

from mappers.note import JournalNote
from mappers.xds import entry_from_note, on_demand_entry_from_note, submission_set_from_note
from mappers.xds_checks import Known, Registered, metadata_issues
from nsp_client.xds.associations import UNRELATED, Relations
from nsp_client.xds.iti41 import submit_objects_request
from nsp_client.xds.metadata import AvailabilityStatus, DocumentEntry, SubmissionSet
from tests.unit.mappers.bundle_specimens import ASSEMBLED_AT, document, ids_of, note

SET_UUID: Final = UUID("6f0d2f5e-2d0c-4a83-9e5e-4c1b7f1d9a02")
HOME: Final = "1.2.208.176.8.1"
SOURCE: Final = "1.2.208.176.43210.8.20"
REPOSITORY: Final = "1.2.208.176.43210.8.30"
CPR: Final = "3001749995"
CX: Final = f"{CPR}^^^&1.2.208.176.1.2&ISO"
WIRE_CX: Final = CX.replace("&", "&amp;")
OLD: Final = "urn:uuid:7a1e7c54-5d0a-4d0b-9a53-3f2f5b1f6a77"


def stable(made: JournalNote | None = None, **changes: Any) -> DocumentEntry:
    """The entry of a note's document."""
    made = made or note()
    ids, stored = ids_of(made), document(made)
    arguments: dict[str, Any] = {
        "unique_id": f"urn:uuid:{ids.composition_identifier}",
        "entry_uuid": ids.bundle_id,
        "assembled_at": ASSEMBLED_AT,
        "sha1": sha1(stored, usedforsecurity=False).digest(),
        "size_bytes": len(stored),
        "media_type": "application/fhir+json",
        "repository_oid": REPOSITORY,
        "home_community_oid": HOME,
        "name_protected": False,
    }
    return entry_from_note(made, **(arguments | changes))


def on_demand(made: JournalNote | None = None, **changes: Any) -> DocumentEntry:
    """The entry of a note whose document is made when asked for."""
    arguments: dict[str, Any] = {
        "unique_id": "urn:uuid:6f0d2f5e-2d0c-4a83-9e5e-4c1b7f1d9a0f",
        "entry_uuid": UUID("6f0d2f5e-2d0c-4a83-9e5e-4c1b7f1d9a0e"),
        "media_type": "application/fhir+xml",
        "repository_oid": REPOSITORY,
        "home_community_oid": HOME,
        "name_protected": False,
    }
    return on_demand_entry_from_note(made or note(), **(arguments | changes))


def submission_set(made: JournalNote | None = None, **changes: Any) -> SubmissionSet:
    """The set that submits it."""
    arguments: dict[str, Any] = {
        "set_uuid": SET_UUID,
        "submitted_at": ASSEMBLED_AT,
        "source_oid": SOURCE,
        "home_community_oid": HOME,
    }
    return submission_set_from_note(made or note(), **(arguments | changes))


def message(
    entry: DocumentEntry | None = None,
    around: SubmissionSet | None = None,
    relations: Relations = UNRELATED,
) -> str:
    """The metadata of a submission as we write them."""
    return submit_objects_request(entry or stable(), around or submission_set(), relations)


def known(made: JournalNote | None = None, *registered: Registered) -> Known:
    """All that the judge can be told."""
    made = made or note()
    return Known(note=made, document=document(made), registered=registered)


def registered(entry: DocumentEntry, **changes: Any) -> Registered:
    """An entry as the registry holds it."""
    arguments: dict[str, Any] = {
        "entry_uuid": entry.entry_uuid,
        "unique_id": entry.unique_id,
        "patient_id": entry.patient_id,
        "availability_status": AvailabilityStatus.APPROVED,
        "hash": entry.hash,
    }
    return Registered(**(arguments | changes))


def codes(wire: str, judged_with: Known | None = None) -> set[str]:
    """Codes of the rules that a message breaks."""
    given = Known() if judged_with is None else judged_with
    return {issue.code for issue in metadata_issues(wire.encode(), given)}


def slot(name: str, *values: str) -> str:
    written = "".join(f"<rim:Value>{value}</rim:Value>" for value in values)
    return f'<rim:Slot name="{name}"><rim:ValueList>{written}</rim:ValueList></rim:Slot>'


def with_slot(wire: str, name: str, *values: str) -> str:
    """Give the one slot of a name other values."""
    changed, count = re.subn(
        rf'<rim:Slot name="{name}">.*?</rim:Slot>', lambda _: slot(name, *values), wire
    )
    assert count == 1
    return changed


def once(wire: str, old: str, new: str) -> str:
    assert wire.count(old) == 1, wire.count(old)
    return wire.replace(old, new)


def in_entry(wire: str, old: str, new: str) -> str:
    """Replace within the entry only."""
    entry, end, rest = wire.partition("</rim:ExtrinsicObject>")
    assert old in entry
    return entry.replace(old, new) + end + rest


MINE: Final = message()
