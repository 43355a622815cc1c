"""A note to its national FHIR document, as JSON or XML bytes: two forms of one document.

Source: medcom-shared-notes 2 to 4 (shape), 14 (times).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from mappers.errors import MappingError
from mappers.fhir import profiles, resources
from mappers.fhir.ids import DocumentIds, texts_of
from mappers.fhir.xml_writer import write_xml
from mappers.note import JournalNote

COPENHAGEN: Final = ZoneInfo("Europe/Copenhagen")


def assemble_bundle(
    note: JournalNote, ids: DocumentIds, *, assembled_at: datetime, name_protected: bool
) -> bytes:
    """Write the document of a note; the same arguments give the same bytes.

    Args:
        note: the note; its body is already clean.
        ids: from :func:`mappers.fhir.ids.document_ids`, for this note.
        assembled_at: when the document is made, aware; written in UTC to the second.
        name_protected: the patient has name or address protection in the CPR
            register; no part of the name is then written anywhere but in the
            clinician's own text.

    Returns:
        The Bundle as JSON, UTF-8, ready to be signed.

    Raises:
        MappingError: ``assembled_at`` has no offset.

    Source: medcom-shared-notes 3 to 14.
    """
    return orjson.dumps(
        bundle_tree(note, ids, assembled_at=assembled_at, name_protected=name_protected)
    )


def assemble_xml(
    note: JournalNote, ids: DocumentIds, *, assembled_at: datetime, name_protected: bool
) -> bytes:
    """Write the same document as FHIR XML; arguments as :func:`assemble_bundle`.

    Returns:
        The Bundle as XML in exclusive canonical form, UTF-8, ready to be signed;
        read, it equals the JSON form.

    Raises:
        MappingError: ``assembled_at`` has no offset.
        TextWouldBeLost: a field holds a control character, which XML cannot carry.

    Source: medcom-shared-notes 2 (XML and JSON are equal), 3 to 14.
    """
    return write_xml(
        bundle_tree(note, ids, assembled_at=assembled_at, name_protected=name_protected)
    )


def bundle_tree(
    note: JournalNote, ids: DocumentIds, *, assembled_at: datetime, name_protected: bool
) -> dict[str, Any]:
    """Make the document as the tree of its JSON form; arguments as :func:`assemble_bundle`."""
    if assembled_at.utcoffset() is None:
        raise MappingError("assembled_at", "the time has no offset")
    texts = texts_of(ids)
    parties = resources.parties_of(note, texts, name_protected=name_protected)
    times = resources.Times(
        created=danish_time(note.created_at),
        updated=danish_time(note.completed_at),
        ended=None if note.ended_at is None else danish_time(note.ended_at),
    )
    entries = [
        _entry(texts.composition_id, resources.composition(note, texts, parties, times)),
        _entry(texts.observation_id, resources.observation(note, texts, parties, times)),
        _entry(texts.patient_id, resources.patient(note, texts, parties)),
        _entry(texts.organization_id, resources.organization(note.organization, texts)),
    ]
    if parties.person is not None:
        entries.append(_entry(texts.practitioner_id, resources.practitioner(parties.person, texts)))
    if parties.role is not None:
        entries.append(
            _entry(texts.role_id, resources.practitioner_role(texts, parties, parties.role))
        )
    return {
        "resourceType": "Bundle",
        "id": texts.bundle_id,
        "meta": {"profile": [profiles.NOTES_BUNDLE]},
        "identifier": {
            "system": profiles.URI_SYSTEM,
            "value": f"urn:uuid:{texts.bundle_identifier}",
        },
        "type": "document",
        "timestamp": utc_time(assembled_at),
        "entry": entries,
    }


def danish_time(moment: datetime) -> str:
    """Write an instant as Danish local time with its offset, to the second (cut)."""
    return moment.astimezone(COPENHAGEN).isoformat(timespec="seconds")


def utc_time(moment: datetime) -> str:
    """Write an instant in UTC with ``Z``, to the second (cut)."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def _entry(resource_id: str, resource: dict[str, Any]) -> dict[str, Any]:
    return {"fullUrl": f"urn:uuid:{resource_id}", "resource": resource}
