"""The document we write, walked against the tables of the national profiles."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from mappers.errors import MappingError, UnknownCode
from mappers.fhir.bundle import assemble_bundle
from mappers.note import Author, JournalNote, NoteText, Organization, Patient
from mappers.practice.medcom import read_bundle
from tests.unit.mappers.bundle_specimens import (
    ASSEMBLED_AT,
    CONTEXT,
    WINTER,
    document,
    ids_of,
    note,
    resource,
    resources,
    tree,
)

Json = dict[str, Any]

SNOMED_CODING = [
    {"system": "http://snomed.info/sct", "code": "866144008", "display": "Encounter note"}
]
DOCUMENT = "http://medcomfhir.dk/ig/document/StructureDefinition/medcom-document-"
NOTES = "http://medcomfhir.dk/ig/notes/StructureDefinition/medcom-notes-"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")


def uuid_version(text: str) -> int | None:
    return UUID(text.removeprefix("urn:uuid:")).version


def words(each: Json) -> str:
    """The visible text of a narrative that a strict XML parser accepts."""
    root = etree.fromstring(each["text"]["div"])
    assert root.tag == "{http://www.w3.org/1999/xhtml}div"
    return "".join(root.itertext())


def test_the_bundle_has_what_section_4_demands() -> None:
    bundle = tree()
    assert list(bundle) == [
        "resourceType",
        "id",
        "meta",
        "identifier",
        "type",
        "timestamp",
        "entry",
    ]
    assert uuid_version(bundle["id"]) == 5
    assert bundle["meta"] == {"profile": [NOTES + "bundle"]}
    assert bundle["identifier"] == {
        "system": "urn:ietf:rfc:3986",
        "value": "urn:uuid:6f0d2f5e-2d0c-4a83-9e5e-4c1b7f1d9a02",
    }
    assert bundle["type"] == "document"
    assert bundle["timestamp"] == "2026-12-11T08:15:30Z"
    kinds = [each["resourceType"] for each in resources(bundle)]
    assert kinds == [
        "Composition",
        "Observation",
        "Patient",
        "Organization",
        "Practitioner",
        "PractitionerRole",
    ]
    for entry in bundle["entry"]:
        assert set(entry) == {"fullUrl", "resource"}
        assert entry["fullUrl"] == "urn:uuid:" + entry["resource"]["id"]
        assert uuid_version(entry["resource"]["id"]) == 5
    assert len({entry["fullUrl"] for entry in bundle["entry"]}) == 6


def test_the_composition_has_what_section_5_demands() -> None:
    bundle = tree(note(ended_at=datetime(2026, 12, 10, 10, 20, tzinfo=WINTER)))
    composition = resource(bundle, "Composition")
    assert composition["meta"] == {"profile": [NOTES + "composition|1.0.0"]}
    assert composition["language"] == "da"
    assert composition["identifier"]["system"] == "urn:ietf:rfc:3986"
    assert uuid_version(composition["identifier"]["value"]) == 5
    assert composition["status"] == "final"
    assert composition["type"] == {"coding": SNOMED_CODING}
    assert composition["category"] == [
        {
            "coding": [
                {
                    "system": "http://medcomfhir.dk/ig/xdsmetadata/CodeSystem/"
                    "MedCom-ihe-classcode-CS",
                    "code": "001",
                    "display": "Klinisk rapport",
                }
            ]
        }
    ]
    url = {
        each["resourceType"]: {"reference": "urn:uuid:" + each["id"]} for each in resources(bundle)
    }
    assert composition["subject"] == url["Patient"]
    assert composition["date"] == "2026-12-10T10:12:00+01:00"
    assert composition["author"] == [url["Organization"], url["Practitioner"]]
    assert composition["title"] == "Journalnotat for 3001749995"
    assert composition["confidentiality"] == "N"
    assert composition["event"] == [
        {
            "period": {
                "start": "2026-12-10T10:00:00+01:00",
                "end": "2026-12-10T10:20:00+01:00",
            }
        }
    ]
    assert composition["section"] == [{"title": "Journalnotat", "entry": [url["Observation"]]}]
    assert set(composition) == {
        "resourceType", "id", "meta", "language", "text", "identifier", "status", "type",
        "category", "subject", "date", "author", "title", "confidentiality", "event", "section",
    }  # fmt: skip


def test_the_observation_has_what_section_6_demands() -> None:
    bundle = tree()
    observation = resource(bundle, "Observation")
    assert set(observation) == {
        "resourceType", "id", "meta", "text", "extension", "identifier", "status", "code",
        "subject", "effectiveDateTime", "performer",
    }  # fmt: skip
    assert observation["meta"] == {"profile": [NOTES + "observation"]}
    [extension] = observation["extension"]
    assert extension["url"] == (
        "http://medcomfhir.dk/ig/core/StructureDefinition/"
        "medcom-observation-value-attachment-extension"
    )
    attachment = extension["valueAttachment"]
    assert attachment.keys() == {"contentType", "data"}
    assert attachment["contentType"] == "text/html"
    body = base64.b64decode(attachment["data"], validate=True).decode()
    assert body == "<p>Årskontrol: <b>BT</b> 138/82 mmHg</p>"
    [identifier] = observation["identifier"]
    assert uuid_version(identifier["value"]) == 5
    assert observation["status"] == "final"
    assert observation["code"] == {"coding": SNOMED_CODING}
    assert observation["effectiveDateTime"] == "2026-12-10T10:00:00+01:00"
    targets = {"urn:uuid:" + each["id"]: each["resourceType"] for each in resources(bundle)}
    performers = [targets[each["reference"]] for each in observation["performer"]]
    assert performers == ["Organization", "Practitioner", "PractitionerRole"]
    assert targets[observation["subject"]["reference"]] == "Patient"


def test_the_parties_have_what_sections_7_to_10_demand() -> None:
    bundle = tree()
    patient = resource(bundle, "Patient")
    assert set(patient) == {
        "resourceType", "id", "meta", "text", "identifier", "name", "gender", "birthDate",
    }  # fmt: skip
    assert patient["meta"] == {"profile": [DOCUMENT + "patient"]}
    assert patient["identifier"] == [{"system": "urn:oid:1.2.208.176.1.2", "value": "3001749995"}]
    assert patient["name"] == [
        {"use": "official", "family": "Vendelboe", "given": ["Niels", "Test"]}
    ]
    assert (patient["gender"], patient["birthDate"]) == ("male", "1974-01-30")
    clinic = resource(bundle, "Organization")
    assert clinic["meta"] == {"profile": [DOCUMENT + "organization"]}
    assert clinic["identifier"] == [
        {"system": "urn:oid:1.2.208.176.1.1", "value": "61741000016007"},
        {"system": "urn:oid:1.2.208.176.1.4", "value": "077410"},
    ]
    person = resource(bundle, "Practitioner")
    assert person["identifier"] == [
        {
            "system": "urn:ietf:rfc:3986",
            "value": "urn:uuid:0ee2db70-d972-4497-a156-0a8109aaa771",
        }
    ]
    assert person["name"] == [{"family": "Andersen", "given": ["Sidsel"]}]
    [qualification] = person["qualification"]
    assert qualification["identifier"] == [{"system": "https://autregweb.sst.dk", "value": "ZTB01"}]
    assert qualification["code"]
    role = resource(bundle, "PractitionerRole")
    assert role["practitioner"] == {"reference": "urn:uuid:" + person["id"]}
    assert role["organization"] == {"reference": "urn:uuid:" + clinic["id"]}
    [code] = role["code"]
    assert code.keys() == {"coding"}
    assert code["coding"][0]["system"].endswith("medcom-core-PractitionerRolesSKSadministrativ")
    assert code["coding"][0]["code"] == "speciallaegeipraksis"


def test_every_narrative_shows_what_the_list_of_duties_names() -> None:
    bundle = tree(note(ended_at=datetime(2026, 12, 10, 10, 20, tzinfo=WINTER)))
    own = {each["resourceType"]: each for each in resources(bundle)}
    id_of = {kind: each["id"] for kind, each in own.items()}
    duties = {
        "Composition": [
            NOTES + "composition|1.0.0", "Sprog: da", "Status: final",
            "http://snomed.info/sct", "866144008", "Encounter note",
            "http://medcomfhir.dk/ig/xdsmetadata/CodeSystem/MedCom-ihe-classcode-CS", "001",
            "Klinisk rapport", id_of["Patient"], "2026-12-10T10:12:00+01:00",
            id_of["Organization"], id_of["Practitioner"], "Journalnotat for 3001749995",
            "Fortrolighed: N", "2026-12-10T10:00:00+01:00", "2026-12-10T10:20:00+01:00",
            id_of["Observation"],
        ],
        "Observation": [
            "Status: final", "http://snomed.info/sct", "866144008", "Encounter note",
            id_of["Patient"], "2026-12-10T10:00:00+01:00", id_of["Organization"],
            id_of["Practitioner"], id_of["PractitionerRole"], "text/html",
            "Årskontrol: BT 138/82 mmHg",
        ],
        "Patient": [
            "urn:oid:1.2.208.176.1.2", "3001749995", "official", "Vendelboe", "Niels Test",
            "male", "mand", "1974-01-30",
        ],
        "Organization": [
            "urn:oid:1.2.208.176.1.1", "61741000016007", "Lægerne Hasseris Bymidte", "077410",
        ],
        "Practitioner": ["Sidsel", "Andersen"],
        "PractitionerRole": [
            id_of["Practitioner"], id_of["Organization"], "speciallaegeipraksis",
            "medcom-core-PractitionerRolesSKSadministrativ", "Speciallæge i praksis",
        ],
    }  # fmt: skip
    for kind, each in own.items():
        shown = words(each)
        missing = [duty for duty in [*duties[kind], each["id"]] if duty not in shown]
        assert missing == [], kind
        expected = "extensions" if kind == "Observation" else "generated"
        assert each["text"]["status"] == expected


def test_no_narrative_holds_base64_or_deprecated_elements() -> None:
    body = "<p>a <u>b</u> <tt>c</tt> &lt;u&gt; <i>d</i></p>"
    bundle = tree(note(text=NoteText("text/html", body)))
    data = resource(bundle, "Observation")["extension"][0]["valueAttachment"]["data"]
    assert base64.b64decode(data).decode() == body
    for each in resources(bundle):
        assert data not in each["text"]["div"]
        assert "<u>" not in each["text"]["div"]
    div = resource(bundle, "Observation")["text"]["div"]
    assert '<span style="text-decoration: underline">b</span> <tt>c</tt>' in div
    assert "a b c <u> d" in words(resource(bundle, "Observation"))


def test_names_are_escaped_in_narratives_and_plain_in_elements() -> None:
    bundle = tree(note(organization=Organization("61741000016007", None, "Bagge & <Holm>")))
    clinic = resource(bundle, "Organization")
    assert clinic["name"] == "Bagge & <Holm>"
    assert len(clinic["identifier"]) == 1
    for kind in ("Composition", "Observation", "Organization", "PractitionerRole"):
        assert "Bagge & <Holm>" in words(resource(bundle, kind))


def test_a_protected_patients_name_stands_nowhere() -> None:
    made = document(name_protected=True).decode()
    for part in ("Vendelboe", "Niels", "Test"):
        assert part not in made
    patient = resource(json.loads(made), "Patient")
    assert patient["name"] == [
        {"use": "official", "family": "ADRESSEBESKYTTET", "given": ["ADRESSEBESKYTTET"]}
    ]


def test_a_protected_author_leaves_a_coded_role_and_no_trace_of_the_person() -> None:
    made = document(note(author_name_protected=True)).decode()
    bundle = json.loads(made)
    for trace in ("Sidsel", "Andersen", "0ee2db70", "ZTB01"):
        assert trace not in made
    assert "Practitioner" not in [each["resourceType"] for each in resources(bundle)]
    assert len(resource(bundle, "Composition")["author"]) == 1
    role = resource(bundle, "PractitionerRole")
    assert "practitioner" not in role
    other = note(
        author_name_protected=True,
        author=Author("urn:uuid:" + "1" * 8 + "-1111-4111-8111-" + "1" * 12,
                      ("Bo",), "Bo", "speciallaegeipraksis"),
    )  # fmt: skip
    assert resource(tree(other), "PractitionerRole")["identifier"] == role["identifier"]


def test_a_protected_authors_free_text_role_is_left_out() -> None:
    author = Author(None, (), None, None, role_text="Dr. Andersen, vikar")
    bundle = tree(note(author=author, author_name_protected=True))
    assert "PractitionerRole" not in [each["resourceType"] for each in resources(bundle)]
    assert "vikar" not in json.dumps(bundle)


@pytest.mark.parametrize(
    ("author", "code"),
    [
        (Author(None, (), None, None, role_text="Systembruger"), {"text": "Systembruger"}),
        (Author(None, (), "SA", None, role_text="vikar"), {"text": "vikar, SA"}),
        (Author(None, ("Sidsel",), None, "laegesekretaer"), {"text": "Lægesekretær, Sidsel"}),
    ],
)
def test_a_person_without_a_whole_name_is_a_role_with_text(author: Author, code: Json) -> None:
    bundle = tree(note(author=author))
    kinds = [each["resourceType"] for each in resources(bundle)]
    assert "Practitioner" not in kinds
    assert resource(bundle, "PractitionerRole")["code"] == [code]
    assert len(resource(bundle, "Composition")["author"]) == 1
    assert len(resource(bundle, "Observation")["performer"]) == 2


def test_a_note_without_author_has_the_clinic_alone() -> None:
    bundle = tree(note(author=None))
    assert len(bundle["entry"]) == 4
    assert len(resource(bundle, "Observation")["performer"]) == 1


def test_an_authorisation_of_another_form_is_shown_but_not_coded() -> None:
    author = replace(note().author or pytest.fail("no author"), authorization_id="ZTA01")
    person = resource(tree(note(author=author)), "Practitioner")
    assert "qualification" not in person  # dk-core takes consonants and digits only
    assert "ZTA01" in words(person)


def test_times_are_danish_with_their_real_offset() -> None:
    summer = datetime(2026, 7, 1, 8, 0, 59, 999999, tzinfo=UTC)
    bundle = tree(note(created_at=summer, completed_at=summer + timedelta(hours=1)))
    observation = resource(bundle, "Observation")
    assert observation["effectiveDateTime"] == "2026-07-01T10:00:59+02:00"
    # The hour that comes twice in October: both are told apart by their offset.
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    bundle = tree(note(created_at=first, completed_at=first + timedelta(hours=1)))
    assert resource(bundle, "Observation")["effectiveDateTime"] == "2026-10-25T02:30:00+02:00"
    assert resource(bundle, "Composition")["date"] == "2026-10-25T02:30:00+01:00"


def test_an_assembly_time_without_offset_is_refused() -> None:
    with pytest.raises(MappingError):
        assemble_bundle(
            note(),
            ids_of(note()),
            assembled_at=ASSEMBLED_AT.replace(tzinfo=None),
            name_protected=False,
        )


def test_a_role_that_no_table_has_waits_for_an_operator() -> None:
    with pytest.raises(UnknownCode):
        document(note(author=Author(None, ("A",), "B", "heks")))


def test_the_same_note_gives_the_same_bytes() -> None:
    assert document() == document()


def _shared(made: JournalNote) -> JournalNote:
    """What a reader of our own document must find again."""
    author = made.author
    if author is not None and author.id is None:
        ids = ids_of(made)
        own = ids.practitioner_identifier if author.family else ids.role_identifier
        author = replace(author, id=f"urn:uuid:{own}")
    return replace(
        made,
        author=author,
        created_at=made.created_at.replace(microsecond=0),
        completed_at=made.completed_at.replace(microsecond=0),
        ended_at=None if made.ended_at is None else made.ended_at.replace(microsecond=0),
    )


NAMES = st.text(
    st.characters(categories=["Lu", "Ll", "Lo"], include_characters="'-&<>\"."),
    min_size=1,
    max_size=30,
).filter(lambda name: any(letter.isalpha() for letter in name))
AUTHORS = st.one_of(
    st.none(),
    st.builds(
        Author,
        id=st.one_of(st.none(), st.uuids().map(lambda value: f"urn:uuid:{value}")),
        given=st.lists(NAMES, min_size=1, max_size=3).map(tuple),
        family=NAMES,
        role=st.sampled_from([None, "laege", "sygeplejerske", "laegesekretaer"]),
        authorization_id=st.sampled_from([None, "ZTB01", "12345"]),
    ),
    st.builds(
        Author,
        id=st.one_of(st.none(), st.uuids().map(lambda value: f"urn:uuid:{value}")),
        given=st.just(()),
        family=st.none(),
        role=st.none(),
        role_text=NAMES,
    ),
)
MOMENTS = st.datetimes(
    datetime(1990, 1, 1), datetime(2025, 1, 1), timezones=st.just(UTC)
)  # fmt: skip
NOTES_MADE = st.builds(
    lambda given, family, birth, gender, clinic, provider, author, created, lasts, ends, body: note(
        patient=Patient("3001749995", tuple(given), family, birth, gender),
        organization=Organization("61741000016007", provider, clinic),
        author=author,
        created_at=created,
        completed_at=created + lasts,
        ended_at=created + lasts if ends else None,
        text=NoteText("text/html", body),
    ),
    st.lists(NAMES, min_size=1, max_size=3),
    NAMES,
    st.dates(date(1900, 1, 1), date(2026, 1, 1)),
    st.sampled_from(["male", "female", "other", "unknown"]),
    NAMES,
    st.sampled_from([None, "077410"]),
    AUTHORS,
    MOMENTS,
    st.timedeltas(timedelta(0), timedelta(days=400)),
    st.booleans(),
    st.sampled_from(
        [
            "<p>Årskontrol: <b>BT</b> &lt;140/90</p>",
            "<p><u>a</u><br/><tt>b</tt></p>",
            "<b><u>æøå</u></b>",
            "<p>Rp. 1 &amp; 2</p>",
        ]
    ),
)


@settings(max_examples=60, deadline=None)
@given(NOTES_MADE)
def test_our_own_checks_accept_and_give_back_every_carried_field(made: JournalNote) -> None:
    reading = read_bundle(document(made), CONTEXT)
    assert reading.issues == ()
    assert [warning.code for warning in reading.warnings] == []
    assert reading.note == _shared(made)


@settings(max_examples=40, deadline=None)
@given(NOTES_MADE, st.booleans(), st.booleans())
def test_narratives_are_well_formed_whatever_the_names(
    made: JournalNote, patient_protected: bool, author_protected: bool
) -> None:
    made = replace(made, author_name_protected=author_protected)
    bundle = tree(made, name_protected=patient_protected)
    for each in resources(bundle):
        assert words(each).strip()
        assert each["id"] in words(each)


def test_no_time_in_the_document_lacks_seconds_or_zone() -> None:
    bundle = tree()
    composition = resource(bundle, "Composition")
    for value in (
        bundle["timestamp"],
        composition["date"],
        composition["event"][0]["period"]["start"],
        resource(bundle, "Observation")["effectiveDateTime"],
    ):
        assert TIME.fullmatch(value)
