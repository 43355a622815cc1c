"""Ready-made headers for a persona: id card signed by the STS double, HSUID, medcom.

A short cut for tests and for ``gateway demo-idcard``; the card is issued at
once, without the persona's self-signed one before it. All markup declares its
own prefixes and can be pasted into a SOAP header.

Source: design 3.5; nsp 1.2, 1.4, 3.3, 3.4.
"""

from __future__ import annotations

import secrets
import uuid
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from aiohttp import web
from cryptography import x509

from test_doubles.cards import certificate_hash
from test_doubles.errors import BadRequest
from test_doubles.personas import Persona
from test_doubles.pki import GATEWAY_NAME
from test_doubles.soap import HSUID, MEDCOM, timestamp_header, utc_text
from test_doubles.sts import organization_cvr
from test_doubles.sts_issuing import NATIONAL_ROLE, Claims, Issuer
from test_doubles.world import (
    JsonObject,
    Route,
    World,
    json_refusal,
    json_response,
    read_object,
    text_member,
)

DEFAULT_PATIENT = "patient-1"
"""Whom a professional asks about when nobody is named."""

PORTAL = "dds/client"
"""Certificate of the system behind a citizen: a portal on the list of level 3 callers."""

SYSTEM_NAME = "Sundhedsjournalen"
_Pairs = list[tuple[str, str, str | None]]


class IdCardIssuer:
    """Hands out headers. Name ``idcard``; operation ``issue``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._issuer = Issuer(world.pki_dir)

    @property
    def name(self) -> str:
        """``idcard``."""
        return "idcard"

    def routes(self) -> list[Route]:
        """The one address."""
        return [Route("POST", "/control/idcard", "issue", self.issue)]

    def state(self) -> JsonObject:
        """Nothing is kept."""
        return {}

    def put_state(self, state: JsonObject) -> None:
        """Takes the empty state only.

        Raises:
            BadRequest: there is a member.
        """
        if state:
            raise BadRequest("this double keeps no state")

    def reset(self) -> None:
        """Nothing to do."""

    def refusal(self, operation: str, code: str | None) -> web.StreamResponse:
        """503 with a problem document."""
        return json_refusal(code)

    async def issue(self, request: web.Request) -> web.Response:
        """``{"persona", "patient"?, "override"?}`` to the four headers.

        ``patient`` is a CPR number or a persona id. A citizen speaks for
        themselves, or for the patient when another one is named. ``hsuid`` is
        null for a practice system, for HSUID knows no systems.

        Raises:
            BadRequest: a member does not fit, or the persona has no card.
            UnknownName: no persona of that id.
        """
        document = await read_object(request)
        unknown = set(document) - {"persona", "patient", "override"}
        if unknown:
            raise BadRequest(f"unknown member {min(unknown)}")
        persona = self._world.personas.get(text_member(document, "persona"))
        override = document.get("override", False)
        if not isinstance(override, bool):
            raise BadRequest("member override must be true or false")
        patient = self._patient(document)
        now = self._world.clock.now()
        level, card = self._card(persona, now)
        hsuid = self._hsuid(persona, patient, now, override=override)
        return json_response(
            {
                "id_card": card,
                "hsuid": hsuid,
                "security_header": timestamp_header(now, card),
                "medcom_header": _medcom_header(level),
            }
        )

    def _patient(self, document: JsonObject) -> str | None:
        if document.get("patient") is None:
            return None
        named = text_member(document, "patient")
        if len(named) == 10 and named[:6].isdigit():
            return named
        return self._world.personas.cpr_of(named)

    def _card(self, persona: Persona, now: datetime) -> tuple[str, str]:
        """Level and card: 4 for people at work, 3 for systems and those behind them."""
        if persona.role in ("professional", "assistant") and persona.organization is not None:
            holder = self._issuer.pki.certificate(f"personas/{persona.persona_id}")
            claims = _claims("user", "4", holder, persona.organization.name, _user_log(persona))
            return "4", self._issuer.issue(claims, holder, now)
        if persona.role == "practice" and persona.organization is not None:
            holder = self._issuer.pki.certificate(f"practices/{persona.persona_id}.client")
            claims = _claims("system", "3", holder, persona.organization.name, None)
            return "3", self._issuer.issue(claims, holder, now)
        if persona.role == "citizen":
            holder = self._issuer.pki.certificate(PORTAL)
            claims = _claims("system", "3", holder, "Prøvestaten", None)
            return "3", self._issuer.issue(claims, holder, now)
        raise BadRequest("a persona of that role has no id card")

    def _hsuid(
        self, persona: Persona, patient: str | None, now: datetime, *, override: bool
    ) -> str | None:
        if persona.role == "practice":
            return None
        if persona.role == "citizen":
            pairs = self._citizen(persona, patient or str(persona.cpr))
        else:
            pairs = self._professional(persona, patient, override=override)
        return hsuid_header(pairs, now)

    def _citizen(self, persona: Persona, patient: str) -> _Pairs:
        own = patient == persona.cpr
        pairs: _Pairs = [
            ("nsi:UserType", "nsi:Citizen", None),
            ("nsi:ActingUserCivilRegistrationNumber", str(persona.cpr), None),
        ]
        if not own:
            pairs.append(("nsi:ResponsibleUserCivilRegistrationNumber", patient, None))
        pairs.append(("nsi:CitizenCivilRegistrationNumber", patient, None))
        parent = persona.persona_id.startswith("parent")
        other = "nsi:ChildCustodyHolder" if parent else "nsi:ProxyHolder"
        pairs.append(("nsi:CitizenUserRelation", "nsi:Citizen" if own else other, None))
        return [*pairs, *_system_pairs("Prøvestaten")]

    def _professional(self, persona: Persona, patient: str | None, *, override: bool) -> _Pairs:
        responsible = (
            persona
            if persona.on_behalf_of is None
            else self._world.personas.get(persona.on_behalf_of)
        )
        unit = persona.organization
        if unit is None:
            raise BadRequest("a persona without an organization has no HSUID")
        about = patient or self._world.personas.cpr_of(DEFAULT_PATIENT)
        pairs: _Pairs = [
            ("nsi:UserType", "nsi:HealthcareProfessional", None),
            ("nsi:ActingUserCivilRegistrationNumber", str(persona.cpr), None),
            ("nsi:ResponsibleUserCivilRegistrationNumber", str(responsible.cpr), None),
            ("nsi:ResponsibleUserAuthorizationCode", str(responsible.authorization_id), None),
            ("nsi:OrgUsingID", unit.sor, "nsi:sor"),
            ("nsi:CitizenCivilRegistrationNumber", about, None),
        ]
        if override:
            pairs.append(("nsi:ConsentOverride", "true", None))
        return [*pairs, *_system_pairs(unit.name)]


def hsuid_header(pairs: Iterable[tuple[str, str, str | None]], now: datetime) -> str:
    """hsuid:HsuidHeader of name, value and NameFormat. Source: nsp 3.3."""
    attributes = "".join(
        f"<hsuid:Attribute Name={quoteattr(name)}"
        + (f" NameFormat={quoteattr(name_format)}" if name_format else "")
        + f"><hsuid:AttributeValue>{escape(value)}</hsuid:AttributeValue></hsuid:Attribute>"
        for name, value, name_format in pairs
    )
    return (
        f'<hsuid:HsuidHeader xmlns:hsuid="{HSUID}"><hsuid:Assertion '
        f'IssueInstant="{utc_text(now)}" Version="2.0" id="HSUID"><hsuid:Issuer>{SYSTEM_NAME}'
        f'</hsuid:Issuer><hsuid:AttributeStatement id="HSUIDdata">{attributes}'
        "</hsuid:AttributeStatement></hsuid:Assertion></hsuid:HsuidHeader>"
    )


def _system_pairs(organization: str) -> _Pairs:
    return [
        ("nsi:SystemOwnerName", GATEWAY_NAME, None),
        ("nsi:SystemName", SYSTEM_NAME, None),
        ("nsi:SystemVersion", "1.0.0", None),
        ("nsi:OrgResponsibleName", organization, None),
    ]


def _claims(
    kind: str,
    level: str,
    holder: x509.Certificate,
    organization: str,
    user: dict[str, str] | None,
) -> Claims:
    data = {
        "sosi:IDCardID": b64encode(secrets.token_bytes(16)).decode("ascii"),
        "sosi:IDCardVersion": "1.0.1",
        "sosi:IDCardType": kind,
        "sosi:AuthenticationLevel": level,
        "sosi:OCESCertHash": certificate_hash(holder),
    }
    system = {
        "medcom:ITSystemName": SYSTEM_NAME,
        "medcom:CareProviderID": organization_cvr(holder),
        "medcom:CareProviderName": organization,
    }
    return Claims(data, system, user)


def _user_log(persona: Persona) -> dict[str, str]:
    log = {
        "medcom:UserCivilRegistrationNumber": str(persona.cpr),
        "medcom:UserGivenName": " ".join(persona.given),
        "medcom:UserSurName": str(persona.family),
        "medcom:UserRole": persona.education_code or NATIONAL_ROLE,
    }
    if persona.authorization_id is not None:
        log["medcom:UserAuthorizationCode"] = persona.authorization_id
    return log


def _medcom_header(level: str) -> str:
    """medcom:Header of a request with ids of its own."""
    return (
        f'<medcom:Header xmlns:medcom="{MEDCOM}"><medcom:SecurityLevel>{level}'
        "</medcom:SecurityLevel><medcom:TimeOut>480</medcom:TimeOut><medcom:Linking>"
        f"<medcom:FlowID>{uuid.uuid4()}</medcom:FlowID><medcom:MessageID>{uuid.uuid4()}"
        "</medcom:MessageID></medcom:Linking><medcom:Priority>RUTINE</medcom:Priority>"
        "<medcom:RequireNonRepudiationReceipt>no</medcom:RequireNonRepudiationReceipt>"
        "</medcom:Header>"
    )
