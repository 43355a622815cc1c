"""The token endpoint for practice systems: ``client_credentials`` by ``private_key_jwt``.

The system signs a short assertion with a key whose public half was given at
enrolment; the assertion names our endpoint as its audience, lives at most five
minutes and is accepted once.

Source: RFC 7521, RFC 7523; OpenID Connect Core 9 (private_key_jwt); design.md 3.1.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.pipeline.records import PracticeRecord
from gateway.storage import practices
from gateway.storage.database import Database

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_LIMIT_SECONDS: Final = 300
CLOCK_TOLERANCE_SECONDS: Final = 60
ALGORITHMS: Final = ("ES256", "RS256", "PS256")


class AssertionRefused(GatewayError):
    """The client did not prove who it is; ``error`` is the OAuth error code."""

    code = "ASSERTION"
    actor = "sender"

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


async def authenticate(
    form: Mapping[str, str], database: Database, clock: Clock, endpoint: str
) -> PracticeRecord:
    """The practice behind a token request.

    Args:
        form: the fields of the request body.
        endpoint: the absolute URL of this endpoint, which the assertion must name.

    Raises:
        AssertionRefused: with ``unsupported_grant_type``, ``invalid_request`` or
            ``invalid_client`` (RFC 6749, 5.2).
        Unavailable: the database is away.
    """
    if form.get("grant_type") != "client_credentials":
        raise AssertionRefused("unsupported_grant_type", "use client_credentials")
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise AssertionRefused("invalid_request", "client_assertion of type jwt-bearer is needed")
    assertion = form["client_assertion"]
    claimed = _unverified_subject(assertion)
    async with database.transaction() as connection:
        practice = await practices.by_sor_code(connection, claimed)
        if practice is None:
            raise AssertionRefused("invalid_client", "unknown client")
        claims = _verify(assertion, practice)
        expires_at = _check(claims, practice, clock.now(), endpoint)
        fresh = await practices.use_assertion(
            connection, practice.practice_id, str(claims["jti"]), expires_at, clock.now()
        )
        if not fresh:
            raise AssertionRefused("invalid_client", "this assertion was used before")
    return practice


def _unverified_subject(assertion: str) -> str:
    """The SOR code the assertion claims to come from, to find the key by."""
    try:
        part = assertion.split(".")[1]
        payload = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        subject = payload["sub"]
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error) as error:
        raise AssertionRefused("invalid_client", "the assertion can't be read") from error
    if not isinstance(subject, str):
        raise AssertionRefused("invalid_client", "sub must be the SOR code")
    return subject


def _verify(assertion: str, practice: PracticeRecord) -> dict[str, Any]:
    try:
        keys = KeySet.import_key_set({"keys": practice.jwks.get("keys", [])})
        return dict(jwt.decode(assertion, keys, algorithms=list(ALGORITHMS)).claims)
    except (JoseError, ValueError) as error:
        raise AssertionRefused("invalid_client", "the signature does not verify") from error


def _check(
    claims: Mapping[str, Any], practice: PracticeRecord, now: datetime, endpoint: str
) -> datetime:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    issued, expires, jti = claims.get("iat"), claims.get("exp"), claims.get("jti")
    seconds = now.timestamp()
    if claims.get("iss") != practice.sor_code or claims.get("sub") != practice.sor_code:
        raise AssertionRefused("invalid_client", "iss and sub must be the SOR code")
    if endpoint not in audiences:
        raise AssertionRefused("invalid_client", f"aud must be {endpoint}")
    if not isinstance(jti, str) or not jti:
        raise AssertionRefused("invalid_client", "jti is missing")
    if not isinstance(expires, int | float) or expires <= seconds:
        raise AssertionRefused("invalid_client", "the assertion has expired")
    if expires > seconds + LIFETIME_LIMIT_SECONDS + CLOCK_TOLERANCE_SECONDS:
        raise AssertionRefused("invalid_client", "exp lies more than five minutes ahead")
    if isinstance(issued, int | float) and issued > seconds + CLOCK_TOLERANCE_SECONDS:
        raise AssertionRefused("invalid_client", "iat lies in the future")
    return datetime.fromtimestamp(expires, UTC)
