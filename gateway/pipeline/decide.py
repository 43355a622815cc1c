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


def decide_version(
    note: NoteRecord, version: VersionRecord, now: datetime
) -> tuple[Publication, NoteFacts]:
    """The decisions for one version, and the facts that led to them.

    Every later final version may take over, each at its own time and place: a
    delayed second version must not keep the first one alive once a third has
    been released. The facts returned are those of the deciding successor.
    """
    patient = patient_of(note)
    candidates = [facts_of(note, version, later) for later in _later_finals(note, version)]
    if not candidates:
        candidates = [facts_of(note, version)]
    publications = [decide_publication(patient, facts, now) for facts in candidates]
    merged = publications[0]
    for publication in publications[1:]:
        merged = Publication(
            _stricter(merged.patient_feed, publication.patient_feed),
            _stricter(merged.professional_repository, publication.professional_repository),
            _stricter(merged.national, publication.national),
        )
    return merged, candidates[0]


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
    publications = {
        version.version: decide_version(note, version, now)[0] for version in note.versions
    }
    national = [
        number
        for number, publication in publications.items()
        if publication.national.decision is PublicationOutcome.PUBLISH
    ]
    return NoteDecisions(
        publications, max(national, default=None), _earliest(_turning_points(note, now))
    )


def _turning_points(note: NoteRecord, now: datetime) -> Iterable[datetime | None]:
    patient = patient_of(note)
    for version in note.versions:
        later = _later_finals(note, version)
        for facts in [facts_of(note, version, item) for item in later] or [facts_of(note, version)]:
            yield next_instant(patient, facts, now)


def _earliest(instants: Iterable[datetime | None]) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)
