"""The audit log on a real PostgreSQL: written by many, sealed by one, stopped anywhere.

After each ordeal the log is exported and checked by the outsider's checker.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import orjson
import psycopg
import pytest

from gateway import audit_check, cli
from gateway.audit_check import Report, TrustedKey
from gateway.errors import AuditUnwritable, ConfigurationFault
from gateway.export_audit import export_audit
from gateway.merkle import root_of
from gateway.pipeline.audit import AuditAction, AuditEntry, entry_bytes
from gateway.settings import Settings
from gateway.storage import audit_log
from gateway.storage.audit_export import export
from gateway.storage.audit_signer import AnchorFile, AuditSigner, write_audit_key
from gateway.storage.database import Connection, Database
from gateway.storage.migrate import migrate
from tests.support.postgres import (
    create_database,
    drop_database,
    template_database,
)

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 12, 14, 9, 0, tzinfo=UTC)
ROLE = "gateway_app"


class Stopped(Exception):
    """The process ends here, as far as the code under test can tell."""


def entry(patient_id: UUID | None = None, number: int = 0) -> AuditEntry:
    return AuditEntry(
        AuditAction.PURGED,
        NOW + timedelta(seconds=number),
        {"note": {"note_id": str(uuid4()), "version": number}, "who": "æøå"},
        patient_id=patient_id,
        actor="system:pipeline",
    )


@dataclass
class Log:
    """A log on a database of its own, with its key and anchor file."""

    admin_url: str
    url: str
    database: Database
    key_file: Path
    anchor: AnchorFile
    folder: Path

    @property
    def signer(self) -> AuditSigner:
        return AuditSigner.from_file(self.key_file)

    async def append(self, *entries: AuditEntry) -> None:
        async with self.database.transaction() as connection:
            await audit_log.append(connection, entries)

    async def run_sealer(self, limit: int = 2_000, now: datetime = NOW) -> int:
        """What a worker does at each turn."""
        async with self.database.transaction() as connection:
            sealed = await audit_log.seal(connection, self.signer, now, limit)
        async with self.database.transaction() as connection:
            await audit_log.anchor(connection, self.anchor)
        return sealed

    async def seal_all(self, limit: int = 2_000) -> None:
        while await self.run_sealer(limit):
            pass

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.transaction() as connection:
            return await (await connection.execute(query.encode())).fetchall()

    def as_owner(self, *statements: str) -> None:
        """What somebody with all rights on the database can do."""
        with psycopg.connect(self.url) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    async def check(self, now: datetime = NOW) -> Report:
        """Export, and check as an outsider."""
        path = self.folder / "export.jsonl"
        anchored_size = self.anchor.last_tree_size()
        with path.open("wb") as file:
            async with self.database.transaction() as connection:
                lines = export(connection, self.signer, now=now, anchored_size=anchored_size)
                async for line in lines:
                    file.write(line)
        key = TrustedKey(self.signer.public_pem)
        self.anchor.path.touch()
        return audit_check.Check(path, self.anchor.path, key).run()

    async def assert_whole(self, entries: int) -> Report:
        """Re-read everything: what must always hold once the sealer has run."""
        report = await self.check()
        assert report.findings == []
        assert [note for note in report.notes if "torn lines" not in note] == []
        assert (report.entries, report.tree_size, report.anchored_size) == (entries,) * 3
        assert await self.rows("SELECT count(*) FROM audit_entry") == [(entries,)]
        assert await self.rows("SELECT count(*) FROM audit_pending") == [(0,)]
        leaves = await self.rows("SELECT leaf_index, leaf_hash FROM audit_leaf ORDER BY 1")
        assert [index for index, _ in leaves] == list(range(entries))
        heads = await self.rows("SELECT root, body FROM audit_head ORDER BY tree_size")
        if heads:
            assert heads[-1][0] == root_of([leaf for _, leaf in leaves])
        assert self.anchor.path.read_bytes().count(b"\n") >= len(heads)
        return report


def _migrated(url: str) -> None:
    migrate(url)


@pytest.fixture
async def log(postgres_url: str, tmp_path: Path) -> AsyncIterator[Log]:
    url = create_database(postgres_url, template_database(postgres_url, "migrated", _migrated))
    database = Database(url, app_role=ROLE, size=12)
    await database.open()
    write_audit_key(tmp_path / "audit.key")
    anchor = AnchorFile(tmp_path / "heads.jsonl")
    try:
        yield Log(postgres_url, url, database, tmp_path / "audit.key", anchor, tmp_path)
    finally:
        await database.close()
        drop_database(postgres_url, url)


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


# --- stopped anywhere -------------------------------------------------------------


class StoppingConnection:
    """Passes statements on and stops before or after the one with this number."""

    def __init__(self, connection: Connection, number: int, *, before: bool) -> None:
        self._connection = connection
        self._left = number
        self._before = before

    async def execute(self, *arguments: Any) -> Any:
        self._left -= 1
        if self._left == 0 and self._before:
            raise Stopped
        cursor = await self._connection.execute(*arguments)
        if self._left == 0:
            raise Stopped
        return cursor


SEAL_STATEMENTS = 6  # lock, take, frontier, leaves, pending, head


async def _stop_while_sealing(log: Log, number: int, *, before: bool) -> None:
    async with log.database.transaction() as connection:
        stopping = cast(Connection, StoppingConnection(connection, number, before=before))
        await audit_log.seal(stopping, log.signer, NOW, 3)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("number", range(1, SEAL_STATEMENTS + 1))
async def test_a_stop_at_any_statement_of_the_sealer_is_mended_by_the_next_run(
    log: Log, number: int, before: bool
) -> None:
    await log.append(*(entry() for _ in range(4)))
    await log.run_sealer(limit=3)
    await log.append(*(entry() for _ in range(4)))
    with pytest.raises(Stopped):
        await _stop_while_sealing(log, number, before=before)
    assert await log.rows("SELECT count(*) FROM audit_leaf") == [(3,)]
    assert await log.rows("SELECT count(*) FROM audit_pending") == [(5,)]
    await log.seal_all()
    await log.assert_whole(8)


async def test_the_sealer_makes_no_more_statements_than_these_tests_stop(log: Log) -> None:
    await log.append(*(entry() for _ in range(4)))
    await _stop_while_sealing(log, SEAL_STATEMENTS + 1, before=True)
    await log.seal_all()
    await log.assert_whole(4)


async def test_a_stop_between_commit_and_anchor_is_mended_by_the_next_run(log: Log) -> None:
    await log.append(*(entry() for _ in range(10)))
    for _ in range(3):
        async with log.database.transaction() as connection:
            assert await audit_log.seal(connection, log.signer, NOW, 3) == 3
    report = await log.check()
    assert report.findings == []
    assert report.notes == [
        "the last 9 leaves are signed, not yet anchored",
        "1 entries were not sealed yet at the export",
    ]
    await log.seal_all()
    await log.assert_whole(10)


def _torn_after(path: Path, kept: float) -> None:
    """The file as a crash in the middle of its last line leaves it."""
    content = path.read_bytes()
    start = content.rstrip(b"\n").rfind(b"\n") + 1
    last = len(content) - start
    with path.open("r+b") as file:
        file.truncate(start + int(kept * last))


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
async def test_a_stop_within_the_anchors_write_is_mended_by_the_next_run(
    log: Log, kept: float
) -> None:
    for _ in range(3):
        await log.append(*(entry() for _ in range(4)))
        await log.seal_all()
        _torn_after(log.anchor.path, kept)
    await log.seal_all()
    await log.append(entry())
    await log.seal_all()
    await log.assert_whole(13)


async def test_a_torn_line_is_written_again_even_when_torn_twice(log: Log) -> None:
    await log.append(*(entry() for _ in range(4)))
    await log.seal_all()
    whole = log.anchor.path.read_bytes()
    log.anchor.path.write_bytes(whole[:40] + b"\n" + whole[:90])
    await log.seal_all()
    assert log.anchor.path.read_bytes() == whole[:40] + b"\n" + whole[:90] + b"\n" + whole
    await log.assert_whole(4)


@pytest.mark.parametrize("is_written", [True, False])
async def test_a_failed_flush_is_reported_and_mended_whether_it_was_written_or_not(
    log: Log, is_written: bool
) -> None:
    def fail(descriptor: int) -> None:
        if not is_written:
            os.ftruncate(descriptor, 0)
        raise OSError(5, "Input/output error")

    await log.append(*(entry() for _ in range(4)))
    healthy, log.anchor = log.anchor, AnchorFile(log.anchor.path, sync=fail)
    with pytest.raises(AuditUnwritable):
        await log.run_sealer()
    log.anchor = healthy
    await log.seal_all()
    await log.assert_whole(4)
    assert log.anchor.path.read_bytes().count(b"\n") == 1


async def test_without_the_anchors_folder_sealing_goes_on_and_anchoring_catches_up(
    log: Log,
) -> None:
    folder = log.folder / "mount"
    log.anchor = AnchorFile(folder / "heads.jsonl")
    for _ in range(3):
        await log.append(*(entry() for _ in range(2)))
        with pytest.raises(AuditUnwritable):
            await log.run_sealer()
    folder.mkdir()
    await log.seal_all()
    await log.assert_whole(6)
    assert stat.S_IMODE(log.anchor.path.stat().st_mode) == 0o600


async def test_heads_are_anchored_in_portions(log: Log) -> None:
    await log.append(*(entry() for _ in range(9)))
    for _ in range(9):
        async with log.database.transaction() as connection:
            await audit_log.seal(connection, log.signer, NOW, 1)
    written = []
    for _ in range(4):
        async with log.database.transaction() as connection:
            written.append(await audit_log.anchor(connection, log.anchor, limit=4))
    assert written == [4, 4, 1, 0]
    await log.assert_whole(9)


async def test_the_newest_head_is_found_in_a_file_of_any_length(log: Log) -> None:
    assert log.anchor.last_head() is None
    line = orjson.dumps({"tree_size": 1, "filling": "x" * 900_000}) + b"\n"
    long = orjson.dumps({"tree_size": 2, "filling": "x" * 9_000_000}) + b"\n"
    log.anchor.append([line, long])
    assert log.anchor.last_tree_size() == 2
    log.anchor.append([line])
    with log.anchor.path.open("ab") as file:
        file.write(long[:3_000_000])
    assert log.anchor.last_tree_size() == 1


# --- the log's key ----------------------------------------------------------------


def test_a_key_once_made_is_kept_and_its_public_half_made_up_for(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "audit.key"
    write_audit_key(path)
    made, public = path.read_bytes(), path.with_suffix(".pub.pem")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public.read_bytes() == AuditSigner.from_file(path).public_pem
    public.unlink()
    write_audit_key(path)
    assert path.read_bytes() == made
    assert public.read_bytes() == AuditSigner.from_file(path).public_pem


def test_of_many_that_make_the_key_at_once_one_does(tmp_path: Path) -> None:
    for turn in range(10):
        path = tmp_path / str(turn) / "audit.key"
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write_audit_key, [path] * 8))
        public = path.with_suffix(".pub.pem").read_bytes()
        assert public == AuditSigner.from_file(path).public_pem
        assert sorted(file.name for file in path.parent.iterdir()) == ["audit.key", "audit.pub.pem"]


# --- tampering with the database ----------------------------------------------------


def _entry_at(leaf: int) -> str:
    return f"(SELECT seq FROM audit_leaf WHERE leaf_index = {leaf})"


@pytest.fixture
async def sealed(log: Log) -> Log:
    """Twelve leaves under three heads, all anchored."""
    for _ in range(3):
        await log.append(*(entry() for _ in range(4)))
        await log.seal_all()
    return log


async def _ids(log: Log) -> list[str]:
    rows = await log.rows(
        "SELECT entry_id FROM audit_entry JOIN audit_leaf USING (seq) ORDER BY leaf_index"
    )
    return [str(row[0]) for row in rows]


def _without_constraint(statement: str) -> list[str]:
    return ["SET session_replication_role = replica", statement]


DEEDS: dict[str, tuple[list[str], str, int]] = {
    "content altered": (
        [f"UPDATE audit_entry SET body = body || 'x' WHERE seq = {_entry_at(5)}"],
        "altered",
        5,
    ),
    "content made unreadable": (
        [f"UPDATE audit_entry SET body = '\\xff00' WHERE seq = {_entry_at(5)}"],
        "altered",
        5,
    ),
    "content and hash altered": (
        [
            f"UPDATE audit_entry SET body = 'x' WHERE seq = {_entry_at(5)}",
            "UPDATE audit_leaf SET leaf_hash = sha256('\\x0078') WHERE leaf_index = 5",
        ],
        "altered",
        5,
    ),
    "id altered": (
        [f"UPDATE audit_entry SET entry_id = gen_random_uuid() WHERE seq = {_entry_at(5)}"],
        "altered",
        5,
    ),
    "entry removed": (
        _without_constraint(f"DELETE FROM audit_entry WHERE seq = {_entry_at(5)}"),
        "removed",
        5,
    ),
    "leaf removed and the rest moved up": (
        [
            "DELETE FROM audit_leaf WHERE leaf_index = 5",
            "UPDATE audit_leaf SET leaf_index = -leaf_index WHERE leaf_index > 5",
            "UPDATE audit_leaf SET leaf_index = -leaf_index - 1 WHERE leaf_index < 0",
        ],
        "removed",
        5,
    ),
    "two leaves swapped": (
        [
            "UPDATE audit_leaf SET leaf_index = -1 WHERE leaf_index = 2",
            "UPDATE audit_leaf SET leaf_index = 2 WHERE leaf_index = 9",
            "UPDATE audit_leaf SET leaf_index = 9 WHERE leaf_index = -1",
        ],
        "swapped",
        2,
    ),
    "end cut off": (["DELETE FROM audit_leaf WHERE leaf_index >= 10"], "cut_off", 10),
    "set back to an earlier head": (
        [
            "DELETE FROM audit_leaf WHERE leaf_index >= 8",
            "DELETE FROM audit_head WHERE tree_size > 8",
        ],
        "rolled_back",
        8,
    ),
    "all gone": (
        ["DELETE FROM audit_leaf", "DELETE FROM audit_entry", "DELETE FROM audit_head"],
        "rolled_back",
        0,
    ),
}


@pytest.mark.parametrize("deed", DEEDS)
async def test_whoever_owns_the_database_is_found_out(sealed: Log, deed: str) -> None:
    statements, kind, leaf = DEEDS[deed]
    ids = await _ids(sealed)
    sealed.as_owner(*statements)
    report = await sealed.check()
    assert not report.holds
    found = report.findings[0]
    assert (found.kind, found.leaf_index, found.entry_id) == (kind, leaf, ids[leaf])


async def test_an_entry_put_in_as_a_leaf_is_found(sealed: Log) -> None:
    await sealed.append(entry())
    sealed.as_owner(
        "INSERT INTO audit_leaf SELECT 12, seq, sha256('\\x00'::bytea || body) FROM audit_entry"
        " ORDER BY seq DESC LIMIT 1",
        "DELETE FROM audit_pending",
    )
    report = await sealed.check()
    ids = await _ids(sealed)
    found = report.findings[0]
    assert (found.kind, found.leaf_index, found.entry_id) == ("inserted", 12, ids[12])


async def test_an_entry_kept_from_the_sealer_or_removed_before_it_is_found(sealed: Log) -> None:
    await sealed.append(entry(), entry())
    sealed.as_owner(
        "DELETE FROM audit_entry WHERE seq = (SELECT min(seq) FROM audit_pending)",
        "DELETE FROM audit_pending WHERE seq = (SELECT max(seq) FROM audit_pending)",
    )
    report = await sealed.check()
    assert [finding.kind for finding in report.findings] == ["unsealed", "unsealed"]
    assert report.entries == 12


async def test_a_broken_head_is_found_and_the_export_still_made(sealed: Log) -> None:
    sealed.as_owner("UPDATE audit_head SET body = '\\xff' WHERE tree_size = 8")
    report = await sealed.check()
    assert [finding.kind for finding in report.findings] == ["head"]


async def test_a_database_set_back_is_not_anchored_over(sealed: Log) -> None:
    """Restored from yesterday's copy, the log would go another way than is anchored."""
    sealed.as_owner(*DEEDS["set back to an earlier head"][0])
    before = sealed.anchor.path.read_bytes()
    await sealed.append(*(entry() for _ in range(8)))
    with pytest.raises(AuditUnwritable, match="tree size 12"):
        await sealed.run_sealer()
    assert sealed.anchor.path.read_bytes() == before
    report = await sealed.check()
    assert report.findings[0].leaf_index == 8


async def test_another_logs_anchor_file_is_not_written_to(log: Log, sealed: Log) -> None:
    stranger = AuditSigner.from_file(log.key_file)
    other = log.folder / "other.jsonl"
    head = stranger.head(
        tree_size=4,
        root=bytes(32),
        previous_root=bytes(32),
        at=NOW,
        first_leaf=0,
        leaf_hashes=[bytes(32)] * 4,
        entry_ids=[uuid4()] * 4,
    )
    other.write_bytes(head)
    log.anchor = AnchorFile(other)
    with pytest.raises(AuditUnwritable, match="not in the database"):
        await log.run_sealer()
    assert other.read_bytes() == head


# --- the command ------------------------------------------------------------------


@pytest.fixture
def settings(log: Log) -> Settings:
    return Settings(
        database_url=log.url,
        app_role=ROLE,
        audit_key_file=log.key_file,
        anchor_file=log.anchor.path,
    )


@pytest.fixture
def in_background() -> Iterator[Callable[[Callable[[], Awaitable[object]]], None]]:
    tasks: list[asyncio.Task[None]] = []

    def start(step: Callable[[], Awaitable[object]]) -> None:
        async def repeat() -> None:
            while True:
                await step()
                await asyncio.sleep(0.02)

        tasks.append(asyncio.create_task(repeat()))

    yield start
    for task in tasks:
        task.cancel()


async def test_an_export_shows_itself_and_is_for_its_owner_only(
    sealed: Log,
    settings: Settings,
    in_background: Callable[[Callable[[], Awaitable[object]]], None],
) -> None:
    in_background(lambda: sealed.run_sealer(now=datetime.now(UTC)))
    out = sealed.folder / "out.jsonl"
    result = await export_audit(settings, out, "case-7")
    assert (result.entries, result.shows_itself) == (13, True)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [path.name for path in sealed.folder.glob("*.part")] == []
    key = TrustedKey(sealed.signer.public_pem)
    report = audit_check.Check(out, sealed.anchor.path, key).run()
    assert report.findings == []
    last = orjson.loads(orjson.loads(out.read_bytes().splitlines()[-1])["body"])
    assert (last["action"], last["case_number"]) == ("EXPORT", "case-7")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.export_audit.SEALED_WITHIN_SECONDS", 0.2)


@pytest.mark.usefixtures("impatient")
async def test_an_export_without_a_worker_seals_and_anchors_by_itself(
    sealed: Log, settings: Settings
) -> None:
    await sealed.append(*(entry() for _ in range(3)))
    out = sealed.folder / "out.jsonl"
    result = await export_audit(settings, out)
    assert (result.entries, result.shows_itself, result.problem) == (16, True, None)
    report = audit_check.Check(out, sealed.anchor.path, TrustedKey(sealed.signer.public_pem)).run()
    assert (report.findings, report.notes, report.anchored_size) == ([], [], 16)


@pytest.mark.usefixtures("impatient")
async def test_an_export_of_a_log_set_back_is_made_unsealed_and_shows_it(
    sealed: Log, settings: Settings
) -> None:
    ids = await _ids(sealed)
    sealed.as_owner(*DEEDS["set back to an earlier head"][0])
    anchored = sealed.anchor.path.read_bytes()
    out = sealed.folder / "out.jsonl"
    result = await export_audit(settings, out)
    assert (result.entries, result.shows_itself) == (8, False)
    assert result.problem is not None
    assert "tree size 12" in result.problem
    assert sealed.anchor.path.read_bytes() == anchored
    found = (
        audit_check.Check(out, sealed.anchor.path, TrustedKey(sealed.signer.public_pem))
        .run()
        .findings[0]
    )
    assert (found.kind, found.leaf_index, found.entry_id) == ("rolled_back", 8, ids[8])


@pytest.mark.usefixtures("impatient")
async def test_an_export_while_another_process_seals_says_what_it_lacks(
    sealed: Log, settings: Settings
) -> None:
    async with sealed.database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (audit_log.SEAL_LOCK,))
        result = await export_audit(settings, sealed.folder / "out.jsonl")
    assert (result.entries, result.shows_itself) == (12, False)
    assert result.problem == "another process is sealing"
    assert await sealed.rows("SELECT count(*) FROM audit_entry WHERE action = 'EXPORT'") == [(1,)]


@pytest.mark.usefixtures("impatient")
async def test_the_command_writes_to_standard_output_and_says_how_many(
    sealed: Log,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    for name, value in {**settings.to_environment(), "DATABASE_URL": "postgresql:///no"}.items():
        monkeypatch.setenv(name, value)
    arguments = ["audit", "export", "--database-url", sealed.url]
    assert await asyncio.to_thread(cli.main, arguments) == 0
    shown, told = capsysbinary.readouterr()
    assert shown.count(b'{"kind":"entry"') == 13
    assert told == b"13 entries written to standard output\n"
    out = sealed.folder / "out.jsonl"
    assert await asyncio.to_thread(cli.main, [*arguments, "--out", str(out)]) == 0
    shown, told = capsysbinary.readouterr()
    assert (shown, told) == (f"14 entries written to {out}\n".encode(), b"")
    key = sealed.key_file.with_suffix(".pub.pem")
    verify = ["audit", "verify", str(out), "--anchor", str(sealed.anchor.path), "--key", str(key)]
    assert cli.main(verify) == 0


def test_without_a_demo_in_the_folder_the_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["audit", "export", "--data", str(tmp_path)]) == 1
    assert "no demo in" in capsys.readouterr().err


async def test_an_export_that_cannot_be_noted_is_not_made(sealed: Log, settings: Settings) -> None:
    sealed.as_owner(f"REVOKE INSERT ON audit_entry FROM {ROLE}")
    out = sealed.folder / "out.jsonl"
    with pytest.raises(AuditUnwritable):
        await export_audit(settings, out)
    assert not out.exists()


async def test_an_export_needs_a_database_and_the_logs_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFault, match="DATABASE_URL"):
        await export_audit(Settings(), tmp_path / "out")
    missing = Settings(database_url="postgresql:///x", audit_key_file=tmp_path / "none")
    with pytest.raises(ConfigurationFault, match="audit key"):
        await export_audit(missing, tmp_path / "out")
