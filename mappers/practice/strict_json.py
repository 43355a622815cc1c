"""Parse JSON so that nothing in it is understood in two ways.

Duplicate keys, NaN, lone surrogates and NUL characters are refused; parsers
differ on them, and what one of them checked another would read otherwise.

Source: RFC 8259, section 4 (names should be unique); I-JSON, RFC 7493, 2.1, 2.3.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, cast

import orjson

from mappers.issues import Issue

_KEY_END: Final = re.compile(rb'"[ \t\r\n]*+:')


class _Duplicate(Exception):
    """Two members of one object share a name."""


def parse_object(body: bytes) -> dict[str, Any] | Issue:
    """Parse one JSON object, or give the issue BODY-MALFORMED.

    Args:
        body: UTF-8 without a byte order mark.
    """
    tree = parse_json(body)
    if isinstance(tree, dict | Issue):
        return tree
    return malformed(
        "design 4: one object",
        "Indholdet skal være ét JSON-objekt.",
        "The body must be one JSON object.",
    )


def parse_json(body: bytes) -> dict[str, Any] | list[Any] | str | float | Issue | None:
    """Parse any JSON text by the same rules as :func:`parse_object`."""
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        return malformed(
            "RFC 8259",
            f"Indholdet er ikke gyldig JSON ({place}). Ret det og send igen.",
            f"The body is not valid JSON ({place}). Correct it and send again.",
        )
    # Each key is followed by a colon; more colons than keys come from a text
    # with a quote in it or from a key that was given twice.
    if len(_KEY_END.findall(body)) != _count_keys(tree) and _has_duplicates(body):
        return malformed(
            "RFC 8259, 4: names are unique",
            "Et felt forekommer to gange i samme objekt. Send det én gang.",
            "A field occurs twice in one object. Send it once.",
        )
    if b"\\u0000" in body and _holds_nul(tree):
        return malformed(
            "medcom-shared-notes 13, 6",
            "Indholdet har et NUL-tegn (\\u0000). Fjern det.",
            "The body has a NUL character (\\u0000). Remove it.",
        )
    return cast("dict[str, Any] | list[Any] | str | float | None", tree)


def malformed(rule: str, message_da: str, message_en: str) -> Issue:
    """Make the issue BODY-MALFORMED about the whole body."""
    return Issue("BODY-MALFORMED", "$", rule, message_da, message_en)


def _count_keys(tree: object) -> int:
    count = 0
    waiting: list[Any] = [[tree]]
    while waiting:  # no recursion: depth is the sender's choice
        value = waiting.pop()
        if type(value) is dict:
            count += len(value)
            value = value.values()
        waiting.extend([each for each in value if type(each) is dict or type(each) is list])
    return count


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Duplicate


def _has_duplicates(body: bytes) -> bool:
    try:
        json.loads(body, object_pairs_hook=_unique, parse_int=str, parse_float=str)
    except (_Duplicate, RecursionError):
        # So deep that it cannot be told is no note either.
        return True
    return False


def _holds_nul(tree: object) -> bool:
    waiting: list[Any] = [tree]
    while waiting:
        value = waiting.pop()
        if type(value) is str:
            if "\x00" in value:
                return True
        elif type(value) is dict:
            waiting.extend(value)
            waiting.extend(value.values())
        elif type(value) is list:
            waiting.extend(value)
    return False
