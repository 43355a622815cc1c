"""Gathering: who is asked, what a failure leaves unknown, and what the rules make of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from consent.config import RuleConfig
from consent.disclosure import decide_disclosure
from consent.errors import ConsentUnavailable
from consent.facts import (
    ClinicFacts,
    FactSources,
    GatheredFacts,
    Reader,
    Subject,
    gather_facts,
)
from consent.model import Patient, Registration
from consent.sources import (
    Authorization,
    AuthorizationAnswer,
    HeldMandatesAnswer,
    MandatesAnswer,
    PersonAnswer,
    RegistrationsAnswer,
    RelationAnswer,
)
from tests.unit.consent.consent_builders import NOTE, NOW, TREE, block, child, mandate, patient

CPR = "3001749995"
SUBJECT = Subject(cpr=CPR, id="P-01")
HP = Reader(
    role="HP",
    actor_id="HP-1",
    auth_level="SUBSTANTIAL",
    acting_org="A1",
    purpose="TREATMENT",
    responsible_id="HP-1",
    responsible_cpr="0101809996",
)
SELF = Reader(role="SELF", actor_id="P-01", auth_level="SUBSTANTIAL")
MOTHER = Reader(role="GUARDIAN", actor_id="G-MOM", auth_level="SUBSTANTIAL")


@dataclass
class Registers:
    """All places in one, with a state that a test sets; it notes what was asked."""

    known: Patient | None = field(default_factory=patient)
    registrations: tuple[Registration, ...] = ()
    category: str | None = "A"
    authorizations: tuple[Authorization, ...] = (Authorization("ZTA02", "DOCTOR", None, True),)
    holder: str | None = "HP-1"
    answered_at: datetime = NOW - timedelta(seconds=1)
    failing: frozenset[str] = frozenset()
    slow_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    async def _ask(self, place: str) -> None:
        self.asked.append(place)
        await asyncio.sleep(self.slow_s)
        if place in self.failing:
            raise ConsentUnavailable(place, "killed")

    async def person(self, cpr: str) -> PersonAnswer:
        await self._ask("cpr")
        return PersonAnswer(self.known, (), "", "unknown", self.answered_at)

    async def mandates_of(self, cpr: str) -> MandatesAnswer:
        await self._ask("mandates")
        return MandatesAnswer(
            (mandate("X-1", "JOURNAL_NOTES"),), (mandate("L-1", "PERSONAL"),), self.answered_at
        )

    async def held_by(self, holder_cpr: str) -> HeldMandatesAnswer:
        raise AssertionError("not asked when a look is decided")

    async def authorizations_of(self, cpr: str) -> AuthorizationAnswer:
        await self._ask("authorization")
        return AuthorizationAnswer(self.holder, self.authorizations, self.answered_at)

    async def holder_of(self, authorization_id: str) -> AuthorizationAnswer:
        return await self.authorizations_of("")

    async def relation(
        self, patient_cpr: str, professional_cpr: str, organization_sor: str | None
    ) -> RelationAnswer:
        await self._ask("brs")
        return RelationAnswer(self.category, "ref", self.answered_at)

    async def registrations_of(self, cpr: str) -> RegistrationsAnswer:
        await self._ask("minspaerring")
        return RegistrationsAnswer(self.registrations, self.answered_at)


async def gather(registers: Registers, reader: Reader, **options: Any) -> GatheredFacts:
    subject = options.pop("subject", SUBJECT)
    sources = FactSources(registers, registers, registers, registers, registers)
    return await gather_facts(sources, subject, reader, clock=lambda: NOW, audit_ok=True, **options)


def code(facts: GatheredFacts, config: RuleConfig | None = None) -> str:
    return decide_disclosure(
        facts.patient,
        NOTE,
        facts.registrations,
        facts.request,
        TREE,
        NOW,
        config or RuleConfig(),
    ).code


@pytest.mark.parametrize(
    ("role", "places"),
    [
        ("SELF", {"cpr"}),
        ("GUARDIAN", {"cpr"}),
        ("PROXY", {"cpr", "mandates"}),
        ("LEGAL_REP", {"cpr", "mandates"}),
        ("HP", {"cpr", "authorization", "brs", "minspaerring"}),
        ("RESEARCHER", set()),
        ("COMPLIANCE", set()),
        ("POLICE", set()),
    ],
)
async def test_only_the_needed_places_are_asked(role: str, places: set[str]) -> None:
    registers = Registers()
    await gather(registers, replace(HP, role=role))
    assert set(registers.asked) == places


async def test_a_professional_with_everything_in_order() -> None:
    facts = await gather(Registers(), HP)
    assert code(facts) == "D-OK-TREATMENT"
    assert facts.request.sources.consent_age_s == 1.0
    assert facts.relation_evidence is not None
    assert facts.relation_evidence.category == "A"
    assert not facts.consent_is_unavailable


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("minspaerring", "D-CONSENT-UNAVAILABLE"),
        ("authorization", "D-NO-AUTHORISATION"),
        ("brs", "D-NO-RELATION"),
        ("cpr", "D-NOT-AVAILABLE"),
    ],
)
async def test_a_failing_place_closes_for_professionals(place: str, expected: str) -> None:
    facts = await gather(Registers(failing=frozenset({place})), HP)
    assert code(facts) == expected
    assert facts.failures == {place: "killed"}
    assert facts.consent_is_unavailable is (place == "minspaerring")


async def test_the_patient_stays_open_when_the_consent_service_is_dead() -> None:
    registers = Registers(failing=frozenset({"minspaerring", "brs", "authorization", "mandates"}))
    facts = await gather(registers, SELF)
    assert code(facts) == "D-OK-SELF"
    assert facts.failures == {}


async def test_the_relation_service_down_leaves_the_attestation() -> None:
    attested = replace(HP, attests_relation=True)
    facts = await gather(Registers(failing=frozenset({"brs"})), attested)
    assert code(facts) == "D-OK-TREATMENT-FOLLOWUP"


async def test_the_civil_register_down_uses_what_was_last_known() -> None:
    registers = Registers(failing=frozenset({"cpr"}))
    known = Subject(CPR, "P-01", last_known=patient())
    assert code(await gather(registers, SELF, subject=known)) == "D-OK-SELF"
    assert code(await gather(registers, HP, subject=known)) == "D-OK-TREATMENT"
    young = Subject(CPR, "P-01", last_known=child())
    assert code(await gather(registers, MOTHER, subject=young)) == "D-RELATION-UNAVAILABLE"
    assert code(await gather(registers, SELF)) == "D-SELF-UNDER-15"


async def test_a_person_the_register_does_not_know_is_not_shown() -> None:
    facts = await gather(
        Registers(known=None), SELF, subject=Subject(CPR, "P-01", last_known=patient())
    )
    assert code(facts) == "D-SELF-UNDER-15"


async def test_custody_holders_and_the_clinics_own_facts() -> None:
    registers = Registers(known=child())
    assert code(await gather(registers, MOTHER)) == "D-OK-GUARDIAN"
    shut_out = Subject(CPR, "P-01", ClinicFacts(blocked_guardians=frozenset({"G-MOM"})))
    assert code(await gather(registers, MOTHER, subject=shut_out)) == "D-GUARDIAN-BLOCKED"
    adopted = Subject(CPR, "P-01", ClinicFacts(adoption_date=date(2027, 2, 5)))
    assert code(await gather(registers, MOTHER, subject=adopted)) == "D-GUARDIAN-PRE-ADOPTION"
    teen = Registers(known=child(date(2011, 1, 1)))
    unable = Subject(CPR, "P-01", ClinicFacts(incapacity_39b=True))
    assert code(await gather(teen, MOTHER)) == "D-GUARDIAN-15-PLUS"
    assert code(await gather(teen, MOTHER, subject=unable)) == "D-OK-GUARDIAN"


async def test_no_custody_look_up_when_access_is_off() -> None:
    registers, off = Registers(known=child()), RuleConfig(guardian_access=False)
    facts = await gather(registers, MOTHER, config=off)
    assert registers.asked == []
    assert code(facts, off) == "D-NO-CUSTODY"


async def test_proxies_and_representatives() -> None:
    proxy = Reader(role="PROXY", actor_id="X-1", auth_level="HIGH")
    assert code(await gather(Registers(), proxy)) == "D-OK-PROXY"
    rep = Reader(role="LEGAL_REP", actor_id="L-1", auth_level="HIGH")
    assert code(await gather(Registers(), rep)) == "D-OK-REP"
    down = Registers(failing=frozenset({"mandates"}))
    assert code(await gather(down, proxy)) == "D-RELATION-UNAVAILABLE"


@pytest.mark.parametrize(
    ("answered_at", "expected"),
    [
        (NOW, "D-OK-TREATMENT"),
        (NOW + timedelta(seconds=2), "D-OK-TREATMENT"),
        (NOW + timedelta(seconds=2, microseconds=1), "D-NO-AUTHORISATION"),
        (NOW - timedelta(seconds=300), "D-OK-TREATMENT"),
        (NOW - timedelta(seconds=301), "D-CONSENT-UNAVAILABLE"),
        (NOW - timedelta(hours=24, seconds=1), "D-NO-AUTHORISATION"),
    ],
)
async def test_answers_age_and_do_not_come_from_the_future(
    answered_at: datetime, expected: str
) -> None:
    assert code(await gather(Registers(answered_at=answered_at), HP)) == expected


@pytest.mark.parametrize(
    ("age_s", "is_unavailable"), [(300, False), (301, True), (-2, False), (-3, True)]
)
async def test_old_or_future_registrations_are_unavailable(
    age_s: int, is_unavailable: bool
) -> None:
    registers = Registers(answered_at=NOW - timedelta(seconds=age_s))
    assert (await gather(registers, HP)).consent_is_unavailable is is_unavailable
    assert not (await gather(registers, SELF)).consent_is_unavailable


async def test_a_slow_place_counts_as_failed() -> None:
    facts = await gather(Registers(slow_s=0.5), HP, within_s=0.01)
    assert set(facts.failures) == {"cpr", "authorization", "brs", "minspaerring"}
    assert code(facts) == "D-NO-AUTHORISATION"


async def test_places_are_asked_at_the_same_time() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    await gather(Registers(slow_s=0.1), HP)
    assert loop.time() - start < 0.35


@pytest.mark.parametrize(
    ("registers", "expected"),
    [
        (Registers(authorizations=()), "D-NO-AUTHORISATION"),
        (
            Registers(authorizations=(Authorization("Z", "DOCTOR", None, False),)),
            "D-NO-AUTHORISATION",
        ),
        (Registers(authorizations=(Authorization("Z", "PODIATRIST", None, True),)), "D-PROFESSION"),
        (Registers(holder="HP-2"), "D-NO-AUTHORISATION"),
        (Registers(holder=None), "D-NO-AUTHORISATION"),
        (Registers(category="C"), "D-NO-RELATION"),
        (Registers(category=None), "D-NO-RELATION"),
        (Registers(registrations=(block(),)), "D-CONSENT-NEGATIVE"),
    ],
)
async def test_what_the_registers_say_of_a_professional(
    registers: Registers, expected: str
) -> None:
    assert code(await gather(registers, HP)) == expected


async def test_the_authorization_used_in_the_login_is_the_one_that_counts() -> None:
    two = (Authorization("Z1", "DOCTOR", None, False), Authorization("Z2", "NURSE", None, True))
    registers = Registers(authorizations=two)
    assert code(await gather(registers, replace(HP, authorization_id="Z1"))) == "D-NO-AUTHORISATION"
    facts = await gather(registers, replace(HP, authorization_id="Z2"))
    assert facts.request.profession == "NURSE"


async def test_an_assistant_stands_on_the_principal() -> None:
    assistant = replace(HP, actor_id="AS-3", is_assistant=True)
    facts = await gather(Registers(), assistant)
    assert facts.request.on_behalf_of == "HP-1"
    assert code(facts) == "D-OK-TREATMENT"
    nobody = replace(assistant, responsible_id=None)
    assert code(await gather(Registers(), nobody)) == "D-NO-AUTHORISATION"


async def test_nobody_to_ask_about_is_no_authorization() -> None:
    unnamed = replace(HP, responsible_cpr=None)
    facts = await gather(Registers(), unnamed)
    assert code(facts) == "D-NO-AUTHORISATION"
    by_id = replace(unnamed, authorization_id="ZTA02", has_confirmed_relation=True)
    assert code(await gather(Registers(), by_id)) == "D-OK-TREATMENT"


def test_no_number_is_printed() -> None:
    assert CPR not in repr(SUBJECT)
    assert "0101809996" not in repr(HP)
