"""From received to routed: decide, map, sign and route a batch of notes.

One function serves every trigger of sharing-rules 5.3: a new version, a
marking, a withdrawal, an instant that has passed, a change of the patient's
civil status or of the practice's terms. It brings what is stored in line with
what the rules say now, and does nothing where that holds already, so that it
may be run again after any stop.

All of a batch is one transaction: note rows are locked first, the audit
entries are written with the moves they tell of.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog

from consent.model import Destination
from consent.rules import RULES_VERSION, rules_hash
from gateway.clock import Clock
from gateway.errors import ContentGone, GatewayError
from gateway.keys import KeyRing, row_context, unseal
from gateway.metrics import NOTES_FAILED
from gateway.pipeline import route
from gateway.pipeline.audit import AuditEntry
from gateway.pipeline.decide import NoteDecisions, decide_note
from gateway.pipeline.document import DocumentMaker
from gateway.pipeline.pipeline_audit import entry_for_moves, entry_for_purge
from gateway.pipeline.records import (
    DecisionChange,
    NoteChange,
    NoteRecord,
    StoredDecision,
    VersionRecord,
)
from gateway.states import VersionState
from gateway.storage import audit_log, deliveries, documents, notes
from gateway.storage.database import Connection, Lane, defer_job
from mappers.errors import MappingError
from mappers.note import note_from_bytes

log = structlog.get_logger()
DELIVER_TASK = "deliver"
TRY_AGAIN_AFTER: Final = timedelta(seconds=60)


class StaleFacts(GatewayError):
    """The civil register must be asked about these patients first."""

    code = "FACTS-STALE"
    retry = "later"

    def __init__(self, patient_ids: Collection[UUID]) -> None:
        super().__init__(f"{len(patient_ids)} patients")
        self.patient_ids = tuple(patient_ids)


def rules_stamp() -> str:
    """Version and hash of the rules, as stored with every decision."""
    return f"{RULES_VERSION}+{rules_hash()[:16]}"


class Processor:
    """Runs the middle of the pipeline over batches of notes.

    Args:
        has_national: whether there is a national destination at all.
    """

    def __init__(
        self, ring: KeyRing, clock: Clock, maker: DocumentMaker, *, has_national: bool
    ) -> None:
        self._ring = ring
        self._clock = clock
        self._maker = maker
        self._has_national = has_national

    async def process(
        self,
        connection: Connection,
        note_ids: Sequence[UUID],
        lane: Lane,
        trigger: str,
        *,
        facts_after: datetime | None = None,
    ) -> int:
        """Bring these notes in line with the rules; returns how many changed.

        Args:
            lane: of the deliveries that follow.
            trigger: why this runs, for the audit entry.
            facts_after: the civil register's word on each patient must be newer.

        Raises:
            StaleFacts: it is not, for these patients; nothing was changed.
        """
        locked = await notes.lock(connection, note_ids)
        now = self._clock.now()
        if facts_after is not None:
            stale = {
                note.patient.patient_id
                for note in locked
                if note.patient.wrapped_key is not None
                and (note.patient.facts_at is None or note.patient.facts_at < facts_after)
            }
            if stale:
                raise StaleFacts(stale)
        changes = [self._planned(note, now) for note in locked]
        await self._store(connection, [c for c in changes if not c.is_empty], now, trigger)
        await notes.set_due(
            connection,
            [(c.note.note_id, c.next_due) for c in changes if c.next_due != c.note.next_due],
        )
        await self._defer_deliveries(connection, changes, lane, now)
        return sum(not change.is_empty for change in changes)

    async def purge(self, connection: Connection, limit: int) -> int:
        """Destroy the content of withdrawn notes; returns how many notes.

        Source: sharing-rules 9 (within 24 h; done as soon as a worker comes by).
        """
        claimed = await notes.lock(connection, await notes.claim_unpurged(connection, limit))
        now = self._clock.now()
        for note in claimed:
            await notes.purge(connection, note.note_id)
        await audit_log.append(connection, [entry_for_purge(note, now) for note in claimed])
        return len(claimed)

    def _planned(self, note: NoteRecord, now: datetime) -> NoteChange:
        """One note that can't be processed must not keep the others of its batch waiting."""
        try:
            return self.plan(note, now)
        except Exception:
            log.exception("process.note_failed", note_id=str(note.note_id))
            NOTES_FAILED.inc()
            return NoteChange(note, next_due=now + TRY_AGAIN_AFTER)

    def plan(self, note: NoteRecord, now: datetime) -> NoteChange:
        """What must change about one note; pure but for fresh ids and signatures."""
        change = NoteChange(note)
        note = self._document(note, change, now)
        decided = decide_note(note, now)
        if self._has_national:
            note = self._renew_retired(note, decided, change, now)
        change.decisions = _changed_decisions(note, decided)
        change.next_due = decided.next_due
        if self._has_national:
            self._route(note, decided, change, now)
        return change

    def _document(self, note: NoteRecord, change: NoteChange, now: datetime) -> NoteRecord:
        """Withdraw, or make the documents that are missing or outdated."""
        versions = []
        for version in note.versions:
            if note.withdrawn_at:
                versions.append(_withdrawn(version, change))
            elif _needs_document(note, version):
                versions.append(self._make(note, version, change, now))
            else:
                versions.append(version)
        return replace(note, versions=tuple(versions))

    def _make(
        self, note: NoteRecord, version: VersionRecord, change: NoteChange, now: datetime
    ) -> VersionRecord:
        generation = 0 if version.generation is None else version.generation + 1
        name_protected = note.patient.name_protected is not False
        key = self._version_key(note, version)
        try:
            record = self._maker.make(
                note_from_bytes(_opened(note, version, key)),
                note_id=note.note_id,
                patient_key=note.patient.patient_id.bytes,
                generation=generation,
                bundle_identifier=uuid4(),
                assembled_at=now,
                name_protected=name_protected,
            )
        except MappingError as error:
            change.parked[version.version] = error.code
            if version.state is not VersionState.PARKED:
                change.moves.append((version.version, version.state, VersionState.PARKED))
            return replace(version, state=VersionState.PARKED)
        change.made.append((record, key))
        change.moves.append((version.version, version.state, VersionState.DOCUMENTED))
        return replace(
            version,
            state=VersionState.DOCUMENTED,
            generation=generation,
            document_protected=name_protected,
            document_offered=False,
        )

    def _renew_retired(
        self, note: NoteRecord, decided: NoteDecisions, change: NoteChange, now: datetime
    ) -> NoteRecord:
        """A document taken away nationally is shared again under a new id (xds-metadata-dk 7)."""
        versions = tuple(
            self._make(note, version, change, now)
            if version.version == decided.national_version
            and route.is_retired(
                note.delivery,
                version.version,
                version.generation,
                is_offered=bool(version.document_offered),
            )
            else version
            for version in note.versions
        )
        return replace(note, versions=versions)

    def _version_key(self, note: NoteRecord, version: VersionRecord) -> bytes:
        if note.patient.wrapped_key is None or version.wrapped_key is None:
            raise ContentGone("the key was destroyed")
        patient_key = self._ring.unwrap_patient_key(
            note.patient.wrapped_key, note.patient.patient_id
        )
        return unseal(
            patient_key, version.wrapped_key, row_context("version", note.note_id, version.version)
        )

    def _route(
        self, note: NoteRecord, decided: NoteDecisions, change: NoteChange, now: datetime
    ) -> None:
        """Tell the national destination's record what should be there."""
        wanted = decided.national_version
        generation = next(
            (item.generation for item in note.versions if item.version == wanted), None
        )
        wished = route.wish(note.note_id, note.delivery, wanted, generation, now)
        if wished is None and note.delivery is not None and _is_remade(note, change):
            wished = route.wish_again(note.delivery, now)
        if wished is not None and wished != note.delivery:
            change.delivery = wished

    async def _store(
        self, connection: Connection, changes: Sequence[NoteChange], now: datetime, trigger: str
    ) -> None:
        if not changes:
            return
        await documents.insert(connection, [made for change in changes for made in change.made])
        await notes.move_versions(
            connection,
            [
                (change.note.note_id, version, before, after)
                for change in changes
                for version, before, after in change.moves
            ],
        )
        await notes.store_decisions(
            connection,
            [decision for change in changes for decision in change.decisions],
            now,
            rules_stamp(),
        )
        await deliveries.write(connection, [c.delivery for c in changes if c.delivery], now)
        entries: list[AuditEntry] = [entry_for_moves(change, trigger, now) for change in changes]
        await audit_log.append(connection, entries)

    async def _defer_deliveries(
        self, connection: Connection, changes: Sequence[NoteChange], lane: Lane, now: datetime
    ) -> None:
        due = [
            str(change.note.note_id)
            for change in changes
            if change.delivery is not None and route.is_due(change.delivery, now)
        ]
        if due:
            await defer_job(connection, DELIVER_TASK, {"note_ids": due}, lane)


def _withdrawn(version: VersionRecord, change: NoteChange) -> VersionRecord:
    if version.state in (VersionState.WITHDRAWN, VersionState.PURGED):
        return version
    change.moves.append((version.version, version.state, VersionState.WITHDRAWN))
    return replace(version, state=VersionState.WITHDRAWN)


def _needs_document(note: NoteRecord, version: VersionRecord) -> bool:
    """Not made yet, made for other demographics, or to be shared again under a new id."""
    if version.state is VersionState.RECEIVED:
        return True
    if version.state is not VersionState.DOCUMENTED:
        return False
    is_newest = version.version == note.newest_version
    name_protected = note.patient.name_protected is not False
    return is_newest and version.document_protected != name_protected


def _is_remade(note: NoteRecord, change: NoteChange) -> bool:
    """Was a new document made of what is there, or of what should be?"""
    delivery = note.delivery
    return delivery is not None and any(
        record.version in (delivery.current_version, delivery.wanted_version)
        for record, _ in change.made
    )


def _opened(note: NoteRecord, version: VersionRecord, key: bytes) -> bytes:
    if version.sealed_note is None:
        raise ContentGone("the content was destroyed")
    return unseal(key, version.sealed_note, row_context("note", note.note_id, version.version))


def _changed_decisions(note: NoteRecord, decided: NoteDecisions) -> list[DecisionChange]:
    changes = []
    for version, publication in decided.publications.items():
        for destination in Destination:
            decision = publication.at(destination)
            stored = StoredDecision(decision.decision.value, decision.code, decision.until)
            if note.decisions.get((version, destination.value)) != stored:
                changes.append(
                    DecisionChange(
                        note.note_id,
                        version,
                        destination.value,
                        stored.decision,
                        stored.code,
                        stored.until,
                    )
                )
    return changes
