"""Text into XML, escaped so that a parser gives the same text back.

A control character that XML 1.0 cannot carry is refused, not dropped: what a
person wrote may not vanish on the way.
"""

from __future__ import annotations

import re
from typing import Final

from nsp_client.errors import InvalidMetadata

_SPECIAL: Final = re.compile('[&<>"\r\n\t\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 cannot carry, escaped or not."""
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


def text(value: str) -> str:
    """Escape element content.

    Raises:
        InvalidMetadata: a character that XML 1.0 does not allow.
    """
    if _SPECIAL.search(value) is None:
        return value
    _refuse_forbidden(value)
    return value.translate(_TEXT)


def attribute(value: str) -> str:
    """Escape the content of an attribute in double quotes; errors as in :func:`text`."""
    if _SPECIAL.search(value) is None:
        return value
    _refuse_forbidden(value)
    return value.translate(_ATTRIBUTE)


def _refuse_forbidden(value: str) -> None:
    if FORBIDDEN.search(value) is not None:
        raise InvalidMetadata("text", "a control character that XML cannot carry")
