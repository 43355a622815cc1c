"""Notes as the pipeline sees them: loaded and locked by the batch, written by the batch.

Gives records back, never rows. Nothing here commits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from gateway.pipeline.records import (
    DecisionChange,
    NoteRecord,
    PatientRecord,
    StoredDecision,
    VersionFacts,
    VersionRecord,
)
from gateway.states import VersionState, check_version_move
from gateway.storage import deliveries
from gateway.storage.database import Connection, as_json
from gateway.storage.practices import practice_from_row

NOTE_COLUMNS: Final = """
    n.id, n.source_note_id, n.newest_version, n.markings, n.markings_revision, n.withdrawn_at,
    n.next_due_at,
    p.id, p.sor_code, p.provider_number, p.name, p.enrolled, p.sharing_start, p.share_history,
    t.id, t.wrapped_key, t.death_date, t.name_protected, t.facts_at
"""
NOTE_TABLES: Final = """
    note n JOIN practice p ON p.id = n.practice_id JOIN patient t ON t.id = n.patient_id
"""
BY_ID: Final = f"SELECT {NOTE_COLUMNS} FROM {NOTE_TABLES} WHERE n.id = ANY(%b) ORDER BY n.id"
BY_PATIENT: Final = (
    f"SELECT {NOTE_COLUMNS} FROM {NOTE_TABLES} WHERE n.patient_id = %b ORDER BY n.id"
)

VERSIONS: Final = """
SELECT v.note_id, v.version, v.state, v.received_at, v.facts, v.wrapped_key, v.sealed_note,
       d.generation, d.name_protected, d.is_offered
FROM note_version v
LEFT JOIN LATERAL (
    SELECT generation, name_protected, is_offered FROM document
    WHERE document.note_id = v.note_id AND document.version = v.version
    ORDER BY generation DESC LIMIT 1
) d ON true
WHERE v.note_id = ANY(%b) ORDER BY v.note_id, v.version
"""

UPSERT_DECISIONS: Final = """
INSERT INTO publication (note_id, version, decisions, decided_at, rules)
SELECT note_id, version, decisions::jsonb, %s, %s
FROM unnest(%b::uuid[], %b::int[], %b::text[]) AS g (note_id, version, decisions)
ON CONFLICT (note_id, version) DO UPDATE SET
    decisions = publication.decisions || EXCLUDED.decisions,
    decided_at = EXCLUDED.decided_at, rules = EXCLUDED.rules
"""

UPDATE_STATES: Final = """
UPDATE note_version SET state = g.state
FROM unnest(%b::uuid[], %b::int[], %b::text[]) AS g (note_id, version, state)
WHERE note_version.note_id = g.note_id AND note_version.version = g.version
"""

UPDATE_DUE: Final = """
UPDATE note SET next_due_at = g.due
FROM unnest(%b::uuid[], %b::timestamptz[]) AS g (id, due)
WHERE note.id = g.id AND note.next_due_at IS DISTINCT FROM g.due
"""

CLAIM_DUE: Final = """
SELECT id FROM note WHERE next_due_at <= %s ORDER BY next_due_at LIMIT %s
FOR UPDATE SKIP LOCKED
"""


async def lock(connection: Connection, note_ids: Iterable[UUID]) -> list[NoteRecord]:
    """Lock these notes and their deliveries until the end of the transaction and load them."""
    cursor = await connection.execute(f"{BY_ID} FOR UPDATE OF n", (sorted(set(note_ids)),))
    return await _complete(connection, await cursor.fetchall(), lock=True)


async def load(connection: Connection, note_ids: Sequence[UUID]) -> list[NoteRecord]:
    """Load notes with versions, decisions and deliveries; unknown ids are left out."""
    cursor = await connection.execute(BY_ID, (list(note_ids),))
    return await _complete(connection, await cursor.fetchall())


async def load_of_patient(connection: Connection, patient_id: UUID) -> list[NoteRecord]:
    """Every note of one patient."""
    cursor = await connection.execute(BY_PATIENT, (patient_id,))
    return await _complete(connection, await cursor.fetchall())


async def _complete(
    connection: Connection, rows: list[tuple[Any, ...]], *, lock: bool = False
) -> list[NoteRecord]:
    ids = [row[0] for row in rows]
    if not ids:
        return []
    # First of all, so that what is read next is what the last sender left behind.
    under_way = await deliveries.load(connection, ids, lock=lock)
    versions = await _versions(connection, ids)
    decisions = await _decisions(connection, ids)
    return [
        NoteRecord(
            note_id=row[0],
            source_note_id=row[1],
            newest_version=row[2],
            markings=row[3],
            markings_revision=row[4],
            withdrawn_at=row[5],
            next_due=row[6],
            practice=practice_from_row(row[7:14]),
            patient=PatientRecord(*row[14:19]),
            # A version that came between the two readings is left for the next: judged
            # by the markings read before it, it might be shown against its own.
            versions=tuple(each for each in versions[row[0]] if each.version <= row[2]),
            decisions=decisions[row[0]],
            delivery=under_way.get(row[0]),
        )
        for row in rows
    ]


async def _versions(connection: Connection, ids: list[UUID]) -> dict[UUID, list[VersionRecord]]:
    cursor = await connection.execute(VERSIONS, (ids,))
    found: dict[UUID, list[VersionRecord]] = defaultdict(list)
    for row in await cursor.fetchall():
        found[row[0]].append(
            VersionRecord(
                version=row[1],
                state=VersionState(row[2]),
                received_at=row[3],
                facts=VersionFacts.from_json(row[4]),
                wrapped_key=row[5],
                sealed_note=row[6],
                generation=row[7],
                document_protected=row[8],
                document_offered=row[9],
            )
        )
    return found


async def _decisions(
    connection: Connection, ids: list[UUID]
) -> dict[UUID, dict[tuple[int, str], StoredDecision]]:
    cursor = await connection.execute(
        "SELECT note_id, version, decisions FROM publication WHERE note_id = ANY(%b)", (ids,)
    )
    found: dict[UUID, dict[tuple[int, str], StoredDecision]] = defaultdict(dict)
    for note_id, version, decisions in await cursor.fetchall():
        for destination, (decision, code, until) in decisions.items():
            instant = datetime.fromisoformat(until) if until else None
            found[note_id][version, destination] = StoredDecision(decision, code, instant)
    return found


async def store_decisions(
    connection: Connection, changes: Sequence[DecisionChange], now: datetime, rules: str
) -> None:
    """Store decisions that are new or have changed, with the version of their rules."""
    by_version: dict[tuple[UUID, int], dict[str, tuple[str, str, str | None]]] = {}
    for change in changes:
        until = change.until.isoformat() if change.until else None
        by_version.setdefault((change.note_id, change.version), {})[change.destination] = (
            change.decision,
            change.code,
            until,
        )
    if by_version:
        await connection.execute(
            UPSERT_DECISIONS,
            (
                now,
                rules,
                [note_id for note_id, _ in by_version],
                [version for _, version in by_version],
                [as_json(decisions) for decisions in by_version.values()],
            ),
        )


async def move_versions(
    connection: Connection,
    moves: Sequence[tuple[UUID, int, VersionState, VersionState]],
) -> None:
    """Move versions from one state to another.

    Raises:
        IllegalMove: a pair that ``states.py`` does not allow.
    """
    for _, _, before, after in moves:
        check_version_move(before, after)
    changed = [move for move in moves if move[2] is not move[3]]
    if changed:
        await connection.execute(
            UPDATE_STATES,
            (
                [move[0] for move in changed],
                [move[1] for move in changed],
                [move[3].value for move in changed],
            ),
        )


async def set_due(connection: Connection, due: Sequence[tuple[UUID, datetime | None]]) -> None:
    """Note when time alone will next change something."""
    if due:
        await connection.execute(UPDATE_DUE, ([item[0] for item in due], [item[1] for item in due]))


async def claim_due(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """Notes whose time has come, locked; those another worker holds are passed over."""
    cursor = await connection.execute(CLAIM_DUE, (now, limit))
    return [row[0] for row in await cursor.fetchall()]


async def set_markings(connection: Connection, note_id: UUID, markings: dict[str, Any]) -> None:
    """Write the markings of a locked note and count the revision up."""
    await connection.execute(
        "UPDATE note SET markings = %s, markings_revision = markings_revision + 1 WHERE id = %s",
        (Jsonb(markings), note_id),
    )


async def set_delay(
    connection: Connection, note_id: UUID, version: int, delay_until: datetime | None
) -> None:
    """Write the delay of one version of a locked note, and count the revision up."""
    text = delay_until.isoformat() if delay_until else None
    await connection.execute(
        "UPDATE note_version SET facts = facts || jsonb_build_object('delay_until', %s::text)"
        " WHERE note_id = %s AND version = %s",
        (text, note_id, version),
    )
    await connection.execute(
        "UPDATE note SET markings_revision = markings_revision + 1 WHERE id = %s", (note_id,)
    )


async def withdraw(connection: Connection, note_id: UUID, now: datetime) -> None:
    """Mark a locked note as withdrawn."""
    await connection.execute(
        "UPDATE note SET withdrawn_at = %s WHERE id = %s AND withdrawn_at IS NULL", (now, note_id)
    )


async def purge(connection: Connection, note_id: UUID) -> None:
    """Destroy the keys and content of a withdrawn note; hashes and metadata stay.

    The categories that were derived or marked are dropped too: they tell what
    the content was about.
    """
    await connection.execute(
        "UPDATE note_version SET wrapped_key = NULL, sealed_note = NULL, state = %s,"
        " facts = facts || '{\"sensitive\": []}' WHERE note_id = %s AND state = %s",
        (VersionState.PURGED.value, note_id, VersionState.WITHDRAWN.value),
    )
    await connection.execute(
        "UPDATE document SET sealed_document = NULL, sealed_signature = NULL WHERE note_id = %s",
        (note_id,),
    )
    await connection.execute(
        "UPDATE note SET markings = markings || '{\"sensitive\": []}' WHERE id = %s", (note_id,)
    )


async def claim_unpurged(connection: Connection, limit: int) -> list[UUID]:
    """Withdrawn notes whose content is still there, locked."""
    cursor = await connection.execute(
        "SELECT n.id FROM note n WHERE n.withdrawn_at IS NOT NULL AND EXISTS (SELECT 1"
        " FROM note_version v WHERE v.note_id = n.id AND v.state = 'withdrawn')"
        " LIMIT %s FOR UPDATE SKIP LOCKED",
        (limit,),
    )
    return [row[0] for row in await cursor.fetchall()]


async def unprocessed(
    connection: Connection, before: datetime, limit: int, *, due_after: datetime
) -> list[UUID]:
    """Notes with a version that was received before ``before`` and not taken further.

    What the timers take up by ``due_after`` is left to them: notes that failed and
    are to be tried again would otherwise fill the batch, and no other get a turn.
    """
    cursor = await connection.execute(
        "SELECT DISTINCT v.note_id FROM note_version v JOIN note n ON n.id = v.note_id"
        " WHERE v.state = 'received' AND v.received_at < %s"
        " AND (n.next_due_at IS NULL OR n.next_due_at > %s) LIMIT %s",
        (before, due_after, limit),
    )
    return [row[0] for row in await cursor.fetchall()]


async def notes_of_patient(connection: Connection, patient_id: UUID) -> list[UUID]:
    """The ids of a patient's notes."""
    cursor = await connection.execute("SELECT id FROM note WHERE patient_id = %s", (patient_id,))
    return [row[0] for row in await cursor.fetchall()]


async def warnings_of(connection: Connection, note_id: UUID) -> dict[int, list[Any]]:
    """The warnings of each version, as they stood in its receipt."""
    cursor = await connection.execute(
        "SELECT version, warnings FROM note_version WHERE note_id = %s", (note_id,)
    )
    return dict(await cursor.fetchall())


async def outdated(connection: Connection, rules: str, limit: int) -> list[UUID]:
    """Notes with a decision made under other rules."""
    cursor = await connection.execute(
        "SELECT DISTINCT note_id FROM publication WHERE rules <> %s LIMIT %s", (rules, limit)
    )
    return [row[0] for row in await cursor.fetchall()]


async def stamp_rules(connection: Connection, note_ids: Sequence[UUID], rules: str) -> None:
    """Write down that these notes' decisions hold under these rules too."""
    await connection.execute(
        "UPDATE publication SET rules = %s WHERE note_id = ANY(%b) AND rules <> %s",
        (rules, list(note_ids), rules),
    )
