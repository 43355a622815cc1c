"""Builds the application that serves all doubles on one port.

Each double is an object made from the ``World``; the list below is the whole
registry. The classes are loaded by name so that a double may import
``World`` and its neighbours freely without a cycle between modules.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

from aiohttp import web

from test_doubles.clock_stream import ClockStream
from test_doubles.control import Control
from test_doubles.overview import Overview
from test_doubles.wire import ENDPOINTS, Endpoint, problems_middleware, wire_middleware
from test_doubles.world import Double, Handler, JsonObject, Route, World

__all__ = ["Double", "Handler", "JsonObject", "Route", "World", "build_app", "make_doubles"]

MAX_BODY_BYTES = 128 * 1024 * 1024
"""Largest request a double reads; the national services publish no limit of their own."""

DOUBLES = (
    ("test_doubles.idp", "IdentityProvider"),
    ("test_doubles.registers", "AuthorizationRegister"),
    ("test_doubles.registers", "CprRegister"),
    ("test_doubles.registers", "MandateRegister"),
    ("test_doubles.minspaerring", "MinSpaerring"),
    ("test_doubles.brs", "TreatmentRelations"),
    ("test_doubles.certificates", "PublishedCertificates"),
    ("test_doubles.sts", "StsDouble"),
    ("test_doubles.dros", "DrosDouble"),
    ("test_doubles.idcards", "IdCardIssuer"),
)
"""Module and class of each double, in the order they are made."""


def make_doubles(world: World) -> None:
    """Make every double and enter it in ``world.doubles``."""
    for module, name in DOUBLES:
        factory = cast("Callable[[World], Double]", getattr(importlib.import_module(module), name))
        double = factory(world)
        world.doubles[double.name] = double


def build_app(world: World) -> web.Application:
    """Mount the doubles of ``world``, the control face and the overview page.

    Args:
        world: its ``doubles`` are made here if there are none yet.
    """
    if not world.doubles:
        make_doubles(world)
    app = web.Application(
        # The inner one turns a double's error into its answer before the wire records it.
        middlewares=[wire_middleware(world), problems_middleware],
        client_max_size=MAX_BODY_BYTES,
    )
    endpoints: dict[web.AbstractRoute, Endpoint] = {}
    for double in world.doubles.values():
        for route in double.routes():
            mounted = app.router.add_route(route.method, route.path, route.handler)
            endpoints[mounted] = Endpoint(double, route)
    app[ENDPOINTS] = endpoints
    stream = ClockStream(world.clock)
    app.add_routes(Control(world, stream).routes())
    app.add_routes(Overview(world).routes())

    async def end_streams(_app: web.Application) -> None:
        stream.close()

    app.on_shutdown.append(end_streams)
    return app
