"""The web application: mounts the faces, turns errors into answers, keeps time.

No logic of its own. The routes stand in the modules of ``api``, one audience
each.
"""

from __future__ import annotations

import time
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent.errors import ConsentUnavailable
from gateway.api import feed, health, submissions, xds
from gateway.api.audit_ui import pages
from gateway.api.problems import respond
from gateway.api.services import Services
from gateway.errors import GatewayError, NoteRejected
from gateway.metrics import NOTES_REJECTED, REQUESTS

log = structlog.get_logger()
ROUTES: Final[list[BaseRoute]] = [
    *submissions.ROUTES,
    *feed.ROUTES,
    *xds.ROUTES,
    *pages.ROUTES,
    *health.ROUTES,
]
_PATHS: Final = {route.endpoint: route.path for route in ROUTES if isinstance(route, Route)}


class Timing:
    """Counts and times requests by route; logs those that went wrong."""

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

        try:
            await self._app(scope, receive, watch)
        finally:
            path = _PATHS.get(scope.get("endpoint"), "unknown")
            REQUESTS.labels(path, f"{status // 100}xx").observe(time.perf_counter() - started)
            # A SOAP fault is an answer, and travels with status 500 by its standard.
            if status >= 500 and not path.startswith("/xds/"):
                log.warning("http.failed", route=path, status=status)


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
    app.add_middleware(Timing)
    return app
