"""The DocumentReference: by the published profile, and equal to the entry it tells of."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mappers.errors import MappingError
from mappers.fhir.document_reference import (
    SYSTEM_OF,
    document_reference,
    document_reference_json,
)
from mappers.note import Author, JournalNote
from nsp_client.xds.metadata import AvailabilityStatus, Code, DocumentEntry, dtm
from tests.unit.mappers.bundle_specimens import (
    ASSEMBLED_AT,
    document,
    ids_of,
    note,
    resources,
    tree,
)
from tests.unit.mappers.document_reference_judge import profile_faults, reference_faults
from tests.unit.mappers.xds_specimens import on_demand, stable

URL = "https://gateway.example/Binary/0f0e7c54"
OLD = "urn:uuid:7a1e7c54-5d0a-4d0b-9a53-3f2f5b1f6a77"
ENCOUNTER = "urn:uuid:2ab7b0a3-2c5d-4c2f-9f5e-0a1b2c3d4e5f"
Json = dict[str, Any]


def reference(
    made: JournalNote | None = None, entry: DocumentEntry | None = None, **options: Any
) -> Json:
    made = made or note()
    arguments: dict[str, Any] = {"url": URL, "name_protected": False}
    return document_reference(entry or stable(made), made, ids_of(made), **(arguments | options))


VARIATIONS = {
    "ordinary": note(),
    "no author": note(author=None),
    "role alone": note(author=Author(None, (), None, "sygeplejerske")),
    "protected author": note(author_name_protected=True),
    "an end": note(ended_at=note().created_at + timedelta(minutes=20)),
    "version 7": note(version=7),
}


@pytest.mark.parametrize("name", VARIATIONS)
def test_every_variation_obeys_the_published_profile(name: str) -> None:
    made = json.loads(document_reference_json(reference(VARIATIONS[name])))
    assert profile_faults(made) == []
    assert reference_faults(made) == []


def test_an_on_demand_entry_obeys_it_without_hash_and_size() -> None:
    made = reference(entry=on_demand(note()), described_at=ASSEMBLED_AT)
    assert profile_faults(made) == []
    attachment = made["content"][0]["attachment"]
    assert attachment.keys() & {"hash", "size"} == set()
    assert attachment["creation"] == made["date"] == "2026-12-11T08:15:30Z"


def test_an_on_demand_entry_needs_a_time_of_its_own() -> None:
    with pytest.raises(MappingError):
        reference(entry=on_demand(note()))


def _drop(*path: str | int) -> Callable[[Json], None]:
    def change(made: Json) -> None:
        target: Any = made
        for step in path[:-1]:
            target = target[step]
        del target[path[-1]]

    return change


def _put(value: Any, *path: str | int) -> Callable[[Json], None]:
    def change(made: Json) -> None:
        target: Any = made
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "element"),
    [
        (_drop("id"), "DocumentReference.id"),
        (_drop("text"), "DocumentReference.text"),
        (_drop("extension", 0), "DocumentReference.extension:versionid"),
        (_drop("masterIdentifier"), "DocumentReference.masterIdentifier"),
        (_put("official", "masterIdentifier", "use"), "DocumentReference.masterIdentifier.use"),
        (_put("urn:uuid:1", "identifier", 0, "value"), "DocumentReference.identifier:entryUUID"),
        (_put("final", "docStatus"), "DocumentReference.docStatus"),
        (_put("urn:oid:1.2", "type", "coding", 0, "system"), "DocumentReference.type"),
        (_drop("type", "coding", 0, "display"), "DocumentReference.type.coding.display"),
        (_put("002", "category", 0, "coding", 0, "code"), "DocumentReference.category"),
        (_drop("subject"), "DocumentReference.subject"),
        (_drop("author"), "DocumentReference.author"),
        (_drop("securityLabel"), "DocumentReference.securityLabel"),
        (_put("text/html", "content", 0, "attachment", "contentType"), "contentType"),
        (_put("en", "content", 0, "attachment", "language"), "language"),
        (_drop("content", 0, "attachment", "url"), "attachment.url"),
        (_drop("content", 0, "attachment", "title"), "attachment.title"),
        (_put("2026-12-11", "content", 0, "attachment", "creation"), "attachment.creation"),
        (_put("x", "content", 0, "format", "code"), "content.format"),
        (_put("x", "context", "facilityType", "coding", 0, "code"), "context.facilityType"),
        (_drop("context", "practiceSetting"), "context.practiceSetting"),
        (_drop("context", "sourcePatientInfo", "identifier"), "sourcePatientInfo.identifier"),
    ],
)
def test_the_judge_notices_a_breach(change: Callable[[Json], None], element: str) -> None:
    made = copy.deepcopy(reference())
    change(made)
    assert any(element in fault for fault in profile_faults(made))


def test_every_value_is_the_entrys() -> None:
    made = note(
        ended_at=note().created_at + timedelta(minutes=20), encounter_id=ENCOUNTER, version=3
    )
    entry = stable(made, encounter_authority_oid="1.2.208.176.43210.8.40")
    found = reference(made, entry)
    attachment, context = found["content"][0]["attachment"], found["context"]

    def coded(concept: Json, code: Code) -> bool:
        (coding,) = concept["coding"]
        return bool(
            (coding["system"], coding["code"], coding["display"])
            == (SYSTEM_OF[code.scheme], code.code, code.display)
        )

    def digits(time: str) -> str:
        return dtm(datetime.fromisoformat(time))

    assert found["identifier"][0]["value"] == entry.entry_uuid == f"urn:uuid:{found['id']}"
    assert found["masterIdentifier"]["value"] == entry.unique_id
    assert coded(found["type"], entry.type_code)
    assert coded(found["category"][0], entry.class_code)
    assert coded(found["securityLabel"][0], entry.confidentiality_codes[0])
    assert coded(context["facilityType"], entry.healthcare_facility_type_code)
    assert coded(context["practiceSetting"], entry.practice_setting_code)
    assert found["content"][0]["format"]["code"] == entry.format_code.code
    assert digits(attachment["creation"]) == entry.creation_time
    assert digits(context["period"]["start"]) == entry.service_start_time
    assert digits(context["period"]["end"]) == entry.service_stop_time
    assert attachment["contentType"] == entry.mime_type
    assert attachment["language"] == entry.language_code
    assert attachment["title"] == entry.title
    assert attachment["size"] == entry.size == len(document(made))
    assert base64.b64decode(attachment["hash"]).hex() == entry.hash
    cpr = context["sourcePatientInfo"]["identifier"]["value"]
    assert entry.patient_id == f"{cpr}^^^&1.2.208.176.1.2&ISO"
    home = found["extension"][1]["valueCoding"]["code"]
    assert entry.home_community_id == f"urn:oid:{home}"
    assert found["extension"][0]["valueString"] == "3"
    related = context["related"][0]["identifier"]
    assert entry.reference_ids == (
        f"{related['value']}^^^&1.2.208.176.43210.8.40&ISO^urn:ihe:iti:xds:2015:encounterId",
    )
    assert related["system"] == "urn:oid:1.2.208.176.43210.8.40"
    assert profile_faults(found) == []


def test_the_contained_parties_are_those_of_the_document() -> None:
    inside = {each["resourceType"]: each for each in resources(tree())}
    for each in json.loads(document_reference_json(reference()))["contained"]:
        assert each == inside[each["resourceType"]]


@pytest.mark.parametrize(
    ("unique_id", "system", "value"),
    [
        (
            "1.2.208.184^aa2386d0-7c1d-4e6a-9f3b-2d1e0c9b8a77",
            "urn:oid:1.2.208.184",
            "aa2386d0-7c1d-4e6a-9f3b-2d1e0c9b8a77",
        ),
        ("2.25.1234", "urn:ietf:rfc:3986", "urn:oid:2.25.1234"),
    ],
)
def test_a_unique_id_of_another_form_is_split_as_mhd_does(
    unique_id: str, system: str, value: str
) -> None:
    made = reference(entry=replace(stable(note()), unique_id=unique_id))
    assert made["masterIdentifier"] == {"use": "usual", "system": system, "value": value}
    assert profile_faults(made) == []


def test_a_deprecated_entry_is_superseded_and_its_successor_points_at_it() -> None:
    old = replace(stable(note()), availability_status=AvailabilityStatus.DEPRECATED)
    assert reference(entry=old)["status"] == "superseded"
    new = reference(note(version=2), replaces_entry_uuid=old.entry_uuid)
    assert new["status"] == "current"
    (related,) = new["relatesTo"]
    assert related["code"] == "replaces"
    assert related["target"]["identifier"]["value"] == old.entry_uuid
    assert profile_faults(new) == []


def test_a_protected_name_is_nowhere() -> None:
    made = note()
    written = document_reference_json(
        reference(made, stable(made, name_protected=True), name_protected=True)
    ).decode()
    assert "Vendelboe" not in written
    assert "Niels" not in written


@pytest.mark.parametrize("url", ["", "https://gateway.example/notes/3001749995"])
def test_an_address_that_names_the_patient_is_refused(url: str) -> None:
    with pytest.raises(MappingError):
        reference(url=url)


def test_an_entry_of_another_patient_is_refused_without_naming_either() -> None:
    other = note(patient=replace(note().patient, cpr="2406799994"))
    with pytest.raises(MappingError) as caught:
        reference(note(), stable(other))
    assert "9994" not in str(caught.value)


def test_a_code_of_an_unknown_scheme_is_refused() -> None:
    entry = replace(stable(note()), practice_setting_code=Code("x", "1.2.3", "x"))
    with pytest.raises(MappingError):
        reference(entry=entry)


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(MappingError):
        reference(described_at=datetime(2026, 12, 11))
    assert reference(described_at=datetime(2026, 12, 11, tzinfo=UTC))["date"]


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert document_reference_json(reference()) == document_reference_json(reference())
