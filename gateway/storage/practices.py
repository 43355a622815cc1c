"""The enrolled practices and the assertions they have used up."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from gateway.pipeline.records import PracticeRecord
from gateway.storage.database import Connection

COLUMNS: Final = "id, sor_code, provider_number, name, enrolled, sharing_start, share_history, jwks"


def practice_from_row(row: tuple[Any, ...]) -> PracticeRecord:
    """A record from a row selected with ``COLUMNS``."""
    return PracticeRecord(*row)


async def by_sor_code(connection: Connection, sor_code: str) -> PracticeRecord | None:
    """The practice with this SOR code, enrolled or not; none for a text that is no SOR code."""
    if not (sor_code.isascii() and sor_code.isdigit()):
        return None
    cursor = await connection.execute(
        f"SELECT {COLUMNS} FROM practice WHERE sor_code = %s", (sor_code,)
    )
    row = await cursor.fetchone()
    return practice_from_row(row) if row else None


async def put(connection: Connection, practice: PracticeRecord, now: datetime) -> bool:
    """Enrol a practice, or change what is known of it; True when it is new."""
    cursor = await connection.execute(
        "INSERT INTO practice (id, sor_code, provider_number, name, enrolled, sharing_start,"
        " share_history, jwks, enrolled_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET provider_number = EXCLUDED.provider_number,"
        " name = EXCLUDED.name, enrolled = EXCLUDED.enrolled,"
        " sharing_start = EXCLUDED.sharing_start, share_history = EXCLUDED.share_history,"
        " jwks = EXCLUDED.jwks RETURNING (xmax = 0)",
        (
            practice.practice_id,
            practice.sor_code,
            practice.provider_number,
            practice.name,
            practice.enrolled,
            practice.sharing_start,
            practice.share_history,
            Jsonb(practice.jwks),
            now,
        ),
    )
    row = await cursor.fetchone()
    return bool(row and row[0])


async def note_ids(connection: Connection, practice_id: UUID) -> list[UUID]:
    """Every note of a practice, for a recomputation after its terms changed."""
    cursor = await connection.execute("SELECT id FROM note WHERE practice_id = %s", (practice_id,))
    return [row[0] for row in await cursor.fetchall()]


async def use_assertion(
    connection: Connection, practice_id: UUID, jti: str, expires_at: datetime, now: datetime
) -> bool:
    """Use an assertion up; False when it was used before.

    Rows of assertions that could no longer be accepted anyway are dropped.
    """
    await connection.execute(
        "DELETE FROM used_assertion WHERE practice_id = %s AND expires_at < %s",
        (practice_id, now),
    )
    cursor = await connection.execute(
        "INSERT INTO used_assertion VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING jti",
        (practice_id, jti, expires_at),
    )
    return await cursor.fetchone() is not None
