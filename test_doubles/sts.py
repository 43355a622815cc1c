"""The security token service: turns a self-signed id card into one it signs.

Steps per request: read the request, check the card's signature, the chain and
state of its certificate, the card's own contents, then who it is about; issue.
Faults go out with HTTP status 200, as the real one does.

Switches are members of the state, see ``StsSwitches``.

Source: nsp 2.1-2.3, 1.2, 1.3, 9.1, 10; WS-Trust 1.1 (2005/02).
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID
from lxml import etree

from test_doubles.cards import VerifiedCard, certificate_hash, verify_card
from test_doubles.dgws_checks import CARD_VERSION, check_times
from test_doubles.errors import BadRequest, DoubleError
from test_doubles.form import is_flag, is_text
from test_doubles.personas import Persona
from test_doubles.pki import employee_uuid
from test_doubles.pki_profile import ORGANIZATION_IDENTIFIER
from test_doubles.soap import (
    SAML,
    WSA_2004,
    WST,
    Message,
    SoapFault,
    SoapVersion,
    envelope_text,
    fault_body,
    read_message,
    response,
    text_of,
    timestamp_header,
)
from test_doubles.sts_issuing import NATIONAL_ROLE, NO_ROLE, SIGNERS, STS_NAME, Claims, Issuer
from test_doubles.world import JsonObject, Route, World

TOKEN_TYPE = "urn:oasis:names:tc:SAML:2.0:assertion:"
ISSUE = f"{WST}/Issue"
VALID = f"{WST}/status/valid"
_OCES2_SERIAL = re.compile(r"CVR:([0-9]{8})-(UID|FID|RID):", re.ASCII)
_ROLES_WITHOUT_AUTHORIZATION = frozenset({NATIONAL_ROLE, NO_ROLE})
_SYSTEM_LEVEL, _USER_LEVEL = "3", "4"


class StsFault(DoubleError):
    """A refusal in the STS's own words: code, text and actor. Source: nsp 2.3."""

    code = "STS-FAULT"

    def __init__(self, fault_code: str, text: str, actor: str = "its") -> None:
        super().__init__(text)
        self.fault_code = fault_code
        self.actor_uri = f"dk:sosi:sts:{actor}"


@dataclass(frozen=True, slots=True)
class StsSwitches:
    """What can be set; names are those of the state.

    ``lifetime_minutes`` of issued cards; ``clock_offset_seconds`` is added to
    the doubles' clock; ``sha256`` signs with RSA-SHA256; ``signer`` may be
    ``false-sts``; ``fault`` is a text to refuse every request with, or None.
    """

    lifetime_minutes: int = 1440
    clock_offset_seconds: int = 0
    sha256: bool = False
    signer: str = "sts"
    fault: str | None = None


class StsDouble:
    """The double of the STS. Name ``sts``; operation ``issue``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._issuer = Issuer(world.pki_dir)
        self.switches = StsSwitches()
        self.issued = 0

    @property
    def name(self) -> str:
        """``sts``."""
        return "sts"

    def routes(self) -> list[Route]:
        """The id-card exchange."""
        return [Route("POST", "/sts/services/NewSecurityTokenService", "issue", self.issue)]

    def state(self) -> JsonObject:
        """Switches, and how many cards were issued."""
        return {**asdict(self.switches), "issued": self.issued}

    def put_state(self, state: JsonObject) -> None:
        """Set switches; members that are not named stay.

        Raises:
            BadRequest: unknown member, or a value that does not fit.
        """
        changes = {name: value for name, value in state.items() if name != "issued"}
        unknown = set(changes) - {f.name for f in fields(StsSwitches)}
        if unknown:
            raise BadRequest(f"unknown member {min(unknown)}")
        wrong = [name for name, value in changes.items() if not _fits(name, value)]
        if wrong:
            raise BadRequest(f"member {wrong[0]} does not fit")
        self.switches = replace(self.switches, **changes)

    def reset(self) -> None:
        """Switches as at the start."""
        self.switches = StsSwitches()
        self.issued = 0

    def refusal(self, operation: str, code: str | None) -> web.StreamResponse:
        """A fault with the given text, by default that of a failing back-end."""
        return self._fault(_named_fault(code))

    async def issue(self, request: web.Request) -> web.StreamResponse:
        """WS-Trust Issue."""
        try:
            if self.switches.fault is not None:
                raise _named_fault(self.switches.fault)
            message = await read_message(request)
            return self._issue(message)
        except SoapFault as error:
            return self._fault(StsFault("wst:InvalidRequest", error.detail))
        except StsFault as fault:
            return self._fault(fault)

    def _issue(self, message: Message) -> web.Response:
        now = self._world.clock.now() + timedelta(seconds=self.switches.clock_offset_seconds)
        request = _checked_request(message)
        card = self._checked_card(request, now)
        user = self._checked_user(card) if card.is_user else None
        claims = Claims(
            {name: value for name, value in card.attributes.items() if name.startswith("sosi:")},
            _chosen(card, ("ITSystemName", "CareProviderID", "CareProviderName")),
            None if user is None else _user_log(card, user),
            card.formats.get("medcom:CareProviderID", ""),
        )
        issued = self._issuer.issue(
            claims,
            card.certificate,
            now,
            lifetime=timedelta(minutes=self.switches.lifetime_minutes),
            sha256=self.switches.sha256,
            signer=self.switches.signer,
        )
        self.issued += 1
        body = (
            f'<wst:RequestSecurityTokenResponse xmlns:wst="{WST}" Context="www.sosi.dk">'
            f"<wst:TokenType>{TOKEN_TYPE}</wst:TokenType><wst:RequestedSecurityToken>{issued}"
            f"</wst:RequestedSecurityToken><wst:Status><wst:Code>{VALID}</wst:Code></wst:Status>"
            f'<wst:Issuer><wsa:Address xmlns:wsa="{WSA_2004}">{STS_NAME}</wsa:Address>'
            "</wst:Issuer></wst:RequestSecurityTokenResponse>"
        )
        return response(
            SoapVersion.V11, envelope_text(SoapVersion.V11, timestamp_header(now), body)
        )

    def _checked_card(self, request: etree._Element, now: datetime) -> VerifiedCard:
        """The card of a request after all checks that need no register."""
        cards = request.findall(f"{{{WST}}}Claims/{{{SAML}}}Assertion")
        if len(cards) != 1:
            raise StsFault("wst:InvalidRequest", "one id card is wanted in Claims")
        # 1. The signature, before anything is believed.
        try:
            card = verify_card(cards[0])
        except SoapFault as error:
            raise StsFault(
                "wst:FailedAuthentication", "Unable to validate envelope signature"
            ) from error
        # 2. The certificate: chain, time, revocation.
        self._check_certificate(card.certificate, now)
        # 3. The card: version, times, hash, level.
        if card.version != CARD_VERSION:
            raise StsFault("wst:InvalidRequest", "IDCardVersion must be 1.0.1")
        try:
            check_times(card, timedelta(hours=24), now)
        except SoapFault as error:
            raise StsFault("wst:FailedAuthentication", f"id card: {error.dgws_code}") from error
        stated = card.attributes.get("sosi:OCESCertHash")
        hashes = {certificate_hash(card.certificate, sha256=flag) for flag in (False, True)}
        if stated not in hashes:
            raise StsFault("wst:FailedAuthentication", "OCESCertHash does not match")
        if not card.attributes.get("medcom:ITSystemName"):
            raise StsFault("wst:InvalidRequest", "IT System must be specified.")
        _check_level(card)
        # 4. The organisation: the certificate's CVR is the card's.
        if card.care_provider != organization_cvr(card.certificate):
            raise StsFault("wst:FailedAuthentication", "illegal cvrrid", "cvrridcpr")
        return card

    def _check_certificate(self, certificate: x509.Certificate, now: datetime) -> None:
        failed = "wst:FailedAuthentication"
        try:
            certificate.verify_directly_issued_by(self._issuer.issuing_ca)
        except (InvalidSignature, ValueError, TypeError) as error:
            raise StsFault(failed, "the certificate is not issued by a known CA") from error
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise StsFault(failed, "the certificate is not valid at this time")
        if certificate.serial_number in self._issuer.revoked:
            raise StsFault(failed, "the certificate is revoked")

    def _checked_user(self, card: VerifiedCard) -> Persona:
        """The person a user card is about. Source: nsp 2.2, 2.3."""
        serial = _one(card.certificate.subject, NameOID.SERIAL_NUMBER)
        holder = next(
            (
                p
                for p in self._world.personas
                if serial == f"UI:DK-E:G:{employee_uuid(p.persona_id)}"
            ),
            None,
        )
        if holder is None:
            raise StsFault(
                "wst:RequestFailed",
                "The specified request failed: cvrrid-cpr lookup failed",
                "cvrridcpr",
            )
        stated = card.attributes.get("medcom:UserCivilRegistrationNumber", holder.cpr)
        if stated != holder.cpr:
            raise StsFault(
                "wst:FailedAuthentication",
                "Authentication failed: cvrrid-cpr mismatch",
                "cvrridcpr",
            )
        _check_authorization(card, holder)
        return holder

    def _fault(self, fault: StsFault) -> web.Response:
        body = fault_body(
            SoapVersion.V11, SoapFault(None, fault.detail, fault.fault_code), fault.actor_uri
        )
        header = timestamp_header(self._world.clock.now())
        return response(SoapVersion.V11, envelope_text(SoapVersion.V11, header, body))


def organization_cvr(certificate: x509.Certificate) -> str:
    """The CVR number a certificate names, in either style; else empty. Source: nsp 9.1."""
    identifier = _one(certificate.subject, ORGANIZATION_IDENTIFIER)
    if identifier.startswith("NTRDK-"):
        return identifier.removeprefix("NTRDK-")
    found = _OCES2_SERIAL.match(_one(certificate.subject, NameOID.SERIAL_NUMBER))
    return found.group(1) if found else ""


def _is_employee(certificate: x509.Certificate) -> bool:
    serial = _one(certificate.subject, NameOID.SERIAL_NUMBER)
    oces2 = _OCES2_SERIAL.match(serial)
    return serial.startswith("UI:DK-E:") or (oces2 is not None and oces2.group(2) == "RID")


def _one(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if len(found) == 1 else ""


def _checked_request(message: Message) -> etree._Element:
    if message.version is not SoapVersion.V11:
        raise StsFault("wst:InvalidRequest", "the STS speaks SOAP 1.1")
    request = message.body
    if request.tag != f"{{{WST}}}RequestSecurityToken":
        raise StsFault("wst:InvalidRequest", "RequestSecurityToken is wanted")
    if text_of(request.find(f"{{{WST}}}TokenType")) != TOKEN_TYPE:
        raise StsFault("wst:InvalidRequest", "TokenType is not known here")
    if text_of(request.find(f"{{{WST}}}RequestType")) != ISSUE:
        raise StsFault("wst:InvalidRequest", "RequestType is not known here")
    if not text_of(request.find(f"{{{WST}}}Issuer/{{{WSA_2004}}}Address")):
        raise StsFault("wst:InvalidRequest", "Issuer is missing")
    return request


def _check_level(card: VerifiedCard) -> None:
    """Type, level and kind of certificate go together. Source: nsp 2.2."""
    kind = card.attributes.get("sosi:IDCardType")
    wanted = ("user", _USER_LEVEL) if _is_employee(card.certificate) else ("system", _SYSTEM_LEVEL)
    if (kind, card.level) != wanted:
        raise StsFault("wst:InvalidRequest", "type and level do not fit the certificate")


def _check_authorization(card: VerifiedCard, holder: Persona) -> None:
    role = card.attributes.get("medcom:UserRole", "")
    number = card.attributes.get("medcom:UserAuthorizationCode", "")
    if role and number:
        raise StsFault(
            "wst:InvalidRequest",
            "Only one of UserAuthorizationCode or UserRole is allowed in request.",
            "autorisation",
        )
    if role in _ROLES_WITHOUT_AUTHORIZATION:
        return
    if holder.authorization_id is None:
        raise StsFault("wst:RequestFailed", "missing authorization", "autorisation")
    if (role and role != holder.education_code) or (number and number != holder.authorization_id):
        raise StsFault(
            "wst:RequestFailed",
            f"authorization not found (available [{holder.authorization_id}])",
            "autorisation",
        )


def _user_log(card: VerifiedCard, holder: Persona) -> dict[str, str]:
    """UserLog as issued: what the caller said, with CPR, role and code from the registers."""
    role = card.attributes.get("medcom:UserRole") or holder.education_code or NO_ROLE
    filled = {
        **card.attributes,
        "medcom:UserCivilRegistrationNumber": holder.cpr or "",
        "medcom:UserRole": role,
    }
    if role not in _ROLES_WITHOUT_AUTHORIZATION and holder.authorization_id is not None:
        filled["medcom:UserAuthorizationCode"] = holder.authorization_id
    order = ("CivilRegistrationNumber", "GivenName", "SurName", "EmailAddress", "Role")
    names = (*order, "AuthorizationCode", "Occupation")
    return {
        f"medcom:User{n}": filled[f"medcom:User{n}"] for n in names if filled.get(f"medcom:User{n}")
    }


def _chosen(card: VerifiedCard, names: tuple[str, ...]) -> dict[str, str]:
    return {
        f"medcom:{name}": card.attributes[f"medcom:{name}"]
        for name in names
        if card.attributes.get(f"medcom:{name}")
    }


def _named_fault(text: str | None) -> StsFault:
    """A fault from a text, ``CODE TEXT`` with a ``wst:`` code in front if wished."""
    if text is None:
        text = "wst:RequestFailed The specified request failed: cvrrid-cpr lookup failed"
    code, _, rest = text.partition(" ")
    if code.startswith("wst:"):
        return StsFault(code, rest or "refused", "cvrridcpr")
    return StsFault("wst:RequestFailed", text)


def _fits(name: str, value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return {
        "lifetime_minutes": whole and value > 0,
        "clock_offset_seconds": whole,
        "sha256": is_flag(value),
        "signer": value in SIGNERS,
        "fault": value is None or is_text(value),
    }[name]
