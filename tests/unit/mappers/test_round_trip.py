"""A document from elsewhere, read as a note and written again: what stays, what is told.

Every element that the profiles allow is either written again with its value, or named
in a warning. :data:`UNTOLD` lists what is neither: it repeats what the document says
elsewhere, or is fixed by the guide.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mappers.fhir.xml_writer import write_xml
from mappers.practice.medcom import read_xml_bundle
from tests.support.negative_cases import skeleton
from tests.unit.mappers.bundle_specimens import CONTEXT, resource, tree

Json = dict[str, Any]

# By the rules of stability (16.1) or made anew with each document (3, 4, 12).
OWN = re.compile(
    r"Bundle\.(id|identifier\.value|timestamp)|.*\.(fullUrl|resource\.id|reference)"
    r"|.*\.text\.(div|status)|Composition\.identifier\.value|Observation\.identifier\[0\]\.value"
    r"|PractitionerRole\.identifier\[0\]\.value"
)


def leaves(node: Any, path: str = "") -> dict[str, Any]:
    """Every value of a tree by its place."""
    if isinstance(node, dict):
        parts = [(f"{path}.{name}", value) for name, value in node.items()]
    elif isinstance(node, list):
        parts = [(f"{path}[{at}]", value) for at, value in enumerate(node)]
    else:
        return {path: node}
    return {place: value for name, part in parts for place, value in leaves(part, name).items()}


def said(bundle: Json) -> dict[str, Any]:
    """What a document says, by resource, without what is made anew for each."""
    found = leaves({name: value for name, value in bundle.items() if name != "entry"}, "Bundle")
    for entry in bundle["entry"]:
        each = entry["resource"]
        found |= leaves({k: v for k, v in each.items() if k != "id"}, each["resourceType"])
    return {place: value for place, value in found.items() if OWN.fullmatch(place) is None}


def there_and_back(bundle: Json) -> tuple[Json, set[str], set[str]]:
    """The document that is written of the note, and codes and places of the warnings."""
    reading = read_xml_bundle(write_xml(bundle), CONTEXT)
    assert reading.issues == ()
    assert reading.note is not None
    codes = {warning.code for warning in reading.warnings}
    return tree(reading.note), codes, {warning.path for warning in reading.warnings}


def complete() -> Json:
    """The guide's note with everything that a note carries."""
    bundle = skeleton()
    period = resource(bundle, "Composition")["event"][0]["period"]
    period["end"] = period["start"].replace("T10:00", "T10:20")
    resource(bundle, "Practitioner")["qualification"] = [
        {
            "identifier": [{"system": "https://autregweb.sst.dk", "value": "ZTB01"}],
            "code": {"text": "Autorisation"},
        }
    ]
    return bundle


def test_all_that_a_note_carries_is_written_again() -> None:
    bundle = complete()
    again, codes, _ = there_and_back(bundle)
    assert codes == set()
    assert said(again) == said(bundle)


def test_and_the_second_time_nothing_changes_at_all() -> None:
    once, _, _ = there_and_back(complete())
    assert there_and_back(once)[0] == once


REFERENCE = {"reference": "https://example.org/Organization/1"}
TEXT = {"text": "Andet"}
TOLD: list[tuple[str, str, Any]] = [
    ("Composition", "attester", [{"mode": "legal"}]),
    ("Composition", "event[0].code", [TEXT]),
    ("Composition", "section[0].code", TEXT),
    ("Observation", "category", [TEXT]),
    ("Observation", "issued", "2026-12-10T10:00:00Z"),
    ("Observation", "code.text", "Andet"),
    ("Observation", "extension[0].valueAttachment.language", "da"),
    ("Observation", "extension[0].valueAttachment.size", 12),
    ("Observation", "extension[0].valueAttachment.title", "Overskrift"),
    ("Patient", "active", True),
    ("Patient", "telecom", [{"value": "12345678"}]),
    ("Patient", "address", [{"line": ["Vej 1"], "city": "By"}]),
    ("Patient", "maritalStatus", TEXT),
    ("Patient", "name[0].text", "Hele navnet"),
    ("Patient", "deceasedBoolean", False),
    ("Organization", "telecom", [{"value": "12345678"}]),
    ("Organization", "type", [TEXT]),
    ("Organization", "alias", ["Klinik"]),
    ("Practitioner", "telecom", [{"value": "12345678"}]),
    ("Practitioner", "gender", "female"),
    ("Practitioner", "name[0].prefix", ["Dr."]),
    ("Organization", "meta.source", "http://example.org/x"),
]


def put(bundle: Json, kind: str, place: str, value: Any) -> None:
    """Set an element, named by its place within the resource."""
    node: Any = resource(bundle, kind)
    *steps, last = place.replace("[0]", ".0").split(".")
    for step in steps:
        node = node[0] if step == "0" else node[step]
    node[last] = value


@pytest.mark.parametrize(("kind", "place", "value"), TOLD)
def test_what_a_note_does_not_carry_is_told(kind: str, place: str, value: Any) -> None:
    bundle = complete()
    put(bundle, kind, place, value)
    again, codes, places = there_and_back(bundle)
    assert codes & {"PROFILE-ELEMENT-DROPPED", "PROFILE-ATTACHMENT-TITLE"}
    stem = place.removesuffix(".text") if place == "code.text" else place
    assert any(f".resource.{stem}" in each for each in places)
    if place != "extension[0].valueAttachment.title":  # that is shown in the text
        assert said(again) == said(complete())


UNTOLD: list[tuple[str, str, Any]] = [
    ("Composition", "subject.display", "Niels Test Vendelboe"),
    ("Composition", "subject.type", "Patient"),
    ("Composition", "type.text", "Journalnotat"),
    ("Composition", "type.coding[0].version", "2026"),
    ("Composition", "identifier.use", "official"),
    ("Patient", "identifier[0].use", "official"),
    ("Practitioner", "name[0].use", "official"),
]


@pytest.mark.parametrize(("kind", "place", "value"), UNTOLD)
def test_nothing_else_is_changed_by_what_is_left_out_untold(
    kind: str, place: str, value: Any
) -> None:
    bundle = complete()
    put(bundle, kind, place, value)
    again, _, _ = there_and_back(bundle)
    lost = set(said(bundle)) - set(said(again))
    assert lost == {f"{kind}.{place}"}
    assert json.dumps(said(again)) == json.dumps(said(there_and_back(complete())[0]))
