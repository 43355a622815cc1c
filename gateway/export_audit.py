"""Writes the audit log to a file, and notes that it did.

Source: sharing-rules 11.1 (EXPORT); design.md 3.4 (``gateway audit export``).
"""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from gateway.clock import SystemClock
from gateway.demo_clock import DemoClock
from gateway.errors import ConfigurationFault
from gateway.pipeline.audit import AuditAction, AuditEntry
from gateway.settings import Settings
from gateway.storage import audit_log
from gateway.storage.audit_export import export
from gateway.storage.audit_signer import AnchorFile, AuditSigner
from gateway.storage.database import Database

SEALED_WITHIN_SECONDS: Final = 5.0
LOOK_EVERY_SECONDS: Final = 0.1
BUFFER_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Exported:
    """How many entries were written; ``shows_itself``: the one about this export too."""

    entries: int
    shows_itself: bool


async def export_audit(settings: Settings, out: Path, case_number: str | None = None) -> Exported:
    """Note that the log is being exported, then write it to ``out`` (mode 0600).

    The entry about the export is committed before the first line is read. A
    worker is given some seconds to seal it, so that the export shows itself.
    ``out`` appears when it is complete; what stood there before is replaced.

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
        shows_itself = await _is_sealed_soon(database, entry.entry_id)
        # Read before the snapshot: what is anchored was committed, so an honest
        # log is never shorter than this.
        anchored_size = AnchorFile(settings.anchor_file).last_tree_size()
        now = await _now(settings)
        async with database.transaction() as connection:
            lines = export(connection, signer, now=now, anchored_size=anchored_size)
            entries = await _write(out, lines)
    finally:
        await database.close()
    return Exported(entries, shows_itself)


def _entry(now: datetime, case_number: str | None) -> AuditEntry:
    return AuditEntry(
        AuditAction.EXPORT,
        now,
        {
            "reader": {"name": getpass.getuser(), "role": "OPERATOR"},
            "door": "command_line",
            "case_number": case_number,
        },
        actor="operator:command line",
    )


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


async def _is_sealed_soon(database: Database, entry_id: UUID) -> bool:
    looks = round(SEALED_WITHIN_SECONDS / LOOK_EVERY_SECONDS)
    for _ in range(looks):
        async with database.transaction() as connection:
            if await audit_log.is_sealed(connection, entry_id):
                return True
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    return False


async def _write(out: Path, lines: AsyncIterator[bytes]) -> int:
    """Write beside the goal first, so that a half export is never taken for a whole one."""
    part = out.with_name(f"{out.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb", buffering=BUFFER_BYTES) as file:
            entries = 0
            async for line in lines:
                file.write(line)
                entries += line.startswith(b'{"kind":"entry"')
            file.flush()
            os.fsync(file.fileno())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return entries
