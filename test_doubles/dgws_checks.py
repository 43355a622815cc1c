"""The header checks of a DGWS service, in a fixed order.

The order decides which code a message with two defects gets. Source: nsp 1.8
(order), 1.6 (codes), 1.2.3 and 1.2.4 (times and age), 1.3 (trust).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from lxml import etree

from test_doubles.cards import VerifiedCard, verify_card
from test_doubles.clock import parse_instant
from test_doubles.soap import (
    MEDCOM,
    MEDCOM_ALTERNATIVE,
    SAML,
    WSSE,
    WSU,
    Message,
    SoapFault,
    text_of,
)

NOT_BEFORE_TOLERANCE = timedelta(seconds=60)
CARD_VERSION = "1.0.1"
_NEEDED_LEVELS = ("3", "4")


@dataclass(frozen=True, slots=True)
class DgwsPolicy:
    """What a service asks for.

    ``sts_certificate`` is the one pinned certificate cards must be signed
    with, ``max_age`` how old a card may be, ``cvrs`` who may call (None:
    every card the STS signs).
    """

    sts_certificate: x509.Certificate
    max_age: timedelta = timedelta(hours=24)
    cvrs: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called, from a card that passed every check, and the message's own ids."""

    card: VerifiedCard
    message_id: str
    level: str


def check_dgws(message: Message, policy: DgwsPolicy, now: datetime) -> Caller:
    """Check the headers of a message.

    Args:
        message: as read.
        policy: what the service asks for.
        now: aware.

    Raises:
        SoapFault: with the first code that applies.
    """
    # 1. All headers are there.
    security = message.block(WSSE, "Security")
    if security is None:
        raise SoapFault("missing_required_header", "wsse:Security is missing")
    card = _the_card(security)
    header = message.block(MEDCOM, "Header")
    if header is None:
        header = message.block(MEDCOM_ALTERNATIVE, "Header")
    if header is None:
        raise SoapFault("missing_required_header", "medcom:Header is missing")
    message_id = _medcom(header, "Linking/MessageID")
    if not message_id:
        raise SoapFault("missing_required_header", "medcom:MessageID is missing")
    # 2. Conditions.
    if card.find(f"{{{SAML}}}Conditions") is None:
        raise SoapFault("invalid_idcard", "the card has no Conditions")
    # 3. Receipt of non-repudiation.
    if _medcom(header, "RequireNonRepudiationReceipt") == "yes":
        raise SoapFault("nonrepudiation_not_supported", "receipts are not given here")
    # 4. Signature and certificate: nothing below is read from an unsigned node.
    verified = verify_card(card)
    if verified.certificate != policy.sts_certificate:
        raise SoapFault("invalid_certificate", "the card is not signed by the known STS")
    # 5. Version.
    if verified.version != CARD_VERSION:
        raise SoapFault("invalid_idcard", "the card is not of version 1.0.1")
    # 6. Level.
    stated = _medcom(header, "SecurityLevel")
    if verified.level not in _NEEDED_LEVELS or stated not in ("", verified.level):
        raise SoapFault("security_level_failed", "level 3 or more, equal in card and header")
    # 7. to 9. Times.
    check_times(verified, policy.max_age, now)
    check_utc(text_of(security.find(f"{{{WSU}}}Timestamp/{{{WSU}}}Created")))
    # 10. Who.
    if policy.cvrs is not None and verified.care_provider not in policy.cvrs:
        raise SoapFault("not_authorized", "the organisation is not on the list")
    return Caller(verified, message_id, verified.level)


def check_times(card: VerifiedCard, max_age: timedelta, now: datetime) -> None:
    """Expiry, then age, then form of the times.

    Raises:
        SoapFault: ``expired_idcard``, ``invalid_idcard`` (not yet valid) or
            ``invalid_date_timezone``.
    """
    not_before, end, issued = (
        _instant(text) for text in (card.not_before, card.not_on_or_after, card.issue_instant)
    )
    if now >= end:
        raise SoapFault("expired_idcard", "ID-kortet er udløbet")
    if now < not_before - NOT_BEFORE_TOLERANCE:
        raise SoapFault("invalid_idcard", "the card is not valid yet")
    if now >= issued + max_age:
        raise SoapFault("expired_idcard", "ID-kortet er for gammelt til denne tjeneste")
    for text in (card.not_before, card.not_on_or_after, card.issue_instant):
        check_utc(text)


def check_utc(text: str) -> None:
    """A time must be in UTC and say so.

    Raises:
        SoapFault: ``invalid_date_timezone``.
    """
    _instant(text)
    if not text.endswith("Z"):
        raise SoapFault("invalid_date_timezone", "times are in UTC with Z")


def _the_card(security: etree._Element) -> etree._Element:
    cards = security.findall(f"{{{SAML}}}Assertion")
    if not cards:
        raise SoapFault("missing_required_header", "the id card is missing")
    if len(cards) > 1:
        raise SoapFault("invalid_idcard", "more than one id card")
    return cards[0]


def _medcom(header: etree._Element, path: str) -> str:
    namespace = etree.QName(header).namespace
    steps = "/".join(f"{{{namespace}}}{step}" for step in path.split("/"))
    return text_of(header.find(steps))


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        # A time without zone is the older form; a receiver may refuse it by this code.
        raise SoapFault("invalid_date_timezone", "times are in UTC with Z") from error
