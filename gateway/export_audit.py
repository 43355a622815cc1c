"""Writes the audit log to a file, and notes that it did.

Source: sharing-rules 11.1 (EXPORT); design.md 3.4 (``gateway audit export``).
"""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from gateway.clock import SystemClock
from gateway.demo_clock import DemoClock
from gateway.errors import AuditUnwritable, ConfigurationFault
from gateway.pipeline.audit import AuditAction, AuditEntry
from gateway.settings import Settings
from gateway.storage import audit_log
from gateway.storage.audit_export import export
from gateway.storage.audit_signer import AnchorFile, AuditSigner
from gateway.storage.database import Database

SEALED_WITHIN_SECONDS: Final = 3.0
LOOK_EVERY_SECONDS: Final = 0.1
BUFFER_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Exported:
    """How many entries were written; ``shows_itself``: the one about this export too.

    ``problem``: what kept us from sealing or anchoring, if anything; the export is
    made all the same, for it is what shows the trouble to the checker.
    """

    entries: int
    shows_itself: bool
    problem: str | None = None


async def export_audit(
    settings: Settings, out: Path | None, case_number: str | None = None
) -> Exported:
    """Note that the log is being exported, then write it to ``out`` (mode 0600).

    The entry about the export is committed before the first line is read, and
    sealed, so that the export shows itself: by a worker, which is given some
    seconds, or else by ourselves. ``out`` appears when it is complete; what stood
    there before is replaced. None: write to standard output.

    Raises:
        AuditUnwritable: the entry can't be written, or the anchor file not read.
        Unavailable: the database is away.
        ConfigurationFault: no database is set, or the log's key is missing.
        OSError: the file can't be written.
    """
    if not settings.database_url:
        raise ConfigurationFault("DATABASE_URL is not set (with a demo: --data FOLDER)")
    signer = AuditSigner.from_file(settings.audit_key_file)
    database = Database(settings.database_url, app_role=settings.app_role, size=1)
    await database.open()
    try:
        entry = _entry(await _now(settings), case_number)
        async with database.transaction() as connection:
            await audit_log.append(connection, [entry])
        sealer = _Sealer(database, signer, AnchorFile(settings.anchor_file), entry)
        problem = None if await sealer.is_done_soon() else await sealer.seal()
        shows_itself = await sealer.is_done()
        # Read before the snapshot: what is anchored was committed, so an honest
        # log is never shorter than this.
        anchored_size = AnchorFile(settings.anchor_file).last_tree_size()
        now = await _now(settings)
        async with database.transaction() as connection:
            lines = export(connection, signer, now=now, anchored_size=anchored_size)
            entries = await (_write(sys.stdout.buffer, lines) if out is None else _save(out, lines))
    finally:
        await database.close()
    return Exported(entries, shows_itself, problem)


def _entry(now: datetime, case_number: str | None) -> AuditEntry:
    return AuditEntry(
        AuditAction.EXPORT,
        now,
        {
            "reader": {"name": _user(), "role": "OPERATOR"},
            "door": "command_line",
            "case_number": case_number,
        },
        actor="operator:command line",
    )


def _user() -> str:
    """Who runs this, as the system knows them; in a container perhaps by number only."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


async def _now(settings: Settings) -> datetime:
    """The time of the processes whose log this is."""
    if not settings.demo_clock_url:
        return SystemClock().now()
    demo_clock = DemoClock(settings.demo_clock_url, "audit export")
    try:
        await demo_clock.start()
        return demo_clock.clock.now()
    finally:
        await demo_clock.stop()


class _Sealer:
    """Sees to it that the entry about the export is sealed."""

    def __init__(
        self, database: Database, signer: AuditSigner, anchor: AnchorFile, entry: AuditEntry
    ) -> None:
        self._database = database
        self._signer = signer
        self._anchor = anchor
        self._entry = entry

    async def is_done(self) -> bool:
        async with self._database.transaction() as connection:
            return await audit_log.is_sealed(connection, self._entry.entry_id)

    async def is_done_soon(self) -> bool:
        """Leave it to a worker where one runs: the anchor file is in its hands."""
        looks = round(SEALED_WITHIN_SECONDS / LOOK_EVERY_SECONDS)
        for _ in range(looks):
            if await self.is_done():
                return True
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        return False

    async def seal(self) -> str | None:
        """Do as a worker does, in its order; returns what stood in the way, if anything."""
        try:
            # First, since nothing may be sealed upon a log that was set back.
            await self._write_heads()
            while not await self.is_done():
                async with self._database.transaction() as connection:
                    sealed = await audit_log.seal(connection, self._signer, self._entry.at)
                await self._write_heads()
                if not sealed:
                    return "another process is sealing" if not await self.is_done() else None
        except AuditUnwritable as error:
            return str(error)
        return None

    async def _write_heads(self) -> None:
        is_more = True
        while is_more:
            async with self._database.transaction() as connection:
                written = await audit_log.anchor(connection, self._anchor)
            is_more = written == audit_log.ANCHOR_HEADS


async def _save(out: Path, lines: AsyncIterator[bytes]) -> int:
    """Write beside the goal first, so that a half export is never taken for a whole one."""
    part = out.with_name(f"{out.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb", buffering=BUFFER_BYTES) as file:
            entries = await _write(file, lines)
            os.fsync(file.fileno())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return entries


async def _write(file: BinaryIO, lines: AsyncIterator[bytes]) -> int:
    entries = 0
    async for line in lines:
        file.write(line)
        entries += line.startswith(b'{"kind":"entry"')
    file.flush()
    return entries
