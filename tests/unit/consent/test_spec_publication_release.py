"""Publication, read off the specification: when a note is released and replaced (4, 5.2)."""

import pytest

from tests.unit.consent.spec_publication import (
    BOTH,
    MIDNIGHT,
    PF,
    PR,
    PUBLISHED,
    SAME_EVENING,
    at,
    codes,
    decide,
    successor,
    times,
)

# ------------------------------------------------------------------------------ 5.2 and 4, release


@pytest.mark.parametrize(
    ("completed", "midnight"),
    [
        pytest.param("2027-02-01T23:59:59+01:00", "2027-02-01T23:00:00Z", id="23:59:59 winter"),
        pytest.param("2027-02-02T00:00:00+01:00", "2027-02-02T23:00:00Z", id="00:00:00 winter"),
        pytest.param("2027-02-01T22:59:59.999999Z", "2027-02-01T23:00:00Z", id="last microsecond"),
        pytest.param("2027-07-01T23:59:59+02:00", "2027-07-01T22:00:00Z", id="23:59:59 summer"),
        pytest.param("2027-07-02T00:00:00+02:00", "2027-07-02T22:00:00Z", id="00:00:00 summer"),
        pytest.param("2027-07-01T22:30:00Z", "2027-07-02T22:00:00Z", id="UTC date is yesterday"),
        pytest.param("2027-12-31T12:00:00+01:00", "2027-12-31T23:00:00Z", id="new year"),
        pytest.param("2028-02-28T12:00:00+01:00", "2028-02-28T23:00:00Z", id="into a leap day"),
        pytest.param("2028-02-29T12:00:00+01:00", "2028-02-29T23:00:00Z", id="out of a leap day"),
        pytest.param("2027-03-27T20:00:00+01:00", "2027-03-27T23:00:00Z", id="into spring change"),
        pytest.param("2027-03-28T00:00:00+01:00", "2027-03-28T22:00:00Z", id="the day of 23 hours"),
        pytest.param("2027-03-28T01:59:59+01:00", "2027-03-28T22:00:00Z", id="last winter second"),
        pytest.param("2027-03-28T03:00:00+02:00", "2027-03-28T22:00:00Z", id="first summer second"),
        pytest.param("2027-10-30T20:00:00+02:00", "2027-10-30T22:00:00Z", id="into autumn change"),
        pytest.param("2027-10-31T00:00:00+02:00", "2027-10-31T23:00:00Z", id="the day of 25 hours"),
        pytest.param("2027-10-31T02:30:00+02:00", "2027-10-31T23:00:00Z", id="first half past two"),
        pytest.param("2027-10-31T02:30:00+01:00", "2027-10-31T23:00:00Z", id="second half past 2"),
        pytest.param("2027-10-31T23:59:59+01:00", "2027-10-31T23:00:00Z", id="end of autumn day"),
    ],
)
@pytest.mark.parametrize("place", BOTH)
def test_a_note_is_released_at_the_next_copenhagen_midnight(
    completed: str, midnight: str, place: str
) -> None:
    note = times("2027-02-01T00:00:00Z", completed)
    assert at(decide(note=note, now=completed), place) == ("HOLD", "P-HOLD-MIDNIGHT", midnight)
    assert at(decide(note=note, now=midnight), place) == PUBLISHED


@pytest.mark.parametrize(
    ("completed", "last_microsecond"),
    [
        ("2027-02-01T10:20:00+01:00", "2027-02-01T22:59:59.999999Z"),
        ("2027-07-01T10:20:00+02:00", "2027-07-01T21:59:59.999999Z"),
        ("2027-03-28T10:20:00+02:00", "2027-03-28T21:59:59.999999Z"),
        ("2027-10-31T10:20:00+01:00", "2027-10-31T22:59:59.999999Z"),
    ],
)
def test_a_release_is_never_a_microsecond_early(completed: str, last_microsecond: str) -> None:
    note = times("2027-02-01T00:00:00Z", completed)
    held = ("P-HOLD-MIDNIGHT", "P-HOLD-MIDNIGHT")
    assert codes(decide(note=note, now=last_microsecond)) == held


def test_the_release_follows_the_completion_not_the_creation() -> None:
    note = times("2027-02-01T10:00:00+01:00", "2027-02-09T10:00:00+01:00")
    answer = decide(note=note, now="2027-02-09T20:00:00Z")
    assert at(answer, PR) == ("HOLD", "P-HOLD-MIDNIGHT", "2027-02-09T23:00:00Z")


@pytest.mark.parametrize("delay", ["2027-02-01T12:00:00Z", "2026-01-01T00:00:00Z", MIDNIGHT])
def test_a_delay_no_later_than_midnight_is_not_named(delay: str) -> None:
    answer = decide(marks={"delay_until": delay}, now=SAME_EVENING)
    assert at(answer, PF) == ("HOLD", "P-HOLD-MIDNIGHT", MIDNIGHT)


def test_a_delay_a_microsecond_past_midnight_is_named() -> None:
    answer = decide(marks={"delay_until": "2027-02-01T23:00:00.000001Z"}, now=SAME_EVENING)
    assert answer[PF]["code"] == "P-HOLD-DELAYED"
    answer = decide(marks={"delay_until": "2027-02-01T23:00:00.000001Z"}, now=MIDNIGHT)
    assert answer[PF]["code"] == "P-HOLD-DELAYED"


def test_a_delayed_note_is_released_at_the_chosen_instant_exactly() -> None:
    marks = {"delay_until": "2027-02-11T08:00:00Z"}
    assert decide(marks=marks, now="2027-02-11T07:59:59.999999Z")[PF]["code"] == "P-HOLD-DELAYED"
    assert at(decide(marks=marks, now="2027-02-11T08:00:00Z"), PF) == PUBLISHED


@pytest.mark.parametrize(
    ("completed", "cap"),
    [
        pytest.param("2027-02-01T10:20:00+01:00", "2027-03-02T23:00:00Z", id="winter to winter"),
        pytest.param("2027-02-01T23:59:59+01:00", "2027-03-02T23:00:00Z", id="end of the day"),
        pytest.param("2027-02-02T00:00:00+01:00", "2027-03-03T23:00:00Z", id="start of the next"),
        pytest.param("2027-03-10T10:20:00+01:00", "2027-04-08T22:00:00Z", id="over spring change"),
        pytest.param("2027-06-01T10:20:00+02:00", "2027-06-30T22:00:00Z", id="summer to summer"),
        pytest.param("2027-10-02T10:20:00+02:00", "2027-10-31T23:00:00Z", id="over autumn change"),
        pytest.param("2027-10-01T10:20:00+02:00", "2027-10-30T22:00:00Z", id="onto autumn change"),
        pytest.param("2028-01-31T10:20:00+01:00", "2028-02-29T23:00:00Z", id="over a leap day"),
    ],
)
def test_a_delay_ends_thirty_local_days_after_completion_at_the_latest(
    completed: str, cap: str
) -> None:
    note = times("2027-02-01T00:00:00Z", completed)
    note["markings"] = {"delay_until": "2099-01-01T00:00:00Z"}
    assert at(decide(note=note, now=completed), PF) == ("HOLD", "P-HOLD-DELAYED", cap)
    assert at(decide(note=note, now=cap), PF) == PUBLISHED


def test_a_delay_at_the_cap_and_one_microsecond_past_it_end_together() -> None:
    for delay in ("2027-03-02T23:00:00Z", "2027-03-02T23:00:00.000001Z"):
        answer = decide(marks={"delay_until": delay})
        assert at(answer, PF) == ("HOLD", "P-HOLD-DELAYED", "2027-03-02T23:00:00Z")


def test_a_delay_a_microsecond_before_the_cap_is_kept_as_chosen() -> None:
    marks = {"delay_until": "2027-03-02T22:59:59.999999Z"}
    assert at(decide(marks=marks, now="2027-03-02T22:59:59.999999Z"), PF) == PUBLISHED


# -------------------------------------------------------------------------------- 5.2, successors


def test_the_old_version_stays_until_the_new_ones_midnight() -> None:
    before = decide(note=successor(), now="2027-02-05T22:59:59.999999Z")
    assert codes(before) == ("P-OK", "P-OK")
    after = decide(note=successor(), now="2027-02-05T23:00:00Z")
    assert codes(after) == ("P-REMOVED-SUPERSEDED", "P-REMOVED-SUPERSEDED")


@pytest.mark.parametrize(
    ("completed", "midnight", "before"),
    [
        ("2027-03-28T00:30:00+01:00", "2027-03-28T22:00:00Z", "2027-03-28T21:59:59.999999Z"),
        ("2027-10-31T00:30:00+02:00", "2027-10-31T23:00:00Z", "2027-10-31T22:59:59.999999Z"),
    ],
)
def test_a_successor_takes_over_at_midnight_on_the_days_the_clock_changes(
    completed: str, midnight: str, before: str
) -> None:
    note = successor(completed_at=completed)
    assert codes(decide(note=note, now=before)) == ("P-OK", "P-OK")
    assert codes(decide(note=note, now=midnight)) == ("P-REMOVED-SUPERSEDED",) * 2


def test_a_delayed_update_leaves_the_patient_on_the_old_version_alone() -> None:
    note = successor(delay_until="2027-02-12T08:00:00Z")
    assert codes(decide(note=note)) == ("P-OK", "P-REMOVED-SUPERSEDED")
    assert codes(decide(note=note, now="2027-02-12T07:59:59.999999Z"))[0] == "P-OK"
    assert codes(decide(note=note, now="2027-02-12T08:00:00Z"))[0] == "P-REMOVED-SUPERSEDED"


def test_the_delay_of_an_update_is_capped_from_its_own_completion() -> None:
    note = successor(delay_until="2099-01-01T00:00:00Z")
    assert codes(decide(note=note, now="2027-03-06T22:59:59.999999Z"))[0] == "P-OK"
    assert codes(decide(note=note, now="2027-03-06T23:00:00Z"))[0] == "P-REMOVED-SUPERSEDED"


@pytest.mark.parametrize("delay", [None, "2027-02-20T08:00:00Z"])
def test_a_safety_correction_takes_over_on_both_at_its_completion(delay: str | None) -> None:
    note = successor(safety_correction=True, delay_until=delay)
    assert codes(decide(note=note, now="2027-02-05T12:59:59.999999Z")) == ("P-OK", "P-OK")
    assert codes(decide(note=note, now="2027-02-05T13:00:00Z")) == ("P-REMOVED-SUPERSEDED",) * 2


def test_a_safety_correction_that_is_still_a_draft_takes_nothing_over() -> None:
    answer = decide(note=successor(safety_correction=True, status="draft"))
    assert codes(answer) == ("P-OK", "P-OK")


def test_a_version_still_on_hold_is_removed_by_a_safety_correction() -> None:
    note = successor(safety_correction=True, completed_at="2027-02-01T12:00:00+01:00")
    assert codes(decide(note=note, now=SAME_EVENING)) == ("P-REMOVED-SUPERSEDED",) * 2


def test_the_delay_of_the_old_version_does_not_delay_the_new_one() -> None:
    note = successor()
    note["markings"] = {"delay_until": "2027-02-20T08:00:00Z"}
    assert codes(decide(note=note)) == ("P-REMOVED-SUPERSEDED",) * 2
