"""Obeys the clock of the doubles; used under ``gateway demo`` only.

The process subscribes to the clock service and confirms every change, so that
whoever moves the clock knows when all processes have followed.

Source: design.md 3.5 (``POST /control/clock``).
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import aiohttp
import orjson
import structlog

from gateway.clock import OffsetClock

log = structlog.get_logger()
RETRY_SECONDS: Final = 0.2
FIRST_WITHIN_SECONDS: Final = 15.0


class DemoClock:
    """Keeps an :class:`OffsetClock` in step with the clock service.

    Args:
        url: base address of the clock service (``…/control/clock``).
        name: how this process is called in the service's list.
    """

    def __init__(self, url: str, name: str) -> None:
        self.clock = OffsetClock()
        self._url = url
        self._name = name
        self._set = asyncio.Event()
        self._moved: list[asyncio.Event] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Subscribe; returns once the time is known.

        Raises:
            TimeoutError: the clock service did not answer.
        """
        self._task = asyncio.create_task(self._follow())
        async with asyncio.timeout(FIRST_WITHIN_SECONDS):
            await self._set.wait()

    async def stop(self) -> None:
        """Unsubscribe."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    await self._read_stream(session)
                except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                    log.warning("demo_clock.lost", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _read_stream(self, session: aiohttp.ClientSession) -> None:
        subscriber = ""
        no_limit = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with session.get(
            f"{self._url}/stream", params={"name": self._name}, timeout=no_limit
        ) as response:
            response.raise_for_status()
            async for line in response.content:
                if not line.startswith(b"data:"):
                    continue
                event = orjson.loads(line[5:].strip())
                subscriber = event.get("subscriber", subscriber)
                self._apply(event)
                async with session.post(
                    f"{self._url}/ack",
                    json={"subscriber": subscriber, "revision": event["revision"]},
                ) as answer:
                    await answer.read()

    def _apply(self, event: dict[str, object]) -> None:
        sent_at = datetime.fromtimestamp(float(str(event["sent_at_unix"])), UTC)
        passed = max(datetime.now(UTC) - sent_at, timedelta(0))
        self.clock.set_now(datetime.fromisoformat(str(event["now"])) + passed)
        self._set.set()
