"""From an HTTP answer to an envelope with its documents, or to the error it stands for.

The status is read before the body, and what is not XML never reaches the parser:
a gateway in between may answer with a page of HTML.

Source: SOAP 1.1 section 6.2; XOP 1.0 section 3; nsp 11 (what each status means).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from nsp_client.errors import HttpRefusal, MalformedMessage, NoAnswer
from nsp_client.soap.content_type import parse_content_type
from nsp_client.soap.envelope import Envelope, parse_envelope
from nsp_client.soap.faults import raise_for_fault
from nsp_client.soap.mtom import (
    DEFAULT_LIMITS,
    XOP_NS,
    MtomLimits,
    MtomMessage,
    decode_base64,
    read_message,
)

_SOAP_TYPES: Final = frozenset(
    {"", "text/xml", "application/soap+xml", "application/xml", "application/xop+xml"}
)
_GATEWAY_TROUBLE: Final = frozenset({502, 503, 504})
_INCLUDE: Final = f"{{{XOP_NS}}}Include"


@dataclass(frozen=True, slots=True)
class SoapMessage:
    """An envelope together with the package it came in."""

    envelope: Envelope
    package: MtomMessage

    def binary_of(self, element: etree._Element) -> bytes:
        """Return the bytes of a base64Binary element: its part's, or decoded from its text.

        Raises:
            MalformedMessage: neither the one nor the other, or both.
        """
        children = list(element.iterchildren(etree.Element))
        if not children:
            return decode_base64("".join(map(str, element.itertext())).encode("utf-8"))
        text = "".join(map(str, element.itertext()))
        if len(children) != 1 or children[0].tag != _INCLUDE or text.strip():
            raise MalformedMessage("a document that is neither base64 nor one xop:Include")
        return self.package.part_of(children[0].get("href") or "").body


def open_message(
    content_type: str,
    body: bytes,
    *,
    binary_elements: frozenset[str] = frozenset(),
    limits: MtomLimits = DEFAULT_LIMITS,
) -> SoapMessage:
    """Read a message, packaged or plain, from a peer of either side.

    Args:
        binary_elements: qualified names (``{namespace}local``) that may hold an
            ``xop:Include``; anywhere else it is refused.

    Raises:
        MalformedMessage: not what SOAP and MTOM say it should be.
    """
    package = read_message(content_type, body, limits=limits)
    envelope = parse_envelope(package.root, max_bytes=limits.root_bytes)
    for include in envelope.root.iter(_INCLUDE):
        parent = include.getparent()
        if parent is None or parent.tag not in binary_elements:
            raise MalformedMessage("an xop:Include where no document belongs")
    return SoapMessage(envelope=envelope, package=package)


def open_answer(
    status: int,
    content_type: str,
    body: bytes,
    *,
    binary_elements: frozenset[str] = frozenset(),
    limits: MtomLimits = DEFAULT_LIMITS,
) -> SoapMessage:
    """Read a service's answer; a fault, whatever the status, becomes its error.

    Raises:
        DgwsFault, StsFault, SoapFault: the service answered with a fault.
        NoAnswer: 502, 503 or 504 without a SOAP body: the outcome is unknown.
        HttpRefusal: any other status but 2xx without a SOAP body.
        MalformedMessage: 2xx with a body that is no SOAP message.
    """
    media_type = parse_content_type(content_type).media_type
    looks_like_soap = media_type.startswith("multipart/") or (
        media_type in _SOAP_TYPES and body[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    )
    succeeded = 200 <= status < 300
    if not looks_like_soap:
        if succeeded:
            raise MalformedMessage("an answer that is no SOAP message")
        raise _without_message(status)
    try:
        message = open_message(content_type, body, binary_elements=binary_elements, limits=limits)
    except MalformedMessage as error:
        if succeeded:
            raise
        raise _without_message(status) from error
    raise_for_fault(message.envelope)
    if not succeeded:
        raise _without_message(status)
    return message


def _without_message(status: int) -> NoAnswer | HttpRefusal:
    if status in _GATEWAY_TROUBLE:
        return NoAnswer(f"HTTP {status}", status=status)
    return HttpRefusal(status)
