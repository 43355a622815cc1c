"""Is the process alive, and can it do its work? And the metrics, on their own port."""

from __future__ import annotations

from typing import Final

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.services import Services
from gateway.errors import Unavailable
from gateway.storage import audit_log


async def live(_: Request) -> Response:
    """``GET /health/live``: the process answers."""
    return Response(b'{"status":"live"}', media_type="application/json")


async def ready(request: Request) -> Response:
    """``GET /health/ready``: the store answers and the audit log can be read."""
    services: Services = request.app.state.services
    try:
        async with services.database.transaction() as connection:
            pending = await audit_log.count_pending(connection)
    except Unavailable:
        return Response(
            b'{"status":"unavailable","database":"away"}',
            status_code=503,
            media_type="application/json",
            headers={"Retry-After": "5"},
        )
    body = {
        "status": "ready",
        "database": "here",
        "audit_pending": pending,
        "now": services.clock.now().isoformat(),
    }
    return Response(orjson.dumps(body), media_type="application/json")


async def metrics(_: Request) -> Response:
    """``GET /metrics`` in Prometheus' text form."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


ROUTES: Final = [
    Route("/health/live", live, methods=["GET"]),
    Route("/health/ready", ready, methods=["GET"]),
]


def metrics_app() -> Starlette:
    """What listens on the second port."""
    return Starlette(routes=[Route("/metrics", metrics, methods=["GET"])])
