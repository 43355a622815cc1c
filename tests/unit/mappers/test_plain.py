"""Plain JSON notes: a right one is read whole, each fault is told with place and remedy."""

from __future__ import annotations

import copy
import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappers.issues import Issue, Reading
from mappers.note import (
    Author,
    JournalNote,
    Markings,
    NoteText,
    Organization,
    Patient,
    note_from_bytes,
    note_to_bytes,
)
from mappers.practice.plain import NOTE_FIELDS, read_plain_note

Json = dict[str, Any]

WINTER = timezone(timedelta(hours=1))
AUTHOR_ID = "urn:uuid:0ee2db70-d972-4497-a156-0a8109aaa771"
GONE = object()
"""Removes the field."""

EXAMPLE: Json = {
    "source_note_id": "xmo-4711",
    "version": 1,
    "status": "final",
    "patient": {
        "cpr": "3001749995",
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
    "encounter_id": "urn:uuid:9a6fb982-ba4a-41d0-ac09-f04cc51c8f38",
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


def changed(dotted: str, value: Any) -> Json:
    """The example with one value put at a dotted path."""
    body = copy.deepcopy(EXAMPLE)
    *way, last = dotted.split(".")
    holder = body
    for step in way:
        holder = holder[step]
    if value is GONE:
        del holder[last]
    else:
        holder[last] = value
    return body


def read(body: Json) -> Reading:
    return read_plain_note(json.dumps(body, ensure_ascii=False).encode())


def accepted(body: Json) -> JournalNote:
    reading = read(body)
    assert reading.issues == ()
    assert reading.note is not None
    return reading.note


def only_issue(reading: Reading) -> Issue:
    assert reading.note is None
    [issue] = reading.issues
    return issue


# What is accepted


def test_the_example_of_the_design_is_read_whole() -> None:
    assert accepted(EXAMPLE) == JournalNote(
        source_note_id="xmo-4711",
        version=1,
        status="final",
        patient=Patient("3001749995", ("Niels", "Test"), "Vendelboe", date(1974, 1, 30), "male"),
        organization=Organization("61741000016007", "077410", "Lægerne Hasseris Bymidte"),
        author=Author(AUTHOR_ID, ("Sidsel",), "Andersen", "speciallaegeipraksis", None, "ZTA01"),
        author_name_protected=False,
        encounter_id="urn:uuid:9a6fb982-ba4a-41d0-ac09-f04cc51c8f38",
        contact_type="consultation",
        icpc2=("T90",),
        ai_assisted=False,
        created_at=datetime(2026, 12, 10, 10, 0, tzinfo=WINTER),
        ended_at=None,
        completed_at=datetime(2026, 12, 10, 10, 12, tzinfo=WINTER),
        last_entry_at=None,
        safety_correction=False,
        text=NoteText("text/html", "<p>Årskontrol: BT 138/82 mmHg</p>"),
        markings=Markings(named=frozenset(EXAMPLE["markings"])),
    )
    assert read(EXAMPLE).warnings == ()


REQUIRED = {
    "source_note_id", "version", "status", "patient", "organization", "contact_type",
    "created_at", "completed_at", "text",
}  # fmt: skip


def test_the_required_fields_are_enough() -> None:
    least = {name: value for name, value in EXAMPLE.items() if name in REQUIRED}
    least["organization"] = {"sor": "61741000016007", "name": "Klinikken"}
    note = accepted(least)
    assert note.author is None
    assert note.markings == Markings()
    assert note.organization.provider_number is None
    assert (note.encounter_id, note.icpc2, note.ai_assisted) == (None, (), False)


@pytest.mark.parametrize(
    "name",
    sorted(
        NOTE_FIELDS
        - REQUIRED
        - {"author_name_protected", "ai_assisted", "safety_correction", "icpc2", "markings"}
    ),
)
def test_an_optional_value_may_be_null(name: str) -> None:  # fmt: skip
    assert getattr(accepted(changed(name, None)), name) is None


def test_every_field_reaches_the_note() -> None:
    body = copy.deepcopy(EXAMPLE) | {
        "author_name_protected": True,
        "ai_assisted": True,
        "safety_correction": True,
        "ended_at": "2026-12-10T10:20:00Z",
        "last_entry_at": "2026-12-10T11:00:00+01:00",
        "status": "draft",
        "contact_type": "e_consultation",
    }
    body["markings"] = {
        "do_not_share": True,
        "delay_until": "2026-12-20T08:00:00+01:00",
        "hide_from_patient": {"basis": "SL37_4_PRE2010"},
        "sensitive": ["PSY", "HIV"],
    }
    note = accepted(body)
    assert (note.author_name_protected, note.ai_assisted, note.safety_correction) == (
        True, True, True,
    )  # fmt: skip
    assert note.ended_at == datetime(2026, 12, 10, 10, 20, tzinfo=UTC)
    assert note.last_entry_at == datetime(2026, 12, 10, 11, tzinfo=WINTER)
    assert (note.status, note.contact_type) == ("draft", "e_consultation")
    assert note.markings == Markings(
        do_not_share=True,
        delay_until=datetime(2026, 12, 20, 8, tzinfo=WINTER),
        hide_from_patient="SL37_4_PRE2010",
        sensitive=("PSY", "HIV"),
        named=frozenset({"do_not_share", "delay_until", "hide_from_patient", "sensitive"}),
    )


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2026-12-10T10:00+01:00", datetime(2026, 12, 10, 10, tzinfo=WINTER)),
        ("2026-12-10T09:00:00Z", datetime(2026, 12, 10, 9, tzinfo=UTC)),
        (
            "2026-12-10T10:00:00.123456789+01:00",
            datetime(2026, 12, 10, 10, 0, 0, 123456, tzinfo=WINTER),
        ),
        ("2026-12-10T04:00:00-05:00", datetime(2026, 12, 10, 9, tzinfo=UTC)),
    ],
)
def test_a_time_keeps_its_instant(written: str, read_as: datetime) -> None:
    assert accepted(changed("created_at", written)).created_at == read_as


@pytest.mark.parametrize("text", [
    {"content_type": "text/plain", "html": "BT <140/90\r\nlinje 2"},
    {"content_type": "text/plain", "text": "BT <140/90\r\nlinje 2"},
])  # fmt: skip
def test_plain_text_is_turned_into_html(text: Json) -> None:
    note = accepted(changed("text", text))
    assert note.text == NoteText("text/html", "BT &lt;140/90<br/>linje 2")


def test_flattened_formatting_is_told_as_a_warning() -> None:
    reading = read(changed("text.html", "<h1>Plan</h1>kontrol"))
    assert reading.note is not None
    assert reading.note.text.html == "Plan<br/>kontrol"
    assert [(w.code, w.path) for w in reading.warnings] == [("FORMAT-FLATTENED", "$.text.html")]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("pyskolog", "psykolog"),
        ("sygeplejesekretear", "sygeplejesekretaer"),
        ("socialogsundhedsmehjaelper", "socialogsundhedsmedhjaelper"),
        ("laege", "laege"),
    ],
)
def test_a_misspelt_role_is_read_and_never_kept(written: str, kept: str) -> None:
    author = accepted(changed("author.role", written)).author
    assert author is not None
    assert author.role == kept


def test_an_author_may_be_a_role_without_a_name() -> None:
    author = accepted(changed("author", {"role_text": "Systembruger"})).author
    assert author == Author(None, (), None, None, role_text="Systembruger")


def test_uuids_are_kept_in_lower_case() -> None:
    author = accepted(changed("author.id", AUTHOR_ID.upper().replace("URN:UUID", "urn:uuid")))
    assert author.author is not None
    assert author.author.id == AUTHOR_ID


def test_a_draft_may_not_be_complete_in_time_yet() -> None:
    body = changed("completed_at", "2026-12-10T09:00:00+01:00") | {"status": "draft"}
    assert accepted(body).status == "draft"


# One fault, one code, one place


FAULTS: list[tuple[str, Any, str, str]] = [
    # FIELD-UNKNOWN
    ("sorce_note_id", "x", "FIELD-UNKNOWN", "$.sorce_note_id"),
    ("patient.name", "x", "FIELD-UNKNOWN", "$.patient.name"),
    ("organization.sor_code", "x", "FIELD-UNKNOWN", "$.organization.sor_code"),
    ("author.title", "x", "FIELD-UNKNOWN", "$.author.title"),
    ("text.body", "x", "FIELD-UNKNOWN", "$.text.body"),
    ("markings.secret", True, "FIELD-UNKNOWN", "$.markings.secret"),
    ("markings.hide_from_patient", {"basis": "x", "why": "y"}, "FIELD-UNKNOWN",
     "$.markings.hide_from_patient.why"),
    # FIELD-TYPE
    ("source_note_id", 4711, "FIELD-TYPE", "$.source_note_id"),
    ("source_note_id", "", "FIELD-TYPE", "$.source_note_id"),
    ("source_note_id", "a\nb", "FIELD-TYPE", "$.source_note_id"),
    ("source_note_id", "x" * 1001, "FIELD-TYPE", "$.source_note_id"),
    ("source_note_id", None, "FIELD-TYPE", "$.source_note_id"),
    ("version", "1", "FIELD-TYPE", "$.version"),
    ("version", 0, "FIELD-TYPE", "$.version"),
    ("version", 1.5, "FIELD-TYPE", "$.version"),
    ("version", True, "FIELD-TYPE", "$.version"),
    ("version", 2**31, "FIELD-TYPE", "$.version"),
    ("status", "withdrawn", "FIELD-TYPE", "$.status"),
    ("status", ["final"], "FIELD-TYPE", "$.status"),
    ("patient", [], "FIELD-TYPE", "$.patient"),
    ("patient", None, "FIELD-TYPE", "$.patient"),
    ("patient.cpr", 3001749995, "FIELD-TYPE", "$.patient.cpr"),
    ("patient.given", "Niels", "FIELD-TYPE", "$.patient.given"),
    ("patient.given", [1], "FIELD-TYPE", "$.patient.given"),
    ("patient.birth_date", "30-01-1974", "FIELD-TYPE", "$.patient.birth_date"),
    ("patient.birth_date", "1974-02-30", "FIELD-TYPE", "$.patient.birth_date"),
    ("patient.gender", 1, "FIELD-TYPE", "$.patient.gender"),
    ("organization.name", 1, "FIELD-TYPE", "$.organization.name"),
    ("organization.provider_number", 77410, "FIELD-TYPE", "$.organization.provider_number"),
    ("author", "Andersen", "FIELD-TYPE", "$.author"),
    ("author.id", 7, "FIELD-TYPE", "$.author.id"),
    ("author_name_protected", "false", "FIELD-TYPE", "$.author_name_protected"),
    ("ai_assisted", 0, "FIELD-TYPE", "$.ai_assisted"),
    ("safety_correction", None, "FIELD-TYPE", "$.safety_correction"),
    ("contact_type", "chat", "FIELD-TYPE", "$.contact_type"),
    ("icpc2", "T90", "FIELD-TYPE", "$.icpc2"),
    ("icpc2", ["T90", 1], "FIELD-TYPE", "$.icpc2"),
    ("created_at", "2026-12-10", "FIELD-TYPE", "$.created_at"),
    ("created_at", "2026-12-10T25:00:00+01:00", "FIELD-TYPE", "$.created_at"),
    ("created_at", "2026-02-30T10:00:00+01:00", "FIELD-TYPE", "$.created_at"),
    ("created_at", 1765357200, "FIELD-TYPE", "$.created_at"),
    ("completed_at", "i går", "FIELD-TYPE", "$.completed_at"),
    ("text", "Årskontrol", "FIELD-TYPE", "$.text"),
    ("text.content_type", "application/rtf", "FIELD-TYPE", "$.text.content_type"),
    ("text.html", ["a"], "FIELD-TYPE", "$.text.html"),
    ("text.text", "det samme igen", "FIELD-TYPE", "$.text.text"),
    ("markings", [], "FIELD-TYPE", "$.markings"),
    ("markings.do_not_share", "ja", "FIELD-TYPE", "$.markings.do_not_share"),
    ("markings.sensitive", ["PSY", "XYZ"], "FIELD-TYPE", "$.markings.sensitive[1]"),
    ("markings.hide_from_patient", True, "FIELD-TYPE", "$.markings.hide_from_patient"),
    ("markings.delay_until", "i morgen", "FIELD-TYPE", "$.markings.delay_until"),
    # FIELD-MISSING
    *((name, GONE, "FIELD-MISSING", f"$.{name}") for name in sorted(REQUIRED)),
    *((name, GONE, "FIELD-MISSING", f"$.{name}") for name in (
        "patient.cpr", "patient.given", "patient.family", "patient.birth_date",
        "patient.gender", "organization.sor", "organization.name", "text.html")),
    ("markings.hide_from_patient", {}, "FIELD-MISSING", "$.markings.hide_from_patient.basis"),
    # TIME-NO-OFFSET
    ("created_at", "2026-12-10T10:00:00", "TIME-NO-OFFSET", "$.created_at"),
    ("completed_at", "2026-12-10T10:12", "TIME-NO-OFFSET", "$.completed_at"),
    ("ended_at", "2026-12-10T10:12:00", "TIME-NO-OFFSET", "$.ended_at"),
    ("last_entry_at", "2026-12-10T10:12:00", "TIME-NO-OFFSET", "$.last_entry_at"),
    ("markings.delay_until", "2026-12-20T08:00:00", "TIME-NO-OFFSET", "$.markings.delay_until"),
    # CPR-INVALID, P-REJ-IDENTITY
    ("patient.cpr", "300174-9995", "CPR-INVALID", "$.patient.cpr"),
    ("patient.cpr", "3002749995", "CPR-INVALID", "$.patient.cpr"),
    ("patient.cpr", "300174999", "CPR-INVALID", "$.patient.cpr"),
    ("patient.cpr", "", "CPR-INVALID", "$.patient.cpr"),
    ("patient.cpr", "٣٠٠١٧٤٩٩٩٥", "CPR-INVALID", "$.patient.cpr"),
    ("patient.cpr", "9001749995", "P-REJ-IDENTITY", "$.patient.cpr"),
    ("patient.cpr", "3001741AB5", "P-REJ-IDENTITY", "$.patient.cpr"),
    # P-REJ-INVALID
    ("completed_at", "2026-12-10T09:59:59+01:00", "P-REJ-INVALID", "$.completed_at"),
    ("completed_at", "2026-12-10T10:30:00+02:00", "P-REJ-INVALID", "$.completed_at"),
    ("ended_at", "2026-12-10T09:59:59+01:00", "P-REJ-INVALID", "$.ended_at"),
    # TEXT-EMPTY, HTML-ACTIVE-CONTENT
    ("text.html", "", "TEXT-EMPTY", "$.text.html"),
    ("text.html", "<p>&nbsp;</p>", "TEXT-EMPTY", "$.text.html"),
    ("text", {"content_type": "text/plain", "text": " \n"}, "TEXT-EMPTY", "$.text.text"),
    ("text.html", "a<script>x</script>", "HTML-ACTIVE-CONTENT", "$.text.html@line 1 column 2"),
    ("text.html", "a\n<p onclick='x'>b</p>", "HTML-ACTIVE-CONTENT",
     "$.text.html@line 2 column 1"),
    # What plain JSON can break of the profile
    ("organization.sor", "6174100001", "PROFILE-SOR-DIGITS", "$.organization.sor"),
    ("organization.sor", "077410", "PROFILE-SOR-DIGITS", "$.organization.sor"),
    ("organization.sor", "6174100001600a", "PROFILE-SOR-DIGITS", "$.organization.sor"),
    ("organization.name", "...", "PROFILE-NAME", "$.organization.name"),
    ("patient.family", "-", "PROFILE-NAME", "$.patient.family"),
    ("patient.family", "  ", "PROFILE-NAME", "$.patient.family"),
    ("patient.given", [], "PROFILE-NAME", "$.patient.given"),
    ("patient.given", ["Niels", "...."], "PROFILE-NAME", "$.patient.given[1]"),
    ("patient.gender", "mand", "PROFILE-GENDER", "$.patient.gender"),
    ("author.role", "heks", "PROFILE-ROLE-CODE", "$.author.role"),
    ("author.role_text", "læge", "PROFILE-ROLE-CODE", "$.author.role_text"),
    ("author.id", "user-42", "PROFILE-UUID", "$.author.id"),
    ("author.family", GONE, "PROFILE-NAME", "$.author.family"),
    ("author.given", GONE, "PROFILE-NAME", "$.author.given"),
    ("author.given", [], "PROFILE-NAME", "$.author.given"),
    ("author", {}, "PROFILE-NAME", "$.author.family"),
    ("encounter_id", "42", "PROFILE-UUID", "$.encounter_id"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("dotted", "value", "code", "path"),
    FAULTS,
    ids=[f"{at}-{code}-{path}" for at, (_, _, code, path) in enumerate(FAULTS)],
)
def test_one_fault_is_one_issue(dotted: str, value: Any, code: str, path: str) -> None:
    issue = only_issue(read(changed(dotted, value)))
    assert (issue.code, issue.path) == (code, path)
    assert issue.rule
    assert issue.message_da
    assert issue.message_en
    assert issue.message_da != issue.message_en


def test_every_code_of_the_design_that_a_plain_note_can_earn_has_a_case() -> None:
    assert {code for _, _, code, _ in FAULTS} == {
        "FIELD-UNKNOWN", "FIELD-TYPE", "FIELD-MISSING", "TIME-NO-OFFSET", "CPR-INVALID",
        "P-REJ-IDENTITY", "P-REJ-INVALID", "TEXT-EMPTY", "HTML-ACTIVE-CONTENT",
        "PROFILE-SOR-DIGITS", "PROFILE-NAME", "PROFILE-GENDER", "PROFILE-ROLE-CODE",
        "PROFILE-UUID",
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"{}x", b"\xff", b"\xef\xbb\xbf{}", b"[" * 5000,
        b'{"version": NaN}', b'{"version": Infinity}', b'{"version": 1e400}',
        b'{"source_note_id": "\\ud800"}', b'{"source_note_id": "\xed\xa0\x80"}',
        b'{"source_note_id": "a\\u0000b"}', b"{'version': 1}", b'{"version": 1,}',
        b'{"version": 1, "version": 1}', b'{"text": {"html": "a", "html": "b"}}',
        b'{"version": 1, "versio\\u006e": 2}',
        '{"version": 1}'.encode("utf-16"),
    ],
)  # fmt: skip
def test_a_body_that_can_be_read_in_two_ways_or_none_is_malformed(body: bytes) -> None:
    issue = only_issue(read_plain_note(body))
    assert (issue.code, issue.path) == ("BODY-MALFORMED", "$")


def test_all_faults_are_told_at_once() -> None:
    body = copy.deepcopy(EXAMPLE)
    body["version"] = "1"
    body["patient"]["cpr"] = "9001749995"
    body["organization"]["sor"] = "1"
    body["created_at"] = "2026-12-10T10:00:00"
    body["text"]["html"] = "<iframe></iframe>"
    del body["status"]
    body["extra"] = 1
    reading = read(body)
    assert reading.note is None
    assert {(issue.code, issue.path) for issue in reading.issues} == {
        ("FIELD-TYPE", "$.version"),
        ("P-REJ-IDENTITY", "$.patient.cpr"),
        ("PROFILE-SOR-DIGITS", "$.organization.sor"),
        ("TIME-NO-OFFSET", "$.created_at"),
        ("HTML-ACTIVE-CONTENT", "$.text.html@line 1 column 1"),
        ("FIELD-MISSING", "$.status"),
        ("FIELD-UNKNOWN", "$.extra"),
    }


def test_a_nothing_of_a_note_names_every_required_field() -> None:
    reading = read({})
    assert {issue.path for issue in reading.issues} == {f"$.{name}" for name in REQUIRED}
    assert {issue.code for issue in reading.issues} == {"FIELD-MISSING"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("sorce_note_id", "source_note_id"), ("pateint", "patient"), ("createdAt", "created_at")],
)
def test_an_unknown_field_comes_with_the_nearest_name(written: str, meant: str) -> None:
    issue = only_issue(read(changed(written, 1)))
    assert f"Mente du {meant}?" in issue.message_da
    assert f"Did you mean {meant}?" in issue.message_en


def test_a_field_name_that_is_no_plain_word_is_not_repeated() -> None:
    issue = only_issue(read(changed("3001749995 Vendelboe", 1)))
    assert issue.path == "$.*"


def test_lists_of_faults_stay_readable() -> None:
    body = copy.deepcopy(EXAMPLE) | {f"x{chr(97 + at % 26)}{at // 26}": 1 for at in range(500)}
    body["patient"]["given"] = ["."] * 5000
    body["markings"]["sensitive"] = ["?"] * 5000
    assert len(read(body).issues) == 60


def test_no_issue_repeats_what_was_sent() -> None:
    secret = "Hemmelig 3001749995"
    body = copy.deepcopy(EXAMPLE)
    for holder in (body, body["patient"], body["organization"], body["author"], body["markings"]):
        for name in holder:
            if type(holder[name]) is not dict:
                holder[name] = secret
        holder[secret] = secret
    body["text"] = {"content_type": secret, "html": secret, secret: secret}
    told = repr(read(body))
    assert "Hemmelig" not in told
    assert "3001749995" not in told


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False,
                                                               allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner,
                                                                max_size=3),
    max_leaves=6,
)  # fmt: skip
PLACES = [
    (holder, name)
    for holder in ("", "patient", "organization", "author", "text", "markings")
    for name in (EXAMPLE[holder] if holder else EXAMPLE)
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON_VALUES), min_size=1, max_size=3))
def test_whatever_stands_in_a_field_gives_a_note_or_issues(
    changes: list[tuple[tuple[str, str], Any]],
) -> None:
    body = copy.deepcopy(EXAMPLE)
    for (holder, name), value in changes:
        target = body[holder] if holder else body
        if type(target) is dict:
            target[name] = value
    reading = read(body)
    assert (reading.note is None) == bool(reading.issues)
    if reading.note is not None:
        assert note_from_bytes(note_to_bytes(reading.note)) == reading.note


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_whatever_are_answered(body: bytes) -> None:
    reading = read_plain_note(body)
    assert reading.note is None
    assert reading.issues
