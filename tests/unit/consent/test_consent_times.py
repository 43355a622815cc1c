"""Days, midnights and ages in Danish time (sharing-rules 4)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from consent import times
from tests.unit.consent.consent_builders import at


@pytest.mark.parametrize(
    ("instant", "midnight"),
    [
        ("2027-02-01T10:20:00+01:00", "2027-02-01T23:00:00Z"),
        ("2027-07-01T10:20:00+02:00", "2027-07-01T22:00:00Z"),
        ("2027-02-01T23:59:59.999999+01:00", "2027-02-01T23:00:00Z"),
        ("2027-02-02T00:00:00+01:00", "2027-02-02T23:00:00Z"),
        ("2027-02-01T22:59:59Z", "2027-02-01T23:00:00Z"),
        ("2027-02-01T23:00:00Z", "2027-02-02T23:00:00Z"),
        # The days on which the clock changes last 23 and 25 hours.
        ("2027-03-28T00:00:00+01:00", "2027-03-28T22:00:00Z"),
        ("2027-03-28T03:00:00+02:00", "2027-03-28T22:00:00Z"),
        ("2027-10-31T00:00:00+02:00", "2027-10-31T23:00:00Z"),
        ("2027-10-31T02:30:00+02:00", "2027-10-31T23:00:00Z"),
        ("2027-10-31T02:30:00+01:00", "2027-10-31T23:00:00Z"),
        ("2027-12-31T12:00:00+01:00", "2027-12-31T23:00:00Z"),
    ],
)
def test_next_midnight_is_counted_on_the_danish_calendar(instant: str, midnight: str) -> None:
    assert times.next_midnight(at(instant)) == at(midnight)


@pytest.mark.parametrize(
    ("born", "years", "reached"),
    [
        (date(2012, 2, 10), 15, "2027-02-09T23:00:00Z"),
        (date(2012, 7, 10), 15, "2027-07-09T22:00:00Z"),
        (date(2012, 2, 29), 15, "2027-02-28T23:00:00Z"),
        (date(2012, 2, 29), 16, "2028-02-28T23:00:00Z"),
        (date(2009, 2, 10), 18, "2027-02-09T23:00:00Z"),
        (date(2009, 10, 31), 18, "2027-10-30T22:00:00Z"),
    ],
)
def test_an_age_is_reached_at_local_midnight_of_the_birthday(
    born: date, years: int, reached: str
) -> None:
    instant = at(reached)
    assert times.age_reached_at(born, years) == instant
    assert times.has_reached(born, years, instant)
    assert not times.has_reached(born, years, instant - timedelta(microseconds=1))


def test_29_february_becomes_1_march_in_common_years_only() -> None:
    assert times.plus_years(date(2016, 2, 29), 10) == date(2026, 3, 1)
    assert times.plus_years(date(2016, 2, 29), 12) == date(2028, 2, 29)
    assert times.plus_years(date(2016, 2, 28), 10) == date(2026, 2, 28)


def test_the_cap_of_a_delay_is_30_local_days_across_a_clock_change() -> None:
    # 10 March plus 30 days is 9 April, in summer time by then.
    assert times.delay_cap(at("2027-03-10T10:00:00+01:00"), 30) == at("2027-04-08T22:00:00Z")


def test_a_day_is_over_at_the_next_local_midnight() -> None:
    day = date(2027, 2, 9)
    assert not times.is_after_day(at("2027-02-09T22:59:59.999999Z"), day)
    assert times.is_after_day(at("2027-02-09T23:00:00Z"), day)


def test_periods_are_half_open_to_the_microsecond() -> None:
    start, end = at("2027-02-01T00:00:00Z"), at("2027-03-01T00:00:00Z")
    tick = timedelta(microseconds=1)
    assert times.is_within(start, start, end) is True
    assert times.is_within(start - tick, start, end) is False
    assert times.is_within(end - tick, start, end) is True
    assert times.is_within(end, start, end) is False
    assert times.is_within(end, start, None) is True


def test_a_period_that_can_not_be_compared_is_unknown() -> None:
    naive = datetime(2027, 2, 1)
    assert times.is_within(at("2027-02-10T00:00:00Z"), None, None) is None
    assert times.is_within(at("2027-02-10T00:00:00Z"), naive, None) is None


def test_nothing_overflows_at_the_ends_of_the_calendar() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))
    assert times.next_midnight(last) == times.FOREVER or times.next_midnight(last).year == 9999
    assert times.next_midnight(first).year == 1
    assert times.plus_years(date(9990, 1, 1), 15) == date.max
    assert times.plus_days(date.max, 1) == date.max
    assert times.delay_cap(last, 30) <= times.FOREVER


@pytest.mark.parametrize(
    "text",
    [
        "2027-02-01T10:00:00",
        "2027-02-01",
        "2027-13-01T10:00:00Z",
        "",
        "now",
        None,
        7,
        True,
        [],
        {},
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "2027-02-30T10:00:00Z",
    ],
)
def test_only_an_instant_with_offset_is_read(text: object) -> None:
    assert times.instant_from_text(text) is None


@pytest.mark.parametrize("text", ["20270201", "2027-W05-1", "2027-02-30", "27-02-01", "", None, 1])
def test_only_a_plain_date_is_read(text: object) -> None:
    assert times.date_from_text(text) is None


def test_instants_are_written_in_utc_with_z() -> None:
    assert times.text_from_instant(at("2027-02-02T00:00:00+01:00")) == "2027-02-01T23:00:00Z"
    assert times.text_from_instant(at("2027-02-02T00:00:00.5+01:00")).endswith(".500000Z")
