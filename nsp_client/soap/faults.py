"""SOAP faults of both versions: written for our own doors, read from everyone's.

Reading goes by element name and not by position, and takes unqualified children,
undeclared prefixes and any HTTP status, since all of these occur.

Source: SOAP 1.1 section 4.4; SOAP 1.2 part 1 section 5.4; Den Gode Webservice
1.0.1 (``medcom:FaultCode`` in the detail).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from lxml import etree

from nsp_client import xml_text
from nsp_client.errors import DgwsFault, DgwsFaultCode, SoapFault, StsFault, StsFaultCode
from nsp_client.soap.envelope import (
    SOAP11_NS,
    SOAP12_NS,
    WSA_NS,
    Envelope,
    SoapVersion,
    build_envelope,
)
from nsp_client.soap.xml import trimmed

MEDCOM_NS: Final = "http://www.medcom.dk/dgws/2006/04/dgws-1.0.xsd"
MEDCOM_ANNEX_NS: Final = (
    "http://svn.medcom.dk/svn/releases/Standarder/DGWS/Schemas/medcom-1.0.1.xsd"
)
"""Printed in the standard's annex of 2018; read, never written."""
WSSE_NS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"

_STS_ACTOR: Final = "dk:sosi:sts:"
_STS_CODES: Final = frozenset(code.value for code in StsFaultCode)


class FaultRole(enum.Enum):
    """Who is at fault; the value is the local name in SOAP 1.2."""

    SENDER = "Sender"
    RECEIVER = "Receiver"
    MUST_UNDERSTAND = "MustUnderstand"
    VERSION_MISMATCH = "VersionMismatch"

    @property
    def soap11_name(self) -> str:
        return {"Sender": "Client", "Receiver": "Server"}.get(self.value, self.value)


class FaultSubcode(enum.Enum):
    """More exact codes of WS-Addressing and WS-Security: namespace and local name."""

    ACTION_NOT_SUPPORTED = (WSA_NS, "ActionNotSupported")
    ADDRESSING_HEADER_REQUIRED = (WSA_NS, "MessageAddressingHeaderRequired")
    INVALID_ADDRESSING_HEADER = (WSA_NS, "InvalidAddressingHeader")
    ONLY_ANONYMOUS_ADDRESS = (WSA_NS, "OnlyAnonymousAddressSupported")
    INVALID_SECURITY_TOKEN = (WSSE_NS, "InvalidSecurityToken")
    FAILED_AUTHENTICATION = (WSSE_NS, "FailedAuthentication")
    FAILED_CHECK = (WSSE_NS, "FailedCheck")


FAULT_ACTION: Final = "http://www.w3.org/2005/08/addressing/fault"
"""``wsa:Action`` of an answer that is a WS-Addressing fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as read.

    Attributes:
        faultcode: SOAP 1.1 ``faultcode`` or SOAP 1.2 ``Code/Value``, as written.
        subcode: innermost SOAP 1.2 ``Subcode/Value``, as written, or None.
        text: ``faultstring`` or ``Reason/Text``.
        actor: ``faultactor`` or ``Role``, or an empty string.
        dgws_code: ``medcom:FaultCode`` in the detail, in either namespace, or None.
        detail_names: local names of the elements directly in the detail.
    """

    faultcode: str
    subcode: str | None
    text: str
    actor: str
    dgws_code: str | None
    detail_names: tuple[str, ...]

    @property
    def is_sts_fault(self) -> bool:
        return (
            self.faultcode.rpartition(":")[2] in _STS_CODES
            or (self.subcode or "").rpartition(":")[2] in _STS_CODES
            or self.actor.startswith(_STS_ACTOR)
        )

    def as_error(self) -> SoapFault:
        """The error that stands for this fault: DGWS, token service, or other."""
        if self.dgws_code is not None:
            return DgwsFault(self.dgws_code, self.text, faultcode=self.faultcode)
        if self.is_sts_fault:
            code = self.subcode if self.subcode is not None else self.faultcode
            return StsFault(code, self.text, self.actor)
        return SoapFault(
            self.subcode or self.faultcode, self.text, detail=",".join(self.detail_names)
        )


def read_fault(envelope: Envelope) -> Fault | None:
    """Return the fault in the body, or None when the body holds something else."""
    element = envelope.payload
    if element is None:
        return None
    name = etree.QName(element)
    if name.localname != "Fault" or name.namespace not in {SOAP11_NS, SOAP12_NS}:
        return None
    children = {
        etree.QName(child).localname: child for child in element.iterchildren(etree.Element)
    }
    detail = children.get("detail", children.get("Detail"))
    code = children.get("faultcode")
    subcode: str | None = None
    if code is None and (code_parent := children.get("Code")) is not None:
        code, subcode = _soap12_code(code_parent)
    reason = children.get("faultstring")
    if reason is None and (reason_parent := children.get("Reason")) is not None:
        reason = _first(reason_parent, "Text")
    actor = children.get("faultactor", children.get("Role"))
    return Fault(
        faultcode=trimmed(code),
        subcode=subcode,
        text=trimmed(reason),
        actor=trimmed(actor),
        dgws_code=_dgws_code(detail),
        detail_names=()
        if detail is None
        else tuple(etree.QName(child).localname for child in detail.iterchildren(etree.Element)),
    )


def raise_for_fault(envelope: Envelope) -> None:
    """Do nothing for a body without a fault.

    Raises:
        DgwsFault, StsFault, SoapFault: by what the fault says.
    """
    fault = read_fault(envelope)
    if fault is not None:
        raise fault.as_error()


def _first(parent: etree._Element, local_name: str) -> etree._Element | None:
    return next(parent.iterchildren(f"{{*}}{local_name}"), None)


def _soap12_code(parent: etree._Element) -> tuple[etree._Element | None, str | None]:
    code = _first(parent, "Value")
    subcode: str | None = None
    inner = _first(parent, "Subcode")
    while inner is not None:
        subcode = trimmed(_first(inner, "Value")) or subcode
        inner = _first(inner, "Subcode")
    return code, subcode


def _dgws_code(detail: etree._Element | None) -> str | None:
    if detail is None:
        return None
    for namespace in (MEDCOM_NS, MEDCOM_ANNEX_NS):
        found = detail.find(f".//{{{namespace}}}FaultCode")
        if trimmed(found):
            return trimmed(found)
    return None


def fault_body(
    version: SoapVersion,
    role: FaultRole,
    text: str,
    *,
    subcode: FaultSubcode | None = None,
    dgws_code: DgwsFaultCode | str | None = None,
    detail: bytes = b"",
    language: str = "da",
) -> bytes:
    """Write the payload of a fault.

    SOAP 1.1 has no sub-codes: there the sub-code takes the place of the code, as
    WS-Addressing and WS-Security prescribe for that version.

    Args:
        dgws_code: goes into the detail as ``medcom:FaultCode``.
        detail: further elements of the detail, declaring their namespaces.
    """
    if dgws_code is not None:
        spelling = dgws_code.value if isinstance(dgws_code, DgwsFaultCode) else dgws_code
        detail = (
            f'<medcom:FaultCode xmlns:medcom="{MEDCOM_NS}">{xml_text.text(spelling)}'
            "</medcom:FaultCode>"
        ).encode() + detail
    if version is SoapVersion.SOAP11:
        code, binding = f"soap:{role.soap11_name}", ""
        if subcode is not None:
            namespace, local = subcode.value
            code, binding = f"sub:{local}", f' xmlns:sub="{namespace}"'
        head = (
            f"<soap:Fault><faultcode{binding}>{code}</faultcode>"
            f"<faultstring>{xml_text.text(text)}</faultstring>"
        ).encode()
        tail = b"<detail>" + detail + b"</detail>" if detail else b""
        return head + tail + b"</soap:Fault>"
    inner = ""
    if subcode is not None:
        namespace, local = subcode.value
        inner = (
            f'<soap:Subcode><soap:Value xmlns:sub="{namespace}">sub:{local}</soap:Value>'
            "</soap:Subcode>"
        )
    head = (
        f"<soap:Fault><soap:Code><soap:Value>soap:{role.value}</soap:Value>{inner}</soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="{xml_text.attribute(language)}">'
        f"{xml_text.text(text)}</soap:Text></soap:Reason>"
    ).encode()
    tail = b"<soap:Detail>" + detail + b"</soap:Detail>" if detail else b""
    return head + tail + b"</soap:Fault>"


def fault_envelope(
    version: SoapVersion,
    role: FaultRole,
    text: str,
    *,
    header_blocks: bytes = b"",
    subcode: FaultSubcode | None = None,
    dgws_code: DgwsFaultCode | str | None = None,
    detail: bytes = b"",
) -> bytes:
    """Write a whole envelope with a fault; arguments as in :func:`fault_body`.

    It goes out with HTTP status 500 (SOAP 1.2: 400 for a sender's fault).
    """
    body = fault_body(version, role, text, subcode=subcode, dgws_code=dgws_code, detail=detail)
    return build_envelope(version, header_blocks, body)


def fault_status(version: SoapVersion, role: FaultRole) -> int:
    """HTTP status of a fault: 500, but 400 in SOAP 1.2 when the sender is at fault."""
    return 400 if version is SoapVersion.SOAP12 and role is FaultRole.SENDER else 500
