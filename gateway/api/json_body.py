"""JSON bodies read strictly: one error with a place and a remedy otherwise."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.errors import NoteRejected
from mappers.issues import Issue


def parse_json(body: bytes) -> Any:
    """The parsed body.

    Raises:
        NoteRejected: ``BODY-MALFORMED``, naming line and column.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NoteRejected(
            [
                Issue(
                    "BODY-MALFORMED",
                    f"line {error.lineno} column {error.colno}",
                    "RFC 8259",
                    "Indholdet er ikke gyldig JSON. Ret fejlen på det angivne sted.",
                    "The body is not valid JSON. Correct it at the place given.",
                )
            ]
        ) from error
