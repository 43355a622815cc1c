"""FHIR XML as we read it: equal to the JSON form, or every fault with its line."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappers.fhir import xml_reader
from mappers.fhir.xml_faults import (
    EMPTY,
    MOST_PLACES,
    NAMESPACE,
    ORDER,
    REPEATED,
    TEXT,
    UNKNOWN,
    VALUE,
    WORDS,
    line_of,
)
from mappers.fhir.xml_reader import XmlReading, read_xml
from mappers.fhir.xml_writer import write_xml
from tests.support.negative_cases import skeleton
from tests.unit.mappers.bundle_specimens import official, tree, with_narratives

Json = dict[str, Any]
FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"


def patient(inner: str, root: str = f'<Patient xmlns="{FHIR}">') -> bytes:
    """A Patient whose elements begin on line 2."""
    return f"{root}\n{inner}\n</Patient>".encode()


def decimal(value: str) -> str:
    """An extension with a number."""
    return f'<extension url="u"><valueDecimal value="{value}"/></extension>'


def narrative(inner: str) -> bytes:
    """A Patient with a narrative."""
    return patient(f'<text><status value="x"/><div xmlns="{XHTML}">{inner}</div></text>')


def many(form: str, count: int) -> str:
    """Numbered attributes."""
    return " ".join(form.format(at) for at in range(count))


def faults(reading: XmlReading) -> list[tuple[str, str, int | None]]:
    return [(issue.code, issue.path, issue.line) for issue in reading.issues]


@pytest.mark.parametrize("made", [tree, skeleton], ids=["ours", "the guide's"])
def test_the_tree_is_that_of_the_json_form(made: Callable[[], Json]) -> None:
    reading = read_xml(write_xml(made()))
    assert reading.issues == ()
    assert reading.tree == made()


@pytest.mark.parametrize("name", ["minimal", "maximum"])
def test_the_official_examples_come_back(name: str) -> None:
    made = with_narratives(official(name))
    assert read_xml(write_xml(made)).tree == made


def test_layout_comments_and_instructions_do_not_matter() -> None:
    plain = write_xml(tree()).decode()
    laid_out = re.sub("(</(?:id|meta|status|fullUrl|resource|entry)>)", r"\1\n  ", plain)
    written = laid_out.replace("<entry>", "<!-- not a part --><entry><?nor this?>")
    written = f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- a -->\n{written}\n<!-- b -->'
    assert read_xml(written.encode()).tree == tree()
    assert read_xml(b"\xef\xbb\xbf" + written.encode()).issues == ()


def test_prefixes_are_understood_and_left_out_of_narratives() -> None:
    body = (
        f'<f:Patient xmlns:f="{FHIR}" xmlns:h="{XHTML}"><f:text><f:status value="generated"/>'
        '<h:div xml:lang="da" lang="da"><h:p>a &lt; b<h:br/>c</h:p></h:div></f:text>'
        '<f:active value="true"/></f:Patient>'
    )
    reading = read_xml(body.encode())
    assert reading.issues == ()
    assert reading.tree == {
        "resourceType": "Patient",
        "text": {
            "status": "generated",
            "div": f'<div xmlns="{XHTML}" lang="da" xml:lang="da"><p>a &lt; b<br/>c</p></div>',
        },
        "active": True,
    }


def test_numbers_and_booleans_have_their_json_type() -> None:
    reading = read_xml(
        patient(
            '<extension url="u"><valueDecimal value="1.50"/></extension>'
            '<active value="false"/><multipleBirthInteger value="2"/>'
        )
    )
    assert reading.tree == {
        "resourceType": "Patient",
        "extension": [{"url": "u", "valueDecimal": 1.5}],
        "active": False,
        "multipleBirthInteger": 2,
    }


def test_each_element_has_its_line() -> None:
    reading = read_xml(
        patient('<name>\n<family value="A"/>\n<given value="B"/><given value="C"/>\n</name>')
    )
    assert reading.lines == {
        "Patient": 1,
        "Patient.name[0]": 2,
        "Patient.name[0].family": 3,
        "Patient.name[0].given[0]": 4,
        "Patient.name[0].given[1]": 4,
    }
    assert line_of("Patient.name[0].given", reading.lines) == 4
    assert line_of("Patient.name[0].use", reading.lines) == 2
    assert line_of("Patient.name[0].family@x", reading.lines) == 3
    assert line_of("Note-Context.version", reading.lines) is None


@pytest.mark.parametrize(
    ("inner", "code", "path", "line"),
    [
        ('<colour value="b"/>', UNKNOWN, "Patient.colour", 2),
        ('<a-b value="b"/>', UNKNOWN, "Patient.?", 2),
        ('<active value="true" x="1"/>', UNKNOWN, "Patient.active@x", 2),
        ('<name id="1" x="1"><family value="A"/></name>', UNKNOWN, "Patient.name[0]@x", 2),
        ('<active value="true"><x/></active>', UNKNOWN, "Patient.active.x", 2),
        ('<url value="u"/>', UNKNOWN, "Patient.url", 2),
        ('<active xmlns="urn:x" value="true"/>', NAMESPACE, "Patient.active", 2),
        ('<x xmlns="urn:x"/>', NAMESPACE, "Patient.x", 2),
        ('<text><status value="x"/>\n<div>a</div></text>', NAMESPACE, "Patient.text.div", 3),
        ('<gender value="male"/>\n<active value="true"/>', ORDER, "Patient.active", 3),
        ('<active value="true"/>\n<active value="true"/>', REPEATED, "Patient.active", 3),
        ('<active value=""/>', EMPTY, "Patient.active", 2),
        ("<active/>", EMPTY, "Patient.active", 2),
        ("<name/>", EMPTY, "Patient.name[0]", 2),
        ('<name id=""><family value="A"/></name>', EMPTY, "Patient.name[0].id", 2),
        ("<contained/>", EMPTY, "Patient.contained[0]", 2),
        ('<contained><Patient/><Patient/></contained>', REPEATED, "Patient.contained[0]", 2),
        ("<contained><Medication/></contained>", UNKNOWN, "Patient.contained[0].Medication", 2),
        ('<contained><a xmlns="urn:x"/></contained>', NAMESPACE, "Patient.contained[0].a", 2),
        ('<active value="1"/>', VALUE, "Patient.active", 2),
        ('<multipleBirthInteger value="01"/>', VALUE, "Patient.multipleBirthInteger", 2),
        (decimal("1e400"), VALUE, "Patient.extension[0].valueDecimal", 2),
        (decimal("NaN"), VALUE, "Patient.extension[0].valueDecimal", 2),
        ('<name>x<family value="A"/></name>', TEXT, "Patient.name[0]", 2),
        ('<name><family value="A"/>x</name>', TEXT, "Patient.name[0]", 2),
        ('<name><family value="A">x</family></name>', TEXT, "Patient.name[0].family", 2),
    ],
)  # fmt: skip
def test_each_fault_has_its_code_place_and_line(
    inner: str, code: str, path: str, line: int
) -> None:
    reading = read_xml(patient(inner))
    assert faults(reading) == [(code, path, line)]
    (issue,) = reading.issues
    assert (issue.message_da, issue.message_en) == WORDS[issue.code]


def test_all_faults_come_at_once_and_not_without_end() -> None:
    reading = read_xml(patient('<x/><active value="1"/>\n<y z="1"/>' + "<v/>" * 500))
    codes = [issue.code for issue in reading.issues]
    assert codes.count("PROFILE-XML-VALUE") == 1
    assert {"Patient.x", "Patient.y", "Patient.v"} <= {issue.path for issue in reading.issues}
    many = read_xml(patient("<name><x/></name>" * 500))
    assert [issue.code for issue in many.issues].count("PROFILE-ELEMENT-UNKNOWN") == MOST_PLACES


def test_a_schema_location_is_no_part_of_a_document() -> None:
    root = (
        f'<Patient xmlns="{FHIR}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xsi:schemaLocation="a b">'
    )
    assert faults(read_xml(patient('<active value="true"/>', root))) == [
        ("PROFILE-ELEMENT-UNKNOWN", "Patient@?", 1)
    ]


DEEP = 10_000
MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "XML 1.0"),
    "json": (b'{"resourceType": "Bundle"}', "XML 1.0"),
    "unclosed": (b"<Bundle>", "XML 1.0"),
    "twice": (b'<Bundle a="1" a="2"/>', "XML 1.0"),
    "control": (b"<Bundle>\x01</Bundle>", "XML 1.0"),
    "no entity": (b"<Bundle>&bomb;</Bundle>", "XML 1.0"),
    "no prefix": (b"<x:Bundle/>", "XML 1.0"),
    "doctype": (b"<!DOCTYPE Bundle><Bundle/>", "XML without DTD"),
    "external": (
        b'<?xml version="1.0"?><!-- a -->\n<!DOCTYPE a SYSTEM "file:///etc/passwd"><Bundle/>',
        "XML without DTD",
    ),
    "bomb": (
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY a%d "%b">' % (at, b"&a%d;" % (at - 1) * 10) for at in range(1, 12))
        + b"]><Bundle>&a11;</Bundle>",
        "XML without DTD",
    ),
    "deep": (b"<a>" * DEEP + b"</a>" * DEEP, "XML limits"),
    "deep and open": (b"<a>" * DEEP, "XML limits"),
    "long": (
        f'<Bundle xmlns="{FHIR}"><id value="'.encode() + b"a" * 20_000_000 + b'"/></Bundle>',
        "XML limits",
    ),
    "many": (f'<Bundle xmlns="{FHIR}">'.encode() + b"<a/>" * 900_000 + b"</Bundle>", "XML limits"),
    "utf-16": ("<Bundle/>".encode("utf-16"), "UTF-8"),
    "latin": ("<Bundle>\n\n<!-- å --></Bundle>".encode("latin-1"), "UTF-8"),
    "declared": (b'<?xml version="1.0" encoding="ISO-8859-1"?><Bundle/>', "UTF-8"),
    "unknown": (b'<?xml version="1.0" encoding="no-such"?><Bundle/>', "UTF-8"),
    "version": (b'<?xml version="2.0"?><Bundle/>', "XML 1.0"),
    "no namespace": (b"<Bundle/>", "FHIR R4 XML"),
    "other resource": (f'<Medication xmlns="{FHIR}"/>'.encode(), "FHIR R4 XML"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_document_gets_one_clear_word(name: str) -> None:
    body, rule = MALFORMED[name]
    reading = read_xml(body)
    assert reading.tree is None
    (issue,) = reading.issues
    assert (issue.code, issue.path, issue.rule) == ("BODY-MALFORMED", "$", rule)
    assert issue.message_da != issue.message_en
    assert (issue.line is not None) == ("line " in issue.message_en)


def test_the_line_of_a_wrong_byte_or_tag_is_told() -> None:
    assert read_xml(MALFORMED["latin"][0]).issues[0].line == 3
    assert read_xml(b"<Bundle>\n<a>\n</b></Bundle>").issues[0].line == 3


ATTRIBUTE = 'a{}=""'
DECLARATION = 'xmlns:a{}="u"'
LARGE = {
    "attributes": patient(f"<name {many(ATTRIBUTE, 300_000)}/>"),
    "attributes in a narrative": narrative(f"<p {many(ATTRIBUTE, 300_000)}/>"),
    "declarations": patient(f"<name {many(DECLARATION, 200_000)}/>"),
    "unknown elements": patient("<a/>" * 199_000),
    "known elements": patient("<name/>" * 199_000),
    "text": patient('<gender value="' + "&amp;" * 700_000 + '"/>'),
    "in a narrative": narrative("<b/>" * 190_000),
    "extensions in extensions": patient('<extension url="a">' * 200 + "</extension>" * 200),
    "deep narrative": narrative("<b>" * 200 + "</b>" * 200),
    "namespaces": patient("".join(f'<a{at} xmlns="urn:{at}"/>' for at in range(90_000))),
}

PROGRAM = """
import sys, time
from pathlib import Path
from mappers.practice.medcom import read_xml_bundle
body = Path(sys.argv[1]).read_bytes()
start = time.process_time()
read_xml_bundle(body, None)
spent = time.process_time() - start
# The most it ever held; getrusage would count what the parent held before.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(spent, int(peak.split()[1]) / 1024)
"""


@pytest.mark.parametrize("name", [*LARGE, "long", "many", "deep", "bomb"])
def test_no_body_takes_two_seconds_or_200_megabytes(name: str, tmp_path: Path) -> None:
    body = LARGE[name] if name in LARGE else MALFORMED[name][0]
    (tmp_path / "body.xml").write_bytes(body)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "body.xml")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    seconds, megabytes = map(float, done.stdout.split())
    assert seconds < 2
    assert megabytes < 200


def test_levels_beyond_the_limit_are_refused() -> None:
    levels = xml_reader.MOST_LEVELS + 10
    body = patient('<extension url="a">' * levels + "</extension>" * levels)
    assert "PROFILE-ELEMENT-UNKNOWN" in {issue.code for issue in read_xml(body).issues}


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing(body: bytes) -> None:
    assert read_xml(body).issues


@given(st.data())
def test_a_document_with_random_damage_raises_nothing(data: st.DataObject) -> None:
    document = bytearray(write_xml(tree()))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(document) - 1))
        length = data.draw(st.integers(0, 30))
        document[at : at + length] = data.draw(
            st.binary(max_size=8)
            | st.sampled_from([b"<a/>", b"</id>", b'value="', b"&lt;", b"<!--"])
        )
    reading = read_xml(bytes(document))
    assert reading.tree is not None or reading.issues


def test_no_issue_repeats_the_content() -> None:
    body = patient('<name><family value="3001749995"/><n3001749995-x/></name>3001749995')
    for issue in read_xml(body).issues:
        assert "3001749995" not in str(issue.to_json())
