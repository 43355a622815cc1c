"""A process that can be stopped at any write, and a registry that outlives it.

Every statement that writes to PostgreSQL, every commit of one and every message out
is a place where the process may stop. A stop there ends all that the process was doing: its
open transactions are rolled back, its memory is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg
import pytest

from gateway.pipeline import route
from gateway.pipeline.ports import Attempt, Verdict
from gateway.pipeline.records import DeliveryRecord, DocumentRecord
from gateway.storage.database import Connection, Database
from mappers.note import JournalNote, Organization


class Stopped(BaseException):
    """The process is no more."""


class Fuse:
    """Counts the places and stops the process at one of them.

    Args:
        stop_at: number of the place, from 1; None: never.
    """

    def __init__(self, stop_at: int | None) -> None:
        self.places = 0
        self.writes = 0
        self.blown = asyncio.Event()
        self._stop_at = stop_at

    def pass_by(self) -> None:
        """One place; a process that has stopped does nothing any more."""
        self.places += 1
        if self.blown.is_set() or self.places == self._stop_at:
            self.blown.set()
            raise Stopped


def _only_reads(statement: object) -> bool:
    text = str(statement).lstrip().upper()
    return text.startswith("SELECT") and "PROCRASTINATE" not in text and "SETVAL" not in text


class Mains:
    """Where the current process's fuse is plugged in."""

    def __init__(self) -> None:
        self.fuse = Fuse(None)

    def watch_statements(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make every asynchronous statement that writes a place."""
        for name in ("execute", "executemany", "copy"):
            original = getattr(psycopg.AsyncCursor, name)

            def watched(
                cursor: Any, *args: Any, _original: Callable[..., Any] = original, **more: Any
            ) -> Any:
                if not _only_reads(args[0]):
                    self.fuse.writes += 1
                    self.fuse.pass_by()
                return _original(cursor, *args, **more)

            monkeypatch.setattr(psycopg.AsyncCursor, name, watched)

    async def run(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Do the work; False if the process stopped meanwhile."""
        fuse = self.fuse
        working = asyncio.ensure_future(work())
        stopping = asyncio.ensure_future(fuse.blown.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not fuse.blown.is_set():
            working.result()
            return True
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return False


class WatchedDatabase(Database):
    """The pool, with a place after each commit: the answer to it may be lost."""

    def __init__(self, mains: Mains, database_url: str) -> None:
        super().__init__(database_url, app_role="gateway_app", size=3)
        self._fuse = mains.fuse

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        before = self._fuse.writes
        async with super().transaction() as connection:
            yield connection
        if self._fuse.writes > before:
            self._fuse.pass_by()


class Status(StrEnum):
    """IHE availability of an entry."""

    APPROVED = "Approved"
    DEPRECATED = "Deprecated"


@dataclass
class Registry:
    """A national destination by the book: knows messages and ids, forgets nothing."""

    mains: Mains
    entries: dict[UUID, Status] = field(default_factory=dict)
    versions: dict[UUID, int] = field(default_factory=dict)
    answers: dict[str, Attempt] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def approved(self) -> list[int]:
        """Versions that can be found now."""
        return [self.versions[id_] for id_, is_ in self.entries.items() if is_ == Status.APPROVED]

    async def submit(
        self,
        delivery: DeliveryRecord,
        document: DocumentRecord,
        note: JournalNote,
        replaces: UUID | None,
    ) -> Attempt:
        """Register a document; a message that was seen is answered as it was then."""

        def register() -> Attempt:
            if document.entry_uuid in self.entries:
                self.faults.append(f"version {document.version} submitted twice")
                return Attempt(Verdict.GIVEN_UP, "XDSDuplicateUniqueIdInRegistry")
            if replaces is not None and self.entries.get(replaces) != Status.APPROVED:
                self.faults.append(f"version {document.version} replaces what is not there")
                return Attempt(Verdict.GIVEN_UP, "XDSReplaceFailed")
            if replaces is not None:
                self.entries[replaces] = Status.DEPRECATED
            self.entries[document.entry_uuid] = Status.APPROVED
            self.versions[document.entry_uuid] = document.version
            return Attempt(Verdict.DELIVERED, "Success")

        return await self._answer(delivery, register)

    async def deprecate(
        self, delivery: DeliveryRecord, entry_uuid: UUID, cpr: str, organization: Organization
    ) -> Attempt:
        """Take an entry out of view."""

        def withdraw() -> Attempt:
            if self.entries.get(entry_uuid) == Status.APPROVED:
                self.entries[entry_uuid] = Status.DEPRECATED
            return Attempt(Verdict.DELIVERED, "Success")

        return await self._answer(delivery, withdraw)

    async def _answer(self, delivery: DeliveryRecord, act: Callable[[], Attempt]) -> Attempt:
        self.mains.fuse.pass_by()  # before it is sent
        message_id = route.message_id(delivery)
        if message_id not in self.answers:
            self.answers[message_id] = act()
        self.mains.fuse.pass_by()  # it happened; the answer is lost
        return self.answers[message_id]
