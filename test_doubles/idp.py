"""The identity provider: OpenID Connect with a choice of personas for a login.

Authorization code flow with PKCE (S256), and a short cut that hands out a
token for a persona at once. Sources: OpenID Connect Core 1.0 (3.1), OpenID
Connect Discovery 1.0, RFC 6749, RFC 7636, RFC 9207, design 3.5 (claims, 30
days).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from test_doubles.errors import BadRequest
from test_doubles.overview import html_page, template_environment
from test_doubles.personas import Persona
from test_doubles.world import (
    JsonObject,
    Route,
    World,
    json_refusal,
    json_response,
    read_object,
    text_member,
)

AUDIENCE = "journal-note-gateway"
TOKEN_LIFETIME_SECONDS = 30 * 24 * 3600
CODE_LIFETIME_SECONDS = 120
ISSUED_EARLIER_SECONDS = 5
"""How far ``iat`` lies back, so that a follower's clock a little behind still takes it."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_ASKED = ("response_type", "client_id", "redirect_uri", "scope", "state", "nonce")
_PKCE = ("code_challenge", "code_challenge_method")


@dataclass(frozen=True, slots=True)
class _Login:
    """A code that was handed out and what it is bound to; real time in seconds."""

    persona_id: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    nonce: str | None
    good_until: float


class IdentityProvider:
    """The provider under ``/idp``, with a signing key made at the start.

    State is ``{"lifetime_seconds", "claims": {persona: {claim: value}}, ...}``;
    ``put_state`` takes these two: a lifetime, negative for tokens that have
    run out, and claims to replace (null removes one). So a test gets lapsed,
    foreign or weak tokens without another way to make them.
    """

    name = "idp"

    def __init__(self, world: World) -> None:
        self._world = world
        self._key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
        self._login_page = template_environment().get_template("login.html")
        self._logout_page = template_environment().get_template("logged_out.html")
        self._codes: dict[str, _Login] = {}
        self._lifetime_seconds = TOKEN_LIFETIME_SECONDS
        self._claims: dict[str, JsonObject] = {}
        self._issued = 0

    @property
    def issuer(self) -> str:
        """``iss``: the doubles' plain address with ``/idp``."""
        return f"{self._world.base_url}/idp"

    def routes(self) -> list[Route]:
        """See ``Double``."""
        discovery = "/idp/.well-known/openid-configuration"
        return [
            Route("GET", discovery, "discovery", self.discovery),
            Route("GET", "/idp/jwks", "jwks", self.jwks),
            Route("GET", "/idp/authorize", "authorize", self.ask_who),
            Route("POST", "/idp/authorize", "login", self.log_in),
            Route("POST", "/idp/token", "token", self.token),
            Route("GET", "/idp/logout", "logout", self.log_out),
            Route("POST", "/idp/logout", "logout", self.log_out),
        ]

    def state(self) -> JsonObject:
        """See ``Double``."""
        return {
            "lifetime_seconds": self._lifetime_seconds,
            "claims": self._claims,
            "issuer": self.issuer,
            "key_id": self._key.kid,
            "codes_open": len(self._codes),
            "tokens_issued": self._issued,
        }

    def put_state(self, state: JsonObject) -> None:
        """See ``Double``."""
        lifetime = state.get("lifetime_seconds", self._lifetime_seconds)
        claims = state.get("claims", self._claims)
        if not isinstance(lifetime, int) or isinstance(lifetime, bool):
            raise BadRequest("member lifetime_seconds must be a whole number")
        if not isinstance(claims, dict) or not all(isinstance(c, dict) for c in claims.values()):
            raise BadRequest("member claims must hold an object for each persona")
        for persona_id in claims:
            self._world.personas.get(persona_id)
        self._lifetime_seconds, self._claims = lifetime, claims

    def reset(self) -> None:
        """See ``Double``. The key stays, so tokens handed out stay good."""
        self._codes = {}
        self._lifetime_seconds = TOKEN_LIFETIME_SECONDS
        self._claims = {}
        self._issued = 0

    def refusal(self, operation: str, code: str | None) -> web.StreamResponse:
        """See ``Double``."""
        return json_refusal(code)

    async def discovery(self, _request: web.Request) -> web.Response:
        """The provider's description of itself."""
        return json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "end_session_endpoint": f"{self.issuer}/logout",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "token_endpoint_auth_methods_supported": ["none"],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["openid"],
                "claims_supported": [
                    *("iss", "sub", "aud", "exp", "iat", "nonce", "role", "cpr", "loa"),
                    *("authorization_id", "profession", "sor", "name", "on_behalf_of"),
                ],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def jwks(self, _request: web.Request) -> web.Response:
        """The public key."""
        return json_response(KeySet([self._key]).as_dict(private=False))

    async def ask_who(self, request: web.Request) -> web.Response:
        """The page to choose a persona; a bad request goes back to the client where it may."""
        asked = dict(request.query)
        redirect_uri = _redirect_uri(asked)
        error = _fault_in(asked)
        if error is not None:
            return _back(redirect_uri, {"error": error, **_state_of(asked), "iss": self.issuer})
        return html_page(
            self._login_page.render(
                client_id=asked["client_id"],
                asked={name: asked[name] for name in (*_ASKED, *_PKCE) if name in asked},
                personas=[p for p in self._world.personas if p.role != "practice"],
            )
        )

    async def log_in(self, request: web.Request) -> web.Response:
        """The choice was made: hand the client a code."""
        texts = {n: v for n, v in (await request.post()).items() if isinstance(v, str)}
        redirect_uri = _redirect_uri(texts)
        error = _fault_in(texts)
        if error is not None:
            return _back(redirect_uri, {"error": error, **_state_of(texts), "iss": self.issuer})
        persona = self._world.personas.get(texts.get("persona", ""))
        self._codes = {
            c: entry for c, entry in self._codes.items() if entry.good_until > time.time()
        }
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Login(
            persona.persona_id,
            texts["client_id"],
            redirect_uri,
            texts["code_challenge"],
            texts.get("nonce"),
            time.time() + CODE_LIFETIME_SECONDS,
        )
        return _back(redirect_uri, {"code": code, **_state_of(texts), "iss": self.issuer})

    async def token(self, request: web.Request) -> web.Response:
        """A form with a code (RFC 6749), or ``{"persona"}`` as JSON for the short cut."""
        if request.content_type == "application/json":
            document = await read_object(request)
            persona = self._world.personas.get(text_member(document, "persona"))
            return json_response(self._grant(persona))
        form = {n: v for n, v in (await request.post()).items() if isinstance(v, str)}
        if form.get("grant_type") != "authorization_code":
            return _token_error("unsupported_grant_type")
        # A code is good for one try, whatever comes of it.
        login = self._codes.pop(form.get("code", ""), None)
        if login is None or login.good_until <= time.time() or not _belongs(login, form):
            return _token_error("invalid_grant")
        persona = self._world.personas.get(login.persona_id)
        id_claims = self._claims_of(persona) | {"aud": login.client_id}
        if login.nonce is not None:
            id_claims["nonce"] = login.nonce
        return json_response(
            {**self._grant(persona), "id_token": self._sign(id_claims), "scope": "openid"}
        )

    async def log_out(self, request: web.Request) -> web.Response:
        """No session is kept here: lead back to the client, or say goodbye."""
        fields = dict(request.query)
        if request.method == "POST":
            fields |= {n: v for n, v in (await request.post()).items() if isinstance(v, str)}
        target = fields.get("post_logout_redirect_uri")
        if target is None:
            return html_page(self._logout_page.render())
        _must_be_allowed(target)
        return _back(target, _state_of(fields))

    def _grant(self, persona: Persona) -> JsonObject:
        return {
            "access_token": self._sign(self._claims_of(persona)),
            "token_type": "Bearer",
            "expires_in": self._lifetime_seconds,
        }

    def _claims_of(self, persona: Persona) -> JsonObject:
        real, shown = int(time.time()), int(self._world.clock.now().timestamp())
        unit = persona.organization
        claims: JsonObject = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            # Good both in real time and in demo time, wherever the clock is moved next.
            "iat": min(real, shown) - ISSUED_EARLIER_SECONDS,
            "exp": max(real, shown) + self._lifetime_seconds,
            "jti": secrets.token_hex(16),
            "sub": persona.persona_id,
            "role": persona.role,
            "cpr": persona.cpr,
            "loa": persona.loa,
            "authorization_id": persona.authorization_id,
            "profession": persona.profession,
            "sor": unit.sor if unit else None,
            "name": persona.name,
        }
        if persona.on_behalf_of is not None:
            principal = self._world.personas.get(persona.on_behalf_of)
            claims["on_behalf_of"] = {
                "sub": principal.persona_id,
                "cpr": principal.cpr,
                "authorization_id": principal.authorization_id,
                "profession": principal.profession,
            }
        claims |= self._claims.get(persona.persona_id, {})
        return {name: value for name, value in claims.items() if value is not None}

    def _sign(self, claims: JsonObject) -> str:
        self._issued += 1
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key)


def _redirect_uri(asked: Mapping[str, str]) -> str:
    """The client's address, checked first: an error must not be sent to a stranger."""
    redirect_uri = asked.get("redirect_uri", "")
    _must_be_allowed(redirect_uri)
    return redirect_uri


def _must_be_allowed(target: str) -> None:
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or parts.hostname not in _LOOPBACK or parts.fragment:
        raise BadRequest("the address to return to must be http or https on this machine")


def _fault_in(asked: Mapping[str, str]) -> str | None:
    """The error code of an authorization request, None when it is right."""
    if asked.get("response_type") != "code":
        return "unsupported_response_type"
    if "openid" not in asked.get("scope", "").split():
        return "invalid_scope"
    pkce_right = asked.get("code_challenge_method") == "S256" and bool(asked.get("code_challenge"))
    return None if asked.get("client_id") and pkce_right else "invalid_request"


def _state_of(asked: Mapping[str, str]) -> dict[str, str]:
    return {"state": asked["state"]} if "state" in asked else {}


def _back(target: str, answer: Mapping[str, str]) -> web.Response:
    """Send the browser to the client, keeping the query its address has."""
    parts = urlsplit(target)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *answer.items()])
    location = urlunsplit(parts._replace(query=query))
    return web.Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


def _belongs(login: _Login, form: Mapping[str, str]) -> bool:
    """Whether client, address and PKCE verifier are those of the login (RFC 7636, 4.6)."""
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return (
        form.get("client_id") == login.client_id
        and form.get("redirect_uri") == login.redirect_uri
        and hmac.compare_digest(challenge, login.code_challenge.encode())
    )


def _token_error(error: str) -> web.Response:
    body: dict[str, Any] = {"error": error}
    return json_response(body, 400)
