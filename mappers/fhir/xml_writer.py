"""A FHIR resource as XML, written as exclusive canonical XML at once.

The JSON tree and the XML are two forms of one document: read, they are equal. What
is written is its own canonical form, so that a signature holds whether its reader
canonicalises or not, and the same tree gives the same bytes.

Source: FHIR R4 XML (order, attributes, XHTML); Exclusive XML Canonicalization 1.0;
Canonical XML 1.0, 2.3 (escapes, empty elements as pairs).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    Member,
)
from mappers.fhir.xml_narrative import has_too_many_attributes
from nsp_client.xml_text import FORBIDDEN

DEEPEST: Final = 100
"""More levels than this no document has."""

_XHTML_DIV: Final = "{http://www.w3.org/1999/xhtml}div"
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
_TAG: Final = re.compile(r"</?[a-z]+[1-6]?>")
_OPENING: Final = {f"</{name}>": f"<{name}>" for name in ("p", "b", "i", "u", "tt", "div", "span")}
_OPEN: Final = re.compile(
    r'<div xmlns="http://www\.w3\.org/1999/xhtml"(?: lang="[A-Za-z-]*" xml:lang="[A-Za-z-]*")?>'
)
_OTHER_BYTES: Final = bytes(set(range(0x20, 0x100)) - set(b"<>&") | set(b"\t\n"))
"""Every byte of a narrative but markup and control characters."""
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
    _write_steps(parts, resource, _plan(kind, tuple(resource))[1], depth + 1)
    parts.append(f"</{kind}>")


@dataclass(frozen=True, slots=True)
class _Step:
    """One element to write."""

    name: str
    kind: str
    many: bool
    is_primitive: bool
    start: str
    open: str
    end: str


_Steps = tuple[tuple[str, bool, str, str, _Step], ...]
"""What each element needs at once: name, whether it is a single string with nothing beside
it, the text before its value and after; and the rest."""


@lru_cache(maxsize=4096)
def _plan(kind: str, keys: tuple[str, ...]) -> tuple[tuple[str, ...], _Steps]:
    """Put the keys of an object of one type in order: its attributes, then its elements."""
    members = MEMBERS[kind]
    names = {key.removeprefix("_") for key in keys}
    if kind in RESOURCE_TYPES:
        names.discard("resourceType")
    attributes, steps = [], []
    for name in names:
        member = members.get(name)
        has_twin = f"_{name}" in keys
        if member is None or (has_twin and member.kind not in PRIMITIVES):
            raise _Unwritable("an element that FHIR R4 does not have")
        if member.kind == ATTRIBUTE:
            attributes.append(name)
        else:
            steps.append(_step_of(member, has_twin=has_twin))
    # Canonical XML: attributes without namespaces are sorted by name.
    steps.sort(key=lambda step: members[step[0]].rank)
    return tuple(sorted(attributes)), tuple(steps)


def _step_of(member: Member, *, has_twin: bool) -> tuple[str, bool, str, str, _Step]:
    name, kind = member.name, member.kind
    is_primitive = kind in PRIMITIVES
    step = _Step(name, kind, member.many, is_primitive, f"<{name}", f"<{name}>", f"</{name}>")
    is_text = is_primitive and kind not in _WRITERS and not member.many and not has_twin
    return name, is_text, f'<{name} value="', f'"></{name}>', step


def _write_steps(parts: list[str], value: dict[str, Any], steps: _Steps, depth: int) -> None:
    """Write the elements within an element whose start tag is written."""
    for name, is_text, start, end, step in steps:
        try:
            item = value.get(name)
            if is_text:
                parts.append(start + _text(item) + end)
            elif step.is_primitive:
                twin = value.get(f"_{name}")
                if step.many:
                    _write_primitives(parts, item, twin, step, depth)
                else:
                    _write_primitive(parts, item, twin, step, depth)
            elif step.many:
                _write_several(parts, item, step, depth)
            else:
                _write_one(parts, item, step, depth)
        except _Unwritable as fault:
            fault.steps.append(f".{name}")
            raise


def _write_one(parts: list[str], item: object, step: _Step, depth: int) -> None:
    kind = step.kind
    if kind == XHTML:
        parts.append(_div(item))
    elif kind == RESOURCE:
        parts.append(step.open)
        _write_resource(parts, item, "", depth + 1)
        parts.append(step.end)
    elif not isinstance(item, dict) or not item:
        raise _Unwritable("not an object, or an empty one")
    elif depth > DEEPEST:
        raise _Unwritable("more levels than any document has")
    else:
        attributes, steps = _plan(kind, tuple(item))
        parts.append(step.start + _attributes(item, attributes) + ">" if attributes else step.open)
        _write_steps(parts, item, steps, depth + 1)
        parts.append(step.end)


def _write_several(parts: list[str], items: object, step: _Step, depth: int) -> None:
    for at, item in enumerate(_listed(items)):
        try:
            _write_one(parts, item, step, depth)
        except _Unwritable as fault:
            fault.steps.append(f"[{at}]")
            raise


def _listed(items: object) -> list[Any] | tuple[Any, ...]:
    if not isinstance(items, list | tuple) or not items:
        raise _Unwritable("not an array, or an empty one")
    return items


def _write_primitives(
    parts: list[str], items: object, twins: object, step: _Step, depth: int
) -> None:
    """Write a repeating primitive; ids and extensions stand in a twin array, null for none."""
    values: Sequence[Any]
    if twins is None:
        values = _listed(items)
        beside: Sequence[Any] = [None] * len(values)
    else:
        beside = _listed(twins)
        values = [None] * len(beside) if items is None else _listed(items)
        if len(values) != len(beside):
            raise _Unwritable("two arrays of one element differ in length")
    for at, (item, twin) in enumerate(zip(values, beside, strict=True)):
        try:
            _write_primitive(parts, item, twin, step, depth)
        except _Unwritable as fault:
            fault.steps.append(f"[{at}]")
            raise


def _write_primitive(parts: list[str], item: object, twin: object, step: _Step, depth: int) -> None:
    if twin is None:
        parts.append(f'{step.start} value="{_primitive(item, step.kind)}">{step.end}')
        return
    if not isinstance(twin, dict) or not twin:
        raise _Unwritable("not an object, or an empty one")
    attributes, steps = _plan("Element", tuple(twin))
    value = "" if item is None else f' value="{_primitive(item, step.kind)}"'
    parts.append(f"{step.start}{_attributes(twin, attributes)}{value}>")
    _write_steps(parts, twin, steps, depth + 1)
    parts.append(step.end)


def _attributes(value: dict[str, Any], names: tuple[str, ...]) -> str:
    return "".join(f' {name}="{_text(value[name])}"' for name in names)


def _primitive(item: object, kind: str) -> str:
    """Write the value of an element as the content of an attribute."""
    return _WRITERS.get(kind, _text)(item)


def _text(item: object) -> str:
    if type(item) is not str or not item:
        raise _Unwritable("not a string, or an empty one")
    if item.isprintable():
        if "&" not in item and "<" not in item and '"' not in item:
            return item
    elif FORBIDDEN.search(item) is not None:
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
    if _is_plain(div):
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


def _is_plain(div: str) -> bool:
    """Tell, for narratives like our own only, that they are canonical but for ``<br/>``.

    True is certain: XHTML whose tags but the first have no attributes, properly nested,
    and whose text needs no other escapes than it has.
    """
    if _OPEN.match(div) is None or not div.endswith("</div>"):
        return False
    if "\ufffe" in div or "\uffff" in div:
        return False
    try:
        marks = div.encode().translate(None, _OTHER_BYTES)
    except UnicodeEncodeError:  # lone surrogates
        return False
    tags: list[str] = _TAG.findall(div)
    starts, references = marks.count(b"<"), marks.count(b"&")
    if len(marks) != 2 * starts + references or starts != marks.count(b">"):
        return False
    if starts != 1 + len(tags) + div.count("<br/>"):
        return False
    if references and references != sum(map(div.count, ("&amp;", "&lt;", "&gt;"))):
        return False
    open_tags: list[str] = []
    for tag in tags[:-1]:  # the last one ends the div
        opening = _OPENING.get(tag)
        if opening is None:
            open_tags.append(tag)
        elif not open_tags or open_tags.pop() != opening:
            return False
    return not open_tags


def _character(match: re.Match[str]) -> str:
    name = match[1]
    if name in _XML_NAMED or name + ";" not in html5:
        return match[0]
    return "".join(f"&#{ord(each)};" for each in html5[name + ";"])
