"""A note sent as FHIR XML: the same note and the same faults as in JSON, with lines."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from mappers.fhir.xml_writer import write_xml
from mappers.issues import Issue, Reading
from mappers.practice.medcom import read_bundle, read_xml_bundle
from tests.support.negative_cases import CASES, NegativeCase, skeleton
from tests.unit.mappers.bundle_specimens import CONTEXT, note, official, tree, with_narratives

Json = dict[str, Any]


def both(bundle: Json, context: bytes | None = CONTEXT) -> tuple[Reading, Reading]:
    """The document read as JSON and as XML."""
    body = json.dumps(bundle, ensure_ascii=False).encode()
    return read_bundle(body, context), read_xml_bundle(write_xml(bundle), context)


def places(issues: tuple[Issue, ...]) -> set[tuple[str, str]]:
    return {(issue.code, issue.path) for issue in issues}


def test_both_forms_are_the_same_note() -> None:
    as_json, as_xml = both(tree(note()))
    assert as_xml == as_json
    assert as_xml.note is not None
    assert as_xml.note == replace(note(), author=as_xml.note.author)


def test_the_guides_skeleton_is_read() -> None:
    as_json, as_xml = both(skeleton())
    assert as_xml.note is not None
    assert as_xml.note == as_json.note
    assert places(as_xml.warnings) == places(as_json.warnings)


@pytest.mark.parametrize("name", ["minimal", "maximum"])
def test_the_official_examples_have_the_same_faults_and_each_its_line(name: str) -> None:
    as_json, as_xml = both(with_narratives(official(name)))
    assert places(as_xml.issues) == places(as_json.issues)
    assert places(as_xml.warnings) == places(as_json.warnings)
    assert {issue.line for issue in (*as_xml.issues, *as_xml.warnings)} <= {1}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_each_bad_document_has_the_same_faults_as_xml(case: NegativeCase) -> None:
    bundle = skeleton()
    case.mutate(bundle)
    as_json, as_xml = both(bundle)
    assert places(as_xml.issues) == places(as_json.issues)
    assert places(as_xml.warnings) == places(as_json.warnings)
    for issue in (*as_xml.issues, *as_xml.warnings):
        assert issue.line == 1


def test_a_fault_has_the_line_of_its_element_or_of_what_lacks_it() -> None:
    bundle = skeleton()
    resources = [entry["resource"] for entry in bundle["entry"]]
    resources[0]["status"] = "amended"
    del resources[2]["gender"]
    text = re.sub("(</(?:resource|status|entry)>)", r"\1\n", write_xml(bundle).decode())
    lines = text.split("\n")
    reading = read_xml_bundle(text.encode(), CONTEXT)
    assert [(issue.code, issue.line) for issue in reading.issues] == [
        (
            "PROFILE-COMPOSITION-STATUS",
            1 + next(at for at, line in enumerate(lines) if '<status value="amended"' in line),
        ),
        (
            "PROFILE-PATIENT-GENDER",
            1 + next(at for at, line in enumerate(lines) if "<Patient>" in line),
        ),
    ]
    told = reading.issues[0].to_json()
    assert told["line"] == reading.issues[0].line
    assert set(told) == {"code", "path", "rule", "message_da", "message_en", "line"}


def test_faults_of_form_content_and_context_come_at_once() -> None:
    bundle = skeleton()
    bundle["entry"][0]["resource"]["title"] = "Journalnotat"
    text = write_xml(bundle).decode().replace("<entry>", '<entry x="1">', 1)
    reading = read_xml_bundle(text.encode(), b"{}")
    assert reading.note is None
    assert [issue.code for issue in reading.issues] == [
        "PROFILE-ELEMENT-UNKNOWN",
        "PROFILE-COMPOSITION-TITLE-CPR",
        *["CONTEXT-MISSING"] * 3,
    ]
    assert reading.issues[-1].line is None


def test_of_a_body_that_is_no_xml_the_context_is_told_too() -> None:
    reading = read_xml_bundle(b"<!DOCTYPE a><a/>", None)
    assert [issue.code for issue in reading.issues] == [
        "BODY-MALFORMED",
        *["CONTEXT-MISSING"] * 3,
    ]
    assert reading.legible.version is None


def test_another_resource_than_a_bundle_is_no_document() -> None:
    body = b'<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>'
    assert "PROFILE-BUNDLE-RESOURCETYPE" in {
        issue.code for issue in read_xml_bundle(body, CONTEXT).issues
    }
