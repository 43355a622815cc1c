"""Disclosure, read off the specification: gate A, and the order of the gates (section 6)."""

import pytest

from tests.unit.consent.spec_disclosure import (
    BLOCK,
    CHILD,
    EVERY_DOOR,
    PERMIT_OF,
    Json,
    decide,
    denied,
    hp,
    outcome,
    permitted,
    through,
)


@pytest.mark.parametrize("door", EVERY_DOOR)
def test_every_door_opens_for_the_one_it_was_made_for(door: str) -> None:
    duties = [] if door == "SELF" else ["MINLOG"]
    disclosure = through(door)
    assert outcome(disclosure) == permitted(PERMIT_OF[door], *duties)
    assert disclosure["detail"] is None


# ------------------------------------------------------------------------------------ gate A


ROLES = [*EVERY_DOOR, "RESEARCHER", "ADMIN", "COMPLIANCE", "SYSTEM", "INSURER"]


@pytest.mark.parametrize("role", ROLES)
def test_gate_a_without_an_audit_store_nobody_reads_and_nothing_is_logged(role: str) -> None:
    request = {"role": role, "purpose": "ROUTE", "sources": {"audit_ok": False}}
    assert outcome(decide(request=request)) == ("DENY", "D-AUDIT-UNAVAILABLE", [])


@pytest.mark.parametrize("role", ROLES)
def test_gate_a_a_low_login_opens_nothing(role: str) -> None:
    request = {"role": role, "auth_level": "LOW", "purpose": "ROUTE"}
    assert outcome(decide(request=request)) == denied("D-AUTH-LEVEL")


def test_gate_a_the_audit_store_is_asked_before_the_login() -> None:
    request = hp(auth_level="LOW", sources={"audit_ok": False})
    assert decide(request=request)["code"] == "D-AUDIT-UNAVAILABLE"


@pytest.mark.parametrize("level", ["SUBSTANTIAL", "HIGH"])
@pytest.mark.parametrize("door", EVERY_DOOR)
def test_gate_a_a_substantial_or_high_login_is_enough(door: str, level: str) -> None:
    assert through(door, request={"auth_level": level})["decision"] == "PERMIT"


def test_gate_a_a_researcher_never_reads() -> None:
    request = {"role": "RESEARCHER", "purpose": "RESEARCH"}
    assert outcome(decide(request=request)) == denied("D-RESEARCH-NEVER", "ALERT")


def test_gate_a_an_administrator_sees_no_content() -> None:
    assert outcome(decide(request={"role": "ADMIN"})) == denied("D-ADMIN-NO-CONTENT", "ALERT")


def test_gate_a_compliance_reads_the_log_and_no_notes() -> None:
    request = {"role": "COMPLIANCE"}
    assert outcome(decide(request=request)) == denied("D-COMPLIANCE-METADATA-ONLY")


@pytest.mark.parametrize("purpose", ["ROUTE", "INDEX", "INTEGRITY", "PURGE"])
def test_gate_a_the_system_may_do_its_technical_work(purpose: str) -> None:
    request = {"role": "SYSTEM", "purpose": purpose}
    assert outcome(decide(request=request)) == permitted("D-SYSTEM-TECH")


@pytest.mark.parametrize("purpose", ["TREATMENT", "QUALITY", "RESEARCH", "SUPPORT"])
def test_gate_a_the_system_may_do_nothing_else(purpose: str) -> None:
    request = {"role": "SYSTEM", "purpose": purpose}
    assert outcome(decide(request=request)) == denied("D-ADMIN-NO-CONTENT", "ALERT")


@pytest.mark.parametrize(
    "role", ["NEXT_OF_KIN", "CASE_WORKER", "INSURER", "EMPLOYER", "POLICE", "PARENT", "self", ""]
)
def test_gate_a_no_other_role_is_allowed(role: str) -> None:
    assert outcome(decide(request={"role": role})) == denied("D-ROLE-NOT-ALLOWED")


def test_gate_a_technical_work_goes_on_for_dead_patients_and_absent_notes() -> None:
    request = {"role": "SYSTEM", "purpose": "PURGE"}
    disclosure = decide(
        request=request, patient={"death_date": "2020-01-01"}, note={"status": "withdrawn"}
    )
    assert outcome(disclosure) == permitted("D-SYSTEM-TECH")


# ----------------------------------------------------------- the gates come in their order


GATES: list[tuple[str, Json]] = [
    ("D-AUTH-LEVEL", {"request": {"auth_level": "LOW"}}),
    ("D-NO-RELATION", {"request": {"relation": "NONE"}}),
    ("D-DECEASED", {"patient": {"death_date": "2027-02-09"}}),
    ("D-NOT-AVAILABLE", {"note": {"status": "draft"}}),
    ("D-CONSENT-NEGATIVE", {"registrations": [BLOCK]}),
]


@pytest.mark.parametrize("start", range(len(GATES)), ids=[gate for gate, _ in GATES])
def test_the_first_gate_that_denies_ends_the_evaluation(start: int) -> None:
    case: Json = {"patient": {}, "request": {}, "note": {}, "registrations": []}
    for _, cause in GATES[start:]:
        for part, value in cause.items():
            case[part] = value if part == "registrations" else {**case[part], **value}
    assert decide(**case)["code"] == GATES[start][0]


def test_a_citizen_meets_the_same_order() -> None:
    patient = {**CHILD, "death_date": "2027-02-09"}
    marks = {"do_not_share": True, "hide_from_guardian": True}
    stranger = {"role": "GUARDIAN", "actor_id": "G-DAD"}
    mother = {"role": "GUARDIAN", "actor_id": "G-MOM"}
    assert decide(patient=patient, request=stranger, marks=marks)["code"] == "D-NO-CUSTODY"
    assert decide(patient=patient, request=mother, marks=marks)["code"] == "D-DECEASED"
    assert decide(patient=CHILD, request=mother, marks=marks)["code"] == "D-WITHHELD"
    marks["do_not_share"] = False
    assert decide(patient=CHILD, request=mother, marks=marks)["code"] == "D-GUARDIAN-HIDDEN-NOTE"
