"""What holds for every note: two equal forms, the body byte for byte, and the way back.

300 notes in ``make test``, 5,000 more in ``make test-all``.
"""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from lxml import etree

from mappers.fhir.bundle import assemble_bundle, assemble_xml
from mappers.fhir.ids import DocumentIds, document_ids
from mappers.fhir.xml_reader import read_xml
from mappers.note import JournalNote
from mappers.practice.medcom import read_bundle, read_xml_bundle
from tests.support.generated_notes import NOTES, SIZES, context_of, expected_back, lengthened
from tests.unit.mappers.bundle_specimens import (
    BUNDLE_IDENTIFIER,
    PATIENT_KEY,
    SECRET,
    resource,
)

Json = dict[str, Any]

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
FEW = settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
MANY = settings(max_examples=5000, deadline=None, suppress_health_check=SLOW)

ASSEMBLED_AT = datetime(2100, 1, 1, tzinfo=UTC)
"""After every generated note."""

# All that is told of a document of ours: a body of one line has no tags.
TOLD = {"PROFILE-BODY-PLAIN", "PROFILE-PROVIDER-NUMBER-FORM"}


def ids_of(note: JournalNote, patient_key: bytes = PATIENT_KEY, generation: int = 0) -> DocumentIds:
    return document_ids(
        note,
        id_namespace=SECRET,
        patient_key=patient_key,
        bundle_identifier=BUNDLE_IDENTIFIER,
        generation=generation,
    )


def forms(note: JournalNote, ids: DocumentIds, *, protected: bool = False) -> tuple[bytes, bytes]:
    """The document as JSON and as XML."""
    return (
        assemble_bundle(note, ids, assembled_at=ASSEMBLED_AT, name_protected=protected),
        assemble_xml(note, ids, assembled_at=ASSEMBLED_AT, name_protected=protected),
    )


def check_forms(note: JournalNote, *, protected: bool) -> None:
    """Both forms: equal, canonical, the body byte for byte, right by our own checks."""
    ids = ids_of(note)
    as_json, as_xml = forms(note, ids, protected=protected)
    bundle = json.loads(as_json)
    reading = read_xml(as_xml)
    assert reading.issues == ()
    assert reading.tree == bundle
    assert etree.tostring(etree.fromstring(as_xml), method="c14n", exclusive=True) == as_xml
    attachment = resource(bundle, "Observation")["extension"][0]["valueAttachment"]
    assert b64decode(attachment["data"]) == note.text.html.encode()
    context = context_of(note)
    for read in (read_bundle(as_json, context), read_xml_bundle(as_xml, context)):
        assert read.issues == ()
        assert {warning.code for warning in read.warnings} <= TOLD
        assert read.note is not None
        expected = expected_back(note, ids)
        if protected:
            hidden = replace(note.patient, given=("ADRESSEBESKYTTET",), family="ADRESSEBESKYTTET")
            expected = replace(expected, patient=hidden)
        assert read.note == expected
    check_again(note, ids, bundle, protected=protected)


def check_again(note: JournalNote, ids: DocumentIds, bundle: Json, *, protected: bool) -> None:
    """The document of what was read: the same one, but for a name that named the person."""
    back = expected_back(note, ids)
    if protected:
        back = replace(back, patient=replace(note.patient, given=("A",), family="B"))
    again = json.loads(forms(back, ids_of(back), protected=protected)[0])
    event(f"entries: {len(bundle['entry'])}")
    author = note.author
    if author is not None and len(bundle["entry"]) == 6:
        # Without an id of the sender's, a person is known by what the note says of them,
        # and from then on by the id that was made: so does the role's.
        role = resource(again, "PractitionerRole")
        if author.id is None:
            role["identifier"] = resource(bundle, "PractitionerRole")["identifier"]
    if author is not None and back.author is not None and back.author.given:
        unshown = author.authorization_id != back.author.authorization_id
        if unshown:  # told only in the narrative
            resource(again, "Practitioner")["text"] = resource(bundle, "Practitioner")["text"]
    assert again == bundle


@FEW
@given(NOTES, st.booleans(), SIZES)
def test_every_note_has_two_equal_forms_and_comes_back(
    note: JournalNote, protected: bool, size: int
) -> None:
    check_forms(lengthened(note, size), protected=protected)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@MANY
@given(NOTES, st.booleans(), SIZES)
def test_very_many_notes_have_two_equal_forms_and_come_back(
    note: JournalNote, protected: bool, size: int
) -> None:
    check_forms(lengthened(note, size), protected=protected)


def _ids(bundle: Json) -> Json:
    """Every identifier of a document by its place."""
    found = {"Bundle.id": bundle["id"]}
    for entry in bundle["entry"]:
        kind = entry["resource"]["resourceType"]
        identifier = entry["resource"]["identifier"]
        first = identifier[0] if isinstance(identifier, list) else identifier
        found[f"{kind}.id"] = entry["resource"]["id"]
        found[f"{kind}.identifier"] = first["value"]
    return found


LASTING = {
    "Observation.identifier",
    "Practitioner.identifier",
    "PractitionerRole.identifier",
    "Organization.identifier",
    "Patient.identifier",
}


def document(
    note: JournalNote, patient_key: bytes = PATIENT_KEY, generation: int = 0
) -> tuple[Json, Json]:
    """The document and its ids, made from both forms."""
    as_json, as_xml = forms(note, ids_of(note, patient_key, generation))
    bundle: Json = json.loads(as_json)
    assert read_xml(as_xml).tree == bundle
    return bundle, _ids(bundle)


@settings(parent=FEW, max_examples=100)
@given(NOTES.filter(lambda note: note.version < 2**31 - 1), st.integers(1, 10**7))
def test_an_update_keeps_what_names_the_note_and_the_people(
    note: JournalNote, seconds: int
) -> None:
    later = replace(
        note, version=note.version + 1, completed_at=note.completed_at + timedelta(seconds=seconds)
    )
    (before, old), (after, new) = document(note), document(later)
    assert {name for name in old if old[name] == new[name]} == LASTING & old.keys()
    assert (resource(before, "Composition")["date"], resource(before, "Observation")["status"]) <= (
        resource(after, "Composition")["date"],
        "final",
    )
    created = [resource(each, "Observation")["effectiveDateTime"] for each in (before, after)]
    assert created[0] == created[1]


@settings(parent=FEW, max_examples=100)
@given(NOTES)
def test_a_note_cancelled_and_shared_again_is_a_new_document(note: JournalNote) -> None:
    (_, old), (_, new) = document(note), document(note, generation=1)
    assert {name for name in old if old[name] == new[name]} == LASTING & old.keys()


@settings(parent=FEW, max_examples=100)
@given(NOTES)
def test_a_new_identity_of_the_patient_is_not_linked_to_the_old_one(note: JournalNote) -> None:
    moved = replace(note, patient=replace(note.patient, cpr="0101010000", family="Ny"))
    (_, old), (bundle, new) = document(note), document(moved, b"another key of the patient")
    people = {"Practitioner.identifier", "PractitionerRole.identifier", "Organization.identifier"}
    same = {name for name in old if old[name] == new[name]}
    assert same - ({"Patient.identifier"} if note.patient.cpr == "0101010000" else set()) == (
        people & old.keys()
    )
    assert resource(bundle, "Composition")["title"] == "Journalnotat for 0101010000"


@settings(parent=FEW, max_examples=100)
@given(NOTES, st.uuids())
def test_notes_of_one_encounter_are_documents_of_their_own(
    note: JournalNote, encounter: UUID
) -> None:
    one = replace(note, encounter_id=f"urn:uuid:{encounter}")
    other = replace(one, source_note_id=f"{note.source_note_id}-2")
    (bundle, old), (_, new) = document(one), document(other)
    people = LASTING - {"Observation.identifier"}
    assert {name for name in old if old[name] == new[name]} == people & old.keys()
    assert str(encounter) not in json.dumps(bundle)
