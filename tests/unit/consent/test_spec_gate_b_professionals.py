"""Disclosure, read off the specification row by row: gate B for professionals (section 6)."""

import pytest

from tests.unit.consent.spec_disclosure import (
    BLOCK,
    CONSENT,
    CONSENT_NOW,
    OVERRIDES,
    PUBLIC,
    VITAL,
    Json,
    decide,
    denied,
    hp,
    outcome,
    permitted,
)


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
