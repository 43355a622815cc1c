"""A FHIR resource as XML, written as exclusive canonical XML at once.

The JSON tree and the XML are two forms of one document: read, they are equal. What
is written is its own canonical form, so that a signature holds whether its reader
canonicalises or not, and the same tree gives the same bytes.

Source: FHIR R4 XML (order, attributes, XHTML); Exclusive XML Canonicalization 1.0;
Canonical XML 1.0, 2.3 (escapes, empty elements as pairs).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from html.entities import html5
from math import isfinite
from typing import Any, Final

from lxml import etree

from mappers.errors import MappingError, TextWouldBeLost
from mappers.fhir.xml_elements import (
    ATTRIBUTE,
    FHIR,
    MEMBERS,
    PRIMITIVES,
    RESOURCE,
    RESOURCE_TYPES,
    XHTML,
)
from mappers.fhir.xml_narrative import has_too_many_attributes

DEEPEST: Final = 100
"""More levels than this no document has."""

_XHTML_DIV: Final = "{http://www.w3.org/1999/xhtml}div"
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL: Final = re.compile('[&<"\x00-\x1f\ud800-\udfff\ufffe\uffff]')
_ATTRIBUTE: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
)
_PARSER: Final = etree.XMLParser(
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)
_NAMED: Final = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_NAMED: Final = frozenset(("amp", "lt", "gt", "quot", "apos"))
_TAG: Final = re.compile(r"<(/?)([a-z]+[1-6]?)(/?)>")
_PLAIN_DIV: Final = re.compile(
    r'<div xmlns="http://www\.w3\.org/1999/xhtml"(?: lang="[A-Za-z-]*" xml:lang="[A-Za-z-]*")?>'
    r"((?:[^<>&\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]++|</?[a-z]++[1-6]?>|<br/>"
    r"|&(?:amp|lt|gt);)*+)</div>"
)
_BOOLEANS: Final = {True: "true", False: "false"}
_INTEGERS: Final = frozenset(("integer", "positiveInt", "unsignedInt"))


class _Unwritable(Exception):
    """A value has no place in XML; ``steps`` are the names from it up to the root."""

    def __init__(self, reason: str, *, lost: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lost = lost
        self.steps: list[str] = []


def write_xml(resource: dict[str, Any]) -> bytes:
    """Write a resource in FHIR XML; equal trees give equal bytes.

    Args:
        resource: a resource as parsed JSON, for instance the Bundle of
            :func:`mappers.fhir.bundle.bundle_tree`. The order of its keys does not
            matter.

    Returns:
        UTF-8 without declaration and without a final line break: the exclusive
        canonical form of the document. Comments and processing instructions within
        narratives are left out.

    Raises:
        MappingError: an element that FHIR R4 does not have, a value of a wrong type,
            or a narrative that is no well-formed XHTML.
        TextWouldBeLost: a control character that XML cannot carry.

    Source: FHIR R4 XML; Exclusive XML Canonicalization 1.0.
    """
    parts: list[str] = []
    kind = resource.get("resourceType")
    try:
        _write_resource(parts, resource, f' xmlns="{FHIR}"', 0)
        return "".join(parts).encode()
    except _Unwritable as fault:
        path = "".join([str(kind) if kind in RESOURCE_TYPES else "$", *reversed(fault.steps)])
        raise (TextWouldBeLost if fault.lost else MappingError)(path, fault.reason) from None


def _write_resource(parts: list[str], resource: object, namespace: str, depth: int) -> None:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(resource, dict) or kind not in RESOURCE_TYPES:
        raise _Unwritable("not a resource of a note's document")
    parts.append(f"<{kind}{namespace}>")
    _write_members(parts, resource, kind, depth + 1)
    parts.append(f"</{kind}>")


_Step = tuple[str, str, bool, str, str]
"""Key, type, whether it repeats, start and end tag (for an attribute its name)."""


@lru_cache(maxsize=4096)
def _plan(kind: str, keys: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[_Step, ...]]:
    """Put the keys of an object of one type in order: its attributes, then its elements."""
    members = MEMBERS[kind]
    names = {key.removeprefix("_") for key in keys}
    if kind in RESOURCE_TYPES:
        names.discard("resourceType")
    for name in names:
        if name not in members:
            raise _Unwritable("an element that FHIR R4 does not have")
    ordered = sorted((members[name] for name in names), key=lambda member: member.rank)
    for member in ordered:
        if f"_{member.name}" in keys and (member.kind not in PRIMITIVES):
            raise _Unwritable("an element that FHIR R4 does not have")
    attributes = tuple(member.name for member in ordered if member.kind == ATTRIBUTE)
    steps = tuple(
        (member.name, member.kind, member.many, f"<{member.name}", f"</{member.name}>")
        for member in ordered
        if member.kind != ATTRIBUTE
    )
    return attributes, steps


def _write_members(parts: list[str], value: dict[str, Any], kind: str, depth: int) -> None:
    """Write the elements within an element whose start tag is written."""
    for name, member_kind, many, start, end in _plan(kind, tuple(value))[1]:
        try:
            item = value.get(name)
            if member_kind in PRIMITIVES:
                twin = value.get(f"_{name}")
                if many:
                    _write_primitives(parts, item, twin, member_kind, start, end, depth)
                elif twin is None:
                    parts.append(f'{start} value="{_primitive(item, member_kind)}">{end}')
                else:
                    _write_primitive(parts, item, twin, member_kind, start, end, depth)
            elif many:
                _write_several(parts, item, member_kind, start, end, depth)
            else:
                _write_one(parts, item, member_kind, start, end, depth)
        except _Unwritable as fault:
            fault.steps.append(f".{name}")
            raise


def _write_one(parts: list[str], item: object, kind: str, start: str, end: str, depth: int) -> None:
    if kind == XHTML:
        parts.append(_div(item))
    elif kind == RESOURCE:
        parts.append(f"{start}>")
        _write_resource(parts, item, "", depth + 1)
        parts.append(end)
    elif not isinstance(item, dict) or not item:
        raise _Unwritable("not an object, or an empty one")
    elif depth > DEEPEST:
        raise _Unwritable("more levels than any document has")
    else:
        parts.append(start + _attributes(item, kind) + ">")
        _write_members(parts, item, kind, depth + 1)
        parts.append(end)


def _write_several(
    parts: list[str], items: object, kind: str, start: str, end: str, depth: int
) -> None:
    for at, item in enumerate(_listed(items)):
        try:
            _write_one(parts, item, kind, start, end, depth)
        except _Unwritable as fault:
            fault.steps.append(f"[{at}]")
            raise


def _listed(items: object) -> list[Any] | tuple[Any, ...]:
    if not isinstance(items, list | tuple) or not items:
        raise _Unwritable("not an array, or an empty one")
    return items


def _write_primitives(
    parts: list[str], items: object, twins: object, kind: str, start: str, end: str, depth: int
) -> None:
    """Write a repeating primitive; ids and extensions stand in a twin array, null for none."""
    if twins is None:
        for at, item in enumerate(_listed(items)):
            try:
                parts.append(f'{start} value="{_primitive(item, kind)}">{end}')
            except _Unwritable as fault:
                fault.steps.append(f"[{at}]")
                raise
        return
    beside = _listed(twins)
    values = [None] * len(beside) if items is None else _listed(items)
    if len(values) != len(beside):
        raise _Unwritable("two arrays of one element differ in length")
    for item, twin in zip(values, beside, strict=True):
        _write_primitive(parts, item, twin, kind, start, end, depth)


def _write_primitive(
    parts: list[str], item: object, twin: object, kind: str, start: str, end: str, depth: int
) -> None:
    parts.append(start)
    if twin is not None:
        if not isinstance(twin, dict) or not twin:
            raise _Unwritable("not an object, or an empty one")
        parts.append(_attributes(twin, "Element"))
    if item is not None or twin is None:
        parts.append(f' value="{_primitive(item, kind)}"')
    parts.append(">")
    if isinstance(twin, dict):
        _write_members(parts, twin, "Element", depth + 1)
    parts.append(end)


def _attributes(value: dict[str, Any], kind: str) -> str:
    names = _plan(kind, tuple(value))[0]
    if not names:
        return ""
    # Canonical XML: without namespaces, sorted by name.
    return "".join(f' {name}="{_text(value[name])}"' for name in sorted(names))


def _primitive(item: object, kind: str) -> str:
    """Write the value of an element as the content of an attribute."""
    if type(item) is str and kind not in _WRITERS:
        return _text(item)
    write = _WRITERS.get(kind, _text)
    return write(item)


def _text(item: object) -> str:
    if type(item) is not str or not item:
        raise _Unwritable("not a string, or an empty one")
    if _SPECIAL.search(item) is None:
        return item
    if _UNWRITABLE.search(item) is not None:
        raise _Unwritable("a control character that XML cannot carry", lost=True)
    return item.translate(_ATTRIBUTE)


def _boolean(item: object) -> str:
    if type(item) is not bool:
        raise _Unwritable("not a boolean")
    return _BOOLEANS[item]


def _integer(item: object) -> str:
    if type(item) is not int:
        raise _Unwritable("not an integer")
    return str(item)


def _decimal(item: object) -> str:
    if type(item) is int:
        return str(item)
    if type(item) is not float or not isfinite(item):
        raise _Unwritable("not a decimal number")
    return repr(item)


_WRITERS: Final[dict[str, Callable[[object], str]]] = {
    "boolean": _boolean,
    "decimal": _decimal,
    **dict.fromkeys(_INTEGERS, _integer),
}


def _div(div: object) -> str:
    """Give a narrative in canonical form."""
    if not isinstance(div, str):
        raise _Unwritable("not a string")
    plain = _PLAIN_DIV.fullmatch(div)
    if plain is not None and _is_nested(plain[1]):
        return div.replace("<br/>", "<br></br>")
    # FHIR allows the named characters of HTML, which XML does not know.
    named = _NAMED.sub(_character, div) if "&" in div else div
    try:
        root = etree.fromstring(named.encode(), _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        raise _Unwritable("not well-formed XHTML") from None
    if root.tag != _XHTML_DIV or root.getroottree().docinfo.doctype:
        raise _Unwritable("not a div of XHTML")
    if has_too_many_attributes(root):
        raise _Unwritable("more attributes than XHTML has")
    return etree.tostring(root, method="c14n", exclusive=True, with_comments=False).decode()


def _is_nested(content: str) -> bool:
    """Tell whether tags without attributes are properly nested."""
    open_tags: list[str] = []
    for end, name, empty in _TAG.findall(content):
        if empty:
            continue
        if not end:
            open_tags.append(name)
        elif not open_tags or open_tags.pop() != name:
            return False
    return not open_tags


def _character(match: re.Match[str]) -> str:
    name = match[1]
    if name in _XML_NAMED or name + ";" not in html5:
        return match[0]
    return "".join(f"&#{ord(each)};" for each in html5[name + ";"])
