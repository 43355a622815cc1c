"""The audit log on a real PostgreSQL: written by many, sealed by one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import uuid4

import psycopg
import pytest

from gateway.errors import AuditUnwritable
from gateway.pipeline.audit import entry_bytes
from gateway.storage import audit_log
from tests.unit.gateway.audit_log.ledger import NOW, ROLE, Log, Stopped, entry

pytestmark = pytest.mark.postgres


# --- writing --------------------------------------------------------------------


async def test_entries_stand_as_they_were_made_and_wait_for_the_sealer(log: Log) -> None:
    made = [entry(uuid4(), number) for number in range(5)]
    await log.append(*made)
    rows = await log.rows(
        "SELECT entry_id, at, action, patient_id, practice_id, actor, body FROM audit_entry"
        " ORDER BY seq"
    )
    assert rows == [
        (e.entry_id, e.at, "PURGED", e.patient_id, None, e.actor, entry_bytes(e)) for e in made
    ]
    async with log.database.transaction() as connection:
        assert await audit_log.count_pending(connection) == 5
        assert not await audit_log.is_sealed(connection, made[0].entry_id)
    await log.seal_all()
    async with log.database.transaction() as connection:
        assert await audit_log.count_pending(connection) == 0
        assert await audit_log.is_sealed(connection, made[0].entry_id)
    await log.assert_whole(5)


async def test_nothing_to_write_writes_nothing(log: Log) -> None:
    await log.append()
    assert await log.run_sealer() == 0
    await log.assert_whole(0)


async def test_an_entry_falls_with_the_transaction_it_tells_of(log: Log) -> None:
    with suppress(Stopped):
        async with log.database.transaction() as connection:
            await audit_log.append(connection, [entry()])
            raise Stopped
    await log.seal_all()
    await log.assert_whole(0)


async def test_what_cannot_be_written_stops_everything_else(log: Log) -> None:
    twice = entry()
    await log.append(twice)
    with pytest.raises(AuditUnwritable) as caught:
        await log.append(entry(), twice)
    assert (caught.value.retry, caught.value.actor) == ("later", "operator")
    log.as_owner(f"REVOKE INSERT ON audit_entry FROM {ROLE}")
    with pytest.raises(AuditUnwritable):
        await log.append(entry())
    await log.seal_all()
    await log.assert_whole(1)


@pytest.mark.parametrize("table", ["audit_entry", "audit_leaf", "audit_head"])
@pytest.mark.parametrize(
    "statement", ["DELETE FROM {}", "UPDATE {} SET at = now()", "TRUNCATE {}", "DROP TABLE {}"]
)
async def test_the_service_itself_can_alter_nothing(log: Log, table: str, statement: str) -> None:
    await log.append(entry())
    await log.seal_all()
    command = statement.format(table).replace("at = now()", "leaf_index = 1")
    if table != "audit_leaf":
        command = command.replace("leaf_index = 1", "at = now()")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with log.database.transaction() as connection:
            await connection.execute(command.encode())
    await log.assert_whole(1)


async def test_a_patients_entries_come_newest_first_and_page_by_page(log: Log) -> None:
    patient = uuid4()
    made = [entry(patient, number) for number in range(7)]
    for one in made:
        await log.append(one, entry(uuid4()))
    await log.run_sealer(limit=5)
    async with log.database.transaction() as connection:
        page = await audit_log.search_by_patient(connection, patient, limit=4)
        rest = await audit_log.search_by_patient(connection, patient, limit=4, before=page[-1][0])
    found = [*page, *rest]
    assert len(page) == 4
    assert [body["entry_id"] for _, _, body in found] == [
        str(one.entry_id) for one in reversed(made)
    ]
    assert [leaf for _, leaf, _ in found] == [None, None, None, None, 4, 2, 0]


# --- sealing --------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3, 7, 2_000])
async def test_sealing_goes_on_where_it_left_off(log: Log, limit: int) -> None:
    for _ in range(5):
        await log.append(*(entry() for _ in range(4)))
        await log.seal_all(limit)
    report = await log.assert_whole(20)
    assert report.heads == 5 * -(-4 // limit)


async def test_only_one_seals_at_a_time(log: Log) -> None:
    await log.append(entry())
    async with log.database.transaction() as connection:
        assert await audit_log.seal(connection, log.signer, NOW) == 1
        assert await log.run_sealer() == 0
        assert not log.anchor.path.exists()
    assert await log.run_sealer() == 0
    await log.assert_whole(1)


async def test_many_writers_and_two_sealers_at_once(log: Log) -> None:
    writers, rounds, each = 8, 15, 5
    is_writing = True

    async def write(number: int) -> None:
        for turn in range(rounds):
            with suppress(Stopped):
                async with log.database.transaction() as connection:
                    await audit_log.append(connection, [entry() for _ in range(each)])
                    # Out of order commits: a later number may be seen first.
                    await asyncio.sleep(0.002 * ((number + turn) % 4))
                    if turn == rounds - 1:
                        raise Stopped

    async def seal() -> int:
        sealed = 0
        while is_writing:
            sealed += await log.run_sealer(limit=17)
            await asyncio.sleep(0.001)
        return sealed

    sealers = [asyncio.create_task(seal()) for _ in range(2)]
    await asyncio.gather(*(write(number) for number in range(writers)))
    is_writing = False
    sealed = sum(await asyncio.gather(*sealers))
    assert sealed > 0
    await log.seal_all()
    report = await log.assert_whole(writers * (rounds - 1) * each)
    assert report.heads > 1


async def test_an_export_while_the_log_grows_shows_one_instant(log: Log) -> None:
    is_growing = True

    async def grow() -> None:
        while is_growing:
            await log.append(*(entry() for _ in range(20)))
            await log.run_sealer(limit=9)

    await log.append(*(entry() for _ in range(300)))
    task = asyncio.create_task(grow())
    for _ in range(5):
        report = await log.check()
        assert report.findings == []
        await asyncio.sleep(0.05)
    is_growing = False
    await task
