"""Disclosure, read off the specification: the note against the role, gate E, and the registrations
against the reader, gate F (section 6).
"""

from typing import Any

import pytest

from tests.unit.consent.spec_disclosure import (
    BLOCK,
    CONSENT,
    CONSENT_NOW,
    OVERRIDES,
    PERMIT_OF,
    PUBLIC,
    VITAL,
    Json,
    decide,
    denied,
    hp,
    outcome,
    permitted,
    through,
)

# ------------------------------------------------------------------------------------ gate E


def test_gate_e_a_note_hidden_from_guardians_is_hidden_from_the_guardian() -> None:
    disclosure = through("GUARDIAN", marks={"hide_from_guardian": True})
    assert outcome(disclosure) == denied("D-GUARDIAN-HIDDEN-NOTE", "NEUTRAL")


@pytest.mark.parametrize("category", ["REPRO", "PSY", "HIV", "SUBST"])
def test_gate_e_a_sensitive_note_is_kept_from_the_guardian(category: str) -> None:
    disclosure = through("GUARDIAN", marks={"sensitive": [category]})
    assert outcome(disclosure) == denied("D-GUARDIAN-SENSITIVE", "NEUTRAL")


@pytest.mark.parametrize("category", ["REPRO", "PSY", "HIV", "SUBST"])
def test_gate_e_the_gp_may_lift_the_filter_for_the_guardian(category: str) -> None:
    disclosure = through("GUARDIAN", marks={"sensitive": [category], "guardian_ok": True})
    assert outcome(disclosure) == permitted("D-OK-GUARDIAN", "MINLOG")


@pytest.mark.parametrize("guardian_ok", [False, True])
@pytest.mark.parametrize("category", ["DV", "ABUSE"])
def test_gate_e_violence_and_abuse_are_never_opened_for_a_guardian(
    category: str, guardian_ok: bool
) -> None:
    marks = {
        "sensitive": ["REPRO", category],
        "patient_confirmed_feed": True,
        "guardian_ok": guardian_ok,
    }
    disclosure = through("GUARDIAN", marks=marks)
    assert outcome(disclosure) == denied("D-GUARDIAN-SENSITIVE", "NEUTRAL")


def test_gate_e_genetics_alone_are_shown_to_the_guardian() -> None:
    assert through("GUARDIAN", marks={"sensitive": ["GENE"]})["code"] == "D-OK-GUARDIAN"


def test_gate_e_the_gps_word_does_not_lift_the_guardian_marking() -> None:
    marks = {"hide_from_guardian": True, "guardian_ok": True}
    assert through("GUARDIAN", marks=marks)["code"] == "D-GUARDIAN-HIDDEN-NOTE"


def test_gate_e_a_note_from_before_the_adoption_is_kept_from_the_guardian() -> None:
    disclosure = through("GUARDIAN", {"adoption_date": "2027-02-02"})
    assert outcome(disclosure) == denied("D-GUARDIAN-PRE-ADOPTION", "NEUTRAL")


def test_gate_e_a_note_from_the_day_of_the_adoption_is_shown_to_the_guardian() -> None:
    assert through("GUARDIAN", {"adoption_date": "2027-02-01"})["code"] == "D-OK-GUARDIAN"


@pytest.mark.parametrize(
    ("created", "code"),
    [
        ("2027-01-31T22:59:59.999999Z", "D-GUARDIAN-PRE-ADOPTION"),
        ("2027-01-31T23:00:00Z", "D-OK-GUARDIAN"),
    ],
)
def test_gate_e_the_day_of_adoption_begins_at_local_midnight(created: str, code: str) -> None:
    disclosure = through("GUARDIAN", {"adoption_date": "2027-02-01"}, note={"created_at": created})
    assert disclosure["code"] == code


def test_gate_e_the_adoption_is_asked_of_guardians_only() -> None:
    for door in ("SELF", "PROXY", "LEGAL_REP", "HP"):
        assert through(door, {"adoption_date": "2027-02-05"})["code"] == PERMIT_OF[door]


def test_gate_e_the_guardian_rows_come_in_their_order() -> None:
    patient = {"adoption_date": "2027-02-05"}
    marks = {"hide_from_guardian": True, "sensitive": ["PSY"]}
    assert through("GUARDIAN", patient, marks=marks)["code"] == "D-GUARDIAN-HIDDEN-NOTE"
    marks = {"hide_from_guardian": False, "sensitive": ["PSY"]}
    assert through("GUARDIAN", patient, marks=marks)["code"] == "D-GUARDIAN-SENSITIVE"


@pytest.mark.parametrize(
    ("door", "code"), [("PROXY", "D-PROXY-SENSITIVE"), ("LEGAL_REP", "D-REP-SENSITIVE")]
)
@pytest.mark.parametrize("category", ["DV", "ABUSE"])
def test_gate_e_violence_and_abuse_are_kept_from_those_with_a_mandate(
    door: str, code: str, category: str
) -> None:
    marks = {"sensitive": [category], "patient_confirmed_feed": True, "guardian_ok": True}
    assert outcome(through(door, marks=marks)) == denied(code, "NEUTRAL")


@pytest.mark.parametrize("door", ["PROXY", "LEGAL_REP"])
@pytest.mark.parametrize("category", ["REPRO", "PSY", "HIV", "SUBST", "GENE"])
def test_gate_e_other_sensitive_notes_are_shown_to_those_with_a_mandate(
    door: str, category: str
) -> None:
    assert through(door, marks={"sensitive": [category]})["code"] == PERMIT_OF[door]


def test_gate_e_a_note_hidden_from_guardians_is_hidden_from_the_representative() -> None:
    disclosure = through("LEGAL_REP", marks={"hide_from_guardian": True})
    assert outcome(disclosure) == denied("D-REP-HIDDEN-NOTE", "NEUTRAL")


def test_gate_e_the_representatives_rows_come_in_their_order() -> None:
    marks = {"hide_from_guardian": True, "sensitive": ["DV"], "patient_confirmed_feed": True}
    assert through("LEGAL_REP", marks=marks)["code"] == "D-REP-HIDDEN-NOTE"


@pytest.mark.parametrize("door", ["SELF", "PROXY", "HP"])
def test_gate_e_a_note_hidden_from_guardians_is_shown_to_others(door: str) -> None:
    assert through(door, marks={"hide_from_guardian": True})["code"] == PERMIT_OF[door]


@pytest.mark.parametrize("category", ["PSY", "REPRO", "HIV", "SUBST", "DV", "ABUSE", "GENE"])
def test_gate_e_patients_and_professionals_are_not_filtered(category: str) -> None:
    marks = {"sensitive": [category], "patient_confirmed_feed": True}
    assert through("SELF", marks=marks)["code"] == "D-OK-SELF"
    assert through("HP", marks=marks)["code"] == "D-OK-TREATMENT"


# ------------------------------------------------------------------------------------ gate F


# What the consent service knows: (source age, registrations).
KNOWN: dict[str, tuple[int | None, list[Json]]] = {
    "UNAVAILABLE": (None, []),
    "STALE": (301, []),
    "NEGATIVE": (5, [BLOCK]),
    "POSITIVE": (5, [CONSENT]),
    "POSITIVE over NEGATIVE": (5, [BLOCK, CONSENT]),
    "NONE": (5, []),
}
CLOSED = ["UNAVAILABLE", "STALE", "NEGATIVE"]
OPEN = ["POSITIVE", "POSITIVE over NEGATIVE", "NONE"]


def gate_f(consent: str, **request: Any) -> Json:
    age, registrations = KNOWN[consent]
    return decide(
        request=hp(sources={"consent_age_s": age}, **request), registrations=registrations
    )


@pytest.mark.parametrize("relation", ["CONFIRMED", "DECLARED"])
@pytest.mark.parametrize("consent", ["UNAVAILABLE", "STALE"])
def test_gate_f_row_1_an_unreachable_consent_service_closes_the_door(
    consent: str, relation: str
) -> None:
    disclosure = gate_f(consent, relation=relation)
    assert outcome(disclosure) == denied("D-CONSENT-UNAVAILABLE", "NEUTRAL")


@pytest.mark.parametrize("relation", ["CONFIRMED", "DECLARED"])
def test_gate_f_row_2_a_block_closes_the_door(relation: str) -> None:
    disclosure = gate_f("NEGATIVE", relation=relation)
    assert outcome(disclosure) == denied("D-CONSENT-NEGATIVE", "NEUTRAL")


@pytest.mark.parametrize("consent", CLOSED)
def test_gate_f_row_3_consent_on_the_spot_opens(consent: str) -> None:
    disclosure = gate_f(consent, override=CONSENT_NOW)
    duties = ["MINLOG", "NOTIFY_PATIENT", "REVIEW_SAMPLE"]
    assert outcome(disclosure) == permitted("D-OK-CONSENT-NOW", *duties)
    disclosure = gate_f(consent, override=CONSENT_NOW, relation="DECLARED")
    assert outcome(disclosure) == permitted("D-OK-CONSENT-NOW", "FOLLOW_UP_RELATION", *duties)


@pytest.mark.parametrize("override", [VITAL, PUBLIC], ids=lambda o: o["reason"])
@pytest.mark.parametrize("consent", CLOSED)
def test_gate_f_row_4_break_glass_opens(consent: str, override: Json) -> None:
    duties = ["MINLOG", "NOTIFY_PATIENT", "REVIEW_MANDATORY"]
    for relation in ("CONFIRMED", "NONE"):
        disclosure = gate_f(consent, override=override, relation=relation)
        assert outcome(disclosure) == permitted("D-OK-BREAK-GLASS", *duties)
    disclosure = gate_f(consent, override=override, relation="DECLARED")
    assert outcome(disclosure) == permitted("D-OK-BREAK-GLASS", "FOLLOW_UP_RELATION", *duties)


@pytest.mark.parametrize("override", [VITAL, PUBLIC], ids=lambda o: o["reason"])
@pytest.mark.parametrize("consent", OPEN)
def test_gate_f_row_4_without_a_relation_even_a_positive_consent_is_break_glass(
    consent: str, override: Json
) -> None:
    disclosure = gate_f(consent, override=override, relation="NONE")
    duties = ["MINLOG", "NOTIFY_PATIENT", "REVIEW_MANDATORY"]
    assert outcome(disclosure) == permitted("D-OK-BREAK-GLASS", *duties)


@pytest.mark.parametrize("override", [None, *OVERRIDES], ids=str)
@pytest.mark.parametrize("consent", OPEN)
def test_gate_f_row_5_a_declared_relation_opens_and_is_followed_up(
    consent: str, override: Json | None
) -> None:
    disclosure = gate_f(consent, override=override, relation="DECLARED")
    expected = permitted("D-OK-TREATMENT-FOLLOWUP", "FOLLOW_UP_RELATION", "MINLOG")
    assert outcome(disclosure) == expected


@pytest.mark.parametrize("override", [None, *OVERRIDES], ids=str)
@pytest.mark.parametrize("consent", OPEN)
def test_gate_f_row_6_an_override_that_was_not_needed_has_no_consequence(
    consent: str, override: Json | None
) -> None:
    disclosure = gate_f(consent, override=override, relation="CONFIRMED")
    assert outcome(disclosure) == permitted("D-OK-TREATMENT", "MINLOG")


def test_gate_f_a_consent_answer_of_exactly_five_minutes_still_counts() -> None:
    request = hp(sources={"consent_age_s": 300})
    assert decide(request=request)["code"] == "D-OK-TREATMENT"
    assert decide(request=request, registrations=[BLOCK])["code"] == "D-CONSENT-NEGATIVE"


@pytest.mark.parametrize("registrations", [[BLOCK], [CONSENT]])
def test_gate_f_a_stale_answer_is_not_read_whatever_it_says(registrations: list[Json]) -> None:
    request = hp(sources={"consent_age_s": 301})
    disclosure = decide(request=request, registrations=registrations)
    assert disclosure["code"] == "D-CONSENT-UNAVAILABLE"
