"""The published profiles as judge: what we write passes, and what they refuse we refuse."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from typing import Any

import pytest

from mappers.note import Author, JournalNote, NoteText, Organization
from mappers.practice.medcom import read_bundle
from tests.unit.mappers.bundle_specimens import CONTEXT, WINTER, note, official, resource, tree
from tests.unit.mappers.profile_judge import faults_of

Json = dict[str, Any]

NOTES: list[JournalNote] = [
    note(),
    note(author=None),
    note(author_name_protected=True),
    note(ended_at=datetime(2026, 12, 10, 10, 30, tzinfo=WINTER)),
    note(author=Author(None, (), None, None, role_text="Systembruger")),
    note(author=Author(None, ("Bo", "Åge"), "Bæk", "laege", authorization_id="12345")),
    note(author=Author(None, ("Bo",), "Bæk", None)),
    note(organization=Organization("12345678901", None, "Bagge & <Holm>")),
    note(text=NoteText("text/html", "<p><u>a</u> &lt;b</p>" * 10_000)),
]


@pytest.mark.parametrize("made", NOTES)
@pytest.mark.parametrize("name_protected", [False, True])
def test_every_document_we_write_passes(made: JournalNote, name_protected: bool) -> None:
    assert faults_of(tree(made, name_protected=name_protected)) == []


@pytest.mark.parametrize("name", ["minimal", "maximum"])
def test_the_official_examples_lack_narratives_and_nothing_else(name: str) -> None:
    bundle = official(name)
    assert faults_of(bundle) == [
        f"Bundle.entry[{at}].resource.text: 0 times, not 1..1" for at in range(len(bundle["entry"]))
    ]


def holder_of(bundle: Json, kind: str) -> Json:
    return bundle if kind == "Bundle" else resource(bundle, kind)


def without(kind: str, name: str) -> Json:
    bundle: Json = tree()
    del holder_of(bundle, kind)[name]
    return bundle


def with_value(kind: str, name: str, value: Any) -> Json:
    bundle: Json = tree()
    holder_of(bundle, kind)[name] = value
    return bundle


@pytest.mark.parametrize(
    "bundle",
    [
        without("Bundle", "timestamp"),
        without("Composition", "text"),
        without("Composition", "author"),
        without("Observation", "extension"),
        without("Patient", "gender"),
        without("PractitionerRole", "organization"),
        with_value("Composition", "status", "amended"),
        with_value("Composition", "language", "da-DK"),
        with_value("Composition", "titel", "x"),
        with_value("Composition", "title", ["x"]),
        with_value("Observation", "performer", [{"reference": "urn:uuid:x"}]),
        with_value("Patient", "name", [{"use": "usual", "family": "B", "given": ["A"]}]),
        with_value("Patient", "birthDate", "30-01-1974"),
        with_value("Organization", "identifier", [{"system": "urn:x", "value": "1"}]),
        with_value("Practitioner", "name", []),
    ],
    ids=range(15),
)
def test_the_judge_is_awake(bundle: Json) -> None:
    assert faults_of(bundle)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every holder and key of a tree."""
    found: list[tuple[Any, Any]] = []
    waiting = [node]
    while waiting:
        holder = waiting.pop()
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found


def mutate(bundle: Json, at: int, how: str) -> None:
    """Break one thing: ``at`` chooses where."""
    all_places = places(bundle)
    holder, key = all_places[at % len(all_places)]
    value = holder[key]
    if how == "remove":
        del holder[key]
    elif how == "again":
        if isinstance(holder, list):
            holder.append(copy.deepcopy(value))
        else:
            holder[key] = [value, copy.deepcopy(value)]
    elif how == "unknown":
        if isinstance(value, dict):
            value["ukendt"] = "x"
    elif how == "other":
        holder[key] = all_places[(at * 31 + 7) % len(all_places)][0]
    elif how == "misspell" and isinstance(value, str):
        holder[key] = value[:-1]
    elif how == "blank":
        holder[key] = ""
    elif how == "type":
        holder[key] = {"value": 1} if isinstance(value, str) else "x"


HOWS = ["remove", "again", "unknown", "other", "misspell", "blank", "type"]


def is_refused_by_both(made: JournalNote, at: int, how: str) -> bool:
    """Break one thing; fails when the profiles refuse the outcome and we do not."""
    bundle = tree(made)
    mutate(bundle, at, how)
    try:
        body = json.dumps(bundle).encode()
    except ValueError:
        return False  # a holder put into itself is no JSON
    faults = faults_of(json.loads(body))
    reading = read_bundle(body, CONTEXT)
    assert (reading.note is None) == bool(reading.issues)
    assert reading.issues or not faults, (at, how, faults)
    return bool(faults)


def parity(notes: list[JournalNote], *, one_in: int) -> int:
    """Break each place of some documents in each way, or every so many of these."""
    refused = 0
    for made in notes:
        for at in range(len(places(tree(made)))):
            for number, how in enumerate(HOWS):
                if (at + number) % one_in == 0:
                    refused += is_refused_by_both(made, at, how)
    return refused


def test_what_the_profiles_refuse_we_refuse() -> None:
    assert parity([NOTES[3]], one_in=3) > 300


@pytest.mark.slow
def test_all_that_the_profiles_refuse_of_eight_documents_we_refuse() -> None:
    assert parity(NOTES[:8], one_in=1) > 7000
