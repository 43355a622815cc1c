"""The control face of the doubles: clock, faults, state, records, reset.

Source: design 3.5 (the control table), nsp 10.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from test_doubles.clock import iso, parse_instant
from test_doubles.clock_stream import ClockStream
from test_doubles.errors import BadRequest, ClockNotConfirmed, UnknownName
from test_doubles.faults import ANY, Fault, FaultMode
from test_doubles.world import JsonObject, World, json_response, read_object, text_member

MAX_DELAY_MS = 600_000


class Control:
    """Handlers of ``/control``. One object per application.

    Args:
        world: what the handlers look at and change.
        stream: the followers of the clock.
    """

    def __init__(self, world: World, stream: ClockStream) -> None:
        self._world = world
        self._stream = stream

    def routes(self) -> list[web.RouteDef]:
        """The addresses of the control table."""
        return [
            web.get("/control/clock", self.show_clock, allow_head=False),
            web.post("/control/clock", self.move_clock),
            web.get("/control/clock/stream", self._stream.serve, allow_head=False),
            web.post("/control/clock/ack", self.confirm_clock),
            web.get("/control/faults", self.list_faults),
            web.post("/control/faults", self.add_fault),
            web.delete("/control/faults", self.clear_faults),
            web.get("/control/services", self.list_services),
            web.get("/control/state/{service}", self.show_state),
            web.put("/control/state/{service}", self.put_state),
            web.get("/control/requests", self.show_requests),
            web.get("/control/requests/{service}", self.show_requests),
            web.post("/control/reset", self.reset),
            web.get("/control/personas", self.list_personas),
        ]

    async def show_clock(self, _request: web.Request) -> web.Response:
        """``{"now", "revision", "subscribers"}``."""
        reading = self._world.clock.read()
        return json_response(
            {
                "now": iso(reading.now),
                "revision": reading.revision,
                "subscribers": self._stream.names(),
            }
        )

    async def move_clock(self, request: web.Request) -> web.Response:
        """Move the clock; 200 once every follower has confirmed, else 504."""
        document = await read_object(request)
        try:
            instant = parse_instant(text_member(document, "now"))
        except ValueError as error:
            raise BadRequest("member now must be an ISO instant with an offset") from error
        reading = self._world.clock.move_to(instant)
        missing = await self._stream.announce(reading.revision)
        if missing:
            raise ClockNotConfirmed(
                f"{len(missing)} of the processes did not confirm the new time",
                unconfirmed=len(missing),
                names=missing,
                revision=reading.revision,
            )
        return json_response({"now": iso(reading.now), "revision": reading.revision})

    async def confirm_clock(self, request: web.Request) -> web.Response:
        """A follower says that it shows the time of a revision."""
        document = await read_object(request)
        revision = _whole_number(document, "revision")
        if revision is None:
            raise BadRequest("member revision must be a whole number")
        self._stream.confirm(text_member(document, "subscriber"), revision)
        return json_response({"revision": self._world.clock.revision})

    async def list_faults(self, _request: web.Request) -> web.Response:
        """The rules in force."""
        return json_response({"faults": [_fault_json(f) for f in self._world.faults.listed()]})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Add a rule; 201 with its id."""
        document = await read_object(request)
        unknown = set(document) - {"service", "operation", "mode", "times", "delay_ms", "code"}
        if unknown:
            raise BadRequest(f"unknown member {min(unknown)}")
        service, operation = self._target(document)
        try:
            mode = FaultMode(text_member(document, "mode"))
        except ValueError as error:
            raise BadRequest("unknown mode", known=[m.value for m in FaultMode]) from error
        times = _whole_number(document, "times", least=1)
        delay_ms = _whole_number(document, "delay_ms", most=MAX_DELAY_MS) or 0
        if mode is FaultMode.DELAY and not delay_ms:
            raise BadRequest("mode delay needs delay_ms")
        code = text_member(document, "code") if document.get("code") is not None else None
        fault = self._world.faults.add(
            service, operation, mode, times=times, delay_ms=delay_ms, code=code
        )
        return json_response(_fault_json(fault), 201)

    def _target(self, document: JsonObject) -> tuple[str, str]:
        """Service and operation of a rule; both must exist, or the rule would never fire."""
        service = text_member(document, "service")
        named = document.get("operation") is not None
        operation = text_member(document, "operation") if named else ANY
        doubles = (
            list(self._world.doubles.values()) if service == ANY else [self._world.double(service)]
        )
        known = {r.operation for double in doubles for r in double.routes() if r.watched}
        if operation != ANY and operation not in known:
            raise UnknownName("no operation of that name", known=sorted(known))
        return service, operation

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Forget every rule."""
        self._world.faults.clear()
        return web.Response(status=204)

    async def list_services(self, _request: web.Request) -> web.Response:
        """Names and operations of all doubles."""
        return json_response(
            {
                "services": {
                    name: sorted({r.operation for r in double.routes() if r.watched})
                    for name, double in self._world.doubles.items()
                }
            }
        )

    async def show_state(self, request: web.Request) -> web.Response:
        """All that a double holds."""
        return json_response(self._world.double(request.match_info["service"]).state())

    async def put_state(self, request: web.Request) -> web.Response:
        """Seed a double; answers its state afterwards."""
        double = self._world.double(request.match_info["service"])
        double.put_state(await read_object(request))
        return json_response(double.state())

    async def show_requests(self, request: web.Request) -> web.Response:
        """What arrived, oldest first; ``?after=``, ``?limit=`` (the newest) and ``?body=0``."""
        service = request.match_info.get("service")
        if service is not None:
            self._world.double(service)
        after = _query_number(request, "after") or 0
        found = self._world.recorder.requests(
            service, after=after, limit=_query_number(request, "limit")
        )
        with_body = request.query.get("body", "1") != "0"
        return json_response({"requests": [r.as_json(with_body=with_body) for r in found]})

    async def reset(self, request: web.Request) -> web.Response:
        """Clear state, records and rules of all doubles or of one; the clock stays."""
        document = await read_object(request, empty_ok=True)
        service = text_member(document, "service") if document.get("service") is not None else None
        doubles = (
            list(self._world.doubles.values()) if service is None else [self._world.double(service)]
        )
        for double in doubles:
            double.reset()
        self._world.recorder.clear(service)
        self._world.faults.clear(service)
        return json_response({"reset": [double.name for double in doubles]})

    async def list_personas(self, _request: web.Request) -> web.Response:
        """The cast, as a list."""
        return json_response([persona.as_json() for persona in self._world.personas])


def _fault_json(fault: Fault) -> JsonObject:
    return {
        "id": fault.fault_id,
        "service": fault.service,
        "operation": fault.operation,
        "mode": fault.mode.value,
        "times": fault.times,
        "delay_ms": fault.delay_ms,
        "code": fault.code,
    }


def _whole_number(
    document: JsonObject, name: str, *, least: int = 0, most: int | None = None
) -> int | None:
    value: Any = document.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadRequest(f"member {name} must be a whole number")
    if value < least or (most is not None and value > most):
        raise BadRequest(f"member {name} is out of range")
    return value


def _query_number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise BadRequest(f"{name} must be a whole number")
    return int(text)
