"""The judge of metadata beyond the negative cases: every rule of its table is broken once."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from mappers.cda.document import assemble_cda, cda_unique_id
from mappers.errors import MappingError
from mappers.xds import cda_entry
from mappers.xds_checks import Known, metadata_issues
from mappers.xds_rules import METADATA_RULES
from nsp_client.xds.associations import Relations
from nsp_client.xds.metadata import Code, ObjectType
from tests.unit.mappers.bundle_specimens import ASSEMBLED_AT, WINTER, ids_of, note
from tests.unit.mappers.test_xds_negative import CASES
from tests.unit.mappers.xds_specimens import (
    CPR,
    HOME,
    MINE,
    OLD,
    SOURCE,
    codes,
    in_entry,
    known,
    message,
    once,
    slot,
    stable,
    with_slot,
)

INSTITUTION: Final = '<rim:Slot name="authorInstitution">'

FURTHER: Final = [
    ("XDS-XML", "<a>"),
    ("XDS-XML", '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'),
    ("XDS-XML", "<a>" * 10_000 + "</a>" * 10_000),
    ("XDS-XML", "<a>" + "x" * 5_000_000 + "</a>"),
    ("XDS-NOTHING", "<a/>"),
    ("XDS-MISSING", re.sub(r'<rim:Slot name="languageCode">.*?</rim:Slot>', "", MINE)),
    ("XDS-MISSING", MINE.replace(f' home="urn:oid:{HOME}"', "")),
    ("XDS-MISSING", re.sub(r"<rim:Slot name=\"authorInstitution\">.*?</rim:Slot>", "", MINE)),
    (
        "XDS-TWICE",
        in_entry(MINE, slot("languageCode", "da-DK"), slot("languageCode", "da-DK", "da")),
    ),
    ("XDS-UNUSED", message(replace(stable(), comments="x"))),
    ("XDS-UNUSED", in_entry(MINE, INSTITUTION, slot("authorRole", "læge") + INSTITUTION)),
    ("XDS-UUID", MINE.replace(stable().entry_uuid, stable().entry_uuid.upper())),
    ("XDS-UNIQUE-ID", in_entry(MINE, stable().unique_id, "a b")),
    ("XDS-OBJECT-TYPE", once(MINE, ObjectType.STABLE, "urn:uuid:7edca82f")),
    ("XDS-STATUS", MINE.replace("StatusType:Approved", "StatusType:Submitted")),
    ("XDS-TIME-OTHER", with_slot(MINE, "serviceStopTime", "20261210090001")),
    ("XDS-PATIENT-CPR", MINE.replace(CPR, "3002749995")),
    ("XDS-PATIENT-OTHER", MINE.replace(CPR, "2406799994")),
    ("XDS-PATIENT-INFO", once(MINE, "PID-8|M", "PID-8|X")),
    ("XDS-PATIENT-INFO", once(MINE, "PID-7|19740130", "PID-7|1974013")),
    ("XDS-XON-SOR", MINE.replace("61741000016007", "61741000016008")),
    ("XDS-XCN-FORM", MINE.replace("^Andersen^Sidsel", "^Andersen^Sidsel^^^^^^&amp;ISO")),
    ("XDS-CODE", in_entry(MINE, 'value="almen medicin"', 'value=""')),
    ("XDS-TYPE-CODE", once(MINE, "866144008", "11488-4")),
    ("XDS-CLASS-CODE", once(MINE, 'nodeRepresentation="001"', 'nodeRepresentation="002"')),
    ("XDS-LANGUAGE", with_slot(MINE, "languageCode", "da")),
    ("XDS-SIZE", with_slot(MINE, "size", "0")),
    ("XDS-BYTES-OTHER", with_slot(MINE, "size", "1")),
    ("XDS-BYTES-OTHER", with_slot(MINE, "hash", "0" * 40)),
    ("XDS-SET-TITLE", once(MINE, 'value="Journalnotat"', f'value="Journalnotat for {CPR}"')),
    ("XDS-SET-COUNT", re.sub(r"<rim:RegistryPackage.*?</rim:RegistryPackage>", "", MINE)),
    ("XDS-OID", once(MINE, f'value="{SOURCE}"', f'value="urn:oid:{SOURCE}"')),
    (
        "XDS-MEMBER",
        once(MINE, "<rim:Value>Original</rim:Value>", "<rim:Value>Reference</rim:Value>"),
    ),
    (
        "XDS-ASSOCIATION",
        message(relations=Relations(replaces=OLD)).replace(
            f'targetObject="{OLD}"', 'targetObject="x"'
        ),
    ),
]


@pytest.mark.parametrize(("code", "wire"), FURTHER, ids=[code for code, _ in FURTHER])
def test_a_further_breach_is_refused_for_its_reason(code: str, wire: str) -> None:
    assert code in codes(wire, known())


def test_every_rule_of_the_table_has_a_test() -> None:
    told = {code for _, code, _ in CASES} | {code for code, _ in FURTHER}
    apart = {
        "XDS-UNIQUE-ID-REUSED",
        "XDS-REPLACE-DEPRECATED",
        "XDS-REPLACE-UNKNOWN",
        "XDS-REPLACE-PATIENT",
        "XDS-QUERY-ON-DEMAND",
        "XDS-NEW-UNIQUE-ID",
    }
    assert told | apart == set(METADATA_RULES)


def test_all_faults_of_a_message_are_told_at_once_each_with_attribute_and_line() -> None:
    wire = with_slot(MINE, "languageCode", "en").replace(
        "<rim:ExtrinsicObject", "\n\n<rim:ExtrinsicObject"
    )
    wire = once(with_slot(wire, "hash", "x"), "ecn-v1.0", "phn-v1.0")
    assert {(issue.code, issue.path) for issue in metadata_issues(wire.encode())} == {
        ("XDS-LANGUAGE", "DocumentEntry.languageCode@line 3"),
        ("XDS-HASH", "DocumentEntry.hash@line 3"),
        ("XDS-FORMAT-CODE", "DocumentEntry.formatCode@line 3"),
    }


def test_a_message_of_nothing_but_faults_stays_readable() -> None:
    broken = "".join(f'\n<rim:ExtrinsicObject id="{number}"/>' for number in range(3000))
    wire = f'<a xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">{broken}</a>'
    assert len(metadata_issues(wire.encode())) == 200


def test_local_time_is_told_from_any_other_time_in_summer_too() -> None:
    summer = note(
        created_at=note().created_at.replace(month=7, tzinfo=WINTER) - timedelta(hours=1),
        completed_at=note().completed_at,
    )
    wire = message(stable(summer))
    assert codes(wire, Known(note=summer)) == set()
    local = with_slot(wire, "serviceStartTime", "20260710100000")
    assert "XDS-DTM-LOCAL" in codes(local, Known(note=summer))


def test_a_rendering_is_registered_locally_and_is_no_shared_note() -> None:
    made = note()
    rendered = assemble_cda(made, ids_of(made), assembled_at=ASSEMBLED_AT, name_protected=False)
    source = stable(made)
    arguments: dict[str, Any] = {
        "unique_id": cda_unique_id(ids_of(made).composition_identifier),
        "entry_uuid": UUID(int=5, version=4),
        "sha1": hashlib.sha1(rendered, usedforsecurity=False).digest(),
        "size_bytes": len(rendered),
        "format_code": Code("urn:ad:dk:local:ecn-cda-v1.0:full", "1.2.208.184.100.10", "lokal"),
    }
    entry = cda_entry(source, **arguments)
    wire = message(entry, relations=Relations(transforms=source.entry_uuid))
    # It obeys every rule but the two that make a document a shared note.
    assert codes(wire, Known(note=made, document=rendered)) == {
        "XDS-MIME-TYPE",
        "XDS-FORMAT-CODE",
    }
    for wrong in (
        {"format_code": source.format_code},
        {"unique_id": source.unique_id},
        {"entry_uuid": UUID(source.entry_uuid)},
        {"size_bytes": 0},
    ):
        with pytest.raises(MappingError):
            cda_entry(source, **(arguments | wrong))
