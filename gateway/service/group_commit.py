"""Concurrent submissions share a transaction.

While one group is being committed the next one gathers, so a lone note waits
for nobody and many senders share one flush to disk. Two submissions of the
same note never stand in one group: the second waits for the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import structlog

from gateway.errors import GatewayError, Unavailable

log = structlog.get_logger()
ItemT = TypeVar("ItemT")
OutcomeT = TypeVar("OutcomeT")
WAITING_LIMIT: Final = 2_000
PAUSE_SECONDS: Final = 0.001


@dataclass(slots=True)
class _Waiting(Generic[ItemT, OutcomeT]):
    item: ItemT
    key: object
    future: asyncio.Future[OutcomeT]


class GroupCommitter(Generic[ItemT, OutcomeT]):
    """Gathers items into groups and hands each group to ``commit``.

    Args:
        commit: stores a group in one transaction and gives an outcome per item;
            if it raises, every item of the group fails with that error.
        limit: most items in a group.
        writers: groups under way at once.
        gather_seconds: longest that a group waits while senders keep coming; a
            sender that is alone is never kept waiting.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[ItemT]], Awaitable[Sequence[OutcomeT]]],
        *,
        limit: int,
        writers: int = 2,
        gather_seconds: float = 0.006,
    ) -> None:
        self._commit = commit
        self._limit = limit
        self._writers = writers
        self._gather_seconds = gather_seconds
        self._is_busy = False  # did the last group have company?
        self._waiting: deque[_Waiting[ItemT, OutcomeT]] = deque()
        self._busy_keys: set[object] = set()
        self._running: set[asyncio.Task[bool]] = set()

    async def submit(self, item: ItemT, key: object) -> OutcomeT:
        """Store an item with the next group; returns once it is durable.

        Args:
            key: items with equal keys are stored one after another.

        Raises:
            Unavailable: too many are waiting already, or the store is away.
        """
        if len(self._waiting) >= WAITING_LIMIT:
            raise Unavailable("too many submissions are waiting")
        future: asyncio.Future[OutcomeT] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, key, future))
        self._start_writers()
        return await future

    def _start_writers(self) -> None:
        if len(self._running) < self._writers and self._waiting:
            task = asyncio.get_running_loop().create_task(self._write())
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[bool]) -> None:
        self._running.discard(task)
        # One that found only twins of what is under way would find them again at
        # once; the writer they wait for starts the next when it is done.
        if task.cancelled() or task.exception() is not None or task.result():
            self._start_writers()

    async def _write(self) -> bool:
        """Commit one group; false when there was nothing that could be taken."""
        await self._gather()
        group = self._next_group()
        self._is_busy = len(group) > 1
        if not group:
            return False
        keys = {waiting.key for waiting in group}
        self._busy_keys |= keys
        try:
            outcomes = await self._commit([waiting.item for waiting in group])
        except GatewayError as error:
            for waiting in group:
                if not waiting.future.done():
                    waiting.future.set_exception(error)
        except Exception as error:
            log.exception("group_commit.failed", error=type(error).__name__)
            for waiting in group:
                if not waiting.future.done():
                    waiting.future.set_exception(Unavailable("the writer failed"))
        else:
            for waiting, outcome in zip(group, outcomes, strict=True):
                if not waiting.future.done():
                    waiting.future.set_result(outcome)
        finally:
            self._busy_keys -= keys
        return True

    async def _gather(self) -> None:
        """Let everyone who is ready now join the group; wait on while more keep coming.

        Measured: with 32 senders a flush to disk then serves nearly all of them.
        """
        await asyncio.sleep(0)
        patience = round(self._gather_seconds / PAUSE_SECONDS) if self._is_busy else 0
        seen = -1
        while patience > 0 and seen < len(self._waiting) < self._limit:
            seen = len(self._waiting)
            patience -= 1
            await asyncio.sleep(PAUSE_SECONDS)

    def _next_group(self) -> list[_Waiting[ItemT, OutcomeT]]:
        group: list[_Waiting[ItemT, OutcomeT]] = []
        taken: set[object] = set()
        passed: list[_Waiting[ItemT, OutcomeT]] = []
        while self._waiting and len(group) < self._limit:
            waiting = self._waiting.popleft()
            if waiting.future.done():  # its sender has gone away
                continue
            if waiting.key in taken or waiting.key in self._busy_keys:
                passed.append(waiting)
                taken.add(waiting.key)
                continue
            taken.add(waiting.key)
            group.append(waiting)
        self._waiting.extendleft(reversed(passed))
        return group
