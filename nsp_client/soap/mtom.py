"""MTOM packages: written by the book, read with every oddity that real senders show.

A package is a ``multipart/related`` body whose root part is the envelope and whose
other parts are the documents, byte for byte. Reading keeps every byte of a part:
no line-end change, no charset change; only the line break that belongs to the
boundary goes.

Source: W3C MTOM and XOP 1.0; RFC 2387, 2046, 2392; IHE ITI TF-2 appendix V.3.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote
from uuid import uuid4

from nsp_client.errors import InvalidMetadata, MalformedMessage, MessageTooLarge
from nsp_client.soap.content_type import ContentType, parse_content_type
from nsp_client.soap.envelope import SoapVersion

XOP_NS: Final = "http://www.w3.org/2004/08/xop/include"
ROOT_ID: Final = "root.message@notegateway"
_PLAIN_ENCODINGS: Final = frozenset({"", "binary", "8bit", "7bit"})
_CONTENT_ID: Final = re.compile(r"[A-Za-z0-9._:-]+@[A-Za-z0-9.:-]+")
_BASE64_SPACE: Final = re.compile(rb"[ \t\r\n]+")


@dataclass(frozen=True, slots=True)
class MtomLimits:
    """How much is read before a package is refused, in bytes and parts."""

    total_bytes: int = 64_000_000
    root_bytes: int = 16_000_000
    part_bytes: int = 16_000_000
    part_count: int = 64
    header_bytes: int = 8_192


DEFAULT_LIMITS: Final = MtomLimits()


@dataclass(frozen=True, slots=True)
class MimePart:
    """One part of a package.

    Attributes:
        content_id: without the angle brackets.
    """

    content_id: str
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MtomMessage:
    """A message as read, packaged or plain.

    Attributes:
        root: the envelope's bytes.
        parts: all parts but the root; empty for a plain message.
        packaged: False when the body was an envelope without a package.
    """

    root: bytes = field(repr=False)
    parts: tuple[MimePart, ...]
    packaged: bool

    def part_of(self, href: str) -> MimePart:
        """Find the part that an ``xop:Include`` points to.

        Raises:
            MalformedMessage: not a ``cid:`` reference, or no such part.
        """
        wanted = content_id_of(href)
        for part in self.parts:
            if part.content_id == wanted:
                return part
        raise MalformedMessage("an xop:Include without its part")


def content_id_of(href: str) -> str:
    """Turn a ``cid:`` URL into a content id: decoded once, as the headers carry it raw."""
    href = href.strip()
    if href[:4].lower() != "cid:":
        raise MalformedMessage("an xop:Include that points elsewhere than cid:")
    return unquote(href[4:], errors="strict") if "%" in href else href[4:]


def include_element(content_id: str) -> str:
    """Write the ``xop:Include`` for a content id of ours, percent-encoded as a URL."""
    _check_content_id(content_id)
    href = content_id.replace(":", "%3A").replace("@", "%40")
    return f'<xop:Include xmlns:xop="{XOP_NS}" href="cid:{href}"/>'


def _check_content_id(content_id: str) -> None:
    if _CONTENT_ID.fullmatch(content_id) is None:
        raise InvalidMetadata("Content-ID", "not of the form local@host")


def write_package(
    root: bytes,
    parts: Sequence[MimePart],
    version: SoapVersion,
    *,
    action: str | None = None,
    boundary: str | None = None,
    root_id: str = ROOT_ID,
) -> tuple[str, bytes]:
    """Pack an envelope and its parts.

    Args:
        action: parameter ``action`` of the root's type, used with SOAP 1.2 only.
        boundary: made at random when None; must not occur in any part.

    Returns:
        The Content-Type header and the body.
    """
    if boundary is None:
        boundary = f"uuid:{uuid4()}"
    delimiter = f"--{boundary}".encode()
    if delimiter in root or any(delimiter in part.body for part in parts):
        raise InvalidMetadata("boundary", "it occurs in a part")
    media_type = version.media_type
    action_parameter = (
        f'; action="{action}"' if action is not None and version is SoapVersion.SOAP12 else ""
    )
    pieces = [
        delimiter,
        f'\r\nContent-Type: application/xop+xml; charset=UTF-8; type="{media_type}"'
        f"{action_parameter}\r\n"
        f"Content-Transfer-Encoding: binary\r\nContent-ID: <{root_id}>\r\n\r\n".encode(),
        root,
    ]
    for part in parts:
        _check_content_id(part.content_id)
        if not (part.content_type.isascii() and part.content_type.isprintable()):
            raise InvalidMetadata("mimeType", "not printable ASCII")
        pieces += (
            b"\r\n",
            delimiter,
            f"\r\nContent-Type: {part.content_type}\r\nContent-Transfer-Encoding: binary\r\n"
            f"Content-ID: <{part.content_id}>\r\n\r\n".encode(),
            part.body,
        )
    pieces += (b"\r\n", delimiter, b"--\r\n")
    content_type = (
        f'multipart/related; type="application/xop+xml"; boundary="{boundary}"; '
        f'start="<{root_id}>"; start-info="{media_type}"{action_parameter}'
    )
    return content_type, b"".join(pieces)


def read_message(
    content_type: str, body: bytes, *, limits: MtomLimits = DEFAULT_LIMITS
) -> MtomMessage:
    """Read a package, or take a body of any other type as the envelope itself.

    Raises:
        MessageTooLarge: beyond a limit.
        MalformedMessage: no boundary, no closing boundary (the message was cut
            off), the root part missing, two parts with one content id, an
            encoding we do not know.
    """
    if len(body) > limits.total_bytes:
        raise MessageTooLarge(f"a message of more than {limits.total_bytes} bytes")
    parsed = parse_content_type(content_type)
    if not parsed.media_type.startswith("multipart/"):
        if len(body) > limits.root_bytes:
            raise MessageTooLarge(f"an envelope of more than {limits.root_bytes} bytes")
        return MtomMessage(root=body, parts=(), packaged=False)
    boundary = parsed.parameters.get("boundary", "")
    if not boundary or len(boundary) > 200 or not boundary.isascii():
        raise MalformedMessage("a package without a usable boundary")
    raw_parts = _split(body, boundary.encode("ascii"), limits)
    parts = [_read_part(raw, limits) for raw in raw_parts]
    return _with_root(parts, parsed, limits)


def _with_root(parts: list[MimePart], content_type: ContentType, limits: MtomLimits) -> MtomMessage:
    """Tell the root from the rest and refuse ids that stand twice."""
    named = [part.content_id for part in parts if part.content_id]
    if len(named) != len(set(named)):
        raise MalformedMessage("two parts with the same Content-ID")
    start = _bare_id(content_type.parameters.get("start", ""))
    if start:
        index = next((i for i, part in enumerate(parts) if part.content_id == start), None)
        if index is None:
            raise MalformedMessage("a package without the part that start names")
    else:
        index = 0
    root = parts.pop(index)
    if len(root.body) > limits.root_bytes:
        raise MessageTooLarge(f"a root part of more than {limits.root_bytes} bytes")
    return MtomMessage(root=root.body, parts=tuple(parts), packaged=True)


def _bare_id(value: str) -> str:
    value = value.strip()
    return value[1:-1] if value.startswith("<") and value.endswith(">") else value


def _next_delimiter(body: bytes, delimiter: bytes, start: int, line_break: bytes) -> _Mark | None:
    """Find the next boundary that stands on a line of its own, from ``start`` on."""
    position = start
    while (position := body.find(delimiter, position)) >= 0:
        before = body[max(0, position - len(line_break)) : position]
        mark = _mark_at(body, delimiter, position)
        if mark is not None and (position == 0 or before == line_break):
            return mark
        position += 1
    return None


@dataclass(frozen=True, slots=True)
class _Mark:
    """A boundary line: where it begins, where the next part begins, whether it closes."""

    begins: int
    ends: int
    closes: bool


def _mark_at(body: bytes, delimiter: bytes, position: int) -> _Mark | None:
    """Read the rest of a boundary line; None when it is the beginning of a longer word."""
    end = position + len(delimiter)
    closes = body[end : end + 2] == b"--"
    if closes:
        end += 2
    while body[end : end + 1] in {b" ", b"\t"}:
        end += 1
    if body[end : end + 2] == b"\r\n":
        return _Mark(position, end + 2, closes)
    if body[end : end + 1] == b"\n":
        return _Mark(position, end + 1, closes)
    if closes and end == len(body):
        return _Mark(position, end, closes)
    return None


def _split(body: bytes, boundary: bytes, limits: MtomLimits) -> list[bytes]:
    """Cut a body into its parts, headers and all."""
    delimiter = b"--" + boundary
    first = _next_delimiter(body, delimiter, 0, b"\n")
    if first is None or first.closes:
        raise MalformedMessage("a package without a first boundary")
    # The first boundary line shows how this sender ends lines.
    line_break = b"\r\n" if body[first.ends - 2 : first.ends] == b"\r\n" else b"\n"
    parts: list[bytes] = []
    mark = first
    while not mark.closes:
        if len(parts) >= limits.part_count:
            raise MessageTooLarge(f"more than {limits.part_count} parts")
        # From the line break of the boundary line on: an empty part has only that one.
        following = _next_delimiter(body, delimiter, mark.ends, line_break)
        end = following.begins - len(line_break) if following is not None else -1
        if not parts or following is None:
            glued = _glued_delimiter(body, delimiter, mark.ends, following)
            if glued is not None:
                following, end = glued, glued.begins
        if following is None:
            raise MalformedMessage("a package that ends without its closing boundary")
        parts.append(body[mark.ends : max(mark.ends, end)])
        mark = following
    return parts


def _glued_delimiter(
    body: bytes, delimiter: bytes, start: int, before: _Mark | None
) -> _Mark | None:
    """Find a boundary glued to the end of an envelope, as one national service sends it.

    Taken only right behind ``>`` (and blanks), so that it cannot cut a document
    that is not XML.
    """
    stop = len(body) if before is None else before.begins
    position = start
    while (position := body.find(delimiter, position, stop)) >= 0:
        mark = _mark_at(body, delimiter, position)
        if mark is not None and _follows_xml(body, start, position):
            return mark
        position += 1
    return None


def _follows_xml(body: bytes, start: int, position: int) -> bool:
    behind = body[max(start, position - 64) : position]
    return behind.rstrip(b" \t\r\n").endswith(b">")


def _read_part(raw: bytes, limits: MtomLimits) -> MimePart:
    """Separate headers from content and undo the transfer encoding."""
    headers, content = _split_headers(raw, limits)
    encoding = headers.get("content-transfer-encoding", "").strip().lower()
    if encoding == "base64":
        content = decode_base64(content)
    elif encoding not in _PLAIN_ENCODINGS:
        raise MalformedMessage("a part in an unknown transfer encoding")
    if len(content) > limits.part_bytes:
        raise MessageTooLarge(f"a part of more than {limits.part_bytes} bytes")
    return MimePart(
        content_id=_bare_id(headers.get("content-id", "")),
        content_type=headers.get("content-type", "").strip(),
        body=content,
    )


def _split_headers(raw: bytes, limits: MtomLimits) -> tuple[dict[str, str], bytes]:
    headers: dict[str, str] = {}
    last = ""
    position = 0
    while True:
        end = raw.find(b"\n", position)
        if end < 0 or end > limits.header_bytes:
            raise MalformedMessage("a part whose headers do not end")
        line = raw[position:end].removesuffix(b"\r").decode("utf-8", "replace")
        position = end + 1
        if not line:
            return headers, raw[position:]
        if line[0] in " \t" and last:
            headers[last] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        last = name.strip().lower()
        if not colon or last in headers:
            raise MalformedMessage("a part with a broken or repeated header")
        headers[last] = value.strip()


def decode_base64(content: bytes) -> bytes:
    """Decode base64 with white space anywhere in it.

    Raises:
        MalformedMessage: anything else that is not base64.
    """
    try:
        return base64.b64decode(_BASE64_SPACE.sub(b"", content), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedMessage("broken base64") from error
