"""The middleware between the socket and each double: faults and records.

Order of steps for a watched request:

1. take the rule that meets it, if any, and wait its delay (``drop_before``
   cuts here, with the body unread);
2. read the whole body, so that it can be recorded whatever happens next;
3. ``drop_after_read`` cuts, ``refuse`` answers in the service's own words;
4. the double does its work; ``drop_after_commit`` cuts instead of answering;
5. the request and its outcome are recorded, before any answer leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Middleware

from test_doubles.errors import DoubleError, problem, problem_from
from test_doubles.faults import Fault, FaultMode
from test_doubles.recorder import Outcome
from test_doubles.world import Double, Route, World

_Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A mounted route and the double it belongs to."""

    double: Double
    route: Route


@dataclass(slots=True)
class _Passage:
    """What is known of a request so far; recorded when it is over."""

    body: bytes = b""
    outcome: Outcome = Outcome.BROKEN
    status: int | None = None


ENDPOINTS = web.AppKey("ENDPOINTS", dict[web.AbstractRoute, Endpoint])


@web.middleware
async def problems_middleware(request: web.Request, handler: _Next) -> web.StreamResponse:
    """Answer every error with a problem document."""
    try:
        return await handler(request)
    except DoubleError as error:
        return problem_from(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        answer = problem(error.status, f"HTTP-{error.status}", error.reason)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer


def wire_middleware(world: World) -> Middleware:
    """Make the middleware that carries out fault rules and records requests."""

    @web.middleware
    async def wire(request: web.Request, handler: _Next) -> web.StreamResponse:
        endpoint = request.app[ENDPOINTS].get(request.match_info.route)
        if endpoint is None or not endpoint.route.watched:
            return await handler(request)
        at = world.clock.now()
        fault = world.faults.take(endpoint.double.name, endpoint.route.operation)
        passage = _Passage()
        try:
            return await _pass_on(request, handler, endpoint, fault, passage)
        finally:
            world.recorder.record(
                at=at,
                service=endpoint.double.name,
                operation=endpoint.route.operation,
                method=request.method,
                path=request.path_qs,
                headers=_headers(request),
                body=passage.body,
                outcome=passage.outcome,
                status=passage.status,
            )

    return wire


async def _pass_on(
    request: web.Request,
    handler: _Next,
    endpoint: Endpoint,
    fault: Fault | None,
    passage: _Passage,
) -> web.StreamResponse:
    mode = fault.mode if fault else None
    if fault is not None and fault.delay_ms:
        await asyncio.sleep(fault.delay_ms / 1000)
    if mode is FaultMode.DROP_BEFORE:
        return _cut(request, passage, Outcome.DROPPED_BEFORE)
    passage.body = await request.read()
    if mode is FaultMode.DROP_AFTER_READ:
        return _cut(request, passage, Outcome.DROPPED_AFTER_READ)
    if fault is not None and mode is FaultMode.REFUSE:
        answer = endpoint.double.refusal(endpoint.route.operation, fault.code)
        passage.outcome, passage.status = Outcome.REFUSED, answer.status
        return answer
    answer = await handler(request)
    if mode is FaultMode.DROP_AFTER_COMMIT:
        return _cut(request, passage, Outcome.DROPPED_AFTER_COMMIT)
    passage.outcome, passage.status = Outcome.ANSWERED, answer.status
    return answer


def _cut(request: web.Request, passage: _Passage, outcome: Outcome) -> web.StreamResponse:
    """Close the connection without a byte of answer."""
    passage.outcome = outcome
    if request.transport is not None:
        request.transport.abort()
    # aiohttp wants a response object; with the transport gone it is never written.
    return web.Response(status=500)


def _headers(request: web.Request) -> list[tuple[str, str]]:
    return [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers
    ]
