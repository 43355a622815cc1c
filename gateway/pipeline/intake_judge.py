"""May this submission be taken? The one judge of sending, validating and committing.

A reader has found what is wrong with the content. Two questions are left:

    of the sender and the clock   is it this clinic's note, completed by now?
    of the store                  has the clinic joined, does the version fit what is here?

Pure: what the store holds is handed in. Sending a good note asks the second
question once, under the locks of the commit; validating, and sending a note
with other faults, ask it of what can be read without a lock.

Only what is certain is said. Where a part of the body could not be read, a
fault is named only if it will be there whatever that part turns out to be.

Source: design.md 3.1; sharing-rules 5.1 rows 1-3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consent.publication_facts import CLOCK_TOLERANCE
from gateway.pipeline import intake_issues
from gateway.pipeline.records import JsonObject, Receipt
from mappers.issues import Issue, Legible, Places


@dataclass(frozen=True, slots=True)
class Claim:
    """What a submission says of itself; None where that could not be read.

    ``content_mac`` is there only when the whole note could be read.
    """

    places: Places
    version: int | None
    patient_id: UUID | None
    content_mac: bytes | None


@dataclass(frozen=True, slots=True)
class KnownNote:
    """The note as the store holds it before this submission."""

    patient_id: UUID
    newest_version: int
    markings: JsonObject
    is_withdrawn: bool


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """The version of the same number, taken before; its receipt says ``replayed``."""

    receipt: Receipt
    content_mac: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store holds of the sender and of its note, the version included."""

    is_enrolled: bool
    note: KnownNote | None = None
    earlier: EarlierVersion | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Faults; without any, the receipt of the same content or the warnings of a new version."""

    issues: tuple[Issue, ...] = ()
    warnings: tuple[Issue, ...] = ()
    replayed: Receipt | None = None


def check_sender_and_clock(legible: Legible, sor_code: str, now: datetime) -> list[Issue]:
    """Find the faults for which the store need not be asked.

    Args:
        sor_code: the one that the sender's token was issued to.
        now: aware.

    Returns:
        P-REJ-INVALID for a completion in the future, SOR-NOT-YOURS, or nothing.
        A draft may be completed later.
    """
    issues = []
    completed_at = legible.completed_at
    is_completed = legible.status not in (None, "draft")
    if is_completed and completed_at is not None and completed_at > now + CLOCK_TOLERANCE:
        issues.append(intake_issues.completed_in_future(legible.places.completed_at))
    if legible.sor_code not in (None, sor_code):
        issues.append(intake_issues.sor_not_yours(legible.places.sor_code))
    return issues


def judge(claim: Claim, standing: Standing) -> Verdict:
    """Compare a submission with what is here.

    Returns:
        P-REJ-NOT-ENROLLED, VERSION-CONFLICT and VERSION-OLD, all that hold; else
        the receipt of the same content; else VERSION-GAP as a warning, or nothing.
    """
    note, earlier = standing.note, standing.earlier
    issues: list[Issue] = []
    if not standing.is_enrolled:
        issues.append(intake_issues.not_enrolled(claim.places.sor_code))
    if note is not None:
        issues.extend(_against_note(claim, note, earlier))
    if issues:
        return Verdict(tuple(issues))
    if earlier is not None:
        is_same = claim.content_mac == earlier.content_mac
        return Verdict(replayed=earlier.receipt if is_same else None)
    return Verdict(warnings=_gap(claim, 1 if note is None else note.newest_version + 1))


def _against_note(claim: Claim, note: KnownNote, earlier: EarlierVersion | None) -> list[Issue]:
    issues = []
    places, version = claim.places, claim.version
    is_other_patient = claim.patient_id not in (None, note.patient_id)
    if earlier is not None:
        # Of a content that could not be read nobody knows: it may be the very same.
        is_new = is_other_patient or claim.content_mac not in (None, earlier.content_mac)
    else:
        is_new = is_other_patient or version is not None
    if version is not None and is_new:
        if earlier is not None:
            issues.append(intake_issues.version_conflict(places.version, version))
        elif version < note.newest_version:
            issues.append(intake_issues.version_old(places.version, version, note.newest_version))
    if note.is_withdrawn and is_new:
        issues.append(intake_issues.note_withdrawn(places.source_note_id))
    if is_other_patient:
        issues.append(intake_issues.other_patient(places.cpr))
    return issues


def _gap(claim: Claim, expected: int) -> tuple[Issue, ...]:
    version = claim.version
    if version is None or version <= expected:
        return ()
    return (intake_issues.version_gap(claim.places.version, version, expected),)
