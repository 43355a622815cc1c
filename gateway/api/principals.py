"""Who is calling: bearer tokens to principals, with every claim checked.

Two issuers: our own token endpoint (practice systems, ``private_key_jwt``) and
the identity provider (people, OpenID Connect). A verified token is remembered
until it expires, by its hash, so that the signature is checked once.

Source: design.md sections 3.1, 3.5 and 5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID, uuid4

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from gateway.clock import Clock
from gateway.errors import NotAuthorized, Unavailable
from gateway.keys import KeyRing
from nsp_client.errors import NoAnswer
from nsp_client.soap.transport import HttpTransport

AUDIENCE: Final = "journal-note-gateway"
OWN_ALGORITHM: Final = "HS256"
PEOPLE_ALGORITHMS: Final = ("ES256", "RS256", "PS256")
MEMORY_TOKENS: Final = 10_000
JWKS_LIFETIME_SECONDS: Final = 300
_LEVELS: Final = {
    "low": "LOW",
    "substantial": "SUBSTANTIAL",
    "high": "HIGH",
    "https://data.gov.dk/concept/core/nsis/loa/low": "LOW",
    "https://data.gov.dk/concept/core/nsis/loa/substantial": "SUBSTANTIAL",
    "https://data.gov.dk/concept/core/nsis/loa/high": "HIGH",
}


@dataclass(frozen=True, slots=True)
class PracticePrincipal:
    """A practice system acting for one clinic."""

    practice_id: UUID
    sor_code: str


@dataclass(frozen=True, slots=True)
class PersonPrincipal:
    """A person who has logged in.

    ``role``: citizen, professional, assistant, compliance or operator.
    ``auth_level``: LOW, SUBSTANTIAL or HIGH; an unknown one counts as LOW.
    """

    person_id: UUID
    cpr: str | None
    subject: str
    name: str
    role: str
    auth_level: str
    authorization_id: str | None
    profession: str | None
    sor_code: str | None


Principal = PracticePrincipal | PersonPrincipal


class Tokens:
    """Issues tokens to practice systems and opens both kinds.

    Args:
        own_issuer: our public base URL.
        oidc_issuer: the identity provider; empty: no person can log in.
        practice_oidc: whether its tokens may also name a practice (demo only).
    """

    def __init__(
        self,
        ring: KeyRing,
        clock: Clock,
        transport: HttpTransport,
        *,
        own_issuer: str,
        oidc_issuer: str,
        practice_oidc: bool,
        lifetime_seconds: int,
    ) -> None:
        self._ring = ring
        self._clock = clock
        self._transport = transport
        self._own_issuer = own_issuer
        self._oidc_issuer = oidc_issuer
        self._practice_oidc = practice_oidc
        self._lifetime_seconds = lifetime_seconds
        self._own_key = OctKey.import_key(ring.tokens)
        self._people_keys: KeySet | None = None
        self._people_keys_at = datetime.fromtimestamp(0, UTC)
        self._fetching = asyncio.Lock()
        self._memory: dict[bytes, tuple[datetime, Principal]] = {}

    def issue(self, sor_code: str) -> tuple[str, int]:
        """A bearer token for a practice, and its life in seconds."""
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._own_issuer,
            "aud": AUDIENCE,
            "sub": sor_code,
            "role": "practice",
            "sor": sor_code,
            "iat": now,
            "exp": now + self._lifetime_seconds,
            "jti": str(uuid4()),
        }
        return jwt.encode({"alg": OWN_ALGORITHM}, claims, self._own_key), self._lifetime_seconds

    async def open(self, authorization: str | None) -> Principal:
        """The caller behind an ``Authorization`` header.

        Raises:
            NotAuthorized: missing, malformed, expired, foreign or altered (401).
            Unavailable: the identity provider's keys can't be fetched.
        """
        if not authorization or not authorization.startswith("Bearer "):
            raise NotAuthorized("no bearer token")
        token = authorization[7:]
        digest = sha256(token.encode()).digest()
        known = self._memory.get(digest)
        now = self._clock.now()
        if known is not None and known[0] > now:
            return known[1]
        expires_at, principal = await self._verify(token, now)
        if len(self._memory) >= MEMORY_TOKENS:
            self._memory.clear()
        self._memory[digest] = (expires_at, principal)
        return principal

    async def _verify(self, token: str, now: datetime) -> tuple[datetime, Principal]:
        algorithm = _algorithm_of(token)
        try:
            if algorithm == OWN_ALGORITHM:
                claims = jwt.decode(token, self._own_key, algorithms=[OWN_ALGORITHM]).claims
                issuer = self._own_issuer
            else:
                keys = await self._fetch_people_keys(now)
                claims = jwt.decode(token, keys, algorithms=list(PEOPLE_ALGORITHMS)).claims
                issuer = self._oidc_issuer
        except (JoseError, ValueError) as error:
            raise NotAuthorized(f"token: {type(error).__name__}") from error
        expires_at = self._check_claims(claims, issuer, now)
        return expires_at, self._principal(claims, is_own=issuer == self._own_issuer)

    def _check_claims(self, claims: Mapping[str, Any], issuer: str, now: datetime) -> datetime:
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        expires = claims.get("exp")
        not_before = claims.get("nbf", 0)
        if not issuer or claims.get("iss") != issuer:
            raise NotAuthorized("token: foreign issuer")
        if AUDIENCE not in audiences:
            raise NotAuthorized("token: other audience")
        if not isinstance(expires, int | float) or expires <= now.timestamp():
            raise NotAuthorized("token: expired")
        if not isinstance(not_before, int | float) or not_before > now.timestamp():
            raise NotAuthorized("token: not valid yet")
        return datetime.fromtimestamp(expires, UTC)

    def _principal(self, claims: Mapping[str, Any], *, is_own: bool) -> Principal:
        role = claims.get("role")
        if role == "practice":
            sor_code = claims.get("sor")
            if not (is_own or self._practice_oidc) or not isinstance(sor_code, str):
                raise NotAuthorized("token: not a practice of ours")
            return PracticePrincipal(self._ring.practice_id(sor_code), sor_code)
        subject = claims.get("sub")
        if not isinstance(role, str) or not isinstance(subject, str):
            raise NotAuthorized("token: no role or subject")
        cpr = _optional(claims, "cpr")
        return PersonPrincipal(
            person_id=self._ring.person_id(cpr or f"subject:{subject}"),
            cpr=cpr,
            subject=subject,
            name=_optional(claims, "name") or "",
            role=role,
            auth_level=_LEVELS.get(str(claims.get("loa", "")).lower(), "LOW"),
            authorization_id=_optional(claims, "authorization_id"),
            profession=_optional(claims, "profession"),
            sor_code=_optional(claims, "sor"),
        )

    async def _fetch_people_keys(self, now: datetime) -> KeySet:
        async with self._fetching:
            age = abs((now - self._people_keys_at).total_seconds())
            if self._people_keys is None or age > JWKS_LIFETIME_SECONDS:
                if not self._oidc_issuer:
                    raise NotAuthorized("token: no identity provider is configured")
                try:
                    document = await self._transport.get_json(f"{self._oidc_issuer}/jwks")
                except NoAnswer as error:
                    raise Unavailable("identity provider: no answer") from error
                self._people_keys = KeySet.import_key_set(document)
                self._people_keys_at = now
            return self._people_keys


def _optional(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None


def _algorithm_of(token: str) -> str:
    try:
        return str(jws.extract_compact(token.encode()).headers().get("alg", ""))
    except (JoseError, ValueError) as error:
        raise NotAuthorized("token: malformed") from error
