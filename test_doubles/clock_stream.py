"""Who follows the doubles' clock, and whether each has confirmed its last move.

A process opens ``GET /control/clock/stream``; it gets one event at once and
one after each move, and confirms with ``POST /control/clock/ack``. A move
waits for the confirmations. Source: design 3.5 (200 only when all processes
have confirmed, at most 2 s).
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from test_doubles.clock import Clock, ClockReading, iso
from test_doubles.errors import UnknownName

CONFIRM_WITHIN_SECONDS = 2.0
HEARTBEAT_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.02


@dataclass(slots=True, eq=False)
class _Subscriber:
    subscriber_id: str
    name: str
    request: web.Request
    confirmed: int = -1
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def connected(self) -> bool:
        """Whether the stream is still open; aiohttp clears the transport when it drops."""
        transport = self.request.transport
        return transport is not None and not transport.is_closing()


class ClockStream:
    """The followers of one clock."""

    def __init__(
        self, clock: Clock, confirm_within_seconds: float = CONFIRM_WITHIN_SECONDS
    ) -> None:
        self._clock = clock
        self._confirm_within_seconds = confirm_within_seconds
        self._subscribers: dict[str, _Subscriber] = {}
        self._closing = False

    def names(self) -> list[str]:
        """Names of the processes that follow, in order of subscription."""
        return [s.name for s in self._subscribers.values() if s.connected]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one stream until the follower leaves or the doubles stop."""
        follower = _Subscriber(secrets.token_hex(8), request.query.get("name", ""), request)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        self._subscribers[follower.subscriber_id] = follower
        try:
            await response.prepare(request)
            await self._feed(follower, response)
        except ConnectionError:
            # The follower has left; nobody is waiting for an answer any more.
            pass
        finally:
            del self._subscribers[follower.subscriber_id]
        return response

    async def _feed(self, follower: _Subscriber, response: web.StreamResponse) -> None:
        sent = -1
        while not self._closing:
            # Cleared before the clock is read: a move in between sets it again.
            follower.moved.clear()
            reading = self._clock.read()
            if reading.revision > sent:
                sent = reading.revision
                await response.write(_event(follower, reading))
            else:
                await response.write(b": still here\n\n")
            try:
                await asyncio.wait_for(follower.moved.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                continue

    def confirm(self, subscriber_id: str, revision: int) -> None:
        """Note that a follower shows the time of ``revision``.

        Raises:
            UnknownName: nobody of that id follows.
        """
        follower = self._subscribers.get(subscriber_id)
        if follower is None:
            raise UnknownName("no such subscriber")
        follower.confirmed = max(follower.confirmed, revision)

    async def announce(self, revision: int) -> list[str]:
        """Tell all followers of a move and wait for them.

        Returns:
            The names of those connected that did not confirm in time; empty
            when all did. A follower that drops its stream is not waited for.
        """
        for follower in self._subscribers.values():
            follower.moved.set()
        end = asyncio.get_running_loop().time() + self._confirm_within_seconds
        while True:
            missing = [
                s.name for s in self._subscribers.values() if s.connected and s.confirmed < revision
            ]
            if not missing or asyncio.get_running_loop().time() >= end:
                return missing
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        self._closing = True
        for follower in self._subscribers.values():
            follower.moved.set()


def _event(follower: _Subscriber, reading: ClockReading) -> bytes:
    data = orjson.dumps(
        {
            "subscriber": follower.subscriber_id,
            "revision": reading.revision,
            "now": iso(reading.now),
            "sent_at_unix": reading.real_unix,
        }
    )
    return b"data: " + data + b"\n\n"
