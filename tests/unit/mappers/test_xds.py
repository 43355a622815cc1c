"""The registry's description of a note: each attribute, and what it must never be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappers.errors import MappingError
from mappers.note import Author, Patient
from mappers.xds import entry_from_note, withdrawal_set
from nsp_client.identifiers import Cpr
from nsp_client.xds.checks import (
    entry_faults,
    shared_note_faults,
    submission_faults,
    submission_set_faults,
)
from nsp_client.xds.metadata import (
    AuthorInstitution,
    AuthorPerson,
    Code,
    DocumentEntry,
    ObjectType,
    PatientInfo,
)
from tests.unit.mappers.bundle_specimens import (
    ASSEMBLED_AT,
    WINTER,
    document,
    note,
    resource,
    tree,
)
from tests.unit.mappers.xds_specimens import CX, HOME, SET_UUID, SOURCE
from tests.unit.mappers.xds_specimens import stable as entry
from tests.unit.mappers.xds_specimens import submission_set as submission


def test_an_ordinary_note_breaks_no_rule_of_the_client() -> None:
    assert entry_faults(entry()) == []
    assert shared_note_faults(entry()) == []
    assert submission_faults(entry(), submission()) == []


def test_every_attribute_is_the_one_of_the_table() -> None:
    made, stored = entry(), document()
    bundle = tree()
    identifier = resource(bundle, "Composition")["identifier"]["value"]
    snomed = "2.16.840.1.113883.6.96"
    assert made == DocumentEntry(
        entry_uuid=f"urn:uuid:{bundle['id']}",
        unique_id=identifier,
        patient_id=CX,
        source_patient_id=CX,
        mime_type="application/fhir+json",
        class_code=Code("001", "1.2.208.184.100.9", "Klinisk rapport"),
        type_code=Code("866144008", snomed, "Encounter note"),
        format_code=Code("urn:ad:dk:medcom:ecn-v1.0:full", "1.2.208.184.100.10", "DK ECN schema"),
        healthcare_facility_type_code=Code("394761003", snomed, "almen lægepraksis"),
        practice_setting_code=Code("408443003", snomed, "almen medicin"),
        confidentiality_codes=(Code("N", "2.16.840.1.113883.5.25", "normal"),),
        title="Journalnotat for 3001749995",
        source_patient_info=PatientInfo(
            "Vendelboe", ("Niels", "Test"), note().patient.birth_date, "M"
        ),
        author_institution=AuthorInstitution("Lægerne Hasseris Bymidte", "61741000016007"),
        author_person=AuthorPerson("Andersen", ("Sidsel",)),
        language_code="da-DK",
        creation_time="20261211081530",
        service_start_time="20261210090000",
        service_stop_time="20261210090000",
        hash=sha1(stored, usedforsecurity=False).hexdigest(),
        size=len(stored),
        repository_unique_id="1.2.208.176.43210.8.30",
        home_community_id="urn:oid:1.2.208.176.8.1",
        object_type=ObjectType.STABLE,
    )


def test_m1_m2_times_are_fourteen_digits_of_utc() -> None:
    summer = note(
        created_at=datetime(2026, 7, 1, 10, 0, 0, 900000, tzinfo=UTC),
        completed_at=datetime(2026, 7, 2, 10, 0, tzinfo=UTC),
        ended_at=datetime(2026, 7, 1, 12, 20, tzinfo=WINTER),
    )
    made = entry(summer)
    assert made.service_start_time == "20260701100000"
    assert made.service_stop_time == "20260701112000"
    assert made.creation_time == "20261211081530"


def test_m3_m4_m5_the_patient_is_one_cx_everywhere() -> None:
    made, around = entry(), submission()
    assert made.patient_id == made.source_patient_id == around.patient_id == CX


def test_m3_a_cpr_number_with_a_dash_is_refused_without_being_repeated() -> None:
    patient = replace(note().patient, cpr="300174-9995")
    with pytest.raises(MappingError) as caught:
        submission(note(patient=patient))
    assert "9995" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_m6_the_institution_has_the_sor_code_never_the_provider_number() -> None:
    institution = entry().author_institution
    assert institution is not None
    assert institution.sor_code == "61741000016007"
    assert "077410" not in repr(entry())


@pytest.mark.parametrize("media_type", ["text/xml", "application/json", "application/fhir+json;x"])
def test_m10_another_media_type_is_refused(media_type: str) -> None:
    with pytest.raises(MappingError):
        entry(media_type=media_type)


def test_xml_is_described_as_xml() -> None:
    assert entry(media_type="application/fhir+xml").mime_type == "application/fhir+xml"


@pytest.mark.parametrize("change", [{"sha1": b"c2hhMQ=="}, {"sha1": b""}, {"size_bytes": 0}])
def test_m12_figures_that_are_none_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MappingError):
        entry(**change)


def test_m13_m14_confidentiality_and_title() -> None:
    made = entry()
    assert [code.code for code in made.confidentiality_codes] == ["N"]
    assert made.title == "Journalnotat for 3001749995"
    assert submission().title == "Journalnotat"


def test_m15_m16_oid_forms() -> None:
    made = entry()
    assert made.repository_unique_id == "1.2.208.176.43210.8.30"
    assert made.home_community_id == "urn:oid:1.2.208.176.8.1"
    assert entry(repository_oid=None).repository_unique_id is None


def test_m17_a_new_version_has_new_ids() -> None:
    first, second = entry(), entry(note(version=2))
    assert first.unique_id != second.unique_id
    assert first.entry_uuid != second.entry_uuid


def test_m19_an_end_is_no_earlier_than_the_start() -> None:
    made = entry(note(ended_at=note().created_at + timedelta(minutes=20)))
    assert made.service_stop_time == "20261210092000"
    assert made.service_start_time is not None
    assert made.service_stop_time >= made.service_start_time


def test_m20_a_protected_name_is_in_no_attribute() -> None:
    made = entry(name_protected=True)
    info = made.source_patient_info
    assert info is not None
    assert (info.family, info.given) == ("ADRESSEBESKYTTET", ("ADRESSEBESKYTTET",))
    assert made.extra_slots == ()


@pytest.mark.parametrize(
    "change",
    [
        {"author_name_protected": True},
        {"author": None},
        {"author": Author(None, (), "SA", None, role_text="vikar")},
    ],
)
def test_the_author_is_named_only_where_the_document_names_one(change: dict[str, Any]) -> None:
    made = note(**change)
    assert entry(made).author_person is None
    assert submission(made).author_person is None
    assert entry_faults(entry(made)) == []
    kinds = [each["resource"]["resourceType"] for each in tree(made)["entry"]]
    assert "Practitioner" not in kinds


@pytest.mark.parametrize(
    ("gender", "letter"), [("male", "M"), ("female", "F"), ("other", "O"), ("unknown", "U")]
)
def test_gender_letters(gender: str, letter: str) -> None:
    info = entry(note(patient=replace(note().patient, gender=gender))).source_patient_info
    assert info is not None
    assert info.gender == letter


def test_a_submission_set_is_named_by_its_uuid() -> None:
    made = submission()
    assert made.entry_uuid == f"urn:uuid:{SET_UUID}"
    assert made.unique_id == f"2.25.{SET_UUID.int}"
    assert made.source_id == SOURCE
    assert made.submission_time == "20261211081530"
    assert made.home_community_id == "urn:oid:1.2.208.176.8.1"
    assert submission() == made


@pytest.mark.parametrize("which", ["entry", "set"])
def test_a_time_without_offset_is_refused(which: str) -> None:
    naive = ASSEMBLED_AT.replace(tzinfo=None)
    with pytest.raises(MappingError):
        entry(assembled_at=naive) if which == "entry" else submission(submitted_at=naive)


def test_a_withdrawal_names_the_patient_and_the_clinic_and_no_person() -> None:
    made = withdrawal_set(
        Cpr("3001749995"),
        organization=note().organization,
        set_uuid=SET_UUID,
        submitted_at=ASSEMBLED_AT,
        source_oid=SOURCE,
        home_community_oid=HOME,
    )
    assert made.patient_id == CX
    assert made.author_institution == AuthorInstitution(
        "Lægerne Hasseris Bymidte", "61741000016007"
    )
    assert made.author_person is None
    assert submission_set_faults(made) == []


def test_no_cpr_number_or_name_shows_in_a_repr() -> None:
    shown = repr(entry()) + repr(submission())
    for part in ("9995", "Vendelboe", "Andersen"):
        assert part not in shown


@settings(max_examples=40, deadline=None)
@given(
    st.text(min_size=1, max_size=40).filter(str.strip),
    st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=3),
)
def test_any_name_makes_a_valid_entry(family: str, given_names: list[str]) -> None:
    patient = Patient(
        "3001749995", tuple(given_names), family, note().patient.birth_date, "unknown"
    )
    made = entry_from_note(
        note(patient=patient),
        unique_id="urn:uuid:1a2b3c4d-0001-5000-8000-00000000000a",
        entry_uuid=SET_UUID,
        assembled_at=ASSEMBLED_AT,
        sha1=b"\x00" * 20,
        size_bytes=1,
        media_type="application/fhir+json",
        repository_oid="1.2.3",
        home_community_oid=HOME,
        name_protected=False,
    )
    assert entry_faults(made) == []
