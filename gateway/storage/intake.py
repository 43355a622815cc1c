"""Takes a group of valid submissions into the store, in one transaction.

Concurrent senders share a commit (design.md section 2): what is read here is
read for the whole group, what is written is written in one statement per
table, and the group defers one job. Rows are locked in the order of their
ids, so that groups of different processes never wait for each other in a
circle.

What a stop leaves behind: before the commit, nothing; after it, everything
including the job. There is no state in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from consent.times import next_midnight
from gateway.keys import KeyRing, new_key, row_context, seal
from gateway.pipeline import intake_issues
from gateway.pipeline.audit import AuditEntry
from gateway.pipeline.markings import DEFAULT_MARKINGS, merge_markings
from gateway.pipeline.pipeline_audit import entry_for_receipt, entry_for_refusal
from gateway.pipeline.records import JsonObject, Receipt, Refused, Submission
from gateway.states import VersionState
from gateway.storage import audit_log
from gateway.storage.database import Connection, Lane, as_json, copy_rows, defer_job

Outcome = Receipt | Refused
PROCESS_TASK: Final = "process"

INSERT_PATIENTS: Final = """
INSERT INTO patient (id, cpr_hash, wrapped_key, sealed_cpr)
SELECT * FROM unnest(%b::uuid[], %b::bytea[], %b::bytea[], %b::bytea[])
ON CONFLICT DO NOTHING RETURNING id
"""

INSERT_NOTES: Final = """
INSERT INTO note (id, practice_id, source_note_id, patient_id, newest_version, markings,
                  markings_revision, next_due_at)
SELECT id, practice_id, source_note_id, patient_id, version, markings::jsonb, 1, due
FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::uuid[], %b::int[], %b::text[],
            %b::timestamptz[])
     AS g (id, practice_id, source_note_id, patient_id, version, markings, due)
ORDER BY id
ON CONFLICT DO NOTHING RETURNING id
"""

LOCK_NOTES: Final = """
SELECT id, patient_id, newest_version, markings, markings_revision, withdrawn_at
FROM note WHERE id = ANY(%b) ORDER BY id FOR UPDATE
"""

EXISTING_VERSIONS: Final = """
SELECT v.note_id, v.version, v.receipt_id, v.content_sha256, v.content_mac, v.received_at,
       v.state, v.warnings
FROM note_version v
JOIN unnest(%b::uuid[], %b::int[]) AS g (note_id, version) USING (note_id, version)
"""

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

UPDATE_NOTES: Final = """
UPDATE note SET newest_version = g.version, markings = g.markings::jsonb,
                markings_revision = note.markings_revision + g.changed::int
FROM unnest(%b::uuid[], %b::int[], %b::text[], %b::boolean[])
     AS g (id, version, markings, changed)
WHERE note.id = g.id
"""


@dataclass(frozen=True, slots=True)
class _KnownNote:
    patient_id: UUID
    newest_version: int
    markings: JsonObject
    is_withdrawn: bool


class PatientKeys:
    """Keys of patients this process has met, so that they need not be read again.

    Only keys that a commit has made lasting are kept; at most ``limit`` of them.
    """

    def __init__(self, ring: KeyRing, limit: int = 20_000) -> None:
        self._ring = ring
        self._limit = limit
        self._keys: dict[UUID, bytes] = {}

    async def ensure(self, connection: Connection, people: dict[UUID, str]) -> dict[UUID, bytes]:
        """The key of each patient, making those that are new.

        Args:
            people: patient id to CPR number.
        """
        found = {id_: self._keys[id_] for id_ in people if id_ in self._keys}
        missing = sorted(id_ for id_ in people if id_ not in found)
        if not missing:
            return found
        found |= await self._read(connection, missing)
        fresh = [id_ for id_ in missing if id_ not in found]
        if fresh:
            made = {id_: new_key() for id_ in fresh}
            cursor = await connection.execute(
                INSERT_PATIENTS,
                (
                    fresh,
                    [self._ring.cpr_hash(people[id_]) for id_ in fresh],
                    [self._ring.wrap_patient_key(made[id_], id_) for id_ in fresh],
                    [
                        seal(made[id_], people[id_].encode(), row_context("cpr", id_))
                        for id_ in fresh
                    ],
                ),
            )
            inserted = {row[0] for row in await cursor.fetchall()}
            found |= {id_: made[id_] for id_ in inserted}
            # Another process was first with these: its key counts.
            found |= await self._read(connection, [id_ for id_ in fresh if id_ not in inserted])
        return found

    async def _read(self, connection: Connection, ids: list[UUID]) -> dict[UUID, bytes]:
        if not ids:
            return {}
        cursor = await connection.execute(
            "SELECT id, wrapped_key FROM patient WHERE id = ANY(%b)", (ids,)
        )
        return {
            id_: self._ring.unwrap_patient_key(wrapped, id_)
            for id_, wrapped in await cursor.fetchall()
            if wrapped is not None
        }

    def keep(self, keys: dict[UUID, bytes]) -> None:
        """Remember keys whose transaction has been committed."""
        if len(self._keys) + len(keys) > self._limit:
            self._keys.clear()
        self._keys |= keys


async def store_group(
    connection: Connection,
    ring: KeyRing,
    patient_keys: PatientKeys,
    group: Sequence[Submission],
    rejections: Sequence[AuditEntry] = (),
) -> tuple[list[Outcome], dict[UUID, bytes]]:
    """Store what can be stored of a group and say what became of each.

    Args:
        group: no two of the same note; the caller keeps twins for the next group.
        rejections: audit entries of submissions that never became a note.

    Returns:
        An outcome per submission in the order given, and the patients' keys for
        ``patient_keys.keep`` once the transaction is committed.

    Raises:
        AuditUnwritable: nothing of the group is stored then.
    """
    if not group:
        await audit_log.append(connection, rejections)
        return [], {}
    enrolled = await _enrolled(connection, {item.practice_id for item in group})
    keys = await patient_keys.ensure(connection, {item.patient_id: item.cpr for item in group})
    known = await _place_notes(connection, [s for s in group if s.practice_id in enrolled])
    earlier = await _earlier_versions(connection, group, known)
    outcomes: list[Outcome] = []
    accepted: list[Submission] = []
    for item in group:
        outcome = _judge(item, enrolled, known.get(item.note_id), earlier)
        if outcome is None:
            accepted.append(item)
            outcome = _receipt(item, known.get(item.note_id))
        outcomes.append(outcome)
    if accepted:
        await _insert_versions(connection, accepted, keys)
        await _update_notes(connection, accepted, known)
        await defer_job(
            connection,
            PROCESS_TASK,
            {"note_ids": [str(item.note_id) for item in accepted]},
            Lane.LIVE,
        )
    entries = [_entry(item, outcome) for item, outcome in zip(group, outcomes, strict=True)]
    await audit_log.append(connection, [*entries, *rejections])
    return outcomes, keys


async def _enrolled(connection: Connection, practices: set[UUID]) -> set[UUID]:
    cursor = await connection.execute(
        "SELECT id FROM practice WHERE id = ANY(%b) AND enrolled", (list(practices),)
    )
    return {row[0] for row in await cursor.fetchall()}


async def _place_notes(
    connection: Connection, group: Sequence[Submission]
) -> dict[UUID, _KnownNote]:
    """Insert the notes that are new; lock and return those that are not."""
    ordered = sorted(group, key=lambda item: item.note_id)
    cursor = await connection.execute(
        INSERT_NOTES,
        (
            [item.note_id for item in ordered],
            [item.practice_id for item in ordered],
            [item.source_note_id for item in ordered],
            [item.patient_id for item in ordered],
            [item.version for item in ordered],
            [as_json(merge_markings(DEFAULT_MARKINGS, item.named_markings)) for item in ordered],
            # Right for the ordinary note; the pipeline works out the exact instant.
            [next_midnight(item.facts.completed_at) for item in ordered],
        ),
    )
    new = {row[0] for row in await cursor.fetchall()}
    others = [item.note_id for item in ordered if item.note_id not in new]
    if not others:
        return {}
    cursor = await connection.execute(LOCK_NOTES, (others,))
    return {
        row[0]: _KnownNote(row[1], row[2], row[3], row[5] is not None)
        for row in await cursor.fetchall()
    }


async def _earlier_versions(
    connection: Connection, group: Sequence[Submission], known: dict[UUID, _KnownNote]
) -> dict[tuple[UUID, int], tuple[Receipt, bytes]]:
    wanted = [item for item in group if item.note_id in known]
    if not wanted:
        return {}
    cursor = await connection.execute(
        EXISTING_VERSIONS,
        ([item.note_id for item in wanted], [item.version for item in wanted]),
    )
    return {
        (row[0], row[1]): (
            Receipt(row[0], row[2], row[1], row[3], row[5], row[6], tuple(row[7]), replayed=True),
            row[4],
        )
        for row in await cursor.fetchall()
    }


def _judge(
    item: Submission,
    enrolled: set[UUID],
    known: _KnownNote | None,
    earlier: dict[tuple[UUID, int], tuple[Receipt, bytes]],
) -> Outcome | None:
    """What is already settled about this submission; None: store it."""
    if item.practice_id not in enrolled:
        return Refused(403, intake_issues.not_enrolled())
    if known is None:
        return None
    before = earlier.get((item.note_id, item.version))
    if before is not None:
        receipt, content_mac = before
        if content_mac == item.content_mac and known.patient_id == item.patient_id:
            return receipt
        return Refused(409, intake_issues.version_conflict(item.version))
    if item.version < known.newest_version:
        return Refused(409, intake_issues.version_old(item.version, known.newest_version))
    if known.is_withdrawn:
        return Refused(409, intake_issues.note_withdrawn())
    if known.patient_id != item.patient_id:
        return Refused(409, intake_issues.other_patient())
    return None


def _receipt(item: Submission, known: _KnownNote | None) -> Receipt:
    expected = known.newest_version + 1 if known else 1
    warnings = item.warnings
    if item.version > expected:
        warnings = (*warnings, intake_issues.version_gap(item.version, expected).to_json())
    return Receipt(
        item.note_id,
        item.receipt_id,
        item.version,
        item.content_sha256,
        item.received_at,
        VersionState.RECEIVED,
        warnings,
    )


async def _insert_versions(
    connection: Connection, accepted: Sequence[Submission], keys: dict[UUID, bytes]
) -> None:
    rows = (_version_row(item, keys[item.patient_id]) for item in accepted)
    await copy_rows(connection, "note_version", VERSION_TYPES, rows)


def _version_row(item: Submission, patient_key: bytes) -> tuple[Any, ...]:
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
        Jsonb(item.warnings),
        seal(patient_key, key, row_context("version", *place)),
        seal(key, item.note_bytes, row_context("note", *place)),
    )


async def _update_notes(
    connection: Connection, accepted: Sequence[Submission], known: dict[UUID, _KnownNote]
) -> None:
    changed = [item for item in accepted if item.note_id in known]
    if not changed:
        return
    merged = [merge_markings(known[item.note_id].markings, item.named_markings) for item in changed]
    await connection.execute(
        UPDATE_NOTES,
        (
            [item.note_id for item in changed],
            [item.version for item in changed],
            [as_json(markings) for markings in merged],
            [
                markings != known[item.note_id].markings
                for item, markings in zip(changed, merged, strict=True)
            ],
        ),
    )


def _entry(item: Submission, outcome: Outcome) -> AuditEntry:
    if isinstance(outcome, Refused):
        return entry_for_refusal(item, outcome)
    return entry_for_receipt(item, outcome)
