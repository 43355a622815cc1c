"""Disclosure, read off the specification row by row: sections 3, 4, 6, 6.1 and 7.

Every case holds only what differs from the defaults of section 19: an adult patient, a published
note, a doctor in `SOR-HOSP-A1` with a confirmed relation, 10 February 2027 at 09:00Z.
"""

from typing import Any

import pytest

from consent.cases import decide_case

Json = dict[str, Any]

VITAL: Json = {"reason": "VITAL_INTEREST", "text": "Unconscious, history needed now"}
PUBLIC: Json = {"reason": "PUBLIC_INTEREST", "text": "Outbreak of a dangerous disease"}
CONSENT_NOW: Json = {"reason": "PATIENT_CONSENT_NOW", "text": "Patient present, oral consent"}
OVERRIDES = [VITAL, PUBLIC, CONSENT_NOW]

BLOCK: Json = {"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"}
CONSENT: Json = {
    "type": "POSITIVE",
    "valid_from": "2027-01-05T08:00:00Z",
    "valid_to": "2028-01-05T08:00:00Z",
}

MOTHER: Json = {"id": "G-MOM", "custody_from": "2010-01-01T00:00:00+01:00"}
CHILD: Json = {"birth_date": "2018-09-03", "guardians": [MOTHER]}
TEENAGER: Json = {"birth_date": "2011-01-01", "guardians": [MOTHER]}
DAUGHTER: Json = {
    "id": "X-DAU",
    "from": "2026-05-01T00:00:00+02:00",
    "to": None,
    "scope": ["JOURNAL_NOTES"],
}
REPRESENTATIVE: Json = {**DAUGHTER, "id": "L-REP", "scope": ["PERSONAL"]}

DOORS: dict[str, tuple[Json, Json]] = {
    "SELF": ({}, {"role": "SELF"}),
    "GUARDIAN": (CHILD, {"role": "GUARDIAN", "actor_id": "G-MOM"}),
    "PROXY": ({"proxies": [DAUGHTER]}, {"role": "PROXY", "actor_id": "X-DAU"}),
    "LEGAL_REP": ({"legal_reps": [REPRESENTATIVE]}, {"role": "LEGAL_REP", "actor_id": "L-REP"}),
    "HP": ({}, {"role": "HP"}),
}
PERMIT_OF = {
    "SELF": "D-OK-SELF",
    "GUARDIAN": "D-OK-GUARDIAN",
    "PROXY": "D-OK-PROXY",
    "LEGAL_REP": "D-OK-REP",
    "HP": "D-OK-TREATMENT",
}
CITIZENS = ["SELF", "GUARDIAN", "PROXY", "LEGAL_REP"]
EVERY_DOOR = [*CITIZENS, "HP"]


def decide(
    *,
    patient: Json | None = None,
    note: Json | None = None,
    marks: Json | None = None,
    request: Json | None = None,
    registrations: list[Json] | None = None,
    now: str | None = None,
) -> Json:
    """The disclosure of a case that differs from the defaults in these things alone."""
    whole_note = dict(note or {})
    if marks is not None:
        whole_note["markings"] = marks
    case: Json = {
        "id": "T",
        "patient": patient or {},
        "note": whole_note,
        "request": request or {},
        "registrations": registrations or [],
    }
    if now is not None:
        case["now"] = now
    disclosure: Json = decide_case(case)["disclosure"]
    return disclosure


def through(
    door: str, patient: Json | None = None, request: Json | None = None, **more: Any
) -> Json:
    """The disclosure to one who would get an ordinary note through this door."""
    door_patient, door_request = DOORS[door]
    return decide(
        patient={**door_patient, **(patient or {})},
        request={**door_request, **(request or {})},
        **more,
    )


def hp(**request: Any) -> Json:
    return {"role": "HP", **request}


def outcome(disclosure: Json) -> tuple[str, str, list[str]]:
    return (disclosure["decision"], disclosure["code"], disclosure["obligations"])


def denied(code: str, *obligations: str) -> tuple[str, str, list[str]]:
    return ("DENY", code, sorted(["LOG", *obligations]))


def permitted(code: str, *obligations: str) -> tuple[str, str, list[str]]:
    return ("PERMIT", code, sorted(["LOG", *obligations]))


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


# -------------------------------------------------------------------------- gate B, professionals


def test_gate_b_a_professional_does_not_open_the_own_record() -> None:
    disclosure = decide(request=hp(actor_id="P-01"))
    assert outcome(disclosure) == denied("D-HP-OWN-RECORD", "ALERT")


def test_gate_b_an_assistant_does_not_open_the_record_of_the_responsible_one() -> None:
    disclosure = decide(request=hp(actor_id="AS-3", on_behalf_of="P-01"))
    assert outcome(disclosure) == denied("D-HP-OWN-RECORD", "ALERT")


def test_gate_b_an_assistant_does_not_open_the_own_record() -> None:
    disclosure = decide(request=hp(actor_id="P-01", on_behalf_of="HP-1"))
    assert outcome(disclosure) == denied("D-HP-OWN-RECORD", "ALERT")


def test_gate_b_without_authorisation_nothing_is_opened() -> None:
    disclosure = decide(request=hp(authorised=False))
    assert outcome(disclosure) == denied("D-NO-AUTHORISATION", "ALERT")


@pytest.mark.parametrize("profession", ["DOCTOR", "NURSE", "MIDWIFE", "DENTIST", "PARAMEDIC"])
def test_gate_b_five_professions_may_read(profession: str) -> None:
    disclosure = decide(request=hp(profession=profession))
    assert outcome(disclosure) == permitted("D-OK-TREATMENT", "MINLOG")


@pytest.mark.parametrize("profession", ["PHYSIOTHERAPIST", "CHIROPRACTOR", "doctor", "", None])
def test_gate_b_no_other_profession_may_read(profession: str | None) -> None:
    disclosure = decide(request=hp(profession=profession))
    assert outcome(disclosure) == denied("D-PROFESSION")


@pytest.mark.parametrize("purpose", ["QUALITY", "RESEARCH", "ROUTE", "INDEX", "EVALUATION"])
def test_gate_b_only_treatment_is_a_purpose(purpose: str) -> None:
    assert outcome(decide(request=hp(purpose=purpose))) == denied("D-PURPOSE")


@pytest.mark.parametrize("override", OVERRIDES, ids=lambda o: o["reason"])
def test_gate_b_an_assistant_never_breaks_the_glass(override: Json) -> None:
    request = hp(actor_id="AS-3", on_behalf_of="HP-1", override=override)
    for registrations in ([], [BLOCK]):
        disclosure = decide(request=request, registrations=registrations)
        assert outcome(disclosure) == denied("D-BG-ROLE", "ALERT")


@pytest.mark.parametrize("reason", ["CURIOSITY", "", "vital_interest", None])
def test_gate_b_an_override_needs_a_known_reason(reason: str | None) -> None:
    override = {"reason": reason, "text": "A text that is long enough"}
    assert outcome(decide(request=hp(override=override))) == denied("D-BG-REASON")


@pytest.mark.parametrize(
    "text",
    ["", "fourteen chars", "   fourteen chars   ", "\n\tfourteen chars\t\n", " " * 40],
)
def test_gate_b_an_override_needs_fifteen_characters_of_text(text: str) -> None:
    override = {"reason": "VITAL_INTEREST", "text": text}
    disclosure = decide(request=hp(override=override), registrations=[BLOCK])
    assert outcome(disclosure) == denied("D-BG-REASON")


@pytest.mark.parametrize("text", ["fifteen letters", "  fifteen letters  ", "æøå ærø øre åben"])
def test_gate_b_fifteen_characters_of_text_are_enough(text: str) -> None:
    override = {"reason": "VITAL_INTEREST", "text": text}
    disclosure = decide(request=hp(override=override), registrations=[BLOCK])
    assert disclosure["code"] == "D-OK-BREAK-GLASS"


def test_gate_b_an_override_without_text_is_refused_even_when_it_is_not_needed() -> None:
    override = {"reason": "VITAL_INTEREST", "text": "short"}
    assert decide(request=hp(override=override))["code"] == "D-BG-REASON"


def test_gate_b_without_a_relation_nothing_is_opened() -> None:
    assert outcome(decide(request=hp(relation="NONE"))) == denied("D-NO-RELATION")


def test_gate_b_consent_on_the_spot_does_not_stand_in_for_a_relation() -> None:
    for registrations in ([], [BLOCK], [CONSENT]):
        disclosure = decide(
            request=hp(relation="NONE", override=CONSENT_NOW), registrations=registrations
        )
        assert outcome(disclosure) == denied("D-NO-RELATION")


@pytest.mark.parametrize("override", [VITAL, PUBLIC], ids=lambda o: o["reason"])
def test_gate_b_vital_and_public_interest_stand_in_for_a_relation(override: Json) -> None:
    disclosure = decide(request=hp(relation="NONE", override=override))
    duties = ("MINLOG", "NOTIFY_PATIENT", "REVIEW_MANDATORY")
    assert outcome(disclosure) == permitted("D-OK-BREAK-GLASS", *duties)


PROFESSIONAL_ROWS: list[tuple[str, Json]] = [
    ("D-HP-OWN-RECORD", {"actor_id": "P-01"}),
    ("D-NO-AUTHORISATION", {"authorised": False}),
    ("D-PROFESSION", {"profession": "CHIROPRACTOR"}),
    ("D-PURPOSE", {"purpose": "QUALITY"}),
    ("D-BG-ROLE", {"on_behalf_of": "HP-2", "override": {"reason": "NO", "text": ""}}),
    ("D-BG-REASON", {"override": {"reason": "NO", "text": ""}}),
    ("D-NO-RELATION", {"relation": "NONE"}),
]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(first, second, id=f"{first[0]} before {second[0]}")
        for index, first in enumerate(PROFESSIONAL_ROWS)
        for second in PROFESSIONAL_ROWS[index + 1 :]
    ],
)
def test_gate_b_the_earlier_professional_row_wins(
    first: tuple[str, Json], second: tuple[str, Json]
) -> None:
    assert decide(request=hp(**{**second[1], **first[1]}))["code"] == first[0]


# ------------------------------------------------------------------------- section 4, ages and days

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


# ------------------------------------------------------------------------------------ gate C


@pytest.mark.parametrize("door", EVERY_DOOR)
def test_gate_c_after_the_day_of_death_every_door_is_shut(door: str) -> None:
    disclosure = through(door, {"death_date": "2027-02-09"})
    assert outcome(disclosure) == denied("D-DECEASED")


@pytest.mark.parametrize("door", EVERY_DOOR)
@pytest.mark.parametrize(
    ("died", "last", "next_day"),
    [
        pytest.param("2027-02-10", "2027-02-10T22:59:59.999999Z", "2027-02-10T23:00:00Z", id="w"),
        pytest.param("2027-07-10", "2027-07-10T21:59:59.999999Z", "2027-07-10T22:00:00Z", id="s"),
        pytest.param("2027-03-28", "2027-03-28T21:59:59.999999Z", "2027-03-28T22:00:00Z", id="23h"),
        pytest.param("2027-10-31", "2027-10-31T22:59:59.999999Z", "2027-10-31T23:00:00Z", id="25h"),
    ],
)
def test_gate_c_the_whole_day_of_death_is_open_and_the_next_is_not(
    door: str, died: str, last: str, next_day: str
) -> None:
    patient = {"death_date": died}
    assert through(door, patient, now=last)["code"] == PERMIT_OF[door]
    assert through(door, patient, now=next_day)["code"] == "D-DECEASED"


@pytest.mark.parametrize("override", OVERRIDES, ids=lambda o: o["reason"])
def test_gate_c_break_glass_does_not_reach_a_deceased_patient(override: Json) -> None:
    disclosure = decide(
        request=hp(override=override),
        patient={"death_date": "2027-02-09"},
        registrations=[BLOCK],
    )
    assert outcome(disclosure) == denied("D-DECEASED")


def test_gate_c_the_actor_is_judged_before_death() -> None:
    patient = {"death_date": "2027-02-09"}
    assert decide(request=hp(relation="NONE"), patient=patient)["code"] == "D-NO-RELATION"


def test_gate_c_death_is_judged_before_publication() -> None:
    patient = {"death_date": "2027-02-05"}
    disclosure = through("SELF", patient, marks={"do_not_share": True})
    assert disclosure["code"] == "D-DECEASED"


# ------------------------------------------------------------------------------------ gate D

# Each publication state: the note or patient that brings it about, and its code.
HELD: list[tuple[str, Json, Json]] = [
    ("P-HOLD-DRAFT", {}, {"status": "draft"}),
    ("P-HOLD-MIDNIGHT", {}, {"completed_at": "2027-02-10T09:30:00+01:00"}),
]
WITHHELD: list[tuple[str, Json, Json]] = [
    ("P-SCOPE-ADMIN", {}, {"contact_type": "admin"}),
    ("P-SCOPE-BEFORE-START", {}, {"practice": {"sharing_start": "2027-03-01T00:00:00+01:00"}}),
    ("P-DECEASED", {"death_date": "2027-02-10"}, {"completed_at": "2027-02-10T23:02:00Z"}),
    ("P-WITHHELD-DO-NOT-SHARE", {}, {"markings": {"do_not_share": True}}),
]
REMOVED: list[tuple[str, Json, Json]] = [
    ("P-REMOVED-WITHDRAWN", {}, {"status": "withdrawn"}),
    (
        "P-REMOVED-SUPERSEDED",
        {},
        {"successor": {"status": "final", "completed_at": "2027-02-05T14:00:00+01:00"}},
    ),
    ("P-REMOVED-EXPIRED", {}, {"last_entry_at": "2016-06-01T10:00:00Z"}),
]
REJECTED: list[tuple[str, Json, Json]] = [
    ("P-REJ-IDENTITY", {"cpr_type": "ECPR"}, {}),
    ("P-REJ-INVALID", {}, {"completed_at": "2027-02-01T09:00:00+01:00"}),
    ("P-REJ-NOT-ENROLLED", {}, {"practice": {"enrolled": False}}),
]
ABSENT = [
    pytest.param(citizen_code, *state, id=state[0])
    for citizen_code, states in (
        ("D-HELD", HELD),
        ("D-WITHHELD", WITHHELD),
        ("D-REMOVED", REMOVED),
        ("D-NOT-AVAILABLE", REJECTED),
    )
    for state in states
]
LAST_MINUTE = "2027-02-10T22:58:00Z"


def now_for(state: str) -> str | None:
    """The end of the day of death: a note dated tomorrow is then still within five minutes."""
    return LAST_MINUTE if state == "P-DECEASED" else None


@pytest.mark.parametrize("door", CITIZENS)
@pytest.mark.parametrize(("code", "state", "patient", "note"), ABSENT)
def test_gate_d_a_citizen_is_told_why_the_note_is_absent(
    door: str, code: str, state: str, patient: Json, note: Json
) -> None:
    disclosure = through(door, patient, note=note, now=now_for(state))
    neutral = [] if door == "SELF" else ["NEUTRAL"]
    assert outcome(disclosure) == denied(code, *neutral)
    assert disclosure["detail"] == state


@pytest.mark.parametrize("override", [None, *OVERRIDES], ids=str)
@pytest.mark.parametrize(("code", "state", "patient", "note"), ABSENT)
def test_gate_d_a_professional_is_told_nothing_whatever_the_override(
    code: str, state: str, patient: Json, note: Json, override: Json | None
) -> None:
    assert code.startswith("D-")
    disclosure = through(
        "HP", patient, {"override": override}, note=note, now=now_for(state), registrations=[BLOCK]
    )
    assert outcome(disclosure) == denied("D-NOT-AVAILABLE", "NEUTRAL")
    assert disclosure["detail"] == state


@pytest.mark.parametrize(
    ("marks", "code", "state"),
    [
        ({"hide_from_patient": {"basis": "OTHER"}}, "D-HELD", "P-HOLD-BASIS-MISSING"),
        ({"third_party_confidential": True}, "D-WITHHELD", "P-WITHHELD-THIRD-PARTY"),
        ({"sensitive": ["DV"]}, "D-WITHHELD", "P-WITHHELD-SAFETY"),
        ({"sensitive": ["ABUSE"]}, "D-WITHHELD", "P-WITHHELD-SAFETY"),
        ({"delay_until": "2027-02-11T08:00:00Z"}, "D-HELD", "P-HOLD-DELAYED"),
    ],
)
@pytest.mark.parametrize("door", CITIZENS)
def test_gate_d_citizens_are_bound_by_the_feed_and_professionals_are_not(
    door: str, marks: Json, code: str, state: str
) -> None:
    disclosure = through(door, marks=marks)
    neutral = [] if door == "SELF" else ["NEUTRAL"]
    assert outcome(disclosure) == denied(code, *neutral)
    assert disclosure["detail"] == state
    assert through("HP", marks=marks)["code"] == "D-OK-TREATMENT"


@pytest.mark.parametrize("door", CITIZENS)
def test_gate_d_professionals_are_bound_by_the_repository_and_citizens_are_not(door: str) -> None:
    marks = {"hide_from_professionals": True}
    assert through(door, marks=marks)["code"] == PERMIT_OF[door]
    disclosure = through("HP", marks=marks)
    assert outcome(disclosure) == denied("D-NOT-AVAILABLE", "NEUTRAL")
    assert disclosure["detail"] == "P-WITHHELD-FROM-PROFESSIONALS"


@pytest.mark.parametrize("override", OVERRIDES, ids=lambda o: o["reason"])
def test_gate_d_neither_consent_nor_break_glass_lifts_the_practices_marking(override: Json) -> None:
    disclosure = decide(
        marks={"hide_from_professionals": True},
        request=hp(override=override),
        registrations=[CONSENT],
    )
    assert disclosure["code"] == "D-NOT-AVAILABLE"


def test_gate_d_publication_is_judged_before_the_registrations() -> None:
    disclosure = decide(marks={"do_not_share": True}, registrations=[BLOCK])
    assert disclosure["code"] == "D-NOT-AVAILABLE"


def test_gate_d_publication_is_judged_before_the_note_against_the_role() -> None:
    marks = {"do_not_share": True, "hide_from_guardian": True}
    assert through("GUARDIAN", marks=marks)["code"] == "D-WITHHELD"


@pytest.mark.parametrize("door", EVERY_DOOR)
def test_gate_d_an_old_version_is_read_until_its_successor_takes_over(door: str) -> None:
    note = {
        "successor": {
            "status": "final",
            "completed_at": "2027-02-10T10:00:00+01:00",
            "delay_until": None,
        }
    }
    last = through(door, note=note, now="2027-02-10T22:59:59.999999Z")
    assert last["code"] == PERMIT_OF[door]
    gone = "D-NOT-AVAILABLE" if door == "HP" else "D-REMOVED"
    assert through(door, note=note, now="2027-02-10T23:00:00Z")["code"] == gone


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


# ----------------------------------------------------------------- 7, the patient's registrations


def read_under(*registrations: Json, **request: Any) -> str:
    code: str = decide(request=hp(**request), registrations=list(registrations))["code"]
    return code


OPENED = "D-OK-TREATMENT"
BLOCKED = "D-CONSENT-NEGATIVE"


def test_a_matching_positive_beats_a_block() -> None:
    assert read_under(BLOCK, CONSENT) == OPENED
    assert read_under(CONSENT, BLOCK) == OPENED


def test_a_broad_positive_beats_a_later_and_narrower_block() -> None:
    narrow = {
        **BLOCK,
        "valid_from": "2027-02-09T08:00:00Z",
        "who": {"kind": "PERSON", "person": "HP-1"},
        "what": {"document_id": "N-1"},
    }
    assert read_under(CONSENT, narrow) == OPENED


def test_a_positive_that_does_not_match_leaves_the_block_standing() -> None:
    other = {**CONSENT, "who": {"kind": "PERSON", "person": "HP-7"}}
    assert read_under(BLOCK, other) == BLOCKED


@pytest.mark.parametrize(
    ("now", "code"),
    [
        ("2027-02-10T08:59:59.999999Z", OPENED),
        ("2027-02-10T09:00:00Z", BLOCKED),
        ("2027-02-10T09:59:59.999999Z", BLOCKED),
        ("2027-02-10T10:00:00Z", OPENED),
    ],
)
@pytest.mark.parametrize("end", ["valid_to", "revoked_at"])
def test_a_block_is_half_open_to_the_microsecond(end: str, now: str, code: str) -> None:
    block = {**BLOCK, "valid_from": "2027-02-10T09:00:00Z", end: "2027-02-10T10:00:00Z"}
    assert decide(request=hp(), registrations=[block], now=now)["code"] == code


@pytest.mark.parametrize(
    ("now", "code"),
    [
        ("2027-02-10T08:59:59.999999Z", BLOCKED),
        ("2027-02-10T09:00:00Z", OPENED),
        ("2027-02-10T09:59:59.999999Z", OPENED),
        ("2027-02-10T10:00:00Z", BLOCKED),
    ],
)
@pytest.mark.parametrize("end", ["valid_to", "revoked_at"])
def test_a_consent_is_half_open_to_the_microsecond(end: str, now: str, code: str) -> None:
    consent = {**CONSENT, "valid_from": "2027-02-10T09:00:00Z", end: "2027-02-10T10:00:00Z"}
    assert decide(request=hp(), registrations=[BLOCK, consent], now=now)["code"] == code


@pytest.mark.parametrize(
    ("created", "code"),
    [
        ("2027-01-31T22:59:59.999999Z", OPENED),
        ("2027-01-31T23:00:00Z", BLOCKED),
        ("2027-02-01T22:59:59.999999Z", BLOCKED),
        ("2027-02-01T23:00:00Z", OPENED),
    ],
)
def test_the_period_of_the_data_is_half_open_to_the_microsecond(created: str, code: str) -> None:
    one_day = {"data_from": "2027-01-31T23:00:00Z", "data_to": "2027-02-01T23:00:00Z"}
    note = {"created_at": created, "completed_at": "2027-02-05T10:00:00Z"}
    disclosure = decide(request=hp(), note=note, registrations=[{**BLOCK, "what": one_day}])
    assert disclosure["code"] == code


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"data_from": "2027-02-01T09:00:00Z"}, BLOCKED),
        ({"data_from": "2027-02-01T09:00:00.000001Z"}, OPENED),
        ({"data_to": "2027-02-01T09:00:00Z"}, OPENED),
        ({"data_to": "2027-02-01T09:00:00.000001Z"}, BLOCKED),
    ],
)
def test_the_period_of_the_data_may_be_open_at_one_end(what: Json, code: str) -> None:
    assert read_under({**BLOCK, "what": what}) == code


def test_editing_a_note_does_not_move_it_into_a_period() -> None:
    what = {"data_from": "2027-02-02T23:00:00Z", "data_to": "2027-02-28T23:00:00Z"}
    note = {"completed_at": "2027-02-05T10:00:00Z"}
    disclosure = decide(request=hp(), note=note, registrations=[{**BLOCK, "what": what}])
    assert disclosure["code"] == OPENED


@pytest.mark.parametrize(
    ("author", "origin", "include_sub", "code"),
    [
        ("SOR-PRAX-1", "SOR-PRAX-1", False, BLOCKED),
        ("SOR-PRAX-1A", "SOR-PRAX-1", False, OPENED),
        ("SOR-PRAX-1A", "SOR-PRAX-1", True, BLOCKED),
        ("SOR-PRAX-1", "SOR-PRAX-1A", True, OPENED),
        ("SOR-PRAX-1", "SOR-PRAX-2", True, OPENED),
        # the origin is the author's unit, never the reader's
        ("SOR-PRAX-1", "SOR-HOSP-A1", True, OPENED),
    ],
)
def test_the_origin_is_matched_against_the_author(
    author: str, origin: str, include_sub: bool, code: str
) -> None:
    what = {"origin_org": origin, "include_sub": include_sub}
    disclosure = decide(
        request=hp(), note={"author_org": author}, registrations=[{**BLOCK, "what": what}]
    )
    assert disclosure["code"] == code


@pytest.mark.parametrize(("document", "code"), [("N-1", BLOCKED), ("N-2", OPENED)])
def test_a_block_on_a_document_holds_for_all_its_versions(document: str, code: str) -> None:
    block = {**BLOCK, "what": {"document_id": document}}
    for version in (1, 2, 7):
        disclosure = decide(request=hp(), note={"version": version}, registrations=[block])
        assert disclosure["code"] == code


MATCHING: Json = {
    "origin_org": "SOR-PRAX-1",
    "include_sub": False,
    "data_from": "2027-01-01T00:00:00Z",
    "data_to": "2027-03-01T00:00:00Z",
    "document_id": "N-1",
}


def test_every_part_of_what_must_match() -> None:
    assert read_under({**BLOCK, "what": MATCHING}) == BLOCKED
    misses: list[Json] = [
        {"origin_org": "SOR-PRAX-2"},
        {"data_to": "2027-01-15T00:00:00Z"},
        {"document_id": "N-2"},
    ]
    for miss in misses:
        assert read_under({**BLOCK, "what": {**MATCHING, **miss}}) == OPENED


@pytest.mark.parametrize(
    ("org", "include_sub", "code"),
    [
        ("SOR-HOSP-A1", False, BLOCKED),
        ("SOR-HOSP-A", False, OPENED),
        ("SOR-HOSP-A", True, BLOCKED),
        ("SOR-REG-H", True, BLOCKED),
        ("SOR-REG-H", False, OPENED),
        ("SOR-HOSP-A2", True, OPENED),
        ("SOR-HOSP-B", True, OPENED),
        # who is the reader's unit, never the author's
        ("SOR-PRAX-1", True, OPENED),
    ],
)
def test_an_organisation_is_the_unit_itself_or_with_its_descendants(
    org: str, include_sub: bool, code: str
) -> None:
    who = {"kind": "ORG", "org": org, "include_sub": include_sub}
    assert read_under({**BLOCK, "who": who}, acting_org="SOR-HOSP-A1") == code


def test_descendants_do_not_reach_upwards() -> None:
    who = {"kind": "ORG", "org": "SOR-HOSP-A1", "include_sub": True}
    assert read_under({**BLOCK, "who": who}, acting_org="SOR-HOSP-A") == OPENED


def test_a_person_is_judged_by_the_unit_of_this_login_alone() -> None:
    who = {"kind": "ORG", "org": "SOR-HOSP-A", "include_sub": True}
    assert read_under({**BLOCK, "who": who}, acting_org="SOR-MUN-1N") == OPENED


@pytest.mark.parametrize(
    ("unit", "group", "code"),
    [
        ("SOR-HOSP-A", "GRP-HOSPITALS", BLOCKED),
        ("SOR-HOSP-A2", "GRP-HOSPITALS", BLOCKED),
        ("SOR-HOSP-B1", "GRP-HOSPITALS", BLOCKED),
        ("SOR-REG-H", "GRP-HOSPITALS", OPENED),
        ("SOR-MUN-1N", "GRP-HOSPITALS", OPENED),
        ("SOR-MUN-1N", "GRP-MUNICIPALITIES", BLOCKED),
        ("SOR-PRAX-2", "GRP-MUNICIPALITIES", OPENED),
    ],
)
def test_a_group_is_its_members_and_their_descendants(unit: str, group: str, code: str) -> None:
    who = {"kind": "GROUP", "group": group}
    assert read_under({**BLOCK, "who": who}, acting_org=unit) == code


def test_a_block_on_a_person_holds_for_that_person() -> None:
    block = {**BLOCK, "who": {"kind": "PERSON", "person": "HP-1"}}
    assert read_under(block) == BLOCKED
    assert read_under(block, actor_id="HP-2") == OPENED


def on_person(kind: Json, person: str) -> Json:
    return {**kind, "who": {"kind": "PERSON", "person": person}}


@pytest.mark.parametrize(
    ("registrations", "code"),
    [
        ([on_person(BLOCK, "HP-1")], BLOCKED),
        ([on_person(BLOCK, "AS-3")], BLOCKED),
        # the block of one is not opened by the consent to the other
        ([on_person(BLOCK, "HP-1"), on_person(CONSENT, "AS-3")], BLOCKED),
        ([on_person(BLOCK, "AS-3"), on_person(CONSENT, "HP-1")], BLOCKED),
        ([BLOCK, on_person(CONSENT, "HP-1")], BLOCKED),
        ([BLOCK, on_person(CONSENT, "HP-1"), on_person(CONSENT, "AS-3")], OPENED),
        ([on_person(BLOCK, "AS-3"), CONSENT], OPENED),
        ([on_person(CONSENT, "HP-1")], OPENED),
    ],
)
def test_an_assistant_and_the_responsible_one_must_both_be_free_of_blocks(
    registrations: list[Json], code: str
) -> None:
    assert read_under(*registrations, actor_id="AS-3", on_behalf_of="HP-1") == code


def test_a_consent_without_an_end_is_ignored() -> None:
    endless = {"type": "POSITIVE", "valid_from": "2027-01-05T08:00:00Z"}
    assert read_under(BLOCK, endless) == BLOCKED
    assert read_under(BLOCK, {**endless, "valid_to": None}) == BLOCKED


@pytest.mark.parametrize("end", ["2027-01-05T08:00:00Z", "2027-01-04T08:00:00Z"])
def test_a_registration_that_ends_no_later_than_it_begins_is_ignored(end: str) -> None:
    assert read_under({**BLOCK, "valid_to": end}) == OPENED
    assert read_under(BLOCK, {**CONSENT, "valid_to": end}) == BLOCKED


FIFTEENTH = "2027-01-31T23:00:00Z"  # of one born on 1 February 2012


def parents_block(**more: Any) -> Json:
    return {**BLOCK, "registered_by": "GUARDIAN", **more}


@pytest.mark.parametrize(
    ("registered", "code"),
    [("2027-01-31T22:59:59.999999Z", BLOCKED), (FIFTEENTH, OPENED)],
)
def test_a_block_by_a_guardian_counts_only_if_made_before_the_fifteenth_birthday(
    registered: str, code: str
) -> None:
    block = parents_block(registered_at=registered)
    disclosure = decide(patient={"birth_date": "2012-02-01"}, request=hp(), registrations=[block])
    assert disclosure["code"] == code


def test_a_missing_time_of_registration_is_the_beginning_of_its_validity() -> None:
    patient = {"birth_date": "2012-02-01"}
    late = parents_block(valid_from=FIFTEENTH)
    assert decide(patient=patient, request=hp(), registrations=[late])["code"] == OPENED
    early = parents_block(valid_from="2027-01-31T22:59:59.999999Z")
    assert decide(patient=patient, request=hp(), registrations=[early])["code"] == BLOCKED


def test_a_block_by_a_guardian_made_in_time_may_begin_after_the_birthday() -> None:
    block = parents_block(registered_at="2027-01-20T08:00:00Z", valid_from="2027-02-05T08:00:00Z")
    disclosure = decide(patient={"birth_date": "2012-02-01"}, request=hp(), registrations=[block])
    assert disclosure["code"] == BLOCKED


def test_a_late_block_by_a_guardian_counts_for_a_young_person_with_incapacity() -> None:
    patient = {"birth_date": "2012-02-01", "incapacity_39b": True}
    block = parents_block(registered_at="2027-02-05T08:00:00Z")
    assert decide(patient=patient, request=hp(), registrations=[block])["code"] == BLOCKED


def test_a_late_consent_by_a_guardian_opens_nothing() -> None:
    consent = {**CONSENT, "registered_by": "GUARDIAN", "registered_at": "2027-02-05T08:00:00Z"}
    disclosure = decide(
        patient={"birth_date": "2012-02-01"}, request=hp(), registrations=[BLOCK, consent]
    )
    assert disclosure["code"] == BLOCKED


def test_the_leap_day_child_turns_fifteen_on_the_first_of_march() -> None:
    def code(registered: str) -> str:
        block = parents_block(registered_at=registered)
        disclosure = decide(
            patient={"birth_date": "2012-02-29"},
            request=hp(),
            registrations=[block],
            now="2027-03-10T09:00:00Z",
        )
        answer: str = disclosure["code"]
        return answer

    assert code("2027-02-28T22:59:59.999999Z") == BLOCKED
    assert code("2027-02-28T23:00:00Z") == OPENED


@pytest.mark.parametrize("author", ["CITIZEN", "HP", "SUPPORT_DESK"])
def test_registrations_by_others_count_at_any_age(author: str) -> None:
    block = {**BLOCK, "registered_by": author}
    for born in ("1980-05-17", "2012-02-01", "2018-09-03"):
        disclosure = decide(patient={"birth_date": born}, request=hp(), registrations=[block])
        assert disclosure["code"] == BLOCKED


@pytest.mark.parametrize("door", CITIZENS)
@pytest.mark.parametrize("age", [5, 301, None])
def test_a_block_and_a_silent_consent_service_never_stop_a_citizen(
    door: str, age: int | None
) -> None:
    request = {"sources": {"consent_age_s": age}}
    assert through(door, request=request, registrations=[BLOCK])["code"] == PERMIT_OF[door]


# ----------------------------------------------------------------------------- 6.1, obligations


def test_a_silent_audit_store_carries_no_duty_to_log() -> None:
    assert decide(request=hp(sources={"audit_ok": False}))["obligations"] == []


@pytest.mark.parametrize("door", EVERY_DOOR)
def test_contact_data_are_redacted_for_everyone_when_the_address_is_protected(door: str) -> None:
    assert "REDACT_CONTACT" in through(door, {"address_protected": True})["obligations"]
    assert "REDACT_CONTACT" in through(door, {"address_protected": None})["obligations"]
    assert "REDACT_CONTACT" not in through(door)["obligations"]


def test_contact_data_are_not_redacted_for_the_system_or_in_a_denial() -> None:
    protected = {"address_protected": True}
    system = decide(request={"role": "SYSTEM", "purpose": "ROUTE"}, patient=protected)
    assert outcome(system) == permitted("D-SYSTEM-TECH")
    denial = decide(request=hp(), patient=protected, registrations=[BLOCK])
    assert outcome(denial) == denied("D-CONSENT-NEGATIVE", "NEUTRAL")


@pytest.mark.parametrize("door", CITIZENS)
def test_a_protected_author_is_not_named_to_citizens(door: str) -> None:
    disclosure = through(door, note={"author_name_protected": True})
    assert "REDACT_AUTHOR_NAME" in disclosure["obligations"]


def test_a_protected_author_is_named_to_professionals() -> None:
    disclosure = through("HP", note={"author_name_protected": True})
    assert outcome(disclosure) == permitted("D-OK-TREATMENT", "MINLOG")


def test_a_protected_author_is_no_duty_of_the_system_or_of_a_denial() -> None:
    note = {"author_name_protected": True}
    system = decide(request={"role": "SYSTEM", "purpose": "INDEX"}, note=note)
    assert outcome(system) == permitted("D-SYSTEM-TECH")
    denial = through("SELF", note=note, marks={"third_party_confidential": True})
    assert outcome(denial) == denied("D-WITHHELD")


def test_all_duties_of_a_citizen_permit_come_together() -> None:
    disclosure = through("PROXY", {"address_protected": True}, note={"author_name_protected": True})
    duties = ("MINLOG", "REDACT_AUTHOR_NAME", "REDACT_CONTACT")
    assert outcome(disclosure) == permitted("D-OK-PROXY", *duties)


def test_all_duties_of_break_glass_come_together() -> None:
    disclosure = decide(
        patient={"address_protected": True},
        request=hp(relation="DECLARED", override=VITAL),
        registrations=[BLOCK],
    )
    duties = ("FOLLOW_UP_RELATION", "MINLOG", "NOTIFY_PATIENT", "REDACT_CONTACT")
    assert outcome(disclosure) == permitted("D-OK-BREAK-GLASS", *duties, "REVIEW_MANDATORY")


def break_glass(patient: Json, override: Json = VITAL, **more: Any) -> set[str]:
    """The notice that follows an override of a block in the record of this patient."""
    request = hp(override=override, **more.pop("request", {}))
    disclosure = decide(patient=patient, request=request, registrations=[BLOCK], **more)
    assert disclosure["decision"] == "PERMIT"
    return {duty for duty in disclosure["obligations"] if duty.startswith("NOTIFY")}


PATIENT_TOLD = {"NOTIFY_PATIENT"}
NOTICE_DEFERRED = {"NOTIFY_DEFERRED"}


@pytest.mark.parametrize("override", OVERRIDES, ids=lambda o: o["reason"])
def test_a_guardian_who_would_get_the_note_is_told(override: Json) -> None:
    assert break_glass(CHILD, override) == PATIENT_TOLD


@pytest.mark.parametrize("override", OVERRIDES, ids=lambda o: o["reason"])
def test_the_notice_is_deferred_when_no_guardian_would_get_the_note(override: Json) -> None:
    assert break_glass({**CHILD, "guardians": []}, override) == NOTICE_DEFERRED


@pytest.mark.parametrize(
    "guardian",
    [
        pytest.param({"blocked": True}, id="blocked"),
        pytest.param({"custody_to": "2027-02-10T09:00:00Z"}, id="custody just ended"),
        pytest.param({"custody_from": "2027-02-10T09:00:00.000001Z"}, id="custody not begun"),
    ],
)
def test_a_guardian_who_does_not_pass_the_door_is_not_told(guardian: Json) -> None:
    assert break_glass({**CHILD, "guardians": [{**MOTHER, **guardian}]}) == NOTICE_DEFERRED


def test_a_guardian_at_another_address_is_not_told_about_a_protected_child() -> None:
    elsewhere = {**MOTHER, "same_address": False}
    patient = {**CHILD, "address_protected": True, "guardians": [elsewhere]}
    assert break_glass(patient) == NOTICE_DEFERRED
    assert break_glass({**patient, "guardians": [elsewhere, {**MOTHER, "id": "G-DAD"}]}) == (
        PATIENT_TOLD
    )


def test_one_guardian_who_would_get_the_note_is_enough() -> None:
    blocked = {**MOTHER, "id": "G-DAD", "blocked": True}
    assert break_glass({**CHILD, "guardians": [blocked, MOTHER]}) == PATIENT_TOLD


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param({"hide_from_guardian": True}, id="hidden from guardians"),
        pytest.param({"sensitive": ["REPRO"]}, id="sensitive"),
        pytest.param({"sensitive": ["DV"], "patient_confirmed_feed": True}, id="violence"),
        pytest.param({"sensitive": ["ABUSE"]}, id="abuse, held for safety"),
        pytest.param({"delay_until": "2027-02-11T08:00:00Z"}, id="delayed in the feed"),
        pytest.param({"third_party_confidential": True}, id="out of the feed"),
        pytest.param({"hide_from_patient": {"basis": "OTHER"}}, id="parked"),
    ],
)
def test_guardians_are_not_told_about_a_note_they_would_not_get(marks: Json) -> None:
    assert break_glass(CHILD, marks=marks) == NOTICE_DEFERRED


def test_guardians_are_told_about_a_sensitive_note_the_gp_has_opened_for_them() -> None:
    marks = {"sensitive": ["PSY"], "guardian_ok": True}
    assert break_glass(CHILD, marks=marks) == PATIENT_TOLD


def test_guardians_are_not_told_about_a_note_from_before_the_adoption() -> None:
    assert break_glass({**CHILD, "adoption_date": "2027-02-02"}) == NOTICE_DEFERRED


@pytest.mark.parametrize("age", [None, 86_401])
def test_notices_to_guardians_wait_when_custody_is_unknown(age: int | None) -> None:
    request = {"sources": {"custody_age_s": age}}
    assert break_glass(CHILD, request=request) == NOTICE_DEFERRED


@pytest.mark.parametrize(
    "marks",
    [{}, {"hide_from_guardian": True}, {"sensitive": ["DV"]}, {"third_party_confidential": True}],
)
def test_a_patient_of_fifteen_or_more_is_always_told(marks: Json) -> None:
    for born in ("2012-02-10", "2011-01-01", "1980-05-17"):
        patient: Json = {"birth_date": born, "guardians": []}
        assert break_glass(patient, marks=marks) == PATIENT_TOLD


def test_a_young_person_with_incapacity_is_told_as_one_of_fifteen() -> None:
    patient = {**TEENAGER, "guardians": [], "incapacity_39b": True}
    assert break_glass(patient) == PATIENT_TOLD


def test_the_notice_passes_to_the_young_person_at_midnight_of_the_birthday() -> None:
    patient = {"birth_date": "2012-02-10", "guardians": []}
    assert break_glass(patient, now="2027-02-09T22:59:59.999999Z") == NOTICE_DEFERRED
    assert break_glass(patient, now="2027-02-09T23:00:00Z") == PATIENT_TOLD


@pytest.mark.parametrize("door", EVERY_DOOR)
def test_no_notice_follows_an_ordinary_read(door: str) -> None:
    duties = through(door)["obligations"]
    assert not [duty for duty in duties if duty.startswith(("NOTIFY", "REVIEW"))]


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"role": "HP", "relation": "NONE"}, id="gate B, professional"),
        pytest.param({"role": "GUARDIAN", "actor_id": "G-DAD"}, id="gate B, guardian"),
        pytest.param({"role": "POLICE"}, id="gate A"),
    ],
)
def test_a_denial_before_the_note_is_not_neutral(request_: Json) -> None:
    assert outcome(decide(request=request_))[2] == ["LOG"]


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
