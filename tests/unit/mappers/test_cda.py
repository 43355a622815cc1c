"""The CDA rendering: valid by the published schema and the header rules, every word kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from mappers.cda.document import assemble_cda, cda_id, cda_unique_id
from mappers.cda.narrative import section_text
from mappers.errors import MappingError, TextWouldBeLost
from mappers.html import clean_html, clean_plain
from mappers.note import Author, JournalNote, NoteText, Organization, Patient
from tests.unit.mappers.bundle_specimens import ASSEMBLED_AT, ids_of, note, resource, tree
from tests.unit.mappers.cda_judge import (
    V3,
    all_of,
    assert_schema_valid,
    header_faults,
    value,
)

TEXT = f".//{{{V3}}}section/{{{V3}}}text"
PREVIOUS = UUID("1a2b3c4d-0001-5000-8000-00000000000a")


def rendering(made: JournalNote | None = None, **options: Any) -> bytes:
    made = made or note()
    arguments: dict[str, Any] = {"assembled_at": ASSEMBLED_AT, "name_protected": False}
    return assemble_cda(made, ids_of(made), **(arguments | options))


def parsed(made: JournalNote | None = None, **options: Any) -> etree._Element:
    return etree.fromstring(rendering(made, **options))


def body(html: str) -> JournalNote:
    return note(text=NoteText("text/html", html))


VARIATIONS: dict[str, JournalNote] = {
    "ordinary": note(),
    "no author": note(author=None),
    "role alone": note(author=Author(None, (), None, "sygeplejerske")),
    "initials and a text": note(author=Author(None, (), "SA", None, role_text="vikar")),
    "protected author": note(author_name_protected=True),
    "no role": note(author=Author(None, ("Sidsel", "Åse"), "Ærø", None)),
    "an end": note(ended_at=note().created_at + timedelta(minutes=20)),
    "version 7": note(version=7),
    "unknown gender": note(patient=replace(note().patient, gender="unknown")),
    "other gender": note(patient=replace(note().patient, gender="other")),
    "female": note(patient=replace(note().patient, gender="female")),
    "no given name": note(patient=replace(note().patient, given=())),
    "letters and signs": note(
        organization=Organization("61741000016007", None, 'Bagge & <Holm> "ÆØÅ" A/S'),
        patient=Patient(
            "3001749995", ("Åse", "O'Neil"), "Ærø & Søn", note().patient.birth_date, "female"
        ),
    ),
    "long": body("<p>" + "Årskontrol &lt;140/90. " * 9000 + "</p>"),
}


@pytest.mark.parametrize("name", VARIATIONS)
def test_every_variation_obeys_schema_and_header_rules(name: str) -> None:
    document = rendering(VARIATIONS[name])
    assert header_faults(etree.fromstring(document)) == []
    assert_schema_valid(document)


def _remove(path: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        (found,) = all_of(root, path)
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)

    return change


def _put(path: str, name: str, text: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        all_of(root, path)[0].set(name, text)

    return change


def _add(path: str, name: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        etree.SubElement(all_of(root, path)[0], f"{{{V3}}}{name}")

    return change


def _claim_a_template(root: etree._Element) -> None:
    made = etree.Element(f"{{{V3}}}templateId")
    made.set("root", "1.2.208.184.14.1")
    root.insert(2, made)


BROKEN = {
    "order": lambda root: root.append(root[0]),
    "realmCode": _put("realmCode", "code", "SE"),
    "typeId": _remove("typeId"),
    "templateId": _claim_a_template,
    "id": _put("id", "root", "1.2.3"),
    "code": _put("code", "code", "39289-4"),
    "title": lambda root: all_of(root, "title")[0].__setattr__("text", "Notat"),
    "effectiveTime": _put("effectiveTime", "value", "20261211081530Z"),
    "confidentialityCode": _put("confidentialityCode", "code", "R"),
    "languageCode": _put("languageCode", "code", "da"),
    "setId": _remove("setId"),
    "recordTarget.id": _put("recordTarget/patientRole/id", "root", "1.2.208.176.1.1"),
    "recordTarget.name": _remove("recordTarget/patientRole/patient/name/family"),
    "recordTarget.gender": _put(
        "recordTarget/patientRole/patient/administrativeGenderCode", "code", "O"
    ),
    "recordTarget.birthTime": _remove("recordTarget/patientRole/patient/birthTime"),
    "author.time": _put("author/time", "value", "2026-12-10T10:12:00+01:00"),
    "author.id": _put("author/assignedAuthor/id", "extension", "077410"),
    "author.person": _add("author/assignedAuthor/assignedPerson/name", "family"),
    "author.organization": _remove("author/assignedAuthor/representedOrganization/name"),
    "custodian": _remove("custodian/assignedCustodian/representedCustodianOrganization/name"),
    "documentationOf": _remove("documentationOf/serviceEvent/effectiveTime/low"),
    "relatedDocument": _put("relatedDocument", "typeCode", "APND"),
    "body": _remove("component/structuredBody/component/section/templateId"),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_the_list_of_header_rules_notices_a_breach(rule: str) -> None:
    root = parsed()
    BROKEN[rule](root)
    assert rule in header_faults(root)


def test_the_values_are_those_of_the_fhir_document() -> None:
    made = note(ended_at=note().created_at + timedelta(minutes=20))
    root, bundle = parsed(made), tree(made)
    composition, observation = resource(bundle, "Composition"), resource(bundle, "Observation")
    person = resource(bundle, "Patient")

    def compact(time: str) -> str:
        return re.sub("[-:T]", "", time[:19]) + time[19:].replace(":", "").replace("Z", "+0000")

    assert value(root, "title") == composition["title"]
    assert value(root, "effectiveTime", "value") == compact(bundle["timestamp"])
    assert value(root, "author/time", "value") == compact(composition["date"])
    period = "documentationOf/serviceEvent/effectiveTime"
    assert value(root, f"{period}/low", "value") == compact(observation["effectiveDateTime"])
    event = composition["event"][0]["period"]
    assert value(root, f"{period}/high", "value") == compact(event["end"])
    assert (
        value(root, "recordTarget/patientRole/id", "extension") == person["identifier"][0]["value"]
    )
    source = value(root, "relatedDocument/parentDocument/id", "extension")
    assert f"urn:uuid:{source}" == composition["identifier"]["value"]
    whole_note = value(root, "setId", "extension")
    assert f"urn:uuid:{whole_note}" == observation["identifier"][0]["value"]
    assert value(root, "versionNumber", "value") == "1"


def test_summer_and_winter_keep_their_own_offset() -> None:
    root = parsed(
        note(
            created_at=datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            completed_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        )
    )
    low = value(root, "documentationOf/serviceEvent/effectiveTime/low", "value")
    assert low == "20261025023000+0200"
    assert value(root, "author/time", "value") == "20261025023000+0100"


def test_a_rendering_is_another_document_with_an_id_of_its_own() -> None:
    ids = ids_of(note())
    own = value(parsed(), "id", "extension")
    assert own == str(cda_id(ids.composition_identifier))
    assert own != str(ids.composition_identifier)
    assert UUID(own).version == 5
    assert cda_unique_id(ids.composition_identifier) == f"1.2.208.184^{own}"


def test_a_new_version_replaces_the_rendering_before_in_the_same_set() -> None:
    first, second = note(), note(version=2)
    before = ids_of(first).composition_identifier
    document = rendering(second, replaces=before)
    root = etree.fromstring(document)
    assert header_faults(root) == []
    assert_schema_valid(document)
    replaced, source = all_of(root, "relatedDocument")
    assert (replaced.get("typeCode"), source.get("typeCode")) == ("RPLC", "XFRM")
    assert value(replaced, "parentDocument/id", "extension") == str(cda_id(before))
    assert value(root, "setId", "extension") == value(parsed(first), "setId", "extension")
    assert value(root, "id", "extension") != value(parsed(first), "id", "extension")


def test_a_document_cannot_replace_itself() -> None:
    with pytest.raises(MappingError):
        rendering(replaces=ids_of(note()).composition_identifier)


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(MappingError):
        rendering(assembled_at=ASSEMBLED_AT.replace(tzinfo=None))


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert rendering() == rendering()


def test_a_protected_name_is_nowhere() -> None:
    document = rendering(name_protected=True).decode()
    assert "Vendelboe" not in document
    assert "Niels" not in document
    assert document.count("ADRESSEBESKYTTET") == 2
    assert header_faults(etree.fromstring(document.encode())) == []


def test_a_protected_author_is_nowhere_but_the_coded_role_is_told() -> None:
    document = rendering(note(author_name_protected=True)).decode()
    assert "Sidsel" not in document
    assert "Andersen" not in document
    assert "ZTB01" not in document
    assert "Skrevet af Speciallæge i praksis, Lægerne Hasseris Bymidte." in document


def test_neither_provider_number_nor_html_nor_base64_is_carried() -> None:
    document = rendering().decode()
    assert "077410" not in document
    assert "originalText" not in document
    assert "nonXMLBody" not in document


def test_the_last_line_tells_author_and_both_times() -> None:
    last = parsed().find(TEXT)
    assert last is not None
    assert last[-1].text == (
        "Skrevet af Sidsel Andersen, Speciallæge i praksis, Lægerne Hasseris Bymidte."
        " Oprettet 10.12.2026 kl. 10.00. Senest ændret 10.12.2026 kl. 10.12."
    )


def content(style: str, inner: str) -> str:
    return f'<content styleCode="{style}">{inner}</content>'


CONVERSIONS = [
    ("<p>a</p>", "<paragraph>a</paragraph>"),
    ("a<br/>b", "<paragraph>a<br/>b</paragraph>"),
    (
        "før<p>a</p>efter",
        "<paragraph>før</paragraph><paragraph>a</paragraph><paragraph>efter</paragraph>",
    ),
    ("<p>a</p>\n <p>b</p>", "<paragraph>a</paragraph><paragraph>b</paragraph>"),
    ("<p><b>a</b></p>", f"<paragraph>{content('Bold', 'a')}</paragraph>"),
    ("<i>a</i>", f"<paragraph>{content('Italics', 'a')}</paragraph>"),
    ("<em>a</em>", f"<paragraph>{content('Italics', 'a')}</paragraph>"),
    ("<u>a</u>", f"<paragraph>{content('Underline', 'a')}</paragraph>"),
    ("<tt>a  b</tt>", f"<paragraph>{content('xMonospace', 'a  b')}</paragraph>"),
    ("BT &lt;140/90 &amp; puls &gt; 60", "<paragraph>BT &lt;140/90 &amp; puls &gt; 60</paragraph>"),
    ("a\r\nb\nc", "<paragraph>a<br/>b<br/>c</paragraph>"),
    (
        "<b>a<p>b</p>c</b>",
        f"<paragraph>{content('Bold', 'a')}</paragraph>"
        f"<paragraph>{content('Bold', 'b')}</paragraph>"
        f"<paragraph>{content('Bold', 'c')}</paragraph>",
    ),
]


@pytest.mark.parametrize(("html", "narrative"), CONVERSIONS)
def test_each_tag_has_its_place(html: str, narrative: str) -> None:
    assert section_text(html) == narrative
    assert_schema_valid(rendering(body(html)))


def test_every_nesting_of_the_formatting_is_kept() -> None:
    styles = {"b": "Bold", "i": "Italics", "u": "Underline", "tt": "xMonospace"}
    for count in range(1, 5):
        for order in permutations(styles, count):
            html = "".join(f"<{tag}>" for tag in order) + "x<br/>y"
            html += "".join(f"</{tag}>" for tag in reversed(order))
            document = rendering(body(f"<p>a{html}z</p>{html}"))
            assert_schema_valid(document)
            text = etree.fromstring(document).find(TEXT)
            assert text is not None
            for paragraph in text[:2]:
                inner = paragraph
                for tag in order:
                    (inner,) = inner
                    assert inner.get("styleCode") == styles[tag]
                assert inner.text == "x"
                assert [etree.QName(each).localname for each in inner] == ["br"]


@pytest.mark.parametrize(
    "html",
    [
        "<p>a",
        "a</p>",
        "<b><i>a</b></i>",
        "<b>a",
        "a</b>",
        "<script>a</script>",
        "<p class='x'>a</p>",
        "a < b",
        "a & b",
        "&nbsp;",
        "a\x00b",
        "<x:p>a</x:p>",
        "<!-- a -->",
        "<![CDATA[a]]>",
    ],
)
def test_a_body_that_is_not_clean_is_refused_rather_than_mended(html: str) -> None:
    with pytest.raises(TextWouldBeLost) as caught:
        rendering(body(html))
    assert caught.value.path == "$.text.html"


def test_a_name_that_xml_cannot_carry_is_refused() -> None:
    with pytest.raises(TextWouldBeLost) as caught:
        rendering(note(organization=Organization("61741000016007", None, "Lægerne\x07")))
    assert caught.value.path == "$.organization.name"


def words_of(html: str) -> str:
    root = etree.fromstring(f"<r>{html}</r>")
    return "".join("".join(root.itertext()).split())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "<p>",
                    "</p>",
                    "<b>",
                    "</b>",
                    "<i>",
                    "</i>",
                    "<u>",
                    "</u>",
                    "<tt>",
                    "</tt>",
                    "<em>",
                    "</em>",
                    "<br>",
                    "<br/>",
                    "<div>",
                    "</div>",
                    "<ul>",
                    "<li>",
                    "</ul>",
                    "<td>",
                    "&amp;",
                    "&lt;",
                    "&nbsp;",
                ]
            ),
            st.text(max_size=12),
        ),
        max_size=30,
    )
)
def test_any_cleaned_body_keeps_every_word(pieces: list[str]) -> None:
    cleaned = clean_html("".join(pieces))
    if cleaned.issues:
        return
    document = rendering(body(cleaned.html))
    assert_schema_valid(document)
    text = etree.fromstring(document).find(TEXT)
    assert text is not None
    del text[-1]
    assert "".join("".join(text.itertext()).split()) == words_of(cleaned.html)


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=200))
def test_any_plain_text_keeps_every_word(written: str) -> None:
    cleaned = clean_plain(written)
    if cleaned.issues:
        return
    text = etree.fromstring(rendering(body(cleaned.html))).find(TEXT)
    assert text is not None
    del text[-1]
    assert "".join("".join(text.itertext()).split()) == words_of(cleaned.html)
