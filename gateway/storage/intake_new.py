"""First versions of new notes, the ordinary case: everything in one statement.

Note, version, audit entry and job go to the server together and come back with
the ids of what was stored. A note that exists already, or whose practice has
left, is passed over without a trace; :mod:`gateway.storage.intake` looks into
those one table at a time. (Measured: of the api's work on a note a fifth was
waiting for one answer after another.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from consent.times import next_midnight
from gateway.errors import AuditUnwritable
from gateway.keys import new_key, row_context, seal
from gateway.pipeline.audit import AuditEntry, entry_bytes
from gateway.pipeline.markings import DEFAULT_MARKINGS, merge_markings
from gateway.pipeline.records import Receipt, Submission
from gateway.states import VersionState
from gateway.storage.database import QUEUE, Connection, Lane

PROCESS_TASK: Final = "process"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A submission, with what it gets if its note is new."""

    submission: Submission
    receipt: Receipt
    entry: AuditEntry


VERSION_TYPES: Final[Mapping[LiteralString, LiteralString]] = {
    "note_id": "uuid",
    "version": "int4",
    "receipt_id": "uuid",
    "content_sha256": "bytea",
    "content_mac": "bytea",
    "received_at": "timestamptz",
    "state": "text",
    "facts": "jsonb",
    "warnings": "jsonb",
    "wrapped_key": "bytea",
    "sealed_note": "bytea",
}
"""A row of ``note_version``, in the order of :func:`version_row`."""

COLUMNS: Final[Mapping[LiteralString, LiteralString]] = {
    **VERSION_TYPES,
    "practice_id": "uuid",
    "source_note_id": "text",
    "patient_id": "uuid",
    "markings": "jsonb",
    "due": "timestamptz",
    "entry_id": "uuid",
    "at": "timestamptz",
    "action": "text",
    "actor": "text",
    "body": "bytea",
}
VERSION_COLUMNS: Final = ", ".join(VERSION_TYPES)
ARRAYS: Final = ", ".join(f"%b::{type_}[]" for type_ in COLUMNS.values())

STORE_NEW: Final = f"""
WITH g AS MATERIALIZED (
    SELECT g.* FROM unnest({ARRAYS}) AS g ({", ".join(COLUMNS)})
    JOIN practice ON practice.id = g.practice_id AND practice.enrolled
    ORDER BY note_id
),
fresh AS (
    INSERT INTO note (id, practice_id, source_note_id, patient_id, newest_version, markings,
                      markings_revision, next_due_at)
    SELECT note_id, practice_id, source_note_id, patient_id, version, markings, 1, due
    FROM g
    ON CONFLICT DO NOTHING RETURNING id
),
stored AS (SELECT g.* FROM g JOIN fresh ON fresh.id = g.note_id),
versions AS (
    INSERT INTO note_version ({VERSION_COLUMNS}) SELECT {VERSION_COLUMNS} FROM stored
),
entries AS (
    INSERT INTO audit_entry (entry_id, at, action, patient_id, practice_id, actor, body)
    SELECT entry_id, at, action, patient_id, practice_id, actor, body FROM stored
),
job AS (
    SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(%s, %s, %s, NULL, NULL,
               jsonb_build_object('note_ids', (SELECT jsonb_agg(id) FROM fresh)), NULL)
               ::procrastinate_job_to_defer_v1])
    WHERE EXISTS (SELECT FROM fresh)
)
SELECT id FROM fresh WHERE EXISTS (SELECT FROM job)
"""


async def store_new(
    connection: Connection, newcomers: Sequence[Newcomer], keys: Mapping[UUID, bytes]
) -> set[UUID]:
    """Store the notes that are new and whose practice is enrolled.

    Args:
        newcomers: no two of the same note.
        keys: of the patients, by their ids.

    Returns:
        The ids of the notes that were stored, and whose job is deferred.

    Raises:
        AuditUnwritable: nothing is stored.
    """
    if not newcomers:
        return set()
    rows = [_row(each, keys[each.submission.patient_id]) for each in newcomers]
    arrays = [list(column) for column in zip(*rows, strict=True)]
    try:
        cursor = await connection.execute(STORE_NEW, (*arrays, QUEUE, PROCESS_TASK, int(Lane.LIVE)))
        return set(map(itemgetter(0), await cursor.fetchall()))
    except psycopg.errors.InsufficientPrivilege as error:
        raise AuditUnwritable("audit log: not allowed to write") from error


def _row(newcomer: Newcomer, patient_key: bytes) -> tuple[Any, ...]:
    """One value per column of COLUMNS, in their order."""
    item, entry = newcomer.submission, newcomer.entry
    return (
        *version_row(item, newcomer.receipt, patient_key),
        item.practice_id,
        item.source_note_id,
        item.patient_id,
        Jsonb(merge_markings(DEFAULT_MARKINGS, item.named_markings)),
        # Right for the ordinary note; the pipeline works out the exact instant.
        next_midnight(item.facts.completed_at),
        entry.entry_id,
        entry.at,
        entry.action.value,
        entry.actor,
        entry_bytes(entry),
    )


def version_row(item: Submission, receipt: Receipt, patient_key: bytes) -> tuple[Any, ...]:
    """A row of ``note_version``, the content sealed with a new key."""
    key = new_key()
    place = (item.note_id, item.version)
    return (
        item.note_id,
        item.version,
        item.receipt_id,
        item.content_sha256,
        item.content_mac,
        item.received_at,
        VersionState.RECEIVED.value,
        Jsonb(item.facts.to_json()),
        Jsonb(receipt.warnings),
        seal(patient_key, key, row_context("version", *place)),
        seal(key, item.note_bytes, row_context("note", *place)),
    )
