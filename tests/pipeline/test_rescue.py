"""Notes whose job was lost are found again, and those that keep failing hide none of them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from gateway.service.process import TRY_AGAIN_AFTER
from gateway.service.receive import PLAIN, Incoming
from gateway.storage import notes
from gateway.storage.database import Database, Lane
from gateway.worker import LOST_AFTER
from tests.pipeline.house import House, MakeHouse, Process
from tests.pipeline.test_stop_at_each_write import note_bytes

pytestmark = pytest.mark.postgres


async def _receive(process: Process, source: str, version: int = 1) -> None:
    body = note_bytes(version).replace(b"life-1", source.encode())
    await process.intake.receive(process.sender, Incoming(PLAIN, body, None, "request"))


async def _lost(house: House, limit: int = 100) -> list[UUID]:
    """What the rescuer would take up now."""
    now = house.clock.instant
    database = Database(house.settings.database_url, app_role="gateway_app", size=1)
    await database.open()
    try:
        async with database.transaction() as connection:
            return await notes.unprocessed(
                connection, now - LOST_AFTER, limit, due_after=now + TRY_AGAIN_AFTER
            )
    finally:
        await database.close()


def _id_of(house: House, source: str) -> UUID:
    ((found,),) = house.rows("SELECT id FROM note WHERE source_note_id = %s", source)
    assert isinstance(found, UUID)
    return found


async def test_notes_that_wait_for_their_next_attempt_do_not_fill_the_batch(
    make_house: MakeHouse,
) -> None:
    house = await make_house()
    async with house.process() as process:
        for number in range(3):
            await _receive(process, f"broken-{number}")
        with psycopg.connect(house.settings.migration_database_url) as connection:
            connection.execute("UPDATE note_version SET sealed_note = 'x'")
        await _receive(process, "good")
        house.clock.instant += LOST_AFTER + timedelta(seconds=1)
        broken = [_id_of(house, f"broken-{number}") for number in range(3)]
        assert set(await _lost(house)) == {*broken, _id_of(house, "good")}
        await process.workshop.process(broken, Lane.LIVE, "rescue")
        assert await _lost(house, limit=1) == [_id_of(house, "good")]
        # They are the timers' now, which try them again in their turn.
        house.clock.instant += TRY_AGAIN_AFTER
        await process.worker.tick()
        assert await _lost(house) == [_id_of(house, "good")]


async def test_a_version_is_found_though_the_note_waits_for_midnight(
    make_house: MakeHouse,
) -> None:
    house = await make_house()
    async with house.process() as process:
        await _receive(process, "life-1")
        await process.workshop.process([process.note_id], Lane.LIVE, "received")
        ((due,),) = house.rows("SELECT next_due_at FROM note")
        assert due > house.clock.instant + timedelta(hours=1)
        assert await _lost(house) == []
        house.clock.instant += timedelta(minutes=1)
        with psycopg.connect(house.settings.migration_database_url) as connection:
            # A newer version, whose job was lost.
            connection.execute("UPDATE note_version SET state = 'received'")
        house.clock.instant += LOST_AFTER
        assert await _lost(house) == [process.note_id]
