"""The registers' answers over the wire: read right, or not at all."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from consent.authorization import AuthorizationClient
from consent.custody import CprClient
from consent.errors import ConsentUnavailable
from consent.mandates import MandateClient
from consent.minspaerring import MinSpaerringClient
from consent.model import Guardian, Mandate, Relation, Who
from consent.relation import RelationClient, is_at_least, relation_from_evidence
from nsp_client.errors import NoAnswer
from tests.unit.consent.consent_builders import at

CPR = "3001749995"
OTHER = "0101809996"
ANSWERED = "2027-02-10T08:59:58Z"

ANSWERS: dict[str, dict[str, Any]] = {
    "/cpr/person": {
        "found": True,
        "cpr": CPR,
        "cpr_type": "CPR",
        "birth_date": "1974-01-30",
        "death_date": None,
        "address_protected": False,
        "given": ["Niels", "Test"],
        "family": "Vendelboe",
        "gender": "male",
        "guardians": [
            {
                "cpr": OTHER,
                "custody_from": "1974-01-30T00:00:00+01:00",
                "custody_to": None,
                "same_address": True,
            }
        ],
        "answered_at": ANSWERED,
    },
    "/cpr/custody": {
        "children": [
            {
                "cpr": CPR,
                "given": ["Ida"],
                "family": "Holm",
                "custody_from": "2018-09-03T00:00:00+02:00",
                "custody_to": None,
            }
        ],
        "answered_at": ANSWERED,
    },
    "/authorization/lookup": {
        "found": True,
        "cpr": CPR,
        "authorizations": [
            {
                "authorization_id": "ZTA02",
                "profession": "doctor",
                "education_code": "7170",
                "valid": True,
            }
        ],
        "answered_at": ANSWERED,
    },
    "/mandates/lookup": {
        "proxies": [
            {
                "id_cpr": OTHER,
                "from": "2026-05-01T00:00:00+02:00",
                "to": None,
                "revoked_at": None,
                "scope": ["JOURNAL_NOTES"],
            }
        ],
        "legal_reps": [],
        "answered_at": ANSWERED,
    },
    "/mandates/held": {
        "mandates": [
            {
                "cpr": CPR,
                "kind": "PROXY",
                "from": "2026-05-01T00:00:00+02:00",
                "to": None,
                "revoked_at": None,
                "scope": ["JOURNAL_NOTES"],
            }
        ],
        "answered_at": ANSWERED,
    },
    "/brs/relation": {"category": "A", "reference": "ref-1", "answered_at": ANSWERED},
    "/minspaerring/registrations": {
        "registrations": [
            {
                "id": "r-1",
                "type": "NEGATIVE",
                "what": {"origin_org": "P1", "include_sub": True},
                "who": {"kind": "PERSON", "person": OTHER},
                "valid_from": "2027-01-05T08:00:00Z",
                "valid_to": None,
                "revoked_at": None,
                "registered_by": "CITIZEN",
                "registered_at": "2027-01-05T08:00:00Z",
            }
        ],
        "answered_at": ANSWERED,
    },
}


class Wire:
    """Answers from a table; an exception in it is raised."""

    def __init__(self, changes: dict[str, Any] | None = None) -> None:
        self.answers: dict[str, Any] = {**copy.deepcopy(ANSWERS), **(changes or {})}
        self.asked: list[tuple[str, Any]] = []

    async def post_json(self, url: str, payload: Any) -> Any:
        self.asked.append((url, payload))
        answer = self.answers[url.removeprefix("https://nsp.example")]
        if isinstance(answer, Exception):
            raise answer
        return answer


def person_id(cpr: str) -> str:
    return f"person-{cpr[-4:]}"


Call = Callable[[Wire], Awaitable[Any]]
BASE = "https://nsp.example/"
CALLS: dict[str, Call] = {
    "/cpr/person": lambda wire: CprClient(wire, BASE, person_id).person(CPR),
    "/cpr/custody": lambda wire: CprClient(wire, BASE, person_id).children_of(OTHER),
    "/authorization/lookup": lambda wire: AuthorizationClient(
        wire, BASE, person_id
    ).authorizations_of(CPR),
    "/mandates/lookup": lambda wire: MandateClient(wire, BASE, person_id).mandates_of(CPR),
    "/mandates/held": lambda wire: MandateClient(wire, BASE, person_id).held_by(OTHER),
    "/brs/relation": lambda wire: RelationClient(wire, BASE).relation(CPR, OTHER, "A1"),
    "/minspaerring/registrations": lambda wire: MinSpaerringClient(
        wire, BASE, person_id
    ).registrations_of(CPR),
}
SOURCE_OF = {
    "/cpr/person": "cpr",
    "/cpr/custody": "custody",
    "/authorization/lookup": "authorization",
    "/mandates/lookup": "mandates",
    "/mandates/held": "mandates",
    "/brs/relation": "brs",
    "/minspaerring/registrations": "minspaerring",
}


async def test_a_person_with_custody() -> None:
    wire = Wire()
    answer = await CALLS["/cpr/person"](wire)
    assert wire.asked == [("https://nsp.example/cpr/person", {"cpr": CPR})]
    patient = answer.patient
    assert (patient.id, patient.birth_date, patient.cpr_type) == (
        "person-9995",
        date(1974, 1, 30),
        "CPR",
    )
    assert patient.guardians == (
        Guardian("person-9996", at("1974-01-29T23:00:00Z"), None, False, True),
    )
    assert (answer.given, answer.family, answer.gender) == (("Niels", "Test"), "Vendelboe", "male")
    assert answer.answered_at == at(ANSWERED)


async def test_a_person_the_register_does_not_know() -> None:
    wire = Wire({"/cpr/person": {"found": False, "answered_at": ANSWERED}})
    assert (await CALLS["/cpr/person"](wire)).patient is None


async def test_the_children_of_a_custody_holder() -> None:
    (child,) = (await CALLS["/cpr/custody"](Wire())).children
    assert (child.cpr, child.person_id, child.family) == (CPR, "person-9995", "Holm")
    assert CPR not in repr(child)


async def test_mandates_both_ways() -> None:
    expected = Mandate(
        "person-9996", at("2026-04-30T22:00:00Z"), None, None, frozenset({"JOURNAL_NOTES"})
    )
    answer = await CALLS["/mandates/lookup"](Wire())
    assert (answer.proxies, answer.legal_reps) == ((expected,), ())
    (held,) = (await CALLS["/mandates/held"](Wire())).held
    assert (held.cpr, held.person_id, held.role, held.mandate) == (
        CPR,
        "person-9995",
        "PROXY",
        expected,
    )
    assert CPR not in repr(held)


async def test_authorizations_by_person_and_by_id() -> None:
    wire = Wire()
    by_person = await CALLS["/authorization/lookup"](wire)
    by_id = await AuthorizationClient(wire, BASE, person_id).holder_of("ZTA02")
    assert by_person == by_id
    assert wire.asked[-1][1] == {"authorization_id": "ZTA02"}
    (only,) = by_id.authorizations
    assert (by_id.person_id, only.profession, only.is_valid) == ("person-9995", "DOCTOR", True)
    unknown = Wire({"/authorization/lookup": {"found": False, "answered_at": ANSWERED}})
    assert (await CALLS["/authorization/lookup"](unknown)).person_id is None


async def test_the_holder_of_another_authorization_is_no_answer() -> None:
    client = AuthorizationClient(Wire(), BASE, person_id)
    with pytest.raises(ConsentUnavailable, match="authorization"):
        await client.holder_of("ZTA99")


async def test_a_relation() -> None:
    wire = Wire()
    answer = await CALLS["/brs/relation"](wire)
    assert (answer.category, answer.reference) == ("A", "ref-1")
    assert wire.asked[0][1] == {
        "patient_cpr": CPR,
        "professional_cpr": OTHER,
        "organization_sor": "A1",
    }
    none_found = Wire(
        {"/brs/relation": {"category": None, "reference": None, "answered_at": ANSWERED}}
    )
    assert (await CALLS["/brs/relation"](none_found)).category is None


async def test_registrations_name_professionals_by_opaque_id() -> None:
    (registration,) = (await CALLS["/minspaerring/registrations"](Wire())).registrations
    assert registration.who == Who("PERSON", person="person-9996")
    assert (registration.id, registration.type) == ("r-1", "NEGATIVE")
    assert (registration.what.origin_org, registration.what.include_sub) == ("P1", True)


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize("rubbish", [None, [], "ok", 7, True, {}, {"found": True}])
async def test_a_rubbish_answer_is_unavailable(path: str, rubbish: Any) -> None:
    with pytest.raises(ConsentUnavailable) as caught:
        await CALLS[path](Wire({path: rubbish}))
    assert caught.value.source == SOURCE_OF[path]


@pytest.mark.parametrize("path", CALLS)
async def test_no_answer_is_unavailable(path: str) -> None:
    with pytest.raises(ConsentUnavailable) as caught:
        await CALLS[path](Wire({path: NoAnswer("connection refused")}))
    assert isinstance(caught.value.__cause__, NoAnswer)
    assert caught.value.source == SOURCE_OF[path]
    assert CPR not in str(caught.value)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Any, ...]] = []
    for key, inner in entries:
        found.append((*path, key))
        if isinstance(inner, dict | list):
            found += _places(inner, (*path, key))
    return found


@pytest.mark.parametrize("path", CALLS)
async def test_rubbish_in_any_member_is_unavailable_and_not_repeated(path: str) -> None:
    tried = 0
    for place in _places(ANSWERS[path]):
        if place[-1] == "gender":
            continue
        for rubbish in (3.5, {"x": "0101809996"}, "", ["0101809996", 1]):
            if place[-1] == "family" and rubbish == "":
                continue  # A person without a family name is possible.
            answer = copy.deepcopy(ANSWERS[path])
            target: Any = answer
            for key in place[:-1]:
                target = target[key]
            target[place[-1]] = rubbish
            if isinstance(place[-1], int) and place[-2] in ("given", "scope") and rubbish == "":
                continue
            with pytest.raises(ConsentUnavailable) as caught:
                await CALLS[path](Wire({path: answer}))
            assert "0101809996" not in str(caught.value)
            tried += 1
    assert tried >= 12


@pytest.mark.parametrize("path", ["/cpr/person", "/authorization/lookup"])
async def test_an_answer_about_somebody_else_is_unavailable(path: str) -> None:
    answer = {**ANSWERS[path], "cpr": OTHER}
    with pytest.raises(ConsentUnavailable):
        await CALLS[path](Wire({path: answer}))


@pytest.mark.parametrize(
    ("category", "confirms"),
    [("A+", True), ("A", True), ("B", True), ("C", False), (None, False), ("Z", False)],
)
def test_the_minimum_category(category: str | None, confirms: bool) -> None:
    assert is_at_least(category, "B") is confirms
    expected = Relation.CONFIRMED if confirms else Relation.NONE
    assert relation_from_evidence(category, "B", attested=False) is expected


def test_attestation_declares_and_other_evidence_confirms() -> None:
    assert relation_from_evidence(None, "B", attested=True) is Relation.DECLARED
    confirmed = relation_from_evidence(None, "B", attested=False, confirmed_otherwise=True)
    assert confirmed is Relation.CONFIRMED
    assert relation_from_evidence("A+", "?", attested=False) is Relation.NONE
