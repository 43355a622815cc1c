"""Logging in by OpenID Connect: authorization code flow with PKCE, state and nonce.

The id token is verified by the same :class:`Tokens` that verifies every other
token of the identity provider; here only what belongs to a login is added:
that it answers our own request (nonce) and was made for our client.

Source: OpenID Connect Core 1.0, 3.1 (2.1 requests, 3.7 checks); RFC 7636;
RFC 9207 (``iss``).
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import orjson
from joserfc import jws

from gateway.api.audit_ui.session import CALLBACK_PATH, Login
from gateway.api.principals import Principal
from gateway.api.services import Services
from gateway.errors import NotAuthorized, Unavailable
from gateway.settings import Settings
from nsp_client.errors import MessageTooLarge, NoAnswer

FORM: Final = "application/x-www-form-urlencoded"


def new_login(now: datetime) -> Login:
    """Fresh state, nonce and PKCE verifier."""
    return Login(
        secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), now
    )


def issuer_origin(settings: Settings) -> str:
    """Scheme, host and port of the identity provider; empty without one."""
    parts = urlsplit(settings.oidc_issuer)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def redirect_uri(settings: Settings) -> str:
    """Where the provider sends the browser back to."""
    return f"{settings.public_url.rstrip('/')}{CALLBACK_PATH}"


def authorization_url(settings: Settings, login: Login) -> str:
    """Where to send the browser to log in."""
    digest = sha256(login.verifier.encode()).digest()
    query = urlencode(
        {
            "response_type": "code",
            "scope": "openid",
            "client_id": settings.oidc_client_id,
            "redirect_uri": redirect_uri(settings),
            "state": login.state,
            "nonce": login.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
    )
    return f"{settings.oidc_issuer}/authorize?{query}"


def code_from(answer: Mapping[str, str], login: Login, settings: Settings) -> str:
    """The code in the provider's answer.

    Raises:
        NotAuthorized: another login's state, another provider, or a refusal.
    """
    if not hmac.compare_digest(answer.get("state", "").encode(), login.state.encode()):
        raise NotAuthorized("login: other state")
    if answer.get("iss", settings.oidc_issuer) != settings.oidc_issuer:
        raise NotAuthorized("login: other provider")
    if "error" in answer or not answer.get("code"):
        raise NotAuthorized("login: refused by the provider")
    return answer["code"]


async def person_behind(services: Services, code: str, login: Login) -> Principal:
    """Exchange the code and verify who logged in.

    Raises:
        NotAuthorized: the code is not taken, or the id token does not hold.
        Unavailable: the provider does not answer.
    """
    token = await _exchange(services, code, login)
    principal = await services.tokens.open(f"Bearer {token}")
    # Only now: the signature holds, so these claims are the provider's.
    claims = _claims_of(token)
    client_id = services.settings.oidc_client_id
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences or claims.get("azp", client_id) != client_id:
        raise NotAuthorized("login: the id token is another client's")
    if claims.get("iss") != services.settings.oidc_issuer:
        raise NotAuthorized("login: the id token is not the provider's")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), login.nonce.encode()):
        raise NotAuthorized("login: other nonce")
    return principal


async def _exchange(services: Services, code: str, login: Login) -> str:
    settings = services.settings
    body = urlencode(
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri(settings),
            "client_id": settings.oidc_client_id,
            "code_verifier": login.verifier,
        }
    )
    try:
        answer = await services.transport.post(
            f"{settings.oidc_issuer}/token",
            body.encode(),
            {"Content-Type": FORM, "Accept": "application/json"},
        )
    except (NoAnswer, MessageTooLarge) as error:
        raise Unavailable("identity provider: no answer") from error
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Unavailable(f"identity provider: HTTP {answer.status}")
    if answer.status != HTTPStatus.OK:
        raise NotAuthorized("login: the code is not taken")
    try:
        token = orjson.loads(answer.body)["id_token"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise NotAuthorized("login: no id token") from error
    if not isinstance(token, str):
        raise NotAuthorized("login: no id token")
    return token


def _claims_of(token: str) -> dict[str, Any]:
    """The claims of a token that has been verified already."""
    claims = orjson.loads(jws.extract_compact(token.encode()).payload)
    return claims if isinstance(claims, dict) else {}
