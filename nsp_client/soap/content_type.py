"""Content-Type headers: media type and parameters, quoted or not.

Source: RFC 2045 section 5.1. Unquoted values may hold what real senders put
there (``=``, ``/``, ``+``, ``:``), and a trailing semicolon does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nsp_client.errors import MalformedMessage


@dataclass(frozen=True, slots=True)
class ContentType:
    """A parsed header; media type and parameter names in lower case, values as they are."""

    media_type: str
    parameters: Mapping[str, str]


def parse_content_type(header: str) -> ContentType:
    """Read a Content-Type header; an empty one gives an empty media type.

    Raises:
        MalformedMessage: a quote that does not end, or the same parameter twice.
    """
    media_type, _, rest = header.partition(";")
    parameters: dict[str, str] = {}
    position = 0
    while position < len(rest):
        name, value, position = _next_parameter(rest, position)
        if not name:
            continue
        if name in parameters:
            raise MalformedMessage("a Content-Type with the same parameter twice")
        parameters[name] = value
    return ContentType(media_type.strip().lower(), parameters)


def _next_parameter(text: str, position: int) -> tuple[str, str, int]:
    """Read one ``name=value`` and the semicolon behind it."""
    semicolon = text.find(";", position)
    equals = text.find("=", position)
    if equals < 0 or 0 <= semicolon < equals:
        end = len(text) if semicolon < 0 else semicolon
        return "", "", end + 1
    name = text[position:equals].strip().lower()
    position = equals + 1
    while position < len(text) and text[position] in " \t":
        position += 1
    if position < len(text) and text[position] == '"':
        value, position = _quoted(text, position + 1)
        semicolon = text.find(";", position)
        return name, value, len(text) if semicolon < 0 else semicolon + 1
    semicolon = text.find(";", position)
    end = len(text) if semicolon < 0 else semicolon
    return name, text[position:end].strip(), end + 1


def _quoted(text: str, position: int) -> tuple[str, int]:
    """Read up to the closing quote; a backslash takes the next character as it is."""
    characters: list[str] = []
    while position < len(text):
        character = text[position]
        if character == '"':
            return "".join(characters), position + 1
        if character == "\\" and position + 1 < len(text):
            position += 1
            character = text[position]
        characters.append(character)
        position += 1
    raise MalformedMessage("a Content-Type with a quote that does not end")
