"""SOAP envelopes as the doubles read and write them, 1.1 and 1.2.

Reading: hardened XML, the header blocks by name, the one child of the body,
the documents of an MTOM package put beside it. Writing: answers and faults in
the version and form of the request.

Source: SOAP 1.1 section 4; SOAP 1.2 part 1; nsp 0.3, 1.4-1.6, 3.1; ihe-xds
2.1-2.4 ("same form back").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from xml.sax.saxutils import escape

from aiohttp import web
from lxml import etree

from test_doubles import mtom
from test_doubles.errors import DoubleError

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
MEDCOM = "http://www.medcom.dk/dgws/2006/04/dgws-1.0.xsd"
MEDCOM_ALTERNATIVE = "http://svn.medcom.dk/svn/releases/Standarder/DGWS/Schemas/medcom-1.0.1.xsd"
HSUID = "http://www.nsi.dk/hsuid/2016/08/hsuid-1.1.xsd"
WSA = "http://www.w3.org/2005/08/addressing"
WSA_2004 = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WST = "http://schemas.xmlsoap.org/ws/2005/02/trust"

UNDERSTOOD = frozenset({WSSE, MEDCOM, MEDCOM_ALTERNATIVE, HSUID, WSA, WSA_2004})
"""Namespaces of header blocks that a double knows when ``mustUnderstand`` is set."""


class SoapVersion(Enum):
    """The value is the namespace of the envelope."""

    V11 = SOAP11
    V12 = SOAP12

    @property
    def media_type(self) -> str:
        """Media type of the plain envelope, also ``start-info`` of a package."""
        return "text/xml" if self is SoapVersion.V11 else "application/soap+xml"


class SoapFault(DoubleError):
    """A request that gets a fault instead of an answer.

    ``dgws_code`` goes into ``medcom:FaultCode``, ``detail`` into faultstring
    (it holds no CPR number); ``fault_code`` is for faults of SOAP itself and
    of WS-Addressing, ``soap:Server`` otherwise.
    """

    code = "SOAP-FAULT"

    def __init__(self, dgws_code: str | None, detail: str, fault_code: str | None = None) -> None:
        super().__init__(detail)
        self.dgws_code = dgws_code
        self.fault_code = fault_code


@dataclass(frozen=True, slots=True)
class Message:
    """A request as read.

    ``body`` is the one child of soap:Body; ``parts`` the MIME parts beside
    the root, by Content-ID; ``packaged`` whether it came as MTOM; ``oddities``
    what was accepted although the profile says otherwise.
    """

    version: SoapVersion
    envelope: etree._Element
    header: etree._Element | None
    body: etree._Element
    packaged: bool = False
    parts: Mapping[str, mtom.Part] = field(default_factory=dict)
    oddities: tuple[str, ...] = ()

    def block(self, namespace: str, name: str) -> etree._Element | None:
        """The header block of that name, if there is one."""
        return None if self.header is None else self.header.find(f"{{{namespace}}}{name}")

    def header_text(self, namespace: str, name: str) -> str | None:
        """The text of a header block, white space around it taken off."""
        found = self.block(namespace, name)
        return None if found is None else text_of(found)


def text_of(element: etree._Element | None) -> str:
    """The text directly inside an element without white space around it."""
    return "" if element is None or element.text is None else element.text.strip()


def parse_xml(octets: bytes) -> etree._Element:
    """Parse bytes from outside.

    Raises:
        SoapFault: ``syntax_error``: not well-formed, or with a document type.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(octets, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SoapFault("syntax_error", "the message is not well-formed XML") from error
    tree = root.getroottree()
    if tree.docinfo.doctype:
        raise SoapFault("syntax_error", "a document type is not allowed")
    return root


async def read_message(request: web.Request) -> Message:
    """Read the envelope of a request, plain or packaged.

    Raises:
        SoapFault: ``syntax_error`` for anything that cannot be read.
    """
    octets = await request.read()
    content_type = mtom.parse_content_type(request.headers.get("Content-Type", ""))
    if content_type.media_type == "multipart/related":
        return _packaged(content_type, octets)
    envelope = parse_xml(octets)
    version, header, body = _take_apart(envelope)
    oddities = []
    if content_type.media_type != version.media_type:
        oddities.append("content type does not fit the SOAP version")
    if version is SoapVersion.V11 and "SOAPAction" not in request.headers:
        oddities.append("no SOAPAction")
    return Message(version, envelope, header, body, oddities=tuple(oddities))


def _packaged(content_type: mtom.ContentType, octets: bytes) -> Message:
    try:
        package = mtom.read_package(content_type, octets)
    except mtom.BadPackage as error:
        raise SoapFault("syntax_error", str(error)) from error
    envelope = parse_xml(package.root.content)
    version, header, body = _take_apart(envelope)
    oddities = list(package.oddities)
    if content_type.parameters.get("start-info") != version.media_type:
        oddities.append("start-info does not fit the SOAP version")
    return Message(version, envelope, header, body, True, package.parts, tuple(oddities))


def _take_apart(
    envelope: etree._Element,
) -> tuple[SoapVersion, etree._Element | None, etree._Element]:
    name = etree.QName(envelope)
    if name.localname != "Envelope" or name.namespace not in (SOAP11, SOAP12):
        raise SoapFault("syntax_error", "the root is no SOAP envelope")
    version = SoapVersion(name.namespace)
    header = envelope.find(f"{{{version.value}}}Header")
    bodies = envelope.findall(f"{{{version.value}}}Body")
    if len(bodies) != 1:
        raise SoapFault("syntax_error", "an envelope has one body")
    content = list(bodies[0].iterchildren(tag=etree.Element))
    if len(content) != 1:
        raise SoapFault("syntax_error", "the body has one child")
    _check_understood(header, version)
    return version, header, content[0]


def _check_understood(header: etree._Element | None, version: SoapVersion) -> None:
    if header is None:
        return
    for block in header.iterchildren(tag=etree.Element):
        flag = block.get(f"{{{version.value}}}mustUnderstand", "0")
        if flag in ("1", "true") and etree.QName(block).namespace not in UNDERSTOOD:
            raise SoapFault(
                None,
                f"header block {etree.QName(block).localname} is not understood",
                "soap:MustUnderstand",
            )


def canonical(element: etree._Element) -> bytes:
    """Exclusive canonical form without comments.

    Raises:
        SoapFault: ``syntax_error``: there is none, as with a relative namespace.

    Source: W3C Exclusive XML Canonicalization 1.0.
    """
    try:
        return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
    except etree.C14NError as error:
        raise SoapFault("syntax_error", "the message has no canonical form") from error


def utc_text(instant: datetime) -> str:
    """A dateTime in UTC, to the second, with ``Z``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def serialized(element: etree._Element) -> str:
    """An element with all namespaces it needs, without what follows it."""
    return etree.tostring(element, encoding="unicode", with_tail=False)


def envelope_text(version: SoapVersion, header: str, body: str) -> str:
    """An envelope around markup that declares its own prefixes."""
    return (
        f'<soap:Envelope xmlns:soap="{version.value}"><soap:Header>{header}</soap:Header>'
        f"<soap:Body>{body}</soap:Body></soap:Envelope>"
    )


def fault_body(version: SoapVersion, fault: SoapFault, actor: str | None = None) -> str:
    """soap:Fault with the DGWS code in its detail. Source: nsp 1.6; SOAP 1.2 part 1, 5.4."""
    detail = ""
    if fault.dgws_code is not None:
        code = escape(fault.dgws_code)
        detail = f'<medcom:FaultCode xmlns:medcom="{MEDCOM}">{code}</medcom:FaultCode>'
    declared = f'xmlns:wsa="{WSA}" xmlns:wst="{WST}"'
    if version is SoapVersion.V12:
        shown = f"<soap:Detail>{detail}</soap:Detail>" if detail else ""
        subcode = (
            f"<soap:Subcode><soap:Value>{escape(fault.fault_code)}</soap:Value></soap:Subcode>"
            if fault.fault_code
            else ""
        )
        return (
            f"<soap:Fault {declared}><soap:Code><soap:Value>soap:Receiver</soap:Value>{subcode}"
            f'</soap:Code><soap:Reason><soap:Text xml:lang="da">{escape(fault.detail)}</soap:Text>'
            f"</soap:Reason>{shown}</soap:Fault>"
        )
    shown = f"<detail>{detail}</detail>" if detail else ""
    acting = f"<faultactor>{escape(actor)}</faultactor>" if actor else ""
    return (
        f"<soap:Fault {declared}><faultcode>{escape(fault.fault_code or 'soap:Server')}</faultcode>"
        f"<faultstring>{escape(fault.detail)}</faultstring>{acting}{shown}</soap:Fault>"
    )


def timestamp_header(now: datetime, card: str = "") -> str:
    """wsse:Security with the time and, after it, the card given as markup."""
    return (
        f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}"><wsu:Timestamp><wsu:Created>'
        f"{utc_text(now)}</wsu:Created></wsu:Timestamp>{card}</wsse:Security>"
    )


def linking_header(message_id: str, in_response_to: str | None, level: str | None = None) -> str:
    """medcom:Header of an answer. Source: nsp 1.4, 1.5."""
    secured = f"<medcom:SecurityLevel>{level}</medcom:SecurityLevel>" if level else ""
    response = (
        f"<medcom:InResponseToMessageID>{escape(in_response_to)}</medcom:InResponseToMessageID>"
        if in_response_to is not None
        else ""
    )
    return (
        f'<medcom:Header xmlns:medcom="{MEDCOM}">{secured}<medcom:Linking><medcom:MessageID>'
        f"{escape(message_id)}</medcom:MessageID>{response}</medcom:Linking>"
        "<medcom:FlowStatus>flow_finalized_succesfully</medcom:FlowStatus></medcom:Header>"
    )


def response(
    version: SoapVersion,
    text: str,
    *,
    status: int = 200,
    packaged: bool = False,
    glued: bool = False,
) -> web.Response:
    """The HTTP answer around an envelope, plain or as a package without attachments."""
    octets = text.encode("utf-8")
    if packaged:
        content_type, octets = mtom.write_package(octets, version.media_type, glued=glued)
        return web.Response(status=status, body=octets, headers={"Content-Type": content_type})
    return web.Response(
        status=status, body=octets, content_type=version.media_type, charset="utf-8"
    )
