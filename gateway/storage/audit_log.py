"""The audit log: append only; a sealer batches entries into a signed Merkle log.

Entries are written unchained in the transaction of what they tell of. Sealing
is one function, run again and again by whoever gets the lock:

    1. take    pending entries in the order of their numbers
    2. place   leaf indexes and hashes                      } one transaction
    3. sign    the new head, stored with the tree's edge    }
    4. anchor  heads that the anchor file lacks

The commit of 2 and 3 is the one commit point. A stop before it leaves the
entries pending. A stop between commit and anchor leaves a head that the next run
anchors: step 4 always begins with what the file lacks, so recovery is the normal
day.

Source: RFC 6962; design.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import orjson
import psycopg

from gateway.errors import AuditUnwritable
from gateway.merkle import Frontier, leaf_hash
from gateway.metrics import SEALED
from gateway.pipeline.audit import AuditEntry, entry_bytes
from gateway.storage.audit_signer import AnchorFile, AuditSigner, tree_size_of
from gateway.storage.database import Connection, copy_rows

BATCH_ENTRIES: Final = 2_000
SEAL_LOCK: Final = 7_301_927
ANCHOR_HEADS: Final = 200

TYPES: Final[Mapping[LiteralString, LiteralString]] = {
    "entry_id": "uuid",
    "at": "timestamptz",
    "action": "text",
    "patient_id": "uuid",
    "practice_id": "uuid",
    "actor": "text",
    "body": "bytea",
}

# The limit stands inside, or a long backlog would be joined and sorted as a whole each time.
TAKE: Final = """
SELECT e.seq, e.entry_id, e.body
FROM (SELECT seq FROM audit_pending ORDER BY seq LIMIT %s) p JOIN audit_entry e USING (seq)
ORDER BY e.seq
"""


async def append(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Write entries inside the caller's transaction.

    Raises:
        AuditUnwritable: they can't be written, so nothing else may happen either.
    """
    if not entries:
        return
    try:
        # A trigger of the table adds each entry to those that wait for the sealer.
        await copy_rows(connection, "audit_entry", TYPES, map(_row, entries))
    except psycopg.Error as error:
        raise AuditUnwritable(f"audit log: {type(error).__name__}") from error


def _row(entry: AuditEntry) -> tuple[Any, ...]:
    return (
        entry.entry_id,
        entry.at,
        entry.action.value,
        entry.patient_id,
        entry.practice_id,
        entry.actor,
        entry_bytes(entry),
    )


async def seal(
    connection: Connection, signer: AuditSigner, now: datetime, limit: int = BATCH_ENTRIES
) -> int:
    """Steps 1 to 3 for one batch, inside the caller's transaction.

    The transaction must be READ COMMITTED, so that what the sealer before us
    committed is seen once the lock is ours.

    Returns:
        How many entries were sealed; 0 when there are none or another process
        is sealing.
    """
    if not await _is_sole_sealer(connection):
        return 0
    # 1. Nothing is written yet: a stop here leaves everything as it was.
    cursor = await connection.execute(TAKE, (limit,))
    taken = await cursor.fetchall()
    if not taken:
        return 0
    frontier = await _frontier(connection)
    first, previous_root = frontier.size, frontier.root()
    leaves = [leaf_hash(body) for _, _, body in taken]
    frontier.extend(leaves)
    numbers = [seq for seq, _, _ in taken]
    # 2. A stop here, after either write, is rolled back by the server: the
    #    entries are still pending and the next run gives them the same places.
    await connection.execute(
        "INSERT INTO audit_leaf SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[])",
        (list(range(first, frontier.size)), numbers, leaves),
    )
    await connection.execute("DELETE FROM audit_pending WHERE seq = ANY(%b::bigint[])", (numbers,))
    root = frontier.root()
    head = signer.head(
        tree_size=frontier.size,
        root=root,
        previous_root=previous_root,
        at=now,
        first_leaf=first,
        leaf_hashes=leaves,
        entry_ids=[entry_id for _, entry_id, _ in taken],
    )
    # 3. A stop here leaves a head that nobody has seen; rolled back likewise. The
    #    caller's commit makes all three writes true at once. A commit whose answer
    #    was lost needs no mending: the next run finds its entries pending or not.
    await connection.execute(
        "INSERT INTO audit_head (tree_size, root, at, frontier, body) VALUES (%s, %s, %s, %s, %s)",
        (frontier.size, root, now, frontier.to_bytes(), head),
    )
    SEALED.inc(len(taken))
    return len(taken)


async def _is_sole_sealer(connection: Connection) -> bool:
    """Take the lock that lasts as long as the transaction, if it is free."""
    cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (SEAL_LOCK,))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def _frontier(connection: Connection) -> Frontier:
    cursor = await connection.execute(
        "SELECT tree_size, frontier FROM audit_head ORDER BY tree_size DESC LIMIT 1"
    )
    row = await cursor.fetchone()
    return Frontier.from_bytes(row[0], row[1]) if row else Frontier()


async def anchor(connection: Connection, file: AnchorFile, limit: int = ANCHOR_HEADS) -> int:
    """Step 4: write committed heads that the anchor file lacks; returns how many.

    The caller's transaction only holds the lock that keeps two processes from
    writing the same heads. Call again while it returns ``limit``.

    Raises:
        AuditUnwritable: the file can't be written, or it holds a head that the
            database does not have: the log was set back, or it is another log's
            file. Nothing is anchored then; a person must look.
    """
    if not await _is_sole_sealer(connection):
        return 0
    last = file.last_head()
    last_size = 0 if last is None else tree_size_of(last) or 0
    if last is not None:
        cursor = await connection.execute(
            "SELECT body FROM audit_head WHERE tree_size = %s", (last_size,)
        )
        row = await cursor.fetchone()
        if row is None or row[0] != last:
            raise AuditUnwritable(
                f"the anchor file's newest head (tree size {last_size}) is not in the database"
            )
    cursor = await connection.execute(
        "SELECT body FROM audit_head WHERE tree_size > %s ORDER BY tree_size LIMIT %s",
        (last_size, limit),
    )
    missing = [row[0] for row in await cursor.fetchall()]
    # 4. A stop before this leaves heads unanchored, a stop within it a torn line
    #    at the end. The next run starts from the last whole line in either case.
    file.append(missing)
    return len(missing)


async def search_by_patient(
    connection: Connection, patient_id: UUID, *, limit: int, before: int | None = None
) -> list[tuple[int, int | None, dict[str, Any]]]:
    """Entries about one patient, newest first: number, leaf index once sealed, content."""
    cursor = await connection.execute(
        "SELECT e.seq, l.leaf_index, e.body FROM audit_entry e LEFT JOIN audit_leaf l USING (seq)"
        " WHERE e.patient_id = %s AND (%s::bigint IS NULL OR e.seq < %s)"
        " ORDER BY e.seq DESC LIMIT %s",
        (patient_id, before, before, limit),
    )
    return [(row[0], row[1], orjson.loads(row[2])) for row in await cursor.fetchall()]


async def is_sealed(connection: Connection, entry_id: UUID) -> bool:
    """Whether a signed head covers this entry."""
    cursor = await connection.execute(
        "SELECT FROM audit_entry e JOIN audit_leaf l USING (seq) WHERE e.entry_id = %s",
        (entry_id,),
    )
    return await cursor.fetchone() is not None


async def count_pending(connection: Connection) -> int:
    """How many entries wait for the sealer."""
    cursor = await connection.execute("SELECT count(*) FROM audit_pending")
    row = await cursor.fetchone()
    return int(row[0]) if row else 0
