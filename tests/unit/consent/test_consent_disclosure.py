"""The gates of disclosure, row by row, with their obligations and boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from consent.config import RuleConfig
from consent.disclosure import decide_dds_door, decide_disclosure
from consent.gates import GATE_A, GATE_B, GATE_E, GATE_F
from consent.model import (
    DisclosureDecision,
    Guardian,
    HideFromPatient,
    NoteFacts,
    Override,
    Patient,
    Registration,
    Request,
)
from consent.texts import FOR_CITIZENS, FOR_PROFESSIONALS
from tests.unit.consent.consent_builders import (
    NOTE,
    NOW,
    TREE,
    at,
    block,
    child,
    consent,
    mandate,
    note,
    patient,
    request,
)

TICK = timedelta(microseconds=1)
VITAL = Override("VITAL_INTEREST", "Unconscious, history needed")
PUBLIC = Override("PUBLIC_INTEREST", "Danger to others, history needed")
AGREED = Override("PATIENT_CONSENT_NOW", "Patient present, oral consent recorded")
DV = frozenset({"DV"})
REPRO = frozenset({"REPRO"})
ELDER = patient(birth_date=date(1948, 10, 10), proxies=(mandate("X-1", "JOURNAL_NOTES"),))
WARD = patient(legal_reps=(mandate("L-1", "PERSONAL"),))


def decide(
    who: Patient,
    asked: Request,
    what: NoteFacts = NOTE,
    registrations: Sequence[Registration] | None = (),
    now: datetime = NOW,
    config: RuleConfig | None = None,
) -> DisclosureDecision:
    return decide_disclosure(who, what, registrations, asked, TREE, now, config or RuleConfig())


def _duties(decision: DisclosureDecision) -> set[str]:
    return {duty.value for duty in decision.obligations}


def check(decision: DisclosureDecision, code: str, *duties: str, detail: str | None = None) -> None:
    expected = "PERMIT" if code.startswith(("D-OK-", "D-SYSTEM")) else "DENY"
    assert (decision.decision, decision.code, decision.detail) == (expected, code, detail)
    assert _duties(decision) == set(duties)
    assert decision.is_permitted is (expected == "PERMIT")


# --- gate A ----------

GATE_A_CASES: list[tuple[dict[str, Any], str, set[str]]] = [
    ({"audit_ok": False}, "D-AUDIT-UNAVAILABLE", set()),
    ({"audit_ok": None}, "D-AUDIT-UNAVAILABLE", set()),
    ({"audit_ok": False, "role": "SELF"}, "D-AUDIT-UNAVAILABLE", set()),
    ({"auth_level": "LOW"}, "D-AUTH-LEVEL", {"LOG"}),
    ({"auth_level": None}, "D-AUTH-LEVEL", {"LOG"}),
    ({"auth_level": "substantial"}, "D-AUTH-LEVEL", {"LOG"}),
    ({"role": "RESEARCHER", "auth_level": "LOW"}, "D-AUTH-LEVEL", {"LOG"}),
    ({"role": "RESEARCHER"}, "D-RESEARCH-NEVER", {"LOG", "ALERT"}),
    ({"role": "ADMIN"}, "D-ADMIN-NO-CONTENT", {"LOG", "ALERT"}),
    ({"role": "COMPLIANCE"}, "D-COMPLIANCE-METADATA-ONLY", {"LOG"}),
    ({"role": "SYSTEM", "purpose": "ROUTE"}, "D-SYSTEM-TECH", {"LOG"}),
    ({"role": "SYSTEM", "purpose": "INDEX"}, "D-SYSTEM-TECH", {"LOG"}),
    ({"role": "SYSTEM", "purpose": "INTEGRITY"}, "D-SYSTEM-TECH", {"LOG"}),
    ({"role": "SYSTEM", "purpose": "PURGE"}, "D-SYSTEM-TECH", {"LOG"}),
    ({"role": "SYSTEM"}, "D-ADMIN-NO-CONTENT", {"LOG", "ALERT"}),
    ({"role": "SYSTEM", "purpose": None}, "D-ADMIN-NO-CONTENT", {"LOG", "ALERT"}),
    ({"role": "POLICE"}, "D-ROLE-NOT-ALLOWED", {"LOG"}),
    ({"role": "self"}, "D-ROLE-NOT-ALLOWED", {"LOG"}),
    ({"role": None}, "D-ROLE-NOT-ALLOWED", {"LOG"}),
]


@pytest.mark.parametrize(("changes", "code", "duties"), GATE_A_CASES)
def test_gate_a(changes: dict[str, Any], code: str, duties: set[str]) -> None:
    changes = dict(changes)
    asked = request(changes.pop("role", "HP"), **changes)
    check(decide(patient(), asked), code, *duties)


def test_a_clock_without_offset_closes_everything() -> None:
    found = decide(patient(), request("SELF"), now=datetime(2027, 2, 10))
    check(found, "D-AUDIT-UNAVAILABLE")


def test_high_is_enough_as_well() -> None:
    check(decide(patient(), request("SELF", auth_level="HIGH")), "D-OK-SELF", "LOG")


# --- gate B: the patient ----------


def test_somebody_else_is_not_the_patient() -> None:
    check(decide(patient(), request("SELF", actor_id="P-02")), "D-NOT-SELF", "LOG")
    check(decide(patient(), request("SELF", actor_id=None)), "D-NOT-SELF", "LOG")
    check(decide(patient(id=None), request("SELF", actor_id=None)), "D-NOT-SELF", "LOG")


@pytest.mark.parametrize(
    ("born", "birthday"),
    [
        (date(2012, 2, 10), "2027-02-09T23:00:00Z"),
        (date(2012, 7, 10), "2027-07-09T22:00:00Z"),
        (date(2012, 2, 29), "2027-02-28T23:00:00Z"),
    ],
)
def test_access_moves_from_parent_to_child_at_local_midnight(born: date, birthday: str) -> None:
    who, old = child(born), NOTE
    after = at(birthday)
    before = after - TICK
    asked_by_child, asked_by_parent = request("SELF"), request("GUARDIAN")
    check(decide(who, asked_by_child, old, now=before), "D-SELF-UNDER-15", "LOG")
    check(decide(who, asked_by_parent, old, now=before), "D-OK-GUARDIAN", "LOG", "MINLOG")
    check(decide(who, asked_by_child, old, now=after), "D-OK-SELF", "LOG")
    check(decide(who, asked_by_parent, old, now=after), "D-GUARDIAN-15-PLUS", "LOG")


def test_an_unknown_age_closes_both_doors() -> None:
    unknown = replace(child(), birth_date=None)
    check(decide(unknown, request("SELF")), "D-SELF-UNDER-15", "LOG")
    check(decide(unknown, request("GUARDIAN")), "D-GUARDIAN-15-PLUS", "LOG")
    unable = replace(unknown, incapacity_39b=True)
    check(decide(unable, request("GUARDIAN")), "D-GUARDIAN-15-PLUS", "LOG")


# --- gate B: custody holders ----------


@pytest.mark.parametrize("age", [None, 86_400.001, 86_401, -1, float("nan"), float("inf")])
def test_an_old_or_missing_custody_answer_closes(age: float | None) -> None:
    asked = request("GUARDIAN", custody_age_s=age)
    check(decide(child(), asked), "D-RELATION-UNAVAILABLE", "LOG")


@pytest.mark.parametrize("age", [0, 86_400])
def test_a_custody_answer_of_a_day_is_good(age: int) -> None:
    check(decide(child(), request("GUARDIAN", custody_age_s=age)), "D-OK-GUARDIAN", "LOG", "MINLOG")


def test_custody_is_half_open_and_must_be_known() -> None:
    for start, end, ok in (
        (NOW, None, True),
        (NOW + TICK, None, False),
        (None, None, False),
        (at("2020-01-01T00:00:00Z"), NOW, False),
        (at("2020-01-01T00:00:00Z"), NOW + TICK, True),
        (datetime(2020, 1, 1), None, False),
    ):
        who = child(guardians=(Guardian("G-MOM", start, end, False, True),))
        code = "D-OK-GUARDIAN" if ok else "D-NO-CUSTODY"
        assert decide(who, request("GUARDIAN")).code == code


def test_a_parent_without_custody_gets_nothing() -> None:
    check(decide(child(), request("GUARDIAN", actor_id="G-DAD")), "D-NO-CUSTODY", "LOG")
    check(decide(child(), request("GUARDIAN", actor_id=None)), "D-NO-CUSTODY", "LOG")


def test_custody_ends_at_18_also_with_incapacity() -> None:
    who = child(date(2009, 2, 10), incapacity_39b=True)
    eve = at("2027-02-09T22:59:59.999999Z")
    check(decide(who, request("GUARDIAN"), now=eve), "D-OK-GUARDIAN", "LOG", "MINLOG")
    check(decide(who, request("GUARDIAN"), now=eve + TICK), "D-NO-CUSTODY", "LOG")


def test_a_blocked_custody_holder() -> None:
    for blocked in (True, None):
        who = child(guardians=(Guardian("G-MOM", at("2020-01-01T00:00:00Z"), None, blocked, True),))
        check(decide(who, request("GUARDIAN")), "D-GUARDIAN-BLOCKED", "LOG")


@pytest.mark.parametrize("is_protected", [True, None])
def test_a_protected_address_shuts_out_who_lives_elsewhere(is_protected: bool | None) -> None:
    at_home = child(address_protected=is_protected)
    check(decide(at_home, request("GUARDIAN")), "D-OK-GUARDIAN", "LOG", "MINLOG", "REDACT_CONTACT")
    for same_address in (False, None):
        holder = Guardian("G-MOM", at("2020-01-01T00:00:00Z"), None, False, same_address)
        elsewhere = child(address_protected=is_protected, guardians=(holder,))
        check(decide(elsewhere, request("GUARDIAN")), "D-GUARDIAN-ADDRESS-PROTECTED", "LOG")


def test_overlapping_custody_records_are_read_in_the_strict_sense() -> None:
    since = at("2020-01-01T00:00:00Z")
    who = child(
        guardians=(
            Guardian("G-MOM", since, None, False, True),
            Guardian("G-MOM", since, None, True, True),
        )
    )
    assert decide(who, request("GUARDIAN")).code == "D-GUARDIAN-BLOCKED"


def test_the_switch_for_custody_holders_needs_no_custody_answer() -> None:
    off = RuleConfig(guardian_access=False)
    asked = request("GUARDIAN", custody_age_s=None)
    check(decide(child(), asked, config=off), "D-NO-CUSTODY", "LOG")
    assert decide(child(), request("SELF", actor_id="P-01"), config=off).code == "D-SELF-UNDER-15"


# --- gate B: mandates ----------


@pytest.mark.parametrize(
    ("role", "who", "ok", "bad"),
    [
        ("PROXY", ELDER, "D-OK-PROXY", "D-PROXY-INVALID"),
        ("LEGAL_REP", WARD, "D-OK-REP", "D-REP-INVALID"),
    ],
)
def test_mandates(role: str, who: Patient, ok: str, bad: str) -> None:
    scope = "JOURNAL_NOTES" if role == "PROXY" else "PERSONAL"
    holder = request(role).actor_id or ""
    check(decide(who, request(role)), ok, "LOG", "MINLOG")
    check(decide(who, request(role, proxy_age_s=3_600)), ok, "LOG", "MINLOG")
    for age in (None, 3_600.001):
        check(decide(who, request(role, proxy_age_s=age)), "D-RELATION-UNAVAILABLE", "LOG")
    wrong = (
        mandate(holder, "OTHER"),
        mandate("someone", scope),
        mandate(holder, scope, valid_from=NOW + TICK),
        mandate(holder, scope, valid_from=None),
        mandate(holder, scope, valid_to=NOW),
        mandate(holder, scope, revoked_at=NOW),
        mandate(holder, scope, revoked_at=datetime(2099, 1, 1)),
    )
    for given in wrong:
        changed = replace(who, proxies=(given,), legal_reps=(given,))
        check(decide(changed, request(role)), bad, "LOG")
    in_force = mandate(holder, scope, valid_from=NOW, valid_to=NOW + TICK, revoked_at=NOW + TICK)
    changed = replace(who, proxies=(in_force,), legal_reps=(in_force,))
    check(decide(changed, request(role)), ok, "LOG", "MINLOG")
    check(decide(replace(who, birth_date=None), request(role)), bad, "LOG")


def test_a_proxy_needs_a_patient_of_15_and_a_representative_one_of_18() -> None:
    for role, who, years, bad in (
        ("PROXY", ELDER, 15, "D-PROXY-INVALID"),
        ("LEGAL_REP", WARD, 18, "D-REP-INVALID"),
    ):
        young = replace(who, birth_date=date(2027 - years, 2, 10))
        birthday = at("2027-02-09T23:00:00Z")
        assert decide(young, request(role), now=birthday - TICK).code == bad
        assert decide(young, request(role), now=birthday).is_permitted


# --- gate B: professionals ----------

GATE_B_HP: list[tuple[dict[str, Any], str, set[str]]] = [
    ({"actor_id": "P-01"}, "D-HP-OWN-RECORD", {"LOG", "ALERT"}),
    ({"on_behalf_of": "P-01"}, "D-HP-OWN-RECORD", {"LOG", "ALERT"}),
    ({"authorised": False}, "D-NO-AUTHORISATION", {"LOG", "ALERT"}),
    ({"authorised": None}, "D-NO-AUTHORISATION", {"LOG", "ALERT"}),
    ({"actor_id": None}, "D-NO-AUTHORISATION", {"LOG", "ALERT"}),
    ({"on_behalf_of": ""}, "D-NO-AUTHORISATION", {"LOG", "ALERT"}),
    ({"profession": "PODIATRIST"}, "D-PROFESSION", {"LOG"}),
    ({"profession": None}, "D-PROFESSION", {"LOG"}),
    ({"purpose": "QUALITY"}, "D-PURPOSE", {"LOG"}),
    ({"purpose": None}, "D-PURPOSE", {"LOG"}),
    ({"override": VITAL, "on_behalf_of": "HP-9"}, "D-BG-ROLE", {"LOG", "ALERT"}),
    ({"override": Override("CURIOSITY", "Long enough a text")}, "D-BG-REASON", {"LOG"}),
    ({"override": Override(None, "Long enough a text")}, "D-BG-REASON", {"LOG"}),
    ({"override": Override("VITAL_INTEREST", None)}, "D-BG-REASON", {"LOG"}),
    ({"override": Override("VITAL_INTEREST", "  fourteen chars  ")}, "D-BG-REASON", {"LOG"}),
    ({"relation": "NONE"}, "D-NO-RELATION", {"LOG"}),
    ({"relation": None}, "D-NO-RELATION", {"LOG"}),
    ({"relation": "PERHAPS"}, "D-NO-RELATION", {"LOG"}),
    ({"relation": "NONE", "override": AGREED}, "D-NO-RELATION", {"LOG"}),
]


@pytest.mark.parametrize(("changes", "code", "duties"), GATE_B_HP)
def test_gate_b_for_professionals(changes: dict[str, Any], code: str, duties: set[str]) -> None:
    check(decide(patient(), request(**changes)), code, *duties)


def test_fifteen_characters_are_a_reason() -> None:
    reason = Override("VITAL_INTEREST", "  fifteen chars !  ")
    assert len(reason.text.strip() if reason.text else "") == 15
    found = decide(patient(), request(override=reason), registrations=(block(),))
    assert found.code == "D-OK-BREAK-GLASS"


@pytest.mark.parametrize("profession", ["DOCTOR", "NURSE", "MIDWIFE", "DENTIST", "PARAMEDIC"])
def test_the_five_professions(profession: str) -> None:
    check(decide(patient(), request(profession=profession)), "D-OK-TREATMENT", "LOG", "MINLOG")


# --- gates C and D ----------


@pytest.mark.parametrize(
    ("role", "who"),
    [
        ("SELF", patient()),
        ("GUARDIAN", child()),
        ("PROXY", ELDER),
        ("LEGAL_REP", WARD),
        ("HP", patient()),
    ],
)
def test_death_closes_the_record_from_the_next_local_day(role: str, who: Patient) -> None:
    dead = replace(who, death_date=date(2027, 2, 9))
    assert decide(dead, request(role), now=at("2027-02-09T22:59:59.999999Z")).is_permitted
    check(decide(dead, request(role), now=at("2027-02-09T23:00:00Z")), "D-DECEASED", "LOG")


@pytest.mark.parametrize("reason", [VITAL, PUBLIC, AGREED])
def test_no_override_reaches_the_dead_or_the_unpublished(reason: Override) -> None:
    asked = request(override=reason)
    dead = patient(death_date=date(2027, 2, 8))
    check(decide(dead, asked), "D-DECEASED", "LOG")
    for changes in (
        {"do_not_share": True},
        {"status": "withdrawn"},
        {"hide_from_professionals": True},
    ):
        assert decide(patient(), asked, note(**changes)).code == "D-NOT-AVAILABLE"


@pytest.mark.parametrize(
    ("changes", "citizen", "detail"),
    [
        ({"status": "draft"}, "D-HELD", "P-HOLD-DRAFT"),
        ({"hide_from_patient": HideFromPatient("X")}, "D-HELD", "P-HOLD-BASIS-MISSING"),
        ({"third_party_confidential": True}, "D-WITHHELD", "P-WITHHELD-THIRD-PARTY"),
        ({"status": "withdrawn"}, "D-REMOVED", "P-REMOVED-WITHDRAWN"),
        ({"author_org": None}, "D-NOT-AVAILABLE", "P-REJ-INVALID"),
    ],
)
def test_gate_d_for_citizens(changes: dict[str, Any], citizen: str, detail: str) -> None:
    what = note(**changes)
    check(decide(patient(), request("SELF"), what), citizen, "LOG", detail=detail)
    for role, who in (("GUARDIAN", child()), ("PROXY", ELDER), ("LEGAL_REP", WARD)):
        check(decide(who, request(role), what), citizen, "LOG", "NEUTRAL", detail=detail)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"status": "draft"}, "P-HOLD-DRAFT"),
        ({"hide_from_professionals": True}, "P-WITHHELD-FROM-PROFESSIONALS"),
        ({"status": "withdrawn"}, "P-REMOVED-WITHDRAWN"),
        ({"author_org": None}, "P-REJ-INVALID"),
    ],
)
def test_gate_d_for_professionals_says_one_thing_only(changes: dict[str, Any], detail: str) -> None:
    found = decide(patient(), request(), note(**changes))
    check(found, "D-NOT-AVAILABLE", "LOG", "NEUTRAL", detail=detail)


# --- gate E ----------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"hide_from_guardian": True}, "D-GUARDIAN-HIDDEN-NOTE"),
        ({"hide_from_guardian": None}, "D-GUARDIAN-HIDDEN-NOTE"),
        ({"sensitive": REPRO}, "D-GUARDIAN-SENSITIVE"),
        ({"sensitive": frozenset({"PSY", "GENE"})}, "D-GUARDIAN-SENSITIVE"),
        ({"sensitive": frozenset({"HIV"})}, "D-GUARDIAN-SENSITIVE"),
        ({"sensitive": frozenset({"SUBST"})}, "D-GUARDIAN-SENSITIVE"),
        ({"sensitive": REPRO, "guardian_ok": None}, "D-GUARDIAN-SENSITIVE"),
        (
            {"sensitive": DV, "guardian_ok": True, "patient_confirmed_feed": True},
            "D-GUARDIAN-SENSITIVE",
        ),
        (
            {"sensitive": frozenset({"ODD"}), "guardian_ok": True, "patient_confirmed_feed": True},
            "D-GUARDIAN-SENSITIVE",
        ),
    ],
)
def test_what_is_kept_from_custody_holders(changes: dict[str, Any], code: str) -> None:
    check(decide(child(), request("GUARDIAN"), note(**changes)), code, "LOG", "NEUTRAL")


def test_the_practice_can_lift_the_filter_and_genetics_has_none() -> None:
    for changes in ({"sensitive": REPRO, "guardian_ok": True}, {"sensitive": frozenset({"GENE"})}):
        check(
            decide(child(), request("GUARDIAN"), note(**changes)), "D-OK-GUARDIAN", "LOG", "MINLOG"
        )


def test_notes_from_before_an_adoption() -> None:
    created = NOTE.created_at
    assert created is not None
    for adopted, code in (
        (date(2027, 2, 2), "D-GUARDIAN-PRE-ADOPTION"),
        (date(2027, 2, 1), "D-OK-GUARDIAN"),
    ):
        who = child(adoption_date=adopted)
        assert decide(who, request("GUARDIAN"), NOTE).code == code
    check(
        decide(child(adoption_date=date(2027, 2, 2)), request("GUARDIAN")),
        "D-GUARDIAN-PRE-ADOPTION",
        "LOG",
        "NEUTRAL",
    )


def test_what_is_kept_from_proxies_and_representatives() -> None:
    violent = note(sensitive=DV, patient_confirmed_feed=True)
    hidden = note(hide_from_guardian=True)
    check(decide(ELDER, request("PROXY"), violent), "D-PROXY-SENSITIVE", "LOG", "NEUTRAL")
    check(decide(ELDER, request("PROXY"), hidden), "D-OK-PROXY", "LOG", "MINLOG")
    check(decide(WARD, request("LEGAL_REP"), violent), "D-REP-SENSITIVE", "LOG", "NEUTRAL")
    for what in (hidden, note(hide_from_guardian=None)):
        check(decide(WARD, request("LEGAL_REP"), what), "D-REP-HIDDEN-NOTE", "LOG", "NEUTRAL")
    check(decide(patient(), request("SELF"), violent), "D-OK-SELF", "LOG")


# --- gate F ----------

POSITIVE = (block(), consent())
NEGATIVE = (block(),)


@pytest.mark.parametrize("relation", ["CONFIRMED", "DECLARED", "NONE"])
@pytest.mark.parametrize("state", ["UNAVAILABLE", "NEGATIVE", "POSITIVE", "NONE"])
@pytest.mark.parametrize("override", [None, VITAL, PUBLIC, AGREED])
def test_gate_f_whole(relation: str, state: str, override: Override | None) -> None:
    registrations = {"NEGATIVE": NEGATIVE, "POSITIVE": POSITIVE, "NONE": (), "UNAVAILABLE": None}
    asked = request(relation=relation, override=override)
    found = decide(patient(), asked, registrations=registrations[state])
    closed = state in ("UNAVAILABLE", "NEGATIVE")
    if relation == "NONE" and override in (None, AGREED):
        code = "D-NO-RELATION"
    elif closed and override is None:
        code = f"D-CONSENT-{state}"
    elif closed or relation == "NONE":
        code = "D-OK-CONSENT-NOW" if override is AGREED else "D-OK-BREAK-GLASS"
    else:
        code = "D-OK-TREATMENT-FOLLOWUP" if relation == "DECLARED" else "D-OK-TREATMENT"
    duties = {"LOG"}
    if code.startswith("D-CONSENT"):
        duties.add("NEUTRAL")
    if found.is_permitted:
        duties.add("MINLOG")
        if relation == "DECLARED":
            duties.add("FOLLOW_UP_RELATION")
    if code == "D-OK-CONSENT-NOW":
        duties |= {"NOTIFY_PATIENT", "REVIEW_SAMPLE"}
    if code == "D-OK-BREAK-GLASS":
        duties |= {"NOTIFY_PATIENT", "REVIEW_MANDATORY"}
    check(found, code, *duties)


@pytest.mark.parametrize(
    ("age", "is_open"), [(0, True), (300, True), (300.001, False), (None, False), (-1, False)]
)
def test_the_answer_about_registrations_lasts_300_seconds(age: float | None, is_open: bool) -> None:
    found = decide(patient(), request(consent_age_s=age))
    assert found.code == ("D-OK-TREATMENT" if is_open else "D-CONSENT-UNAVAILABLE")


def test_matched_registrations_are_named_for_the_log() -> None:
    assert decide(patient(), request(), registrations=POSITIVE).registrations == ("r-neg", "r-pos")
    assert decide(patient(), request("SELF"), registrations=NEGATIVE).registrations == ()


@pytest.mark.parametrize("role", ["SELF", "GUARDIAN", "PROXY", "LEGAL_REP"])
def test_registrations_never_touch_citizens(role: str) -> None:
    who = {"SELF": patient(), "GUARDIAN": child(), "PROXY": ELDER, "LEGAL_REP": WARD}[role]
    asked = request(role, consent_age_s=None)
    for registrations in (None, NEGATIVE, POSITIVE):
        assert decide(who, asked, registrations=registrations).is_permitted


# --- obligations ----------


def test_names_and_addresses_are_redacted() -> None:
    hidden = note(author_name_protected=True)
    protected = patient(address_protected=True)
    check(decide(protected, request("SELF")), "D-OK-SELF", "LOG", "REDACT_CONTACT")
    check(decide(protected, request()), "D-OK-TREATMENT", "LOG", "MINLOG", "REDACT_CONTACT")
    check(decide(patient(), request("SELF"), hidden), "D-OK-SELF", "LOG", "REDACT_AUTHOR_NAME")
    check(decide(patient(), request(), hidden), "D-OK-TREATMENT", "LOG", "MINLOG")
    technical = request("SYSTEM", purpose="ROUTE")
    check(decide(protected, technical, hidden), "D-SYSTEM-TECH", "LOG")


def _notice(who: Patient, what: NoteFacts = NOTE, **changes: Any) -> str:
    found = decide(who, request(override=VITAL, **changes), what, NEGATIVE)
    (notice,) = {duty for duty in _duties(found) if duty.startswith("NOTIFY")}
    assert found.code == "D-OK-BREAK-GLASS"
    return notice


def test_a_notice_about_a_child_goes_to_parents_only_if_they_may_read_the_note() -> None:
    assert _notice(child()) == "NOTIFY_PATIENT"
    assert _notice(child(), note(sensitive=REPRO)) == "NOTIFY_DEFERRED"
    assert _notice(child(), note(hide_from_guardian=True)) == "NOTIFY_DEFERRED"
    assert _notice(child(), note(third_party_confidential=True)) == "NOTIFY_DEFERRED"
    assert _notice(child(), custody_age_s=None) == "NOTIFY_DEFERRED"
    assert _notice(child(guardians=())) == "NOTIFY_DEFERRED"
    assert _notice(child(birth_date=date(2012, 2, 10))) == "NOTIFY_PATIENT"
    assert _notice(replace(child(), birth_date=None)) == "NOTIFY_DEFERRED"
    shut_out = Guardian("G-DAD", at("2020-01-01T00:00:00Z"), None, True, True)
    assert _notice(child(guardians=(shut_out,))) == "NOTIFY_DEFERRED"
    assert _notice(child(guardians=(shut_out, *child().guardians))) == "NOTIFY_PATIENT"


# --- the door for the document sharing service ----------


def test_the_dds_door_permits_without_asking_again() -> None:
    asked = request(
        authorised=None, relation=None, auth_level=None, purpose=None, consent_age_s=None
    )
    check(decide_dds_door(patient(), NOTE, asked, NOW), "D-OK-TREATMENT", "LOG")
    check(decide_dds_door(patient(), NOTE, request("SELF"), NOW), "D-OK-SELF", "LOG")
    check(decide_dds_door(child(), NOTE, request("GUARDIAN"), NOW), "D-OK-GUARDIAN", "LOG")
    check(decide_dds_door(ELDER, NOTE, request("PROXY"), NOW), "D-OK-PROXY", "LOG")
    check(decide_dds_door(WARD, NOTE, request("LEGAL_REP"), NOW), "D-OK-REP", "LOG")


def test_the_dds_door_refuses_as_if_unknown() -> None:
    def door(who: Patient, what: NoteFacts, role: str = "HP", **changes: Any) -> DisclosureDecision:
        return decide_dds_door(who, what, request(role, **changes), NOW)

    check(door(patient(), NOTE, audit_ok=False), "D-AUDIT-UNAVAILABLE")
    check(door(patient(), NOTE, "SYSTEM", purpose="ROUTE"), "D-ROLE-NOT-ALLOWED", "LOG", "NEUTRAL")
    check(door(patient(death_date=date(2027, 2, 9)), NOTE), "D-DECEASED", "LOG", "NEUTRAL")
    check(
        door(patient(), note(hide_from_guardian=True)),
        "D-NOT-AVAILABLE",
        "LOG",
        "NEUTRAL",
        detail="P-WITHHELD-NATIONAL",
    )
    check(
        door(patient(), note(delay_until=at("2027-02-20T08:00:00Z"))),
        "D-NOT-AVAILABLE",
        "LOG",
        "NEUTRAL",
        detail="P-HOLD-NATIONAL",
    )
    check(
        door(patient(), note(delay_until=at("2027-02-20T08:00:00Z")), "SELF"),
        "D-HELD",
        "LOG",
        "NEUTRAL",
        detail="P-HOLD-DELAYED",
    )
    check(
        door(child(adoption_date=date(2027, 2, 5)), NOTE, "GUARDIAN"),
        "D-GUARDIAN-PRE-ADOPTION",
        "LOG",
        "NEUTRAL",
    )


# --- the catalogue ----------


def test_no_two_rows_of_a_gate_are_the_same_and_each_gate_ends_in_an_answer() -> None:
    for rows in (GATE_A, *GATE_B.values(), *GATE_E.values(), GATE_F):
        assert len({(row.code, row.when) for row in rows}) == len(rows)
    for rows in GATE_E.values():
        assert rows[-1].decision == "PERMIT"


def test_every_code_with_a_text_is_a_code_of_a_row() -> None:
    known = {
        row.code for rows in (GATE_A, *GATE_B.values(), *GATE_E.values(), GATE_F) for row in rows
    }
    known |= {"D-DECEASED", "D-HELD", "D-WITHHELD", "D-REMOVED", "D-NOT-AVAILABLE"}
    texts = {code for code in (*FOR_CITIZENS, *FOR_PROFESSIONALS) if code.startswith("D-")}
    assert texts <= known
    assert known - texts == {
        "D-OK-SELF",
        "D-OK-TREATMENT",
        "D-SYSTEM-TECH",
        "D-HELD",
        "D-REMOVED",
        "D-GUARDIAN-HIDDEN-NOTE",
        "D-GUARDIAN-SENSITIVE",
        "D-GUARDIAN-PRE-ADOPTION",
        "D-PROXY-SENSITIVE",
        "D-REP-HIDDEN-NOTE",
        "D-REP-SENSITIVE",
    }
