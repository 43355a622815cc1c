"""Records to ebRIM and back; HL7 forms; checks before writing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from nsp_client.errors import InvalidMetadata, MalformedMessage
from nsp_client.soap.envelope import parse_envelope
from nsp_client.soap.xml import parse_xml
from nsp_client.xds import hl7
from nsp_client.xds.checks import (
    entry_faults,
    require,
    shared_note_faults,
    submission_faults,
)
from nsp_client.xds.ebxml import (
    read_document_entry,
    read_registry_objects,
    read_submission_set,
    write_document_entry,
    write_registry_object_list,
    write_submission_set,
)
from nsp_client.xds.fingerprint import fingerprint, matches
from nsp_client.xds.metadata import (
    Association,
    AssociationType,
    AuthorInstitution,
    AuthorPerson,
    AvailabilityStatus,
    Code,
    DocumentEntry,
    PatientInfo,
    SubmissionSet,
    dtm,
    instant_of,
    is_full_dtm,
    padded_dtm,
)
from tests.unit.nsp_client.xds_specimens import (
    ENTRY_UUID,
    ON_DEMAND,
    OTHER_PATIENT,
    SNOMED,
    STABLE,
    SUBMISSION_SET,
    entry,
    shared_file,
)

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
R = f"{{{RIM}}}"
words = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp", "Cf", "Co", "Cn"]
    ),
    min_size=1,
    max_size=20,
)


def wrapped(xml: str) -> etree._Element:
    return etree.fromstring(
        f'<rim:RegistryObjectList xmlns:rim="{RIM}">{xml}</rim:RegistryObjectList>'.encode()
    )


def entry_again(original: DocumentEntry, *, in_answer: bool = True) -> DocumentEntry:
    return read_document_entry(wrapped(write_document_entry(original, in_answer=in_answer))[0])


FULL = replace(
    STABLE,
    event_codes=(Code("T90", "2.16.840.1.113883.6.139", "Diabetes"),),
    legal_authenticator=AuthorPerson("O'Hara", ("A&B", "C^D")),
    reference_ids=("a^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:order",),
    uri="DOC001.XML",
    comments='x < "y" & z',
    logical_id=ENTRY_UUID,
    extra_slots=(("urn:dk:x", ("one", "two")),),
    author_institution=AuthorInstitution("A | B ^ C & D ~ E \\ F <x>", "61741000016007"),
)


@pytest.mark.parametrize("original", [STABLE, ON_DEMAND, FULL])
def test_an_entry_comes_back_as_it_was(original: DocumentEntry) -> None:
    assert entry_again(original) == replace(
        original, logical_id=original.logical_id or original.entry_uuid
    )


@given(words, st.lists(words, max_size=3), words, words)
@settings(max_examples=60)
def test_any_names_come_back_as_they_were(
    family: str, given_names: list[str], clinic: str, title: str
) -> None:
    person = AuthorPerson(family, tuple(given_names))
    original = entry(
        author_person=person,
        author_institution=AuthorInstitution(clinic, "61741000016007"),
        source_patient_info=PatientInfo(family, tuple(given_names), date(1974, 1, 30), "F"),
        title=title,
    )
    again = entry_again(original, in_answer=False)
    assert again == original


def test_a_set_comes_back_as_it_was() -> None:
    objects = read_registry_objects(wrapped(write_submission_set(SUBMISSION_SET)))
    assert objects.submission_sets == (SUBMISSION_SET,)


def test_a_package_that_is_not_marked_is_no_submission_set() -> None:
    xml = '<rim:RegistryPackage id="urn:uuid:1"/><rim:ObjectRef id="urn:uuid:2"/>'
    objects = read_registry_objects(wrapped(xml))
    assert objects.submission_sets == ()
    assert objects.object_refs == ("urn:uuid:2",)


def test_the_same_record_gives_the_same_bytes_and_all_ids_differ() -> None:
    both = write_document_entry(STABLE) + write_submission_set(SUBMISSION_SET)
    assert both == write_document_entry(entry()) + write_submission_set(replace(SUBMISSION_SET))
    ids = [element.get("id") for element in wrapped(both).iter() if element.get("id")]
    assert len(ids) == len(set(ids)) > 15
    assert all(str(one).startswith("urn:uuid:") for one in ids)


def test_an_answer_holds_what_readers_must_get() -> None:
    (written,) = etree.fromstring(write_registry_object_list([STABLE]).encode())
    for name in ("id", "lid", "objectType", "status", "mimeType", "home"):
        assert written.get(name), name
    version = written.find(f"{R}VersionInfo")
    assert version is not None
    assert version.get("versionName") == "1"
    kind = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
    for classification in written.iterfind(f"{R}Classification"):
        assert classification.get("id")
        assert classification.get("objectType") == f"{kind}Classification"
    identifiers = written.findall(f"{R}ExternalIdentifier")
    assert len(identifiers) == 2
    for identifier in identifiers:
        assert identifier.get("id")
        assert identifier.get("registryObject") == ENTRY_UUID
        assert identifier.get("objectType") == f"{kind}ExternalIdentifier"


def test_a_printed_record_does_not_name_the_patient() -> None:
    for record in (FULL, SUBMISSION_SET):
        printed = repr(record)
        assert "3001749995" not in printed
        assert "Vendelboe" not in printed


def test_a_slot_twice_is_refused() -> None:
    slot = '<rim:Slot name="hash"><rim:ValueList/></rim:Slot>'
    with pytest.raises(MalformedMessage):
        read_document_entry(
            wrapped(f'<rim:ExtrinsicObject id="x">{slot}{slot}</rim:ExtrinsicObject>')[0]
        )


def test_what_has_no_id_or_no_ends_is_refused() -> None:
    with pytest.raises(MalformedMessage):
        read_document_entry(wrapped("<rim:ExtrinsicObject/>")[0])
    with pytest.raises(MalformedMessage):
        read_submission_set(wrapped("<rim:RegistryPackage/>")[0])
    with pytest.raises(MalformedMessage):
        read_registry_objects(wrapped('<rim:Association id="x" sourceObject="a"/>'))


# ---- what others send ----


def test_the_recorded_answer_reads_with_its_oddities() -> None:
    envelope = parse_envelope(shared_file("nsp", "samples", "recorded", "iti18-response.xml"))
    assert envelope.payload is not None
    (object_list,) = envelope.payload.iterfind(f"{R}RegistryObjectList")
    entries = read_registry_objects(object_list).entries
    assert entries
    first = entries[0]
    assert (first.creation_time, first.service_start_time) == ("20180607", "2018083110")
    assert first.hash == "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    assert first.size == 8689
    assert first.author_institution == AuthorInstitution("Lægehuset Prøvebakken", "999111000016003")
    assert matches(first, b"anything: that hash says nothing")


def test_the_recorded_withdrawal_reads_with_line_breaks_in_its_values() -> None:
    envelope = parse_envelope(shared_file("nsp", "samples", "recorded", "iti57-request.xml"))
    (object_list,) = envelope.body.iter(f"{R}RegistryObjectList")
    objects = read_registry_objects(object_list)
    (change,) = objects.associations
    assert change.association_type == AssociationType.UPDATE_AVAILABILITY_STATUS
    assert change.original_status == AvailabilityStatus.APPROVED
    assert change.new_status == AvailabilityStatus.DEPRECATED
    (submitted,) = objects.submission_sets
    assert submitted.submission_time == "20170922084639"


@pytest.mark.parametrize(
    "parts",
    [
        ("nsp", "examples", "iti41-body-plain.xml"),
        ("nsp", "examples", "iti42-request-rplc.xml"),
        ("nsp", "samples", "recorded", "iti41-request-soap.xml"),
        ("ihe", "samples", "iti41-request.xml"),
        ("ihe", "samples", "submitobjects-full.xml"),
        ("ihe", "samples", "iti57-update-submitobjects.xml"),
        ("ihe", "samples", "iti18-finddocuments-response.xml"),
    ],
)
def test_the_specimens_of_submissions_read(parts: tuple[str, ...]) -> None:
    root = parse_xml(shared_file(*parts))
    (object_list,) = root.iter(f"{R}RegistryObjectList")
    objects = read_registry_objects(object_list)
    assert objects.entries
    for one in objects.entries:
        assert one.unique_id
        assert one.patient_id
        assert one.class_code.code
        # What we read of others we can write again.
        assert entry_again(one).unique_id == one.unique_id


def test_the_recorded_replacement_reads() -> None:
    raw = shared_file("nsp", "samples", "recorded", "iti41withreplacement-request.xml")
    envelope = raw[: raw.rindex(b"Envelope>") + len(b"Envelope>")]
    (object_list,) = parse_xml(envelope).iter(f"{R}RegistryObjectList")
    objects = read_registry_objects(object_list)
    assert Association.RPLC in {a.association_type for a in objects.associations}
    institution = objects.entries[0].author_institution
    assert institution is not None
    assert institution.name == "OUH Radiologisk Afdeling (Svendborg)"


# ---- HL7 forms ----


def test_the_forms_of_the_danish_profile() -> None:
    assert (
        hl7.write_xon(AuthorInstitution("Lægerne Testby", "61741000016007"))
        == "Lægerne Testby^^^^^&1.2.208.176.1.1&ISO^^^^61741000016007"
    )
    assert hl7.write_xon(AuthorInstitution("Bagge & Holm", "61741000016007")).startswith(
        "Bagge \\T\\ Holm^^^^^&"
    )
    assert (
        hl7.write_xcn(AuthorPerson("Andersen", ("Anders", "Frederik", "Ingolf")))
        == "^Andersen^Anders^Frederik&Ingolf"
    )
    assert hl7.write_patient_info(
        PatientInfo("Vendelboe", ("Niels", "Test"), date(1974, 1, 30), "M"), STABLE.patient_id
    ) == [
        "PID-3|3001749995^^^&1.2.208.176.1.2&ISO",
        "PID-5|Vendelboe^Niels^Test",
        "PID-7|19740130",
        "PID-8|M",
    ]


def test_a_stray_authority_in_a_name_is_passed_over() -> None:
    for value in ("^Andersen^Anders^^^^^^&ISO", "^Andersen^Anders^^^^^^^^&ISO", "^Andersen^Anders"):
        assert hl7.read_xcn(value) == AuthorPerson("Andersen", ("Anders",))


@given(st.text(max_size=400))
@settings(max_examples=80)
def test_a_long_name_is_cut_and_never_inside_an_escape(name: str) -> None:
    written = hl7.write_xon(AuthorInstitution(name, "61741000016007"))
    assert len(written) <= hl7.MAX_SLOT_VALUE
    assert len(written.split("^")) == 10
    head = written.split("^", maxsplit=1)[0]
    assert hl7.escape(hl7.unescape(head)) == head


def test_a_name_too_long_loses_its_last_given_names_first() -> None:
    info = PatientInfo("Vendelboe", ("Niels", *("Test" * 10 for _ in range(8))), None, None)
    value = hl7.write_patient_info(info, STABLE.patient_id)[1]
    assert len(value) <= 256
    assert value.startswith("PID-5|Vendelboe^Niels^TestTest")
    assert value.endswith("Test")


@given(st.text(max_size=40))
@settings(max_examples=80)
def test_escapes_undo(text: str) -> None:
    assert hl7.unescape(hl7.escape(text)) == (
        text if text.isprintable() else " ".join(text.split())
    )


# ---- times ----


def test_an_instant_is_written_in_utc_with_fractions_cut() -> None:
    cet = timezone(timedelta(hours=1))
    assert dtm(datetime(2026, 12, 10, 10, 0, 0, 999_999, tzinfo=cet)) == "20261210090000"  # M2
    assert dtm(datetime(2026, 12, 10, 10, 0, tzinfo=UTC)) == "20261210100000"
    with pytest.raises(InvalidMetadata):
        dtm(datetime(2026, 12, 10, 10, 0))


@pytest.mark.parametrize(
    ("value", "padded"),
    [("2026", "20260101000000"), ("202602", "20260201000000"), ("2018083110", "20180831100000")],
)
def test_a_short_time_means_its_earliest_moment(value: str, padded: str) -> None:
    assert padded_dtm(value) == padded
    assert instant_of(value).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "",
        "202",
        "20261",
        "20261301",
        "20260230",
        "20261211091530+0100",
        "2026-12-11T08:15:30Z",
        "٢٠٢٦",
        "20261211081560",
        "202612110815301",
        "00000101000000",
    ],
)
def test_what_is_no_time_is_refused(value: str) -> None:
    assert not is_full_dtm(value)
    with pytest.raises(InvalidMetadata):
        padded_dtm(value)


@given(st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)))
@settings(max_examples=50)
def test_an_instant_comes_back_to_the_second(moment: datetime) -> None:
    assert instant_of(dtm(moment)) == moment.replace(microsecond=0)


# ---- checks before writing: the negative cases of the Danish profile ----


def test_the_specimens_have_no_fault() -> None:
    for one in (STABLE, ON_DEMAND, FULL):
        assert entry_faults(one) == []
        assert shared_note_faults(one) == []
    assert submission_faults(STABLE, SUBMISSION_SET) == []


NORMAL = STABLE.confidentiality_codes[0]


@pytest.mark.parametrize(
    ("changes", "attribute"),
    [
        pytest.param({"creation_time": "20261211091530+0100"}, "creationTime", id="M1-offset"),
        pytest.param({"creation_time": "2026-12-11T08:15:30Z"}, "creationTime", id="M1-iso"),
        pytest.param({"creation_time": "20261211"}, "creationTime", id="M1-short"),
        pytest.param({"patient_id": "300174-9995^^^&1.2.208.176.1.2&ISO"}, "patientId", id="M3"),
        pytest.param({"patient_id": "3001749995"}, "patientId", id="M4-no-authority"),
        pytest.param(
            {"patient_id": "3001749995^^^CPR&1.2.208.176.1.2&ISO"}, "patientId", id="M4-name"
        ),
        pytest.param({"patient_id": "3001749995^^^&1.2.208.176.1.1&ISO"}, "patientId", id="M4-sor"),
        pytest.param({"source_patient_id": OTHER_PATIENT}, "sourcePatientId", id="M5"),
        pytest.param(
            {"author_institution": AuthorInstitution("X", "077410")}, "authorInstitution", id="M6"
        ),
        pytest.param({"author_institution": None}, "authorInstitution", id="no-institution"),
        pytest.param({"hash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="}, "hash", id="M12"),
        pytest.param({"hash": None}, "hash", id="no-hash"),
        pytest.param({"size": 0}, "size", id="no-size"),
        pytest.param(
            {"confidentiality_codes": (NORMAL, NORMAL)}, "confidentialityCode", id="M13-two"
        ),
        pytest.param({"confidentiality_codes": ()}, "confidentialityCode", id="M13-none"),
        pytest.param({"title": "x" * 128}, "title", id="M14-long"),
        pytest.param({"title": "Journalnotat for 2406799994"}, "title", id="M14-other-patient"),
        pytest.param({"title": None}, "title", id="no-title"),
        pytest.param({"repository_unique_id": "urn:oid:1.2.3"}, "repositoryUniqueId", id="M15"),
        pytest.param({"home_community_id": "1.2.208.176.8.1"}, "homeCommunityId", id="M16"),
        pytest.param({"service_stop_time": "20261210085959"}, "serviceStopTime", id="M19"),
        pytest.param({"unique_id": "a b"}, "uniqueId", id="unique-id"),
        pytest.param({"entry_uuid": "Document01"}, "entryUUID", id="symbolic-id"),
        pytest.param({"type_code": Code("866144008", SNOMED, "")}, "typeCode", id="no-display"),
        pytest.param(
            {"type_code": Code("866144008", f"urn:oid:{SNOMED}", "x")}, "typeCode", id="urn-scheme"
        ),
        pytest.param({"source_patient_info": None}, "sourcePatientInfo", id="no-patient-info"),
        pytest.param({"object_type": "urn:uuid:other"}, "objectType", id="object-type"),
        pytest.param({"mime_type": "json"}, "mimeType", id="mime-type"),
        pytest.param({"extra_slots": (("urn:ihe:x", ()),)}, "slot", id="ihe-slot"),
    ],
)
def test_an_entry_that_breaks_a_rule_is_named(changes: dict[str, Any], attribute: str) -> None:
    faults = entry_faults(entry(**changes))
    assert attribute in {fault.attribute for fault in faults}
    with pytest.raises(InvalidMetadata) as caught:
        require(faults)
    assert "3001749995" not in str(caught.value)
    assert "2406799994" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "attribute"),
    [
        pytest.param({"hash": "0" * 40}, "hash", id="M11-hash"),
        pytest.param({"size": 1}, "size", id="M11-size"),
        pytest.param({"creation_time": "20261211081530"}, "creationTime", id="M11-creation"),
        pytest.param(
            {"legal_authenticator": AuthorPerson("X")}, "legalAuthenticator", id="M11-legal"
        ),
        pytest.param({"repository_unique_id": None}, "repositoryUniqueId", id="no-repository"),
    ],
)
def test_an_on_demand_entry_holds_nothing_prohibited(
    changes: dict[str, Any], attribute: str
) -> None:
    assert attribute in {fault.attribute for fault in entry_faults(replace(ON_DEMAND, **changes))}


@pytest.mark.parametrize(
    ("changes", "attribute"),
    [
        pytest.param(
            {"format_code": Code("urn:ad:dk:medcom:phn-v1.0:full", "1.2.208.184.100.10", "x")},
            "formatCode",
            id="M8",
        ),
        pytest.param(
            {"format_code": Code("DK ECN schema", "urn:ad:dk:medcom:ecn-v1.0:full", "x")},
            "formatCode",
            id="M9",
        ),
        pytest.param({"mime_type": "text/xml"}, "mimeType", id="M10"),
        pytest.param(
            {"confidentiality_codes": (replace(NORMAL, code="R"),)},
            "confidentialityCode",
            id="M13-R",
        ),
        pytest.param(
            {"practice_setting_code": Code("408443003", "2.16.840.1.113883.6.1", "x")},
            "practiceSettingCode",
            id="M21",
        ),
        pytest.param(
            {"type_code": Code("34133-9", "2.16.840.1.113883.6.1", "x")}, "typeCode", id="type"
        ),
    ],
)
def test_an_entry_that_is_no_shared_note_is_named(changes: dict[str, Any], attribute: str) -> None:
    assert {fault.attribute for fault in shared_note_faults(entry(**changes))} == {attribute}


def test_the_organisation_stands_in_the_tenth_component_and_its_authority_in_the_sixth() -> (
    None
):  # M7
    parts = hl7.write_xon(AuthorInstitution("X", "61741000016007")).split("^")
    assert (parts[5], parts[9], len(parts)) == ("&1.2.208.176.1.1&ISO", "61741000016007", 10)


def test_an_address_is_never_written() -> None:  # M20
    written = write_document_entry(STABLE)
    assert written.count("PID-") == 4
    assert "PID-11" not in written


@pytest.mark.parametrize(
    "changes",
    [
        {"patient_id": OTHER_PATIENT},
        {"unique_id": "urn:uuid:x"},
        {"source_id": "urn:oid:1.2.3"},
        {"submission_time": "20261211"},
        {"entry_uuid": "SubmissionSet"},
        {"title": "Journalnotat for 3001749995"},
        {"author_institution": None},
    ],
)
def test_a_set_that_breaks_a_rule_is_named(changes: dict[str, Any]) -> None:
    broken: SubmissionSet = replace(SUBMISSION_SET, **changes)
    assert submission_faults(STABLE, broken)


def test_a_control_character_is_refused_rather_than_dropped() -> None:
    with pytest.raises(InvalidMetadata):
        write_document_entry(entry(title="a\x00b"))


def test_hash_and_size_of_a_document() -> None:
    assert fingerprint(b"abc").hash == "a9993e364706816aba3e25717850c26c9cd0d89d"
    with pytest.raises(InvalidMetadata):
        fingerprint(b"")
    upper = entry(hash=(STABLE.hash or "").upper())
    assert not matches(upper, b"other")
