"""Disclosure, read off the specification: death and publication, gates C and D (section 6)."""

import pytest

from tests.unit.consent.spec_disclosure import (
    BLOCK,
    CITIZENS,
    CONSENT,
    EVERY_DOOR,
    OVERRIDES,
    PERMIT_OF,
    Json,
    decide,
    denied,
    hp,
    outcome,
    through,
)

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
