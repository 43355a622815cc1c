"""Practice systems prove who they are with ``private_key_jwt``; everybody else is refused.

Source: RFC 7523; design.md 3.1 (``POST /oauth/token``).
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from tests.support.client import Caller
from tests.support.system import System
from tests.support.tokens import ask, assertion, key_of, post_with

pytestmark = pytest.mark.postgres


def _base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode().rstrip("=")


async def test_a_signed_assertion_opens_the_door_once(system: System, client: Caller) -> None:
    asserted = await assertion(system, client, key_of(system, "practice-1"))
    answer = (await ask(client, asserted)).require(200)
    assert answer.headers["Cache-Control"] == "no-store"
    granted = answer.json()
    assert granted["token_type"] == "Bearer"
    assert granted["expires_in"] == system.settings.token_lifetime_seconds
    (await post_with(client, granted["access_token"])).require(202)
    # The same assertion again, at the other process too.
    assert (await ask(client, asserted)).require(401).json()["error"] == "invalid_client"
    async with system.client(1) as other:
        assert (await ask(other, asserted)).require(401).json()["error"] == "invalid_client"


async def test_a_token_expires(system: System, client: Caller) -> None:
    asserted = await assertion(system, client, key_of(system, "practice-1"))
    token = (await ask(client, asserted)).require(200).json()["access_token"]
    (await post_with(client, token)).require(202)
    await client.morning()  # more than its lifetime later
    refused = (await post_with(client, token)).require(401)
    assert refused.json()["code"] == "TOKEN-INVALID"
    assert refused.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": -1},
        {"exp": 3600},
        {"iat": 900},
        {"aud": "https://elsewhere.example/oauth/token"},
        {"iss": "72851000016003"},
        {"sub": "99999999999999"},
        {"nbf": 900},
        {"jti": ""},
        {"jti": "a\0b"},
        {"jti": "j" * 129},
        {"exp": "soon"},
    ],
    ids=lambda changes: f"{next(iter(changes))}={next(iter(changes.values()))}",
)
async def test_a_wrong_claim_is_refused(
    system: System, client: Caller, changes: dict[str, Any]
) -> None:
    now = int((await client.now()).timestamp())
    claims = {
        name: now + value if isinstance(value, int) else value for name, value in changes.items()
    }
    asserted = await assertion(system, client, key_of(system, "practice-1"), **claims)
    assert (await ask(client, asserted)).require(401).json()["error"] == "invalid_client"


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
async def test_a_truth_is_no_time(system: System, client: Caller, name: str) -> None:
    asserted = await assertion(system, client, key_of(system, "practice-1"), **{name: True})
    assert (await ask(client, asserted)).require(401).json()["error"] == "invalid_client"


@pytest.mark.parametrize("subject", ["\0", "61741000016007\0", "", "æ", "٣", 7, None])
async def test_whoever_it_claims_to_be_is_answered(client: Caller, subject: object) -> None:
    # Nobody has signed it: the claim is looked at before the signature can be.
    parts = (json.dumps(part).encode() for part in ({"alg": "ES256"}, {"sub": subject}))
    asserted = ".".join([*map(_base64url, parts), "c2ln"])
    assert (await ask(client, asserted)).require(401).json()["error"] == "invalid_client"


async def test_a_foreign_key_is_refused(system: System, client: Caller) -> None:
    right = key_of(system, "practice-1")
    stranger = ECKey.generate_key("P-256", {"kid": right.kid or ""})
    for key in (stranger, key_of(system, "practice-2")):
        asserted = await assertion(system, client, key)
        assert (await ask(client, asserted)).require(401).json()["error"] == "invalid_client"


async def test_the_public_key_is_no_shared_secret(system: System, client: Caller) -> None:
    # A verifier that lets the token choose its algorithm would fall for this.
    right = key_of(system, "practice-1")
    _, claims, _ = (await assertion(system, client, right)).split(".")
    header = _base64url(json.dumps({"alg": "HS256", "kid": right.kid}).encode())
    signed = f"{header}.{claims}".encode()
    digest = hmac.digest(right.as_pem(private=False), signed, "sha256")
    asserted = f"{header}.{claims}.{_base64url(digest)}"
    assert (await ask(client, asserted)).require(401).json()["error"] == "invalid_client"


async def test_another_grant_or_a_broken_assertion_is_refused(
    system: System, client: Caller
) -> None:
    asserted = await assertion(system, client, key_of(system, "practice-1"))
    other = await ask(client, asserted, grant_type="password")
    assert other.require(400).json()["error"] == "unsupported_grant_type"
    untyped = await ask(client, asserted, client_assertion_type="")
    assert untyped.require(400).json()["error"] == "invalid_request"
    for broken in ("", "a.b", "a.b.c", asserted[:-8], "..", asserted + ".x"):
        assert (await ask(client, broken)).require(401).json()["error"] == "invalid_client"


async def test_a_token_of_nobody_is_refused(system: System, client: Caller) -> None:
    # Signed with the right algorithm and the wrong secret; and unsigned.
    now = int((await client.now()).timestamp())
    claims = {
        "iss": system.settings.public_url,
        "aud": "journal-note-gateway",
        "sub": "61741000016007",
        "role": "practice",
        "sor": "61741000016007",
        "exp": now + 600,
    }
    forged = jwt.encode({"alg": "HS256"}, claims, OctKey.generate_key(256))
    unsigned = "eyJhbGciOiJub25lIn0." + forged.split(".")[1] + "."
    for token in (forged, unsigned, "", "x", forged + "x"):
        refused = (await post_with(client, token)).require(401)
        assert refused.json()["code"] == "TOKEN-INVALID"
