"""The audit log: append only; a sealer batches entries into a signed Merkle log.

Entries are written unchained in the transaction of what they tell of. Sealing
is one function, run again and again by whoever gets the lock:

    1. take    pending entries in the order of their numbers
    2. place   leaf indexes and hashes                      } one transaction
    3. sign    the new head, stored with the tree's edge    }
    4. anchor  heads that the anchor file lacks

A stop before the commit leaves the entries pending. A stop between commit and
anchor leaves a head that the next run anchors: step 4 always begins with what
the file lacks, so recovery is the normal day.

Source: RFC 6962; design.md section 2.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg

from gateway.errors import AuditUnwritable
from gateway.merkle import Frontier, leaf_hash
from gateway.metrics import SEALED
from gateway.pipeline.audit import AuditEntry, entry_bytes
from gateway.storage.audit_signer import AnchorFile, AuditSigner
from gateway.storage.database import Connection

BATCH_ENTRIES: Final = 2_000
SEAL_LOCK: Final = 7_301_927

APPEND: Final = """
WITH added AS (
    INSERT INTO audit_entry (entry_id, at, action, patient_id, practice_id, actor, body)
    SELECT * FROM unnest(%b::uuid[], %b::timestamptz[], %b::text[], %b::uuid[], %b::uuid[],
                         %b::text[], %b::bytea[])
    RETURNING seq
)
INSERT INTO audit_pending SELECT seq FROM added
"""

TAKE: Final = """
SELECT e.seq, e.body FROM audit_pending p JOIN audit_entry e USING (seq) ORDER BY e.seq LIMIT %s
"""


async def append(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Write entries inside the caller's transaction.

    Raises:
        AuditUnwritable: they can't be written, so nothing else may happen either.
    """
    if not entries:
        return
    try:
        await connection.execute(
            APPEND,
            (
                [entry.entry_id for entry in entries],
                [entry.at for entry in entries],
                [entry.action.value for entry in entries],
                [entry.patient_id for entry in entries],
                [entry.practice_id for entry in entries],
                [entry.actor for entry in entries],
                [entry_bytes(entry) for entry in entries],
            ),
        )
    except psycopg.Error as error:
        raise AuditUnwritable(f"audit log: {type(error).__name__}") from error


async def seal(
    connection: Connection, signer: AuditSigner, now: datetime, limit: int = BATCH_ENTRIES
) -> int:
    """Steps 1 to 3 for one batch, inside the caller's transaction.

    Returns:
        How many entries were sealed; 0 when there are none or another process
        is sealing.
    """
    cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (SEAL_LOCK,))
    row = await cursor.fetchone()
    if row is None or not row[0]:
        return 0
    cursor = await connection.execute(TAKE, (limit,))
    taken = await cursor.fetchall()
    if not taken:
        return 0
    frontier = await _frontier(connection)
    first = frontier.size
    leaves = [leaf_hash(body) for _, body in taken]
    frontier.extend(leaves)
    numbers = [seq for seq, _ in taken]
    await connection.execute(
        "INSERT INTO audit_leaf SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[])",
        (list(range(first, frontier.size)), numbers, leaves),
    )
    await connection.execute("DELETE FROM audit_pending WHERE seq = ANY(%b::bigint[])", (numbers,))
    root = frontier.root()
    head = signer.head(
        tree_size=frontier.size, root=root, at=now, first_leaf=first, leaf_hashes=leaves
    )
    await connection.execute(
        "INSERT INTO audit_head (tree_size, root, at, frontier, body) VALUES (%s, %s, %s, %s, %s)",
        (frontier.size, root, now, frontier.to_bytes(), head),
    )
    SEALED.inc(len(taken))
    return len(taken)


async def _frontier(connection: Connection) -> Frontier:
    cursor = await connection.execute(
        "SELECT tree_size, frontier FROM audit_head ORDER BY tree_size DESC LIMIT 1"
    )
    row = await cursor.fetchone()
    return Frontier.from_bytes(row[0], row[1]) if row else Frontier()


async def anchor(connection: Connection, file: AnchorFile) -> int:
    """Step 4: write the committed heads that the anchor file lacks; returns how many.

    The caller's transaction only holds the lock that keeps two processes from
    writing the same heads.
    """
    cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (SEAL_LOCK,))
    row = await cursor.fetchone()
    if row is None or not row[0]:
        return 0
    cursor = await connection.execute(
        "SELECT body FROM audit_head WHERE tree_size > %s ORDER BY tree_size",
        (file.last_tree_size(),),
    )
    missing = [row[0] for row in await cursor.fetchall()]
    file.append(missing)
    return len(missing)


async def export(connection: Connection, signer: AuditSigner) -> AsyncIterator[bytes]:
    """The whole sealed log as JSON Lines: a description, the entries, the heads.

    An entry's ``body`` is the string whose UTF-8 bytes are the leaf.
    """
    yield (
        orjson.dumps(
            {
                "kind": "log",
                "log_id": signer.log_id,
                "public_key": signer.public_pem.decode(),
                "hash": "RFC 6962 with SHA-256",
            }
        )
        + b"\n"
    )
    async with connection.cursor(name="audit_export") as cursor:
        await cursor.execute(
            "SELECT l.leaf_index, e.seq, e.entry_id, e.body FROM audit_leaf l"
            " JOIN audit_entry e USING (seq) ORDER BY l.leaf_index"
        )
        async for index, seq, entry_id, body in cursor:
            yield (
                orjson.dumps(
                    {
                        "kind": "entry",
                        "leaf_index": index,
                        "seq": seq,
                        "entry_id": entry_id,
                        "body": body.decode(),
                    }
                )
                + b"\n"
            )
    async with connection.cursor(name="audit_export_heads") as cursor:
        await cursor.execute("SELECT body FROM audit_head ORDER BY tree_size")
        async for (body,) in cursor:
            yield orjson.dumps({"kind": "head", "head": orjson.loads(body)}) + b"\n"


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


async def count_pending(connection: Connection) -> int:
    """How many entries wait for the sealer."""
    cursor = await connection.execute("SELECT count(*) FROM audit_pending")
    row = await cursor.fetchone()
    return int(row[0]) if row else 0
