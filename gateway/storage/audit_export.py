"""The whole sealed log, written out so that an outsider can check it.

JSON Lines, in this order:

    {"kind": "log", "log_id", "public_key", "hash", "export": STATEMENT}
    then for each head      {"kind": "head", "head": HEAD}
    and after it its leaves {"kind": "entry", "leaf_index", "entry_id", "body"}
    at the end, if any      {"kind": "unsealed", "entry_id", "waits": true}

HEAD and STATEMENT are the signed records of :mod:`gateway.storage.audit_signer`.
A leaf is the UTF-8 form of ``body``. Where an entry or a head is not what we
write (then somebody altered it), ``body_base64`` or ``head_base64`` stands
instead. An ``unsealed`` entry that does not wait for the sealer was kept from
being sealed; one with no ``entry_id`` was removed before it was.

Source: design.md section 2; sharing-rules 11.1.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import datetime
from math import inf
from typing import Any, Final

import orjson

from gateway.merkle import EMPTY_ROOT
from gateway.storage.audit_signer import AuditSigner
from gateway.storage.database import Connection

ROWS_AT_ONCE: Final = 2_000
HEADS_AT_ONCE: Final = 20

ENTRIES: Final = """
SELECT l.leaf_index, e.entry_id, e.body FROM audit_leaf l JOIN audit_entry e USING (seq)
ORDER BY l.leaf_index
"""
UNSEALED: Final = """
SELECT e.entry_id, p.seq IS NOT NULL
FROM audit_entry e LEFT JOIN audit_pending p USING (seq)
WHERE NOT EXISTS (SELECT FROM audit_leaf l WHERE l.seq = e.seq)
UNION ALL
SELECT NULL, true FROM audit_pending p
WHERE NOT EXISTS (SELECT FROM audit_entry e WHERE e.seq = p.seq)
"""


async def export(
    connection: Connection, signer: AuditSigner, *, now: datetime, anchored_size: int
) -> AsyncIterator[bytes]:
    """Write the log as it stands at one instant, line by line.

    Args:
        connection: in a transaction in which nothing has been asked yet.
        now: stands in the statement as the time of the export.
        anchored_size: tree size of the newest anchored head, read before the
            transaction began; 0 for none.
    """
    # One snapshot for all: a head sealed meanwhile would cover leaves not shown.
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    cursor = await connection.execute(
        "SELECT tree_size, root FROM audit_head ORDER BY tree_size DESC LIMIT 1"
    )
    tree_size, root = await cursor.fetchone() or (0, EMPTY_ROOT)
    statement = signer.export_statement(
        tree_size=tree_size, root=root, anchored_size=anchored_size, exported_at=now
    )
    yield _line(
        {
            "kind": "log",
            "log_id": signer.log_id,
            "public_key": signer.public_pem.decode(),
            "hash": "RFC 6962, SHA-256",
            "export": orjson.loads(statement),
        }
    )
    async for line in _heads_and_entries(connection):
        yield line
    async with connection.cursor(name="audit_export_unsealed") as cursor:
        await cursor.execute(UNSEALED)
        async for entry_id, waits in cursor:
            yield _line({"kind": "unsealed", "entry_id": entry_id, "waits": waits})


async def _heads_and_entries(connection: Connection) -> AsyncIterator[bytes]:
    """Each head before the leaves it adds; what no head covers comes last."""
    async with (
        connection.cursor(name="audit_export_heads") as heads,
        connection.cursor(name="audit_export_entries") as entries,
    ):
        heads.itersize, entries.itersize = HEADS_AT_ONCE, ROWS_AT_ONCE
        await heads.execute("SELECT tree_size, body FROM audit_head ORDER BY tree_size")
        await entries.execute(ENTRIES)
        following = aiter(heads)
        covered: float = 0
        async for leaf_index, entry_id, body in entries:
            while leaf_index >= covered:
                covered, head = await _next_head(following)
                if head is not None:
                    yield _head_line(head)
            yield _entry_line(leaf_index, entry_id, body)
        async for _, head in following:
            yield _head_line(head)


async def _next_head(heads: AsyncIterator[tuple[Any, ...]]) -> tuple[float, bytes | None]:
    """The next head's size and line; after the last one, a head that covers all."""
    try:
        tree_size, head = await anext(heads)
    except StopAsyncIteration:
        return inf, None
    return tree_size, head


def _head_line(head: bytes) -> bytes:
    try:
        return _line({"kind": "head", "head": orjson.loads(head)})
    except orjson.JSONDecodeError:
        return _line({"kind": "head", "head_base64": base64.b64encode(head).decode()})


def _entry_line(leaf_index: int, entry_id: Any, body: bytes) -> bytes:
    line: dict[str, Any] = {"kind": "entry", "leaf_index": leaf_index, "entry_id": entry_id}
    try:
        line["body"] = body.decode()
    except UnicodeDecodeError:
        line["body_base64"] = base64.b64encode(body).decode()
    return _line(line)


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value) + b"\n"
