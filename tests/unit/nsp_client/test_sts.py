"""The token service: request by the book, answers believed only when signed, cards kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from lxml import etree

from nsp_client.dgws.id_card import IdCard, SystemIdCard, UserIdCard
from nsp_client.dgws.sts import (
    CardIdentity,
    StsClient,
    build_card,
    read_issue_response,
    write_issue_request,
)
from nsp_client.errors import (
    HttpRefusal,
    MalformedMessage,
    NoAnswer,
    NspError,
    StsFault,
    UntrustedSignature,
)
from nsp_client.soap.envelope import parse_envelope
from nsp_client.soap.transport import HttpAnswer, HttpTransport
from tests.unit.nsp_client.cards import DOCTOR, PROVIDER, SAML, shape, sts_issue, system_card
from tests.unit.nsp_client.throwaway_keys import NOW, SHARED, false_sts_key, gateway_key, sts_trust

WST = "http://schemas.xmlsoap.org/ws/2005/02/trust"
URL = "https://sts.example.invalid/sts/services/NewSecurityTokenService"
IDENTITY = CardIdentity("NotatGateway", "Journaldeling", PROVIDER)
Issue = Callable[[bytes, datetime], bytes]


def response(card: bytes, status: str = f"{WST}/status/valid") -> bytes:
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" xmlns:w="'
        + WST.encode()
        + b'"><S:Header/><S:Body><w:RequestSecurityTokenResponse Context="www.sosi.dk">'
        b"<w:TokenType>urn:oasis:names:tc:SAML:2.0:assertion:</w:TokenType>"
        b"<w:RequestedSecurityToken>" + card + b"</w:RequestedSecurityToken>"
        b"<w:Status><w:Code>" + status.encode() + b"</w:Code></w:Status>"
        b"</w:RequestSecurityTokenResponse></S:Body></S:Envelope>"
    )


def answer(body: bytes, status: int = 200, content_type: str = "text/xml") -> HttpAnswer:
    return HttpAnswer(status, content_type, body)


def example(name: str) -> bytes:
    path = SHARED / "examples" / name
    if not path.exists():
        pytest.skip("the shared NSP examples are not beside this checkout")
    return path.read_bytes()


def fault() -> bytes:
    return (
        '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault>'
        f'<faultcode xmlns:wst="{WST}">wst:FailedAuthentication</faultcode>'
        "<faultstring>Authentication failed: cvrrid-cpr mismatch</faultstring>"
        "<faultactor>dk:sosi:sts:cvrridcpr</faultactor></S:Fault></S:Body></S:Envelope>"
    ).encode()


def card_in(request: bytes) -> bytes:
    card = next(etree.fromstring(request).iter(f"{{{SAML}}}Assertion"))
    return etree.tostring(card, with_tail=False)


# --- Request and response -------------------------------------------------------------


@pytest.mark.parametrize("kind", ["system", "user"])
def test_the_request_has_the_shape_of_the_published_example(kind: str) -> None:
    user = None if kind == "system" else replace(DOCTOR, authorization_code=None)
    identity = replace(IDENTITY, user=user)
    card = build_card(gateway_key(), identity, at=NOW, card_id="x")
    ours = etree.fromstring(write_issue_request(card, created=NOW, issuer=identity.issuer))
    published = etree.fromstring(example(f"sts-issue-{kind}-request.xml"))
    assert shape(ours) == shape(published)
    for path in ("TokenType", "RequestType"):
        found = [root.findtext(f".//{{{WST}}}{path}") for root in (ours, published)]
        assert found[0] == found[1]


def test_the_card_stands_in_the_request_byte_for_byte() -> None:
    card = system_card()
    assert card.xml in write_issue_request(card, created=NOW, issuer="NotatGateway")


def test_an_issued_card_is_read_with_the_bytes_to_send_on() -> None:
    issued = sts_issue(system_card().xml)
    card = read_issue_response(answer(response(issued)), system_card(), trust=sts_trust(), at=NOW)
    assert isinstance(card, SystemIdCard)
    assert card.issuer == "PROEVE-STS"
    assert card.xml == issued


def test_a_fault_with_status_200_is_an_error() -> None:
    for status in (200, 500):
        with pytest.raises(StsFault, match="cvrrid-cpr mismatch"):
            read_issue_response(answer(fault(), status), system_card(), trust=sts_trust(), at=NOW)


@pytest.mark.parametrize(
    ("status", "error"), [(502, NoAnswer), (503, NoAnswer), (504, NoAnswer), (403, HttpRefusal)]
)
def test_an_answer_without_soap_is_told_by_its_status(status: int, error: type[Exception]) -> None:
    for body, content_type in ((b"<html>Proxy", "text/html"), (b"", ""), (b"nej", "text/plain")):
        with pytest.raises(error):
            read_issue_response(
                answer(body, status, content_type), system_card(), trust=sts_trust(), at=NOW
            )


@pytest.mark.parametrize(
    "how",
    [
        {"key": false_sts_key},
        {"changes": {"medcom:CareProviderID": "33000003"}},
        {"changes": {"sosi:AuthenticationLevel": "4"}},
        {"changes": {"sosi:IDCardVersion": "1.0"}},
        {"changes": {"medcom:ITSystemName": "Andet"}},
        {"life": timedelta(minutes=5)},
    ],
)
def test_another_card_than_was_asked_for_is_refused(how: dict[str, object]) -> None:
    made = {key: value() if callable(value) else value for key, value in how.items()}
    issued = sts_issue(system_card().xml, **made)  # type: ignore[arg-type]
    with pytest.raises((UntrustedSignature, MalformedMessage)):
        read_issue_response(answer(response(issued)), system_card(), trust=sts_trust(), at=NOW)


def test_a_touched_card_a_missing_card_and_an_invalid_status_are_refused() -> None:
    issued = sts_issue(system_card().xml)
    for body in (
        response(issued.replace(b"Journaldeling", b"Journaldelinh")),
        response(b""),
        response(issued + issued),
        response(issued, status=f"{WST}/status/invalid"),
        response(system_card().xml),
        b'<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body/></S:Envelope>',
    ):
        with pytest.raises((UntrustedSignature, MalformedMessage)):
            read_issue_response(answer(body), system_card(), trust=sts_trust(), at=NOW)


# --- The client -----------------------------------------------------------------------


class TokenService:
    """Issues cards in memory, counts, and can be slow or down."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.calls = 0
        self.failure: NspError | HttpAnswer | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        assert url == URL
        assert headers["SOAPAction"] == '"Issue"'
        assert headers["Content-Type"] == "text/xml; charset=utf-8"
        self.calls += 1
        await self.gate.wait()
        if isinstance(self.failure, NspError):
            raise self.failure
        if self.failure is not None:
            return self.failure
        parse_envelope(body)
        return answer(response(sts_issue(card_in(body), at=self.clock())))


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def service(clock: Clock) -> TokenService:
    return TokenService(clock)


Make = Callable[..., StsClient]


@pytest.fixture
async def make(service: TokenService, clock: Clock) -> AsyncIterator[Make]:
    clients: list[StsClient] = []

    def build(**how: object) -> StsClient:
        arguments = {"identity": IDENTITY, "trust": sts_trust()} | how
        client = StsClient(service, URL, gateway_key(), clock, **arguments)  # type: ignore[arg-type]
        clients.append(client)
        return client

    yield build
    for client in clients:
        await client.aclose()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_card_is_kept_until_ten_minutes_before_its_end(
    make: Make, service: TokenService, clock: Clock
) -> None:
    client = make()
    first = await client.card()
    clock.forward(hours=23, minutes=44, seconds=59)
    assert await client.card() is first
    assert service.calls == 1


async def test_near_the_end_the_old_card_is_given_at_once_and_renewed_behind(
    make: Make, service: TokenService, clock: Clock
) -> None:
    client = make()
    first = await client.card()
    service.gate.clear()
    clock.forward(hours=23, minutes=45)
    assert await client.card() is first
    assert await client.card() is first
    await settle()
    assert service.calls == 2
    service.gate.set()
    await settle()
    second = await client.card()
    assert second is not first
    assert second.issued_at > first.issued_at
    assert service.calls == 2


async def test_the_strictest_services_age_limit_counts(
    make: Make, service: TokenService, clock: Clock
) -> None:
    client = make(max_age=timedelta(minutes=480))
    first = await client.card()
    clock.forward(minutes=475 - 10, seconds=-1)
    assert await client.card() is first
    clock.forward(seconds=1)
    await client.card()
    await settle()
    assert service.calls == 2
    clock.forward(minutes=476)
    assert (await client.card()).age(clock()) < timedelta(minutes=480)


async def test_many_callers_wait_for_one_renewal(make: Make, service: TokenService) -> None:
    client = make()
    cards = await asyncio.gather(*(client.card() for _ in range(50)))
    assert service.calls == 1
    assert len({id(card) for card in cards}) == 1


async def test_a_caller_who_gives_up_does_not_take_the_renewal_along(
    make: Make, service: TokenService
) -> None:
    client = make()
    service.gate.clear()
    impatient = asyncio.create_task(client.card())
    patient = asyncio.create_task(client.card())
    await settle()
    impatient.cancel()
    await settle()
    service.gate.set()
    assert isinstance(await patient, IdCard)
    assert service.calls == 1
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_a_renewal_that_fails_behind_the_callers_is_told_to_the_log(
    make: Make, service: TokenService, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    client = make()
    await client.card()
    service.failure = answer(fault())
    clock.forward(hours=23, minutes=46)
    await client.card()
    await settle()
    assert [record.getMessage() for record in caplog.records] == ["id card not renewed: STS-FAULT"]


async def test_while_the_old_card_is_good_a_failing_service_is_not_felt(
    make: Make, service: TokenService, clock: Clock
) -> None:
    client = make()
    first = await client.card()
    service.failure = NoAnswer("down")
    clock.forward(hours=23, minutes=46)
    for _ in range(5):
        assert await client.card() is first
        await settle()
    assert service.calls == 2
    clock.forward(seconds=30)
    assert await client.card() is first
    await settle()
    assert service.calls == 3
    clock.forward(minutes=9)
    with pytest.raises(NoAnswer):
        await client.card()
    service.failure = None
    assert await client.card() is not first


async def test_without_a_good_card_the_error_reaches_every_caller_and_heals(
    make: Make, service: TokenService
) -> None:
    client = make()
    service.failure = answer(fault())
    results = await asyncio.gather(*(client.card() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [StsFault] * 3
    assert service.calls == 1
    service.failure = None
    assert isinstance(await client.card(), SystemIdCard)


async def test_a_discarded_card_is_replaced_once(
    make: Make, service: TokenService, clock: Clock
) -> None:
    client = make()
    first = await client.card()
    clock.forward(minutes=1)
    client.discard(first)
    second = await client.card()
    assert second is not first
    client.discard(first)
    assert await client.card() is second
    assert service.calls == 2


async def test_a_user_card_is_issued_for_a_person(make: Make) -> None:
    card = await make(identity=replace(IDENTITY, user=DOCTOR)).card()
    assert isinstance(card, UserIdCard)
    assert card.user == DOCTOR


async def test_closing_ends_a_renewal_under_way(make: Make, service: TokenService) -> None:
    client = make()
    service.gate.clear()
    waiting = asyncio.create_task(client.card())
    await settle()
    await client.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_real_transport_fits(clock: Clock) -> None:
    async with HttpTransport() as transport:
        client = StsClient(
            transport,
            "http://127.0.0.1:9/",
            gateway_key(),
            clock,
            identity=IDENTITY,
            trust=sts_trust(),
        )
        with pytest.raises(NoAnswer):
            await client.card()
        await client.aclose()
