"""Plays the outside world against a running demo: practice system, patient, professional.

Used by the sample loader and by the small commands of the tour. It speaks only
the public faces, as a stranger's program would.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from gateway.clock import OffsetClock
from gateway.demo.environment import DOUBLES_URL, read_environment
from gateway.demo.soap_reader import read_notes
from gateway.errors import ConfigurationFault, GatewayError

DEFAULT_GATEWAY: Final = "http://127.0.0.1:8080"
DEFAULT_DOUBLES: Final = "http://127.0.0.1:8090"


class DemoCallFailed(GatewayError):
    """The demo answered with an error; status and body are in the message."""

    code = "DEMO-CALL"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def require(self, *statuses: int) -> Reply:
        """Itself, if the status is one of these.

        Raises:
            DemoCallFailed: any other.
        """
        if self.status not in statuses:
            raise DemoCallFailed(f"HTTP {self.status}: {self.body[:2000].decode(errors='replace')}")
        return self


class DemoClient:
    """Calls gateway and doubles; an asynchronous context manager."""

    def __init__(self, *, gateway_url: str, doubles_url: str) -> None:
        self.gateway_url = gateway_url
        self.doubles_url = doubles_url
        self._session: aiohttp.ClientSession | None = None
        self._tokens: dict[str, str] = {}

    @classmethod
    def of_demo(cls, data: Path) -> DemoClient:
        """The client of the demo in this folder, or of one at the usual ports."""
        try:
            variables = read_environment(data)
        except ConfigurationFault:
            return cls(gateway_url=DEFAULT_GATEWAY, doubles_url=DEFAULT_DOUBLES)
        return cls(gateway_url=variables["GATEWAY_PUBLIC_URL"], doubles_url=variables[DOUBLES_URL])

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        persona: str | None = None,
    ) -> Reply:
        """One call; a path goes to the gateway, ``/control`` and ``/idp`` to the doubles."""
        assert self._session is not None
        if url.startswith("/"):
            is_double = url.startswith(("/control", "/idp"))
            url = (self.doubles_url if is_double else self.gateway_url) + url
        sent = dict(headers or {})
        if persona is not None:
            sent["Authorization"] = f"Bearer {await self.token(persona)}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self._session.request(method, url, data=body, headers=sent) as response:
            return Reply(response.status, dict(response.headers), await response.read())

    async def personas(self) -> list[dict[str, Any]]:
        """The cast."""
        found: list[dict[str, Any]] = (await self.call("GET", "/control/personas")).json()
        return found

    async def persona(self, persona_id: str) -> dict[str, Any]:
        """One of the cast.

        Raises:
            DemoCallFailed: there is none of that id.
        """
        for persona in await self.personas():
            if persona["id"] == persona_id:
                return persona
        raise DemoCallFailed(f"no persona {persona_id}; see gateway demo-personas")

    async def token(self, persona: str) -> str:
        """A bearer token for a persona."""
        if persona not in self._tokens:
            reply = await self.call(
                "POST", "/idp/token", body=json.dumps({"persona": persona}).encode()
            )
            self._tokens[persona] = reply.require(200).json()["access_token"]
        return self._tokens[persona]

    async def clock(self) -> OffsetClock:
        """A clock set to demo time."""
        clock = OffsetClock()
        now = (await self.call("GET", "/control/clock")).require(200).json()["now"]
        clock.set_now(datetime.fromisoformat(now))
        return clock

    async def id_card(self, persona: str, patient: str) -> dict[str, str]:
        """Header blocks for a SOAP call by this persona about this patient."""
        reply = await self.call(
            "POST",
            "/control/idcard",
            body=json.dumps({"persona": persona, "patient": patient}).encode(),
        )
        found: dict[str, str] = reply.require(200).json()
        return found


def _with_client(arguments: argparse.Namespace, work: Any) -> int:
    async def run() -> int:
        async with DemoClient.of_demo(arguments.data) as client:
            coroutine: Coroutine[Any, Any, int] = work(client)
            return await coroutine

    try:
        return asyncio.run(run())
    except aiohttp.ClientConnectionError:
        print("gateway: no demo is running; start one with `make demo`", file=sys.stderr)
        return 1


def print_token(arguments: argparse.Namespace) -> int:
    """``gateway demo-token PERSONA``."""

    async def work(client: DemoClient) -> int:
        print(await client.token(arguments.persona))
        return 0

    return _with_client(arguments, work)


def print_id_card(arguments: argparse.Namespace) -> int:
    """``gateway demo-idcard PERSONA``: header blocks ready for a SOAP header."""

    async def work(client: DemoClient) -> int:
        blocks = await client.id_card(arguments.persona, arguments.patient)
        if arguments.json:
            print(json.dumps(blocks))
        else:
            for name in ("security_header", "medcom_header", "hsuid"):
                print(blocks[name])
        return 0

    return _with_client(arguments, work)


def print_personas(arguments: argparse.Namespace) -> int:
    """``gateway demo-personas``."""

    async def work(client: DemoClient) -> int:
        cast = await client.personas()
        if arguments.json:
            print(json.dumps(cast, ensure_ascii=False))
            return 0
        for persona in cast:
            print(f"{persona['id']:14} {persona['role']:13} {persona['name']}")
        return 0

    return _with_client(arguments, work)


def make_call(arguments: argparse.Namespace) -> int:
    """``gateway demo-call METHOD PATH [BODY]``: a call as somebody, shown in full."""

    async def work(client: DemoClient) -> int:
        body: bytes | None = None
        if arguments.body:
            text = str(arguments.body)
            body = Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()
        reply = await client.call(
            arguments.method, arguments.path, body=body, persona=arguments.persona
        )
        print(f"HTTP {reply.status}")
        if reply.body:
            _print_body(reply)
        return 0 if reply.status < 400 else 1

    return _with_client(arguments, work)


def _print_body(reply: Reply) -> None:
    if "json" in reply.headers.get("Content-Type", ""):
        print(json.dumps(reply.json(), ensure_ascii=False, indent=2))
    else:
        print(reply.body.decode(errors="replace"))


def read_as_professional(arguments: argparse.Namespace) -> int:
    """``gateway demo-read PERSONA --patient P``: ITI-18, then ITI-43 for what was found."""

    async def work(client: DemoClient) -> int:
        found = await read_notes(client, arguments.persona, arguments.patient)
        if arguments.json:
            print(json.dumps(found.to_json(), ensure_ascii=False))
        else:
            print(found.to_text())
        return 0

    return _with_client(arguments, work)
