"""The audit log, stopped anywhere: what was written is there, and sealing goes on where it was."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from gateway.errors import AuditUnwritable
from gateway.storage import audit_log
from gateway.storage.audit_signer import AnchorFile, AuditSigner, write_audit_key
from gateway.storage.database import Connection
from tests.unit.gateway.audit_log.ledger import NOW, Log, Stopped, entry

pytestmark = pytest.mark.postgres


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
