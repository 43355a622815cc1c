"""Sender and raw bytes to receipt: the first step of the pipeline.

    1. read     bytes to a JournalNote, or all faults at once    (mappers)
    2. check    what needs the sender or the clock               (pipeline.intake_judge)
    3. judge    what needs the store; with step 4, under its locks    (the same)
    4. store    note, audit entry and job in one shared commit   (storage.intake)
    5. answer   the receipt, only after the commit

The first thing stored is a valid note. Of a note that is refused nothing is
stored but an audit entry with the codes. With faults found in steps 1 and 2 the
note will not be stored, so step 3 reads without locks and adds what it finds:
the sender gets all faults at once. Validating takes steps 1 to 3 that way.

Source: design.md 3.1; sharing-rules 5.1 rows 1-3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

import psycopg

from consent.sensitivity import derived_categories
from gateway.clock import Clock
from gateway.errors import NoteRejected
from gateway.keys import KeyRing
from gateway.metrics import NOTES_RECEIVED
from gateway.pipeline import intake_issues
from gateway.pipeline.audit import AuditEntry
from gateway.pipeline.intake_issues import status_of
from gateway.pipeline.intake_judge import Claim, Verdict, check_sender_and_clock, judge
from gateway.pipeline.pipeline_audit import entry_for_refusal, entry_for_rejection
from gateway.pipeline.records import (
    Forecast,
    JsonObject,
    Receipt,
    Refused,
    Submission,
    VersionFacts,
)
from gateway.service.group_commit import GroupCommitter
from gateway.storage.database import Database
from gateway.storage.intake import Outcome, store_group
from gateway.storage.intake_standing import standing_of
from gateway.storage.patient_keys import PatientKeys
from mappers.issues import Issue, Reading
from mappers.note import JournalNote, content_key, note_to_bytes
from mappers.practice.medcom import read_bundle, read_xml_bundle
from mappers.practice.plain import read_plain_note

PLAIN: Final = "application/json"
FHIR_JSON: Final = "application/fhir+json"
FHIR_XML: Final = "application/fhir+xml"
MEDIA_TYPES: Final = (PLAIN, FHIR_JSON, FHIR_XML)
BUNDLES: Final = (FHIR_JSON, FHIR_XML)
"""The media types beside which the header ``Note-Context`` is read."""


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
    if incoming.media_type == FHIR_XML:
        return read_xml_bundle(incoming.body, incoming.note_context)
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
            Unavailable: store or audit log away. Nothing was stored, or the answer of
                the commit was lost; the same note sent again settles which.
        """
        reading = read(incoming)
        faults = self._faults(sender, reading)
        if faults or reading.note is None:
            faults += (await self._judged(sender, reading)).issues
            await self._note_rejection(sender, incoming, faults)
            raise NoteRejected(faults, status_of(faults))
        submission = self._submission(sender, incoming, reading.note, reading)
        outcome = await self._committer.submit(submission, submission.note_id)
        if isinstance(outcome, Refused):
            raise NoteRejected(outcome.issues, status_of(outcome.issues))
        assert outcome is not None
        NOTES_RECEIVED.inc()
        return outcome

    async def validate(self, sender: Sender, incoming: Incoming) -> Forecast:
        """The checks of :meth:`receive` and what it would answer now; nothing is stored.

        Raises:
            NoteRejected: with every fault and the status to answer with.
            Unavailable: the store is away.
        """
        reading = read(incoming)
        verdict = await self._judged(sender, reading)
        faults = [*self._faults(sender, reading), *verdict.issues]
        if faults:
            raise NoteRejected(faults, status_of(faults))
        if verdict.replayed is not None:
            return Forecast(verdict.replayed.warnings, verdict.replayed)
        warnings = (*reading.warnings, *verdict.warnings)
        return Forecast(tuple(warning.to_json() for warning in warnings))

    def _faults(self, sender: Sender, reading: Reading) -> list[Issue]:
        """What is found without asking the store."""
        asked = check_sender_and_clock(reading.legible, sender.sor_code, self._clock.now())
        return [*reading.issues, *asked]

    async def _judged(self, sender: Sender, reading: Reading) -> Verdict:
        """What the store has to say now, of as much as could be read."""
        legible, note = reading.legible, reading.note
        note_id = None
        # Under another clinic's code the sender has no note.
        is_own = legible.sor_code in (None, sender.sor_code)
        if is_own and legible.source_note_id is not None:
            note_id = self._ring.note_id(sender.sor_code, legible.source_note_id)
        claim = Claim(
            legible.places,
            legible.version,
            None if legible.cpr is None else self._ring.person_id(legible.cpr),
            None if note is None else self._ring.content_mac(content_key(note)),
        )
        async with self._database.transaction() as connection:
            standing = await standing_of(connection, sender.practice_id, note_id, legible.version)
        return judge(claim, standing)

    async def _note_rejection(
        self, sender: Sender, incoming: Incoming, faults: Sequence[Issue]
    ) -> None:
        entry = entry_for_rejection(
            sender.practice_id, sender.sor_code, incoming.request_id, faults, self._clock.now()
        )
        await self._committer.submit(entry, object())

    def _submission(
        self,
        sender: Sender,
        incoming: Incoming,
        note: JournalNote,
        reading: Reading,
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
            warnings=tuple(warning.to_json() for warning in reading.warnings),
            receipt_id=uuid4(),
            received_at=self._clock.now(),
            request_id=incoming.request_id,
            places=reading.legible.places,
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
            refused = Refused((intake_issues.unstorable(),))
        if isinstance(item, Submission):
            await self._store_together([entry_for_refusal(item, refused)])
        return refused

    async def _store_together(
        self, group: Sequence[Submission | AuditEntry]
    ) -> Sequence[Outcome | None]:
        submissions = [item for item in group if isinstance(item, Submission)]
        rejections = [item for item in group if isinstance(item, AuditEntry)]
        async with self._database.transaction() as connection:
            outcomes, keys = await store_group(
                connection, self._patient_keys, submissions, rejections
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
