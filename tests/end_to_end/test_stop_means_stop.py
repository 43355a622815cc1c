"""Do-not-share holds for every read that starts after its answer: promise 2 of design.md 6.

Two api processes, sixteen readers at once, citizens and professionals mixed. Each
round posts the stop to one process and, the moment it is answered, starts one
read per reader at either process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.client import FEED, Caller
from tests.support.soap import Entry
from tests.support.system import System

pytestmark = pytest.mark.postgres

ROUNDS = 20
READERS = 16
Sees = Callable[[], Coroutine[Any, Any, bool]]


def readers(caller: Caller, note_id: str, unique_ids: set[str]) -> list[Sees]:
    """Four ways of reading at one process; each tells whether it still gets the note."""

    async def reads_the_feed() -> bool:
        return note_id in await caller.feed_ids()

    async def reads_the_note() -> bool:
        reply = await caller.call("GET", f"{FEED}/{note_id}/document", persona="patient-1")
        assert reply.status in (200, 404), reply.body
        return reply.status == 200

    async def searches() -> bool:
        return bool(await caller.soap_find("doctor-1", "patient-1"))  # the only note there is

    async def fetches() -> bool:
        known = [Entry("", each, "1.2.208.176.43210.8.10.99", "", 0, "", "") for each in unique_ids]
        return bool(await caller.soap_fetch("doctor-1", "patient-1", known))

    return [reads_the_feed, reads_the_note, searches, fetches]


async def test_no_read_that_starts_after_the_answer_returns_the_note(system: System) -> None:
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(system.client(at % 2)) for at in range(4)]
        client = callers[0]
        midnight = await client.morning()
        note_id = await client.posted(await client.note())
        await client.until_documented(note_id)
        await client.move_clock(midnight)
        assert list(await client.feed_ids()) == [note_id]
        unique_ids: set[str] = set()
        for number in range(ROUNDS):
            # A deprecated document is shared again under a new id.
            documents = system.query("SELECT unique_id FROM document WHERE note_id = %s", note_id)
            unique_ids |= {each for (each,) in documents}
            looks = [look for caller in callers for look in readers(caller, note_id, unique_ids)]
            assert len(looks) == READERS
            stopper = callers[number % len(callers)]
            # Some are under way already when the stop comes: they may go either way.
            under_way = [asyncio.create_task(look()) for look in looks[::2]]
            (await stopper.patch_markings(note_id, {"do_not_share": True})).require(200)
            after = await asyncio.gather(*(look() for look in looks))
            assert after == [False] * READERS, f"round {number}"
            await asyncio.gather(*under_way)
            (await stopper.patch_markings(note_id, {"do_not_share": False})).require(200)
            lifted = await asyncio.gather(*(look() for look in looks))
            assert any(lifted), f"round {number}: the note was not there to be stopped"
            assert [lifted[at] for at in range(0, READERS, 4)] == [True] * len(callers)
