"""Sender and raw bytes to receipt: the first step of the pipeline.

    1. read     bytes to a JournalNote, or all faults at once    (mappers)
    2. check    what needs the sender or the clock               (here)
    3. store    note, audit entry and job in one shared commit   (storage.intake)
    4. answer   the receipt, only after the commit

The first thing stored is a valid note. Of a note that is refused nothing is
stored but an audit entry with the codes.

Source: design.md 3.1; sharing-rules 5.1 rows 1-3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

import psycopg

from consent.publication_facts import CLOCK_TOLERANCE
from consent.sensitivity import derived_categories
from gateway.clock import Clock
from gateway.errors import NoteRejected
from gateway.keys import KeyRing
from gateway.metrics import NOTES_RECEIVED
from gateway.pipeline import intake_issues
from gateway.pipeline.audit import AuditEntry
from gateway.pipeline.pipeline_audit import entry_for_rejection
from gateway.pipeline.records import JsonObject, Receipt, Refused, Submission, VersionFacts
from gateway.service.group_commit import GroupCommitter
from gateway.storage.database import Database
from gateway.storage.intake import Outcome, PatientKeys, store_group
from mappers.issues import Issue, Reading
from mappers.note import JournalNote, content_key, note_to_bytes
from mappers.practice.medcom import read_bundle
from mappers.practice.plain import read_plain_note

PLAIN: Final = "application/json"
FHIR_JSON: Final = "application/fhir+json"
MEDIA_TYPES: Final = (PLAIN, FHIR_JSON)


@dataclass(frozen=True, slots=True)
class Sender:
    """The practice system a note comes from."""

    practice_id: UUID
    sor_code: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """One note as it arrived. ``note_context`` is the header beside a bundle."""

    media_type: str
    body: bytes
    note_context: bytes | None
    request_id: str


def read(incoming: Incoming) -> Reading:
    """Bytes to a note, or every fault of the content."""
    if incoming.media_type == FHIR_JSON:
        return read_bundle(incoming.body, incoming.note_context)
    return read_plain_note(incoming.body)


class Intake:
    """Takes notes from practice systems.

    Args:
        group_limit: most notes committed together.
    """

    def __init__(
        self, database: Database, ring: KeyRing, clock: Clock, *, group_limit: int
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._patient_keys = PatientKeys(ring)
        self._committer: GroupCommitter[Submission | AuditEntry, Outcome | None] = GroupCommitter(
            self._store, limit=group_limit
        )

    async def receive(self, sender: Sender, incoming: Incoming) -> Receipt:
        """Take one note; returns once it is durable.

        Raises:
            NoteRejected: with every fault and the status to answer with.
            Unavailable: store or audit log away; nothing was stored.
        """
        note, warnings = await self._checked(sender, incoming)
        submission = self._submission(sender, incoming, note, warnings)
        outcome = await self._committer.submit(submission, submission.note_id)
        if isinstance(outcome, Refused):
            raise NoteRejected([outcome.issue], outcome.status)
        assert outcome is not None
        NOTES_RECEIVED.inc()
        return outcome

    async def validate(self, sender: Sender, incoming: Incoming) -> tuple[Issue, ...]:
        """The checks of :meth:`receive`, nothing stored; the warnings of a good note.

        Raises:
            NoteRejected: with every fault.
        """
        reading = read(incoming)
        issues, status = self._faults(sender, reading)
        if issues:
            raise NoteRejected(issues, status)
        return tuple(reading.warnings)

    async def _checked(
        self, sender: Sender, incoming: Incoming
    ) -> tuple[JournalNote, tuple[Issue, ...]]:
        reading = read(incoming)
        issues, status = self._faults(sender, reading)
        if issues or reading.note is None:
            entry = entry_for_rejection(
                sender.practice_id, sender.sor_code, incoming.request_id, issues, self._clock.now()
            )
            await self._committer.submit(entry, object())
            raise NoteRejected(issues, status)
        return reading.note, tuple(reading.warnings)

    def _faults(self, sender: Sender, reading: Reading) -> tuple[list[Issue], int]:
        issues = list(reading.issues)
        note = reading.note
        status = 422
        if note is not None:
            if note.status != "draft" and note.completed_at > self._clock.now() + CLOCK_TOLERANCE:
                issues.append(intake_issues.completed_in_future())
            if note.organization.sor_code != sender.sor_code:
                issues.append(intake_issues.sor_not_yours())
                status = 403
        return issues, status

    def _submission(
        self,
        sender: Sender,
        incoming: Incoming,
        note: JournalNote,
        warnings: Sequence[Issue],
    ) -> Submission:
        return Submission(
            practice_id=sender.practice_id,
            note_id=self._ring.note_id(sender.sor_code, note.source_note_id),
            source_note_id=note.source_note_id,
            version=note.version,
            patient_id=self._ring.person_id(note.patient.cpr),
            cpr=note.patient.cpr,
            note_bytes=note_to_bytes(note),
            content_mac=self._ring.content_mac(content_key(note)),
            content_sha256=sha256(incoming.body).digest(),
            facts=version_facts(note),
            named_markings=named_markings(note),
            warnings=tuple(warning.to_json() for warning in warnings),
            receipt_id=uuid4(),
            received_at=self._clock.now(),
            request_id=incoming.request_id,
        )

    async def _store(self, group: Sequence[Submission | AuditEntry]) -> Sequence[Outcome | None]:
        try:
            return await self._store_together(group)
        except psycopg.DataError:
            # One of them holds what no column can; the others must not suffer for it.
            return [await self._store_alone(item) for item in group]

    async def _store_alone(self, item: Submission | AuditEntry) -> Outcome | None:
        try:
            return (await self._store_together([item]))[0]
        except psycopg.DataError:
            return Refused(422, intake_issues.unstorable())

    async def _store_together(
        self, group: Sequence[Submission | AuditEntry]
    ) -> Sequence[Outcome | None]:
        submissions = [item for item in group if isinstance(item, Submission)]
        rejections = [item for item in group if isinstance(item, AuditEntry)]
        async with self._database.transaction() as connection:
            outcomes, keys = await store_group(
                connection, self._ring, self._patient_keys, submissions, rejections
            )
        self._patient_keys.keep(keys)
        remaining = iter(outcomes)
        return [next(remaining) if isinstance(item, Submission) else None for item in group]


def version_facts(note: JournalNote) -> VersionFacts:
    """What the rules must know of a version without opening it."""
    return VersionFacts(
        status=note.status,
        contact_type=note.contact_type,
        created_at=note.created_at,
        completed_at=note.completed_at,
        last_entry_at=note.last_entry_at,
        safety_correction=note.safety_correction,
        delay_until=note.markings.delay_until,
        author_org=note.organization.sor_code,
        author_name_protected=note.author_name_protected,
        sensitive=tuple(
            sorted(derived_categories(note.icpc2, note.patient.birth_date, note.created_at))
        ),
    )


def named_markings(note: JournalNote) -> JsonObject:
    """The markings this version names, in their JSON form."""
    return {name: note.markings.value_of(name) for name in note.markings.named}
