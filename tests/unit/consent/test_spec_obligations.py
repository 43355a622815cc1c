"""Disclosure, read off the specification: what an answer obliges to (section 6.1)."""

from typing import Any

import pytest

from tests.unit.consent.spec_disclosure import (
    BLOCK,
    CHILD,
    CITIZENS,
    EVERY_DOOR,
    MOTHER,
    OVERRIDES,
    TEENAGER,
    VITAL,
    Json,
    decide,
    denied,
    hp,
    outcome,
    permitted,
    through,
)


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
