"""The one function through which content leaves: decision point 2 for a patient's notes.

    1. gather   the facts this reader's look needs                  (consent.facts)
    2. load     the patient's notes as they are at this moment      (storage)
    3. decide   gates A to F for every version                      (consent.disclosure)
    4. log      one audit entry with a decision per note, committed
    5. open     only then are the permitted documents unsealed

Facts come before notes, so that a stop that was answered before the read began
is always seen: the notes are read last, in the transaction that writes the
entry. No decision is ever remembered.

Source: sharing-rules 6, 7.5, 11.1; design.md section 6, promises 2 and 3.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from consent.config import DEFAULT_CONFIG
from consent.disclosure import decide_disclosure
from consent.facts import FactSources, GatheredFacts, Reader, gather_facts
from consent.model import Destination, DisclosureDecision, NoteFacts, Patient, Role
from consent.organisations import OrganisationTree
from gateway.clock import Clock
from gateway.keys import KeyRing, row_context, unseal
from gateway.metrics import LOOKS
from gateway.pipeline.audit import AuditEntry
from gateway.pipeline.decide import disclosure_facts
from gateway.pipeline.looks import Judged, Look
from gateway.pipeline.read_audit import entry_for_read
from gateway.pipeline.records import DocumentRecord, NoteRecord, VersionRecord
from gateway.storage import audit_log, documents, notes, patients
from gateway.storage.database import Connection, Database
from mappers.note import JournalNote, note_from_bytes

# Stands for "whatever note": gates A to C do not look at it.
_NO_NOTE: Final = NoteFacts(
    id=None,
    version=None,
    author_org=None,
    practice=None,
    contact_type=None,
    status=None,
    created_at=None,
    completed_at=None,
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A permitted version with its content."""

    note: NoteRecord
    version: VersionRecord
    decision: DisclosureDecision
    content: JournalNote
    document: DocumentRecord


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The outcome of a look.

    ``judged`` holds every decision, ``opened`` the content of those that were
    permitted. ``closed`` is the decision that holds for the whole request, note
    or no note: a reader who may not look at all.
    """

    facts: GatheredFacts
    judged: tuple[Judged, ...]
    opened: tuple[Opened, ...]
    closed: DisclosureDecision | None
    at: datetime

    @property
    def consent_is_unavailable(self) -> bool:
        """Did a professional's look fail for want of the patient's registrations?

        True whether or not the patient has notes, so that the answer tells nothing.
        """
        request = self.facts.request
        if request.role != Role.HP or request.override is not None or self.closed is not None:
            return False
        age = request.sources.consent_age_s
        return (
            self.facts.registrations is None
            or age is None
            or age > DEFAULT_CONFIG.consent_max_age_s
        )


Selection = Callable[[Connection, Sequence[Judged]], Awaitable[Sequence[Judged]]]


class Discloser:
    """Decides, logs and opens; every read path goes through :meth:`disclose`."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        clock: Clock,
        sources: FactSources,
        organisations: OrganisationTree,
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._sources = sources
        self._organisations = organisations

    async def disclose(self, look: Look, select: Selection | None = None) -> Disclosure:
        """Who may see what, logged before anything is opened.

        Args:
            look: the reader, the patient and the kind of look.
            select: picks which of the permitted versions are opened, inside the
                same transaction; without it all are.

        Raises:
            AuditUnwritable: nothing leaves.
            Unavailable: the store is away.
        """
        subject = replace(look.subject, last_known=await self._last_known(look.subject.id))
        facts = await gather_facts(
            self._sources, subject, look.reader, clock=self._clock.now, audit_ok=True
        )
        async with self._database.transaction() as connection:
            found = await notes.load_of_patient(connection, UUID(look.subject.id))
            now = self._clock.now()
            judged = [
                Judged(note, version, self._decide(note, version, facts, look.reader, now))
                for note in found
                if look.only is None or note.note_id in look.only
                for version in note.versions
            ]
            closed = self._decide_request(facts, now)
            permitted = [
                item
                for item in judged
                if item.decision.is_permitted and item.version.generation is not None
            ]
            if select is not None:
                permitted = list(await select(connection, permitted))
            rows = await documents.newest(
                connection, [(item.note.note_id, item.version.version) for item in permitted]
            )
            entry = self._entry(look, facts, judged, permitted, closed, now)
            await audit_log.append(connection, [entry])
        LOOKS.labels(look.door, "closed" if closed else "open").inc()
        # The entry is committed: from here on content may leave.
        opened = [
            opening
            for item in permitted
            if (opening := self._open(item, rows.get((item.note.note_id, item.version.version))))
        ]
        return Disclosure(facts, tuple(judged), tuple(opened), closed, now)

    async def _last_known(self, patient_id: str) -> Patient | None:
        """What serves while the civil register is away (sharing-rules 7.5)."""
        async with self._database.transaction() as connection:
            known = await patients.last_known(connection, UUID(patient_id))
        if known is None:
            return None
        birth_date, death_date, is_protected = known
        return Patient(
            id=patient_id,
            birth_date=birth_date,
            cpr_type="CPR",
            death_date=death_date,
            address_protected=is_protected,
        )

    def _decide(
        self,
        note: NoteRecord,
        version: VersionRecord,
        facts: GatheredFacts,
        reader: Reader,
        now: datetime,
    ) -> DisclosureDecision:
        destination = (
            Destination.PROFESSIONAL_REPOSITORY
            if reader.role == Role.HP
            else Destination.PATIENT_FEED
        )
        return decide_disclosure(
            facts.patient,
            disclosure_facts(note, version, destination, now),
            facts.registrations,
            facts.request,
            self._organisations,
            now,
        )

    def _decide_request(self, facts: GatheredFacts, now: datetime) -> DisclosureDecision | None:
        """Gates A to C do not look at the note: their denial closes the whole request.

        So does an unreachable consent service, note or no note (design.md 3.3).
        """
        decision = decide_disclosure(
            facts.patient,
            _NO_NOTE,
            facts.registrations,
            facts.request,
            self._organisations,
            now,
        )
        if decision.gate in {"A", "B", "C"} and not decision.is_permitted:
            return decision
        return None

    def _entry(
        self,
        look: Look,
        facts: GatheredFacts,
        judged: Sequence[Judged],
        permitted: Sequence[Judged],
        closed: DisclosureDecision | None,
        now: datetime,
    ) -> AuditEntry:
        served = {(item.note.note_id, item.version.version) for item in permitted}
        return entry_for_read(look, facts, judged, served, closed, now)

    def _open(self, item: Judged, row: tuple[object, ...] | None) -> Opened | None:
        wrapped_patient = item.note.patient.wrapped_key
        version = item.version
        if row is None or not wrapped_patient or not version.wrapped_key or not version.sealed_note:
            return None
        note_id = item.note.note_id
        patient_key = self._ring.unwrap_patient_key(wrapped_patient, item.note.patient.patient_id)
        key = unseal(
            patient_key, version.wrapped_key, row_context("version", note_id, version.version)
        )
        content = unseal(key, version.sealed_note, row_context("note", note_id, version.version))
        return Opened(
            item.note,
            version,
            item.decision,
            note_from_bytes(content),
            documents.open_row(row, key),
        )
