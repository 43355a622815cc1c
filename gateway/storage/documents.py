"""Finished documents: written once, never changed, sealed with the version's key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from gateway.keys import row_context, seal, unseal
from gateway.pipeline.records import DocumentRecord
from gateway.storage.database import Connection, copy_rows

TYPES: Final[Mapping[LiteralString, LiteralString]] = {
    "note_id": "uuid",
    "version": "int4",
    "generation": "int4",
    "unique_id": "text",
    "entry_uuid": "uuid",
    "media_type": "text",
    "assembled_at": "timestamptz",
    "name_protected": "bool",
    "sha1": "bytea",
    "sha256": "bytea",
    "size_bytes": "int4",
    "signing_key": "text",
    "sealed_document": "bytea",
    "sealed_signature": "bytea",
}
COLUMNS: Final = (
    "note_id, version, generation, unique_id, entry_uuid, media_type, assembled_at,"
    " name_protected, sha1, sha256, size_bytes, signing_key, sealed_document, sealed_signature"
)


async def insert(connection: Connection, made: Sequence[tuple[DocumentRecord, bytes]]) -> None:
    """Store documents, each sealed with the key of its version."""
    if not made:
        return
    await copy_rows(connection, "document", TYPES, (_row(r, key) for r, key in made))


def _row(record: DocumentRecord, key: bytes) -> tuple[Any, ...]:
    return (
        record.note_id,
        record.version,
        record.generation,
        record.unique_id,
        record.entry_uuid,
        record.media_type,
        record.assembled_at,
        record.name_protected,
        record.sha1,
        record.sha256,
        record.size_bytes,
        record.signing_key,
        seal(key, record.document, _context("document", record)),
        seal(key, record.signature, _context("signature", record)),
    )


def _context(kind: str, record: DocumentRecord) -> bytes:
    return row_context(kind, record.note_id, record.version, record.generation)


async def newest(
    connection: Connection, wanted: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], tuple[Any, ...]]:
    """The newest document row of each version, still sealed; open it with :func:`open_row`."""
    if not wanted:
        return {}
    cursor = await connection.execute(
        f"SELECT DISTINCT ON (note_id, version) {COLUMNS} FROM document"
        " JOIN unnest(%b::uuid[], %b::int[]) AS g (note_id, version) USING (note_id, version)"
        " WHERE sealed_document IS NOT NULL ORDER BY note_id, version, generation DESC",
        ([item[0] for item in wanted], [item[1] for item in wanted]),
    )
    return {(row[0], row[1]): row for row in await cursor.fetchall()}


async def one(
    connection: Connection, note_id: UUID, version: int, generation: int
) -> tuple[Any, ...] | None:
    """One document row, still sealed; None when purged or never made."""
    cursor = await connection.execute(
        f"SELECT {COLUMNS} FROM document WHERE note_id = %s AND version = %s"
        " AND generation = %s AND sealed_document IS NOT NULL",
        (note_id, version, generation),
    )
    return await cursor.fetchone()


async def find_by_unique_id(
    connection: Connection, unique_ids: Sequence[str]
) -> dict[str, tuple[UUID, int, int, UUID]]:
    """Where a document stands: unique id to note, version, generation and patient."""
    cursor = await connection.execute(
        "SELECT d.unique_id, d.note_id, d.version, d.generation, n.patient_id FROM document d"
        " JOIN note n ON n.id = d.note_id WHERE d.unique_id = ANY(%b)",
        (list(unique_ids),),
    )
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in await cursor.fetchall()}


def open_row(row: tuple[Any, ...], key: bytes) -> DocumentRecord:
    """Unseal a row.

    Raises:
        ContentGone: the key does not fit.
    """
    note_id, version, generation = row[0], row[1], row[2]
    context = (note_id, version, generation)
    document = unseal(key, row[12], row_context("document", *context))
    signature = unseal(key, row[13], row_context("signature", *context))
    return DocumentRecord(
        note_id=note_id,
        version=version,
        generation=generation,
        unique_id=row[3],
        entry_uuid=row[4],
        media_type=row[5],
        assembled_at=row[6],
        name_protected=row[7],
        sha1=row[8],
        sha256=row[9],
        size_bytes=row[10],
        signing_key=row[11],
        document=document,
        signature=signature,
    )


async def newest_generation(
    connection: Connection, note_id: UUID, version: int | None
) -> int | None:
    """The newest document generation of a version; None without one."""
    cursor = await connection.execute(
        "SELECT max(generation) FROM document WHERE note_id = %s AND version = %s",
        (note_id, version),
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def entry_uuid(
    connection: Connection, note_id: UUID, version: int, generation: int
) -> UUID | None:
    """The registry id of one document, purged or not."""
    cursor = await connection.execute(
        "SELECT entry_uuid FROM document WHERE note_id = %s AND version = %s AND generation = %s",
        (note_id, version, generation),
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def mark_offered(
    connection: Connection, note_id: UUID, version: int, generation: int
) -> None:
    """Note, before it is sent, that a document's id may become known to the registry."""
    await connection.execute(
        "UPDATE document SET is_offered = true WHERE note_id = %s AND version = %s"
        " AND generation = %s AND NOT is_offered",
        (note_id, version, generation),
    )
