"""Ids of a document: what stays, what changes, and what cannot be found out from them."""

from __future__ import annotations

from dataclasses import fields, replace
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappers.errors import MappingError
from mappers.fhir.ids import DocumentIds, document_ids
from mappers.note import Author, Patient
from tests.unit.mappers.bundle_specimens import BUNDLE_IDENTIFIER, PATIENT_KEY, SECRET, ids_of, note

NAMES = tuple(field.name for field in fields(DocumentIds))
VERSION_SPECIFIC = {
    "bundle_id",
    "composition_id",
    "composition_identifier",
    "observation_id",
    "patient_id",
    "organization_id",
    "practitioner_id",
    "role_id",
}
STABLE = {"observation_identifier", "practitioner_identifier", "role_identifier"}


def changed(first: DocumentIds, second: DocumentIds) -> set[str]:
    return {name for name in NAMES if getattr(first, name) != getattr(second, name)}


def test_the_same_version_assembled_again_keeps_all_but_the_bundles_identifier() -> None:
    again = document_ids(
        note(),
        id_namespace=SECRET,
        patient_key=PATIENT_KEY,
        bundle_identifier=UUID("00000000-0000-4000-8000-000000000001"),
    )
    assert changed(ids_of(note()), again) == {"bundle_identifier"}
    assert ids_of(note()).bundle_identifier == BUNDLE_IDENTIFIER


def test_a_corrected_note_keeps_the_ids_of_note_and_person() -> None:
    corrected = note(version=2)
    assert changed(ids_of(note()), ids_of(corrected)) == VERSION_SPECIFIC


def test_another_generation_changes_what_a_new_version_would() -> None:
    assert changed(ids_of(note()), ids_of(note(), generation=1)) == VERSION_SPECIFIC


def test_version_and_generation_are_not_mixed_up() -> None:
    assert ids_of(note(version=1), generation=11).bundle_id != (
        ids_of(note(version=11), generation=1).bundle_id
    )


@pytest.mark.parametrize(
    "change", [{"id_namespace": b"another secret of 32 bytes......"}, {"patient_key": b"other"}]
)
def test_another_secret_or_patient_gives_ids_that_cannot_be_linked(
    change: dict[str, bytes],
) -> None:
    other = document_ids(
        note(),
        id_namespace=change.get("id_namespace", SECRET),
        patient_key=change.get("patient_key", PATIENT_KEY),
        bundle_identifier=BUNDLE_IDENTIFIER,
    )
    assert VERSION_SPECIFIC | {"observation_identifier"} <= changed(ids_of(note()), other)


def test_another_clinic_may_use_the_same_note_id() -> None:
    clinic = replace(note().organization, sor_code="99999999999")
    other = ids_of(note(organization=clinic))
    assert VERSION_SPECIFIC | {"observation_identifier"} <= changed(ids_of(note()), other)


def test_the_cpr_number_has_no_part_in_any_id() -> None:
    patient = Patient("0101010001", ("A",), "B", note().patient.birth_date, "female")
    assert changed(ids_of(note()), ids_of(note(patient=patient))) == set()


def test_all_are_distinct_uuids_of_version_5_form() -> None:
    ids = ids_of(note(author=Author(None, ("A",), "B", "laege")))
    made = [getattr(ids, name) for name in NAMES if name != "bundle_identifier"]
    assert len(set(made)) == len(made)
    assert {value.version for value in made} == {5}
    assert {value.variant for value in made} == {RFC_4122}


def test_an_author_with_a_uuid_keeps_it() -> None:
    given_id = UUID("0ee2db70-d972-4497-a156-0a8109aaa771")
    assert ids_of(note()).practitioner_identifier == given_id
    role_alone = Author(f"urn:uuid:{given_id}", (), None, None, role_text="vikar")
    assert ids_of(note(author=role_alone)).role_identifier == given_id


@pytest.mark.parametrize(
    "author",
    [
        Author(None, ("Sidsel",), "Andersen", "laege", authorization_id="ZTB01"),
        Author(None, ("Sidsel",), "Andersen", "laege"),
        Author("user:42", ("Sidsel",), "Andersen", "laege"),
        Author("urn:uuid:no-uuid", ("Sidsel",), "Andersen", "laege"),
    ],
)
def test_a_person_without_a_uuid_gets_one_that_stays(author: Author) -> None:
    first = ids_of(note(author=author))
    later = ids_of(note(author=author, source_note_id="xmo-1", version=9))
    assert first.practitioner_identifier == later.practitioner_identifier
    assert first.role_identifier == later.role_identifier
    other_role = ids_of(note(author=replace(author, role="sygeplejerske")))
    assert first.practitioner_identifier == other_role.practitioner_identifier
    assert first.role_identifier != other_role.role_identifier


def test_two_persons_of_one_name_are_told_apart_by_their_authorisation() -> None:
    one = Author(None, ("Bo",), "Bo", "laege", authorization_id="ZTB01")
    two = replace(one, authorization_id="ZTB02")
    assert (
        ids_of(note(author=one)).practitioner_identifier
        != ids_of(note(author=two)).practitioner_identifier
    )


@pytest.mark.parametrize("secret", [b"", b"short", b"x" * 65])
def test_a_secret_of_another_length_is_refused(secret: bytes) -> None:
    with pytest.raises(MappingError):
        document_ids(
            note(),
            id_namespace=secret,
            patient_key=PATIENT_KEY,
            bundle_identifier=BUNDLE_IDENTIFIER,
        )


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_two_notes_never_share_an_id(first: str, second: str) -> None:
    ids, others = ids_of(note(source_note_id=first)), ids_of(note(source_note_id=second))
    same_note = first == second
    assert (ids.bundle_id == others.bundle_id) == same_note
    assert (ids.observation_identifier == others.observation_identifier) == same_note
