"""Text into the XML of a CDA document, so that a parser gives the same text back.

Source: XML 1.0 (fifth edition) 2.2 (characters), 2.4 and 3.3.3 (escaping).
"""

from __future__ import annotations

import re
from typing import Final

from mappers.errors import TextWouldBeLost

_SPECIAL: Final = re.compile('[&<>"\r\n\t\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE: Final = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "\r": "&#13;",
        "\n": "&#10;",
        "\t": "&#9;",
    }
)


def text(value: str, path: str) -> str:
    """Escape element content.

    Args:
        path: the place in the note, named in the error.

    Raises:
        TextWouldBeLost: a character that XML 1.0 cannot carry.
    """
    return _escaped(value, path, _TEXT)


def attribute(value: str, path: str) -> str:
    """Escape the content of an attribute in double quotes; arguments as :func:`text`."""
    return _escaped(value, path, _ATTRIBUTE)


def _escaped(value: str, path: str, table: dict[int, str]) -> str:
    if _SPECIAL.search(value) is None:
        return value
    if FORBIDDEN.search(value) is not None:
        raise TextWouldBeLost(path, "a control character that XML cannot carry")
    return value.translate(table)
