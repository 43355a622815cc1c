"""A narrative read from XML, as the text that the JSON form has for it.

The form is that of Exclusive Canonical XML, but with empty elements closed in
themselves, and so the one in which our own narratives are written.

Source: FHIR R4 narrative; Exclusive XML Canonicalization 1.0; XHTML 1.0 C.2 (empty
elements).
"""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

from mappers.fhir import profiles

MOST_ATTRIBUTES: Final = 100
"""XHTML has fewer; one canonicaliser needs minutes for some hundred thousand."""

_EMPTY: Final = re.compile(r"(<(?:br|hr|img|col)\b[^<>]*)></(?:br|hr|img|col)>")
_PREFIXED: Final = re.compile(r"</?[^\s<>:/]+:")


def has_too_many_attributes(div: Any) -> bool:
    """Tell whether an element has so many attributes that sorting them would take long."""
    return any(len(node.attrib) > MOST_ATTRIBUTES for node in div.iter())


def narrative_text(div: Any) -> str:
    """Write a parsed ``div`` of XHTML as text; prefixes of XHTML are left out.

    Args:
        div: the element; comments and processing instructions are not in its tree.
    """
    tail, div.tail = div.tail, None
    text = _canonical(div)
    if _PREFIXED.search(text) is not None:
        text = _canonical(_without_prefix(div))
    div.tail = tail
    return text


def _canonical(div: Any) -> str:
    written = etree.tostring(div, method="c14n", exclusive=True, with_comments=False).decode()
    return _EMPTY.sub(r"\1/>", written)


def _without_prefix(node: Any) -> Any:
    """Copy a tree with XHTML as its default namespace; what is foreign stays so."""
    target = etree.Element(node.tag, nsmap={None: profiles.XHTML})
    waiting = [(node, target)]
    while waiting:
        source, copy = waiting.pop()
        copy.text = source.text
        for name, value in source.attrib.items():
            copy.set(name, value)
        for child in source:
            made = etree.SubElement(copy, child.tag)
            made.tail = child.tail
            waiting.append((child, made))
    return target
