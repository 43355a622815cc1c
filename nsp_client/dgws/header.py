"""The two DGWS headers of a message: ``wsse:Security`` and ``medcom:Header``.

Written as bytes for the inside of ``soap:Header``; read from either of the two
namespaces seen for the MedCom header, by element name rather than position.

Source: nsp.md 1.1, 1.4 and 1.5.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lxml import etree

from nsp_client.dgws.id_card import IdCard
from nsp_client.dgws.namespaces import (
    MEDCOM,
    MEDCOM_ANNEX,
    NSI_SERVICE,
    SAML,
    SOSI,
    WSSE,
    WSU,
)
from nsp_client.errors import MalformedMessage
from nsp_client.signing.c14n import utc_text
from nsp_client.xml_text import text

TimeoutMinutes = Literal["5", "30", "480", "1440", "unbound"]


class Priority(enum.Enum):
    """How urgent a message is; the value is the wire spelling."""

    AKUT = "AKUT"
    HASTER = "HASTER"
    RUTINE = "RUTINE"


class FlowStatus(enum.Enum):
    """Where a session stands; the second value is spelt so on the wire."""

    RUNNING = "flow_running"
    FINALIZED = "flow_finalized_succesfully"


@dataclass(frozen=True, slots=True)
class MedcomHeader:
    """The MedCom header of a request or response; ids are opaque strings.

    Attributes:
        message_id: never reused but for a retransmission of the same message.
        flow_id: id of the session; the server's, once it has given one.
        in_response_to: in responses, the request's ``message_id``.
        security_level: 1-5.
        timeout_minutes: how old a card may be, as a hint.
        require_non_repudiation_receipt: None when not said.
        max_age: attribute of DDS' replies, unit not documented.
    """

    message_id: str
    flow_id: str | None = None
    in_response_to: str | None = None
    security_level: int | None = None
    timeout_minutes: str | None = None
    flow_status: str | None = None
    priority: Priority | None = None
    require_non_repudiation_receipt: bool | None = None
    max_age: str | None = None


@dataclass(frozen=True, slots=True)
class Security:
    """``wsse:Security`` as found; nothing in it is verified.

    Attributes:
        created: the sender's time stamp as written, if there is one.
        assertions: every assertion in it, in order.
    """

    created: str | None
    assertions: tuple[etree._Element, ...]

    @property
    def created_in_utc(self) -> bool:
        """Whether the time stamp, if there is one, is written in UTC with ``Z``."""
        return self.created is None or self.created.endswith("Z")


def write_request_header(
    card: IdCard,
    *,
    message_id: str,
    created: datetime,
    flow_id: str | None = None,
    priority: Priority = Priority.RUTINE,
    timeout_minutes: TimeoutMinutes | None = None,
) -> bytes:
    """Write both headers of a request.

    Args:
        card: put in as it is; its level becomes ``SecurityLevel``.
        message_id: new for each message, the same when one is sent again.
        created: when this message was built (aware).
        flow_id: id of the session, if there is one.

    Returns:
        ``wsse:Security`` and ``medcom:Header`` in UTF-8, each declaring its namespaces.
    """
    header = MedcomHeader(
        message_id=message_id,
        flow_id=flow_id,
        security_level=card.security_level,
        timeout_minutes=timeout_minutes,
        priority=priority,
        require_non_repudiation_receipt=False,
    )
    return write_security(created, card.xml) + write_medcom_header(header)


def write_response_header(
    *,
    message_id: str,
    created: datetime,
    in_response_to: str | None,
    flow_id: str | None = None,
    security_level: int | None = None,
    flow_status: FlowStatus = FlowStatus.FINALIZED,
) -> bytes:
    """Write both headers of a response: a time stamp, no card, and the linking.

    Args:
        in_response_to: the request's MessageID to the letter; None when it had none.
    """
    header = MedcomHeader(
        message_id=message_id,
        flow_id=flow_id,
        in_response_to=in_response_to,
        security_level=security_level,
        flow_status=flow_status.value,
    )
    return write_security(created) + write_medcom_header(header)


def write_security(created: datetime, card: bytes = b"") -> bytes:
    """Write ``wsse:Security`` with a time stamp and, if given, a card's bytes.

    The prefixes ``medcom`` and ``sosi`` stand in attribute values of the card,
    where canonicalization does not see them, so they are declared around it.
    """
    return (
        _SECURITY_HEAD
        + utc_text(created).encode()
        + b"</wsu:Created></wsu:Timestamp>"
        + card
        + b"</wsse:Security>"
    )


_SECURITY_HEAD = (
    f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" xmlns:medcom="{MEDCOM}"'
    f' xmlns:sosi="{SOSI}"><wsu:Timestamp><wsu:Created>'
).encode()


def write_medcom_header(header: MedcomHeader) -> bytes:
    """Write ``medcom:Header`` in the order its schema wants."""
    linking = (
        _element("FlowID", header.flow_id)
        + _element("MessageID", header.message_id)
        + _element("InResponseToMessageID", header.in_response_to)
    )
    level = None if header.security_level is None else str(header.security_level)
    receipt = {None: None, True: "yes", False: "no"}[header.require_non_repudiation_receipt]
    return (
        f'<medcom:Header xmlns:medcom="{MEDCOM}">'
        + _element("SecurityLevel", level)
        + _element("TimeOut", header.timeout_minutes)
        + f"<medcom:Linking>{linking}</medcom:Linking>"
        + _element("FlowStatus", header.flow_status)
        + _element("Priority", None if header.priority is None else header.priority.value)
        + _element("RequireNonRepudiationReceipt", receipt)
        + "</medcom:Header>"
    ).encode()


def _element(name: str, value: str | None) -> str:
    return "" if value is None else f"<medcom:{name}>{text(value)}</medcom:{name}>"


def read_medcom_header(soap_header: etree._Element | None) -> MedcomHeader | None:
    """Read the MedCom header of a message, in either namespace.

    Args:
        soap_header: the ``soap:Header`` element, or None when there is none.

    Returns:
        None when the message has no MedCom header; some servers send none.

    Raises:
        MalformedMessage: two headers, no MessageID, or an unknown level.
    """
    if soap_header is None:
        return None
    found = [
        element
        for namespace in (MEDCOM, MEDCOM_ANNEX)
        for element in soap_header.findall(f"{{{namespace}}}Header")
    ]
    if not found:
        return None
    if len(found) > 1:
        raise MalformedMessage("more than one medcom:Header")
    return _read(found[0])


def _read(header: etree._Element) -> MedcomHeader:
    values: dict[str, str] = {}
    for element in header.iter(etree.Element):
        name = etree.QName(element).localname
        if len(element) == 0 and name in values:
            raise MalformedMessage(f"medcom:{name} stands twice")
        if len(element) == 0:
            values[name] = (element.text or "").strip()
    message_id = values.get("MessageID")
    if not message_id:
        raise MalformedMessage("medcom:Header without MessageID")
    # The standard's text also prints RequestPriority.
    priority = values.get("Priority") or values.get("RequestPriority")
    receipt = values.get("RequireNonRepudiationReceipt")
    return MedcomHeader(
        message_id=message_id,
        flow_id=values.get("FlowID") or None,
        in_response_to=values.get("InResponseToMessageID") or None,
        security_level=_level(values.get("SecurityLevel")),
        timeout_minutes=values.get("TimeOut") or None,
        flow_status=values.get("FlowStatus") or None,
        priority=_priority(priority),
        require_non_repudiation_receipt=None if receipt is None else receipt.lower() == "yes",
        max_age=header.get(f"{{{NSI_SERVICE}}}maxAge"),
    )


def _priority(value: str | None) -> Priority | None:
    # A hint that nobody acts on: an unknown word is no reason to refuse.
    return next((known for known in Priority if known.value == value), None)


def _level(value: str | None) -> int | None:
    if not value:
        return None
    if value not in {"1", "2", "3", "4", "5"}:
        raise MalformedMessage("unknown SecurityLevel")
    return int(value)


def read_security(soap_header: etree._Element | None) -> Security | None:
    """Find ``wsse:Security`` and the assertions in it. Nothing is verified.

    Returns:
        None when the message has none.

    Raises:
        MalformedMessage: two of them.
    """
    if soap_header is None:
        return None
    found = soap_header.findall(f"{{{WSSE}}}Security")
    if len(found) > 1:
        raise MalformedMessage("more than one wsse:Security")
    if not found:
        return None
    created = found[0].findtext(f"{{{WSU}}}Timestamp/{{{WSU}}}Created")
    return Security(
        None if created is None else created.strip(),
        tuple(found[0].findall(f"{{{SAML}}}Assertion")),
    )
