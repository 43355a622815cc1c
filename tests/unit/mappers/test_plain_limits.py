"""Plain notes that are strange, huge or hostile: always an answer, always a short one."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappers.issues import Reading
from mappers.note import note_from_bytes, note_to_bytes
from mappers.practice.plain import read_plain_note

Json = dict[str, Any]

NOTE: Json = {
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
    "organization": {"sor": "61741000016007", "provider_number": "077410", "name": "Klinikken"},
    "author": {"given": ["Sidsel"], "family": "Andersen", "role": "laege"},
    "contact_type": "consultation",
    "icpc2": ["T90"],
    "created_at": "2026-12-10T10:00:00+01:00",
    "ended_at": None,
    "completed_at": "2026-12-10T10:12:00+01:00",
    "text": {"content_type": "text/html", "html": "<p>Årskontrol</p>"},
    "markings": {"do_not_share": False, "sensitive": [], "delay_until": None},
}


def read(body: Json) -> Reading:
    return read_plain_note(json.dumps(body, ensure_ascii=False).encode())


def test_lists_of_faults_stay_readable() -> None:
    body = copy.deepcopy(NOTE) | {f"x{chr(97 + at % 26)}{at // 26}": 1 for at in range(500)}
    body["patient"]["given"] = ["."] * 5000
    body["markings"]["sensitive"] = ["?"] * 5000
    assert len(read(body).issues) == 3 * 20


@pytest.mark.parametrize("given_names", [[], None])
def test_a_family_name_alone_is_half_a_name_and_the_remedy_is_told(given_names: Any) -> None:
    body = copy.deepcopy(NOTE)
    body["author"]["given"] = given_names
    [issue] = read(body).issues
    assert (issue.code, issue.path) == ("PROFILE-NAME", "$.author.given")
    assert "role_text" in issue.message_da
    assert "role_text" in issue.message_en


def test_no_issue_repeats_what_was_sent_wherever_it_stands() -> None:
    secret = "Hemmelig 3001749995"
    body = copy.deepcopy(NOTE)
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
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
HOLDERS = ("", "patient", "organization", "author", "text", "markings")
PLACES = [(holder, name) for holder in HOLDERS for name in (NOTE[holder] if holder else NOTE)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON_VALUES), min_size=1, max_size=3))
def test_whatever_stands_in_a_field_gives_a_note_or_issues(
    changes: list[tuple[tuple[str, str], Any]],
) -> None:
    body = copy.deepcopy(NOTE)
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


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * 200_000,
        b"[" * 1_000_000,
        b'{"icpc2": [' + b'"a",' * 250_000 + b'"b"]}',
        b'{"patient": {"given": [' + b'"",' * 330_000 + b'""]}}',
        b"{" + b",".join(b'"k%d":1' % at for at in range(90_000)) + b"}",
        b'{"text": {"html": "' + b'\\":' * 300_000 + b'"}}',
        b'{"text": {"html": "' + b"\\u0001" * 160_000 + b'"}}',
    ],
    ids=range(7),
)
def test_a_megabyte_of_nonsense_is_answered_soon(body: bytes) -> None:
    started = time.process_time()
    reading = read_plain_note(body)
    assert reading.note is None
    assert len(reading.issues) <= 100
    assert time.process_time() - started < 2
