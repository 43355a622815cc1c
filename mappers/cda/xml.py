"""Text into the XML of a CDA document; what it cannot carry is told with its place in the note.

Source: :mod:`nsp_client.xml_text`.
"""

from __future__ import annotations

from mappers.errors import TextWouldBeLost
from nsp_client import xml_text
from nsp_client.errors import InvalidMetadata


def text(value: str, path: str) -> str:
    """Escape element content.

    Args:
        path: the place in the note, named in the error.

    Raises:
        TextWouldBeLost: a character that XML 1.0 cannot carry.
    """
    try:
        return xml_text.text(value)
    except InvalidMetadata:
        raise _lost(path) from None


def attribute(value: str, path: str) -> str:
    """Escape the content of an attribute in double quotes; arguments as :func:`text`."""
    try:
        return xml_text.attribute(value)
    except InvalidMetadata:
        raise _lost(path) from None


def _lost(path: str) -> TextWouldBeLost:
    return TextWouldBeLost(path, "a control character that XML cannot carry")
