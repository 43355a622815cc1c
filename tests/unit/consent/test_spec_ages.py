"""Disclosure, read off the specification: what changes on a birthday (section 4)."""

import pytest

from tests.unit.consent.spec_disclosure import through

# Birthdays that fall at midnight in winter (+01:00), in summer (+02:00), on the two days the
# clocks change in 2027, and on a leap day met in a common year.
FIFTEEN = [
    pytest.param("2012-02-10", "2027-02-09T22:59:59.999999Z", "2027-02-09T23:00:00Z", id="winter"),
    pytest.param("2012-07-10", "2027-07-09T21:59:59.999999Z", "2027-07-09T22:00:00Z", id="summer"),
    pytest.param("2012-03-28", "2027-03-27T22:59:59.999999Z", "2027-03-27T23:00:00Z", id="spring"),
    pytest.param("2012-03-29", "2027-03-28T21:59:59.999999Z", "2027-03-28T22:00:00Z", id="after"),
    pytest.param("2012-10-31", "2027-10-30T21:59:59.999999Z", "2027-10-30T22:00:00Z", id="autumn"),
    pytest.param("2012-11-01", "2027-10-31T22:59:59.999999Z", "2027-10-31T23:00:00Z", id="winter2"),
    pytest.param("2012-02-29", "2027-02-28T22:59:59.999999Z", "2027-02-28T23:00:00Z", id="leap"),
    pytest.param("2012-03-01", "2027-02-28T22:59:59.999999Z", "2027-02-28T23:00:00Z", id="march"),
]
EIGHTEEN = [
    pytest.param("2009-02-10", "2027-02-09T22:59:59.999999Z", "2027-02-09T23:00:00Z", id="winter"),
    pytest.param("2009-07-10", "2027-07-09T21:59:59.999999Z", "2027-07-09T22:00:00Z", id="summer"),
    pytest.param("2009-03-28", "2027-03-27T22:59:59.999999Z", "2027-03-27T23:00:00Z", id="spring"),
    pytest.param("2009-10-31", "2027-10-30T21:59:59.999999Z", "2027-10-30T22:00:00Z", id="autumn"),
    pytest.param("2012-02-29", "2030-02-28T22:59:59.999999Z", "2030-02-28T23:00:00Z", id="leap"),
]


@pytest.mark.parametrize(("born", "before", "birthday"), FIFTEEN)
def test_access_moves_from_guardian_to_child_at_midnight_of_the_fifteenth_birthday(
    born: str, before: str, birthday: str
) -> None:
    patient = {"birth_date": born}
    assert through("GUARDIAN", patient, now=before)["code"] == "D-OK-GUARDIAN"
    assert through("SELF", patient, now=before)["code"] == "D-SELF-UNDER-15"
    assert through("GUARDIAN", patient, now=birthday)["code"] == "D-GUARDIAN-15-PLUS"
    assert through("SELF", patient, now=birthday)["code"] == "D-OK-SELF"


@pytest.mark.parametrize(("born", "before", "birthday"), FIFTEEN)
def test_a_proxy_becomes_possible_at_midnight_of_the_fifteenth_birthday(
    born: str, before: str, birthday: str
) -> None:
    patient = {"birth_date": born}
    assert through("PROXY", patient, now=before)["code"] == "D-PROXY-INVALID"
    assert through("PROXY", patient, now=birthday)["code"] == "D-OK-PROXY"


@pytest.mark.parametrize(("born", "before", "birthday"), EIGHTEEN)
def test_custody_ends_and_representation_begins_at_midnight_of_the_eighteenth_birthday(
    born: str, before: str, birthday: str
) -> None:
    patient = {"birth_date": born, "incapacity_39b": True}
    assert through("GUARDIAN", patient, now=before)["code"] == "D-OK-GUARDIAN"
    assert through("LEGAL_REP", patient, now=before)["code"] == "D-REP-INVALID"
    assert through("GUARDIAN", patient, now=birthday)["code"] == "D-NO-CUSTODY"
    assert through("LEGAL_REP", patient, now=birthday)["code"] == "D-OK-REP"


@pytest.mark.parametrize(("born", "before", "birthday"), EIGHTEEN)
def test_the_reason_changes_from_age_to_custody_at_eighteen(
    born: str, before: str, birthday: str
) -> None:
    patient = {"birth_date": born}
    assert through("GUARDIAN", patient, now=before)["code"] == "D-GUARDIAN-15-PLUS"
    assert through("GUARDIAN", patient, now=birthday)["code"] == "D-NO-CUSTODY"


@pytest.mark.parametrize(
    ("clock", "code"),
    [("2027-02-09T23:59:59+01:00", "D-OK-GUARDIAN"), ("2027-02-10T00:00:00+01:00", "D-OK-SELF")],
)
def test_the_birthday_begins_after_23_59_59(clock: str, code: str) -> None:
    door = "GUARDIAN" if code == "D-OK-GUARDIAN" else "SELF"
    assert through(door, {"birth_date": "2012-02-10"}, now=clock)["code"] == code


def test_at_fifteen_the_old_notes_follow() -> None:
    note = {
        "created_at": "2020-05-04T10:00:00+02:00",
        "completed_at": "2020-05-04T10:20:00+02:00",
        "practice": {"share_history": True},
    }
    patient = {"birth_date": "2012-02-10"}
    assert through("SELF", patient, note=note)["code"] == "D-OK-SELF"
    assert through("GUARDIAN", patient, note=note)["code"] == "D-GUARDIAN-15-PLUS"
