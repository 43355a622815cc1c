"""The id card: who calls. Records, and two ways to read one.

``parse_id_card`` says only what stands in a card; ``verify_id_card`` is the way
to a card one may believe. Making one is in ``dgws.card_request``.

Source: nsp.md 1.2 (elements, attributes, times) and 1.3 (signature).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cryptography import x509
from lxml import etree

from nsp_client.dgws.namespaces import CARD_ID, SAML
from nsp_client.errors import MalformedMessage
from nsp_client.identifiers import Cpr
from nsp_client.signing.c14n import exclusive
from nsp_client.signing.keys import TrustAnchors
from nsp_client.signing.xmldsig import verify_assertion

_S = f"{{{SAML}}}"
_DANISH_TIME = ZoneInfo("Europe/Copenhagen")
MAX_ATTRIBUTES = 50


@dataclass(frozen=True, slots=True)
class NameId:
    """The subject's name and its form, such as ``medcom:cvrnumber``.

    The DN inside an STS-issued name is written in several ways; no decision
    may rest on it. Use ``care_provider``.
    """

    format: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CareProvider:
    """The organisation behind the call: its id, the id's form, its name."""

    id: str
    id_format: str
    name: str | None = None

    @property
    def cvr(self) -> str | None:
        """The CVR number, when that is the form of the id."""
        return self.id if self.id_format == "medcom:cvrnumber" else None


@dataclass(frozen=True, slots=True)
class CardUser:
    """The person on a user card. Names and CPR are left out of ``repr``.

    Attributes:
        cpr: ten digits; None when the STS is to fill it in.
        role: education code such as ``7170``, or a national role URI.
        authorization_code: normally filled in by the STS.
    """

    cpr: Cpr | None = field(repr=False)
    role: str | None = None
    given_name: str | None = field(default=None, repr=False)
    surname: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    occupation: str | None = None
    authorization_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdCard:
    """What every card says.

    Attributes:
        card_id: unique, opaque.
        version: ``1.0.1``; NSP refuses anything else.
        security_level: 1 none, 2 password, 3 organisation certificate,
            4 employee certificate.
        issuer: the issuing system or STS.
        issued_at, not_before, not_on_or_after: aware, UTC. A time without zone
            was read as Danish time.
        times_in_utc: whether all three were written with ``Z``.
        certificate_hash: base64 digest of the caller's certificate, levels 3-4.
        it_system_name: the calling system.
        xml: the whole card in exclusive canonical form; send it as it is.
    """

    card_id: str
    version: str
    security_level: int
    issuer: str
    name_id: NameId
    issued_at: datetime
    not_before: datetime
    not_on_or_after: datetime
    times_in_utc: bool
    certificate_hash: str | None
    it_system_name: str
    care_provider: CareProvider
    xml: bytes = field(repr=False)

    def age(self, at: datetime) -> timedelta:
        """Time since issue, which is what a service's maximum age counts from."""
        return at - self.issued_at

    def usable_until(self, max_age: timedelta | None = None) -> datetime:
        """The end of the card, or of its allowed age if that comes first.

        Source: nsp.md 1.2.4.
        """
        if max_age is None:
            return self.not_on_or_after
        return min(self.not_on_or_after, self.issued_at + max_age)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemIdCard(IdCard):
    """A card for a system (level 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserIdCard(IdCard):
    """A card for a person (level 4)."""

    user: CardUser


def parse_id_card(assertion: etree._Element, xml: bytes | None = None) -> IdCard:
    """Read a card without believing it.

    Args:
        assertion: the ``saml:Assertion``.
        xml: the card's bytes to keep; by default its exclusive canonical form.

    Raises:
        MalformedMessage: a required part is missing or unreadable.
    """
    if assertion.tag != f"{_S}Assertion" or assertion.get("id") != CARD_ID:
        raise MalformedMessage("not an id card")
    attributes = _attributes(assertion)
    conditions = _child(assertion, "Conditions")
    issued_at, issued_in_utc = _time(assertion.get("IssueInstant"))
    not_before, starts_in_utc = _time(conditions.get("NotBefore"))
    not_on_or_after, ends_in_utc = _time(conditions.get("NotOnOrAfter"))
    name_id = _child(assertion, "Subject", "NameID")
    provider = attributes.required("medcom:CareProviderID")
    facts: dict[str, Any] = {
        "card_id": attributes.required("sosi:IDCardID").value,
        "version": attributes.required("sosi:IDCardVersion").value,
        "security_level": _level(attributes.required("sosi:AuthenticationLevel").value),
        "issuer": (_child(assertion, "Issuer").text or "").strip(),
        "name_id": NameId(name_id.get("Format", ""), (name_id.text or "").strip()),
        "issued_at": issued_at,
        "not_before": not_before,
        "not_on_or_after": not_on_or_after,
        "times_in_utc": issued_in_utc and starts_in_utc and ends_in_utc,
        "certificate_hash": attributes.optional("sosi:OCESCertHash"),
        "it_system_name": attributes.required("medcom:ITSystemName").value,
        "care_provider": CareProvider(
            provider.value, provider.name_format, attributes.optional("medcom:CareProviderName")
        ),
        "xml": exclusive(assertion) if xml is None else xml,
    }
    kind = attributes.required("sosi:IDCardType").value
    if kind == "system":
        return SystemIdCard(**facts)
    if kind == "user":
        return UserIdCard(user=_user(attributes), **facts)
    raise MalformedMessage("an id card is for a user or a system")


@dataclass(frozen=True, slots=True)
class VerifiedIdCard:
    """A card whose signature holds, and the pinned certificate it was made with."""

    card: IdCard
    signer: x509.Certificate


def verify_id_card(
    assertion: etree._Element, trust: TrustAnchors, at: datetime, *, allow_sha1: bool = True
) -> VerifiedIdCard:
    """Verify a card's signature and read the card from the signed bytes.

    Times, version and level of the card are for the receiving service to judge
    (``nsp_client.dgws.server``).

    Args:
        assertion: the element, still in the message it came in.
        trust: the certificates of known card issuers; only ``pinned`` counts.
        at: the instant the issuer's certificate must hold (aware).
        allow_sha1: the token service signs with RSA-SHA1.

    Raises:
        UntrustedSignature: see ``verify_assertion``.
        MalformedMessage: signed, but not a readable card.
    """
    verified = verify_assertion(assertion, trust, at, allow_sha1=allow_sha1)
    return VerifiedIdCard(parse_id_card(verified.element, verified.xml), verified.signer)


@dataclass(frozen=True, slots=True)
class _Value:
    value: str
    name_format: str


@dataclass(frozen=True, slots=True)
class _Attributes:
    """The attributes of all three statements by name; names are matched ignoring case."""

    values: dict[str, _Value]

    def required(self, name: str) -> _Value:
        found = self.values.get(name.lower())
        if found is None or not found.value:
            raise MalformedMessage(f"the id card lacks {name}")
        return found

    def optional(self, name: str) -> str | None:
        found = self.values.get(name.lower())
        return found.value if found is not None and found.value else None


def _attributes(assertion: etree._Element) -> _Attributes:
    values: dict[str, _Value] = {}
    for attribute in assertion.findall(f"{_S}AttributeStatement/{_S}Attribute"):
        # The annex prints UserEMailAddress, traffic says UserEmailAddress.
        name = attribute.get("Name", "").lower()
        if name in values:
            raise MalformedMessage("an attribute stands twice in the id card")
        if len(values) >= MAX_ATTRIBUTES:
            raise MalformedMessage("too many attributes in the id card")
        text = attribute.findtext(f"{_S}AttributeValue", "")
        values[name] = _Value(text.strip(), attribute.get("NameFormat", ""))
    return _Attributes(values)


def _child(element: etree._Element, *names: str) -> etree._Element:
    found = element.findall("/".join(f"{_S}{name}" for name in names))
    if len(found) != 1:
        raise MalformedMessage(f"the id card needs exactly one {names[-1]}")
    return found[0]


def _level(value: str) -> int:
    if value not in {"1", "2", "3", "4"}:
        raise MalformedMessage("unknown authentication level")
    return int(value)


def _time(value: str | None) -> tuple[datetime, bool]:
    """Read a time, and whether it was written in UTC with ``Z``."""
    try:
        instant = datetime.fromisoformat((value or "").strip())
    except ValueError as error:
        raise MalformedMessage("unreadable time in the id card") from error
    if instant.tzinfo is None:
        # Version 1.0 writes Danish local time; readable, though NSP refuses it.
        return instant.replace(tzinfo=_DANISH_TIME).astimezone(UTC), False
    return instant.astimezone(UTC), (value or "").strip().endswith("Z")


def _user(attributes: _Attributes) -> CardUser:
    cpr = attributes.optional("medcom:UserCivilRegistrationNumber")
    return CardUser(
        cpr=None if cpr is None else _cpr(cpr),
        role=attributes.optional("medcom:UserRole"),
        given_name=attributes.optional("medcom:UserGivenName"),
        surname=attributes.optional("medcom:UserSurName"),
        email=attributes.optional("medcom:UserEmailAddress"),
        occupation=attributes.optional("medcom:UserOccupation"),
        authorization_code=attributes.optional("medcom:UserAuthorizationCode"),
    )


def _cpr(value: str) -> Cpr:
    try:
        return Cpr(value)
    except ValueError as error:
        raise MalformedMessage("the id card holds an unreadable CPR number") from error
