"""A practice enrolled by certificate: a token by mutual TLS, or by an assertion of its key.

Source: RFC 8705, 2; design.md 3.1, 3.4, 3.5.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from joserfc.jwk import RSAKey

from gateway.demo.client import Reply
from tests.support.client import Caller
from tests.support.system import System, free_port
from tests.support.tokens import ask, assertion, key_of, post_with

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A system with a TLS listener, in which practice-1 is enrolled by certificate only."""
    with System(tls_port=free_port()) as running:
        enrol(running, certificate_of(running, "practice-1"))
        yield running


def certificate_of(system: System, practice: str) -> Path:
    """The client certificate of a practice; its key lies beside it."""
    return system.folder / "pki" / "practices" / f"{practice}.client.pem"


def enrol(system: System, certificate: Path) -> None:
    """``gateway practice add --cert`` for practice-1."""
    system.command(
        *("practice", "add", "--sor", "61741000016007", "--provider-number", "077410"),
        *("--name", "Lægerne Hasseris Bymidte", "--cert", str(certificate)),
        *("--sharing-start", "2026-12-01T00:00:00+01:00", "--data", str(system.folder)),
    )


async def ask_over_tls(
    system: System, certificate: Path | None, *, key: Path | None = None, **fields: str
) -> Reply:
    """Ask for a token at the TLS listener."""
    context = ssl.create_default_context(cafile=str(system.settings.client_ca_file))
    if certificate is not None:
        context.load_cert_chain(certificate, key or certificate.with_suffix(".key"))
    form = {"grant_type": "client_credentials", "client_id": "61741000016007"} | fields
    url = f"https://127.0.0.1:{system.settings.tls_port}/oauth/token"
    connector = aiohttp.TCPConnector(ssl=context)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(url, data=form) as answer,
    ):
        return Reply(answer.status, dict(answer.headers), await answer.read())


async def test_the_enrolled_certificate_opens_the_door(system: System, client: Caller) -> None:
    answer = await ask_over_tls(system, certificate_of(system, "practice-1"))
    granted = answer.require(200).json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert granted["token_type"] == "Bearer"
    (await post_with(client, granted["access_token"])).require(202)


@pytest.mark.parametrize(
    ("holder", "client_id"),
    [
        ("practice-2", "61741000016007"),  # trusted, and another's
        ("practice-2", "72851000016003"),  # its own, and enrolled with a key only
        ("practice-1", "72851000016003"),
        ("practice-1", "99999999999999"),
    ],
)
async def test_another_certificate_than_the_enrolled_one_is_refused(
    system: System, holder: str, client_id: str
) -> None:
    answer = await ask_over_tls(system, certificate_of(system, holder), client_id=client_id)
    assert answer.require(401).json()["error"] == "invalid_client"


async def test_a_certificate_without_the_sor_code_is_refused(system: System) -> None:
    answer = await ask_over_tls(system, certificate_of(system, "practice-1"), client_id="")
    assert answer.require(400).json()["error"] == "invalid_request"


async def test_no_certificate_and_one_of_an_unknown_authority_get_no_connection(
    system: System,
) -> None:
    stranger = system.folder / "pki" / "odd" / "other-root.pem"
    for certificate in (None, stranger):
        with pytest.raises((aiohttp.ClientConnectionError, ssl.SSLError)):
            await ask_over_tls(system, certificate)


async def test_a_certificate_in_a_header_proves_nothing(system: System, client: Caller) -> None:
    pem = certificate_of(system, "practice-1").read_text(encoding="ascii")
    reply = await client.call(
        "POST",
        "/oauth/token",
        body=b"grant_type=client_credentials&client_id=61741000016007",
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Client-Cert": quote(pem),
            "X-Forwarded-Client-Cert": f'Cert="{quote(pem)}"',
            "Client-Cert": ":" + "".join(pem.splitlines()[1:20]) + ":",
        },
    )
    assert reply.require(400).json()["error"] == "invalid_request"


async def test_the_key_of_the_certificate_signs_assertions(system: System, client: Caller) -> None:
    pem = certificate_of(system, "practice-1").with_suffix(".key").read_bytes()
    for key in (RSAKey.import_key(pem), RSAKey.import_key(pem, {"kid": "a name of their own"})):
        asserted = await assertion(system, client, key)
        token = (await ask(client, asserted)).require(200).json()["access_token"]
        (await post_with(client, token)).require(202)
    # Enrolling by certificate has replaced the key that was given before.
    former = await assertion(system, client, key_of(system, "practice-1"))
    assert (await ask(client, former)).require(401).json()["error"] == "invalid_client"


async def test_a_new_certificate_replaces_the_former(system: System) -> None:
    former, new = (certificate_of(system, f"practice-{number}") for number in (1, 2))
    enrol(system, new)
    try:
        (await ask_over_tls(system, former)).require(401)
        (await ask_over_tls(system, new)).require(200)
    finally:
        enrol(system, former)
