"""The cast is what design 3.5 promises, on the day the demo starts."""

from __future__ import annotations

import re
from datetime import date

import pytest

from test_doubles.personas import Persona, Personas

DEMO_DAY = date(2026, 12, 14)
DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
PERSONS = [p for p in Personas() if p.cpr is not None]
IDS = (
    "practice-1 practice-2 patient-1 patient-2 patient-3 teen-14 teen-16 child-9 parent-1 "
    "parent-2 parent-3 proxy-1 ward-1 legalrep-1 doctor-1 doctor-2 doctor-3 nurse-1 secretary-1 "
    "compliance-1 compliance-2 operator-1 operator-2"
)


def century_of(cpr: str) -> int:
    """Century by the seventh digit and the year. Source: the CPR office's table."""
    seventh, year = int(cpr[6]), int(cpr[4:6])
    if seventh <= 3:
        return 1900
    if seventh in (4, 9):
        return 2000 if year <= 36 else 1900
    return 2000 if year <= 57 else 1800


def age_on(day: date, born: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def test_all_the_personas_are_there_in_order() -> None:
    assert [p.persona_id for p in Personas()] == IDS.split()


@pytest.mark.parametrize("persona", PERSONS, ids=lambda p: p.persona_id)
def test_a_number_fits_its_person(persona: Persona) -> None:
    cpr, born = persona.cpr, persona.birth_date
    assert cpr is not None
    assert born is not None
    assert re.fullmatch(r"\d{10}", cpr)
    assert 1 <= int(cpr[:2]) <= DAYS_IN_MONTH[int(cpr[2:4]) - 1]
    assert date(century_of(cpr) + int(cpr[4:6]), int(cpr[2:4]), int(cpr[:2])) == born
    assert persona.gender == ("male" if int(cpr[9]) % 2 else "female")
    assert cpr[6:9] == "999"


def test_no_number_is_used_twice() -> None:
    for member in ("cpr", "authorization_id"):
        values = [v for p in Personas() if (v := getattr(p, member)) is not None]
        assert len(values) == len(set(values))


def test_the_young_have_the_ages_of_their_names() -> None:
    cast = Personas()
    ages = {}
    for persona_id in ("teen-14", "teen-16", "child-9"):
        born = cast.get(persona_id).birth_date
        assert born is not None
        ages[persona_id] = age_on(DEMO_DAY, born)
    assert ages == {"teen-14": 14, "teen-16": 16, "child-9": 9}
    teen = cast.get("teen-14").birth_date
    assert teen is not None
    assert age_on(date(2026, 12, 15), teen) == 15


def test_the_fixed_persona_is_as_the_contract_says() -> None:
    niels = Personas().get("patient-1").as_json()
    assert niels["cpr"] == "3001749995"
    assert niels["birth_date"] == "1974-01-30"
    assert (niels["given"], niels["family"]) == (["Niels", "Test"], "Vendelboe")
    practice = Personas().get("practice-1").as_json()
    assert practice["sor"] == "61741000016007"
    assert practice["provider_number"] == "077410"
    assert practice["cpr"] is None


def test_organizations_have_sor_codes_of_eleven_digits_or_more() -> None:
    units = {p.organization for p in Personas() if p.organization}
    assert len(units) == 4
    assert all(re.fullmatch(r"\d{11,}", unit.sor) for unit in units)
    assert len({unit.sor for unit in units}) == 4


def test_the_secretary_acts_for_the_first_doctor_in_the_same_house() -> None:
    cast = Personas()
    assert cast.get("secretary-1").on_behalf_of == "doctor-1"
    assert cast.get("secretary-1").organization == cast.get("doctor-1").organization
    assert cast.get("doctor-2").organization == cast.get("doctor-1").organization
    assert cast.get("doctor-3").organization != cast.get("doctor-1").organization
