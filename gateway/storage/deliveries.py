"""What a national destination holds of each note, and the one operation under way.

The row is the truth about a wire that may fail: an operation's ids are stored
before its bytes leave, and never change until its outcome is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from gateway.pipeline.records import DeliveryRecord
from gateway.states import DeliveryState, Operation
from gateway.storage.database import Connection

NATIONAL: Final = "national"
COLUMNS: Final = (
    "note_id, state, wanted_version, current_version, current_generation, current_entry_uuid,"
    " operation, operation_id, operation_version, operation_generation, operation_at,"
    " message_number, is_doubtful, attempts, next_attempt_at, last_code"
)

WRITE: Final = """
INSERT INTO delivery (destination, note_id, state, wanted_version, current_version,
    current_generation, current_entry_uuid, operation, operation_id, operation_version,
    operation_generation, operation_at, message_number, is_doubtful, attempts, next_attempt_at,
    last_code, updated_at)
VALUES ('national', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (note_id, destination) DO UPDATE SET
    state = EXCLUDED.state, wanted_version = EXCLUDED.wanted_version,
    current_version = EXCLUDED.current_version,
    current_generation = EXCLUDED.current_generation,
    current_entry_uuid = EXCLUDED.current_entry_uuid, operation = EXCLUDED.operation,
    operation_id = EXCLUDED.operation_id, operation_version = EXCLUDED.operation_version,
    operation_generation = EXCLUDED.operation_generation, operation_at = EXCLUDED.operation_at,
    message_number = EXCLUDED.message_number, is_doubtful = EXCLUDED.is_doubtful,
    attempts = EXCLUDED.attempts,
    next_attempt_at = EXCLUDED.next_attempt_at, last_code = EXCLUDED.last_code,
    updated_at = EXCLUDED.updated_at
"""


def _record(row: tuple[Any, ...]) -> DeliveryRecord:
    operation = Operation(row[6]) if row[6] else None
    fields = (row[0], DeliveryState(row[1]), *row[2:6], operation, *row[7:])
    return DeliveryRecord(*fields)


async def load(
    connection: Connection, note_ids: Sequence[UUID], *, lock: bool = False
) -> dict[UUID, DeliveryRecord]:
    """The deliveries of these notes; a note never meant for the destination has none.

    Args:
        lock: wait for senders to store what they are about to, and keep them from
            storing more until the end of the transaction.
    """
    cursor = await connection.execute(
        f"SELECT {COLUMNS} FROM delivery WHERE destination = 'national' AND note_id = ANY(%b)"
        f" ORDER BY note_id {'FOR UPDATE' if lock else ''}",
        (list(note_ids),),
    )
    return {row[0]: _record(row) for row in await cursor.fetchall()}


async def lock(connection: Connection, note_id: UUID) -> DeliveryRecord | None:
    """Lock and load one delivery, waiting for whoever holds it."""
    cursor = await connection.execute(
        f"SELECT {COLUMNS} FROM delivery WHERE destination = 'national' AND note_id = %s"
        " FOR UPDATE",
        (note_id,),
    )
    row = await cursor.fetchone()
    return _record(row) if row else None


async def write(connection: Connection, records: Sequence[DeliveryRecord], now: datetime) -> None:
    """Store deliveries, new or changed."""
    if not records:
        return
    rows = [
        (
            record.note_id,
            record.state.value,
            record.wanted_version,
            record.current_version,
            record.current_generation,
            record.current_entry_uuid,
            record.operation.value if record.operation else None,
            record.operation_id,
            record.operation_version,
            record.operation_generation,
            record.operation_at,
            record.message_number,
            record.is_doubtful,
            record.attempts,
            record.next_attempt_at,
            record.last_code,
            now,
        )
        for record in records
    ]
    async with connection.cursor() as cursor:
        await cursor.executemany(WRITE, rows)


CLAIM_DUE: Final = """
UPDATE delivery SET
    state = CASE state WHEN 'sending' THEN 'unknown' ELSE state END,
    is_doubtful = is_doubtful OR state = 'sending',
    next_attempt_at = %s
WHERE (note_id, destination) IN (
    SELECT note_id, destination FROM delivery WHERE next_attempt_at <= %s
    ORDER BY next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED
)
RETURNING note_id
"""


async def claim_due(
    connection: Connection, now: datetime, again_at: datetime, limit: int
) -> list[UUID]:
    """Notes whose next attempt is due; they are not handed out again before ``again_at``.

    A delivery still in state SENDING has outlived its sender's lease: what
    became of the message is unknown.
    """
    cursor = await connection.execute(CLAIM_DUE, (again_at, now, limit))
    return [row[0] for row in await cursor.fetchall()]


async def count_by_state(connection: Connection) -> dict[str, int]:
    """How many deliveries stand in each state, for the metrics."""
    cursor = await connection.execute("SELECT state, count(*) FROM delivery GROUP BY state")
    return dict(await cursor.fetchall())
