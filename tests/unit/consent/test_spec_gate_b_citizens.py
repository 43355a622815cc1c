"""Disclosure, read off the specification row by row: gate B for citizens (sections 3 and 6)."""

from typing import Any

import pytest

from tests.unit.consent.spec_disclosure import (
    CHILD,
    DAUGHTER,
    MOTHER,
    PERMIT_OF,
    REPRESENTATIVE,
    TEENAGER,
    Json,
    decide,
    denied,
    outcome,
    permitted,
    through,
)

# --------------------------------------------------------------------------- gate B, the patient


def test_gate_b_another_person_is_not_the_patient() -> None:
    request = {"role": "SELF", "actor_id": "P-02"}
    assert outcome(decide(request=request)) == denied("D-NOT-SELF")


def test_gate_b_another_person_is_told_nothing_about_the_age() -> None:
    request = {"role": "SELF", "actor_id": "P-02"}
    assert decide(request=request, patient=CHILD)["code"] == "D-NOT-SELF"


def test_gate_b_a_child_under_fifteen_does_not_read_itself() -> None:
    disclosure = decide(request={"role": "SELF"}, patient=CHILD)
    assert outcome(disclosure) == denied("D-SELF-UNDER-15")


def test_gate_b_a_patient_of_unknown_age_counts_as_under_fifteen() -> None:
    assert through("SELF", {"birth_date": None})["code"] == "D-SELF-UNDER-15"


def test_gate_b_a_young_person_with_incapacity_still_reads_itself() -> None:
    assert through("SELF", {**TEENAGER, "incapacity_39b": True})["code"] == "D-OK-SELF"


def test_gate_b_a_child_with_incapacity_does_not_read_itself() -> None:
    assert through("SELF", {**CHILD, "incapacity_39b": True})["code"] == "D-SELF-UNDER-15"


# ----------------------------------------------------------------- gate B, custody holders


@pytest.mark.parametrize("age", [None, 86_401, 10_000_000])
def test_gate_b_a_guardian_needs_a_fresh_custody_answer(age: int | None) -> None:
    disclosure = through("GUARDIAN", request={"sources": {"custody_age_s": age}})
    assert outcome(disclosure) == denied("D-RELATION-UNAVAILABLE")


def test_gate_b_a_custody_answer_exactly_a_day_old_still_counts() -> None:
    disclosure = through("GUARDIAN", request={"sources": {"custody_age_s": 86_400}})
    assert disclosure["code"] == "D-OK-GUARDIAN"


def test_gate_b_a_parent_without_custody_is_refused() -> None:
    disclosure = through("GUARDIAN", request={"actor_id": "G-DAD"})
    assert outcome(disclosure) == denied("D-NO-CUSTODY")


def test_gate_b_a_child_without_known_guardians_has_none() -> None:
    assert through("GUARDIAN", {"guardians": []})["code"] == "D-NO-CUSTODY"


def test_gate_b_custody_of_an_adult_is_none() -> None:
    assert outcome(through("GUARDIAN", {"birth_date": "2000-01-01"})) == denied("D-NO-CUSTODY")


def test_gate_b_a_guardian_of_a_fifteen_year_old_is_refused() -> None:
    assert outcome(through("GUARDIAN", TEENAGER)) == denied("D-GUARDIAN-15-PLUS")


def test_gate_b_a_guardian_reads_for_a_fifteen_year_old_with_incapacity() -> None:
    disclosure = through("GUARDIAN", {**TEENAGER, "incapacity_39b": True})
    assert outcome(disclosure) == permitted("D-OK-GUARDIAN", "MINLOG")


def test_gate_b_a_patient_of_unknown_age_counts_as_fifteen_for_a_guardian() -> None:
    assert through("GUARDIAN", {"birth_date": None})["code"] == "D-GUARDIAN-15-PLUS"


def test_gate_b_a_blocked_guardian_is_refused() -> None:
    disclosure = through("GUARDIAN", {"guardians": [{**MOTHER, "blocked": True}]})
    assert outcome(disclosure) == denied("D-GUARDIAN-BLOCKED")


def test_gate_b_the_block_of_one_guardian_does_not_touch_the_other() -> None:
    father = {**MOTHER, "id": "G-DAD", "blocked": True}
    assert through("GUARDIAN", {"guardians": [father, MOTHER]})["code"] == "D-OK-GUARDIAN"


def test_gate_b_a_guardian_elsewhere_does_not_read_for_a_child_with_protected_address() -> None:
    elsewhere = {**MOTHER, "same_address": False}
    disclosure = through("GUARDIAN", {"guardians": [elsewhere], "address_protected": True})
    assert outcome(disclosure) == denied("D-GUARDIAN-ADDRESS-PROTECTED")


def test_gate_b_an_unknown_shared_address_counts_as_elsewhere() -> None:
    unknown = {**MOTHER, "same_address": None}
    disclosure = through("GUARDIAN", {"guardians": [unknown], "address_protected": True})
    assert disclosure["code"] == "D-GUARDIAN-ADDRESS-PROTECTED"


def test_gate_b_an_unknown_protection_of_the_address_counts_as_protected() -> None:
    elsewhere = {**MOTHER, "same_address": False}
    disclosure = through("GUARDIAN", {"guardians": [elsewhere], "address_protected": None})
    assert disclosure["code"] == "D-GUARDIAN-ADDRESS-PROTECTED"


def test_gate_b_a_guardian_at_the_protected_address_reads() -> None:
    disclosure = through("GUARDIAN", {"address_protected": True})
    assert outcome(disclosure) == permitted("D-OK-GUARDIAN", "MINLOG", "REDACT_CONTACT")


def test_gate_b_a_guardian_elsewhere_reads_when_no_address_is_protected() -> None:
    elsewhere = {**MOTHER, "same_address": False}
    assert through("GUARDIAN", {"guardians": [elsewhere]})["code"] == "D-OK-GUARDIAN"


@pytest.mark.parametrize(
    ("now", "code"),
    [
        ("2027-02-10T08:59:59.999999Z", "D-NO-CUSTODY"),
        ("2027-02-10T09:00:00Z", "D-OK-GUARDIAN"),
        ("2027-02-10T09:59:59.999999Z", "D-OK-GUARDIAN"),
        ("2027-02-10T10:00:00Z", "D-NO-CUSTODY"),
    ],
)
def test_gate_b_custody_is_half_open_to_the_microsecond(now: str, code: str) -> None:
    custody = {
        "custody_from": "2027-02-10T09:00:00Z",
        "custody_to": "2027-02-10T10:00:00Z",
    }
    assert through("GUARDIAN", {"guardians": [{**MOTHER, **custody}]}, now=now)["code"] == code


GUARDIAN_ROWS: list[tuple[str, Json, Json]] = [
    ("D-RELATION-UNAVAILABLE", {}, {"sources": {"custody_age_s": None}}),
    ("D-NO-CUSTODY", {}, {"actor_id": "G-DAD"}),
    ("D-GUARDIAN-15-PLUS", {"birth_date": "2011-01-01"}, {}),
    (
        "D-GUARDIAN-BLOCKED",
        {"guardians": [{**MOTHER, "blocked": True, "same_address": False}]},
        {},
    ),
    (
        "D-GUARDIAN-ADDRESS-PROTECTED",
        {"guardians": [{**MOTHER, "same_address": False}], "address_protected": True},
        {},
    ),
]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(first, second, id=f"{first[0]} before {second[0]}")
        for index, first in enumerate(GUARDIAN_ROWS)
        for second in GUARDIAN_ROWS[index + 1 :]
    ],
)
def test_gate_b_the_earlier_guardian_row_wins(
    first: tuple[str, Json, Json], second: tuple[str, Json, Json]
) -> None:
    patient, request = {**second[1], **first[1]}, {**second[2], **first[2]}
    assert through("GUARDIAN", patient, request)["code"] == first[0]


# ------------------------------------------------------------------------------- gate B, mandates


@pytest.mark.parametrize("door", ["PROXY", "LEGAL_REP"])
@pytest.mark.parametrize("age", [None, 3_601])
def test_gate_b_a_mandate_needs_a_fresh_answer(door: str, age: int | None) -> None:
    disclosure = through(door, request={"sources": {"proxy_age_s": age}})
    assert outcome(disclosure) == denied("D-RELATION-UNAVAILABLE")


@pytest.mark.parametrize("door", ["PROXY", "LEGAL_REP"])
def test_gate_b_a_mandate_answer_exactly_an_hour_old_still_counts(door: str) -> None:
    disclosure = through(door, request={"sources": {"proxy_age_s": 3_600}})
    assert disclosure["code"] == PERMIT_OF[door]


INVALID = {"PROXY": "D-PROXY-INVALID", "LEGAL_REP": "D-REP-INVALID"}
LIST_OF = {"PROXY": "proxies", "LEGAL_REP": "legal_reps"}
MANDATE_OF = {"PROXY": DAUGHTER, "LEGAL_REP": REPRESENTATIVE}


def with_mandate(door: str, **changes: Any) -> Json:
    return {LIST_OF[door]: [{**MANDATE_OF[door], **changes}]}


@pytest.mark.parametrize("door", ["PROXY", "LEGAL_REP"])
def test_gate_b_a_stranger_holds_no_mandate(door: str) -> None:
    disclosure = through(door, request={"actor_id": "X-OTHER"})
    assert outcome(disclosure) == denied(INVALID[door])


@pytest.mark.parametrize("door", ["PROXY", "LEGAL_REP"])
def test_gate_b_a_mandate_of_another_scope_does_not_count(door: str) -> None:
    for scope in ([], ["PRESCRIPTIONS"], ["FINANCIAL"]):
        disclosure = through(door, with_mandate(door, scope=scope))
        assert outcome(disclosure) == denied(INVALID[door])


def test_gate_b_the_scope_of_one_kind_of_mandate_is_not_that_of_the_other() -> None:
    assert through("PROXY", with_mandate("PROXY", scope=["PERSONAL"]))["decision"] == "DENY"
    journal = with_mandate("LEGAL_REP", scope=["JOURNAL_NOTES"])
    assert through("LEGAL_REP", journal)["decision"] == "DENY"


def test_gate_b_a_proxy_is_no_legal_representative_and_no_guardian() -> None:
    patient = {"proxies": [{**DAUGHTER, "scope": ["JOURNAL_NOTES", "PERSONAL"]}]}
    request = {"role": "LEGAL_REP", "actor_id": "X-DAU"}
    assert decide(patient=patient, request=request)["code"] == "D-REP-INVALID"


@pytest.mark.parametrize("door", ["PROXY", "LEGAL_REP"])
def test_gate_b_one_wanted_scope_among_several_is_enough(door: str) -> None:
    patient = with_mandate(door, scope=["FINANCIAL", *MANDATE_OF[door]["scope"]])
    assert through(door, patient)["code"] == PERMIT_OF[door]


@pytest.mark.parametrize("door", ["PROXY", "LEGAL_REP"])
@pytest.mark.parametrize(
    ("now", "valid"),
    [
        ("2027-02-10T08:59:59.999999Z", False),
        ("2027-02-10T09:00:00Z", True),
        ("2027-02-10T09:59:59.999999Z", True),
        ("2027-02-10T10:00:00Z", False),
    ],
)
def test_gate_b_a_mandate_is_half_open_to_the_microsecond(door: str, now: str, valid: bool) -> None:
    span = {"from": "2027-02-10T09:00:00Z", "to": "2027-02-10T10:00:00Z"}
    expected = PERMIT_OF[door] if valid else INVALID[door]
    assert through(door, with_mandate(door, **span), now=now)["code"] == expected


@pytest.mark.parametrize("door", ["PROXY", "LEGAL_REP"])
def test_gate_b_a_revoked_mandate_ends_at_that_instant(door: str) -> None:
    patient = with_mandate(door, revoked_at="2027-02-10T09:00:00Z")
    before = through(door, patient, now="2027-02-10T08:59:59.999999Z")
    assert before["code"] == PERMIT_OF[door]
    assert through(door, patient, now="2027-02-10T09:00:00Z")["code"] == INVALID[door]


def test_gate_b_nobody_is_proxy_for_a_child() -> None:
    disclosure = through("PROXY", {"birth_date": "2018-09-03"})
    assert outcome(disclosure) == denied("D-PROXY-INVALID")


def test_gate_b_a_young_person_may_have_a_proxy() -> None:
    assert through("PROXY", {"birth_date": "2011-01-01"})["code"] == "D-OK-PROXY"


def test_gate_b_a_minor_has_no_legal_representative() -> None:
    disclosure = through("LEGAL_REP", {"birth_date": "2011-01-01"})
    assert outcome(disclosure) == denied("D-REP-INVALID")


@pytest.mark.parametrize("door", ["PROXY", "LEGAL_REP"])
def test_gate_b_a_patient_of_unknown_age_opens_no_mandate(door: str) -> None:
    assert through(door, {"birth_date": None})["code"] == INVALID[door]


@pytest.mark.parametrize("door", ["PROXY", "LEGAL_REP"])
def test_gate_b_the_freshness_is_asked_before_the_mandate(door: str) -> None:
    request = {"actor_id": "X-OTHER", "sources": {"proxy_age_s": 3_601}}
    assert through(door, request=request)["code"] == "D-RELATION-UNAVAILABLE"


def test_gate_b_each_citizen_door_asks_its_own_register_only() -> None:
    sources = {"custody_age_s": None, "consent_age_s": None}
    assert through("PROXY", request={"sources": sources})["decision"] == "PERMIT"
    assert through("LEGAL_REP", request={"sources": sources})["decision"] == "PERMIT"
    sources = {"proxy_age_s": None, "consent_age_s": None}
    assert through("GUARDIAN", request={"sources": sources})["decision"] == "PERMIT"
    sources = {"proxy_age_s": None, "consent_age_s": None, "custody_age_s": None}
    assert through("SELF", request={"sources": sources})["decision"] == "PERMIT"
    sources = {"proxy_age_s": None, "custody_age_s": None}
    assert through("HP", request={"sources": sources})["decision"] == "PERMIT"
