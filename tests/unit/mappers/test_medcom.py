"""Documents from practice systems: right ones are read, each wrong one is named."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappers.fhir.elements import STRUCTURE
from mappers.fhir.rules import RULES, WARNINGS
from mappers.issues import Reading
from mappers.note import Author, JournalNote, Organization
from mappers.practice.medcom import read_bundle
from tests.unit.mappers.bundle_specimens import (
    CONTEXT,
    WINTER,
    note,
    official,
    resource,
    resources,
    tree,
    with_narratives,
)

Json = dict[str, Any]
Change = Callable[[Json], None]


def read(bundle: Json, context: bytes | None = CONTEXT) -> Reading:
    return read_bundle(json.dumps(bundle, ensure_ascii=False).encode(), context)


def codes(reading: Reading) -> set[str]:
    return {issue.code for issue in reading.issues}


def warned(reading: Reading) -> set[str]:
    return {issue.code for issue in reading.warnings}


def accepted(reading: Reading) -> JournalNote:
    assert reading.issues == ()
    assert reading.note is not None
    return reading.note


def attachment(bundle: Json) -> Json:
    found: Json = resource(bundle, "Observation")["extension"][0]["valueAttachment"]
    return found


def put_body(bundle: Json, body: bytes) -> None:
    attachment(bundle)["data"] = base64.b64encode(body).decode()


# The official examples


@pytest.mark.parametrize("name", ["minimal", "maximum"])
def test_an_official_example_lacks_narratives_and_each_is_named(name: str) -> None:
    bundle = official(name)
    reading = read(bundle)
    assert reading.note is None
    texts = {issue.path for issue in reading.issues if issue.code.endswith("-TEXT")}
    assert texts == {f"Bundle.entry[{at}].resource.text" for at in range(len(bundle["entry"]))}
    rest = {issue.code for issue in reading.issues if not issue.code.endswith("-TEXT")}
    assert rest == (set() if name == "minimal" else {"PROFILE-PERIOD-START"})


def test_the_minimal_example_is_accepted_with_narratives() -> None:
    reading = read(with_narratives(official("minimal")))
    made = accepted(reading)
    assert warned(reading) == {
        "PROFILE-FULLURL-BASE",
        "PROFILE-META-VERSION",
        "PROFILE-BODY-PLAIN",
    }
    assert made.author is None
    assert made.created_at == made.completed_at == datetime(2026, 12, 10, 10, tzinfo=WINTER)
    assert made.patient.given == ("Niels", "Test")


def test_the_maximum_example_is_accepted_with_narratives_and_one_creation_time() -> None:
    bundle = with_narratives(official("maximum"))
    resource(bundle, "Observation")["effectiveDateTime"] = "2026-12-12T09:05:00+01:00"
    reading = read(bundle)
    made = accepted(reading)
    assert warned(reading) == {
        "PROFILE-FULLURL-BASE",
        "PROFILE-META-VERSION",
        "PROFILE-TIMESTAMP-ORDER",
        "PROFILE-ID-UUID",
        "PROFILE-PROVIDER-NUMBER-FORM",
    }
    assert made.author == Author(
        id="urn:uuid:0ee2db70-d972-4497-a156-0a8109aaa771",
        given=("Sidsel",),
        family="Andersen",
        role="speciallaegeipraksis",
    )
    assert made.organization == Organization("61741000016007", "77410", "Lægerne Hasseris Bymidte")
    assert made.completed_at == datetime(2026, 12, 12, 14, 50, tzinfo=WINTER)
    assert "<tt>Andersen</tt>" in made.text.html
    assert "<i>over mål</i>" in made.text.html


def skeleton() -> Json:
    """A document as the guide's skeleton has it: urn:uuid, bare canonicals, a version 4 id."""
    bundle = tree(
        note(
            author=Author(
                "urn:uuid:1a2b3c4d-0005-5000-8000-00000000000c", ("Sidsel",), "Andersen", None
            ),
            organization=Organization("61741000016007", "069701", "Lægerne Testby"),
            completed_at=datetime(2026, 12, 10, 14, 50, tzinfo=WINTER),
        )
    )
    for at, each in enumerate(resources(bundle), 1):
        new = f"1a2b3c4d-000{at}-5000-8000-00000000000{at}"
        bundle = json.loads(json.dumps(bundle).replace(each["id"], new))
    for each in resources(bundle):
        each["text"]["div"] = '<div xmlns="http://www.w3.org/1999/xhtml">…</div>'
    return bundle


def test_the_skeleton_of_the_guide_is_accepted_though_its_narratives_are_poor() -> None:
    reading = read(skeleton())
    made = accepted(reading)
    assert warned(reading) == {"PROFILE-TEXT-INCOMPLETE"}
    assert made.organization.provider_number == "069701"
    assert made.author is not None
    assert (made.author.role, made.author.role_text) == (None, None)


# The negative cases of the guide, each a document that is right except for one thing


def change(kind: str, **values: Any) -> Change:
    """Set elements of the first resource of a type; a value of None removes one."""

    def make(bundle: Json) -> None:
        target = bundle if kind == "Bundle" else resource(bundle, kind)
        for name, value in values.items():
            if value is None:
                del target[name]
            else:
                target[name] = value

    return make


def at(kind: str, *path: str | int, to: Any) -> Change:
    """Set one value deep in a resource; None removes it."""

    def make(bundle: Json) -> None:
        node: Any = bundle if kind == "Bundle" else resource(bundle, kind)
        for step in path[:-1]:
            node = node[step]
        if to is None:
            del node[path[-1]]
        elif to is NULL:
            node[path[-1]] = None
        else:
            node[path[-1]] = to

    return make


NULL = object()
"""Stands for a JSON null, which FHIR does not have."""


def body(octets: bytes) -> Change:
    return lambda bundle: put_body(bundle, octets)


def text_div(kind: str, inner: str, *, status: str = "generated") -> Change:
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'
    return change(kind, text={"status": status, "div": div})


def append(kind: str, name: str, value: Any) -> Change:
    return lambda bundle: resource(bundle, kind)[name].append(value)


def entry(kind: str, bundle: Json) -> Json:
    found: Json = next(e for e in bundle["entry"] if e["resource"]["resourceType"] == kind)
    return found


def swap_first_entries(bundle: Json) -> None:
    bundle["entry"][:2] = bundle["entry"][1::-1]


def copy_entry(kind: str) -> Change:
    def make(bundle: Json) -> None:
        extra = copy.deepcopy(entry(kind, bundle))
        extra["resource"]["id"] = "00000000-0000-4000-8000-000000000009"
        extra["fullUrl"] = "urn:uuid:00000000-0000-4000-8000-000000000009"
        bundle["entry"].append(extra)

    return make


def refer(kind: str, name: str, *targets: str) -> Change:
    def make(bundle: Json) -> None:
        references = [{"reference": entry(target, bundle)["fullUrl"]} for target in targets]
        resource(bundle, kind)[name] = references

    return make


def same_address(bundle: Json) -> None:
    bundle["entry"][3]["fullUrl"] = bundle["entry"][2]["fullUrl"]


def base64_in_narrative(bundle: Json) -> None:
    text_div("Observation", attachment(bundle)["data"])(bundle)


PROFILE = "http://medcomfhir.dk/ig/notes/StructureDefinition/medcom-notes-composition"
NOWHERE = {"reference": "urn:uuid:00000000-0000-4000-8000-00000000dead"}
CLASS_CODE = ("category", 0, "coding", 0)
ROLE_SYSTEM = (
    "http://medcomfhir.dk/ig/terminology/CodeSystem/medcom-core-PractitionerRolesSKSadministrativ"
)

REFUSED: list[tuple[str, Change, str]] = [
    ("N1", at("Composition", "meta", "profile", 0, to=PROFILE), "PROFILE-COMPOSITION-PROFILE"),
    ("N2", at("Composition", "meta", "profile", 0, to=PROFILE + "|2.0.0"),
     "PROFILE-COMPOSITION-PROFILE"),
    ("N2b", at("Composition", "meta", "profile", 0, to=PROFILE + "|1"),
     "PROFILE-COMPOSITION-PROFILE"),
    ("N3", at("Composition", "meta", "profile", to=[PROFILE + "|1.0", PROFILE + "|1.0.0"]),
     "PROFILE-COMPOSITIONMETA-PROFILE"),
    ("N4", change("Bundle", id="urn:uuid:9521a7f0-bad4-4a46-8c51-cd8378b24106"),
     "PROFILE-BUNDLE-ID"),
    ("N5", change("Bundle", id="9521a7f0-bad4-1a46-8c51-cd8378b24106"), "PROFILE-BUNDLE-ID-UUID"),
    ("N5b", change("Bundle", id="9521a7f0-bad4-7a46-8c51-cd8378b24106"), "PROFILE-BUNDLE-ID-UUID"),
    ("N6", at("Bundle", "identifier", "system", to=None), "PROFILE-IDENTIFIER-SYSTEM"),
    ("N7", change("Bundle", timestamp="2026-12-10"), "PROFILE-BUNDLE-TIMESTAMP"),
    ("N8", swap_first_entries, "PROFILE-ENTRY-FIRST"),
    ("N9", copy_entry("Composition"), "PROFILE-ENTRY-COUNT"),
    ("N10", at("Composition", "identifier", "value", to="1a2b3c4d-0001-5000-8000-00000000000a"),
     "PROFILE-COMPOSITION-IDENTIFIER-UUID"),
    ("N11", change("Composition", status="amended"), "PROFILE-COMPOSITION-STATUS"),
    ("N12", at("Composition", "type", "coding", 0, to={
        "system": "http://loinc.org", "code": "34109-9", "display": "Note"}),
     "PROFILE-TYPECODING-SYSTEM"),
    ("N13", at("Composition", "type", "coding", 0, "display", to="Encounter Note"),
     "PROFILE-TYPECODING-DISPLAY"),
    ("N14", at("Composition", *CLASS_CODE, "system", to="urn:oid:1.2.208.184.100.9"),
     "PROFILE-CATEGORYCODING-SYSTEM"),
    ("N15", change("Composition", language="da-DK"), "PROFILE-COMPOSITION-LANGUAGE"),
    ("N16", change("Composition", confidentiality="R"), "PROFILE-COMPOSITION-CONFIDENTIALITY"),
    ("N17", refer("Composition", "author", "Organization", "PractitionerRole"),
     "PROFILE-REFERENCE-TYPE"),
    ("N18", refer("Composition", "author", "Organization", "Organization"),
     "PROFILE-COMPOSITION-INSTITUTION"),
    ("N19", refer("Composition", "author", "Practitioner"), "PROFILE-COMPOSITION-INSTITUTION"),
    ("N20", change("Composition", title="Journalnotat for 300174-9995"),
     "PROFILE-COMPOSITION-TITLE-CPR"),
    ("N20b", change("Composition", title="Journalnotat for 0101010001"),
     "PROFILE-COMPOSITION-TITLE-CPR"),
    ("N20c", change("Composition", title='"Journalnotat for 3001749995"'),
     "PROFILE-COMPOSITION-TITLE-CPR"),
    ("N21", at("Composition", "event", 0, "period", to={"end": "2026-12-10T10:00:00+01:00"}),
     "PROFILE-PERIOD-START"),
    ("N21b", at("Composition", "event", 0, "period", "start", to="2026-12-10T10:00:00"),
     "PROFILE-PERIOD-START"),
    ("N22", at("Composition", "event", 0, "period", "end", to="2026-12-10T08:59:59Z"),
     "PROFILE-PERIOD-ORDER"),
    ("N23", append("Composition", "section", {"entry": [NOWHERE]}), "PROFILE-COMPOSITION-SECTION"),
    ("N23b", at("Composition", "section", 0, "entry", to=[NOWHERE, NOWHERE]),
     "PROFILE-SECTION-ENTRY"),
    ("N24", at("Composition", "section", 0, "entry", 0, to=NOWHERE),
     "PROFILE-REFERENCE-RESOLVES"),
    ("N25", change("Observation", extension=None, valueString="Årskontrol"),
     "PROFILE-OBSERVATION-EXTENSION"),
    ("N26", at("Observation", "extension", 0, "valueAttachment", "contentType",
               to="text/html; charset=utf-8"), "PROFILE-ATTACHMENT-CONTENTTYPE"),
    ("N27", at("Observation", "extension", 0, "valueAttachment",
               to={"contentType": "text/html", "url": "https://example.org/1"}),
     "PROFILE-ATTACHMENT-DATA"),
    ("N28", body(b" "), "TEXT-EMPTY"),
    ("N28b", body(b"<p><br/></p>"), "TEXT-EMPTY"),
    ("N29", body("årskontrol".encode("iso-8859-1")), "PROFILE-BODY-UTF8"),
    ("N30", body(b"<p>a</p><script>alert(1)</script>"), "HTML-ACTIVE-CONTENT"),
    ("N30b", body(b'<p onclick="x()">a</p>'), "HTML-ACTIVE-CONTENT"),
    ("N31", change("Observation", effectiveDateTime=None,
                   effectivePeriod={"start": "2026-12-10T10:00:00+01:00"}),
     "PROFILE-OBSERVATION-EFFECTIVEDATETIME"),
    ("N32", change("Observation", effectiveDateTime="2026-12-10T10:00+01:00"),
     "PROFILE-OBSERVATION-EFFECTIVEDATETIME"),
    ("N33", change("Composition", date="2026-12-10T08:59:59Z"), "PROFILE-DATE-ORDER"),
    ("N34", at("Composition", "event", 0, "period", "start", to="2026-12-10T10:00:00Z"),
     "PROFILE-PERIOD-START"),
    ("N35", refer("Observation", "performer", "Practitioner", "PractitionerRole"),
     "PROFILE-PERFORMER"),
    ("N35b", refer("Observation", "performer", "Organization", "Practitioner", "Practitioner"),
     "PROFILE-PERFORMER"),
    ("N35c", refer("Observation", "performer", "Organization", "Patient"),
     "PROFILE-REFERENCE-TYPE"),
    ("N36", at("Patient", "identifier", 0, "value", to="300174-9995"), "CPR-INVALID"),
    ("N37", at("Patient", "identifier", 0, to={
        "system": "urn:oid:1.2.208.176.1.6.1.1", "value": "3001749AB5"}), "P-REJ-IDENTITY"),
    ("N37b", at("Patient", "identifier", 0, "system", to="urn:oid:1.2.208.176.1.6.1.3.11"),
     "P-REJ-IDENTITY"),
    ("N37c", at("Patient", "identifier", 0, "system", to="urn:oid:1.2.208.176.1.3"),
     "PROFILE-PATIENT-CPR-SYSTEM"),
    ("N38", at("Patient", "identifier", 0, "value", to="3001741AB5"), "P-REJ-IDENTITY"),
    ("N39", at("Patient", "identifier", 0, "value", to="9001749995"), "P-REJ-IDENTITY"),
    ("N40", change("Patient", gender=None), "PROFILE-PATIENT-GENDER"),
    ("N40b", at("Patient", "name", 0, "use", to="usual"), "PROFILE-PATIENTNAME-USE"),
    ("N40c", append("Patient", "name", {"use": "official", "family": "B", "given": ["A"]}),
     "PROFILE-PATIENT-NAME"),
    ("N40d", change("Patient", gender="mand"), "PROFILE-GENDER"),
    ("N41", at("Organization", "identifier", 0, to=None), "PROFILE-ORGANIZATION-SOR"),
    ("N42", at("Organization", "identifier", 0, "value", to="6174100001"), "PROFILE-SOR-DIGITS"),
    ("N43", at("PractitionerRole", "code", 0, "text", to="læge"), "PROFILE-ROLE-CODE-XOR-TEXT"),
    ("N43b", append("PractitionerRole", "code", {"text": "læge"}), "PROFILE-ROLE-CODE-XOR-TEXT"),
    ("N43c", at("PractitionerRole", "code", 0, "coding", 0, "system", to=None),
     "PROFILE-ROLE-CODE-XOR-TEXT"),
    ("N44", change("PractitionerRole", organization=None), "PROFILE-PRACTITIONERROLE-ORGANIZATION"),
    ("N45", append("Practitioner", "identifier", {"system": "urn:x", "value": "1"}),
     "PROFILE-PRACTITIONER-IDENTIFIER"),
    ("N46", change("Patient", text=None), "PROFILE-PATIENT-TEXT"),
    ("N46b", text_div("Patient", " &#160;\n"), "PROFILE-TEXT-DIV"),
    ("N47", text_div("Patient", "3001749995", status="empty"), "PROFILE-TEXT-STATUS"),
    ("N48", base64_in_narrative, "PROFILE-TEXT-BASE64"),
    ("N50", text_div("Patient", "3001749995 <u>a</u>"), "PROFILE-TEXT-DIV"),
    ("N50b", text_div("Patient", "3001749995 <script>a</script>"), "PROFILE-TEXT-DIV"),
    ("N50c", text_div("Patient", "3001749995 <p>"), "PROFILE-TEXT-DIV"),
    ("N50d", text_div("Patient", '3001749995 <b onclick="a()">b</b>'), "PROFILE-TEXT-DIV"),
    ("N51", same_address, "PROFILE-FULLURL-UNIQUE"),
    ("N52", at("Bundle", "entry", 0, "request", to={"method": "POST", "url": "x"}),
     "PROFILE-ELEMENT-UNKNOWN"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make_wrong", "code"),
    [pytest.param(make_wrong, code, id=name) for name, make_wrong, code in REFUSED],
)
def test_a_document_wrong_in_one_thing_is_refused_by_that_rule(
    make_wrong: Change, code: str
) -> None:
    bundle = tree()
    assert read(bundle).issues == ()
    make_wrong(bundle)
    reading = read(bundle)
    assert reading.note is None
    assert code in codes(reading)


OTHERS: list[tuple[str, Change, str]] = [
    ("a seventh type", lambda b: b["entry"].append({
        "fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000009",
        "resource": {"resourceType": "Device", "id": "d"}}), "PROFILE-ENTRY-TYPE"),
    ("note text beside the attachment", change("Observation", note=[{"text": "mere"}]),
     "PROFILE-ELEMENT-UNKNOWN"),
    ("a modifier", change("Patient", modifierExtension=[{"url": "urn:x", "valueCode": "y"}]),
     "PROFILE-ELEMENT-UNKNOWN"),
    ("contained", change("Composition", contained=[{"resourceType": "Patient"}]),
     "PROFILE-ELEMENT-UNKNOWN"),
    ("a security label", at("Composition", "meta", "security", to=[{"code": "R"}]),
     "PROFILE-ELEMENT-UNKNOWN"),
    ("an orphan", refer("Observation", "performer", "Organization", "Practitioner"),
     "PROFILE-ENTRY-ORPHAN"),
    ("two notes", copy_entry("Observation"), "PROFILE-ENTRY-COUNT"),
    ("an array for a text", at("Composition", "section", 0, "title", to=[]),
     "PROFILE-SECTION-TITLE"),
    ("an empty array", change("Practitioner", qualification=[]),
     "PROFILE-PRACTITIONER-QUALIFICATION"),
    ("a date alone", change("Composition", date="2026-12-10"), "PROFILE-COMPOSITION-DATE"),
    ("a day that is none", change("Patient", birthDate="1974-02-30"), "PROFILE-PATIENT-BIRTHDATE"),
    ("base64 with a line break", at("Observation", "extension", 0, "valueAttachment", "data",
                                    to="PHA+YTwv\ncD4="), "PROFILE-ATTACHMENT-DATA"),
    ("a name of dots", at("Practitioner", "name", 0, "family", to="...."), "PROFILE-NAME"),
    ("a practitioner by CPR", at("Practitioner", "identifier", 0, to={
        "system": "urn:oid:1.2.208.176.1.2", "value": "3001749995"}), "PROFILE-PRACTITIONER-CPR"),
    ("a versioned address", at("Bundle", "entry", 2, "fullUrl", to="https://a.dk/Patient/1/_history/2"),
     "PROFILE-FULLURL-FORM"),
    ("two SOR codes", append("Organization", "identifier", {
        "system": "urn:oid:1.2.208.176.1.1", "value": "61741000016008"}),
     "PROFILE-ORGANIZATION-SOR"),
    ("two provider numbers", append("Organization", "identifier", {
        "system": "urn:oid:1.2.208.176.1.4", "value": "111111"}), "PROFILE-PROVIDER-NUMBER"),
    ("two SNOMED codes", lambda b: resource(b, "Observation")["code"]["coding"].append(
        {"system": "http://snomed.info/sct", "code": "1", "display": "x"}),
     "PROFILE-OBSERVATION-CODE-SNOMED"),
    ("a code of an unknown system", lambda b: resource(b, "Observation")["code"]["coding"].append(
        {"system": "urn:x", "code": "1"}), "PROFILE-OBSERVATION-CODE-SNOMED"),
    ("a null", at("Composition", "section", 0, "title", to=NULL), "PROFILE-SECTION-TITLE"),
    ("a tab after the code", at("Composition", "type", "coding", 0, "code", to="866144008\t"),
     "PROFILE-TYPECODING-CODE"),
    ("a namespace that is not XHTML", change("Patient", text={
        "status": "generated", "div": "<div>3001749995</div>"}), "PROFILE-TEXT-DIV"),
    ("a document type", change("Patient", text={"status": "generated", "div":
        '<!DOCTYPE div [<!ENTITY a "b">]><div xmlns="http://www.w3.org/1999/xhtml">&a;</div>'}),
     "PROFILE-TEXT-DIV"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make_wrong", "code"),
    [pytest.param(make_wrong, code, id=name) for name, make_wrong, code in OTHERS],
)
def test_what_would_be_lost_or_misread_is_refused(make_wrong: Change, code: str) -> None:
    bundle = tree()
    make_wrong(bundle)
    reading = read(bundle)
    assert reading.note is None
    assert code in codes(reading)


def test_all_faults_are_told_at_once_each_with_its_place() -> None:
    bundle = tree()
    change("Composition", status="amended", language="en")(bundle)
    change("Patient", gender=None)(bundle)
    put_body(bundle, b" ")
    reading = read(bundle, None)
    places = {(issue.code, issue.path) for issue in reading.issues}
    assert places == {
        ("PROFILE-COMPOSITION-STATUS", "Bundle.entry[0].resource.status"),
        ("PROFILE-COMPOSITION-LANGUAGE", "Bundle.entry[0].resource.language"),
        ("PROFILE-PATIENT-GENDER", "Bundle.entry[2].resource.gender"),
        ("TEXT-EMPTY", "Bundle.entry[1].resource.extension[0].valueAttachment.data"),
        ("CONTEXT-MISSING", "Note-Context.source_note_id"),
        ("CONTEXT-MISSING", "Note-Context.version"),
        ("CONTEXT-MISSING", "Note-Context.contact_type"),
    }


# What is accepted


def test_elements_that_are_not_shared_are_left_out_with_a_warning() -> None:
    bundle = tree()
    change("Patient", address=[{"city": "Aalborg"}], telecom=[{"value": "1"}])(bundle)
    append("Organization", "identifier", {"system": "urn:x", "value": "5"})(bundle)
    reading = read(bundle)
    assert accepted(reading) == accepted(read(tree()))
    dropped = {w.path for w in reading.warnings if w.code == "PROFILE-ELEMENT-DROPPED"}
    assert dropped == {
        "Bundle.entry[2].resource.address",
        "Bundle.entry[2].resource.telecom",
        "Bundle.entry[3].resource.identifier[2]",
    }


def test_prefixed_formatting_is_read_and_the_prefix_never_kept() -> None:
    bundle = tree()
    put_body(bundle, "<x:p>Årskontrol <x:b>BT</x:b><x:br/>ok</x:p>".encode())
    assert accepted(read(bundle)).text.html == "<p>Årskontrol <b>BT</b><br/>ok</p>"


def test_plain_text_keeps_its_line_breaks_and_its_less_than() -> None:
    bundle = tree()
    put_body(bundle, b"BT &lt;140/90\r\nKontrol\n\nom 3 mdr")
    reading = read(bundle)
    html = accepted(reading).text.html
    assert html == "BT &lt;140/90<br/>Kontrol<br/><br/>om 3 mdr"
    assert warned(reading) == {"PROFILE-BODY-PLAIN"}


def test_a_document_of_nothing_but_faults_gets_a_readable_answer() -> None:
    bundle = tree()
    bundle["entry"] += [{}] * 50_000
    reading = read(bundle)
    assert codes(reading) == {"PROFILE-OBJECT"}
    assert len(reading.issues) == 100


def test_what_a_qualification_says_beyond_the_authorisation_is_told_as_left_out() -> None:
    bundle = tree()
    qualification = resource(bundle, "Practitioner")["qualification"][0]
    qualification["code"] = {"text": "Speciallæge i almen medicin"}
    reading = read(bundle)
    assert accepted(reading) == accepted(read(tree()))
    assert {(w.code, w.path) for w in reading.warnings} == {
        ("PROFILE-ELEMENT-DROPPED", "Bundle.entry[4].resource.qualification[0].code")
    }


def test_a_title_is_put_before_the_text() -> None:
    bundle = tree()
    attachment(bundle)["title"] = "Kontrol & plan"
    reading = read(bundle)
    assert accepted(reading).text.html.startswith("<p><b>Kontrol &amp; plan</b></p><p>Årskontrol")
    assert warned(reading) == {"PROFILE-ATTACHMENT-TITLE"}


def test_relative_references_resolve_against_their_own_address() -> None:
    text = json.dumps(tree())
    for each in resources(tree()):
        kind, own = each["resourceType"], each["id"]
        text = text.replace(
            f'"fullUrl": "urn:uuid:{own}"', f'"fullUrl": "https://k.dk/{kind}/{own}"'
        )
        text = text.replace(f'"urn:uuid:{own}"', f'"{kind}/{own}"')
    assert accepted(read(json.loads(text))) == accepted(read(tree()))


def test_a_role_alone_is_the_author() -> None:
    author = Author(
        "urn:uuid:9a6fb982-ba4a-41d0-ac09-f04cc51c8f38", (), None, None, role_text="Systembruger"
    )
    assert accepted(read(tree(note(author=author)))).author == author


def test_a_role_outside_the_lists_becomes_text() -> None:
    bundle = tree()
    coding = {"system": "urn:oid:1.2.3", "code": "vikar", "display": "Vikarlæge"}
    resource(bundle, "PractitionerRole")["code"] = [{"coding": [coding]}]
    reading = read(bundle)
    author = accepted(reading).author
    assert author is not None
    assert (author.role, author.role_text) == (None, "Vikarlæge")
    assert warned(reading) == {"PROFILE-ROLE-UNKNOWN"}


def test_a_misspelt_role_is_read_as_the_right_one() -> None:
    bundle = tree()
    resource(bundle, "PractitionerRole")["code"][0]["coding"][0] = {
        "system": ROLE_SYSTEM,
        "code": "sygeplejesekretear",
    }
    author = accepted(read(bundle)).author
    assert author is not None
    assert author.role == "sygeplejesekretaer"


def test_a_persons_other_id_becomes_one_uuid_that_stays() -> None:
    def author_id(value: str) -> str | None:
        bundle = tree()
        resource(bundle, "Practitioner")["identifier"][0] = {"system": "urn:x", "value": value}
        reading = read(bundle)
        assert warned(reading) == {"PROFILE-PERSON-ID-UUID"}
        author = accepted(reading).author
        assert author is not None
        return author.id

    assert author_id("42") == author_id("42") != author_id("43")


def test_times_are_compared_as_instants() -> None:
    bundle = tree()
    resource(bundle, "Observation")["effectiveDateTime"] = "2026-12-10T09:00:00.000Z"
    assert accepted(read(bundle)).created_at == datetime(2026, 12, 10, 9, tzinfo=UTC)


def test_other_versions_of_the_profiles_are_accepted() -> None:
    bundle = tree()
    for version in ("1.0", "1.0.0-trial-use", "1.3.2"):
        resource(bundle, "Composition")["meta"]["profile"] = [f"{PROFILE}|{version}"]
        assert read(bundle).issues == ()


# The context


def test_the_context_carries_what_the_document_cannot() -> None:
    context = {
        "source_note_id": "n-1",
        "version": 3,
        "contact_type": "phone",
        "icpc2": ["T90"],
        "ai_assisted": True,
        "author_name_protected": True,
        "encounter_id": "urn:uuid:0ee2db70-d972-4497-a156-0a8109aaa771",
        "last_entry_at": "2026-12-10T12:00:00+01:00",
        "safety_correction": True,
        "markings": {"do_not_share": True, "delay_until": "2026-12-20T00:00:00+01:00"},
    }
    made = accepted(read(tree(), json.dumps(context).encode()))
    assert (made.source_note_id, made.version, made.contact_type) == ("n-1", 3, "phone")
    assert (made.icpc2, made.ai_assisted, made.author_name_protected) == (("T90",), True, True)
    assert made.encounter_id == context["encounter_id"]
    assert made.last_entry_at == datetime(2026, 12, 10, 12, tzinfo=WINTER)
    assert made.safety_correction
    assert made.markings.do_not_share
    assert made.markings.named == {"do_not_share", "delay_until"}
    assert made.status == "final"


@pytest.mark.parametrize(
    ("context", "code", "path"),
    [
        (b"{", "BODY-MALFORMED", "Note-Context"),
        (b"[]", "BODY-MALFORMED", "Note-Context"),
        (b'{"version": 1, "version": 2}', "BODY-MALFORMED", "Note-Context"),
        (b'{"version": "1"}', "FIELD-TYPE", "Note-Context.version"),
        (b'{"contact_type": "chat"}', "FIELD-TYPE", "Note-Context.contact_type"),
        (b'{"status": "final"}', "FIELD-UNKNOWN", "Note-Context.status"),
        (b'{"last_entry_at": "2026-12-10T12:00:00"}', "TIME-NO-OFFSET",
         "Note-Context.last_entry_at"),
        (b'{"markings": {"secret": true}}', "FIELD-UNKNOWN", "Note-Context.markings.secret"),
        (b'{"version": 1, "contact_type": "phone"}', "CONTEXT-MISSING",
         "Note-Context.source_note_id"),
    ],
)  # fmt: skip
def test_faults_of_the_context_are_named_by_its_header(
    context: bytes, code: str, path: str
) -> None:
    reading = read(tree(), context)
    assert reading.note is None
    assert (code, path) in {(issue.code, issue.path) for issue in reading.issues}


# Anything at all


@pytest.mark.parametrize("octets", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 5000])
def test_a_body_that_is_no_json_object_is_malformed(octets: bytes) -> None:
    reading = read_bundle(octets, CONTEXT)
    assert codes(reading) == {"BODY-MALFORMED"}


def test_another_resource_is_no_document() -> None:
    assert "PROFILE-BUNDLE-RESOURCETYPE" in codes(read({"resourceType": "Patient", "id": "1"}))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every holder and key of a tree."""
    found: list[tuple[Any, Any]] = []
    waiting = [node]
    while waiting:
        value = waiting.pop()
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            found.append((value, key))
            if isinstance(value[key], dict | list):
                waiting.append(value[key])
    return found


@settings(max_examples=200, deadline=timedelta(seconds=2))
@given(st.data())
def test_no_value_anywhere_breaks_the_reader(data: st.DataObject) -> None:
    bundle = tree()
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places(bundle)))
        holder[key] = data.draw(JSON_VALUES)
    reading = read(bundle)
    assert (reading.note is None) == bool(reading.issues)


def test_no_issue_repeats_a_value() -> None:
    bundle = tree()
    secret = "Hemmelig 3001749995"
    for holder, key in places(bundle):
        if isinstance(holder[key], str) and key not in ("resourceType", "fullUrl"):
            holder[key] = secret
    bundle[secret] = 1
    told = repr(read(bundle).issues)
    assert "Hemmelig" not in told
    assert "3001749995" not in told


# The table of rules


def test_every_rule_has_words_and_a_source() -> None:
    rows = sum(len(elements) for elements in STRUCTURE.values())
    assert len(RULES) > rows
    for rule_id, rule in RULES.items():
        assert rule.id == rule_id
        assert rule.id.startswith("PROFILE-")
        assert rule.message_da != rule.message_en
        assert rule.source.startswith("medcom-shared-notes ")
    assert set(RULES) >= WARNINGS


def test_what_could_be_read_is_handed_on_whatever_else_is_wrong() -> None:
    bundle = tree(note())
    whole = read(bundle).legible
    assert (whole.source_note_id, whole.version, whole.status) == ("xmo-4711", 1, "final")
    assert (whole.sor_code, whole.cpr) == ("61741000016007", "3001749995")
    assert whole.completed_at == note().completed_at
    del bundle["type"]
    resource(bundle, "Patient")["name"] = []
    resource(bundle, "Organization")["name"] = "..."
    reading = read(bundle)
    assert reading.note is None
    assert reading.legible == whole


def test_the_place_of_what_was_read_is_one_of_the_document() -> None:
    bundle = tree(note())
    places = read(bundle).legible.places
    assert (places.source_note_id, places.version) == (
        "Note-Context.source_note_id",
        "Note-Context.version",
    )
    assert places.completed_at == "Bundle.entry[0].resource.date"
    resource(bundle, "Organization")["identifier"] = []
    resource(bundle, "Patient")["identifier"][0]["value"] = "3213749995"
    reading = read(bundle)
    assert (reading.legible.sor_code, reading.legible.cpr) == (None, None)
    paths = [issue.path for issue in reading.issues]
    assert {places.sor_code, places.cpr} <= set(paths)


@pytest.mark.parametrize("kind", ["Organization", "Patient", "Composition"])
def test_a_resource_that_is_there_twice_or_never_says_nothing(kind: str) -> None:
    for times in (0, 2):
        bundle = tree(note())
        (entry,) = (each for each in bundle["entry"] if each["resource"]["resourceType"] == kind)
        others = [each for each in bundle["entry"] if each is not entry]
        bundle["entry"] = [entry] * times + others
        legible = read(bundle).legible
        read_of = {
            "Organization": legible.sor_code,
            "Patient": legible.cpr,
            "Composition": legible.completed_at,
        }
        assert [name for name, value in read_of.items() if value is None] == [kind]
        assert legible.version == 1


def test_the_context_is_read_beside_a_body_that_is_no_json() -> None:
    legible = read_bundle(b"{", CONTEXT).legible
    assert (legible.source_note_id, legible.version) == ("xmo-4711", 1)
    assert (legible.sor_code, legible.cpr, legible.completed_at) == (None, None, None)
    legible = read_bundle(b"{}", b"{").legible
    assert (legible.source_note_id, legible.version) == (None, None)
