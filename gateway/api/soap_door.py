"""What both SOAP doors for readers share: read, check the caller, answer or refuse.

    1. envelope   plain or MTOM, SOAP 1.1 or 1.2          (nsp_client.soap)
    2. card       DGWS id card signed by the pinned STS   (nsp_client.dgws)
    3. HSUID      held against the card                   (nsp_client.hsuid)
    4. reader     who asks about whom, on what ground

Whatever fails is a SOAP fault in the version that was asked in; only what
concerns the content of a query is an ebRS error list.

Source: nsp 1.8, 3.1-3.4; ihe-xds 2, 10; design.md 3.3.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import orjson
from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from consent.facts import Reader, Subject
from consent.model import Override, Role
from consent.texts import Audience, sentence
from gateway.api.services import Services
from gateway.api.submissions import read_body, request_id_of
from gateway.errors import ConfigurationFault, Unavailable
from gateway.pipeline.looks import Look
from gateway.service.disclose import Disclosure
from nsp_client.dgws.card_verifier import CardVerifier
from nsp_client.dgws.faults import dgws_fault, write_fault_envelope
from nsp_client.dgws.header import read_medcom_header, write_response_header
from nsp_client.dgws.id_card import UserIdCard
from nsp_client.dgws.namespaces import MEDCOM
from nsp_client.dgws.server import CheckedRequest, ServicePolicy
from nsp_client.dgws.server import check_request as check_dgws
from nsp_client.errors import DgwsFault, DgwsFaultCode, MalformedMessage
from nsp_client.hsuid import HsuidHeader, ReaderKind, check_hsuid, read_hsuid
from nsp_client.soap.answer import SoapMessage, open_message
from nsp_client.soap.envelope import SoapVersion, answer_addressing, build_envelope
from nsp_client.soap.faults import FaultRole
from nsp_client.soap.server import RequestRefused
from nsp_client.soap.server import check_request as check_soap

CONTEXT_NS: Final = "urn:dk:notegateway:2026"
CONTEXT: Final = f"{{{CONTEXT_NS}}}DisclosureContext"
BODY_LIMIT_BYTES: Final = 1_000_000
UNDERSTOOD: Final = (
    ("http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd", "*"),
    ("http://www.nsi.dk/hsuid/2016/08/hsuid-1.1.xsd", "*"),
    ("http://www.nsi.dk/hsuid/2013/01/hsuid-1.1.xsd", "*"),
    (MEDCOM, "*"),
    ("http://svn.medcom.dk/svn/releases/Standarder/DGWS/Schemas/medcom-1.0.1.xsd", "*"),
    (CONTEXT_NS, "DisclosureContext"),
)
PROFESSIONALS: Final = frozenset(
    {
        ReaderKind.PROFESSIONAL,
        ReaderKind.PROFESSIONAL_WITHOUT_AUTHORIZATION,
        ReaderKind.ON_BEHALF_OF_PROFESSIONAL,
    }
)


@dataclass(frozen=True, slots=True)
class DoorRequest:
    """A request whose caller has been checked."""

    message: SoapMessage
    is_packaged: bool
    checked: CheckedRequest
    hsuid: HsuidHeader
    look: Look
    subject_cpr: str

    @property
    def version(self) -> SoapVersion:
        return self.message.envelope.version

    def header_blocks(self, services: Services, action: str) -> bytes:
        """DGWS and addressing headers of the answer."""
        return write_response_header(
            message_id=str(uuid4()),
            created=services.clock.now(),
            in_response_to=self.checked.header.message_id,
            flow_id=self.checked.header.flow_id,
            security_level=self.checked.header.security_level,
        ) + answer_addressing(
            self.version, action=action, relates_to=self.message.envelope.message_id
        )


Answer = Callable[[Services, DoorRequest], Awaitable[Response]]


class SoapDoor:
    """Checks callers for one door.

    Args:
        action: the one ``wsa:Action`` served.
        view: LIST or CONTENT, for the audit entry.
    """

    def __init__(self, *, action: str, view: str, answer: Answer) -> None:
        self._action = action
        self._view = view
        self._answer = answer
        self._verifier: CardVerifier | None = None

    async def serve(self, request: Request) -> Response:
        """Serve one request."""
        services: Services = request.app.state.services
        body = await read_body(request, BODY_LIMIT_BYTES)
        version = SoapVersion.SOAP11
        if body is None:
            return _refuse(
                RequestRefused(FaultRole.SENDER, "the message is larger than 1 MB"), version
            )
        message: SoapMessage | None = None
        try:
            content_type = request.headers.get("content-type", "")
            message = open_message(content_type, body)
            version = message.envelope.version
            opened = self._open(services, request, message, content_type)
            return await self._answer(services, opened)
        except MalformedMessage as error:
            return _refuse(RequestRefused(FaultRole.SENDER, str(error)), version)
        except RequestRefused as error:
            return _refuse(error, version)
        except DgwsFault as error:
            return _fault(services, error, message, version)
        except Unavailable:
            return _fault(services, dgws_fault(DgwsFaultCode.PROCESSING_PROBLEM), message, version)

    def _open(
        self, services: Services, request: Request, message: SoapMessage, content_type: str
    ) -> DoorRequest:
        envelope = message.envelope
        check_soap(
            envelope,
            actions={self._action},
            understood=UNDERSTOOD,
            http_action=request.headers.get("soapaction"),
        )
        checked = check_dgws(
            envelope.header,
            self._card_verifier(services),
            ServicePolicy(allowed_cvrs=None),
            services.clock.now(),
        )
        hsuid = read_hsuid(envelope.header)
        kind = check_hsuid(hsuid, checked.card, citizen_portal_cvrs=frozenset())
        if hsuid is None or kind not in PROFESSIONALS or hsuid.citizen_cpr is None:
            raise dgws_fault(DgwsFaultCode.NOT_AUTHORIZED)
        reader = _reader(services, checked, hsuid, kind, read_context(envelope.header))
        cpr = hsuid.citizen_cpr.value
        subject = Subject(cpr=cpr, id=str(services.ring.person_id(cpr)))
        look = Look(
            reader=reader,
            subject=subject,
            view=self._view,
            door="sundhedsjournal",
            request_id=request_id_of(request),
            client_system=f"{hsuid.system_name or ''} {hsuid.system_version or ''}".strip(),
            actor_name=_name_of(checked),
            acting_org_verified=checked.card.care_provider.id,
        )
        is_packaged = content_type.lower().startswith("multipart/")
        return DoorRequest(message, is_packaged, checked, hsuid, look, cpr)

    def _card_verifier(self, services: Services) -> CardVerifier:
        if self._verifier is None:
            if services.trusted_sts is None:
                raise ConfigurationFault("trusted_sts_file")
            self._verifier = CardVerifier(services.trusted_sts)
        return self._verifier


def _name_of(checked: CheckedRequest) -> str:
    card = checked.card
    if not isinstance(card, UserIdCard):
        return ""
    return f"{card.user.given_name or ''} {card.user.surname or ''}".strip()


def read_context(header: etree._Element | None) -> dict[str, Any]:
    """The JSON in the ``DisclosureContext`` header; an empty object without one.

    Raises:
        RequestRefused: it is there and can't be read.
    """
    element = None if header is None else header.find(CONTEXT)
    if element is None:
        return {}
    try:
        value = orjson.loads("".join(map(str, element.itertext())))
    except orjson.JSONDecodeError as error:
        raise RequestRefused(FaultRole.SENDER, "DisclosureContext is not JSON") from error
    if not isinstance(value, dict):
        raise RequestRefused(FaultRole.SENDER, "DisclosureContext is not a JSON object")
    return value


def _reader(
    services: Services,
    checked: CheckedRequest,
    hsuid: HsuidHeader,
    kind: ReaderKind,
    context: dict[str, Any],
) -> Reader:
    ring = services.ring
    responsible = hsuid.responsible_cpr or hsuid.acting_cpr
    is_assistant = kind is ReaderKind.ON_BEHALF_OF_PROFESSIONAL
    return Reader(
        role=Role.HP.value,
        actor_id=str(ring.person_id(hsuid.acting_cpr.value)),
        auth_level="SUBSTANTIAL" if checked.card.security_level >= 4 else "LOW",
        acting_org=hsuid.org_using_id,
        purpose=_text(context, "purpose") or "TREATMENT",
        responsible_id=str(ring.person_id(responsible.value)),
        responsible_cpr=responsible.value,
        is_assistant=is_assistant,
        authorization_id=hsuid.responsible_authorization_code,
        attests_relation=context.get("relation") == "DECLARED",
        override=_override(hsuid, context),
    )


def _text(value: dict[str, Any], name: str) -> str | None:
    text = value.get(name)
    return text if isinstance(text, str) else None


def _override(hsuid: HsuidHeader, context: dict[str, Any]) -> Override | None:
    """Reason and text of an override; the bare flag names none and so is refused."""
    asked = context.get("override")
    if isinstance(asked, dict):
        return Override(_text(asked, "reason"), _text(asked, "text"))
    return Override(None, None) if hsuid.consent_override else None


def require_open(disclosure: Disclosure) -> None:
    """Refuse a reader who may not look at all, or whose look can't be judged.

    Raises:
        DgwsFault: with the professional's text of the code, the same whether or
            not the patient has notes.
    """
    closed = disclosure.closed
    if closed is not None:
        code = (
            DgwsFaultCode.PROCESSING_PROBLEM
            if closed.code == "D-AUDIT-UNAVAILABLE"
            else DgwsFaultCode.NOT_AUTHORIZED
        )
        raise dgws_fault(code, f"{closed.code}: {_professional_text(closed.code)}")
    if disclosure.consent_is_unavailable:
        raise dgws_fault(
            DgwsFaultCode.INTERNAL_ERROR_CONSENT, _professional_text("D-CONSENT-UNAVAILABLE")
        )


def _professional_text(code: str) -> str:
    text = sentence(code, Audience.PROFESSIONAL)
    return text.da if text is not None else ""


def soap_answer(services: Services, request: DoorRequest, action: str, payload: bytes) -> Response:
    """A plain answer with its headers."""
    envelope = build_envelope(request.version, request.header_blocks(services, action), payload)
    media_type = (
        "text/xml; charset=utf-8"
        if request.version is SoapVersion.SOAP11
        else "application/soap+xml; charset=utf-8"
    )
    return Response(envelope, media_type=media_type)


def _refuse(error: RequestRefused, version: SoapVersion) -> Response:
    return Response(
        error.as_envelope(version),
        status_code=error.http_status(version),
        media_type="text/xml; charset=utf-8",
    )


def _fault(
    services: Services, fault: DgwsFault, message: SoapMessage | None, version: SoapVersion
) -> Response:
    asked = read_medcom_header(message.envelope.header) if message is not None else None
    return Response(
        write_fault_envelope(
            fault,
            created=services.clock.now(),
            message_id=str(uuid4()),
            in_response_to=asked.message_id if asked else None,
            flow_id=asked.flow_id if asked else None,
            security_level=asked.security_level if asked else None,
            version=version,
        ),
        status_code=500,
        media_type="text/xml; charset=utf-8",
    )
