"""Decision point 1 for a whole note: what should be true of each version, where.

Pure: the note as stored and the clock go in, decisions come out. The rows
themselves are in ``consent/publication.py``; this module puts the versions of
a note in relation to each other. Patient blocks play no part here.

Source: sharing-rules 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from consent.model import (
    Destination,
    NoteFacts,
    NoteStatus,
    Patient,
    Practice,
    Publication,
    PublicationDecision,
    PublicationOutcome,
    Successor,
)
from consent.publication import decide_publication, next_instant
from gateway.pipeline.markings import to_model
from gateway.pipeline.records import NoteRecord, VersionRecord

ORDINARY_CPR = "CPR"  # replacement numbers are refused at intake and never stored


@dataclass(frozen=True, slots=True)
class NoteDecisions:
    """The decisions for a note at one instant.

    ``national_version`` is the one version that should be at the national
    destination, None for none. ``next_due`` is the next instant at which time
    alone changes any of this.
    """

    publications: Mapping[int, Publication]
    national_version: int | None
    next_due: datetime | None


def patient_of(note: NoteRecord) -> Patient:
    """The patient as far as publication asks."""
    return Patient(
        id=str(note.patient.patient_id),
        cpr_type=ORDINARY_CPR,
        death_date=note.patient.death_date,
    )


def facts_of(
    note: NoteRecord, version: VersionRecord, successor: VersionRecord | None = None
) -> NoteFacts:
    """One version as the rules see it, with the markings of this moment."""
    facts = version.facts
    return NoteFacts(
        id=str(note.note_id),
        version=version.version,
        author_org=facts.author_org,
        practice=Practice(
            note.practice.enrolled, note.practice.sharing_start, note.practice.share_history
        ),
        contact_type=facts.contact_type,
        status=NoteStatus.WITHDRAWN if note.withdrawn_at else facts.status,
        created_at=facts.created_at,
        completed_at=facts.completed_at,
        last_entry_at=facts.last_entry_at,
        successor=_successor(successor) if successor else None,
        author_name_protected=facts.author_name_protected,
        markings=to_model(note.markings, facts.delay_until, facts.sensitive),
    )


def _successor(version: VersionRecord) -> Successor:
    facts = version.facts
    return Successor(facts.status, facts.completed_at, facts.delay_until, facts.safety_correction)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One version against one of the later ones that may take over from it."""

    facts: NoteFacts
    publication: Publication


def _candidates(
    note: NoteRecord, version: VersionRecord, patient: Patient, now: datetime
) -> list[_Candidate]:
    """A version against every later final one, or alone when there is none.

    Each later version takes over at its own time and place: a delayed second
    version must not keep the first one alive once a third has been released.
    """
    successors: list[VersionRecord | None] = [*_later_finals(note, version)] or [None]
    every = (facts_of(note, version, successor) for successor in successors)
    return [_Candidate(facts, decide_publication(patient, facts, now)) for facts in every]


def decide_version(note: NoteRecord, version: VersionRecord, now: datetime) -> Publication:
    """The decisions for one version at all three destinations."""
    return _merged(_candidates(note, version, patient_of(note), now))


def _merged(candidates: Iterable[_Candidate]) -> Publication:
    first, *others = (candidate.publication for candidate in candidates)
    for other in others:
        first = Publication(
            _stricter(first.patient_feed, other.patient_feed),
            _stricter(first.professional_repository, other.professional_repository),
            _stricter(first.national, other.national),
        )
    return first


def _later_finals(note: NoteRecord, version: VersionRecord) -> list[VersionRecord]:
    return [
        later
        for later in note.versions
        if later.version > version.version and later.facts.status == NoteStatus.FINAL
    ]


def _stricter(one: PublicationDecision, other: PublicationDecision) -> PublicationDecision:
    removed = PublicationOutcome.REMOVE
    return other if other.decision is removed and one.decision is not removed else one


def disclosure_facts(
    note: NoteRecord, version: VersionRecord, destination: Destination, now: datetime
) -> NoteFacts:
    """The facts by which decision point 2 recomputes publication for one destination.

    They name the successor that has taken over at this destination, if any has.
    """
    patient = patient_of(note)
    chosen = facts_of(note, version)
    for later in _later_finals(note, version):
        facts = facts_of(note, version, later)
        if decide_publication(patient, facts, now).at(destination).decision is (
            PublicationOutcome.REMOVE
        ):
            return facts
        chosen = facts
    return chosen


def decide_note(note: NoteRecord, now: datetime) -> NoteDecisions:
    """Decide every version of a note.

    Args:
        note: as stored, with all its versions.
        now: aware instant.
    """
    patient = patient_of(note)
    publications = {}
    due: list[datetime] = []
    for version in note.versions:
        candidates = _candidates(note, version, patient, now)
        publications[version.version] = _merged(candidates)
        for candidate in candidates:
            instant = next_instant(patient, candidate.facts, now, current=candidate.publication)
            if instant is not None:
                due.append(instant)
    national = [
        number
        for number, publication in publications.items()
        if publication.national.decision is PublicationOutcome.PUBLISH
    ]
    return NoteDecisions(publications, max(national, default=None), min(due, default=None))
