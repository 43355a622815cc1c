"""What the publication rows look at: release times and the longer conditions.

Everything is worked out once per note and instant. Facts that are missing or
have no offset fall in the restrictive sense.

Source: sharing-rules 5.1 (conditions), 5.2 (release and takeover).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from consent.config import DEFAULT_CONFIG, RuleConfig
from consent.model import (
    ContactType,
    Destination,
    NoteFacts,
    NoteStatus,
    Patient,
    Sensitive,
    Successor,
)
from consent.times import (
    FOREVER,
    delay_cap,
    is_after_day,
    is_instant,
    local_date,
    next_midnight,
    plus_days,
    plus_years,
    start_of_day,
)

CLOCK_TOLERANCE = timedelta(minutes=5)
RETENTION_YEARS = 10
# Only entries from before this instant may be hidden from the patient alone (R11).
HIDING_ENDED_AT = start_of_day(date(2010, 1, 1))
PRE_2010_BASIS = "SL37_4_PRE2010"

_STATUSES = frozenset(NoteStatus)
_CONTACT_TYPES = frozenset(ContactType)
_CATEGORIES = frozenset(Sensitive)
_FINAL = NoteStatus.FINAL.value
_DRAFT = NoteStatus.DRAFT.value
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class PublicationFacts:
    """What the rows look at, worked out once per note and instant.

    ``midnight`` is the ordinary release, ``feed_release`` the one in the
    patient feed, ``completed_at`` None when absent or without an offset.
    """

    __slots__ = (
        "completed_at",
        "config",
        "created_at",
        "feed_release",
        "markings",
        "midnight",
        "note",
        "now",
        "patient",
    )

    def __init__(
        self, patient: Patient, note: NoteFacts, now: datetime, config: RuleConfig
    ) -> None:
        self.patient = patient
        self.note = note
        self.markings = note.markings
        self.now = now if is_instant(now) else None
        self.config = config
        self.created_at = note.created_at if is_instant(note.created_at) else None
        self.completed_at = note.completed_at if is_instant(note.completed_at) else None
        if self.completed_at is None:
            self.midnight = self.feed_release = FOREVER
        else:
            self.midnight = next_midnight(self.completed_at)
            self.feed_release = feed_release(
                self.completed_at, self.midnight, note.markings.delay_until, config
            )


def feed_release(
    completed_at: datetime, midnight: datetime, delay_until: datetime | None, config: RuleConfig
) -> datetime:
    """Release in the patient feed: the later of midnight and the capped delay (5.2)."""
    if delay_until is None:
        return midnight
    cap = delay_cap(completed_at, config.max_delay_days)
    delay = delay_until if is_instant(delay_until) else FOREVER
    return max(midnight, min(delay, cap))


def takeover_at(
    destination: Destination, successor: Successor, config: RuleConfig = DEFAULT_CONFIG
) -> datetime | None:
    """When the next version replaces this one at a destination; None: it does not.

    A successor that is final (or of unknown state) but without a usable
    completion time counts as having taken over: an old text may not outlive an
    unclear new one.

    Source: sharing-rules 5.2.
    """
    if successor.status in _STATUSES and successor.status != _FINAL:
        return None
    completed_at = successor.completed_at
    if completed_at is None or not is_instant(completed_at):
        return _BEFORE_ALL
    if successor.safety_correction is not False:
        return completed_at
    midnight = next_midnight(completed_at)
    if destination is Destination.PATIENT_FEED:
        return feed_release(completed_at, midnight, successor.delay_until, config)
    return midnight


def is_invalid(facts: PublicationFacts) -> bool:
    """Row 2. A draft has no completion yet, so its time is neither required nor compared."""
    note = facts.note
    if (
        facts.now is None
        or facts.created_at is None
        or note.status not in _STATUSES
        or note.contact_type not in _CONTACT_TYPES
        or not note.id
        or not note.author_org
        or not isinstance(note.version, int)
        or note.practice is None
        or not facts.patient.id
    ):
        return True
    if note.status == _DRAFT:
        return False
    completed_at = facts.completed_at
    if completed_at is None or completed_at < facts.created_at:
        return True
    return completed_at - facts.now > CLOCK_TOLERANCE


def _is_superseded(facts: PublicationFacts, destination: Destination) -> bool:
    successor = facts.note.successor
    if successor is None or facts.now is None:
        return False
    at = takeover_at(destination, successor, facts.config)
    return at is not None and facts.now >= at


def superseded_in_feed(facts: PublicationFacts) -> bool:
    return _is_superseded(facts, Destination.PATIENT_FEED)


def superseded_in_repository(facts: PublicationFacts) -> bool:
    return _is_superseded(facts, Destination.PROFESSIONAL_REPOSITORY)


def is_expired(facts: PublicationFacts) -> bool:
    last_entry_at = facts.note.last_entry_at
    if last_entry_at is None or facts.now is None or not is_instant(last_entry_at):
        return False
    return facts.now >= expiry(last_entry_at)


def expiry(last_entry_at: datetime) -> datetime:
    """00:00 local on the day after the last entry's date plus ten years."""
    return start_of_day(plus_days(plus_years(local_date(last_entry_at), RETENTION_YEARS), 1))


def is_before_start(facts: PublicationFacts) -> bool:
    practice = facts.note.practice
    if practice is None or practice.share_history is True:
        return practice is None
    start = practice.sharing_start
    if start is None or facts.created_at is None or not is_instant(start):
        return True
    return facts.created_at < start


def is_after_death(facts: PublicationFacts) -> bool:
    death_date = facts.patient.death_date
    if death_date is None:
        return False
    return facts.completed_at is None or is_after_day(facts.completed_at, death_date)


def is_hidden_pre_2010(facts: PublicationFacts) -> bool:
    hide = facts.markings.hide_from_patient
    return (
        hide is not None
        and hide.basis == PRE_2010_BASIS
        and facts.created_at is not None
        and facts.created_at < HIDING_ENDED_AT
    )


def needs_safety_hold(facts: PublicationFacts) -> bool:
    sensitive = facts.markings.sensitive
    if not sensitive or facts.markings.patient_confirmed_feed is True:
        return False
    return bool(sensitive & facts.config.never_to_others) or not sensitive <= _CATEGORIES


def is_before_instant(facts: PublicationFacts, release: datetime) -> bool:
    return facts.now is None or facts.now < release
