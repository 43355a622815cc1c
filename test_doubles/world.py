"""What every double is given and what it must offer.

``World`` holds what the doubles share. ``Double`` is the interface ``app.py``
mounts: routes with an operation name each (the handle for faults and
records), and a state that a test can read, set and clear.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson
from aiohttp import web

from test_doubles.clock import Clock
from test_doubles.errors import BadRequest, UnknownName, problem
from test_doubles.faults import FaultBook
from test_doubles.personas import Personas
from test_doubles.recorder import Recorder

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One address of a double.

    ``operation`` names the work in fault rules and records, such as
    ``iti41``; ``watched`` False keeps an address out of both (streams,
    descriptions, health).
    """

    method: str
    path: str
    operation: str
    handler: Handler
    watched: bool = True


class Double(Protocol):
    """One stand-in for a service on the other side of a wire."""

    @property
    def name(self) -> str:
        """Its name in ``/control/state/{name}``, fault rules and records."""

    def routes(self) -> Sequence[Route]:
        """Its addresses. Asked once, when the application is built."""

    def state(self) -> JsonObject:
        """All it holds, in a form ``put_state`` takes back."""

    def put_state(self, state: JsonObject) -> None:
        """Seed or replace state.

        Raises:
            BadRequest: the object does not fit; nothing has changed then.
        """

    def reset(self) -> None:
        """Go back to the state after the start."""

    def refusal(self, operation: str, code: str | None) -> web.StreamResponse:
        """The service's own kind of fault, for a rule of mode ``refuse``.

        Args:
            operation: of the refused request.
            code: fault code of the rule; None for the usual one.
        """


@dataclass(slots=True)
class World:
    """What the doubles share.

    ``base_url`` is the plain HTTP address without a trailing slash, ``pki_dir``
    the directory of keys and certificates, ``schemas_dir`` that of published
    schemas to judge messages with (None: judge by hand-written checks only),
    ``spool_dir`` where a double may keep what has to outlive the process
    (None: memory only), ``doubles`` the doubles by name in the order they were made.
    """

    clock: Clock
    personas: Personas
    faults: FaultBook
    recorder: Recorder
    base_url: str = "http://127.0.0.1:8090"
    pki_dir: Path | None = None
    schemas_dir: Path | None = None
    spool_dir: Path | None = None
    doubles: dict[str, Double] = field(default_factory=dict)

    def double(self, name: str) -> Double:
        """The double of that name.

        Raises:
            UnknownName: there is none.
        """
        found = self.doubles.get(name)
        if found is None:
            raise UnknownName("no service of that name", known=sorted(self.doubles))
        return found


def json_response(document: Any, status: int = 200) -> web.Response:
    """A JSON answer that no cache may keep."""
    return web.Response(
        status=status,
        body=orjson.dumps(document),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def json_refusal(code: str | None) -> web.Response:
    """The refusal of a JSON service: 503 with a problem document and Retry-After."""
    answer = problem(503, code or "UNAVAILABLE", "the double was told to refuse this request")
    answer.headers["Retry-After"] = "1"
    return answer


async def read_object(request: web.Request, *, empty_ok: bool = False) -> JsonObject:
    """Read the body as a JSON object.

    Args:
        request: the request.
        empty_ok: an empty body counts as an empty object.

    Raises:
        BadRequest: not JSON, or not an object.
    """
    body = await request.read()
    if empty_ok and not body.strip():
        return {}
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(document, dict):
        raise BadRequest("the body is not a JSON object")
    return document


def text_member(document: JsonObject, name: str) -> str:
    """A required, non-empty string member.

    Raises:
        BadRequest: absent, empty or not a string. The value is not repeated.
    """
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"member {name} must be a non-empty string")
    return value
