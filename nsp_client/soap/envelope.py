"""SOAP 1.1 and 1.2 envelopes: bytes to records and back, with WS-Addressing.

Header blocks and bodies are written as bytes by whoever knows them; this module
only puts them in place. What is read keeps the parsed elements, so that a signed
header block can be checked as it came.

Source: SOAP 1.1 note of 2000; SOAP 1.2 part 1; WS-Addressing 1.0; IHE ITI TF-2
appendix V for their use in XDS.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from lxml import etree

from nsp_client import xml_text
from nsp_client.errors import MalformedMessage
from nsp_client.soap.xml import MAX_XML_BYTES, parse_xml, trimmed

SOAP11_NS: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12_NS: Final = "http://www.w3.org/2003/05/soap-envelope"
WSA_NS: Final = "http://www.w3.org/2005/08/addressing"
WSA_2004_NS: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
ANONYMOUS: Final = "http://www.w3.org/2005/08/addressing/anonymous"
_ANONYMOUS_2004: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"


class SoapVersion(enum.Enum):
    """The two envelopes in use; the value is the namespace."""

    SOAP11 = SOAP11_NS
    SOAP12 = SOAP12_NS

    @property
    def media_type(self) -> str:
        """Media type of an envelope outside a package, and ``type`` of a root part."""
        return "text/xml" if self is SoapVersion.SOAP11 else "application/soap+xml"


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope as read.

    Attributes:
        header: ``soap:Header``, or None.
        body: ``soap:Body``.
        action, message_id, relates_to, to, reply_to: texts of the WS-Addressing
            blocks (2005 or 2004 namespace) without white space around; None when
            absent. ``reply_to`` is the address, wrapped in an element or bare.
    """

    version: SoapVersion
    root: etree._Element
    header: etree._Element | None
    body: etree._Element
    action: str | None
    message_id: str | None
    relates_to: str | None
    to: str | None
    reply_to: str | None

    @property
    def payload(self) -> etree._Element | None:
        """The first element in the body, or None."""
        return next(self.body.iterchildren(etree.Element), None)

    def header_blocks(self, namespace: str, name: str) -> list[etree._Element]:
        """All header blocks of this name."""
        if self.header is None:
            return []
        return list(self.header.iterchildren(f"{{{namespace}}}{name}"))


def parse_envelope(data: bytes, *, max_bytes: int = MAX_XML_BYTES) -> Envelope:
    """Read an envelope of either version.

    Raises:
        MalformedMessage: not XML, not an envelope, or without exactly one body.
    """
    root = parse_xml(data, max_bytes=max_bytes)
    return envelope_of(root)


def envelope_of(root: etree._Element) -> Envelope:
    """Take a parsed root as an envelope; errors as in :func:`parse_envelope`."""
    name = etree.QName(root)
    if name.localname != "Envelope" or name.namespace not in {SOAP11_NS, SOAP12_NS}:
        raise MalformedMessage("not a SOAP envelope")
    namespace = str(name.namespace)
    bodies = list(root.iterchildren(f"{{{namespace}}}Body"))
    headers = list(root.iterchildren(f"{{{namespace}}}Header"))
    if len(bodies) != 1 or len(headers) > 1:
        raise MalformedMessage("an envelope has one body and at most one header")
    header = headers[0] if headers else None
    found = _addressing(header)
    return Envelope(
        version=SoapVersion(namespace),
        root=root,
        header=header,
        body=bodies[0],
        action=found.get("Action"),
        message_id=found.get("MessageID"),
        relates_to=found.get("RelatesTo"),
        to=found.get("To"),
        reply_to=found.get("ReplyTo"),
    )


def _addressing(header: etree._Element | None) -> dict[str, str]:
    """Texts of the WS-Addressing blocks by local name; the 2005 namespace wins."""
    found: dict[str, str] = {}
    if header is None:
        return found
    for namespace in (WSA_NS, WSA_2004_NS):
        seen: set[str] = set()
        for block in header.iterchildren(f"{{{namespace}}}*"):
            name = etree.QName(block).localname
            if name in seen and name != "RelatesTo":
                raise MalformedMessage(f"wsa:{name} stands twice")
            seen.add(name)
            address = block.find(f"{{{namespace}}}Address")
            value = trimmed(address if address is not None else block)
            if value:
                found.setdefault(name, value)
    return found


def is_anonymous(reply_to: str | None) -> bool:
    """Tell whether an answer may go back on the same connection."""
    return reply_to is None or reply_to in {ANONYMOUS, _ANONYMOUS_2004}


_OPENINGS: Final = {
    version: f'<soap:Envelope xmlns:soap="{version.value}"'.encode() for version in SoapVersion
}


def build_envelope(
    version: SoapVersion, header_blocks: bytes, body: bytes, *, envelope_id: str | None = None
) -> bytes:
    """Put header blocks and a body payload into an envelope, in UTF-8.

    Args:
        header_blocks: complete elements, each declaring the namespaces it uses.
        body: one complete element, or nothing.
        envelope_id: attribute ``id`` of the envelope, as signed envelopes want it.
    """
    extra = b"" if envelope_id is None else f' id="{xml_text.attribute(envelope_id)}"'.encode()
    header = b"<soap:Header>" + header_blocks + b"</soap:Header>" if header_blocks else b""
    return b"".join(
        (
            _OPENINGS[version],
            extra,
            b">",
            header,
            b"<soap:Body>",
            body,
            b"</soap:Body></soap:Envelope>",
        )
    )


def request_addressing(version: SoapVersion, *, action: str, message_id: str, to: str) -> bytes:
    """Write the WS-Addressing blocks of a request; only Action must be understood."""
    return (
        f'<wsa:Action xmlns:wsa="{WSA_NS}" xmlns:soap="{version.value}" soap:mustUnderstand="1">'
        f"{xml_text.text(action)}</wsa:Action>"
        f'<wsa:MessageID xmlns:wsa="{WSA_NS}">{xml_text.text(message_id)}</wsa:MessageID>'
        f'<wsa:To xmlns:wsa="{WSA_NS}">{xml_text.text(to)}</wsa:To>'
        f'<wsa:ReplyTo xmlns:wsa="{WSA_NS}"><wsa:Address>{ANONYMOUS}</wsa:Address></wsa:ReplyTo>'
    ).encode()


def answer_addressing(
    version: SoapVersion, *, action: str, relates_to: str | None, message_id: str | None = None
) -> bytes:
    """Write the WS-Addressing blocks of an answer; ``relates_to`` to the letter."""
    blocks = (
        f'<wsa:Action xmlns:wsa="{WSA_NS}" xmlns:soap="{version.value}" soap:mustUnderstand="1">'
        f"{xml_text.text(action)}</wsa:Action>"
    )
    if message_id is not None:
        blocks += f'<wsa:MessageID xmlns:wsa="{WSA_NS}">{xml_text.text(message_id)}</wsa:MessageID>'
    if relates_to is not None:
        blocks += f'<wsa:RelatesTo xmlns:wsa="{WSA_NS}">{xml_text.text(relates_to)}</wsa:RelatesTo>'
    return blocks.encode()


def http_headers(version: SoapVersion, action: str) -> dict[str, str]:
    """HTTP headers of a plain (not MTOM) message.

    SOAPAction goes along even where it is optional: a router in front of the
    service may have nothing else to go by.
    """
    if version is SoapVersion.SOAP11:
        return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
    return {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}


def blocks_not_understood(
    envelope: Envelope, understood: Collection[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Name the header blocks that must be understood and are not in ``understood``.

    Args:
        understood: pairs of namespace and local name; ``*`` as name takes a whole
            namespace.
    """
    if envelope.header is None:
        return []
    flag = f"{{{envelope.version.value}}}mustUnderstand"
    missed: list[tuple[str, str]] = []
    for block in envelope.header.iterchildren(etree.Element):
        if (block.get(flag) or "").strip() not in {"1", "true"}:
            continue
        name = etree.QName(block)
        key = (name.namespace or "", name.localname)
        if key not in understood and (key[0], "*") not in understood:
            missed.append(key)
    return missed
