"""FHIR XML as the tree of its JSON form, with the line of every element.

Nothing is read in two ways and nothing is dropped in silence: what the tree cannot
hold is told as a fault. Comments and processing instructions say nothing in FHIR
and are looked past. The parser resolves no entity, reads no DTD and opens nothing.

Source: FHIR R4 XML and JSON (the mapping of one to the other); XML 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

from lxml import etree

from mappers.fhir import profiles, xml_faults
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
from mappers.fhir.xml_faults import XmlFaults, malformed, printable
from mappers.fhir.xml_narrative import has_too_many_attributes, narrative_text
from mappers.issues import Issue

MOST_BYTES: Final = 4_000_000
MOST_TAGS: Final = 200_000
"""Start and end tags together; a note of 200 kB has some thousands."""
MOST_LEVELS: Final = 64
"""Levels of FHIR elements; a note's document has ten."""

Json = dict[str, Any]

_FHIR: Final = f"{{{FHIR}}}"
_DIV: Final = f"{{{profiles.XHTML}}}div"
_BOM: Final = b"\xef\xbb\xbf"
_DECLARED: Final = re.compile(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([^\"'>]*)")
_DOCTYPE: Final = re.compile(rb"(?:\s++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)
_UTF8: Final = (b"utf-8", b"utf8", b"us-ascii")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,9})")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,40})(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_INTEGERS: Final = frozenset(("integer", "positiveInt", "unsignedInt"))


@dataclass(frozen=True, slots=True)
class XmlReading:
    """What became of a body.

    ``tree`` is the JSON form, None when the body is no XML or no FHIR resource.
    ``lines`` gives the line, from 1, where each element begins, by its place as issues
    name it: ``Bundle.entry[0].resource.identifier.value``. With ``issues`` the tree
    holds what could be read, for further checks, and is not to be used.
    """

    tree: Json | None
    lines: Mapping[str, int] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()


def read_xml(body: bytes) -> XmlReading:
    """Read one FHIR resource in XML; nothing is raised for bad input.

    Args:
        body: the bytes received: UTF-8, with or without a byte order mark.

    Returns:
        The tree and lines, and the faults: BODY-MALFORMED alone (no XML, a DTD,
        another encoding, beyond :data:`MOST_BYTES`, :data:`MOST_TAGS` or the parser's
        256 levels, no FHIR resource), or every PROFILE-ELEMENT-UNKNOWN and
        PROFILE-XML-… of :mod:`mappers.fhir.xml_faults`, each with its line. A
        narrative is given as XHTML without needless prefixes or comments.

    Source: FHIR R4 XML; design.md 5 (hardened parser).
    """
    root = _parse(body)
    if isinstance(root, Issue):
        return XmlReading(None, issues=(root,))
    kind = root.tag.removeprefix(_FHIR)
    if not root.tag.startswith(_FHIR) or kind not in RESOURCE_TYPES:
        return XmlReading(None, issues=(_no_resource(root.sourceline),))
    reader = _Reader()
    tree = {"resourceType": kind, **reader.members(root, kind, kind, 0)}
    return XmlReading(tree, reader.lines, tuple(reader.faults))


def _no_resource(line: int | None) -> Issue:
    return malformed(
        "FHIR R4 XML",
        "Roden skal være Bundle i navnerummet http://hl7.org/fhir",
        "The root must be Bundle in the namespace http://hl7.org/fhir",
        line,
    )


def _parse(body: bytes) -> Any:
    """Parse within the limits: the root element, or an issue."""
    if len(body) > MOST_BYTES or body.count(b"<") > MOST_TAGS:
        return malformed(
            "XML limits",
            f"Dokumentet er for stort: højst {MOST_BYTES} bytes og {MOST_TAGS} tags",
            f"The document is too large: at most {MOST_BYTES} bytes and {MOST_TAGS} tags",
        )
    body = body.removeprefix(_BOM)
    wrong = _wrong_encoding(body)
    if wrong is not None:
        return wrong
    if _DOCTYPE.match(body):
        return malformed(
            "XML without DTD",
            "Dokumentet har en DTD (DOCTYPE). Fjern den",
            "The document has a DTD (DOCTYPE). Remove it",
        )
    # A parser of its own: its log must not grow with others' faults.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        return _not_xml(error)


def _wrong_encoding(body: bytes) -> Issue | None:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        return malformed(
            "UTF-8",
            "Dokumentet er ikke UTF-8. Send det som UTF-8",
            "The document is not UTF-8. Send it as UTF-8",
            body.count(b"\n", 0, error.start) + 1,
        )
    declared = _DECLARED.match(body)
    if declared is None or declared[1].lower() in _UTF8:
        return None
    return malformed(
        "UTF-8",
        "XML-erklæringen nævner en anden tegnkodning end UTF-8. Send og erklær UTF-8",
        "The XML declaration names another encoding than UTF-8. Send and declare UTF-8",
        1,
    )


def _not_xml(error: etree.XMLSyntaxError) -> Issue:
    # The parser's own words may quote the content.
    if error.code == etree.ErrorTypes.ERR_RESOURCE_LIMIT:
        return malformed(
            "XML limits",
            "Dokumentet har for mange niveauer eller for lange navne",
            "The document has too many levels or too long names",
            error.lineno,
        )
    return malformed(
        "XML 1.0",
        f"Indholdet er ikke velformet XML ved kolonne {error.offset}. Ret det og send igen",
        f"The body is not well-formed XML at column {error.offset}. Correct it and send again",
        error.lineno,
    )


@dataclass(slots=True)
class _Reader:
    """Walks the elements by their types, gathering lines and faults."""

    lines: dict[str, int] = field(default_factory=dict)
    faults: XmlFaults = field(default_factory=XmlFaults)

    def members(self, node: Any, kind: str, path: str, depth: int) -> Json:
        """Read an element of a complex type."""
        self.lines[path] = node.sourceline
        self._check_text(node, path)
        members = MEMBERS[kind]
        out = self._attributes(node, members, path, ())
        if depth > MOST_LEVELS:
            if len(node):
                self.faults.add(xml_faults.UNKNOWN, path, node.sourceline)
            return out
        highest = -1
        twins: dict[str, list[Any]] = {}
        for child in node:
            member = self._member(child, members, path)
            if member is None:
                continue
            if member.rank < highest:
                self.faults.add(xml_faults.ORDER, f"{path}.{member.name}", child.sourceline)
            highest = max(highest, member.rank)
            self._take(child, member, path, out, twins, depth)
        for name, beside in twins.items():
            _add_twins(out, name, beside)
        if not out and kind not in RESOURCE_TYPES:
            self.faults.add(xml_faults.EMPTY, path, node.sourceline)
        return out

    def _take(
        self,
        child: Any,
        member: Member,
        path: str,
        out: Json,
        twins: dict[str, list[Any]],
        depth: int,
    ) -> None:
        name = member.name
        place = f"{path}.{name}"
        if member.many:
            values = out.setdefault(name, [])
            place = f"{place}[{len(values)}]"
        elif name in out or name in twins:
            self.faults.add(xml_faults.REPEATED, place, child.sourceline)
            return
        if member.kind not in PRIMITIVES:
            value = self._complex(child, member.kind, place, depth)
            if member.many:
                values.append(value)
            else:
                out[name] = value
            return
        value, twin = self._primitive(child, member.kind, place, depth)
        if member.many:
            values.append(value)
            twins.setdefault(name, []).append(twin)
        else:
            if value is not None:
                out[name] = value
            twins[name] = [twin]

    def _member(self, child: Any, members: Mapping[str, Member], path: str) -> Member | None:
        """Find what a child is, or tell that it is nothing of ours."""
        tag = child.tag
        name = _local(tag)
        member = members.get(name)
        if member is not None and member.kind != ATTRIBUTE:
            if tag == (_DIV if member.kind == XHTML else _FHIR + name):
                return member
            self.faults.add(xml_faults.NAMESPACE, f"{path}.{name}", child.sourceline)
        elif isinstance(tag, str) and not tag.startswith(_FHIR):
            self.faults.add(xml_faults.NAMESPACE, f"{path}.{printable(name)}", child.sourceline)
        else:
            self.faults.add(xml_faults.UNKNOWN, f"{path}.{printable(name)}", child.sourceline)
        return None

    def _complex(self, child: Any, kind: str, place: str, depth: int) -> Any:
        if kind == XHTML:
            self.lines[place] = child.sourceline
            if has_too_many_attributes(child):
                self.faults.add(xml_faults.UNKNOWN, f"{place}@?", child.sourceline)
                return ""
            return narrative_text(child)
        if kind == RESOURCE:
            return self._resource(child, place, depth)
        return self.members(child, kind, place, depth + 1)

    def _resource(self, holder: Any, place: str, depth: int) -> Json:
        """Read the one resource within an element."""
        self.lines[place] = holder.sourceline
        self._check_text(holder, place)
        self._attributes(holder, {}, place, ())
        if len(holder) == 0:
            self.faults.add(xml_faults.EMPTY, place, holder.sourceline)
            return {}
        for further in holder[1:]:
            self.faults.add(xml_faults.REPEATED, place, further.sourceline)
        node = holder[0]
        kind = _local(node.tag)
        if kind not in RESOURCE_TYPES or node.tag != _FHIR + kind:
            wrong = xml_faults.UNKNOWN if node.tag == _FHIR + kind else xml_faults.NAMESPACE
            self.faults.add(wrong, f"{place}.{printable(kind)}", node.sourceline)
            return {"resourceType": kind}
        return {"resourceType": kind, **self.members(node, kind, place, depth + 1)}

    def _primitive(self, node: Any, kind: str, place: str, depth: int) -> tuple[Any, Json | None]:
        """Read a primitive: its value, and its id and extensions if any."""
        if not len(node) and not node.text and node.keys() == ["value"]:
            self.lines[place] = node.sourceline
            twin: Json = {}
        else:
            twin = self._beside(node, place, depth)
        text = node.get("value")
        if text == "" or (text is None and not twin):
            self.faults.add(xml_faults.EMPTY, place, node.sourceline)
        value = None if text is None else _value_of(text, kind)
        if value is None and text:
            self.faults.add(xml_faults.VALUE, place, node.sourceline)
        return text if value is None else value, twin or None

    def _beside(self, node: Any, place: str, depth: int) -> Json:
        """Read what a primitive has beside its value."""
        self.lines[place] = node.sourceline
        self._check_text(node, place)
        members = MEMBERS["Element"]
        twin = self._attributes(node, members, place, ("value",))
        for child in node:
            member = self._member(child, members, place)
            if member is not None and depth <= MOST_LEVELS:
                self._take(child, member, place, twin, {}, depth + 1)
        return twin

    def _attributes(
        self, node: Any, members: Mapping[str, Member], path: str, others: tuple[str, ...]
    ) -> Json:
        out: Json = {}
        names: list[str] = node.keys()  # looking up the values of very many takes too long
        for name in names:
            member = members.get(name)
            if member is not None and member.kind == ATTRIBUTE:
                out[name] = node.get(name)
                if not out[name]:
                    self.faults.add(xml_faults.EMPTY, f"{path}.{name}", node.sourceline)
            elif name not in others:
                self.faults.add(xml_faults.UNKNOWN, f"{path}@{printable(name)}", node.sourceline)
        return out

    def _check_text(self, node: Any, path: str) -> None:
        texts = [node.text, *(child.tail for child in node)]
        if any(text and not text.isspace() for text in texts):
            self.faults.add(xml_faults.TEXT, path, node.sourceline)


def _local(tag: object) -> str:
    """Give the name without its namespace; nothing for what is no element."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _add_twins(out: Json, name: str, beside: list[Any]) -> None:
    """Put ids and extensions of a primitive beside its values, as JSON does."""
    has_twin = any(twin is not None for twin in beside)
    values = out.get(name)
    if not isinstance(values, list):
        if has_twin:
            out[f"_{name}"] = beside[0]
        return
    if has_twin:
        out[f"_{name}"] = beside
    if all(value is None for value in values):
        del out[name]


def _value_of(text: str, kind: str) -> Any:
    """Turn the text of a value into what JSON has for it; None if it is not of its type."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(text)
    if kind in _INTEGERS:
        return int(text) if _INTEGER.fullmatch(text) else None
    if kind == "decimal":
        if _DECIMAL.fullmatch(text) is None:
            return None
        number = float(text)
        return number if isfinite(number) else None
    return text
