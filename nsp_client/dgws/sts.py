"""The security token service: a self-signed card in, a card all services trust out.

``write_issue_request`` and ``read_issue_response`` are pure; ``StsClient`` keeps
one card and renews it in time.

Source: nsp.md 2.1 (request, response), 2.3 (faults come with HTTP 200), 2.4
(caching and renewal), 11 (no answer).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from nsp_client.dgws.card_request import build_system_card, build_user_card, new_card_id
from nsp_client.dgws.faults import raise_for_fault
from nsp_client.dgws.header import write_security
from nsp_client.dgws.id_card import CardUser, CareProvider, IdCard, verify_id_card
from nsp_client.dgws.namespaces import CARD_VERSION, MEDCOM, SAML, SOSI, WST
from nsp_client.errors import HttpRefusal, MalformedMessage, NoAnswer, NspError
from nsp_client.signing.keys import SigningKey, TrustAnchors
from nsp_client.signing.xmldsig import CardAlgorithm
from nsp_client.soap.envelope import WSA_2004_NS, SoapVersion, build_envelope, parse_envelope
from nsp_client.soap.transport import HttpAnswer
from nsp_client.xml_text import text

TOKEN_TYPE = "urn:oasis:names:tc:SAML:2.0:assertion:"
ISSUE = "http://schemas.xmlsoap.org/ws/2005/02/trust/Issue"
STATUS_VALID = "http://schemas.xmlsoap.org/ws/2005/02/trust/status/valid"
REQUEST_HEADERS: Mapping[str, str] = {
    "Content-Type": "text/xml; charset=utf-8",
    "SOAPAction": '"Issue"',
}
_log = logging.getLogger(__name__)

RENEWAL_MARGIN = timedelta(minutes=10)
RETRY_PAUSE = timedelta(seconds=30)
"""After a renewal that failed while the old card is still good."""


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """On whose behalf cards are asked for.

    Attributes:
        issuer: name of this system, without spaces.
        it_system_name: ``medcom:ITSystemName``.
        care_provider: the organisation; its CVR must be the certificate's.
        user: for a user card (level 4); None for a system card (level 3).
    """

    issuer: str
    it_system_name: str
    care_provider: CareProvider
    user: CardUser | None = None


def build_card(
    key: SigningKey,
    identity: CardIdentity,
    *,
    at: datetime,
    card_id: str,
    algorithm: CardAlgorithm = CardAlgorithm.RSA_SHA1,
) -> IdCard:
    """Make the self-signed card for an identity; see ``dgws.card_request``."""
    if identity.user is None:
        return build_system_card(
            key,
            at=at,
            issuer=identity.issuer,
            it_system_name=identity.it_system_name,
            care_provider=identity.care_provider,
            card_id=card_id,
            algorithm=algorithm,
        )
    return build_user_card(
        key,
        at=at,
        issuer=identity.issuer,
        it_system_name=identity.it_system_name,
        care_provider=identity.care_provider,
        user=identity.user,
        card_id=card_id,
        algorithm=algorithm,
    )


def write_issue_request(card: IdCard, *, created: datetime, issuer: str) -> bytes:
    """Write the request that exchanges a self-signed card.

    Args:
        card: signed with the caller's own certificate.
        created: now (aware).
        issuer: name of this system.

    Returns:
        A SOAP 1.1 envelope in UTF-8: a time stamp in the header and no MedCom
        header.
    """
    # The prefixes medcom and sosi stand in attribute values of the card.
    token_request = (
        f'<wst:RequestSecurityToken xmlns:wst="{WST}" xmlns:medcom="{MEDCOM}" xmlns:sosi="{SOSI}"'
        f' Context="www.sosi.dk"><wst:TokenType>{TOKEN_TYPE}</wst:TokenType>'
        f"<wst:RequestType>{ISSUE}</wst:RequestType><wst:Claims>"
    ).encode()
    issued_by = (
        f'</wst:Claims><wst:Issuer><wsa:Address xmlns:wsa="{WSA_2004_NS}">{text(issuer)}'
        "</wsa:Address></wst:Issuer></wst:RequestSecurityToken>"
    ).encode()
    return build_envelope(
        SoapVersion.SOAP11, write_security(created), token_request + card.xml + issued_by
    )


def read_issue_response(
    answer: HttpAnswer,
    request: IdCard,
    *,
    trust: TrustAnchors,
    at: datetime,
    allow_sha1: bool = True,
) -> IdCard:
    """Read and verify the card the token service issued.

    Args:
        answer: as it came; a fault is looked for whatever the status.
        request: the self-signed card, to hold the answer against.
        trust: the token service's own certificate, pinned.
        at: now (aware).

    Returns:
        The card with the bytes to send on unchanged.

    Raises:
        StsFault: the service refused.
        NoAnswer, HttpRefusal: an answer without SOAP; the first for 502, 503, 504.
        MalformedMessage: no card, or another card than was asked for.
        UntrustedSignature: the card is not the pinned service's.
    """
    _require_soap(answer)
    envelope = parse_envelope(answer.body)
    raise_for_fault(envelope.body)
    prefix = f"{{{WST}}}"
    responses = envelope.body.findall(f"{prefix}RequestSecurityTokenResponse")
    cards = envelope.body.findall(
        f"{prefix}RequestSecurityTokenResponse/{prefix}RequestedSecurityToken/{{{SAML}}}Assertion"
    )
    if len(responses) != 1 or len(cards) != 1:
        raise MalformedMessage("the token service's answer holds not exactly one card")
    status = responses[0].findtext(f"{prefix}Status/{prefix}Code")
    if status is not None and status.strip() != STATUS_VALID:
        raise MalformedMessage("the token service calls its own card not valid")
    card = verify_id_card(cards[0], trust, at, allow_sha1=allow_sha1).card
    if (
        card.version != CARD_VERSION
        or card.security_level != request.security_level
        or card.care_provider.id != request.care_provider.id
        or card.it_system_name != request.it_system_name
        or type(card) is not type(request)
    ):
        raise MalformedMessage("the token service issued another card than was asked for")
    if at >= card.not_on_or_after:
        raise MalformedMessage("the token service issued a card that has ended")
    return card


def _require_soap(answer: HttpAnswer) -> None:
    """Stop before HTML reaches the XML parser."""
    kind = answer.content_type.lower()
    if "xml" in kind and "html" not in kind:
        return
    # Some servers leave the type out; an envelope tells itself by its first tag.
    if not kind and b"Envelope" in answer.body[:500]:
        return
    if answer.status in {502, 503, 504}:
        raise NoAnswer("a server on the way answered for the token service", status=answer.status)
    raise HttpRefusal(answer.status, "the token service answered without SOAP")


class Transport(Protocol):
    """What is needed of ``soap.transport``."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer: ...


class StsClient:
    """Holds one good card for one identity, and renews it before it ends.

    One renewal at a time, however many callers wait. While the old card is
    still good they get it without waiting, and a renewal that fails leaves it
    in use.

    Args:
        transport: posts and gives back the answer whatever its status.
        url: the service's address.
        key: the RSA key whose certificate the card speaks for.
        clock: now (aware).
        identity: on whose behalf.
        trust: the token service's certificate, pinned.
        max_age: oldest card the strictest of the services used will take.
        margin: renew when less than this remains.
        algorithm: of our own signature.
        allow_sha1: whether the issued card may be signed with RSA-SHA1.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        key: SigningKey,
        clock: Callable[[], datetime],
        *,
        identity: CardIdentity,
        trust: TrustAnchors,
        max_age: timedelta | None = None,
        margin: timedelta = RENEWAL_MARGIN,
        algorithm: CardAlgorithm = CardAlgorithm.RSA_SHA1,
        allow_sha1: bool = True,
    ) -> None:
        self._transport = transport
        self._url = url
        self._key = key
        self._clock = clock
        self._identity = identity
        self._trust = trust
        self._max_age = max_age
        self._margin = margin
        self._algorithm = algorithm
        self._allow_sha1 = allow_sha1
        self._card: IdCard | None = None
        self._renewal: asyncio.Task[IdCard] | None = None
        self._not_again_before: datetime | None = None

    async def card(self) -> IdCard:
        """Give a card that is good now.

        Raises:
            NoAnswer, StsFault, MalformedMessage, UntrustedSignature: there is
                no good card and none could be had.
        """
        now = self._clock()
        card = self._card
        if card is not None:
            remaining = card.usable_until(self._max_age) - now
            if remaining > self._margin:
                return card
            if remaining > timedelta(0):
                self._renew_behind(now)
                return card
        # Shielded: a caller who gives up must not take the renewal from the others.
        return await asyncio.shield(self._renewing())

    def discard(self, card: IdCard) -> None:
        """Stop using a card that a service has refused; the next caller gets a new one.

        A card that has been replaced meanwhile is left alone.

        Source: nsp.md 1.6 (``expired_idcard``, ``invalid_signature``).
        """
        if self._card is card:
            self._card = None

    async def issue(self) -> IdCard:
        """Fetch a card now, past the cache.

        Raises:
            NoAnswer, StsFault, MalformedMessage, UntrustedSignature.
        """
        now = self._clock()
        request = build_card(
            self._key, self._identity, at=now, card_id=new_card_id(), algorithm=self._algorithm
        )
        body = write_issue_request(request, created=now, issuer=self._identity.issuer)
        answer = await self._transport.post(self._url, body, REQUEST_HEADERS)
        return read_issue_response(
            answer, request, trust=self._trust, at=self._clock(), allow_sha1=self._allow_sha1
        )

    async def aclose(self) -> None:
        """End a renewal under way and wait for it to be gone."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
            self._renewal = None

    def _renewing(self) -> asyncio.Task[IdCard]:
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(self._renewed)
        return self._renewal

    def _renew_behind(self, now: datetime) -> None:
        if self._not_again_before is None or now >= self._not_again_before:
            self._renewing()

    async def _renew(self) -> IdCard:
        card = await self.issue()
        self._card = card
        self._not_again_before = None
        return card

    def _renewed(self, task: asyncio.Task[IdCard]) -> None:
        if self._renewal is task:
            self._renewal = None
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        # While the old card is good nobody waits for this task, so it must tell the log itself.
        self._not_again_before = self._clock() + RETRY_PAUSE
        if isinstance(error, NspError):
            _log.warning("id card not renewed: %s", error.code)
        else:
            _log.error("id card not renewed", exc_info=error)
