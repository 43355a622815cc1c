"""The audit log on a real PostgreSQL, as its tests hold it in their hands.

After each ordeal the log is exported and checked by the outsider's checker.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from gateway import audit_check
from gateway.audit_check import Report, TrustedKey
from gateway.merkle import root_of
from gateway.pipeline.audit import AuditAction, AuditEntry
from gateway.storage import audit_log
from gateway.storage.audit_export import export
from gateway.storage.audit_signer import AnchorFile, AuditSigner, write_audit_key
from gateway.storage.database import Database

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


@pytest.fixture
async def log(postgres_url: str, migrated_database_url: str, tmp_path: Path) -> AsyncIterator[Log]:
    database = Database(migrated_database_url, app_role=ROLE, size=12)
    await database.open()
    write_audit_key(tmp_path / "audit.key")
    anchor = AnchorFile(tmp_path / "heads.jsonl")
    try:
        yield Log(
            postgres_url, migrated_database_url, database, tmp_path / "audit.key", anchor, tmp_path
        )
    finally:
        await database.close()


def _entry_at(leaf: int) -> str:
    return f"(SELECT seq FROM audit_leaf WHERE leaf_index = {leaf})"


@pytest.fixture
async def sealed(log: Log) -> Log:
    """Twelve leaves under three heads, all anchored."""
    for _ in range(3):
        await log.append(*(entry() for _ in range(4)))
        await log.seal_all()
    return log


async def entry_ids(log: Log) -> list[str]:
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
