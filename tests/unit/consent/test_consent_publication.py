"""The rows of publication, their order, and when they change by themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.model import (
    Destination,
    HideFromPatient,
    NoteFacts,
    Patient,
    Practice,
    PublicationOutcome,
    Successor,
)
from consent.publication import (
    FEED_ROWS,
    NATIONAL_ROWS,
    REPOSITORY_ROWS,
    decide_for,
    decide_intake,
    decide_publication,
    next_instant,
)
from consent.times import FOREVER
from tests.unit.consent.consent_builders import NOTE, NOW, at, note, patient

TICK = timedelta(microseconds=1)
OPEN = Practice(True, at("2026-12-01T00:00:00+01:00"), False)
OLD = {
    "created_at": at("2008-04-02T09:00:00+02:00"),
    "completed_at": at("2008-04-02T09:30:00+02:00"),
    "practice": replace(OPEN, share_history=True),
}

# What makes each row hit, in the order of the table, for both destinations.
COMMON: list[tuple[str, str, dict[str, Any]]] = [
    ("REJECT", "P-REJ-IDENTITY", {"patient": {"cpr_type": "ECPR"}}),
    ("REJECT", "P-REJ-INVALID", {"note": {"contact_type": None}}),
    ("REJECT", "P-REJ-NOT-ENROLLED", {"note": {"practice": replace(OPEN, enrolled=False)}}),
    ("REMOVE", "P-REMOVED-WITHDRAWN", {"note": {"status": "withdrawn"}}),
    (
        "REMOVE",
        "P-REMOVED-SUPERSEDED",
        {"note": {"successor": Successor("final", at("2027-02-05T10:00:00Z"))}},
    ),
    ("REMOVE", "P-REMOVED-EXPIRED", {"note": {"last_entry_at": at("2017-02-09T12:00:00Z")}}),
    ("HOLD", "P-HOLD-DRAFT", {"note": {"status": "draft"}}),
    ("WITHHOLD", "P-SCOPE-ADMIN", {"note": {"contact_type": "admin"}}),
    (
        "WITHHOLD",
        "P-SCOPE-BEFORE-START",
        {"note": {"practice": replace(OPEN, sharing_start=at("2027-02-01T09:00:00.000001Z"))}},
    ),
    ("WITHHOLD", "P-DECEASED", {"patient": {"death_date": date(2008, 4, 1)}}),
    ("WITHHOLD", "P-WITHHELD-DO-NOT-SHARE", {"note": {"do_not_share": True}}),
]
FEED: list[tuple[str, str, dict[str, Any]]] = [
    (
        "WITHHOLD",
        "P-WITHHELD-FROM-PATIENT",
        {"note": {**OLD, "hide_from_patient": HideFromPatient("SL37_4_PRE2010")}},
    ),
    (
        "HOLD",
        "P-HOLD-BASIS-MISSING",
        {"note": {"hide_from_patient": HideFromPatient("SL37_4_PRE2010")}},
    ),
    ("WITHHOLD", "P-WITHHELD-THIRD-PARTY", {"note": {"third_party_confidential": True}}),
    ("WITHHOLD", "P-WITHHELD-SAFETY", {"note": {"sensitive": frozenset({"DV"})}}),
    ("HOLD", "P-HOLD-DELAYED", {"note": {"delay_until": at("2027-02-11T08:00:00Z")}}),
    ("HOLD", "P-HOLD-MIDNIGHT", {"note": {"completed_at": at("2027-02-10T08:00:00Z")}}),
    ("PUBLISH", "P-OK", {}),
]
REPOSITORY: list[tuple[str, str, dict[str, Any]]] = [
    ("WITHHOLD", "P-WITHHELD-FROM-PROFESSIONALS", {"note": {"hide_from_professionals": True}}),
    ("HOLD", "P-HOLD-MIDNIGHT", {"note": {"completed_at": at("2027-02-10T08:00:00Z")}}),
    ("PUBLISH", "P-OK", {}),
]


def _facts(*changes: dict[str, Any]) -> tuple[Patient, NoteFacts]:
    of_patient: dict[str, Any] = {}
    of_note: dict[str, Any] = {}
    for change in changes:
        of_patient |= change.get("patient", {})
        of_note |= change.get("note", {})
    return patient(**of_patient), note(**of_note)


def _codes(who: Patient, what: NoteFacts, now: datetime = NOW) -> tuple[str, str, str]:
    found = decide_publication(who, what, now)
    return (found.patient_feed.code, found.professional_repository.code, found.national.code)


@pytest.mark.parametrize(("outcome", "code", "change"), COMMON + FEED, ids=lambda v: str(v)[:28])
def test_each_feed_row_is_reached(outcome: str, code: str, change: dict[str, Any]) -> None:
    decision = decide_for(Destination.PATIENT_FEED, *_facts(change), NOW)
    assert (decision.decision, decision.code) == (outcome, code)


@pytest.mark.parametrize(
    ("outcome", "code", "change"), COMMON + REPOSITORY, ids=lambda v: str(v)[:28]
)
def test_each_repository_row_is_reached(outcome: str, code: str, change: dict[str, Any]) -> None:
    decision = decide_for(Destination.PROFESSIONAL_REPOSITORY, *_facts(change), NOW)
    assert (decision.decision, decision.code) == (outcome, code)


@pytest.mark.parametrize(
    ("destination", "table"),
    [
        (Destination.PATIENT_FEED, COMMON + FEED),
        (Destination.PROFESSIONAL_REPOSITORY, COMMON + REPOSITORY),
    ],
)
def test_an_earlier_row_wins_over_every_later_one(
    destination: Destination, table: list[tuple[str, str, dict[str, Any]]]
) -> None:
    tried = 0
    for place, (_, code, change) in enumerate(table):
        for _, _, later in table[place + 1 :]:
            if set(change.get("note", {})) & set(later.get("note", {})):
                continue  # Both set the same fact: they can't hold at once.
            decision = decide_for(destination, *_facts(later, change), NOW)
            assert decision.code == code, (code, later)
            tried += 1
    assert tried > 20


def test_the_table_has_every_row_once_and_in_order() -> None:
    assert [row.code for row in FEED_ROWS] == [code for _, code, _ in COMMON + FEED]
    assert [row.code for row in REPOSITORY_ROWS] == [code for _, code, _ in COMMON + REPOSITORY]
    assert [row.decision for row in FEED_ROWS] == [outcome for outcome, _, _ in COMMON + FEED]
    assert [row.code for row in NATIONAL_ROWS[-2:]] == ["P-HOLD-NATIONAL", "P-WITHHELD-NATIONAL"]


# --- row 2 ----------


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"version": None},
        {"author_org": ""},
        {"practice": None},
        {"contact_type": "chat"},
        {"status": "signed"},
        {"status": None},
        {"created_at": None},
        {"created_at": datetime(2027, 2, 1, 10)},
        {"completed_at": None},
        {"completed_at": datetime(2027, 2, 1, 10)},
        {"completed_at": at("2027-02-01T08:59:59.999999Z")},
        {"completed_at": at("2027-02-10T09:05:00.000001Z")},
        {"status": "draft", "created_at": None},
        {"status": "withdrawn", "completed_at": None},
    ],
)
def test_a_note_with_a_missing_or_impossible_fact_is_rejected(changes: dict[str, Any]) -> None:
    assert set(_codes(patient(), note(**changes))) == {"P-REJ-INVALID"}


def test_a_patient_without_id_and_a_clock_without_offset_reject() -> None:
    assert set(_codes(patient(id=None), NOTE)) == {"P-REJ-INVALID"}
    assert set(_codes(patient(), NOTE, datetime(2027, 2, 10))) == {"P-REJ-INVALID"}


def test_five_minutes_ahead_is_still_a_hold() -> None:
    ahead = note(completed_at=NOW + timedelta(minutes=5))
    assert _codes(patient(), ahead)[0] == "P-HOLD-MIDNIGHT"


def test_a_draft_has_no_completion_to_compare() -> None:
    draft = note(status="draft", completed_at=at("2030-01-01T00:00:00Z"))
    assert _codes(patient(), draft)[0] == "P-HOLD-DRAFT"
    assert _codes(patient(), replace(draft, completed_at=None))[0] == "P-HOLD-DRAFT"


def test_rows_one_to_three_answer_at_intake() -> None:
    refused = decide_intake(patient(cpr_type=None), NOTE, NOW)
    assert refused is not None
    assert refused.code == "P-REJ-IDENTITY"
    assert decide_intake(patient(), note(do_not_share=True), NOW) is None


# --- unknown facts ----------


@pytest.mark.parametrize(
    ("changes", "feed", "repository"),
    [
        ({"do_not_share": None}, "P-WITHHELD-DO-NOT-SHARE", "P-WITHHELD-DO-NOT-SHARE"),
        ({"third_party_confidential": None}, "P-WITHHELD-THIRD-PARTY", "P-OK"),
        ({"hide_from_professionals": None}, "P-OK", "P-WITHHELD-FROM-PROFESSIONALS"),
        ({"hide_from_patient": HideFromPatient(None)}, "P-HOLD-BASIS-MISSING", "P-OK"),
        ({"sensitive": frozenset({"ODD"})}, "P-WITHHELD-SAFETY", "P-OK"),
        ({"delay_until": FOREVER}, "P-HOLD-DELAYED", "P-OK"),
        ({"delay_until": datetime(2027, 2, 2)}, "P-HOLD-DELAYED", "P-OK"),
        ({"practice": replace(OPEN, enrolled=None)}, "P-REJ-NOT-ENROLLED", "P-REJ-NOT-ENROLLED"),
        (
            {"practice": replace(OPEN, sharing_start=None)},
            "P-SCOPE-BEFORE-START",
            "P-SCOPE-BEFORE-START",
        ),
        (
            {"practice": replace(OPEN, sharing_start=None, share_history=None)},
            "P-SCOPE-BEFORE-START",
            "P-SCOPE-BEFORE-START",
        ),
        ({"successor": Successor(None, None)}, "P-REMOVED-SUPERSEDED", "P-REMOVED-SUPERSEDED"),
        ({"successor": Successor("final", None)}, "P-REMOVED-SUPERSEDED", "P-REMOVED-SUPERSEDED"),
    ],
)
def test_an_unknown_fact_falls_in_the_restrictive_sense(
    changes: dict[str, Any], feed: str, repository: str
) -> None:
    assert _codes(patient(), note(**changes))[:2] == (feed, repository)


# --- boundaries ----------


def test_release_is_at_local_midnight_and_never_early() -> None:
    release = at("2027-02-01T23:00:00Z")
    assert _codes(patient(), NOTE, release - TICK) == (
        "P-HOLD-MIDNIGHT",
        "P-HOLD-MIDNIGHT",
        "P-HOLD-NATIONAL",
    )
    assert _codes(patient(), NOTE, release) == ("P-OK", "P-OK", "P-OK")


def test_a_delay_binds_the_feed_alone_until_the_microsecond() -> None:
    delayed = note(delay_until=at("2027-02-11T08:00:00Z"))
    before = decide_publication(patient(), delayed, at("2027-02-11T07:59:59.999999Z"))
    assert before.patient_feed.until == at("2027-02-11T08:00:00Z")
    assert before.professional_repository.code == "P-OK"
    assert before.national.code == "P-HOLD-NATIONAL"
    assert before.national.until == at("2027-02-11T08:00:00Z")
    assert _codes(patient(), delayed, at("2027-02-11T08:00:00Z")) == ("P-OK", "P-OK", "P-OK")


@pytest.mark.parametrize("delay", ["2027-02-01T22:59:00Z", "2027-02-01T23:00:00Z"])
def test_a_delay_not_past_midnight_is_called_midnight(delay: str) -> None:
    held = decide_for(
        Destination.PATIENT_FEED,
        patient(),
        note(delay_until=at(delay)),
        at("2027-02-01T20:00:00Z"),
    )
    assert (held.code, held.until) == ("P-HOLD-MIDNIGHT", at("2027-02-01T23:00:00Z"))


def test_a_delay_is_capped_at_30_local_days() -> None:
    delayed = note(delay_until=at("2027-12-01T08:00:00Z"))
    held = decide_for(Destination.PATIENT_FEED, patient(), delayed, NOW)
    # 1 February plus 30 days is 3 March.
    assert (held.code, held.until) == ("P-HOLD-DELAYED", at("2027-03-02T23:00:00Z"))


def test_a_note_from_the_very_start_of_sharing_is_in_scope() -> None:
    start = NOTE.created_at
    assert _codes(patient(), note(practice=replace(OPEN, sharing_start=start)))[0] == "P-OK"


def test_hiding_ended_with_2009() -> None:
    hide = HideFromPatient("SL37_4_PRE2010")
    last = at("2009-12-31T22:59:59.999999Z")
    first = at("2010-01-01T00:00:00+01:00")
    for created_at, code in ((last, "P-WITHHELD-FROM-PATIENT"), (first, "P-HOLD-BASIS-MISSING")):
        old = note(
            **{**OLD, "created_at": created_at, "completed_at": first}, hide_from_patient=hide
        )
        assert _codes(patient(), old)[0] == code


def test_a_note_completed_on_the_day_of_death_is_shared() -> None:
    assert _codes(patient(death_date=date(2027, 2, 1)), NOTE)[0] == "P-OK"
    late = note(completed_at=at("2027-02-01T23:00:00Z"))
    assert _codes(patient(death_date=date(2027, 2, 1)), late)[0] == "P-DECEASED"


def test_retention_ends_the_day_after_ten_years_also_on_a_leap_day() -> None:
    old = note(last_entry_at=at("2016-02-29T12:00:00Z"))
    now = at("2026-03-01T22:59:59Z")  # 1 March 2026, local, is the last day.
    shared = replace(old, created_at=at("2016-02-29T11:00:00Z"), completed_at=old.last_entry_at)
    shared = replace(shared, practice=replace(OPEN, share_history=True))
    assert _codes(patient(), shared, now)[0] == "P-OK"
    assert _codes(patient(), shared, at("2026-03-01T23:00:00Z"))[0] == "P-REMOVED-EXPIRED"


@pytest.mark.parametrize("category", ["PSY", "REPRO", "HIV", "SUBST", "GENE"])
def test_other_categories_never_hide_a_note_from_the_patient(category: str) -> None:
    assert _codes(patient(), note(sensitive=frozenset({category})))[0] == "P-OK"


def test_the_safety_hold_is_lifted_by_the_patients_word() -> None:
    safe = note(sensitive=frozenset({"ABUSE"}), patient_confirmed_feed=True)
    assert _codes(patient(), safe)[0] == "P-OK"


# --- successor ----------


def test_the_next_version_takes_over_at_midnight_of_its_own() -> None:
    old = note(successor=Successor("final", at("2027-02-09T14:00:00+01:00")))
    assert _codes(patient(), old, at("2027-02-09T22:59:59.999999Z")) == ("P-OK", "P-OK", "P-OK")
    assert set(_codes(patient(), old, at("2027-02-09T23:00:00Z"))) == {"P-REMOVED-SUPERSEDED"}


def test_a_delayed_next_version_leaves_the_patient_on_the_old_one() -> None:
    next_version = Successor("final", at("2027-02-08T13:00:00Z"), at("2027-02-12T08:00:00Z"))
    old = note(successor=next_version)
    assert _codes(patient(), old) == ("P-OK", "P-REMOVED-SUPERSEDED", "P-REMOVED-SUPERSEDED")
    assert _codes(patient(), old, at("2027-02-12T08:00:00Z"))[0] == "P-REMOVED-SUPERSEDED"


def test_a_safety_correction_takes_over_at_once_on_both() -> None:
    done = at("2027-02-10T08:00:00Z")
    old = note(successor=Successor("final", done, at("2027-03-01T00:00:00Z"), True))
    assert _codes(patient(), old, done - TICK) == ("P-OK", "P-OK", "P-OK")
    assert set(_codes(patient(), old, done)) == {"P-REMOVED-SUPERSEDED"}


def test_a_correction_of_unknown_urgency_counts_as_urgent() -> None:
    old = note(successor=Successor("final", at("2027-02-10T08:00:00Z"), None, None))
    assert set(_codes(patient(), old)) == {"P-REMOVED-SUPERSEDED"}


def test_a_last_entry_without_offset_is_not_known() -> None:
    assert _codes(patient(), note(last_entry_at=datetime(2000, 1, 1)))[0] == "P-OK"


@pytest.mark.parametrize("status", ["draft", "withdrawn"])
def test_a_next_version_that_is_not_final_takes_over_nothing(status: str) -> None:
    old = note(successor=Successor(status, at("2027-02-01T13:00:00Z")))
    assert _codes(patient(), old) == ("P-OK", "P-OK", "P-OK")


# --- the national destination ----------


@pytest.mark.parametrize(
    "changes",
    [
        {"hide_from_guardian": True},
        {"hide_from_guardian": None},
        {"author_name_protected": True},
        {"author_name_protected": None},
        {"sensitive": frozenset({"HIV"})},
        {"sensitive": frozenset({"GENE", "PSY"})},
        {"hide_from_professionals": True},
        {"third_party_confidential": True},
        {"do_not_share": True},
        {"contact_type": "admin"},
    ],
)
def test_what_readers_we_can_not_tell_apart_must_not_see_stays_at_home(
    changes: dict[str, Any],
) -> None:
    found = decide_publication(patient(), note(**changes), NOW).national
    assert (found.decision, found.code) == (PublicationOutcome.WITHHOLD, "P-WITHHELD-NATIONAL")


def test_genetics_alone_goes_national() -> None:
    assert _codes(patient(), note(sensitive=frozenset({"GENE"})))[2] == "P-OK"


def test_held_at_one_destination_is_held_nationally() -> None:
    waits = note(hide_from_patient=HideFromPatient("OTHER"), hide_from_guardian=True)
    found = decide_publication(patient(), waits, NOW).national
    assert (found.decision, found.code, found.until) == ("HOLD", "P-HOLD-NATIONAL", None)


def test_a_hold_without_end_at_one_destination_has_no_end_nationally() -> None:
    waits = note(hide_from_patient=HideFromPatient("OTHER"))
    found = decide_publication(patient(), waits, at("2027-02-01T12:00:00Z"))
    assert found.professional_repository.until == at("2027-02-01T23:00:00Z")
    assert (found.national.code, found.national.until) == ("P-HOLD-NATIONAL", None)


def test_nationally_a_hold_ends_with_the_later_of_the_two() -> None:
    delayed = note(delay_until=at("2027-02-11T08:00:00Z"))
    found = decide_publication(patient(), delayed, at("2027-02-01T12:00:00Z"))
    assert found.national.until == at("2027-02-11T08:00:00Z")


# --- the next instant ----------


def test_the_next_instant_of_each_kind() -> None:
    done = at("2027-02-01T12:00:00Z")
    midnight = at("2027-02-01T23:00:00Z")
    assert next_instant(patient(), NOTE, done) == midnight
    assert next_instant(patient(), NOTE, midnight) is None
    delayed = note(delay_until=at("2027-02-11T08:00:00Z"))
    assert next_instant(patient(), delayed, midnight) == at("2027-02-11T08:00:00Z")
    capped = note(delay_until=FOREVER)
    assert next_instant(patient(), capped, midnight) == at("2027-03-02T23:00:00Z")
    replaced = note(successor=Successor("final", done, at("2027-02-12T08:00:00Z")))
    assert next_instant(patient(), replaced, done) == midnight
    assert next_instant(patient(), replaced, midnight) == at("2027-02-12T08:00:00Z")
    corrected = note(successor=Successor("final", at("2027-02-20T08:00:00Z"), None, True))
    assert next_instant(patient(), corrected, NOW) == at("2027-02-20T08:00:00Z")
    ending = note(last_entry_at=at("2027-02-01T09:20:00Z"))
    assert next_instant(patient(), ending, NOW) == at("2037-02-01T23:00:00Z")
    early = note(completed_at=at("2027-02-10T10:00:00Z"))
    assert next_instant(patient(), early, NOW) == at("2027-02-10T09:55:00Z")
    assert next_instant(patient(), note(do_not_share=True), done) is None
    assert next_instant(patient(), NOTE, datetime(2027, 2, 1)) is None


_instants = st.datetimes(min_value=datetime(2027, 1, 25), max_value=datetime(2027, 4, 5)).map(
    lambda naive: at(naive.isoformat() + "Z")
)
_notes = st.builds(
    note,
    completed_at=_instants,
    created_at=st.just(at("2027-01-20T10:00:00Z")),
    status=st.sampled_from(["final", "final", "draft", "withdrawn"]),
    delay_until=st.none() | _instants,
    hide_from_guardian=st.booleans(),
    hide_from_professionals=st.booleans(),
    do_not_share=st.sampled_from([False, False, False, True]),
    sensitive=st.sampled_from([frozenset(), frozenset({"DV"}), frozenset({"HIV"})]),
    last_entry_at=st.none() | _instants.map(lambda instant: instant.replace(year=2017)),
    successor=st.none()
    | st.builds(
        Successor,
        st.sampled_from(["final", "draft"]),
        _instants,
        st.none() | _instants,
        st.booleans(),
    ),
)


@settings(max_examples=500, deadline=None)
@given(what=_notes, now=_instants, later=st.lists(_instants, max_size=6))
def test_nothing_changes_before_the_next_instant(
    what: NoteFacts, now: datetime, later: list[datetime]
) -> None:
    current = decide_publication(patient(), what, now)
    instant = next_instant(patient(), what, now)
    if instant is not None:
        assert instant > now
        assert decide_publication(patient(), what, instant) != current
        later.append(instant - TICK)
    for moment in later:
        if moment >= now and (instant is None or moment < instant):
            assert decide_publication(patient(), what, moment) == current
