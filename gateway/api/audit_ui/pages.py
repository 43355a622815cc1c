"""The pages under ``/audit`` for compliance staff: log in, search, open, log out.

A handler reads the request, calls one service and shapes the page. Every look
at entries goes through ``search``, which writes its own entry first.

Source: design.md 3.4; sharing-rules 11.3.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Final

import structlog
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gateway.api.audit_ui import answers, oidc, session, words
from gateway.api.audit_ui.answers import page, services_of
from gateway.api.audit_ui.api import post_search as post_api_search
from gateway.api.audit_ui.search import (
    CASE_NUMBER_LENGTHS,
    GROUND_LENGTHS,
    LARGEST_SEQ,
    LogReader,
    check_search,
    open_entry,
    require_compliance,
    show_page,
)
from gateway.api.audit_ui.session import Session, Ticket
from gateway.api.audit_ui.views import pseudonym
from gateway.api.principals import PersonPrincipal, Principal
from gateway.api.submissions import request_id_of
from gateway.errors import NotAuthorized, Unavailable
from gateway.pipeline.audit import AuditAction, AuditEntry
from gateway.storage import audit_log
from mappers.issues import Issue

log = structlog.get_logger()
STATIC_PATH: Final = "/audit/static"
Handler = Callable[[Request], Awaitable[Response]]
SessionHandler = Callable[[Request, Session, dict[str, str]], Awaitable[Response]]


def _or_try_again(handler: Handler) -> Handler:
    """Answer with the 503 page when the log or the identity provider is away."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Unavailable as error:
            log.warning("audit_ui.unavailable", reason=str(error))
            return answers.try_again_page(request)

    return answer


def _with_session(handler: SessionHandler) -> Handler:
    """For posted forms: a valid session and a form of that session, or a clear page."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        services = services_of(request)
        current = session.read_session(request, services)
        if current is None:
            return answers.login_page(request, answers.SESSION_OVER, status=403)
        form = await answers.read_form(request)
        if not session.is_form_of(current, form):
            return answers.message_page(request, answers.FORM_STALE, status=403)
        return await handler(request, current, form)

    return _or_try_again(answer)


@_or_try_again
async def get_start(request: Request) -> Response:
    """``GET /audit``: the search form, or the login page."""
    services = services_of(request)
    current = session.read_session(request, services)
    if current is None:
        had_one = session.has_session_cookie(request, services)
        return answers.login_page(request, answers.SESSION_OVER if had_one else None)
    return _search_page(request, current)


async def get_login(request: Request) -> Response:
    """``GET /audit/login``: off to the identity provider."""
    services = services_of(request)
    if not services.settings.oidc_issuer:
        return answers.message_page(request, answers.NO_PROVIDER, status=503)
    login = oidc.new_login(services.clock.now())
    response = RedirectResponse(
        oidc.authorization_url(services.settings, login),
        status_code=303,
        headers=answers.security_headers(services),
    )
    session.keep_login(response, login, services)
    return response


@_or_try_again
async def get_callback(request: Request) -> Response:
    """``GET /audit/callback``: back from the identity provider."""
    services = services_of(request)
    login = session.read_login(request, services)
    response = (
        answers.message_page(request, answers.LOGIN_BROKEN, status=400)
        if login is None
        else await _log_in(request, login)
    )
    session.end_login(response, services)
    return response


async def _log_in(request: Request, login: session.Login) -> Response:
    services = services_of(request)
    try:
        code = oidc.code_from(request.query_params, login, services.settings)
        principal = await oidc.person_behind(services, code, login)
    except NotAuthorized as error:
        log.warning("audit_ui.login_failed", reason=str(error))
        return answers.message_page(request, answers.LOGIN_BROKEN, status=403)
    refusal = _refusal_of(principal)
    await _log_login(request, principal, refusal)
    if refusal is not None or not isinstance(principal, PersonPrincipal):
        text = answers.LOGIN_TOO_WEAK if refusal == "D-AUTH-LEVEL" else answers.REFUSED
        return answers.message_page(request, text, status=403)
    # The strict cookie is not sent on a redirect that began on another site; a
    # page of ours that moves on by itself makes the next request our own.
    response = page(request, "logged_in.html")
    session.keep_session(
        response,
        session.new_session(
            principal.person_id,
            principal.name,
            principal.auth_level,
            principal.authorization_id,
            services.clock.now(),
        ),
        services,
    )
    return response


def _refusal_of(principal: Principal) -> str | None:
    """The code under which this caller may not enter, None when welcome."""
    try:
        if not isinstance(principal, PersonPrincipal):
            raise NotAuthorized("no person", code="NOT-ALLOWED", status=403)
        require_compliance(principal.role, principal.auth_level)
    except NotAuthorized as error:
        return error.public_code
    return None


async def _log_login(request: Request, principal: Principal, refusal: str | None) -> None:
    services = services_of(request)
    if isinstance(principal, PersonPrincipal):
        actor = f"person:{principal.person_id}"
        reader: dict[str, Any] = {
            "person_id": str(principal.person_id),
            "name": principal.name,
            "role": principal.role.upper(),
            "auth_level": principal.auth_level,
            "authorization_id": principal.authorization_id,
        }
    else:
        actor = f"practice:{principal.practice_id}"
        reader = {"person_id": None, "role": "practice", "sor_code": principal.sor_code}
    entry = AuditEntry(
        AuditAction.LOGIN,
        services.clock.now(),
        {
            "reader": reader,
            "door": "audit_pages",
            "outcome": "admitted" if refusal is None else "refused",
            "code": refusal,
            "request_id": request_id_of(request),
        },
        actor=actor,
    )
    async with services.database.transaction() as connection:
        await audit_log.append(connection, [entry])


@_with_session
async def post_search(request: Request, current: Session, form: dict[str, str]) -> Response:
    """``POST /audit/search``: from the form, or with a ticket for another page of results."""
    services = services_of(request)
    if "ticket" in form:
        ticket = session.read_ticket(form["ticket"], current, services.ring.sessions)
        before = _seq(form.get("before", ""))
        if ticket is None or ("before" in form and before is None):
            return answers.message_page(request, answers.FORM_STALE, status=400)
        return await _result_page(request, current, ticket, before)
    cpr, clean, issues = check_search(form, with_reason=True)
    if cpr is None or issues:
        return _search_page(request, current, {**form, **clean}, issues)
    ticket = Ticket(
        services.ring.person_id(cpr.value),
        clean["case_number"],
        clean["reason"],
        clean["ground"],
    )
    return await _result_page(request, current, ticket, None)


@_with_session
async def post_open(request: Request, current: Session, form: dict[str, str]) -> Response:
    """``POST /audit/open``: one entry with the names in it."""
    services = services_of(request)
    ticket = session.read_ticket(form.get("ticket", ""), current, services.ring.sessions)
    seq = _seq(form.get("entry", ""))
    if ticket is None or seq is None:
        return answers.message_page(request, answers.FORM_STALE, status=400)
    opened = await open_entry(services, _reader(request, current), ticket, seq)
    if opened is None:
        return answers.message_page(request, answers.ENTRY_UNKNOWN, status=404)
    before = _seq(form.get("before", ""))
    values = {"entry": opened.entry, "reader": opened.reader, "before": before}
    return _shown(request, current, "entry.html", {**values, **_search_values(ticket)}, ticket)


@_with_session
async def post_logout(request: Request, _current: Session, _form: dict[str, str]) -> Response:
    """``POST /audit/logout``."""
    response = answers.login_page(request, answers.LOGGED_OUT)
    session.end_session(response, services_of(request))
    return response


def _search_page(
    request: Request,
    current: Session,
    given: Mapping[str, str] | None = None,
    issues: list[Issue] | None = None,
) -> Response:
    fields = ("cpr", "case_number", "reason", "ground")
    values = {
        "given": {name: (given or {}).get(name, "") for name in fields},
        "faults": {issue.path.removeprefix("$."): issue for issue in issues or ()},
        "reasons": words.REASONS,
        "case_number_lengths": CASE_NUMBER_LENGTHS,
        "ground_lengths": GROUND_LENGTHS,
    }
    return _shown(request, current, "search.html", values, status=422 if issues else 200)


async def _result_page(
    request: Request, current: Session, ticket: Ticket, before: int | None
) -> Response:
    result = await show_page(services_of(request), _reader(request, current), ticket, before)
    values = {"page": result, "before": before, **_search_values(ticket)}
    return _shown(request, current, "results.html", values, ticket)


def _search_values(ticket: Ticket) -> dict[str, Any]:
    return {
        "patient": pseudonym(str(ticket.patient_id)).da.replace("Person", "Patient"),
        "case_number": ticket.case_number,
        "reason": words.REASONS[ticket.reason],
        "ground": ticket.text,
    }


def _shown(
    request: Request,
    current: Session,
    template: str,
    values: Mapping[str, Any],
    ticket: Ticket | None = None,
    *,
    status: int = 200,
) -> Response:
    """A page of a session: with its forms' secrets, and the idle time begun anew."""
    services = services_of(request)
    sealed = session.write_ticket(ticket, current, services.ring.sessions) if ticket else ""
    response = page(
        request,
        template,
        {**values, "csrf": current.secret, "user_name": current.name, "ticket": sealed},
        status=status,
    )
    session.keep_session(response, current, services)
    return response


def _reader(request: Request, current: Session) -> LogReader:
    return LogReader(
        current.person_id,
        current.name,
        current.auth_level,
        current.authorization_id,
        "audit_pages",
        request_id_of(request),
    )


def _seq(text: str) -> int | None:
    """An entry's number; None for anything that can't be one."""
    if not text.isascii() or not text.isdigit() or len(text) > len(str(LARGEST_SEQ)):
        return None
    number = int(text)
    return number if 0 < number < LARGEST_SEQ else None


class _Static(StaticFiles):
    """Our own style sheet and mark; may be kept for an hour."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response


def mount_static(app: FastAPI) -> None:
    """Serve the pages' own files."""
    app.mount(STATIC_PATH, _Static(directory=answers.HERE / "static"), name="audit_static")


ROUTES: list[Route] = [
    Route("/audit", get_start, methods=["GET"]),
    Route("/audit/login", get_login, methods=["GET"]),
    Route("/audit/callback", get_callback, methods=["GET"]),
    Route("/audit/search", post_search, methods=["POST"]),
    Route("/audit/open", post_open, methods=["POST"]),
    Route("/audit/logout", post_logout, methods=["POST"]),
    Route("/audit/v1/search", post_api_search, methods=["POST"]),
]
