"""The token endpoint for practice systems: ``client_credentials`` by ``private_key_jwt``.

The system signs a short assertion with a key whose public half was given at
enrolment, as it is or in a certificate; the assertion names our endpoint as its
audience, lives at most five minutes and is accepted once.

Source: RFC 7521, RFC 7523; RFC 7515, 4.1.4 and 4.1.8 (``kid``, ``x5t#S256``);
OpenID Connect Core 9 (private_key_jwt); design.md 3.1.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from gateway.client_keys import certificate_of_key, is_valid_at
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.pipeline.records import PracticeRecord
from gateway.storage import practices
from gateway.storage.database import Database

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_LIMIT_SECONDS: Final = 300
CLOCK_TOLERANCE_SECONDS: Final = 60
_JTI: Final = re.compile("[!-~]{1,128}")
KEY_TYPES: Final = {"ES256": "EC", "RS256": "RSA", "PS256": "RSA"}  # of each algorithm


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
        AssertionRefused: with ``invalid_request`` or ``invalid_client`` (RFC 6749, 5.2).
        Unavailable: the database is away.
    """
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise AssertionRefused("invalid_request", "client_assertion of type jwt-bearer is needed")
    assertion = form["client_assertion"]
    claimed = _unverified_subject(assertion)
    async with database.transaction() as connection:
        practice = await practices.by_sor_code(connection, claimed)
        if practice is None:
            raise AssertionRefused("invalid_client", "unknown client")
        claims = _verify(assertion, practice, clock.now())
        expires_at = _check(claims, practice, clock.now(), endpoint)
        fresh = await practices.use_assertion(
            connection, practice.practice_id, str(claims["jti"]), expires_at, clock.now()
        )
        if not fresh:
            raise AssertionRefused("invalid_client", "this assertion was used before")
    return practice


def _unverified_subject(assertion: str) -> str:
    """The SOR code the assertion claims to come from, to find the keys by."""
    subject = _unverified(assertion, 1).get("sub")
    if not isinstance(subject, str):
        raise AssertionRefused("invalid_client", "sub must be the SOR code")
    return subject


def _unverified(assertion: str, part: int) -> dict[str, Any]:
    """One JSON part of the assertion as it stands there: 0 the header, 1 the claims."""
    try:
        text = assertion.split(".")[part]
        found = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (IndexError, ValueError, binascii.Error) as error:
        raise AssertionRefused("invalid_client", "the assertion can't be read") from error
    if not isinstance(found, dict):
        raise AssertionRefused("invalid_client", "the assertion can't be read")
    return found


def _verify(assertion: str, practice: PracticeRecord, now: datetime) -> dict[str, Any]:
    """The claims, signed by one of the practice's keys."""
    for key in _candidates(_unverified(assertion, 0), practice, now):
        with suppress(JoseError, ValueError, TypeError, KeyError):
            imported = JWKRegistry.import_key(key)
            return dict(jwt.decode(assertion, imported, algorithms=list(KEY_TYPES)).claims)
    raise AssertionRefused("invalid_client", "the signature does not verify")


def _candidates(
    header: Mapping[str, Any], practice: PracticeRecord, now: datetime
) -> list[dict[str, Any]]:
    """The keys the header may mean: by ``kid`` and ``x5t#S256`` if it has them, by type otherwise.

    Raises:
        AssertionRefused: it means a certificate, and that is out of date.
    """
    key_type = KEY_TYPES.get(str(header.get("alg")))
    meant = [
        key
        for key in practice.jwks.get("keys", [])
        if key.get("kty") == key_type
        and all(
            name not in header or name not in key or header[name] == key[name]
            for name in ("kid", "x5t#S256")
        )
    ]
    valid = [key for key in meant if _is_usable(key, now)]
    if meant and not valid:
        raise AssertionRefused("invalid_client", "the certificate is out of date")
    return valid


def _is_usable(key: Mapping[str, Any], now: datetime) -> bool:
    certificate = certificate_of_key(key)
    return certificate is None or is_valid_at(certificate, now)


def _check(
    claims: Mapping[str, Any], practice: PracticeRecord, now: datetime, endpoint: str
) -> datetime:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    jti = claims.get("jti")
    expires = _numeric_date(claims, "exp")
    begins = [_numeric_date(claims, name) for name in ("iat", "nbf") if name in claims]
    seconds = now.timestamp()
    if claims.get("iss") != practice.sor_code or claims.get("sub") != practice.sor_code:
        raise AssertionRefused("invalid_client", "iss and sub must be the SOR code")
    if endpoint not in audiences:
        raise AssertionRefused("invalid_client", f"aud must be {endpoint}")
    if not isinstance(jti, str) or not _JTI.fullmatch(jti):
        raise AssertionRefused("invalid_client", "jti is missing, or not 1 to 128 printable signs")
    if expires is None or expires <= seconds:
        raise AssertionRefused("invalid_client", "the assertion has expired")
    if expires > seconds + LIFETIME_LIMIT_SECONDS + CLOCK_TOLERANCE_SECONDS:
        raise AssertionRefused("invalid_client", "exp lies more than five minutes ahead")
    if any(each is None or each > seconds + CLOCK_TOLERANCE_SECONDS for each in begins):
        raise AssertionRefused("invalid_client", "iat or nbf lies in the future")
    return datetime.fromtimestamp(expires, UTC)


def _numeric_date(claims: Mapping[str, Any], name: str) -> float | None:
    """A claim that is a time in seconds; None for anything else. Source: RFC 7519, 2."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)
