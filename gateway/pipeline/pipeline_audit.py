"""From what the pipeline did to the audit entry that tells of it.

Pure: one function per kind of event.

Source: sharing-rules 11.1 (groups of fields).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.pipeline.audit import AuditAction, AuditEntry
from gateway.pipeline.markings import VERSION_MARKING
from gateway.pipeline.ports import Attempt
from gateway.pipeline.records import (
    DeliveryRecord,
    DocumentRecord,
    NoteChange,
    NoteRecord,
    Receipt,
    Refused,
    Submission,
)
from gateway.states import VersionState
from mappers.issues import Issue


def practice_actor(practice_id: UUID) -> str:
    """How a practice system is called in the column ``actor``."""
    return f"practice:{practice_id}"


def _note(note: NoteRecord, version: int | None = None) -> dict[str, Any]:
    return {
        "note_id": str(note.note_id),
        "version": note.newest_version if version is None else version,
        "author_org": note.practice.sor_code,
    }


def entry_for_receipt(item: Submission, receipt: Receipt) -> AuditEntry:
    """A version was acknowledged; of a replay too there is an entry."""
    return AuditEntry(
        AuditAction.RECEIVED,
        item.received_at,
        {
            "note": {
                "note_id": str(item.note_id),
                "version": item.version,
                "content_sha256": item.content_sha256.hex(),
                "author_org": item.facts.author_org,
            },
            "outcome": "replayed" if receipt.replayed else "stored",
            "receipt_id": str(receipt.receipt_id),
            "named_markings": sorted(item.named_markings),
            "request_id": item.request_id,
        },
        patient_id=item.patient_id,
        practice_id=item.practice_id,
        actor=practice_actor(item.practice_id),
    )


def entry_for_refusal(item: Submission, refused: Refused) -> AuditEntry:
    """A valid note that the store could not take; its codes and nothing else."""
    return entry_for_rejection(
        item.practice_id,
        item.facts.author_org,
        item.request_id,
        refused.issues,
        item.received_at,
    )


def entry_for_rejection(
    practice_id: UUID,
    sor_code: str,
    request_id: str,
    issues: Sequence[Issue],
    now: datetime,
) -> AuditEntry:
    """A submission was refused; its codes and nothing else."""
    return AuditEntry(
        AuditAction.REJECTED,
        now,
        {
            "codes": sorted({issue.code for issue in issues}),
            "sor_code": sor_code,
            "request_id": request_id,
        },
        practice_id=practice_id,
        actor=practice_actor(practice_id),
    )


def entry_for_moves(change: NoteChange, trigger: str, now: datetime) -> AuditEntry:
    """What processing did to one note: moves, documents, decisions, wish."""
    note = change.note
    details: dict[str, Any] = {
        "note": _note(note),
        "trigger": trigger,
        "moves": [
            {"version": version, "from": before.value, "to": after.value}
            for version, before, after in change.moves
        ],
        "decisions": [
            {
                "version": decision.version,
                "destination": decision.destination,
                "decision": decision.decision,
                "code": decision.code,
                "until": decision.until.isoformat() if decision.until else None,
            }
            for decision in change.decisions
        ],
        "documents": [_document(record) for record, _ in change.made],
    }
    if change.parked:
        details["parked"] = {str(version): code for version, code in change.parked.items()}
    if change.delivery is not None:
        details["national"] = {
            "wanted_version": change.delivery.wanted_version,
            "state": change.delivery.state.value,
        }
    return AuditEntry(
        AuditAction.MOVED,
        now,
        details,
        patient_id=note.patient.patient_id,
        practice_id=note.practice.practice_id,
        actor="system:pipeline",
    )


def _document(record: DocumentRecord) -> dict[str, Any]:
    return {
        "version": record.version,
        "generation": record.generation,
        "unique_id": record.unique_id,
        "sha256": record.sha256.hex(),
        "size_bytes": record.size_bytes,
        "signing_key": record.signing_key,
    }


def entry_for_purge(note: NoteRecord, now: datetime) -> AuditEntry:
    """The content of a withdrawn note was destroyed."""
    return AuditEntry(
        AuditAction.PURGED,
        now,
        {
            "note": _note(note),
            "versions": [
                version.version
                for version in note.versions
                if version.state is VersionState.WITHDRAWN
            ],
        },
        patient_id=note.patient.patient_id,
        practice_id=note.practice.practice_id,
        actor="system:pipeline",
    )


def entry_for_markings(
    note: NoteRecord,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    request_id: str,
    now: datetime,
) -> AuditEntry:
    """The practice changed markings: each with its old and new value."""
    return AuditEntry(
        AuditAction.MARKING,
        now,
        {
            "note": _note(note),
            "changes": {
                name: {"from": before.get(name), "to": after.get(name)}
                for name in (*note.markings, VERSION_MARKING)
                if before.get(name) != after.get(name)
            },
            "request_id": request_id,
        },
        patient_id=note.patient.patient_id,
        practice_id=note.practice.practice_id,
        actor=practice_actor(note.practice.practice_id),
    )


def entry_for_cancel(note: NoteRecord, request_id: str, now: datetime) -> AuditEntry:
    """The practice withdrew a note."""
    return AuditEntry(
        AuditAction.CANCELLED,
        now,
        {"note": _note(note), "request_id": request_id},
        patient_id=note.patient.patient_id,
        practice_id=note.practice.practice_id,
        actor=practice_actor(note.practice.practice_id),
    )


def entry_for_attempt(
    note: NoteRecord,
    before: DeliveryRecord,
    after: DeliveryRecord,
    attempt: Attempt,
    document: DocumentRecord | None,
    now: datetime,
) -> AuditEntry:
    """One attempt at the national destination."""
    details: dict[str, Any] = {
        "note": _note(note, before.operation_version),
        "operation": before.operation.value if before.operation else None,
        "operation_id": str(before.operation_id),
        "attempt": before.attempts,
        "verdict": attempt.verdict.value,
        "code": attempt.code,
        "states": {"from": before.state.value, "to": after.state.value},
    }
    if document is not None:
        details["document"] = _document(document)
    return AuditEntry(
        AuditAction.DELIVERY,
        now,
        details,
        patient_id=note.patient.patient_id,
        practice_id=note.practice.practice_id,
        actor="system:delivery",
    )
