"""Hold a JSON tree to the table of elements: types, how often, fixed values.

Source: medcom-shared-notes 3 to 10; FHIR R4 JSON (no empty values) and data types.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

from mappers.fhir.elements import DROPPED, STRUCTURE, Element
from mappers.fhir.findings import Findings
from mappers.practice.fields import LONGEST_VALUE

_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_CODE: Final = re.compile(r"\S+(?: \S+)*")
_URI: Final = re.compile(r"\S+")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_FULL_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def full_time(text: object) -> datetime | None:
    """Read a date and time with seconds and zone; fractions beyond microseconds are cut.

    Returns:
        The instant, aware, or None for anything else.

    Source: medcom-shared-notes 11, medcom-datetime-has-time-offset-zulu.
    """
    if not isinstance(text, str) or _FULL_TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def full_date(text: object) -> date | None:
    """Read a full calendar date, or None."""
    if not isinstance(text, str) or _DATE.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def decoded(text: str) -> bytes | None:
    """Decode base64 of the standard alphabet, padded and without line breaks, or None."""
    if not text or _BASE64.fullmatch(text) is None:
        return None
    return b64decode(text)


_PRIMITIVES: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {
        "string": lambda text: (
            bool(text.strip()) and len(text) <= LONGEST_VALUE and _CONTROL.search(text) is None
        ),
        "xhtml": bool,
        "code": lambda text: _CODE.fullmatch(text) is not None,
        "uri": lambda text: _URI.fullmatch(text) is not None,
        "id": lambda text: _ID.fullmatch(text) is not None,
        "full_time": lambda text: full_time(text) is not None,
        "date": lambda text: full_date(text) is not None,
        "base64": lambda text: decoded(text) is not None,
    }
)


@dataclass(frozen=True, slots=True)
class _Row:
    """An element with what follows from it, worked out once."""

    name: str
    element: Element
    rule: str
    is_right: Callable[[str], bool] | None


def check_structure(value: object, kind: str, path: str, findings: Findings) -> None:
    """Check ``value`` against the rows of ``kind``; every breach is noted.

    Args:
        value: parsed JSON, expected to be an object.
        kind: key of :data:`STRUCTURE`.
        path: where ``value`` stands in the Bundle.
        findings: what was found is added here.
    """
    if not isinstance(value, dict) or not value:
        findings.add("PROFILE-OBJECT", path)
        return
    if not value.keys() <= _NAMES[kind]:
        _refuse_unknown(value, kind, path, findings)
    for row in _ROWS[kind]:
        item = value.get(row.name, _ABSENT)
        if item is _ABSENT:
            if row.element.low:
                findings.add(row.rule, f"{path}.{row.name}")
        elif row.element.array:
            _check_array(item, row, f"{path}.{row.name}", findings)
        elif row.is_right is None or not _is_right(item, row):
            _check_value(item, row, f"{path}.{row.name}", findings)


def _refuse_unknown(value: dict[str, Any], kind: str, path: str, findings: Findings) -> None:
    for name in value.keys() - _NAMES[kind]:
        dropped = name in DROPPED.get(kind, ())
        findings.add(
            "PROFILE-ELEMENT-DROPPED" if dropped else "PROFILE-ELEMENT-UNKNOWN",
            f"{path}.{_printable(name)}",
        )


def _check_array(value: object, row: _Row, path: str, findings: Findings) -> None:
    if not isinstance(value, list) or not value:
        findings.add(row.rule, path)
        return
    low, high = row.element.low, row.element.high
    if len(value) < low or (high is not None and len(value) > high):
        findings.add(row.rule, path)
    for at, item in enumerate(value):
        if row.is_right is None or not _is_right(item, row):
            _check_value(item, row, f"{path}[{at}]", findings)


def _is_right(value: object, row: _Row) -> bool:
    fixed = row.element.fixed
    if fixed is not None:
        return value == fixed
    return isinstance(value, str) and row.is_right is not None and row.is_right(value)


def _check_value(value: object, row: _Row, path: str, findings: Findings) -> None:
    """Check an object; a primitive comes here only when it is wrong."""
    if row.is_right is not None:
        findings.add(row.rule, path)
    elif row.element.kind != "any":
        check_structure(value, row.element.kind, path, findings)
    elif not isinstance(value, dict) or not value:
        findings.add(row.rule, path)


_ABSENT: Final = object()
_NAMES: Final = MappingProxyType(
    {kind: frozenset(element.name for element in rows) for kind, rows in STRUCTURE.items()}
)
_ROWS: Final = MappingProxyType(
    {
        kind: tuple(
            _Row(
                name=element.name,
                element=element,
                rule=f"PROFILE-{kind}-{element.name}".upper(),
                is_right=_PRIMITIVES.get(element.kind),
            )
            for element in rows
        )
        for kind, rows in STRUCTURE.items()
    }
)


def _printable(name: str) -> str:
    """Name an unknown key without letting content into an issue."""
    return name if re.fullmatch(r"_?[A-Za-z]{1,40}", name) else "?"
