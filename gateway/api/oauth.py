"""``POST /oauth/token``: a practice system proves who it is and gets a bearer token.

Source: RFC 6749, 4.4, 5.1, 5.2; design.md 3.1.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api import client_assertions, client_certificates
from gateway.api.client_assertions import AssertionRefused
from gateway.api.services import Services
from gateway.pipeline.records import PracticeRecord


async def post_token(request: Request) -> Response:
    """``client_credentials`` with ``private_key_jwt``, or by the connection's certificate."""
    services: Services = request.app.state.services
    try:
        practice = await _client(request, services)
    except AssertionRefused as error:
        status = 401 if error.error == "invalid_client" else 400
        return _answer(
            {"error": error.error, "error_description": error.description}, status=status
        )
    token, seconds = services.tokens.issue(practice.sor_code)
    return _answer({"access_token": token, "token_type": "Bearer", "expires_in": seconds})


async def _client(request: Request, services: Services) -> PracticeRecord:
    form = await request.form()
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    if fields.get("grant_type") != "client_credentials":
        raise AssertionRefused("unsupported_grant_type", "use client_credentials")
    certificate = client_certificates.certificate_of_connection(request.scope)
    # An assertion says more than the connection does, so where there is one, it counts.
    if certificate is not None and "client_assertion" not in fields:
        return await client_certificates.authenticate(
            fields.get("client_id"), certificate, services.database, services.clock
        )
    endpoint = f"{services.settings.public_url}/oauth/token"
    return await client_assertions.authenticate(fields, services.database, services.clock, endpoint)


def _answer(body: dict[str, Any], *, status: int = 200) -> Response:
    return Response(
        orjson.dumps(body),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


ROUTES: Final = [Route("/oauth/token", post_token, methods=["POST"])]
