"""How the values of a stored query are written: quotes, lists, codes, patterns.

A tokenizer and not a split at commas: commas, parentheses and doubled quotes may
stand inside a quoted text.

Source: IHE ITI TF-2 3.18.4.1.2.3.5 (coding of parameter values).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_VALUE: Final = 256
"""Characters of one ``rim:Value``; a longer list is spread over several."""

_BLANK: Final = frozenset(" \t\r\n")
_ENDS_BARE: Final = frozenset(" \t\r\n,()'")


class ValueSyntaxError(ValueError):
    """A value that does not follow the grammar; says what was expected."""


@dataclass(frozen=True, slots=True)
class Token:
    """One item of a value; ``quoted`` is False for a bare word or number."""

    text: str
    quoted: bool


def quote(text: str) -> str:
    """Write a text in single quotes, those inside doubled."""
    return "'" + text.replace("'", "''") + "'"


def quoted_list(items: Iterable[str]) -> list[str]:
    """Write items as lists, one for each ``rim:Value``, none longer than need be."""
    values: list[str] = []
    current = ""
    for item in map(quote, items):
        if current and len(current) + len(item) + 3 > MAX_VALUE:
            values.append(f"({current})")
            current = ""
        current = f"{current},{item}" if current else item
    if current:
        values.append(f"({current})")
    return values


def tokens_of(value: str) -> list[Token]:
    """Read the content of one ``rim:Value``: an item, or a list of items in parentheses.

    Raises:
        ValueSyntaxError: an open quote or list, an empty list or item, or text
            behind the end.
    """
    position = _skip_blanks(value, 0)
    if position == len(value):
        raise ValueSyntaxError("empty value")
    if value[position] != "(":
        token, position = _item(value, position)
        _expect_end(value, position)
        return [token]
    tokens: list[Token] = []
    position += 1
    while True:
        token, position = _item(value, _skip_blanks(value, position))
        tokens.append(token)
        position = _skip_blanks(value, position)
        if position == len(value):
            raise ValueSyntaxError("list not closed")
        separator = value[position]
        position += 1
        if separator == ")":
            _expect_end(value, position)
            return tokens
        if separator != ",":
            raise ValueSyntaxError("comma or closing parenthesis expected")


def _skip_blanks(value: str, position: int) -> int:
    while position < len(value) and value[position] in _BLANK:
        position += 1
    return position


def _expect_end(value: str, position: int) -> None:
    if _skip_blanks(value, position) != len(value):
        raise ValueSyntaxError("text behind the end of the value")


def _item(value: str, position: int) -> tuple[Token, int]:
    if position == len(value):
        raise ValueSyntaxError("item expected")
    if value[position] == "'":
        return _quoted(value, position + 1)
    start = position
    while position < len(value) and value[position] not in _ENDS_BARE:
        position += 1
    if position == start:
        raise ValueSyntaxError("item expected")
    return Token(value[start:position], quoted=False), position


def _quoted(value: str, position: int) -> tuple[Token, int]:
    pieces: list[str] = []
    while True:
        end = value.find("'", position)
        if end < 0:
            raise ValueSyntaxError("quote not closed")
        pieces.append(value[position:end])
        position = end + 1
        if value[position : position + 1] != "'":
            return Token("".join(pieces), quoted=True), position
        pieces.append("'")
        position += 1


def is_like(pattern: str, text: str) -> bool:
    """Tell whether ``text`` matches a LIKE pattern: ``%`` any text, ``_`` one character.

    Steps back at most once per character, whatever the pattern.
    """
    p = t = 0
    star = mark = -1
    while t < len(text):
        if p < len(pattern) and pattern[p] == "%":
            star, mark = p, t
            p += 1
        elif p < len(pattern) and pattern[p] in {"_", text[t]}:
            p += 1
            t += 1
        elif star >= 0:
            mark += 1
            p, t = star + 1, mark
        else:
            return False
    return all(character == "%" for character in pattern[p:])
