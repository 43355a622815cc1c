"""A world with the JSON doubles and one echo service, served on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from test_doubles.app import build_app
from test_doubles.brs import TreatmentRelations
from test_doubles.clock import Clock, parse_instant
from test_doubles.errors import BadRequest
from test_doubles.faults import FaultBook
from test_doubles.idp import IdentityProvider
from test_doubles.minspaerring import MinSpaerring
from test_doubles.personas import Personas
from test_doubles.recorder import Recorder
from test_doubles.registers import AuthorizationRegister, CprRegister, MandateRegister
from test_doubles.world import Double, JsonObject, Route, World, json_refusal

START = "2026-12-14T09:00:00+01:00"
Client = TestClient[web.Request, web.Application]


class Echo:
    """Gives the body back and counts the work it has done."""

    name = "echo"

    def __init__(self, world: World) -> None:
        self.world = world
        self.done = 0

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/echo", "echo", self.echo),
            Route("POST", "/echo/twice", "twice", self.echo),
            Route("GET", "/echo/health", "health", self.health, watched=False),
        ]

    async def echo(self, request: web.Request) -> web.Response:
        body = await request.read()
        if body == b"bad":
            raise BadRequest("that was bad")
        if body == b"bug":
            raise ZeroDivisionError
        self.done += 1
        return web.Response(body=body)

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(text="well")

    def state(self) -> JsonObject:
        return {"done": self.done}

    def put_state(self, state: JsonObject) -> None:
        self.done = state["done"]

    def reset(self) -> None:
        self.done = 0

    def refusal(self, operation: str, code: str | None) -> web.StreamResponse:
        return json_refusal(code)


@pytest.fixture
def world() -> World:
    made = World(
        clock=Clock(parse_instant(START)),
        personas=Personas(),
        faults=FaultBook(),
        recorder=Recorder(),
    )
    doubles: list[Double] = [
        IdentityProvider(made),
        AuthorizationRegister(made),
        CprRegister(made),
        MandateRegister(made),
        MinSpaerring(made),
        TreatmentRelations(made),
        Echo(made),
    ]
    made.doubles = {double.name: double for double in doubles}
    return made


class PlainServer(TestServer):
    """Lets a handler finish when its caller has left, as the real server does."""

    __test__ = False

    async def _make_runner(self, **options: Any) -> web.BaseRunner:
        return await super()._make_runner(**{**options, "handler_cancellation": False})


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    server = PlainServer(build_app(world))
    async with TestClient(server) as made:
        world.base_url = str(server.make_url("")).rstrip("/")
        yield made
