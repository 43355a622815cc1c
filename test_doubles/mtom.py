"""MTOM packages: multipart/related with an XOP root, read strictly and written.

Accepts what the profile lets a sender do (quoted and unquoted parameters,
parts in any order, inline base64 beside includes) and refuses what it
forbids (two parts with one Content-ID, a reference without a part, an include
outside ``xdsb:Document``, no closing boundary).

Source: W3C XOP 1.0; W3C MTOM; RFC 2046 5.1; RFC 2387; ihe-xds 2.4; nsp 3.6.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from lxml import etree

from test_doubles.errors import DoubleError

XOP = "http://www.w3.org/2004/08/xop/include"
INCLUDE = f"{{{XOP}}}Include"
MAX_PARTS = 64
_ROOT_MEDIA_TYPE = "application/xop+xml"
_PLAIN_ENCODINGS = frozenset({"", "binary", "8bit", "7bit"})


class BadPackage(DoubleError):
    """The package or a reference in it cannot be read; the text says why."""

    code = "MTOM-BROKEN"
    status = 400


@dataclass(frozen=True, slots=True)
class ContentType:
    """A Content-Type field. ``media_type`` and parameter names in lower case."""

    media_type: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """One body part. ``content_id`` without angle brackets, ``content`` decoded."""

    content_id: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Package:
    """A package: its root and the other parts by Content-ID."""

    root: Part
    parts: Mapping[str, Part]
    oddities: tuple[str, ...]


def parse_content_type(value: str) -> ContentType:
    """Read a Content-Type; a parameter may be quoted or not."""
    media_type, _, rest = value.partition(";")
    parameters: dict[str, str] = {}
    while rest.strip(" ;\t"):
        name, _, rest = rest.lstrip(" ;\t").partition("=")
        rest = rest.lstrip()
        if rest.startswith('"'):
            text, rest = _quoted(rest)
        else:
            text, _, rest = rest.partition(";")
            text = text.strip()
        parameters.setdefault(name.strip().lower(), text)
    return ContentType(media_type.strip().lower(), parameters)


def _quoted(rest: str) -> tuple[str, str]:
    """Take a quoted string off the front."""
    text: list[str] = []
    index = 1
    while index < len(rest) and rest[index] != '"':
        if rest[index] == "\\":
            index += 1
        text.append(rest[index : index + 1])
        index += 1
    return "".join(text), rest[index + 1 :]


def read_package(content_type: ContentType, octets: bytes) -> Package:
    """Take a package apart.

    Raises:
        BadPackage: it is broken; nothing of it may be used.
    """
    boundary = content_type.parameters.get("boundary", "")
    if not boundary:
        raise BadPackage("multipart without boundary")
    parts = [_part(section) for section in _sections(octets, b"--" + boundary.encode())]
    by_id: dict[str, Part] = {}
    for part in parts:
        if part.content_id in by_id:
            raise BadPackage("two parts with one Content-ID")
        by_id[part.content_id] = part
    start = content_type.parameters.get("start", "").strip("<>")
    root = by_id.get(start) if start else parts[0]
    if root is None:
        raise BadPackage("start names no part")
    oddities = []
    if not start:
        oddities.append("no start parameter")
    if content_type.parameters.get("type", "") != _ROOT_MEDIA_TYPE:
        oddities.append("type parameter is not application/xop+xml")
    if root.media_type != _ROOT_MEDIA_TYPE:
        oddities.append("root part is not application/xop+xml")
    others = {name: part for name, part in by_id.items() if part is not root}
    return Package(root, others, tuple(oddities))


def _sections(octets: bytes, delimiter: bytes) -> list[bytes]:
    """The parts between the delimiter lines, headers included."""
    line = b"\r\n" + delimiter
    if octets.startswith(delimiter):
        position = len(delimiter)
    else:
        found = octets.find(line)
        if found < 0:
            raise BadPackage("the boundary does not occur")
        position = found + len(line)
    sections: list[bytes] = []
    while not octets.startswith(b"--", position):
        line_end = octets.find(b"\r\n", position)
        if line_end < 0 or octets[position:line_end].strip(b" \t"):
            raise BadPackage("something follows a boundary on its line")
        # The line end stays: it may be the one before the next delimiter.
        end = octets.find(line, line_end)
        if end < 0:
            raise BadPackage("the closing boundary is missing")
        sections.append(octets[line_end + 2 : end])
        if len(sections) > MAX_PARTS:
            raise BadPackage("too many parts")
        position = end + len(line)
    if not sections:
        raise BadPackage("a package without parts")
    return sections


def _part(section: bytes) -> Part:
    head, separator, content = section.partition(b"\r\n\r\n")
    if not separator:
        raise BadPackage("a part without a blank line after its headers")
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    encoding = headers.get("content-transfer-encoding", "").lower()
    if encoding == "base64":
        content = _decoded(content)
    elif encoding not in _PLAIN_ENCODINGS:
        raise BadPackage("unknown Content-Transfer-Encoding")
    content_id = headers.get("content-id", "")
    if not (content_id.startswith("<") and content_id.endswith(">")):
        raise BadPackage("a part without Content-ID in angle brackets")
    media_type = parse_content_type(headers.get("content-type", "")).media_type
    return Part(content_id[1:-1], media_type, content)


def document_bytes(document: etree._Element, parts: Mapping[str, Part]) -> bytes:
    """The bytes of an ``xdsb:Document``, included or inline.

    Raises:
        BadPackage: neither, both, or a reference that leads nowhere.
    """
    children = list(document.iterchildren(tag=etree.Element))
    if not children:
        return _decoded((document.text or "").encode("utf-8"))
    loose = (document.text or "") + "".join(child.tail or "" for child in children)
    if len(children) != 1 or children[0].tag != INCLUDE or loose.strip():
        raise BadPackage("a Document holds base64 or one Include and nothing else")
    href = children[0].get("href", "")
    if not href.startswith("cid:"):
        raise BadPackage("an Include points at a part of the message")
    part = parts.get(unquote(href.removeprefix("cid:")))
    if part is None:
        raise BadPackage("an Include points at no part")
    return part.content


def stray_includes(root: etree._Element, allowed_parent: str) -> int:
    """How many includes stand elsewhere than directly in ``allowed_parent``."""
    return sum(
        1
        for include in root.iter(INCLUDE)
        if (parent := include.getparent()) is None or parent.tag != allowed_parent
    )


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise BadPackage("base64 that cannot be decoded") from error


def write_package(envelope: bytes, start_info: str, *, glued: bool = False) -> tuple[str, bytes]:
    """A package of the envelope alone.

    Args:
        envelope: the root part.
        start_info: media type of the envelope.
        glued: leave out the line break before the closing boundary, as one
            national service does (nsp 3.6, 5).

    Returns:
        Content-Type and body.
    """
    boundary = f"uuid:{uuid.uuid4()}"
    root_id = "root.message@doubles.example.invalid"
    content_type = (
        f'multipart/related; type="{_ROOT_MEDIA_TYPE}"; boundary="{boundary}"; '
        f'start="<{root_id}>"; start-info="{start_info}"'
    )
    head = (
        f"--{boundary}\r\n"
        f'Content-Type: {_ROOT_MEDIA_TYPE}; charset=UTF-8; type="{start_info}"\r\n'
        f"Content-Transfer-Encoding: binary\r\nContent-ID: <{root_id}>\r\n\r\n"
    )
    end = f"{'' if glued else chr(13) + chr(10)}--{boundary}--\r\n"
    return content_type, head.encode() + envelope + end.encode()
