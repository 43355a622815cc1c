"""A sender and the pipeline work on the same note at the same time."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from gateway.service.receive import PLAIN, Incoming
from gateway.storage import deliveries, notes
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


async def test_a_note_that_cannot_be_processed_keeps_no_other_waiting(
    make_house: MakeHouse,
) -> None:
    house = await make_house()
    async with house.process() as process:
        for version, source in ((1, "broken"), (1, "life-1")):
            body = note_bytes(version).replace(b"life-1", source.encode())
            await process.intake.receive(process.sender, Incoming(PLAIN, body, None, "request"))
        with psycopg.connect(house.settings.migration_database_url) as connection:
            connection.execute(
                "UPDATE note_version SET sealed_note = 'x' WHERE note_id ="
                " (SELECT id FROM note WHERE source_note_id = 'broken')"
            )
        ids = [row[0] for row in house.rows("SELECT id FROM note")]
        await process.workshop.process(ids, Lane.LIVE, "received")
        states = house.rows(
            "SELECT source_note_id, state, next_due_at FROM note JOIN note_version"
            " ON note_id = note.id ORDER BY source_note_id"
        )
        again = house.clock.instant + timedelta(seconds=60)
        assert states[0] == ("broken", "received", again)
        assert states[1][:2] == ("life-1", "documented")


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


async def test_a_version_that_comes_between_two_readings_is_not_judged_by_older_markings(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await make_house()
    async with house.process() as process:
        await process.intake.receive(
            process.sender, Incoming(PLAIN, note_bytes(1), None, "request")
        )
        await process.settle()
        load = deliveries.load

        async def after_another_version(*arguments: Any, **named: Any) -> Any:
            monkeypatch.setattr(deliveries, "load", load)
            second = json.loads(note_bytes(2, hour=-25))
            second["markings"] = {"do_not_share": True}
            body = json.dumps(second).encode()
            await process.intake.receive(process.sender, Incoming(PLAIN, body, None, "request"))
            return await load(*arguments, **named)

        monkeypatch.setattr(deliveries, "load", after_another_version)
        ((patient_id,),) = house.rows("SELECT patient_id FROM note")
        async with await psycopg.AsyncConnection.connect(
            house.settings.migration_database_url
        ) as connection:
            (seen,) = await notes.load_of_patient(connection, patient_id)
            assert not seen.markings["do_not_share"]
            assert [each.version for each in seen.versions] == [1]
            (seen,) = await notes.load_of_patient(connection, patient_id)
            assert seen.markings["do_not_share"]
            assert [each.version for each in seen.versions] == [1, 2]


async def test_a_job_takes_along_what_waits_beside_it(make_house: MakeHouse) -> None:
    house = await make_house()
    async with house.process() as process:
        for source in ("one", "two", "three"):
            body = note_bytes(1).replace(b"life-1", source.encode())
            await process.intake.receive(process.sender, Incoming(PLAIN, body, None, "request"))
        jobs = house.rows("SELECT id, args->'note_ids'->>0 FROM procrastinate_jobs ORDER BY id")
        assert len(jobs) == 3
        house.write("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", jobs[0][0])
        house.write("UPDATE procrastinate_jobs SET attempts = 1 WHERE id = %s", jobs[2][0])
        await process.workshop.process([UUID(jobs[0][1])], Lane.LIVE, "received", company=True)
        # The patient's facts were not known yet, so the job ran alone the first time.
        await process.workshop.process([UUID(jobs[0][1])], Lane.LIVE, "received", company=True)
        left = house.rows(
            "SELECT id FROM procrastinate_jobs WHERE task_name = 'process'"
            " AND NOT args ? 'trigger' ORDER BY id"
        )
        assert left == [(jobs[0][0],), (jobs[2][0],)]
        assert house.rows("SELECT state, count(*) FROM note_version GROUP BY state ORDER BY 1") == [
            ("documented", 2),
            ("received", 1),
        ]
