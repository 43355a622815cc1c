"""The one way XML from outside is parsed: no DTD, no entities, no network, a size limit.

Comments and processing instructions are dropped while parsing, so that a text
with a comment in it is read whole and not up to the comment.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from nsp_client.errors import MalformedMessage, MessageTooLarge

MAX_XML_BYTES: Final = 16_000_000
"""Room for a 10 MB document inline in base64."""

# Possessive throughout: a prolog full of comments must not cost quadratic time.
_DOCTYPE: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?(?>[ \t\r\n]++|<!--(?s:.*?)-->|<\?(?s:.*?)\?>)*+<!DOCTYPE"
)
_ENCODING: Final = re.compile(rb"<\?xml[^>]*?encoding[ \t\r\n]*=[ \t\r\n]*[\"']([^\"']*)[\"']")
_UTF8_NAMES: Final = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})


def parse_xml(data: bytes, *, max_bytes: int = MAX_XML_BYTES) -> etree._Element:
    """Parse one UTF-8 document and return its root.

    Raises:
        MessageTooLarge: more than ``max_bytes``.
        MalformedMessage: not well-formed, not UTF-8, or with a document type.
    """
    if len(data) > max_bytes:
        raise MessageTooLarge(f"XML of more than {max_bytes} bytes")
    data = data.lstrip(b" \t\r\n")
    head = data[:256]
    # Other encodings would hide a document type from the check below.
    if b"\x00" in head[:4] or head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise MalformedMessage("XML in another encoding than UTF-8")
    declared = _ENCODING.match(head.removeprefix(b"\xef\xbb\xbf"))
    if declared is not None and declared.group(1).lower() not in _UTF8_NAMES:
        raise MalformedMessage("XML in another encoding than UTF-8")
    if _DOCTYPE.match(data) is not None:
        raise MalformedMessage("a document type is not allowed")
    # A parser object keeps state between documents; a fresh one costs 5 microseconds.
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8",
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise MalformedMessage(f"not well-formed XML, line {error.lineno}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedMessage("a document type is not allowed")
    return root


def trimmed(element: etree._Element | None) -> str:
    """Return the text of ``element`` without the white space around it, or an empty string."""
    return "" if element is None or element.text is None else element.text.strip()
