"""One attempt at the national destination, from claim to outcome.

    1. claim    lock the delivery, fix the operation and its ids, commit
    2. send     the message is rebuilt from the stored ids, so a resend is the same
    3. settle   store what the answer means, with its audit entry

A stop after 1 leaves SENDING: when the lease runs out the state becomes UNKNOWN
and the same message goes out again, which the peer recognises. A stop between
2 and 3 is the same case. Nothing is remembered outside the row.

Source: design.md section 2; nsp 1.7, 11.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from gateway.clock import Clock
from gateway.keys import KeyRing, row_context, unseal
from gateway.pipeline import route
from gateway.pipeline.pipeline_audit import entry_for_attempt
from gateway.pipeline.ports import Attempt, NationalDestination, Verdict
from gateway.pipeline.records import (
    DeliveryRecord,
    DocumentRecord,
    NoteRecord,
    VersionRecord,
)
from gateway.states import DeliveryState, Operation
from gateway.storage import audit_log, deliveries, documents, notes, patients
from gateway.storage.database import Connection, Database, Lane, defer_job
from gateway.storage.intake_new import PROCESS_TASK
from mappers.note import JournalNote, Organization, note_from_bytes

SENDABLE: Final = frozenset({DeliveryState.WAITING, DeliveryState.UNKNOWN})
AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a sender may take and how attempts are spaced, in seconds."""

    lease_seconds: float
    first_wait_seconds: float
    longest_wait_seconds: float


@dataclass(frozen=True, slots=True)
class _Claim:
    delivery: DeliveryRecord
    note: NoteRecord
    cpr: str
    document: DocumentRecord | None
    content: JournalNote | None


class Deliverer:
    """Sends what is waiting for the national destination."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        destination: NationalDestination,
        patience: Patience,
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._destination = destination
        self._patience = patience

    async def deliver(self, note_ids: Sequence[UUID]) -> None:
        """One attempt for each of these notes that has something to send."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(note_id: UUID) -> None:
            async with limit:
                await self.deliver_one(note_id)

        # One that fails must not take the others with it: each has its own outcome.
        outcomes = await asyncio.gather(*map(one, note_ids), return_exceptions=True)
        failures = [each for each in outcomes if each is not None]
        if failures:
            raise failures[0]

    async def deliver_one(self, note_id: UUID) -> None:
        """Attempts until this note is settled, put off or in somebody else's hands."""
        while True:
            claim = await self._claim(note_id)
            if claim is None:
                return
            attempt = await self._send(claim)
            settled = await self._settle(claim, attempt)
            if attempt.verdict is not Verdict.DELIVERED:
                return
            if settled is None or settled.state not in SENDABLE:
                return

    async def _claim(self, note_id: UUID) -> _Claim | None:
        async with self._database.transaction() as connection:
            delivery = await deliveries.lock(connection, note_id)
            if delivery is None or delivery.state not in SENDABLE:
                return None
            (note,) = await notes.load(connection, [note_id])
            now = self._clock.now()
            wanted = _version(note, delivery.wanted_version)
            if wanted is not None and _needs_renewal(delivery, wanted):
                # Its id is used up: the pipeline makes a new document and calls again.
                await defer_job(
                    connection,
                    PROCESS_TASK,
                    {"note_ids": [str(note_id)], "trigger": "renewal"},
                    Lane.LIVE,
                )
                return None
            started = route.begin(
                delivery,
                operation_id=uuid4(),
                generation=wanted.generation if wanted else None,
                now=now,
                lease=timedelta(seconds=self._patience.lease_seconds),
            )
            if started != delivery:
                await deliveries.write(connection, [started], now)
            if started.state is not DeliveryState.SENDING:
                return None
            cpr = await self._cpr(connection, note)
            document, content = None, None
            if started.operation is Operation.SUBMIT:
                assert started.operation_version is not None
                assert started.operation_generation is not None
                await documents.mark_offered(
                    connection, note_id, started.operation_version, started.operation_generation
                )
                document, content = await self._document(connection, note, started)
            return _Claim(started, note, cpr, document, content)

    async def _cpr(self, connection: Connection, note: NoteRecord) -> str:
        patient_id = note.patient.patient_id
        wrapped, sealed, _ = (await patients.sealed_cpr(connection, [patient_id]))[patient_id]
        key = self._ring.unwrap_patient_key(wrapped, patient_id)
        return unseal(key, sealed, row_context("cpr", patient_id)).decode()

    async def _document(
        self, connection: Connection, note: NoteRecord, delivery: DeliveryRecord
    ) -> tuple[DocumentRecord | None, JournalNote | None]:
        assert delivery.operation_version is not None
        assert delivery.operation_generation is not None
        number = delivery.operation_version
        version = _version(note, number)
        row = await documents.one(connection, note.note_id, number, delivery.operation_generation)
        wrapped_patient = note.patient.wrapped_key
        if row is None or version is None:
            return None, None
        if not (wrapped_patient and version.wrapped_key and version.sealed_note):
            return None, None
        patient_key = self._ring.unwrap_patient_key(wrapped_patient, note.patient.patient_id)
        key = unseal(patient_key, version.wrapped_key, row_context("version", note.note_id, number))
        content = unseal(key, version.sealed_note, row_context("note", note.note_id, number))
        return documents.open_row(row, key), note_from_bytes(content)

    async def _send(self, claim: _Claim) -> Attempt:
        delivery = claim.delivery
        if delivery.operation is Operation.DEPRECATE:
            entry = await self._entry_to_deprecate(claim)
            practice = claim.note.practice
            clinic = Organization(practice.sor_code, practice.provider_number, practice.name)
            return await self._destination.deprecate(delivery, entry, claim.cpr, clinic)
        if claim.document is None or claim.content is None:
            return Attempt(Verdict.GIVEN_UP, "CONTENT-GONE")
        return await self._destination.submit(
            delivery, claim.document, claim.content, delivery.current_entry_uuid
        )

    async def _entry_to_deprecate(self, claim: _Claim) -> UUID:
        """The entry that is there, or the one that may have arrived unanswered."""
        delivery = claim.delivery
        assert delivery.operation_version is not None
        assert delivery.operation_generation is not None
        is_current = (delivery.current_version, delivery.current_generation) == (
            delivery.operation_version,
            delivery.operation_generation,
        )
        if is_current and delivery.current_entry_uuid is not None:
            return delivery.current_entry_uuid
        async with self._database.transaction() as connection:
            found = await documents.entry_uuid(
                connection,
                delivery.note_id,
                delivery.operation_version,
                delivery.operation_generation,
            )
        assert found is not None
        return found

    async def _settle(self, claim: _Claim, attempt: Attempt) -> DeliveryRecord | None:
        async with self._database.transaction() as connection:
            delivery = await deliveries.lock(connection, claim.delivery.note_id)
            if delivery is None or not _is_same_message(delivery, claim.delivery):
                return None  # the lease ran out and somebody else has settled it
            now = self._clock.now()
            newest = await documents.newest_generation(
                connection, delivery.note_id, delivery.wanted_version
            )
            settled = self._outcome(delivery, claim, attempt, newest)
            await deliveries.write(connection, [settled], now)
            await audit_log.append(
                connection,
                [entry_for_attempt(claim.note, delivery, settled, attempt, claim.document, now)],
            )
            return settled

    def _outcome(
        self, delivery: DeliveryRecord, claim: _Claim, attempt: Attempt, newest: int | None
    ) -> DeliveryRecord:
        now = self._clock.now()
        wait = route.back_off(
            delivery.attempts,
            first_seconds=self._patience.first_wait_seconds,
            limit_seconds=self._patience.longest_wait_seconds,
        )
        if attempt.verdict is Verdict.DELIVERED:
            entry_uuid = claim.document.entry_uuid if claim.document else None
            return route.succeeded(
                delivery, entry_uuid=entry_uuid, generation=newest, now=now, code=attempt.code
            )
        if attempt.verdict is Verdict.NO_ANSWER:
            return route.unanswered(delivery, now=now, wait=wait, code=attempt.code)
        if attempt.verdict is Verdict.LATER:
            return route.put_off(delivery, now=now, wait=wait, code=attempt.code)
        return route.refused(delivery, code=attempt.code)


def _version(note: NoteRecord, number: int | None) -> VersionRecord | None:
    return next((item for item in note.versions if item.version == number), None)


def _needs_renewal(delivery: DeliveryRecord, wanted: VersionRecord) -> bool:
    return delivery.state is DeliveryState.WAITING and route.is_retired(
        delivery, wanted.version, wanted.generation, is_offered=bool(wanted.document_offered)
    )


def _is_same_message(stored: DeliveryRecord, sent: DeliveryRecord) -> bool:
    return stored.state is DeliveryState.SENDING and (
        stored.operation_id,
        stored.message_number,
        stored.operation,
    ) == (sent.operation_id, sent.message_number, sent.operation)
