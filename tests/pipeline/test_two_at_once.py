"""A sender and the pipeline work on the same note at the same time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from gateway.service.receive import PLAIN, Incoming
from gateway.storage.database import Lane
from tests.pipeline.house import MONDAY, House, MakeHouse
from tests.pipeline.test_stop_at_each_write import note_bytes

pytestmark = pytest.mark.postgres

IS_WAITING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def _until_it_waits(house: House, task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(10):
        while house.rows(IS_WAITING) == [(0,)]:
            assert not task.done(), "it did not wait for the sender"
            await asyncio.sleep(0.01)


async def test_the_pipeline_waits_for_what_a_sender_is_writing_down(make_house: MakeHouse) -> None:
    house = await make_house()
    async with house.process() as process:
        incoming = Incoming(PLAIN, note_bytes(1), None, "request")
        await process.intake.receive(process.sender, incoming)
        house.clock.instant = MONDAY + timedelta(days=1)
        await process.settle()
        assert house.registry.approved == [1]
        told_by_the_peer = uuid4()
        owner = house.settings.migration_database_url
        with psycopg.connect(owner, autocommit=True) as connection:
            # A new document must be made, so the pipeline writes the delivery too.
            connection.execute("UPDATE patient SET name_protected = true")
        with psycopg.connect(owner) as sender:
            sender.execute("UPDATE delivery SET current_entry_uuid = %s", (told_by_the_peer,))
            work = process.workshop.process([process.note_id], Lane.FEED, "civil status")
            task = asyncio.create_task(work)
            await _until_it_waits(house, task)
        await task
        found = house.rows("SELECT state, current_version, current_entry_uuid FROM delivery")
        assert found == [("waiting", 1, told_by_the_peer)]
