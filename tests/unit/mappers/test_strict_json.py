"""JSON that could be understood in two ways is refused, and only that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappers.issues import Issue
from mappers.practice.strict_json import parse_json, parse_object

KEYS = st.sampled_from(["a", "b", 'q"', 'x":', "æ", "", "\\", "a:"])
TEXTS = st.sampled_from(["", 'a": 1', '":', '\\":', '","b":', "hej", "{}", '"'])
VALUES = st.recursive(
    TEXTS | st.integers(0, 9) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEYS, inner), max_size=3),
    max_leaves=8,
)


def written(pairs: list[tuple[str, Any]]) -> tuple[str, bool]:
    """JSON text of an object given as pairs, and whether a name occurs twice in one object."""
    parts = []
    twice = len({name for name, _ in pairs}) != len(pairs)
    for name, value in pairs:
        text, inner_twice = value_written(value)
        parts.append(f"{json.dumps(name)} : {text}")
        twice |= inner_twice
    return "{" + ",".join(parts) + "}", twice


def value_written(value: Any) -> tuple[str, bool]:
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return written(value)
    if isinstance(value, list):
        inner = [value_written(each) for each in value]
        return "[" + ",".join(text for text, _ in inner) + "]", any(twice for _, twice in inner)
    return json.dumps(value, ensure_ascii=False), False


@settings(max_examples=500)
@given(st.lists(st.tuples(KEYS, VALUES), max_size=4))
def test_a_name_given_twice_is_found_wherever_it_stands(pairs: list[tuple[str, Any]]) -> None:
    text, twice = written(pairs)
    parsed = parse_object(text.encode())
    assert isinstance(parsed, Issue) == twice
    if not twice:
        assert parsed == json.loads(text)


def test_the_issue_tells_the_place_and_nothing_of_the_content() -> None:
    issue = parse_object(b'{"cpr": "3001749995",\n "x": hemmelig}')
    assert isinstance(issue, Issue)
    assert issue.code == "BODY-MALFORMED"
    assert "line 2 column" in issue.message_da
    assert "line 2 column" in issue.message_en
    assert "3001749995" not in repr(issue)
    assert "hemmelig" not in repr(issue)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "x\\u0000"}',
        b'{"a\\u0000": 1}',
        b'{"a": [{"b": ["\\u0000"]}]}',
        b'{"a": "\\\\u0000 and \\u0000"}',
    ],
)
def test_a_nul_is_refused_wherever_it_stands(body: bytes) -> None:
    assert isinstance(parse_object(body), Issue)


def test_a_backslash_before_a_u_is_no_nul() -> None:
    assert parse_object(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}


def test_nesting_beyond_sense_is_refused_and_not_a_crash() -> None:
    deep = b'{"a":' * 900 + b'"x\\":"' + b"}" * 900
    assert parse_object(deep) is not None
    assert isinstance(parse_object(b'{"a":' * 10_000 + b"1" + b"}" * 10_000), Issue)


@pytest.mark.parametrize("body", [b"null", b"true", b"1", b"1.5", b'"a"', b"[]", b"[1, null]"])
def test_what_is_no_object_is_told_so(body: bytes) -> None:
    issue = parse_object(body)
    assert isinstance(issue, Issue)
    assert issue.code == "BODY-MALFORMED"
    assert parse_json(body) == json.loads(body)
