"""Who is logged in on the pages: sealed cookies, no state on the server.

Three sealed values, each AES-256-GCM under the session key with a context of
its own, so that none can be passed off as another:

- the session cookie: who, since when, last seen when, and the secret of the
  forms (HttpOnly, SameSite=Strict; 30 minutes idle, 8 hours in all);
- the login cookie: state, nonce and PKCE verifier of a login under way
  (SameSite=Lax, since it must come back from another site; 10 minutes);
- the ticket: what a search was about, carried in the forms of its results and
  bound to the session, so that no page holds a CPR number.

Being stateless, a session can't be called back before it runs out: logging
out takes the cookie from the browser.

Source: design.md 3.4; RFC 6265bis (SameSite, Secure).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.services import Services
from gateway.errors import ContentGone
from gateway.keys import seal, unseal

IDLE_LIFETIME: Final = timedelta(minutes=30)
WHOLE_LIFETIME: Final = timedelta(hours=8)
LOGIN_LIFETIME: Final = timedelta(minutes=10)
CLOCK_SKEW: Final = timedelta(minutes=1)  # between two api processes
PATH: Final = "/audit"
CALLBACK_PATH: Final = "/audit/callback"
SESSION_COOKIE: Final = "audit_session"
LOGIN_COOKIE: Final = "audit_login"
LONGEST_SEALED: Final = 4_096

_SESSION: Final = b"audit session"
_LOGIN: Final = b"audit login"
_TICKET: Final = b"audit ticket|"


@dataclass(frozen=True, slots=True)
class Session:
    """A person who has logged in. Times are UTC; ``secret`` is the forms' CSRF token."""

    session_id: str
    secret: str
    person_id: UUID
    name: str
    auth_level: str
    authorization_id: str | None
    started_at: datetime
    seen_at: datetime

    def is_valid(self, now: datetime) -> bool:
        """Whether neither the idle nor the whole lifetime is over."""
        idle, whole = now - self.seen_at, now - self.started_at
        return -CLOCK_SKEW <= idle < IDLE_LIFETIME and -CLOCK_SKEW <= whole < WHOLE_LIFETIME


@dataclass(frozen=True, slots=True)
class Login:
    """A login under way. ``verifier`` is PKCE's (RFC 7636)."""

    state: str
    nonce: str
    verifier: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a search was about; carried from one page of results to the next."""

    patient_id: UUID
    case_number: str
    reason: str
    text: str


def _write(key: bytes, value: Mapping[str, Any], context: bytes) -> str:
    sealed = seal(key, orjson.dumps(value), context)
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _read(key: bytes, text: str, context: bytes) -> dict[str, Any] | None:
    """The value, or None for anything that is not ours."""
    if not text or len(text) > LONGEST_SEALED:
        return None
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        value: dict[str, Any] = orjson.loads(unseal(key, sealed, context))
    except (binascii.Error, ValueError, ContentGone):
        return None
    return value


def new_session(
    person_id: UUID, name: str, auth_level: str, authorization_id: str | None, now: datetime
) -> Session:
    """A session that begins now, with an id of its own."""
    return Session(
        secrets.token_urlsafe(16),
        secrets.token_urlsafe(32),
        person_id,
        name,
        auth_level,
        authorization_id,
        now,
        now,
    )


def read_session(request: Request, services: Services) -> Session | None:
    """The session of this request; None: no cookie, a foreign one, or a lapsed one."""
    found = _read(
        services.ring.sessions, request.cookies.get(_name(SESSION_COOKIE, services), ""), _SESSION
    )
    if found is None:
        return None
    session = Session(
        **{
            **found,
            "person_id": UUID(found["person_id"]),
            "started_at": datetime.fromisoformat(found["started_at"]),
            "seen_at": datetime.fromisoformat(found["seen_at"]),
        }
    )
    return session if session.is_valid(services.clock.now()) else None


def has_session_cookie(request: Request, services: Services) -> bool:
    """Whether a session cookie came at all, valid or not."""
    return _name(SESSION_COOKIE, services) in request.cookies


def keep_session(response: Response, session: Session, services: Services) -> None:
    """Set the cookie anew: the idle time starts again."""
    value = asdict(replace(session, seen_at=services.clock.now()))
    _set(
        response,
        SESSION_COOKIE,
        _write(services.ring.sessions, value, _SESSION),
        services,
        path=PATH,
        same_site="strict",
    )


def end_session(response: Response, services: Services) -> None:
    """Take the session cookie from the browser."""
    _set(response, SESSION_COOKIE, "", services, path=PATH, same_site="strict", max_age=0)


def is_form_of(session: Session, form: Mapping[str, str]) -> bool:
    """Whether a form was written for this very session (CSRF)."""
    return hmac.compare_digest(form.get("csrf", "").encode(), session.secret.encode())


def keep_login(response: Response, login: Login, services: Services) -> None:
    """Remember a login under way, on this browser alone."""
    _set(
        response,
        LOGIN_COOKIE,
        _write(services.ring.sessions, asdict(login), _LOGIN),
        services,
        path=CALLBACK_PATH,
        same_site="lax",
        max_age=int(LOGIN_LIFETIME.total_seconds()),
    )


def read_login(request: Request, services: Services) -> Login | None:
    """The login this browser has under way, unless it took too long."""
    found = _read(
        services.ring.sessions, request.cookies.get(_name(LOGIN_COOKIE, services), ""), _LOGIN
    )
    if found is None:
        return None
    login = Login(**{**found, "started_at": datetime.fromisoformat(found["started_at"])})
    age = services.clock.now() - login.started_at
    return login if -CLOCK_SKEW <= age < LOGIN_LIFETIME else None


def end_login(response: Response, services: Services) -> None:
    """A login is good for one try: take its cookie away."""
    _set(response, LOGIN_COOKIE, "", services, path=CALLBACK_PATH, same_site="lax", max_age=0)


def write_ticket(ticket: Ticket, session: Session, key: bytes) -> str:
    """The ticket as a form field; opens in this session only."""
    return _write(key, asdict(ticket), _TICKET + session.session_id.encode())


def read_ticket(text: str, session: Session, key: bytes) -> Ticket | None:
    """The ticket of a form field, None for anything that is not this session's."""
    found = _read(key, text, _TICKET + session.session_id.encode())
    return None if found is None else Ticket(**{**found, "patient_id": UUID(found["patient_id"])})


def _is_secure(services: Services) -> bool:
    return services.settings.public_url.startswith("https://")


def _name(name: str, services: Services) -> str:
    # The prefix makes the browser refuse the cookie over plain http.
    return f"__Secure-{name}" if _is_secure(services) else name


def _set(
    response: Response,
    name: str,
    value: str,
    services: Services,
    *,
    path: str,
    same_site: Any,
    max_age: int | None = None,
) -> None:
    response.set_cookie(
        _name(name, services),
        value,
        max_age=max_age,
        path=path,
        secure=_is_secure(services),
        httponly=True,
        samesite=same_site,
    )
