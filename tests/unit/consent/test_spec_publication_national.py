"""Publication, read off the specification: the third place, and its limits (5.4, 5.5)."""

import pytest

from consent.cases import decide_case
from tests.unit.consent.spec_publication import (
    BOTH,
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
    national,
    successor,
    times,
)

# --------------------------------------------------------------------------- 5.4, the third place


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
