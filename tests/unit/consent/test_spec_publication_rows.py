"""Publication, read off the specification row by row: the two tables of 5.1, and their order."""

from typing import Any

import pytest

from tests.unit.consent.spec_publication import (
    BOTH,
    FINAL_SUCCESSOR,
    MIDNIGHT,
    NATIONAL,
    PF,
    PR,
    PUBLISHED,
    SAME_EVENING,
    Json,
    at,
    codes,
    decide,
    history,
    times,
)

# ---------------------------------------------------------------- 5.1, rows for both destinations


def test_an_ordinary_note_is_published_to_both_and_nationally() -> None:
    answer = decide()
    assert [at(answer, place) for place in (PF, PR, NATIONAL)] == [PUBLISHED] * 3


@pytest.mark.parametrize("place", [*BOTH, NATIONAL])
def test_row_1_a_replacement_identifier_is_rejected(place: str) -> None:
    answer = decide(patient={"cpr_type": "ECPR"})
    assert at(answer, place) == ("REJECT", "P-REJ-IDENTITY", None)


def test_row_1_an_unknown_kind_of_identifier_counts_as_a_replacement() -> None:
    assert codes(decide(patient={"cpr_type": None})) == ("P-REJ-IDENTITY", "P-REJ-IDENTITY")


@pytest.mark.parametrize("place", [*BOTH, NATIONAL])
def test_row_2_a_note_completed_before_it_was_created_is_rejected(place: str) -> None:
    answer = decide(note=times("2027-02-01T10:00:00+01:00", "2027-02-01T09:59:59.999999+01:00"))
    assert at(answer, place) == ("REJECT", "P-REJ-INVALID", None)


def test_row_2_a_note_completed_the_instant_it_was_created_is_valid() -> None:
    answer = decide(note=times("2027-02-01T10:00:00+01:00"))
    assert codes(answer) == ("P-OK", "P-OK")


def test_row_2_the_two_times_are_compared_as_instants_not_as_clock_faces() -> None:
    answer = decide(note=times("2027-02-01T10:00:00+01:00", "2027-02-01T09:30:00Z"))
    assert codes(answer) == ("P-OK", "P-OK")


def test_row_2_five_minutes_ahead_of_the_clock_is_tolerated() -> None:
    answer = decide(note=times("2027-02-01T10:00:00Z", "2027-02-10T09:05:00Z"))
    assert codes(answer) == ("P-HOLD-MIDNIGHT", "P-HOLD-MIDNIGHT")


def test_row_2_a_microsecond_more_than_five_minutes_ahead_is_rejected() -> None:
    answer = decide(note=times("2027-02-01T10:00:00Z", "2027-02-10T09:05:00.000001Z"))
    assert codes(answer) == ("P-REJ-INVALID", "P-REJ-INVALID")


def test_row_2_does_not_judge_the_times_of_a_draft() -> None:
    ahead = times("2027-02-10T10:00:00Z", "2027-02-10T11:00:00Z")
    backwards = times("2027-02-01T10:00:00Z", "2027-02-01T09:00:00Z")
    for note in (ahead, backwards):
        assert codes(decide(note={**note, "status": "draft"})) == ("P-HOLD-DRAFT", "P-HOLD-DRAFT")


@pytest.mark.parametrize("field", ["created_at", "completed_at", "author_org", "id"])
def test_row_2_a_final_note_without_a_mandatory_field_is_rejected(field: str) -> None:
    assert codes(decide(note={field: None})) == ("P-REJ-INVALID", "P-REJ-INVALID")


@pytest.mark.parametrize("place", [*BOTH, NATIONAL])
def test_row_3_a_practice_outside_the_scheme_is_rejected(place: str) -> None:
    answer = decide(practice={"enrolled": False})
    assert at(answer, place) == ("REJECT", "P-REJ-NOT-ENROLLED", None)


@pytest.mark.parametrize("place", [*BOTH, NATIONAL])
def test_row_4_a_withdrawn_note_is_removed_at_once(place: str) -> None:
    answer = decide(note={"status": "withdrawn"}, now=SAME_EVENING)
    assert at(answer, place) == ("REMOVE", "P-REMOVED-WITHDRAWN", None)


@pytest.mark.parametrize("place", [*BOTH, NATIONAL])
def test_row_5_a_version_that_was_replaced_is_removed(place: str) -> None:
    answer = decide(note={"successor": FINAL_SUCCESSOR})
    assert at(answer, place) == ("REMOVE", "P-REMOVED-SUPERSEDED", None)


@pytest.mark.parametrize("status", ["draft", "withdrawn"])
def test_row_5_only_a_final_successor_takes_over(status: str) -> None:
    answer = decide(note={"successor": {**FINAL_SUCCESSOR, "status": status}})
    assert codes(answer) == ("P-OK", "P-OK")


@pytest.mark.parametrize("place", [*BOTH, NATIONAL])
def test_row_6_a_note_is_removed_ten_years_after_the_last_entry(place: str) -> None:
    note = history("2017-01-10T10:00:00+01:00", last_entry_at="2017-02-09T10:00:00+01:00")
    assert at(decide(note=note), place) == ("REMOVE", "P-REMOVED-EXPIRED", None)


def test_row_6_the_tenth_anniversary_itself_is_still_inside() -> None:
    note = history("2017-01-10T10:00:00+01:00", last_entry_at="2017-02-10T10:00:00+01:00")
    assert codes(decide(note=note, now="2027-02-10T22:59:59.999999Z")) == ("P-OK", "P-OK")
    after = codes(decide(note=note, now="2027-02-10T23:00:00Z"))
    assert after == ("P-REMOVED-EXPIRED", "P-REMOVED-EXPIRED")


def test_row_6_the_date_of_the_last_entry_is_the_local_one() -> None:
    before_midnight = history(
        "2017-01-10T10:00:00+01:00", last_entry_at="2017-02-09T22:59:59.999999Z"
    )
    at_midnight = history("2017-01-10T10:00:00+01:00", last_entry_at="2017-02-09T23:00:00Z")
    assert codes(decide(note=before_midnight))[0] == "P-REMOVED-EXPIRED"
    assert codes(decide(note=at_midnight)) == ("P-OK", "P-OK")


def test_row_6_ten_years_after_a_leap_day_is_the_first_of_march() -> None:
    note = history("2016-01-10T10:00:00+01:00", last_entry_at="2016-02-29T10:00:00+01:00")
    assert codes(decide(note=note, now="2026-03-01T22:59:59.999999Z")) == ("P-OK", "P-OK")
    assert codes(decide(note=note, now="2026-03-01T23:00:00Z"))[0] == "P-REMOVED-EXPIRED"


def test_row_6_an_unknown_last_entry_expires_nothing() -> None:
    note = history("2010-01-10T10:00:00+01:00", last_entry_at=None)
    assert codes(decide(note=note)) == ("P-OK", "P-OK")


@pytest.mark.parametrize("place", BOTH)
def test_row_7_a_draft_is_held_without_an_end(place: str) -> None:
    assert at(decide(note={"status": "draft"}), place) == ("HOLD", "P-HOLD-DRAFT", None)


@pytest.mark.parametrize("place", BOTH)
def test_row_8_an_administrative_entry_is_out_of_scope(place: str) -> None:
    answer = decide(note={"contact_type": "admin"})
    assert at(answer, place) == ("WITHHOLD", "P-SCOPE-ADMIN", None)


@pytest.mark.parametrize(
    "contact_type",
    [
        "consultation",
        "e_consultation",
        "phone",
        "video",
        "home_visit",
        "out_of_hours",
        "result_comment",
    ],
)
def test_row_8_no_other_contact_type_changes_the_decision(contact_type: str) -> None:
    answer = decide(note={"contact_type": contact_type})
    assert [at(answer, place) for place in (PF, PR, NATIONAL)] == [PUBLISHED] * 3


@pytest.mark.parametrize("place", BOTH)
def test_row_9_a_note_from_before_the_start_is_out_of_scope(place: str) -> None:
    note = times("2026-11-30T22:59:59.999999Z", "2026-12-02T10:00:00Z")
    assert at(decide(note=note), place) == ("WITHHOLD", "P-SCOPE-BEFORE-START", None)


def test_row_9_a_note_created_at_the_very_start_is_in_scope() -> None:
    assert codes(decide(note=times("2026-11-30T23:00:00Z"))) == ("P-OK", "P-OK")


def test_row_9_a_practice_may_share_its_history() -> None:
    assert codes(decide(note=history("2020-05-04T10:00:00+02:00"))) == ("P-OK", "P-OK")


@pytest.mark.parametrize("place", BOTH)
def test_row_10_a_note_completed_after_the_day_of_death_is_not_shared(place: str) -> None:
    answer = decide(patient={"death_date": "2027-01-31"})
    assert at(answer, place) == ("WITHHOLD", "P-DECEASED", None)


def test_row_10_a_note_completed_on_the_day_of_death_is_shared() -> None:
    note = times("2027-02-01T10:00:00+01:00", "2027-02-01T22:59:59.999999Z")
    assert codes(decide(note=note, patient={"death_date": "2027-02-01"})) == ("P-OK", "P-OK")


def test_row_10_the_day_after_death_begins_at_local_midnight() -> None:
    note = times("2027-02-01T10:00:00+01:00", "2027-02-01T23:00:00Z")
    answer = decide(note=note, patient={"death_date": "2027-02-01"})
    assert codes(answer) == ("P-DECEASED", "P-DECEASED")


def test_row_10_an_old_note_stays_published_when_the_patient_dies() -> None:
    answer = decide(patient={"death_date": "2027-02-05"})
    assert codes(answer) == ("P-OK", "P-OK")


@pytest.mark.parametrize("place", BOTH)
def test_row_11_do_not_share_keeps_the_note_from_both(place: str) -> None:
    answer = decide(marks={"do_not_share": True})
    assert at(answer, place) == ("WITHHOLD", "P-WITHHELD-DO-NOT-SHARE", None)


# ----------------------------------------------------------- 5.1, rows of the patient feed


def test_feed_row_12_an_entry_from_before_2010_may_be_hidden_from_the_patient() -> None:
    note = history("2008-04-02T09:00:00+02:00")
    note["markings"] = {"hide_from_patient": {"basis": "SL37_4_PRE2010"}}
    answer = decide(note=note)
    assert at(answer, PF) == ("WITHHOLD", "P-WITHHELD-FROM-PATIENT", None)
    assert at(answer, PR) == PUBLISHED


def test_feed_row_12_ends_at_local_midnight_of_new_year_2010() -> None:
    marks = {"hide_from_patient": {"basis": "SL37_4_PRE2010"}}
    last = history("2009-12-31T22:59:59.999999Z", markings=marks)
    first = history("2009-12-31T23:00:00Z", markings=marks)
    assert codes(decide(note=last)) == ("P-WITHHELD-FROM-PATIENT", "P-OK")
    assert codes(decide(note=first)) == ("P-HOLD-BASIS-MISSING", "P-OK")


@pytest.mark.parametrize("basis", ["OTHER", "SL37_4_PRE2010", "SL37_2", ""])
def test_feed_row_13_a_newer_note_hidden_from_the_patient_is_parked_without_an_end(
    basis: str,
) -> None:
    answer = decide(marks={"hide_from_patient": {"basis": basis}})
    assert at(answer, PF) == ("HOLD", "P-HOLD-BASIS-MISSING", None)
    assert at(answer, PR) == PUBLISHED


def test_feed_row_13_an_old_note_hidden_on_another_basis_is_parked() -> None:
    note = history("2008-04-02T09:00:00+02:00", markings={"hide_from_patient": {"basis": "OTHER"}})
    assert codes(decide(note=note)) == ("P-HOLD-BASIS-MISSING", "P-OK")


def test_feed_row_13_is_not_released_by_time() -> None:
    answer = decide(marks={"hide_from_patient": {"basis": "OTHER"}}, now="2036-01-01T00:00:00Z")
    assert at(answer, PF) == ("HOLD", "P-HOLD-BASIS-MISSING", None)


def test_feed_row_14_third_party_remarks_stay_out_of_the_feed_alone() -> None:
    answer = decide(marks={"third_party_confidential": True})
    assert at(answer, PF) == ("WITHHOLD", "P-WITHHELD-THIRD-PARTY", None)
    assert at(answer, PR) == PUBLISHED


@pytest.mark.parametrize("category", ["DV", "ABUSE"])
def test_feed_row_15_violence_and_abuse_are_held_for_safety(category: str) -> None:
    answer = decide(marks={"sensitive": ["GENE", category]})
    assert at(answer, PF) == ("WITHHOLD", "P-WITHHELD-SAFETY", None)
    assert at(answer, PR) == PUBLISHED


@pytest.mark.parametrize("category", ["DV", "ABUSE"])
def test_feed_row_15_the_patients_confirmation_lifts_the_safety_hold(category: str) -> None:
    answer = decide(marks={"sensitive": [category], "patient_confirmed_feed": True})
    assert at(answer, PF) == PUBLISHED


def test_feed_row_15_the_word_of_a_guardian_does_not_lift_the_safety_hold() -> None:
    answer = decide(marks={"sensitive": ["DV"], "guardian_ok": True})
    assert answer[PF]["code"] == "P-WITHHELD-SAFETY"


@pytest.mark.parametrize("category", ["PSY", "REPRO", "HIV", "SUBST", "GENE"])
def test_feed_row_15_other_sensitive_categories_do_not_touch_the_feed(category: str) -> None:
    answer = decide(marks={"sensitive": [category]})
    assert [at(answer, place) for place in BOTH] == [PUBLISHED] * 2


def test_feed_row_16_a_note_waits_for_midnight() -> None:
    assert at(decide(now=SAME_EVENING), PF) == ("HOLD", "P-HOLD-MIDNIGHT", MIDNIGHT)


def test_feed_row_16_a_delayed_note_waits_for_the_chosen_time() -> None:
    answer = decide(marks={"delay_until": "2027-02-11T08:00:00Z"})
    assert at(answer, PF) == ("HOLD", "P-HOLD-DELAYED", "2027-02-11T08:00:00Z")
    assert at(answer, PR) == PUBLISHED


def test_feed_row_17_a_note_whose_delay_has_run_out_is_published() -> None:
    answer = decide(marks={"delay_until": "2027-02-09T08:00:00Z"})
    assert at(answer, PF) == PUBLISHED


# ------------------------------------------------------- 5.1, rows of the professional repository


def test_repository_row_12_an_objection_in_the_room_keeps_professionals_out_alone() -> None:
    answer = decide(marks={"hide_from_professionals": True})
    assert at(answer, PR) == ("WITHHOLD", "P-WITHHELD-FROM-PROFESSIONALS", None)
    assert at(answer, PF) == PUBLISHED


def test_repository_row_13_a_note_waits_for_midnight_whatever_the_delay() -> None:
    answer = decide(marks={"delay_until": "2027-02-11T08:00:00Z"}, now=SAME_EVENING)
    assert at(answer, PR) == ("HOLD", "P-HOLD-MIDNIGHT", MIDNIGHT)


def test_repository_row_14_a_note_is_published_from_midnight() -> None:
    assert at(decide(now=MIDNIGHT), PR) == PUBLISHED


# -------------------------------------------------------- 5.1, the first matching row wins


# Each row's cause, in the order of the table: (code, patient, note, practice, markings).
SHARED_ROWS: list[tuple[str, Json, Json, Json, Json]] = [
    ("P-REJ-IDENTITY", {"cpr_type": "ECPR"}, {}, {}, {}),
    ("P-REJ-INVALID", {}, {"created_at": "2027-02-05T10:00:00+01:00"}, {}, {}),
    ("P-REJ-NOT-ENROLLED", {}, {}, {"enrolled": False}, {}),
    ("P-REMOVED-WITHDRAWN", {}, {"status": "withdrawn"}, {}, {}),
    ("P-REMOVED-SUPERSEDED", {}, {"successor": FINAL_SUCCESSOR}, {}, {}),
    ("P-REMOVED-EXPIRED", {}, {"last_entry_at": "2016-06-01T10:00:00Z"}, {}, {}),
    ("P-HOLD-DRAFT", {}, {"status": "draft"}, {}, {}),
    ("P-SCOPE-ADMIN", {}, {"contact_type": "admin"}, {}, {}),
    ("P-SCOPE-BEFORE-START", {}, {}, {"sharing_start": "2027-03-01T00:00:00+01:00"}, {}),
    ("P-DECEASED", {"death_date": "2027-01-15"}, {}, {}, {}),
    ("P-WITHHELD-DO-NOT-SHARE", {}, {}, {}, {"do_not_share": True}),
]
FEED_ROWS: list[tuple[str, Json, Json, Json, Json]] = [
    ("P-HOLD-BASIS-MISSING", {}, {}, {}, {"hide_from_patient": {"basis": "OTHER"}}),
    ("P-WITHHELD-THIRD-PARTY", {}, {}, {}, {"third_party_confidential": True}),
    ("P-WITHHELD-SAFETY", {}, {}, {}, {"sensitive": ["DV"]}),
    ("P-HOLD-DELAYED", {}, {}, {}, {"delay_until": "2027-02-11T08:00:00Z"}),
]
REPOSITORY_ROWS: list[tuple[str, Json, Json, Json, Json]] = [
    ("P-WITHHELD-FROM-PROFESSIONALS", {}, {}, {}, {"hide_from_professionals": True}),
    ("P-HOLD-MIDNIGHT", {}, {"completed_at": "2027-02-10T09:30:00+01:00"}, {}, {}),
]
# A draft cannot also be withdrawn, and its times are not judged: row 2 does not apply to it.
EXCLUSIVE = {
    ("P-REMOVED-WITHDRAWN", "P-HOLD-DRAFT"),
    ("P-REJ-INVALID", "P-HOLD-DRAFT"),
    ("P-REJ-INVALID", "P-HOLD-MIDNIGHT"),
}


def pairs(rows: list[tuple[str, Json, Json, Json, Json]]) -> list[Any]:
    return [
        pytest.param(first, second, id=f"{first[0]} before {second[0]}")
        for index, first in enumerate(rows)
        for second in rows[index + 1 :]
        if (first[0], second[0]) not in EXCLUSIVE
    ]


def both_rows(first: Any, second: Any) -> Json:
    patient, note, practice, marks = (
        {**later, **earlier} for earlier, later in zip(first[1:], second[1:], strict=True)
    )
    return decide(patient=patient, note=note, practice=practice, marks=marks)


@pytest.mark.parametrize(("first", "second"), pairs(SHARED_ROWS + FEED_ROWS))
def test_the_earlier_row_of_the_feed_wins(first: Any, second: Any) -> None:
    assert both_rows(first, second)[PF]["code"] == first[0]


@pytest.mark.parametrize(("first", "second"), pairs(SHARED_ROWS + REPOSITORY_ROWS))
def test_the_earlier_row_of_the_repository_wins(first: Any, second: Any) -> None:
    assert both_rows(first, second)[PR]["code"] == first[0]


def test_a_valid_old_basis_wins_over_the_third_party_row() -> None:
    marks = {"hide_from_patient": {"basis": "SL37_4_PRE2010"}, "third_party_confidential": True}
    answer = decide(note=history("2008-04-02T09:00:00+02:00", markings=marks))
    assert answer[PF]["code"] == "P-WITHHELD-FROM-PATIENT"


def test_a_draft_is_returned_when_the_identity_or_the_practice_is_wrong() -> None:
    draft = {"status": "draft"}
    assert decide(note=draft, patient={"cpr_type": "ECPR"})[PF]["code"] == "P-REJ-IDENTITY"
    assert decide(note=draft, practice={"enrolled": False})[PF]["code"] == "P-REJ-NOT-ENROLLED"
