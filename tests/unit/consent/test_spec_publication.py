"""Publication, read off the specification row by row: sections 3, 4, 5.1, 5.2, 5.4 and 5.5.

Every case holds only what differs from the defaults of section 19: a final note created on
1 February 2027 at 10:00 and completed 10:20 local, read on 10 February 2027 at 09:00Z.
"""

from typing import Any

import pytest

from consent.cases import decide_case

Json = dict[str, Any]

PF = "patient_feed"
PR = "professional_repository"
NATIONAL = "national"
BOTH = (PF, PR)

PUBLISHED = ("PUBLISH", "P-OK", None)
SAME_EVENING = "2027-02-01T20:00:00Z"
MIDNIGHT = "2027-02-01T23:00:00Z"


def decide(
    *,
    note: Json | None = None,
    patient: Json | None = None,
    marks: Json | None = None,
    practice: Json | None = None,
    now: str | None = None,
) -> Json:
    """The answer to a case that differs from the defaults in these things alone."""
    whole_note = dict(note or {})
    if marks is not None:
        whole_note["markings"] = marks
    if practice is not None:
        whole_note["practice"] = practice
    case: Json = {"id": "T", "note": whole_note, "patient": patient or {}}
    if now is not None:
        case["now"] = now
    return decide_case(case)


def at(answer: Json, destination: str) -> tuple[str, str, str | None]:
    state = answer[destination]
    return (state["decision"], state["code"], state["until"])


def codes(answer: Json) -> tuple[str, str]:
    return (answer[PF]["code"], answer[PR]["code"])


def times(created: str, completed: str | None = None) -> Json:
    return {"created_at": created, "completed_at": completed or created}


def history(created: str, **more: Any) -> Json:
    """A note from before the practice began, from a practice that shares its history."""
    return {**times(created), "practice": {"share_history": True}, **more}


FINAL_SUCCESSOR: Json = {
    "status": "final",
    "completed_at": "2027-02-05T14:00:00+01:00",
    "delay_until": None,
}


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


def successor(**more: Any) -> Json:
    return {"successor": {**FINAL_SUCCESSOR, **more}}


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


# --------------------------------------------------------------------------- 5.4, the third place


def national(answer: Json) -> tuple[str, str]:
    return (answer[NATIONAL]["decision"], answer[NATIONAL]["code"])


NATIONAL_HOLD = ("HOLD", "P-HOLD-NATIONAL")
NATIONAL_NO = ("WITHHOLD", "P-WITHHELD-NATIONAL")


def test_a_note_reaches_the_national_service_at_the_midnight_of_both() -> None:
    assert national(decide(now="2027-02-01T22:59:59.999999Z")) == NATIONAL_HOLD
    assert at(decide(now=MIDNIGHT), NATIONAL) == PUBLISHED


def test_a_note_hidden_from_guardians_stays_out_of_the_national_service() -> None:
    answer = decide(marks={"hide_from_guardian": True})
    assert (*codes(answer), *national(answer)) == ("P-OK", "P-OK", *NATIONAL_NO)


def test_a_note_with_a_protected_author_stays_out_of_the_national_service() -> None:
    answer = decide(note={"author_name_protected": True})
    assert (*codes(answer), *national(answer)) == ("P-OK", "P-OK", *NATIONAL_NO)


@pytest.mark.parametrize("category", ["PSY", "REPRO", "HIV", "SUBST"])
def test_a_sensitive_note_stays_out_of_the_national_service(category: str) -> None:
    answer = decide(marks={"sensitive": ["GENE", category]})
    assert (*codes(answer), *national(answer)) == ("P-OK", "P-OK", *NATIONAL_NO)


@pytest.mark.parametrize("category", ["DV", "ABUSE"])
def test_a_confirmed_safety_note_still_stays_out_of_the_national_service(category: str) -> None:
    answer = decide(marks={"sensitive": [category], "patient_confirmed_feed": True})
    assert (*codes(answer), *national(answer)) == ("P-OK", "P-OK", *NATIONAL_NO)


def test_the_guardian_mark_of_the_gp_does_not_open_the_national_service() -> None:
    answer = decide(marks={"sensitive": ["REPRO"], "guardian_ok": True})
    assert national(answer) == NATIONAL_NO


def test_genetics_alone_does_not_keep_a_note_out_of_the_national_service() -> None:
    assert at(decide(marks={"sensitive": ["GENE"]}), NATIONAL) == PUBLISHED


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param({"delay_until": "2027-02-11T08:00:00Z"}, id="delayed"),
        pytest.param({"hide_from_patient": {"basis": "OTHER"}}, id="parked without basis"),
        pytest.param(
            {"delay_until": "2027-02-11T08:00:00Z", "hide_from_professionals": True},
            id="one held and the other withheld",
        ),
        pytest.param(
            {"delay_until": "2027-02-11T08:00:00Z", "sensitive": ["HIV"]}, id="held and sensitive"
        ),
        pytest.param(
            {"delay_until": "2027-02-11T08:00:00Z", "hide_from_guardian": True},
            id="held and hidden from guardians",
        ),
    ],
)
def test_the_national_service_waits_while_either_destination_waits(marks: Json) -> None:
    assert national(decide(marks=marks)) == NATIONAL_HOLD


def test_the_national_service_waits_while_only_the_repository_waits() -> None:
    answer = decide(marks={"third_party_confidential": True}, now=SAME_EVENING)
    assert codes(answer) == ("P-WITHHELD-THIRD-PARTY", "P-HOLD-MIDNIGHT")
    assert national(answer) == NATIONAL_HOLD


def test_a_draft_waits_nationally() -> None:
    assert national(decide(note={"status": "draft"})) == NATIONAL_HOLD


@pytest.mark.parametrize(
    "marks",
    [
        {"do_not_share": True},
        {"third_party_confidential": True},
        {"sensitive": ["DV"]},
        {"hide_from_professionals": True},
        {"third_party_confidential": True, "hide_from_professionals": True},
    ],
)
def test_a_note_one_destination_withholds_is_withheld_nationally(marks: Json) -> None:
    assert national(decide(marks=marks)) == NATIONAL_NO


def test_an_out_of_scope_note_is_withheld_nationally() -> None:
    assert national(decide(note={"contact_type": "admin"})) == NATIONAL_NO
    assert national(decide(note=times("2026-11-30T10:00:00Z"))) == NATIONAL_NO
    assert national(decide(patient={"death_date": "2027-01-15"})) == NATIONAL_NO


def test_a_version_the_repository_has_replaced_is_absent_nationally() -> None:
    answer = decide(note=successor(delay_until="2027-02-12T08:00:00Z"))
    assert codes(answer) == ("P-OK", "P-REMOVED-SUPERSEDED")
    assert answer[NATIONAL]["decision"] != "PUBLISH"


def test_a_hidden_note_that_is_withdrawn_is_removed_nationally() -> None:
    answer = decide(note={"status": "withdrawn"}, marks={"hide_from_guardian": True})
    assert national(answer) == ("REMOVE", "P-REMOVED-WITHDRAWN")


# ---------------------------------------------------------- 5.5, what publication does not look at


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param(
            {"registrations": [{"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"}]},
            id="a block",
        ),
        pytest.param({"request": {"relation": "NONE"}}, id="no relation"),
        pytest.param({"request": {"role": "RESEARCHER"}}, id="who asks"),
        pytest.param({"request": {"sources": {"consent_age_s": None}}}, id="a service down"),
        pytest.param({"patient": {"birth_date": "2026-12-24"}}, id="age"),
        pytest.param({"patient": {"birth_date": None}}, id="unknown age"),
        pytest.param({"patient": {"address_protected": True}}, id="protected address"),
        pytest.param({"patient": {"incapacity_39b": True}}, id="incapacity"),
        pytest.param(
            {
                "patient": {
                    "guardians": [{"id": "G", "custody_from": "2027-01-01T00:00:00+01:00"}],
                }
            },
            id="custody",
        ),
    ],
)
def test_publication_does_not_look_at(difference: Json) -> None:
    answer = decide_case({"id": "T", **difference})
    assert [at(answer, place) for place in (PF, PR, NATIONAL)] == [PUBLISHED] * 3


def test_a_marking_aimed_at_one_destination_never_changes_the_other() -> None:
    feed_only: list[Json] = [
        {"hide_from_patient": {"basis": "OTHER"}},
        {"third_party_confidential": True},
        {"sensitive": ["DV", "ABUSE", "HIV"]},
        {"delay_until": "2027-02-20T08:00:00Z"},
    ]
    assert all(at(decide(marks=marks), PR) == PUBLISHED for marks in feed_only)
    assert at(decide(marks={"hide_from_professionals": True}), PF) == PUBLISHED
    hidden = decide(marks={"hide_from_guardian": True})
    assert [at(hidden, place) for place in BOTH] == [PUBLISHED] * 2
