"""FHIR XML as we write it: canonical at once, in order, equal to the JSON form."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mappers.errors import MappingError, TextWouldBeLost
from mappers.fhir.bundle import assemble_xml
from mappers.fhir.xml_reader import read_xml
from mappers.fhir.xml_writer import write_xml
from mappers.note import JournalNote, NoteText
from tests.support.negative_cases import skeleton
from tests.unit.mappers.bundle_specimens import (
    ASSEMBLED_AT,
    ids_of,
    note,
    official,
    resource,
    tree,
    with_narratives,
)
from tests.unit.mappers.xml_judge import as_json, with_canonical_narratives

Json = dict[str, Any]
XHTML = "http://www.w3.org/1999/xhtml"


def xml(made: JournalNote) -> bytes:
    return assemble_xml(made, ids_of(made), assembled_at=ASSEMBLED_AT, name_protected=False)


def canonical(document: bytes) -> bytes:
    """The document through another's canonicaliser."""
    return bytes(etree.tostring(etree.fromstring(document), method="c14n", exclusive=True))


def patient(**elements: Any) -> Json:
    return {"resourceType": "Patient", **elements}


def test_what_is_written_is_its_own_canonical_form() -> None:
    document = xml(note())
    assert document.startswith(b'<Bundle xmlns="http://hl7.org/fhir"><id value="')
    assert canonical(document) == document


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert xml(note()) == xml(copy.deepcopy(note()))


def test_a_stranger_reads_in_it_what_stands_in_the_json_form() -> None:
    assert as_json(xml(note())) == with_canonical_narratives(tree(note()))


def test_the_order_of_keys_does_not_matter() -> None:
    made = tree()

    def reverse(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: reverse(node[name]) for name in reversed(node)}
        return [reverse(each) for each in node] if isinstance(node, list) else node

    assert write_xml(reverse(made)) == write_xml(made)


@pytest.mark.parametrize("name", ["minimal", "maximum"])
def test_the_official_examples_are_written_canonically(name: str) -> None:
    document = write_xml(with_narratives(official(name)))
    assert canonical(document) == document
    assert as_json(document) == with_canonical_narratives(with_narratives(official(name)))


def test_the_skeleton_of_the_guide_is_written_canonically() -> None:
    made = skeleton()
    document = write_xml(made)
    assert canonical(document) == document
    assert as_json(document) == with_canonical_narratives(made)


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r"), min_size=1)
)
def test_any_text_comes_back_and_is_canonical(text: str) -> None:
    text = text.replace("\ufffe", "").replace("\uffff", "") + "x"
    document = write_xml(patient(name=[{"family": text}]))
    assert canonical(document) == document
    assert as_json(document) == patient(name=[{"family": text}])


@given(
    st.recursive(
        st.text(st.sampled_from("aæ &<>\"'\n\t\u00a0\u2028"), min_size=1).map(
            lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        ),
        lambda inner: st.tuples(
            st.sampled_from(["p", "b", "i", "tt", "span", "h1"]), st.lists(inner, max_size=3)
        ).map(lambda made: f"<{made[0]}>{''.join(made[1])}<br/></{made[0]}>"),
        max_leaves=12,
    )
)
def test_narratives_are_written_as_a_canonicaliser_does(content: str) -> None:
    div = f'<div xmlns="{XHTML}" lang="da" xml:lang="da">{content}</div>'
    expected = etree.tostring(etree.fromstring(div), method="c14n", exclusive=True)
    document = write_xml(patient(text={"status": "generated", "div": div}))
    assert expected in document
    assert canonical(document) == document


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a&nbsp;b&LT;&eacute;", "a\u00a0b&lt;é"),
        ("a<!-- seen by nobody -->b<?nor this?>", "ab"),
        ('<p class="b" id="a">x</p>', '<p class="b" id="a">x</p>'),
        ('<p id="a" class="b">x</p>', '<p class="b" id="a">x</p>'),
        ("<![CDATA[<&]]>", "&lt;&amp;"),
        ("<br></br><b/>", "<br></br><b></b>"),
    ],
)
def test_narratives_of_others_become_canonical(content: str, expected: str) -> None:
    div = f'<div xmlns="{XHTML}">{content}</div>'
    document = write_xml(patient(text={"status": "generated", "div": div}))
    assert f'<div xmlns="{XHTML}">{expected}</div>' in document.decode()


@pytest.mark.parametrize(
    ("made", "place"),
    [
        (patient(colour="blue"), "Patient"),
        (patient(name=[{"family": "A"}, {"family": 4}]), "Patient.name[1].family"),
        (patient(name=[{"family": "A", "given": ["B", None]}]), "Patient.name[0].given[1]"),
        (patient(name={"family": "A"}), "Patient.name"),
        (patient(name=[]), "Patient.name"),
        (patient(name=[{}]), "Patient.name[0]"),
        (patient(active="true"), "Patient.active"),
        (patient(multipleBirthInteger=True), "Patient.multipleBirthInteger"),
        (patient(gender=""), "Patient.gender"),
        (patient(text={"status": "generated", "div": "<div>"}), "Patient.text.div"),
        (patient(text={"status": "generated", "div": "<div/>"}), "Patient.text.div"),
        (patient(text={"div": f'<div xmlns="{XHTML}"><b></div></b>'}), "Patient.text.div"),
        (patient(text={"div": f'<div xmlns="{XHTML}"></div><b/>'}), "Patient.text.div"),
        (patient(contained=[{"resourceType": "Medication"}]), "Patient.contained[0]"),
        ({"resourceType": "Medication"}, "$"),
        (patient(extension=[{"url": "u", "valueDecimal": float("inf")}]), "Patient.extension[0]"),
    ],
)
def test_what_has_no_place_in_xml_is_refused_with_its_place(made: Json, place: str) -> None:
    with pytest.raises(MappingError) as caught:
        write_xml(made)
    assert caught.value.path.startswith(place)


def test_a_control_character_would_be_lost() -> None:
    with pytest.raises(TextWouldBeLost) as caught:
        write_xml(patient(name=[{"family": "A\x07"}]))
    assert caught.value.path == "Patient.name[0].family"


def test_ids_and_extensions_of_primitives_stand_beside_the_value() -> None:
    extension = {"url": "http://example.org/e", "valueDecimal": 1.5}
    made = patient(
        active=True,
        name=[{"id": "n1", "given": ["A", None], "_given": [None, {"extension": [extension]}]}],
        _birthDate={"id": "b", "extension": [{"url": "u", "valueInteger": -3}]},
        multipleBirthInteger=2,
    )
    document = write_xml(made)
    assert canonical(document) == document
    assert b'<name id="n1"><given value="A"></given><given><extension url="http' in document
    assert b'<birthDate id="b"><extension url="u"><valueInteger value="-3">' in document
    reading = read_xml(document)
    assert reading.issues == ()
    assert reading.tree == made


def test_a_text_of_200_kb_is_written_and_read() -> None:
    html = "<p>" + "Årskontrol &lt;æøå&gt; <b>BT 138/82</b><br/>" * 5000 + "</p>"
    made = replace(note(), text=NoteText("text/html", html))
    document = xml(made)
    assert canonical(document) == document
    assert read_xml(document).tree == tree(made)
    body = resource(json.loads(json.dumps(read_xml(document).tree)), "Observation")
    assert body["extension"][0]["valueAttachment"]["data"]
