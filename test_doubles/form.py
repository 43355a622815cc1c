"""Checks on the form of members, from which each double puts together its own.

A check takes a value of parsed JSON and says whether it has the form. None of
them repeats a value in an error, for values may be CPR numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from test_doubles.clock import parse_instant
from test_doubles.errors import BadRequest
from test_doubles.world import JsonObject, text_member

# Ten places; replacement numbers may hold capitals in the last four.
_CPR_FORM = re.compile(r"[0-9]{6}[0-9A-Z]{4}", re.ASCII)

Check = Callable[[Any], bool]


def cpr_member(document: JsonObject, name: str) -> str:
    """A required member of ten places.

    Raises:
        BadRequest: absent or of another form. The value is not repeated.
    """
    value = text_member(document, name)
    if not _CPR_FORM.fullmatch(value):
        raise BadRequest(f"member {name} must be ten digits")
    return value


def is_text(value: Any) -> bool:
    """A non-empty string."""
    return isinstance(value, str) and bool(value)


def is_flag(value: Any) -> bool:
    """True or false."""
    return isinstance(value, bool)


def is_texts(value: Any) -> bool:
    """A list of non-empty strings."""
    return isinstance(value, list) and all(is_text(v) for v in value)


def is_cpr(value: Any) -> bool:
    """Ten places."""
    return isinstance(value, str) and _CPR_FORM.fullmatch(value) is not None


def is_instant(value: Any) -> bool:
    """An ISO instant with its offset."""
    if not isinstance(value, str):
        return False
    try:
        parse_instant(value)
    except ValueError:
        return False
    return True


def is_date(value: Any) -> bool:
    """An ISO date."""
    if not isinstance(value, str):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def optional(check: Check) -> Check:
    """Null, or what ``check`` takes."""
    return lambda value: value is None or check(value)


def list_of(fields: Mapping[str, Check]) -> Check:
    """A list of objects with exactly these members."""
    return lambda value: isinstance(value, list) and all(fits(v, fields) for v in value)


def fits(value: Any, fields: Mapping[str, Check]) -> bool:
    """Whether ``value`` is an object with exactly these members, each right."""
    return (
        isinstance(value, dict)
        and set(value) == set(fields)
        and all(check(value[name]) for name, check in fields.items())
    )


def misfits(value: JsonObject, fields: Mapping[str, Check]) -> list[str]:
    """Names of the members that are missing, unknown or wrong, in order."""
    return sorted(
        name
        for name in {*value, *fields}
        if name not in fields or name not in value or not fields[name](value[name])
    )
