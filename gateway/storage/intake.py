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
from typing import Any, Final, LiteralString
from uuid import UUID

from consent.times import next_midnight
from gateway.pipeline.audit import AuditEntry
from gateway.pipeline.intake_judge import Claim, KnownNote, Standing, Verdict, judge
from gateway.pipeline.markings import DEFAULT_MARKINGS, merge_markings
from gateway.pipeline.pipeline_audit import entry_for_receipt, entry_for_refusal
from gateway.pipeline.records import Receipt, Refused, Submission
from gateway.states import VersionState
from gateway.storage import audit_log
from gateway.storage.database import Connection, Lane, as_json, copy_rows, defer_job
from gateway.storage.intake_new import PROCESS_TASK, Newcomer, store_new, version_values
from gateway.storage.intake_standing import earlier_versions, enrolled_practices, known_notes
from gateway.storage.patient_keys import PatientKeys

Outcome = Receipt | Refused

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


async def store_group(
    connection: Connection,
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
    keys = await patient_keys.of_known(connection, {item.patient_id for item in group})
    newcomers = [_newcomer(item) for item in group if item.patient_id in keys]
    new = await store_new(connection, newcomers, keys)
    outcomes: dict[UUID, Outcome] = {
        each.submission.note_id: each.receipt
        for each in newcomers
        if each.submission.note_id in new
    }
    rest = [item for item in group if item.note_id not in new]
    if rest:
        settled, made = await _store_others(connection, patient_keys, rest)
        outcomes |= settled
        keys |= made
    await audit_log.append(connection, rejections)
    return [outcomes[item.note_id] for item in group], keys


def _newcomer(item: Submission) -> Newcomer:
    """What a submission gets if its note is new and its practice enrolled."""
    receipt = _outcome(item, judge(_claim(item), Standing(is_enrolled=True)))
    assert isinstance(receipt, Receipt)
    return Newcomer(item, receipt, entry_for_receipt(item, receipt))


async def _store_others(
    connection: Connection, patient_keys: PatientKeys, group: Sequence[Submission]
) -> tuple[dict[UUID, Outcome], dict[UUID, bytes]]:
    """Updates, repeats, refusals and notes of new patients: look first, then store."""
    enrolled = await enrolled_practices(connection, {item.practice_id for item in group})
    welcome = [item for item in group if item.practice_id in enrolled]
    keys = await patient_keys.ensure(connection, welcome)
    known = await _place_notes(connection, group, welcome)
    earlier = await earlier_versions(
        connection, [(item.note_id, item.version) for item in group if item.note_id in known]
    )
    outcomes: dict[UUID, Outcome] = {}
    accepted: list[tuple[Submission, Receipt]] = []
    for item in group:
        standing = Standing(
            item.practice_id in enrolled,
            known.get(item.note_id),
            earlier.get((item.note_id, item.version)),
        )
        outcome = _outcome(item, judge(_claim(item), standing))
        if isinstance(outcome, Receipt) and not outcome.replayed:
            accepted.append((item, outcome))
        outcomes[item.note_id] = outcome
    if accepted:
        await _insert_versions(connection, accepted, keys)
        await _update_notes(connection, accepted, known)
        await defer_job(
            connection,
            PROCESS_TASK,
            {"note_ids": [str(item.note_id) for item, _ in accepted]},
            Lane.LIVE,
        )
    await audit_log.append(connection, [_entry(item, outcomes[item.note_id]) for item in group])
    return outcomes, keys


async def _place_notes(
    connection: Connection, group: Sequence[Submission], welcome: Sequence[Submission]
) -> dict[UUID, KnownNote]:
    """Insert the notes that are new and welcome; lock and return those that are not new."""
    ordered = sorted(welcome, key=lambda item: item.note_id)
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
    return await known_notes(
        connection, [item.note_id for item in group if item.note_id not in new], lock=True
    )


def _claim(item: Submission) -> Claim:
    return Claim(item.places, item.version, item.patient_id, item.content_mac)


def _outcome(item: Submission, verdict: Verdict) -> Outcome:
    if verdict.issues:
        return Refused(verdict.issues)
    if verdict.replayed is not None:
        return verdict.replayed
    return Receipt(
        item.note_id,
        item.receipt_id,
        item.version,
        item.content_sha256,
        item.received_at,
        VersionState.RECEIVED,
        (*item.warnings, *(warning.to_json() for warning in verdict.warnings)),
    )


async def _insert_versions(
    connection: Connection,
    accepted: Sequence[tuple[Submission, Receipt]],
    keys: dict[UUID, bytes],
) -> None:
    rows = (_version_row(item, receipt, keys[item.patient_id]) for item, receipt in accepted)
    await copy_rows(connection, "note_version", VERSION_TYPES, rows)


def _version_row(item: Submission, receipt: Receipt, patient_key: bytes) -> tuple[Any, ...]:
    return item.note_id, *version_values(item, receipt, patient_key)


async def _update_notes(
    connection: Connection,
    accepted: Sequence[tuple[Submission, Receipt]],
    known: dict[UUID, KnownNote],
) -> None:
    changed = [item for item, _ in accepted if item.note_id in known]
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
