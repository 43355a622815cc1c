"""Checking an incoming request: is the card there, genuine, fresh and allowed?

The checks run in a fixed order, so that the code for a message with two
defects is predictable. The signature comes before anything that believes the
card.

Source: nsp.md 1.8 (order), 1.2.3 and 1.2.4 (times, age), 1.6 (codes).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from lxml import etree

from nsp_client.dgws.card_verifier import CardVerifier
from nsp_client.dgws.faults import dgws_fault
from nsp_client.dgws.header import MedcomHeader, Security, read_medcom_header, read_security
from nsp_client.dgws.id_card import IdCard, VerifiedIdCard
from nsp_client.dgws.namespaces import CARD_VERSION, SAML
from nsp_client.errors import MalformedMessage, UntrustedSignature
from nsp_client.fault_codes import DgwsFaultCode as FaultCode
from nsp_client.signing.xmldsig import SignatureNotSupported, UnknownSigner

_LEVELS_IN_HEADER = frozenset({3, 4})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePolicy:
    """What a service asks of its callers.

    Attributes:
        allowed_cvrs: organisations that may call; None only where the service
            decides by other means, such as the user's own rights.
        max_age: oldest card taken, counted from its issue.
        min_level: lowest card level.
        not_before_tolerance: how far a card may start in the future. None is
            given for the end of a card.
    """

    allowed_cvrs: frozenset[str] | None
    max_age: timedelta = timedelta(hours=24)
    min_level: int = 3
    not_before_tolerance: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request whose card may be believed.

    Attributes:
        card: read from the signed part alone.
        header: the MedCom header, which is not signed.
        signer: the pinned certificate of the card's issuer.
    """

    card: IdCard
    header: MedcomHeader
    signer: x509.Certificate


def check_request(
    soap_header: etree._Element | None,
    verifier: CardVerifier,
    policy: ServicePolicy,
    at: datetime,
) -> CheckedRequest:
    """Check the headers of a request; the steps are numbered as in the source.

    Args:
        soap_header: ``soap:Header`` in the whole parsed message.
        verifier: knows the certificates of the card issuers one trusts.
        policy: what this service asks for.
        at: now (aware).

    Raises:
        DgwsFault: with the code and text to answer.
    """
    assertion, security = _assertion(soap_header)  # (1) (2)
    header = _medcom_header(soap_header)  # (3)
    if len(assertion.findall(f"{{{SAML}}}Conditions")) != 1:  # (4)
        raise dgws_fault(FaultCode.INVALID_IDCARD, "Id-kortet mangler Conditions")
    if header.require_non_repudiation_receipt:  # (5)
        raise dgws_fault(FaultCode.NONREPUDIATION_NOT_SUPPORTED)
    verified = _verified(assertion, verifier, at)  # (6)
    card = verified.card
    if card.version != CARD_VERSION:  # (7)
        raise dgws_fault(FaultCode.INVALID_IDCARD, f"Id-kortet skal have version {CARD_VERSION}")
    _check_level(card, header, policy)  # (8)
    _check_times(card, security, policy, at)  # (9) (10) (11)
    if (
        policy.allowed_cvrs is not None and card.care_provider.cvr not in policy.allowed_cvrs
    ):  # (12)
        raise dgws_fault(FaultCode.NOT_AUTHORIZED)
    return CheckedRequest(card, header, verified.signer)


def _assertion(soap_header: etree._Element | None) -> tuple[etree._Element, Security]:
    try:
        security = read_security(soap_header)
    except MalformedMessage as error:
        raise dgws_fault(FaultCode.SYNTAX_ERROR, "Mere end én wsse:Security") from error
    if security is None:
        raise dgws_fault(FaultCode.MISSING_REQUIRED_HEADER, "wsse:Security mangler")
    if not security.assertions:
        raise dgws_fault(FaultCode.MISSING_REQUIRED_HEADER, "Id-kortet mangler")
    if len(security.assertions) > 1:
        raise dgws_fault(FaultCode.SYNTAX_ERROR, "Mere end ét id-kort")
    return security.assertions[0], security


def _medcom_header(soap_header: etree._Element | None) -> MedcomHeader:
    try:
        header = read_medcom_header(soap_header)
    except MalformedMessage as error:
        raise dgws_fault(FaultCode.SYNTAX_ERROR, "medcom:Header kunne ikke læses") from error
    if header is None:
        raise dgws_fault(FaultCode.MISSING_REQUIRED_HEADER, "medcom:Header mangler")
    return header


def _verified(assertion: etree._Element, verifier: CardVerifier, at: datetime) -> VerifiedIdCard:
    try:
        return verifier.verify(assertion, at)
    except SignatureNotSupported as error:
        raise dgws_fault(FaultCode.SIGNATURE_NOT_SUPPORTED) from error
    except UnknownSigner as error:
        raise dgws_fault(FaultCode.INVALID_CERTIFICATE) from error
    except UntrustedSignature as error:
        raise dgws_fault(FaultCode.INVALID_SIGNATURE) from error
    except MalformedMessage as error:
        raise dgws_fault(FaultCode.INVALID_IDCARD) from error


def _check_level(card: IdCard, header: MedcomHeader, policy: ServicePolicy) -> None:
    if card.security_level < policy.min_level:
        raise dgws_fault(FaultCode.SECURITY_LEVEL_FAILED, "Id-kortets niveau er for lavt")
    # The element is optional in the schema; where it says 3 or 4 it must agree.
    if header.security_level in _LEVELS_IN_HEADER and header.security_level != card.security_level:
        raise dgws_fault(
            FaultCode.SECURITY_LEVEL_FAILED, "Niveauet i medcom:Header er ikke id-kortets"
        )


def _check_times(card: IdCard, security: Security, policy: ServicePolicy, at: datetime) -> None:
    if at >= card.not_on_or_after:
        raise dgws_fault(FaultCode.EXPIRED_IDCARD)
    if at + policy.not_before_tolerance < card.not_before:
        raise dgws_fault(FaultCode.EXPIRED_IDCARD, "Id-kortet gælder ikke endnu")
    if card.age(at) > policy.max_age:
        raise dgws_fault(FaultCode.EXPIRED_IDCARD, "Id-kortet er for gammelt til denne tjeneste")
    if not card.times_in_utc or not security.created_in_utc:
        raise dgws_fault(FaultCode.INVALID_DATE_TIMEZONE)
