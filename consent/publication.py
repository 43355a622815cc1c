"""Decision point 1: should a note be present at a destination now?

The rows of sharing-rules 5.1 for the patient feed and the professional
repository, and those of the stricter national destination of 5.4. Depends on
note, markings, practice and the patient's civil status alone: blocks,
relations, age, custody and address protection are judged at the moment of
reading (5.5). Pure; the clock is passed in; total over its record types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from consent.config import DEFAULT_CONFIG, RuleConfig
from consent.model import (
    ContactType,
    Destination,
    NoteFacts,
    NoteStatus,
    Patient,
    Publication,
    PublicationDecision,
    PublicationOutcome,
    Sensitive,
)
from consent.publication_facts import (
    CLOCK_TOLERANCE,
    PublicationFacts,
    expiry,
    is_after_death,
    is_before_instant,
    is_before_start,
    is_expired,
    is_hidden_pre_2010,
    is_invalid,
    needs_safety_hold,
    superseded_in_feed,
    superseded_in_repository,
    takeover_at,
)
from consent.rows import Kind, Row, always, first_hit
from consent.times import is_instant

_PUBLISH = PublicationOutcome.PUBLISH
_HOLD = PublicationOutcome.HOLD
_WITHHOLD = PublicationOutcome.WITHHOLD
_REMOVE = PublicationOutcome.REMOVE
_REJECT = PublicationOutcome.REJECT
_OWN, _NSR, _LAW, _AGR = (Kind.OWN,), (Kind.NSR,), (Kind.LAW,), (Kind.AGR,)

PublicationRow = Row[PublicationFacts]

INTAKE_ROWS: tuple[PublicationRow, ...] = (
    Row(
        "P-REJ-IDENTITY",
        "the patient's number is not an ordinary CPR number, or of unknown type",
        lambda f: f.patient.cpr_type != "CPR",
        _REJECT,
        _NSR,
        "R23",
    ),
    Row(
        "P-REJ-INVALID",
        "a mandatory field is missing; or, not a draft, completed before it was created or"
        " more than 5 minutes after now",
        is_invalid,
        _REJECT,
        (Kind.NSR, Kind.OWN),
        "R23",
    ),
    Row(
        "P-REJ-NOT-ENROLLED",
        "the practice has not joined",
        lambda f: f.note.practice is None or f.note.practice.enrolled is not True,
        _REJECT,
        _AGR,
        "R20a",
    ),
)

_WITHDRAWN_ROW: PublicationRow = Row(
    "P-REMOVED-WITHDRAWN",
    "the note is withdrawn",
    lambda f: f.note.status == NoteStatus.WITHDRAWN,
    _REMOVE,
    _NSR,
    "R23",
)

_LATER_COMMON_ROWS: tuple[PublicationRow, ...] = (
    Row(
        "P-REMOVED-EXPIRED",
        "the local date is later than ten years after the last entry's date",
        is_expired,
        _REMOVE,
        _OWN,
        "R18",
    ),
    Row("P-HOLD-DRAFT", "a draft", lambda f: f.note.status == NoteStatus.DRAFT, _HOLD, _NSR, "R23"),
    Row(
        "P-SCOPE-ADMIN",
        "a purely administrative contact",
        lambda f: f.note.contact_type == ContactType.ADMIN,
        _WITHHOLD,
        _OWN,
        "5.1",
    ),
    Row(
        "P-SCOPE-BEFORE-START",
        "created before the practice began to share, and it does not share history",
        is_before_start,
        _WITHHOLD,
        _OWN,
        "contested C12",
    ),
    Row(
        "P-DECEASED",
        "completed on a day after the patient's death",
        is_after_death,
        _WITHHOLD,
        _OWN,
        "R15",
    ),
    Row(
        "P-WITHHELD-DO-NOT-SHARE",
        "marked do not share",
        lambda f: f.markings.do_not_share is not False,
        _WITHHOLD,
        _NSR,
        "R23",
    ),
)


def _superseded_row(condition: Callable[[PublicationFacts], bool]) -> PublicationRow:
    return Row(
        "P-REMOVED-SUPERSEDED",
        "a final next version has taken over at this destination",
        condition,
        _REMOVE,
        _NSR,
        "R23",
    )


FEED_ROWS: tuple[PublicationRow, ...] = (
    *INTAKE_ROWS,
    _WITHDRAWN_ROW,
    _superseded_row(superseded_in_feed),
    *_LATER_COMMON_ROWS,
    Row(
        "P-WITHHELD-FROM-PATIENT",
        "hidden from the patient on the pre-2010 ground, and created before 1 January 2010",
        is_hidden_pre_2010,
        _WITHHOLD,
        _LAW,
        "R11",
    ),
    Row(
        "P-HOLD-BASIS-MISSING",
        "hidden from the patient without a valid ground",
        lambda f: f.markings.hide_from_patient is not None,
        _HOLD,
        _OWN,
        "contested C1",
    ),
    Row(
        "P-WITHHELD-THIRD-PARTY",
        "confidential information about or from third parties",
        lambda f: f.markings.third_party_confidential is not False,
        _WITHHOLD,
        _OWN,
        "contested C2",
    ),
    Row(
        "P-WITHHELD-SAFETY",
        "about violence or abuse, and the patient has not confirmed the feed is safe",
        needs_safety_hold,
        _WITHHOLD,
        _OWN,
        "3.3",
    ),
    Row(
        "P-HOLD-DELAYED",
        "before the release, which the practice's delay moved past midnight",
        lambda f: f.feed_release > f.midnight and is_before_instant(f, f.feed_release),
        _HOLD,
        _OWN,
        "R22",
    ),
    Row(
        "P-HOLD-MIDNIGHT",
        "before the midnight that follows completion",
        lambda f: is_before_instant(f, f.feed_release),
        _HOLD,
        _NSR,
        "R23",
    ),
    Row("P-OK", "otherwise", always, _PUBLISH, _NSR, "R23"),
)

REPOSITORY_ROWS: tuple[PublicationRow, ...] = (
    *INTAKE_ROWS,
    _WITHDRAWN_ROW,
    _superseded_row(superseded_in_repository),
    *_LATER_COMMON_ROWS,
    Row(
        "P-WITHHELD-FROM-PROFESSIONALS",
        "hidden from other professionals",
        lambda f: f.markings.hide_from_professionals is not False,
        _WITHHOLD,
        _LAW,
        "R06",
    ),
    Row(
        "P-HOLD-MIDNIGHT",
        "before the midnight that follows completion",
        lambda f: is_before_instant(f, f.midnight),
        _HOLD,
        _NSR,
        "R23",
    ),
    Row("P-OK", "otherwise", always, _PUBLISH, _NSR, "R23"),
)


@dataclass(frozen=True, slots=True)
class NationalFacts:
    """What the national rows look at: the two other decisions and the note."""

    feed: PublicationDecision
    repository: PublicationDecision
    note: NoteFacts

    def either_is(self, outcome: PublicationOutcome) -> bool:
        """Does one of the two other destinations have this outcome?"""
        return outcome in (self.feed.decision, self.repository.decision)


def _may_go_national(facts: NationalFacts) -> bool:
    markings = facts.note.markings
    return (
        facts.feed.decision is _PUBLISH
        and facts.repository.decision is _PUBLISH
        and markings.hide_from_guardian is False
        and facts.note.author_name_protected is False
        and markings.sensitive <= _HARMLESS
    )


_HARMLESS = frozenset({Sensitive.GENE.value})
# The code of a national row that passes on the decision and code of 5.1.
UNCHANGED = "="

NATIONAL_ROWS: tuple[Row[NationalFacts], ...] = (
    Row(
        UNCHANGED,
        "rejected at the other destinations",
        lambda f: f.either_is(_REJECT),
        _REJECT,
        _OWN,
        "5.4",
    ),
    Row(
        UNCHANGED,
        "removed at one of the other destinations",
        lambda f: f.either_is(_REMOVE),
        _REMOVE,
        _OWN,
        "5.4",
    ),
    Row(
        "P-OK",
        "published at both other destinations, not hidden from guardians, the author's name not"
        " protected, no sensitive category but genetics",
        _may_go_national,
        _PUBLISH,
        _OWN,
        "5.4 on R09, R12, R23",
    ),
    Row(
        "P-HOLD-NATIONAL",
        "held at one of the other destinations",
        lambda f: f.either_is(_HOLD),
        _HOLD,
        _OWN,
        "5.4",
    ),
    Row("P-WITHHELD-NATIONAL", "otherwise", always, _WITHHOLD, _OWN, "5.4"),
)


def _decide_rows(rows: tuple[PublicationRow, ...], facts: PublicationFacts) -> PublicationDecision:
    row = first_hit(rows, facts)
    if row is None:  # The last row always holds; should it ever be lost, nothing is shared.
        return PublicationDecision(_REJECT, "P-REJ-INVALID")
    if row.code == "P-HOLD-MIDNIGHT":
        return PublicationDecision(_HOLD, row.code, facts.midnight)
    if row.code == "P-HOLD-DELAYED":
        return PublicationDecision(_HOLD, row.code, facts.feed_release)
    return _DECISIONS[row.code]


# Decisions without a time are the same object every time: reads make many of them.
_DECISIONS = {
    row.code: PublicationDecision(PublicationOutcome(row.decision), row.code)
    for row in (*FEED_ROWS, *REPOSITORY_ROWS)
}


def _decide_national(facts: NationalFacts) -> PublicationDecision:
    row = first_hit(NATIONAL_ROWS, facts)
    if row is None:
        return PublicationDecision(_WITHHOLD, "P-WITHHELD-NATIONAL")
    if row.code == UNCHANGED:
        return facts.feed if facts.feed.decision == row.decision else facts.repository
    until = _national_until(facts) if row.decision is _HOLD else None
    return PublicationDecision(PublicationOutcome(row.decision), row.code, until)


def _national_until(facts: NationalFacts) -> datetime | None:
    """When neither destination holds any more; None if one of them has no such time."""
    held = [each.until for each in (facts.feed, facts.repository) if each.decision is _HOLD]
    known = [until for until in held if until is not None]
    return max(known) if known and len(known) == len(held) else None


def decide_for(
    destination: Destination,
    patient: Patient,
    note: NoteFacts,
    now: datetime,
    config: RuleConfig = DEFAULT_CONFIG,
) -> PublicationDecision:
    """What should be true of this note at one destination now.

    Args:
        destination: one of the three.
        patient: whose note it is.
        note: the version in question, with the markings of this moment.
        now: aware instant; without an offset every note is rejected.
        config: the values of section 16.

    Source: sharing-rules 5.1, 5.2, 5.4.
    """
    facts = PublicationFacts(patient, note, now, config)
    if destination is Destination.PATIENT_FEED:
        return _decide_rows(FEED_ROWS, facts)
    if destination is Destination.PROFESSIONAL_REPOSITORY:
        return _decide_rows(REPOSITORY_ROWS, facts)
    return _decide_all(facts).national


def decide_publication(
    patient: Patient, note: NoteFacts, now: datetime, config: RuleConfig = DEFAULT_CONFIG
) -> Publication:
    """The decisions for all three destinations; arguments as for ``decide_for``."""
    return _decide_all(PublicationFacts(patient, note, now, config))


def _decide_all(facts: PublicationFacts) -> Publication:
    feed = _decide_rows(FEED_ROWS, facts)
    repository = _decide_rows(REPOSITORY_ROWS, facts)
    return Publication(
        feed, repository, _decide_national(NationalFacts(feed, repository, facts.note))
    )


def decide_intake(
    patient: Patient, note: NoteFacts, now: datetime, config: RuleConfig = DEFAULT_CONFIG
) -> PublicationDecision | None:
    """Rows 1 to 3, which answer when a note is handed in; None: none of them hit."""
    row = first_hit(INTAKE_ROWS, PublicationFacts(patient, note, now, config))
    return None if row is None else _DECISIONS[row.code]


def next_instant(
    patient: Patient,
    note: NoteFacts,
    now: datetime,
    config: RuleConfig = DEFAULT_CONFIG,
    *,
    current: Publication | None = None,
) -> datetime | None:
    """The first instant after ``now`` at which time alone changes any decision.

    Release, capped delay, takeover by the next version, the end of retention,
    and the moment a completion time lies no longer in the future. Store it as a
    timer; None: nothing changes by itself. A change is one of outcome, code or
    ``until`` at any of the three destinations. ``current``: the decision at
    ``now`` if the caller has made it already.

    Source: sharing-rules 5.3.
    """
    if not is_instant(now):
        return None
    current = current or decide_publication(patient, note, now, config)
    for instant in sorted(_turning_points(patient, note, now, config)):
        if decide_publication(patient, note, instant, config) != current:
            return instant
    return None


def _turning_points(
    patient: Patient, note: NoteFacts, now: datetime, config: RuleConfig
) -> set[datetime]:
    """Every instant after ``now`` that some condition compares the clock with."""
    facts = PublicationFacts(patient, note, now, config)
    points: set[datetime | None] = set()
    if facts.completed_at is not None:
        points |= {facts.midnight, facts.feed_release}
        if facts.completed_at - now > CLOCK_TOLERANCE:
            points.add(facts.completed_at - CLOCK_TOLERANCE)
    if note.last_entry_at is not None and is_instant(note.last_entry_at):
        points.add(expiry(note.last_entry_at))
    if note.successor is not None:
        points |= {takeover_at(each, note.successor, config) for each in Destination}
    return {point for point in points if point is not None and point > now}
