"""Days, midnights and ages in Danish time.

Nothing here adds 24 hours to mean "tomorrow": days are counted on the calendar
and turned into instants afterwards. Every function is total over aware
instants and dates; what lies beyond the calendar becomes ``FOREVER``.

Source: sharing-rules 4 (time conventions), 5.2 (release).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
FOREVER = datetime.max.replace(tzinfo=UTC)

_ONE_DAY = timedelta(days=1)


def is_instant(value: object) -> bool:
    """True for a datetime that names one point in time."""
    return isinstance(value, datetime) and value.utcoffset() is not None


def local_date(instant: datetime) -> date:
    """The date in Copenhagen at ``instant``; exactly midnight is the new day."""
    try:
        return instant.astimezone(COPENHAGEN).date()
    except OverflowError:
        return instant.date()


@lru_cache(maxsize=16_384)
def start_of_day(day: date) -> datetime:
    """00:00 local on ``day``, in UTC."""
    try:
        return datetime.combine(day, time(), COPENHAGEN).astimezone(UTC)
    except OverflowError:
        return FOREVER if day.year > 1 else datetime.min.replace(tzinfo=UTC)


def plus_days(day: date, days: int) -> date:
    """``days`` calendar days later; the last day there is when beyond the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max


def plus_years(day: date, years: int) -> date:
    """Same month and day ``years`` later; 29 February becomes 1 March in common years.

    Source: sharing-rules 4, points 3 and 6.
    """
    year = day.year + years
    if year > date.max.year:
        return date.max
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def next_midnight(instant: datetime) -> datetime:
    """00:00 local on the local date of ``instant`` plus one day, in UTC."""
    return start_of_day(plus_days(local_date(instant), 1))


def delay_cap(completed_at: datetime, max_delay_days: int) -> datetime:
    """The latest instant a delay may last: 00:00 local, so many days after completion."""
    return start_of_day(plus_days(local_date(completed_at), max_delay_days))


@lru_cache(maxsize=65_536)
def age_reached_at(birth_date: date, years: int) -> datetime:
    """The instant a person becomes ``years`` old: 00:00 local on the birthday, in UTC."""
    return start_of_day(plus_years(birth_date, years))


def has_reached(birth_date: date, years: int, now: datetime) -> bool:
    """Is the person at least ``years`` old at ``now``?"""
    return now >= age_reached_at(birth_date, years)


def is_after_day(now: datetime, day: date) -> bool:
    """Is the local date of ``now`` later than ``day``?"""
    return now >= start_of_day(plus_days(day, 1))


def is_within(now: datetime, start: datetime | None, end: datetime | None) -> bool | None:
    """Is ``now`` in the half-open ``[start, end)``? ``end`` None: open.

    None when it can't be said: the start is not known, or an instant has no
    offset. Callers compare with ``is True`` or ``is not False``, whichever is
    the restrictive sense.
    """
    if start is None:
        return None
    try:
        return start <= now and (end is None or now < end)
    except TypeError:
        return None


def instant_from_text(value: object) -> datetime | None:
    """Read an ISO 8601 instant with offset, as UTC; None for anything else."""
    if not isinstance(value, str) or "T" not in value:
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(UTC) if parsed.utcoffset() is not None else None
    except (ValueError, OverflowError):
        return None


def date_from_text(value: object) -> date | None:
    """Read a date ``YYYY-MM-DD``; None for anything else."""
    if not isinstance(value, str) or len(value) != len("YYYY-MM-DD"):
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None


def text_from_instant(instant: datetime) -> str:
    """ISO 8601 in UTC ending in ``Z``; a fraction only when there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
