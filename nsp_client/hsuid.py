"""The HSUID header: which user, which patient, on whose behalf.

It is a claim by the calling system and is not signed; what makes it believable
is the id card, so ``check_hsuid`` compares the two. Written right, read loosely.

Source: nsp.md 3.3 (elements, attribute names) and 3.4 (what DDS checks).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lxml import etree

from nsp_client.dgws.faults import dgws_fault
from nsp_client.dgws.id_card import IdCard, SystemIdCard, UserIdCard
from nsp_client.errors import DgwsFault, MalformedMessage
from nsp_client.fault_codes import DgwsFaultCode as FaultCode
from nsp_client.identifiers import Cpr
from nsp_client.signing.c14n import utc_text
from nsp_client.xml_text import attribute, text

HSUID: Final = "http://www.nsi.dk/hsuid/2016/08/hsuid-1.1.xsd"
HSUID_2013: Final = "http://www.nsi.dk/hsuid/2013/01/hsuid-1.1.xsd"
"""Before 2016; read, never written."""

OWN_DATA: Final = "nsi:Citizen"
CHILD_CUSTODY_HOLDER: Final = "nsi:ChildCustodyHolder"
"""Working name: the value on the wire is not public (nsp.md 12, question 3)."""
PROXY_HOLDER: Final = "nsi:ProxyHolder"
"""Working name, as above."""
NATIONAL_ROLE_PREFIX: Final = "urn:dk:healthcare:national-federation-role:"

_PREFIX = "nsi:"
MAX_ATTRIBUTES = 40


class UserType(enum.Enum):
    """Who is at the keyboard; there is no value for a system."""

    CITIZEN = "nsi:Citizen"
    HEALTHCARE_PROFESSIONAL = "nsi:HealthcareProfessional"


class OrgFormat(enum.Enum):
    """Kind of the using organisation's id."""

    SOR = "nsi:sor"
    SKS = "nsi:skskode"
    PROVIDER_NUMBER = "nsi:ynumber"


class ReaderKind(enum.Enum):
    """The rows of the table of user types."""

    CITIZEN_SELF = "citizen_self"
    CITIZEN_FOR_CHILD_OR_WARD = "citizen_for_child_or_ward"
    CITIZEN_BY_PROXY = "citizen_by_proxy"
    PROFESSIONAL = "professional"
    PROFESSIONAL_WITHOUT_AUTHORIZATION = "professional_without_authorization"
    ON_BEHALF_OF_PROFESSIONAL = "on_behalf_of_professional"


@dataclass(frozen=True, slots=True, kw_only=True)
class HsuidHeader:
    """What the calling system says about user, patient and itself.

    Attributes:
        acting_cpr: the person at the keyboard.
        responsible_cpr: professional: the one responsible; citizen on behalf of
            another: the represented person.
        responsible_authorization_code: authorisation code of the responsible.
        org_using_id, org_using_id_format: professionals' organisation.
        citizen_cpr: the patient.
        citizen_user_relation: citizens; ``nsi:Citizen`` for one's own data.
        consent_override: the professional sets a block aside (*værdispring*).
        issued_at: when the header was made (aware); None when unreadable.
    """

    user_type: UserType
    acting_cpr: Cpr = field(repr=False)
    citizen_cpr: Cpr | None = field(repr=False)
    responsible_cpr: Cpr | None = field(default=None, repr=False)
    responsible_authorization_code: str | None = None
    org_using_id: str | None = None
    org_using_id_format: OrgFormat | None = None
    citizen_user_relation: str | None = None
    consent_override: bool = False
    system_owner_name: str | None = None
    system_name: str | None = None
    system_version: str | None = None
    org_responsible_name: str | None = None
    issuer: str | None = None
    issued_at: datetime | None = None


def write_hsuid(header: HsuidHeader, *, issued_at: datetime, issuer: str) -> bytes:
    """Write the header for the inside of ``soap:Header``.

    Args:
        issued_at: now (aware).
        issuer: name of the calling system, without spaces.

    Raises:
        ValueError: an issuer with spaces, or an organisation id without its form.
    """
    if not issuer or any(character.isspace() for character in issuer):
        raise ValueError("the schema wants an issuer without spaces")
    if (header.org_using_id is None) != (header.org_using_id_format is None):
        raise ValueError("an organisation id and its form go together")
    form = header.org_using_id_format
    override = "true" if header.consent_override else None
    values = (
        _write("UserType", header.user_type.value),
        _write("ActingUserCivilRegistrationNumber", _digits(header.acting_cpr)),
        _write("ResponsibleUserCivilRegistrationNumber", _digits(header.responsible_cpr)),
        _write("ResponsibleUserAuthorizationCode", header.responsible_authorization_code),
        _write("OrgUsingID", header.org_using_id, None if form is None else form.value),
        _write("CitizenCivilRegistrationNumber", _digits(header.citizen_cpr)),
        _write("CitizenUserRelation", header.citizen_user_relation),
        _write("ConsentOverride", override),
        _write("SystemOwnerName", header.system_owner_name),
        _write("SystemName", header.system_name),
        _write("SystemVersion", header.system_version),
        _write("OrgResponsibleName", header.org_responsible_name),
    )
    return (
        f'<hsuid:HsuidHeader xmlns:hsuid="{HSUID}"><hsuid:Assertion'
        f' IssueInstant="{utc_text(issued_at)}" Version="2.0" id="HSUID">'
        f"<hsuid:Issuer>{text(issuer)}</hsuid:Issuer>"
        f'<hsuid:AttributeStatement id="HSUIDdata">{"".join(values)}</hsuid:AttributeStatement>'
        "</hsuid:Assertion></hsuid:HsuidHeader>"
    ).encode()


def _digits(cpr: Cpr | None) -> str | None:
    return None if cpr is None else cpr.value


def _write(name: str, value: str | None, name_format: str | None = None) -> str:
    if value is None:
        return ""
    # NameFormat stands on OrgUsingID only, whatever the schema says.
    form = "" if name_format is None else f' NameFormat="{attribute(name_format)}"'
    return (
        f'<hsuid:Attribute Name="{_PREFIX}{name}"{form}>'
        f"<hsuid:AttributeValue>{text(value)}</hsuid:AttributeValue></hsuid:Attribute>"
    )


@dataclass(frozen=True, slots=True)
class _Value:
    value: str
    name_format: str | None


def read_hsuid(soap_header: etree._Element | None) -> HsuidHeader | None:
    """Read the HSUID header of a message; order, ids and ``Version`` don't matter.

    Args:
        soap_header: the ``soap:Header`` element, or None when there is none.

    Returns:
        None when the message has no HSUID header.

    Raises:
        MalformedMessage: two headers, an attribute twice, no user type or acting
            person, or a value that can't be read.
    """
    if soap_header is None:
        return None
    found = [
        (element, namespace)
        for namespace in (HSUID, HSUID_2013)
        for element in soap_header.findall(f"{{{namespace}}}HsuidHeader")
    ]
    if not found:
        return None
    if len(found) > 1:
        raise MalformedMessage("more than one HSUID header")
    element, namespace = found[0]
    return _header(element, f"{{{namespace}}}")


def _header(element: etree._Element, namespace: str) -> HsuidHeader:
    assertions = element.findall(f"{namespace}Assertion")
    if len(assertions) != 1:
        raise MalformedMessage("an HSUID header holds exactly one assertion")
    values = _values(assertions[0], namespace)
    organisation = values.get("OrgUsingID")
    override = _text(values, "ConsentOverride") or "false"
    if override.lower() not in {"true", "false", "1", "0"}:
        raise MalformedMessage("nsi:ConsentOverride is neither true nor false")
    acting = _cpr(values, "ActingUserCivilRegistrationNumber")
    if acting is None:
        raise MalformedMessage("the HSUID header names no acting user")
    return HsuidHeader(
        user_type=_user_type(_text(values, "UserType")),
        acting_cpr=acting,
        citizen_cpr=_cpr(values, "CitizenCivilRegistrationNumber"),
        responsible_cpr=_cpr(values, "ResponsibleUserCivilRegistrationNumber"),
        responsible_authorization_code=_text(values, "ResponsibleUserAuthorizationCode"),
        org_using_id=_text(values, "OrgUsingID"),
        org_using_id_format=_org_format(organisation),
        citizen_user_relation=_text(values, "CitizenUserRelation"),
        consent_override=override.lower() in {"true", "1"},
        system_owner_name=_text(values, "SystemOwnerName"),
        system_name=_text(values, "SystemName"),
        system_version=_text(values, "SystemVersion"),
        org_responsible_name=_text(values, "OrgResponsibleName"),
        issuer=(assertions[0].findtext(f"{namespace}Issuer") or "").strip() or None,
        issued_at=_instant(assertions[0].get("IssueInstant")),
    )


def _values(assertion: etree._Element, namespace: str) -> dict[str, _Value]:
    values: dict[str, _Value] = {}
    for entry in assertion.iterfind(f"{namespace}AttributeStatement/{namespace}Attribute"):
        name = entry.get("Name", "").removeprefix(_PREFIX)
        # Two values for one name could be read differently by two readers.
        if name in values:
            raise MalformedMessage("an attribute stands twice in the HSUID header")
        if len(values) >= MAX_ATTRIBUTES:
            raise MalformedMessage("too many attributes in the HSUID header")
        value = entry.findtext(f"{namespace}AttributeValue", "").strip()
        values[name] = _Value(value, entry.get("NameFormat"))
    return values


def _text(values: dict[str, _Value], name: str) -> str | None:
    found = values.get(name)
    return found.value or None if found is not None else None


def _cpr(values: dict[str, _Value], name: str) -> Cpr | None:
    value = _text(values, name)
    try:
        return None if value is None else Cpr(value)
    except ValueError as error:
        raise MalformedMessage(f"nsi:{name} is not a CPR number") from error


def _user_type(value: str | None) -> UserType:
    try:
        return UserType(value)
    except ValueError as error:
        raise MalformedMessage("unknown or missing nsi:UserType") from error


def _org_format(value: _Value | None) -> OrgFormat | None:
    if value is None or not value.value:
        return None
    try:
        return OrgFormat(value.name_format)
    except ValueError as error:
        raise MalformedMessage("unknown or missing NameFormat of nsi:OrgUsingID") from error


def _instant(value: str | None) -> datetime | None:
    try:
        instant = datetime.fromisoformat(value) if value else None
    except ValueError:
        # The sender's clock; nothing is decided by it.
        return None
    return instant if instant is not None and instant.tzinfo is not None else None


def check_hsuid(
    header: HsuidHeader | None, card: IdCard, *, citizen_portal_cvrs: frozenset[str]
) -> ReaderKind:
    """Hold the claim against the verified card and say what kind of reader it is.

    Not answered here, because it takes a register: custody and guardianship,
    whether the responsible's authorisation code is valid, and delegation.

    Args:
        header: as read; None is refused.
        card: a verified card (``dgws.server.check_request``).
        citizen_portal_cvrs: organisations that may act for citizens with a
            system card of level 3.

    Raises:
        DgwsFault: ``missing_required_header`` (no header, or a part of it that
            this kind of user needs), ``security_level_failed`` (the wrong card
            for this kind of user), ``not_authorized`` (card and claim differ).

    Source: nsp.md 3.4.
    """
    if header is None:
        raise dgws_fault(FaultCode.MISSING_REQUIRED_HEADER, "HSUID-header mangler")
    if header.citizen_cpr is None:
        raise _lacking("CitizenCivilRegistrationNumber")
    if header.user_type is UserType.CITIZEN:
        return _check_citizen(header, card, citizen_portal_cvrs)
    return _check_professional(header, card)


def _check_citizen(header: HsuidHeader, card: IdCard, cvrs: frozenset[str]) -> ReaderKind:
    if not isinstance(card, SystemIdCard) or card.security_level != 3:
        raise dgws_fault(
            FaultCode.SECURITY_LEVEL_FAILED, "Borgere kræver et systemkort på niveau 3"
        )
    if card.care_provider.cvr not in cvrs:
        raise dgws_fault(FaultCode.NOT_AUTHORIZED, "Organisationen må ikke kalde for borgere")
    if header.consent_override:
        raise dgws_fault(FaultCode.NOT_AUTHORIZED, "En borger kan ikke foretage værdispring")
    relation = header.citizen_user_relation
    if relation is None:
        raise _lacking("CitizenUserRelation")
    if relation == OWN_DATA:
        if header.acting_cpr != header.citizen_cpr or header.responsible_cpr not in {
            None,
            header.acting_cpr,
        }:
            raise dgws_fault(FaultCode.NOT_AUTHORIZED, "Borgeren er ikke den, data handler om")
        return ReaderKind.CITIZEN_SELF
    kinds = {
        CHILD_CUSTODY_HOLDER: ReaderKind.CITIZEN_FOR_CHILD_OR_WARD,
        PROXY_HOLDER: ReaderKind.CITIZEN_BY_PROXY,
    }
    kind = kinds.get(relation)
    if kind is None:
        raise dgws_fault(FaultCode.NOT_AUTHORIZED, "Ukendt relation til borgeren")
    if header.responsible_cpr != header.citizen_cpr or header.acting_cpr == header.citizen_cpr:
        raise dgws_fault(FaultCode.NOT_AUTHORIZED, "Den repræsenterede er ikke borgeren")
    return kind


def _check_professional(header: HsuidHeader, card: IdCard) -> ReaderKind:
    if not isinstance(card, UserIdCard) or card.security_level != 4:
        raise dgws_fault(
            FaultCode.SECURITY_LEVEL_FAILED, "Sundhedsfaglige kræver et brugerkort på niveau 4"
        )
    if card.user.cpr is None or header.acting_cpr != card.user.cpr:
        raise dgws_fault(FaultCode.NOT_AUTHORIZED, "HSUID og id-kort nævner ikke samme bruger")
    if header.org_using_id is None:
        raise _lacking("OrgUsingID")
    code = header.responsible_authorization_code
    if header.responsible_cpr not in {None, header.acting_cpr}:
        if code is None:
            raise _lacking("ResponsibleUserAuthorizationCode")
        return ReaderKind.ON_BEHALF_OF_PROFESSIONAL
    on_card = card.user.authorization_code
    if on_card is None and code is None:
        if not (card.user.role or "").startswith(NATIONAL_ROLE_PREFIX):
            raise dgws_fault(
                FaultCode.NOT_AUTHORIZED, "Hverken autorisation eller national rolle på id-kortet"
            )
        return ReaderKind.PROFESSIONAL_WITHOUT_AUTHORIZATION
    if code is None:
        raise _lacking("ResponsibleUserAuthorizationCode")
    if code != on_card:
        raise dgws_fault(
            FaultCode.NOT_AUTHORIZED, "HSUID og id-kort nævner ikke samme autorisation"
        )
    return ReaderKind.PROFESSIONAL


def _lacking(name: str) -> DgwsFault:
    return dgws_fault(FaultCode.MISSING_REQUIRED_HEADER, f"HSUID-header mangler nsi:{name}")
