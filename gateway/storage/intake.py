"""Takes a group of valid submissions into the store, in one transaction.

Concurrent senders share a commit (design.md section 2): what is read here is
read for the whole group and written for the whole group. New notes go first,
in one statement; what is left is looked at closely. Each statement locks rows in
the order of their ids. Two processes may still wait for each other in a circle
when the same notes are sent to both again: the server then stops one of them,
nothing of its group is stored, and the senders are told to send again.

What a stop leaves behind: before the commit, nothing; after it, everything
including the job. There is no state in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Final
from uuid import UUID

from gateway.errors import Unavailable
from gateway.pipeline.audit import AuditEntry
from gateway.pipeline.intake_judge import Claim, KnownNote, Standing, Verdict, judge
from gateway.pipeline.markings import merge_markings
from gateway.pipeline.pipeline_audit import entry_for_receipt, entry_for_refusal
from gateway.pipeline.records import Receipt, Refused, Submission
from gateway.states import VersionState
from gateway.storage import audit_log
from gateway.storage.database import Connection, Lane, as_json, copy_rows, defer_job
from gateway.storage.intake_new import (
    PROCESS_TASK,
    VERSION_TYPES,
    Newcomer,
    store_new,
    version_row,
)
from gateway.storage.intake_standing import earlier_versions, enrolled_practices, known_notes
from gateway.storage.patient_keys import PatientKeys

Outcome = Receipt | Refused

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
        Unavailable: nothing of the group is stored then; AuditUnwritable is one.
    """
    keys = await patient_keys.of_known(connection, {item.patient_id for item in group})
    outcomes = await _store_new(connection, [i for i in group if i.patient_id in keys], keys)
    rest = [item for item in group if item.note_id not in outcomes]
    if rest:
        outcomes |= await _store_others(connection, patient_keys, rest, keys)
    await audit_log.append(connection, rejections)
    return [outcomes[item.note_id] for item in group], keys


async def _store_new(
    connection: Connection, group: Sequence[Submission], keys: Mapping[UUID, bytes]
) -> dict[UUID, Outcome]:
    """Store those whose note is new and whose practice is enrolled; the others are left out."""
    newcomers = []
    for item in group:
        receipt = _outcome(item, judge(_claim(item), Standing(is_enrolled=True)))
        assert isinstance(receipt, Receipt)
        newcomers.append(Newcomer(item, receipt, entry_for_receipt(item, receipt)))
    stored = await store_new(connection, newcomers, keys)
    return {
        each.submission.note_id: each.receipt
        for each in newcomers
        if each.submission.note_id in stored
    }


async def _store_others(
    connection: Connection,
    patient_keys: PatientKeys,
    group: Sequence[Submission],
    keys: dict[UUID, bytes],
) -> dict[UUID, Outcome]:
    """Notes of new patients, then updates, repeats and refusals: look first, then store.

    Keys that are made join ``keys``.
    """
    enrolled = await enrolled_practices(connection, {item.practice_id for item in group})
    first = [i for i in group if i.practice_id in enrolled and i.patient_id not in keys]
    outcomes: dict[UUID, Outcome] = {}
    if first:
        keys |= await patient_keys.make(connection, first)
        outcomes = await _store_new(connection, [i for i in first if i.patient_id in keys], keys)
    rest = [item for item in group if item.note_id not in outcomes]
    return outcomes | await _store_known(connection, rest, enrolled, keys)


async def _store_known(
    connection: Connection,
    group: Sequence[Submission],
    enrolled: Set[UUID],
    keys: Mapping[UUID, bytes],
) -> dict[UUID, Outcome]:
    """Settle what is no new note, under a lock on each note that is here."""
    known = await known_notes(connection, [item.note_id for item in group], lock=True)
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
            if standing.note is None:
                raise Unavailable("the practice or the patient joined while this was stored")
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
    entries = [_entry(item, outcomes[item.note_id]) for item in group]
    await audit_log.append(connection, entries)
    return outcomes


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
    keys: Mapping[UUID, bytes],
) -> None:
    rows = (version_row(item, receipt, keys[item.patient_id]) for item, receipt in accepted)
    await copy_rows(connection, "note_version", VERSION_TYPES, rows)


async def _update_notes(
    connection: Connection,
    accepted: Sequence[tuple[Submission, Receipt]],
    known: dict[UUID, KnownNote],
) -> None:
    changed = [item for item, _ in accepted]
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
