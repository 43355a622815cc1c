"""Checks of the readable part of each inbound resource.

Source: medcom-shared-notes 12; FHIR R4 narrative, txt-1 (elements and
attributes) and txt-2 (visible text).
"""

from __future__ import annotations

import re
from html.entities import html5
from typing import Any, Final

from lxml import etree

from mappers.fhir import profiles
from mappers.fhir.findings import Findings

_STATUSES: Final = ("generated", "extensions")
_LEAST_BASE64: Final = 16
"""Shorter base64 could be a word of the text."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ELEMENTS: Final = _words(
    "a abbr acronym address b bdo big blockquote br caption cite code col colgroup dd dfn div dl"
    " dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre q samp small span strong sub sup table"
    " tbody td tfoot th thead tr tt ul var"
)
_QUALIFIED: Final = frozenset(f"{{{profiles.XHTML}}}{name}" for name in _ELEMENTS)
_ATTRIBUTES: Final = _words(
    "abbr accesskey align alt axis border bordercolor cellhalign cellpadding cellspacing"
    " cellvalign char charoff charset cite class cols colspan compact coords dir frame headers"
    " height href hreflang hspace id idref lang longdesc name nowrap rel rev rowspan rules scope"
    " shape span src start style summary tabindex title type valign value vspace width"
    " xml:lang"
)
_NAMED: Final = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_NAMED: Final = frozenset(("amp", "lt", "gt", "quot", "apos"))
# Made once: making one costs more than parsing a narrative. lxml locks it by itself.
_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"


def check_text(resource: dict[str, Any], path: str, base64: str | None, findings: Findings) -> None:
    """Check ``text`` of one resource; ``base64`` is the document's attachment data."""
    text = resource.get("text")
    if not isinstance(text, dict):
        return  # told by the structure
    if isinstance(text.get("status"), str) and text["status"] not in _STATUSES:
        findings.add("PROFILE-TEXT-STATUS", f"{path}.text.status")
    div = text.get("div")
    if not isinstance(div, str):
        return
    words = visible_text(div)
    if words is None or not words.strip():
        findings.add("PROFILE-TEXT-DIV", f"{path}.text.div")
    if base64 is not None and len(base64) >= _LEAST_BASE64 and base64 in div:
        findings.add("PROFILE-TEXT-BASE64", f"{path}.text.div")


def check_duty(resource: dict[str, Any], value: str, path: str, findings: Findings) -> None:
    """Warn when the narrative lacks a value that it shall show."""
    text = resource.get("text")
    div = text.get("div") if isinstance(text, dict) else None
    if isinstance(div, str) and value not in div:
        findings.add("PROFILE-TEXT-INCOMPLETE", f"{path}.text.div")


def visible_text(div: str) -> str | None:
    """Give the words of a narrative, or None if it is no XHTML that FHIR allows."""
    if "<!" in div and "<!--" not in div:
        return None
    try:
        root = etree.fromstring(_NAMED.sub(_character, div), _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root.getroottree().docinfo.doctype or root.tag != f"{{{profiles.XHTML}}}div":
        return None
    for node in root.iter():
        if not _is_allowed(node):
            return None
    return "".join(root.itertext())


def _is_allowed(node: Any) -> bool:
    tag = node.tag
    if tag not in _QUALIFIED:
        return tag is etree.Comment  # entities and processing instructions are refused
    attributes: list[str] = node.keys()  # looking up the values of very many takes too long
    for attribute in attributes:
        plain = "xml:lang" if attribute == _XML_LANG else attribute
        if plain not in _ATTRIBUTES:
            return False
        if plain in ("href", "src") and node.get(attribute).strip().lower().startswith(
            ("javascript:", "data:")
        ):
            return False
    return True


def _character(match: re.Match[str]) -> str:
    name = match[1]
    if name in _XML_NAMED:
        return match[0]
    return html5.get(name + ";", match[0])
