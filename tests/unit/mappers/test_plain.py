"""A note as plain JSON: read whole, or every fault named at once with its place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from mappers.codes import ROLE_CODES
from mappers.issues import Issue, Reading
from mappers.note import MARKING_NAMES, Author, Markings, NoteText, Organization, Patient
from mappers.practice.fields import Checks
from mappers.practice.markings import read_markings
from mappers.practice.plain import read_plain_note

CPR = "3001749995"
AUTHOR_ID = "urn:uuid:6d2b9a3e-0c5f-4d0a-9a53-0d3a8f6a1b11"
NOTE: dict[str, Any] = {
    "source_note_id": "xmo-4711",
    "version": 1,
    "status": "final",
    "patient": {
        "cpr": CPR,
        "given": ["Niels", "Test"],
        "family": "Vendelboe",
        "birth_date": "1974-01-30",
        "gender": "male",
    },
    "organization": {
        "sor": "61741000016007",
        "provider_number": "077410",
        "name": "Lægerne Hasseris Bymidte",
    },
    "author": {
        "id": AUTHOR_ID,
        "given": ["Sidsel"],
        "family": "Andersen",
        "role": "speciallaegeipraksis",
        "authorization_id": "ZTA01",
    },
    "author_name_protected": False,
    "encounter_id": "urn:uuid:6D2B9A3E-0C5F-4D0A-9A53-0D3A8F6A1B12",
    "contact_type": "consultation",
    "icpc2": ["T90"],
    "ai_assisted": False,
    "created_at": "2026-12-10T10:00:00+01:00",
    "ended_at": None,
    "completed_at": "2026-12-10T10:12:00+01:00",
    "last_entry_at": None,
    "safety_correction": False,
    "text": {"content_type": "text/html", "html": "<p>Årskontrol: BT 138/82 mmHg</p>"},
    "markings": {
        "do_not_share": False,
        "hide_from_professionals": False,
        "third_party_confidential": False,
        "delay_until": None,
        "hide_from_patient": None,
        "hide_from_guardian": False,
        "sensitive": [],
        "guardian_ok": False,
        "patient_confirmed_feed": False,
    },
}
LEAST = {
    "source_note_id": "1",
    "version": 1,
    "status": "draft",
    "patient": NOTE["patient"],
    "organization": {"sor": "61741000016007", "name": "Lægerne"},
    "contact_type": "phone",
    "created_at": "2026-12-10T09:00:00Z",
    "completed_at": "2026-12-10T09:00:00Z",
    "text": {"html": "a"},
}
ABSENT = object()
READ = ("source_note_id", "version", "status", "completed_at", "sor_code", "cpr")


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    note = copy.deepcopy(NOTE)
    for place, value in changes:
        *parents, last = place.split(".")
        target = note
        for parent in parents:
            target = target[parent]
        if value is ABSENT:
            del target[last]
        else:
            target[last] = value
    return note


def read(note: Any) -> Reading:
    reading = read_plain_note(json.dumps(note, ensure_ascii=False).encode())
    assert (reading.note is None) == bool(reading.issues)
    return reading


def faults(note: Any) -> list[tuple[str, str]]:
    return [(issue.code, issue.path) for issue in read(note).issues]


def test_the_example_is_read_whole() -> None:
    reading = read(NOTE)
    assert reading.issues == reading.warnings == ()
    note = reading.note
    assert note is not None
    assert note.source_note_id == "xmo-4711"
    assert (note.version, note.status, note.contact_type) == (1, "final", "consultation")
    assert note.patient == Patient(CPR, ("Niels", "Test"), "Vendelboe", date(1974, 1, 30), "male")
    assert note.organization == Organization("61741000016007", "077410", "Lægerne Hasseris Bymidte")
    assert note.author == Author(
        AUTHOR_ID, ("Sidsel",), "Andersen", "speciallaegeipraksis", None, "ZTA01"
    )
    assert note.encounter_id == "urn:uuid:6d2b9a3e-0c5f-4d0a-9a53-0d3a8f6a1b12"
    assert note.icpc2 == ("T90",)
    assert note.created_at.isoformat() == "2026-12-10T10:00:00+01:00"
    assert note.completed_at.isoformat() == "2026-12-10T10:12:00+01:00"
    assert note.ended_at is note.last_entry_at is None
    assert note.text == NoteText("text/html", "<p>Årskontrol: BT 138/82 mmHg</p>")
    assert note.markings == Markings(named=frozenset(MARKING_NAMES))


def test_what_may_be_left_out_has_the_defaults_of_the_example() -> None:
    note = read(LEAST).note
    assert note is not None
    assert note.author is None
    assert (note.encounter_id, note.organization.provider_number) == (None, None)
    assert note.icpc2 == ()
    assert note.markings == Markings()
    assert True not in (note.author_name_protected, note.ai_assisted, note.safety_correction)


def test_markings_are_read_and_the_named_ones_remembered() -> None:
    marks = {
        "do_not_share": True,
        "delay_until": "2027-01-02T08:00:00+01:00",
        "hide_from_patient": {"basis": "SL37_4_PRE2010"},
        "sensitive": ["PSY", "DV"],
    }
    note = read(changed(("markings", marks))).note
    assert note is not None
    assert note.markings == Markings(
        do_not_share=True,
        delay_until=datetime.fromisoformat("2027-01-02T08:00:00+01:00"),
        hide_from_patient="SL37_4_PRE2010",
        sensitive=("PSY", "DV"),
        named=frozenset(marks),
    )


def test_a_basis_that_the_law_lacks_is_kept_for_the_decision() -> None:
    note = read(changed(("markings.hide_from_patient", {"basis": "OTHER"}))).note
    assert note is not None
    assert note.markings.hide_from_patient == "OTHER"


def test_in_a_merge_patch_null_clears() -> None:
    checks = Checks()
    markings = read_markings(
        checks, {"do_not_share": None, "sensitive": None, "guardian_ok": True}, null_clears=True
    )
    assert checks.issues == []
    assert markings == Markings(
        guardian_ok=True, named=frozenset({"do_not_share", "sensitive", "guardian_ok"})
    )


@pytest.mark.parametrize(
    "text",
    [
        {"content_type": "text/plain", "text": "BT <140/90\nog > 60"},
        {"content_type": "text/plain", "html": "BT <140/90\nog > 60"},
    ],
)
def test_plain_text_becomes_html(text: dict[str, str]) -> None:
    note = read(changed(("text", text))).note
    assert note is not None
    assert note.text == NoteText("text/html", "BT &lt;140/90<br/>og &gt; 60")


def test_flattened_formatting_is_a_warning_and_no_fault() -> None:
    reading = read(changed(("text.html", "<ul><li>a</li></ul>")))
    assert reading.note is not None
    assert reading.note.text.html == "- a"
    assert [(w.code, w.path) for w in reading.warnings] == [("FORMAT-FLATTENED", "$.text.html")] * 2


@pytest.mark.parametrize("role", sorted(ROLE_CODES))
def test_every_role_of_both_systems_is_known(role: str) -> None:
    note = read(changed(("author.role", role))).note
    assert note is not None
    assert note.author is not None
    assert note.author.role == role


def test_a_misspelt_role_is_put_right() -> None:
    note = read(changed(("author.role", "pyskolog"))).note
    assert note is not None
    assert note.author is not None
    assert note.author.role == "psykolog"


def test_an_author_may_be_known_by_role_text_alone() -> None:
    note = read(changed(("author", {"role_text": "Klinikpersonale"}))).note
    assert note is not None
    assert note.author == Author(None, (), None, None, "Klinikpersonale", None)


def dumped(note: Any) -> bytes:
    return json.dumps(note, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"a"',
        dumped(NOTE) + b"x",
        b"\xef\xbb\xbf" + dumped(NOTE),
        dumped(NOTE).decode().encode("utf-16"),
        dumped(NOTE).replace("Å".encode(), b"\xc5"),
        dumped(NOTE).replace(b'"version": 1', b'"version": NaN'),
        dumped(NOTE).replace(b'"version": 1', b'"version": Infinity'),
        dumped(NOTE).replace(b'"version": 1', b'"version": 1, "version": 1'),
        dumped(NOTE).replace(b'"version": 1', b'"version" : 1, "ver\\u0073ion"\t: 2'),
        dumped(NOTE).replace(b'"cpr": ', b'"cpr":"0101010101","cpr"\n: '),
        dumped(NOTE).replace(b"BT", b"\\ud800"),
        dumped(NOTE).replace(b"BT", b"\xed\xa0\x80"),
        dumped(NOTE).replace(b"BT", b"\\u0000"),
        dumped(NOTE).replace(b"BT", b"\x00"),
        dumped(NOTE).replace(b'"icpc2": ["T90"]', b'"icpc2": [{"\\u0000": 1}]'),
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'{"a":' * 900 + b'{"b":1,"b":2}' + b"}" * 900,
    ],
)
def test_what_is_no_single_json_object_is_malformed(body: bytes) -> None:
    reading = read_plain_note(body)
    assert [issue.code for issue in reading.issues] == ["BODY-MALFORMED"]
    assert reading.issues[0].path == "$"
    assert CPR not in repr(reading)


@pytest.mark.parametrize("html", ['a": b', '"x" : {"x":1, "x":2}', "a\\u0000", '\\":'])
def test_a_text_that_looks_like_json_is_no_fault(html: str) -> None:
    assert read(changed(("text.html", html))).note is not None


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        ("sorce_note_id", "1", "FIELD-UNKNOWN"),
        ("patient.navn", "1", "FIELD-UNKNOWN"),
        ("organization.cvr", "1", "FIELD-UNKNOWN"),
        ("author.title", "1", "FIELD-UNKNOWN"),
        ("text.language", "da", "FIELD-UNKNOWN"),
        ("markings.hide", True, "FIELD-UNKNOWN"),
        ("source_note_id", 4711, "FIELD-TYPE"),
        ("source_note_id", "", "FIELD-TYPE"),
        ("source_note_id", "  ", "FIELD-TYPE"),
        ("source_note_id", "a\nb", "FIELD-TYPE"),
        ("source_note_id", "a" * 1001, "FIELD-TYPE"),
        ("source_note_id", None, "FIELD-TYPE"),
        ("version", "1", "FIELD-TYPE"),
        ("version", True, "FIELD-TYPE"),
        ("version", 0, "FIELD-TYPE"),
        ("version", 1.0, "FIELD-TYPE"),
        ("version", 2**31, "FIELD-TYPE"),
        ("version", 10**30, "FIELD-TYPE"),
        ("status", "withdrawn", "FIELD-TYPE"),
        ("status", ["final"], "FIELD-TYPE"),
        ("patient", [], "FIELD-TYPE"),
        ("patient", None, "FIELD-TYPE"),
        ("patient.cpr", 3001749995, "FIELD-TYPE"),
        ("patient.given", "Niels", "FIELD-TYPE"),
        ("patient.given", [1], "FIELD-TYPE"),
        ("patient.family", ["A"], "FIELD-TYPE"),
        ("patient.birth_date", "1974-02-30", "FIELD-TYPE"),
        ("patient.birth_date", "30-01-1974", "FIELD-TYPE"),
        ("patient.birth_date", "1974-01-30T00:00:00Z", "FIELD-TYPE"),
        ("patient.gender", 1, "FIELD-TYPE"),
        ("organization", "x", "FIELD-TYPE"),
        ("organization.sor", 61741000016007, "FIELD-TYPE"),
        ("organization.provider_number", 77410, "FIELD-TYPE"),
        ("organization.name", 1, "FIELD-TYPE"),
        ("author", "Sidsel", "FIELD-TYPE"),
        ("author.id", 1, "FIELD-TYPE"),
        ("author.role", 1, "FIELD-TYPE"),
        ("author.role", [], "FIELD-TYPE"),
        ("author.authorization_id", "", "FIELD-TYPE"),
        ("author_name_protected", "false", "FIELD-TYPE"),
        ("author_name_protected", None, "FIELD-TYPE"),
        ("encounter_id", 1, "FIELD-TYPE"),
        ("contact_type", "visit", "FIELD-TYPE"),
        ("icpc2", "T90", "FIELD-TYPE"),
        ("icpc2", [1], "FIELD-TYPE"),
        ("icpc2", None, "FIELD-TYPE"),
        ("ai_assisted", 1, "FIELD-TYPE"),
        ("created_at", 1, "FIELD-TYPE"),
        ("created_at", "2026-12-10", "FIELD-TYPE"),
        ("created_at", "2026-02-30T10:00:00+01:00", "FIELD-TYPE"),
        ("created_at", "2026-12-10T24:30:00+01:00", "FIELD-TYPE"),
        ("created_at", "2026-12-10 10:00:00+01:00", "FIELD-TYPE"),
        ("created_at", "2026-12-10T10:00:00+15:00", "FIELD-TYPE"),
        ("created_at", "0001-01-01T00:00:00+01:00", "FIELD-TYPE"),
        ("created_at", None, "FIELD-TYPE"),
        ("ended_at", False, "FIELD-TYPE"),
        ("safety_correction", 0, "FIELD-TYPE"),
        ("text", "<p>a</p>", "FIELD-TYPE"),
        ("text.content_type", "text/rtf", "FIELD-TYPE"),
        ("text.content_type", [], "FIELD-TYPE"),
        ("text.html", 1, "FIELD-TYPE"),
        ("text.html", None, "FIELD-TYPE"),
        ("text.text", "a", "FIELD-TYPE"),
        ("markings", [], "FIELD-TYPE"),
        ("markings", None, "FIELD-TYPE"),
        ("markings.do_not_share", "yes", "FIELD-TYPE"),
        ("markings.sensitive", {}, "FIELD-TYPE"),
        ("markings.hide_from_patient", True, "FIELD-TYPE"),
        ("source_note_id", ABSENT, "FIELD-MISSING"),
        ("version", ABSENT, "FIELD-MISSING"),
        ("status", ABSENT, "FIELD-MISSING"),
        ("patient", ABSENT, "FIELD-MISSING"),
        ("patient.cpr", ABSENT, "FIELD-MISSING"),
        ("patient.given", ABSENT, "FIELD-MISSING"),
        ("patient.family", ABSENT, "FIELD-MISSING"),
        ("patient.birth_date", ABSENT, "FIELD-MISSING"),
        ("patient.gender", ABSENT, "FIELD-MISSING"),
        ("organization", ABSENT, "FIELD-MISSING"),
        ("organization.sor", ABSENT, "FIELD-MISSING"),
        ("organization.name", ABSENT, "FIELD-MISSING"),
        ("contact_type", ABSENT, "FIELD-MISSING"),
        ("created_at", ABSENT, "FIELD-MISSING"),
        ("completed_at", ABSENT, "FIELD-MISSING"),
        ("text", ABSENT, "FIELD-MISSING"),
        ("text.html", ABSENT, "FIELD-MISSING"),
        ("created_at", "2026-12-10T10:00:00", "TIME-NO-OFFSET"),
        ("completed_at", "2026-12-10T10:12", "TIME-NO-OFFSET"),
        ("ended_at", "2026-12-10T10:12:00", "TIME-NO-OFFSET"),
        ("last_entry_at", "2026-12-10T10:12:00.5", "TIME-NO-OFFSET"),
        ("markings.delay_until", "2027-01-01T00:00:00", "TIME-NO-OFFSET"),
        ("patient.cpr", "300174-9995", "CPR-INVALID"),
        ("patient.cpr", "3013749995", "CPR-INVALID"),
        ("patient.cpr", "", "CPR-INVALID"),
        ("patient.cpr", "٣٠٠١٧٤٩٩٩٥", "CPR-INVALID"),
        ("patient.cpr", "9001749995", "P-REJ-IDENTITY"),
        ("patient.cpr", "3001740AB1", "P-REJ-IDENTITY"),
        ("completed_at", "2026-12-10T09:59:59+01:00", "P-REJ-INVALID"),
        ("completed_at", "2026-12-10T10:30:00+02:00", "P-REJ-INVALID"),
        ("ended_at", "2026-12-10T09:59:59+01:00", "P-REJ-INVALID"),
        ("text.html", "<p> </p>", "TEXT-EMPTY"),
        ("organization.sor", "077410", "PROFILE-SOR-DIGITS"),
        ("organization.sor", "6174100001600x", "PROFILE-SOR-DIGITS"),
        ("author.role", "doktor", "PROFILE-ROLE-CODE"),
        ("author.role_text", "Læge", "PROFILE-ROLE-CODE"),
        ("patient.given", [], "PROFILE-NAME"),
        ("patient.family", " ", "PROFILE-NAME"),
        ("patient.family", "....", "PROFILE-NAME"),
        ("organization.name", "", "PROFILE-NAME"),
        ("author.family", "-", "PROFILE-NAME"),
        ("author.family", ABSENT, "PROFILE-NAME"),
        ("author.given", ABSENT, "PROFILE-NAME"),
        ("patient.gender", "mand", "PROFILE-GENDER"),
        ("author.id", "6d2b9a3e-0c5f-4d0a-9a53-0d3a8f6a1b11", "PROFILE-UUID"),
        ("encounter_id", "urn:uuid:1", "PROFILE-UUID"),
    ],
)  # fmt: skip
def test_one_fault_gives_one_code_at_its_place(place: str, value: Any, code: str) -> None:
    assert faults(changed((place, value))) == [(code, f"$.{place}")]


@pytest.mark.parametrize(
    ("place", "value", "code", "path"),
    [
        ("patient.given", ["Niels", ""], "PROFILE-NAME", "$.patient.given[1]"),
        ("markings.sensitive", ["PSY", "X"], "FIELD-TYPE", "$.markings.sensitive[1]"),
        ("markings.hide_from_patient", {}, "FIELD-MISSING", "$.markings.hide_from_patient.basis"),
        (
            "markings.hide_from_patient",
            {"basis": "A", "why": "x"},
            "FIELD-UNKNOWN",
            "$.markings.hide_from_patient.why",
        ),
        ("author", {}, "PROFILE-NAME", "$.author.family"),
        (
            "text.html",
            "<p>a</p>\n<b onclick='x()'>b</b>",
            "HTML-ACTIVE-CONTENT",
            "$.text.html@line 2 column 1",
        ),
        ("patient.3001749995", 1, "FIELD-UNKNOWN", "$.patient.*"),
    ],
)
def test_a_fault_inside_a_value_is_placed_there(
    place: str, value: Any, code: str, path: str
) -> None:
    assert faults(changed((place, value))) == [(code, path)]


def test_a_draft_may_be_completed_before_it_is_created() -> None:
    note = changed(("status", "draft"), ("completed_at", "2026-12-10T09:00:00+01:00"))
    assert faults(note) == []


def test_an_unknown_field_comes_with_the_nearest_name() -> None:
    (issue,) = read(changed(("sorce_note_id", "1"))).issues
    assert "Did you mean source_note_id?" in issue.message_en
    assert "Mente du source_note_id?" in issue.message_da


def every_fault() -> dict[str, Any]:
    return changed(
        ("extra", 1),
        ("version", 0),
        ("source_note_id", ABSENT),
        ("status", "done"),
        ("patient.cpr", "9999999999"),
        ("patient.family", ""),
        ("patient.birth_date", "x"),
        ("patient.gender", "m"),
        ("organization.sor", "1"),
        ("author.role", "doktor"),
        ("author.id", "x"),
        ("created_at", "2026-12-10T10:00:00"),
        ("ended_at", "igår"),
        ("text.html", "<script>hemmeligt</script><object data='x'></object>"),
        ("markings.do_not_share", 1),
    )


def test_all_faults_are_told_at_once() -> None:
    assert sorted(faults(every_fault())) == sorted(
        [
            ("FIELD-UNKNOWN", "$.extra"),
            ("FIELD-TYPE", "$.version"),
            ("FIELD-MISSING", "$.source_note_id"),
            ("FIELD-TYPE", "$.status"),
            ("CPR-INVALID", "$.patient.cpr"),
            ("PROFILE-NAME", "$.patient.family"),
            ("FIELD-TYPE", "$.patient.birth_date"),
            ("PROFILE-GENDER", "$.patient.gender"),
            ("PROFILE-SOR-DIGITS", "$.organization.sor"),
            ("PROFILE-ROLE-CODE", "$.author.role"),
            ("PROFILE-UUID", "$.author.id"),
            ("TIME-NO-OFFSET", "$.created_at"),
            ("FIELD-TYPE", "$.ended_at"),
            ("HTML-ACTIVE-CONTENT", "$.text.html@line 1 column 1"),
            ("HTML-ACTIVE-CONTENT", "$.text.html@line 1 column 27"),
            ("FIELD-TYPE", "$.markings.do_not_share"),
        ]
    )


def test_an_empty_object_names_every_required_field() -> None:
    assert {path for code, path in faults({}) if code == "FIELD-MISSING"} == {
        f"$.{name}" for name in LEAST
    }


def test_no_issue_repeats_what_was_sent() -> None:
    for issue in read(every_fault()).issues:
        told = json.dumps(issue.to_json(), ensure_ascii=False)
        for value in ("9999999999", "hemmeligt", "igår", "doktor", "Niels", "done"):
            assert value not in told
        assert_speaks_both_languages(issue)


def assert_speaks_both_languages(issue: Issue) -> None:
    assert issue.rule
    assert issue.message_da
    assert issue.message_en
    assert issue.message_da != issue.message_en


def test_reading_is_a_function_of_the_bytes() -> None:
    reader: Callable[[bytes], Reading] = read_plain_note
    body = dumped(NOTE)
    assert reader(body) == reader(body)


def test_what_could_be_read_is_handed_on_whatever_else_is_wrong() -> None:
    whole = read(NOTE).legible
    assert (whole.source_note_id, whole.version, whole.status) == ("xmo-4711", 1, "final")
    assert (whole.sor_code, whole.cpr) == ("61741000016007", CPR)
    assert whole.completed_at == datetime.fromisoformat(NOTE["completed_at"])
    for place in ("organization.name", "patient.family", "patient.birth_date", "text", "author"):
        assert read(changed((place, 7))).legible == whole


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ("source_note_id", "source_note_id"),
        ("version", "version"),
        ("status", "status"),
        ("completed_at", "completed_at"),
        ("organization.sor", "sor_code"),
        ("patient.cpr", "cpr"),
    ],
)
@pytest.mark.parametrize("value", [ABSENT, "", [], -1])
def test_what_is_wrong_by_itself_was_not_read(place: str, field: str, value: Any) -> None:
    reading = read(changed((place, value)))
    legible = reading.legible
    assert [name for name in READ if getattr(legible, name) is None] == [field]
    assert f"$.{place}" in [issue.path for issue in reading.issues]
    if field != "status":
        # A fault found elsewhere is pinned to the same place.
        assert getattr(legible.places, field) == f"$.{place}"


def test_of_a_body_that_is_no_json_nothing_was_read() -> None:
    legible = read_plain_note(b"{").legible
    assert (legible.source_note_id, legible.version, legible.sor_code) == (None, None, None)
