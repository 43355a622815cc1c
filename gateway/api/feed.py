"""The face for patients: their own feed, one note, and its document.

Source: design.md 3.2; sharing-rules 8.2 (citizen texts).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from consent.model import DisclosureDecision
from consent.texts import Audience, sentence
from gateway.api import problems
from gateway.api.document_forms import FHIR_XML, wanted_form
from gateway.api.principals import PersonPrincipal
from gateway.api.problems import Problem, problem_response
from gateway.api.services import Services
from gateway.api.submissions import request_id_of
from gateway.errors import NotAuthorized, NoteUnknown
from gateway.pipeline.records import DocumentRecord
from gateway.service.feed import FeedReader, document_of, note_body

CITIZEN: Final = "citizen"
PRIVATE: Final = {"Cache-Control": "private, no-store"}


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _reader(request: Request) -> FeedReader:
    principal = await _services(request).tokens.open(request.headers.get("authorization"))
    if not isinstance(principal, PersonPrincipal) or principal.role != CITIZEN:
        raise NotAuthorized("not a citizen", status=403)
    if principal.cpr is None:
        raise NotAuthorized("the token names no person", status=403)
    if request.query_params.get("on_behalf_of"):
        raise NotAuthorized("reading for another is not open yet", status=403)
    return FeedReader(
        person_id=principal.person_id,
        cpr=principal.cpr,
        auth_level=principal.auth_level,
        name=principal.name,
        client_system=request.headers.get("user-agent", "")[:100],
        request_id=request_id_of(request),
    )


def _closed(decision: DisclosureDecision) -> Response:
    """The answer to a citizen who may not read at all; never says which register said so."""
    if decision.code == "D-AUDIT-UNAVAILABLE":
        return problem_response(problems.UNAVAILABLE, (), {"Retry-After": "5"})
    text = sentence(decision.code, Audience.CITIZEN)
    return problem_response(
        Problem(
            403,
            decision.code,
            "You can't see this here",
            text.da if text else "Ingen adgang.",
            text.en if text else "No access.",
        )
    )


async def get_feed(request: Request) -> Response:
    """``GET /patient/v1/notes``: a page of the delta feed."""
    cursor = request.query_params.get("cursor")
    reader = await _reader(request)
    page = await _services(request).feed.page(reader, cursor)
    if page.closed is not None:
        return _closed(page.closed)
    return _tagged(request, page.body, [page.body["notes"], page.body["placeholders"]])


async def get_note(request: Request) -> Response:
    """``GET /patient/v1/notes/{note_id}``."""
    reader = await _reader(request)
    opened = await _services(request).feed.one(reader, _note_id(request))
    if isinstance(opened, DisclosureDecision):
        return _closed(opened)
    body = note_body(opened)
    return _tagged(request, body, body)


async def get_document(request: Request) -> Response:
    """``GET /patient/v1/notes/{note_id}/document``: the form that ``Accept`` asks for."""
    form = wanted_form(request.headers.get("accept"), request.query_params.get("_format"))
    if form is None:
        return problem_response(problems.NOT_ACCEPTABLE)
    record = await _document(request)
    if isinstance(record, Response):
        return record
    body, tag = record.document, record.sha256.hex()
    if form == FHIR_XML:
        body = _services(request).xml_form.document(record)
        tag = sha256(body).hexdigest()
    headers = {**PRIVATE, "ETag": f'"{tag}"', "Vary": "Accept"}
    return Response(body, media_type=form, headers=headers)


async def get_signature(request: Request) -> Response:
    """``GET …/document/signature``: over the JSON form, or the one that ``_format`` names."""
    form = wanted_form(None, request.query_params.get("_format"))
    if form is None:
        return problem_response(problems.NOT_ACCEPTABLE)
    record = await _document(request)
    if isinstance(record, Response):
        return record
    signature = record.signature
    if form == FHIR_XML:
        signature = _services(request).xml_form.signature(record)
    return Response(signature, media_type="application/xml", headers=PRIVATE)


async def _document(request: Request) -> DocumentRecord | Response:
    """The document of the note that is asked for, once the reader may have it."""
    reader = await _reader(request)
    opened = await _services(request).feed.one(reader, _note_id(request))
    if isinstance(opened, DisclosureDecision):
        return _closed(opened)
    return document_of(opened)


def _note_id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["note_id"])
    except ValueError as error:
        raise NoteUnknown("note") from error


def _tagged(request: Request, body: dict[str, Any], identity: Any) -> Response:
    """A JSON answer with an ETag over what matters in it (a cursor differs every time)."""
    tag = f'"{sha256(orjson.dumps([identity, body.get("removed")])).hexdigest()[:32]}"'
    headers = {**PRIVATE, "ETag": tag}
    if request.headers.get("if-none-match") == tag and not body.get("removed"):
        return Response(status_code=304, headers=headers)
    return Response(orjson.dumps(body), media_type="application/json", headers=headers)


ROUTES: Final = [
    Route("/patient/v1/notes", get_feed, methods=["GET"]),
    Route("/patient/v1/notes/{note_id}", get_note, methods=["GET"]),
    Route("/patient/v1/notes/{note_id}/document", get_document, methods=["GET"]),
    Route("/patient/v1/notes/{note_id}/document/signature", get_signature, methods=["GET"]),
]
