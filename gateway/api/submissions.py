"""The face for practice systems: notes in, their state out.

Every handler reads the request, calls one service and shapes the answer.

Source: design.md 3.1.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID, uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api import problems
from gateway.api.json_body import parse_json
from gateway.api.principals import PracticePrincipal
from gateway.api.services import Services
from gateway.errors import NotAuthorized, NoteRejected, NoteUnknown
from gateway.pipeline import intake_issues
from gateway.service.receive import BUNDLES, MEDIA_TYPES, Incoming, Sender

JSON: Final = "application/json"


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def request_id_of(request: Request) -> str:
    """The caller's own id of the request when it is a sensible one, else a fresh one."""
    given = request.headers.get("x-request-id", "")
    return (
        given if 0 < len(given) <= 64 and given.isascii() and given.isprintable() else str(uuid4())
    )


async def _sender(request: Request) -> Sender:
    principal = await _services(request).tokens.open(request.headers.get("authorization"))
    if not isinstance(principal, PracticePrincipal):
        raise NotAuthorized("not a practice", status=403)
    return Sender(principal.practice_id, principal.sor_code)


def _note_id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["note_id"])
    except ValueError as error:
        raise NoteUnknown("note") from error


async def read_body(request: Request, limit_bytes: int) -> bytes | None:
    """The body, or None when it is larger than the limit; never more is held."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit_bytes:
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit_bytes:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


async def _incoming(request: Request) -> Incoming | Response:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        issue = intake_issues.media_type_unknown(MEDIA_TYPES)
        raise NoteRejected([issue], intake_issues.UNKNOWN_MEDIA_TYPE)
    body = await read_body(request, _services(request).settings.body_limit_bytes)
    if body is None:
        return problems.problem_response(problems.BODY_TOO_LARGE)
    context = request.headers.get("note-context")
    return Incoming(
        media_type,
        body,
        context.encode("latin-1") if context is not None and media_type in BUNDLES else None,
        request_id_of(request),
    )


async def post_note(request: Request) -> Response:
    """``POST /practice/v1/notes``: 202 for a new version, 200 for the same again."""
    sender = await _sender(request)
    incoming = await _incoming(request)
    if isinstance(incoming, Response):
        return incoming
    receipt = await _services(request).intake.receive(sender, incoming)
    return Response(
        orjson.dumps(receipt.to_json()),
        status_code=200 if receipt.replayed else 202,
        media_type=JSON,
        headers={"Location": f"/practice/v1/notes/{receipt.note_id}"},
    )


async def validate_note(request: Request) -> Response:
    """``POST /practice/v1/notes:validate``: what sending it would be answered; nothing stored."""
    sender = await _sender(request)
    incoming = await _incoming(request)
    if isinstance(incoming, Response):
        return incoming
    forecast = await _services(request).intake.validate(sender, incoming)
    return _json(forecast.to_json())


async def get_note(request: Request) -> Response:
    """``GET /practice/v1/notes/{note_id}``."""
    sender = await _sender(request)
    view, revision = await _services(request).steering.view(sender, _note_id(request))
    return _json(view, {"ETag": f'"{revision}"'})


async def patch_markings(request: Request) -> Response:
    """``PATCH /practice/v1/notes/{note_id}/markings``: a JSON merge patch."""
    sender = await _sender(request)
    body = await read_body(request, _services(request).settings.body_limit_bytes)
    if body is None:
        return problems.problem_response(problems.BODY_TOO_LARGE)
    markings, revision = await _services(request).steering.patch_markings(
        sender,
        _note_id(request),
        parse_json(body),
        if_match=request.headers.get("if-match"),
        request_id=request_id_of(request),
    )
    return _json(markings, {"ETag": f'"{revision}"'})


async def cancel_note(request: Request) -> Response:
    """``POST /practice/v1/notes/{note_id}/cancel``."""
    sender = await _sender(request)
    return _json(
        await _services(request).steering.cancel(
            sender, _note_id(request), request_id=request_id_of(request)
        )
    )


def _json(body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), media_type=JSON, headers=headers)


ROUTES: Final = [
    Route("/practice/v1/notes", post_note, methods=["POST"]),
    Route("/practice/v1/notes:validate", validate_note, methods=["POST"]),
    Route("/practice/v1/notes/{note_id}", get_note, methods=["GET"]),
    Route("/practice/v1/notes/{note_id}/markings", patch_markings, methods=["PATCH"]),
    Route("/practice/v1/notes/{note_id}/cancel", cancel_note, methods=["POST"]),
]
