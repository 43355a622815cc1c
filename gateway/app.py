"""The web application: mounts the faces, turns errors into answers, keeps time.

No logic of its own. The routes stand in the modules of ``api``, one audience
each.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

import structlog
from fastapi import FastAPI
from prometheus_client import Histogram
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent.errors import ConsentUnavailable
from gateway.api import feed, health, oauth, submissions, xds
from gateway.api.audit_ui import pages
from gateway.api.problems import CPR_IN_URL, problem_response, respond
from gateway.api.services import Services
from gateway.errors import GatewayError, NoteRejected
from gateway.logs import CPR_PATTERN
from gateway.metrics import NOTES_REJECTED, REQUESTS

log = structlog.get_logger()
ROUTES: Final[list[BaseRoute]] = [
    *oauth.ROUTES,
    *submissions.ROUTES,
    *feed.ROUTES,
    *xds.ROUTES,
    *pages.ROUTES,
    *health.ROUTES,
]
HOT_PATH: Final = "/practice/v1/notes"
_PATHS: Final[dict[object, str]] = {
    route.endpoint: route.path for route in ROUTES if isinstance(route, Route)
}


class Door:
    """The outermost layer: times requests, logs those that went wrong, and takes
    the one hot path, a note coming in, past the framework's layers.

    Measured: the layers cost as much CPU as reading and checking the note.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        is_note = scope["path"] == HOT_PATH and scope["method"] == "POST"
        try:
            if _has_cpr(scope):
                await problem_response(CPR_IN_URL)(scope, receive, watch)
            elif is_note:
                await _take_note(scope, receive, watch)
            else:
                await self._app(scope, receive, watch)
        finally:
            endpoint = scope.get("endpoint")
            path = HOT_PATH if is_note else _PATHS.get(endpoint, "unknown") if endpoint else "none"
            _timer(path, status).observe(time.perf_counter() - started)
            # A SOAP fault is an answer, and travels with status 500 by its standard.
            if status >= 500 and not path.startswith("/xds/"):
                log.warning("http.failed", route=path, status=status)


def _has_cpr(scope: Scope) -> bool:
    """Does a part of the path or a value of the query look like a CPR number?

    Source: design.md section 3.
    """
    parts = scope["path"].split("/")
    if scope["query_string"]:
        parts += [value for _, value in parse_qsl(scope["query_string"].decode("latin-1"))]
    return any(CPR_PATTERN.fullmatch(part) for part in parts)


@lru_cache(maxsize=1024)
def _timer(path: str, status: int) -> Histogram:
    return REQUESTS.labels(path, f"{status // 100}xx")


async def _take_note(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive, send)
    try:
        response = await submissions.post_note(request)
    except (GatewayError, ConsentUnavailable) as error:
        response = await _on_error(request, error)
    await response(scope, receive, send)


async def _on_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError | ConsentUnavailable)
    if isinstance(error, NoteRejected):
        for code in {issue.code for issue in error.issues}:
            NOTES_REJECTED.labels(code).inc()
    return respond(error)


def build_app(services: Services) -> FastAPI:
    """The application over these services."""
    app = FastAPI(
        title="Journal-note gateway",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        exception_handlers={GatewayError: _on_error, ConsentUnavailable: _on_error},
    )
    app.state.services = services
    app.router.routes.extend(ROUTES)
    pages.mount_static(app)
    return app


def build_asgi(services: Services) -> ASGIApp:
    """What the server runs: the application behind its door."""
    app = build_app(services)

    async def with_app(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("app", app)
        await door(scope, receive, send)

    door = Door(app)
    return with_app
