"""JSON bodies read strictly: one error with a place and a remedy otherwise."""

from __future__ import annotations

from typing import Any

from gateway.errors import NoteRejected
from mappers.issues import Issue
from mappers.practice import strict_json


def parse_json(body: bytes) -> Any:
    """The parsed body, understood in one way only: no key twice, no NaN, no NUL.

    Raises:
        NoteRejected: ``BODY-MALFORMED``, naming line and column where they are known.
    """
    parsed = strict_json.parse_json(body)
    if isinstance(parsed, Issue):
        raise NoteRejected([parsed])
    return parsed
