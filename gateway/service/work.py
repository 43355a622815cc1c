"""What a worker process can do: the pipeline's steps with their stores and peers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from consent.errors import ConsentUnavailable
from consent.sources import PatientRegister, PersonAnswer
from gateway.clock import Clock
from gateway.keys import KeyRing, row_context, unseal
from gateway.service.deliver import Deliverer
from gateway.service.process import Processor, StaleFacts
from gateway.storage import notes, patients
from gateway.storage.audit_signer import AnchorFile, AuditSigner
from gateway.storage.database import (
    Connection,
    Database,
    Lane,
    absorb_jobs,
    defer_job,
    flush_later,
)
from gateway.storage.intake_new import PROCESS_TASK

log = structlog.get_logger()
ABSORBED_JOBS: Final = 8
REFRESH_BATCH: Final = 20
ASKED_AT_ONCE: Final = 8
REGISTER_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Workshop:
    """The worker's tools; built once by ``wiring``."""

    database: Database
    ring: KeyRing
    clock: Clock
    processor: Processor
    deliverer: Deliverer | None
    register: PatientRegister
    audit_signer: AuditSigner
    anchor: AnchorFile
    fact_max_age: timedelta

    async def process(
        self, note_ids: Sequence[UUID], lane: Lane, trigger: str, *, company: bool = False
    ) -> None:
        """Decide, map, sign and route these notes; facts of their patients first.

        A register that does not answer costs nothing but openness: the patient
        counts as protected until it does.

        Args:
            company: do the work of other new submissions that wait in the lane too.
        """
        try:
            async with self.database.transaction() as connection:
                await flush_later(connection)
                others = (
                    await absorb_jobs(connection, PROCESS_TASK, lane, ABSORBED_JOBS)
                    if company
                    else ()
                )
                await self.processor.process(
                    connection,
                    [*note_ids, *others],
                    lane,
                    trigger,
                    facts_after=self.clock.now() - self.fact_max_age,
                )
        except StaleFacts as stale:
            await self._refresh(stale.patient_ids)
            async with self.database.transaction() as connection:
                await flush_later(connection)
                await self.processor.process(connection, note_ids, lane, trigger)

    async def deliver(self, note_ids: Sequence[UUID]) -> None:
        """One attempt at the national destination for each of these notes."""
        if self.deliverer is not None:
            await self.deliverer.deliver(note_ids)

    async def refresh_facts(self) -> int:
        """Ask the civil register about patients whose facts have grown old."""
        before = self.clock.now() - self.fact_max_age
        async with self.database.transaction() as connection:
            stale = await patients.stale_patients(connection, before, REFRESH_BATCH)
        return await self._refresh(stale)

    async def _refresh(self, patient_ids: Sequence[UUID]) -> int:
        if not patient_ids:
            return 0
        async with self.database.transaction() as connection:
            sealed = await patients.sealed_cpr(connection, patient_ids)
        limit = asyncio.Semaphore(ASKED_AT_ONCE)
        answers = await asyncio.gather(
            *(self._ask(limit, patient_id, *sealed[patient_id][:2]) for patient_id in sealed)
        )
        found = [(id_, answer) for id_, answer in answers if answer is not None]
        for patient_id, answer in found:
            async with self.database.transaction() as connection:
                await self._store(connection, patient_id, answer)
        return len(found)

    async def _ask(
        self, limit: asyncio.Semaphore, patient_id: UUID, wrapped: bytes, sealed: bytes
    ) -> tuple[UUID, PersonAnswer | None]:
        key = self.ring.unwrap_patient_key(wrapped, patient_id)
        cpr = unseal(key, sealed, row_context("cpr", patient_id)).decode()
        async with limit:
            try:
                async with asyncio.timeout(REGISTER_SECONDS):
                    return patient_id, await self.register.person(cpr)
            except (ConsentUnavailable, TimeoutError) as error:
                log.warning("facts.register_unavailable", error=type(error).__name__)
                return patient_id, None

    async def _store(self, connection: Connection, patient_id: UUID, answer: PersonAnswer) -> None:
        patient = answer.patient
        changed = await patients.set_patient_facts(
            connection,
            patient_id,
            birth_date=patient.birth_date if patient else None,
            death_date=patient.death_date if patient else None,
            name_protected=patient is None or patient.address_protected is not False,
            answered_at=self.clock.now(),
        )
        affected = await notes.notes_of_patient(connection, patient_id) if changed else []
        if affected:
            await defer_job(
                connection,
                PROCESS_TASK,
                {
                    "note_ids": [str(each) for each in affected],
                    "lane": int(Lane.FEED),
                    "trigger": "civil status",
                },
                Lane.FEED,
            )
