"""Asking, all at once, for the facts that one reader's look needs.

Which places are asked follows from the role. A place that fails leaves its
fact unknown; the rules know what follows (professionals closed, the patient's
own feed open), so nothing here decides. Facts are gathered once per request
and serve all the patient's notes in it.

Source: sharing-rules 3.5 (request), 7.5 (freshness and failure), 10 (relation).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from consent.config import DEFAULT_CONFIG, RuleConfig
from consent.errors import ConsentUnavailable
from consent.gate_facts import is_fresh
from consent.model import (
    Override,
    Patient,
    Registration,
    Relation,
    Request,
    Role,
    Sources,
)
from consent.relation import relation_from_evidence
from consent.sources import (
    AuthorizationAnswer,
    AuthorizationRegister,
    ConsentService,
    MandateRegister,
    MandatesAnswer,
    PatientRegister,
    PersonAnswer,
    RelationAnswer,
    RelationService,
)

# An answer dated further ahead of our clock than this is not usable (sharing-rules 4, point 7).
CLOCK_TOLERANCE = timedelta(seconds=2)
ANSWER_WITHIN_S = 5.0

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class FactSources:
    """The places that know, one each."""

    patients: PatientRegister
    mandates: MandateRegister
    authorizations: AuthorizationRegister
    relations: RelationService
    consents: ConsentService


@dataclass(frozen=True, slots=True)
class ClinicFacts:
    """What only the patient's practice knows. ``blocked_guardians`` are person ids."""

    incapacity_39b: bool = False
    adoption_date: date | None = None
    blocked_guardians: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Subject:
    """The patient asked about. ``last_known`` serves while the civil register is away."""

    cpr: str
    id: str
    clinic: ClinicFacts = field(default_factory=ClinicFacts)
    last_known: Patient | None = None

    def __repr__(self) -> str:
        return f"Subject(id={self.id!r})"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, as the login and the request tell it.

    For professionals ``responsible_id`` and ``responsible_cpr`` are the person
    under whose authorization the look is made: the actor, or the principal of
    an assistant (then ``is_assistant``). ``authorization_id`` narrows the
    look-up to one authorization. ``attests_relation``: the user states the
    relation; ``has_confirmed_relation``: own GP practice or open contact.
    """

    role: str
    actor_id: str
    auth_level: str
    acting_org: str | None = None
    purpose: str | None = None
    responsible_id: str | None = None
    responsible_cpr: str | None = None
    is_assistant: bool = False
    authorization_id: str | None = None
    attests_relation: bool = False
    has_confirmed_relation: bool = False
    override: Override | None = None

    def __repr__(self) -> str:
        return f"Reader(role={self.role!r}, actor_id={self.actor_id!r})"


@dataclass(frozen=True, slots=True)
class GatheredFacts:
    """What was found, ready for ``decide_disclosure``.

    ``failures`` maps a source to why it gave nothing; ``relation_evidence`` and
    the ages in ``request.sources`` belong in the audit entry.
    ``consent_is_unavailable``: a professional asks and the registrations are
    not known, or too old; without an override the whole request then gets the
    same fault, whether or not the patient has notes.
    """

    patient: Patient
    registrations: tuple[Registration, ...] | None
    request: Request
    gathered_at: datetime
    failures: dict[str, str] = field(default_factory=dict)
    relation_evidence: RelationAnswer | None = None
    consent_is_unavailable: bool = False


class _Asker:
    """Asks within a time limit and notes what failed."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self.failures: dict[str, str] = {}

    async def ask(self, source: str, question: Awaitable[AnswerT]) -> AnswerT | None:
        try:
            async with asyncio.timeout(self._within_s):
                return await question
        except ConsentUnavailable as error:
            self.failures[source] = error.reason
        except TimeoutError:
            self.failures[source] = f"no answer within {self._within_s:g} s"
        return None


async def _nothing() -> None:
    """The answer of a place that is not asked."""


async def gather_facts(
    sources: FactSources,
    subject: Subject,
    reader: Reader,
    *,
    clock: Callable[[], datetime],
    audit_ok: bool,
    config: RuleConfig = DEFAULT_CONFIG,
    within_s: float = ANSWER_WITHIN_S,
) -> GatheredFacts:
    """Ask every place the reader's role needs, at the same time.

    Args:
        sources: the places.
        subject: the patient.
        reader: who asks.
        clock: tells the time; ages are taken after the last answer.
        audit_ok: can the audit log be written?
        config: the values of section 16.
        within_s: how long a place may take, in seconds.

    Returns:
        The facts; never raises for a place that failed.
    """
    asker = _Asker(within_s)
    role = reader.role
    is_hp = role == Role.HP
    person, mandates, authorization, relation, registrations = await asyncio.gather(
        asker.ask("cpr", sources.patients.person(subject.cpr))
        if _asks_for_person(role, config)
        else _nothing(),
        asker.ask("mandates", sources.mandates.mandates_of(subject.cpr))
        if role in (Role.PROXY, Role.LEGAL_REP)
        else _nothing(),
        asker.ask("authorization", _authorizations(sources.authorizations, reader))
        if is_hp
        else _nothing(),
        asker.ask("brs", _relation(sources.relations, subject, reader)) if is_hp else _nothing(),
        asker.ask("minspaerring", sources.consents.registrations_of(subject.cpr))
        if is_hp
        else _nothing(),
    )
    now = clock()
    patient = _patient(subject, person, mandates)
    authorised, profession = _authorised(reader, authorization, now, config)
    request = Request(
        role=role,
        actor_id=reader.actor_id,
        auth_level=reader.auth_level,
        sources=Sources(
            consent_age_s=_age(registrations, now),
            custody_age_s=_age(person, now),
            proxy_age_s=_age(mandates, now),
            audit_ok=audit_ok,
        ),
        authorised=authorised,
        profession=profession,
        acting_org=reader.acting_org,
        on_behalf_of=(reader.responsible_id or "") if reader.is_assistant else None,
        purpose=reader.purpose,
        relation=_relation_value(reader, relation, now, config) if is_hp else None,
        override=reader.override,
    )
    return GatheredFacts(
        patient,
        None if registrations is None else registrations.registrations,
        request,
        now,
        asker.failures,
        relation,
        is_hp and not is_fresh(request.sources.consent_age_s, config.consent_max_age_s),
    )


def _asks_for_person(role: str, config: RuleConfig) -> bool:
    """Roles that end in gate A are not worth a question, nor are parents when shut out (16)."""
    if role == Role.GUARDIAN:
        return config.guardian_access
    return role in (Role.SELF, Role.PROXY, Role.LEGAL_REP, Role.HP)


async def _authorizations(register: AuthorizationRegister, reader: Reader) -> AuthorizationAnswer:
    if reader.responsible_cpr is not None:
        return await register.authorizations_of(reader.responsible_cpr)
    if reader.authorization_id is not None:
        return await register.holder_of(reader.authorization_id)
    raise ConsentUnavailable("authorization", "nobody to ask about")


async def _relation(service: RelationService, subject: Subject, reader: Reader) -> RelationAnswer:
    if reader.responsible_cpr is None:
        raise ConsentUnavailable("brs", "nobody to ask about")
    return await service.relation(subject.cpr, reader.responsible_cpr, reader.acting_org)


def _age(answer: object, now: datetime) -> float | None:
    """Seconds since the answer was given; None without one, or one from the future."""
    answered_at = getattr(answer, "answered_at", None)
    if not isinstance(answered_at, datetime):
        return None
    age = now - answered_at
    return None if age < -CLOCK_TOLERANCE else max(0.0, age.total_seconds())


def _patient(
    subject: Subject, person: PersonAnswer | None, mandates: MandatesAnswer | None
) -> Patient:
    """The patient as the register knows them now, else as last known, else unknown."""
    if person is None:
        found = subject.last_known or Patient(id=subject.id)
    else:
        found = person.patient or Patient(id=subject.id)
    if mandates is not None:
        found = replace(found, proxies=mandates.proxies, legal_reps=mandates.legal_reps)
    return with_clinic_facts(replace(found, id=subject.id), subject.clinic)


def with_clinic_facts(patient: Patient, clinic: ClinicFacts) -> Patient:
    """Add what only the practice knows: incapacity, adoption, custody holders shut out."""
    guardians = tuple(
        replace(each, blocked=True) if each.id in clinic.blocked_guardians else each
        for each in patient.guardians
    )
    return replace(
        patient,
        incapacity_39b=clinic.incapacity_39b,
        adoption_date=clinic.adoption_date,
        guardians=guardians,
    )


def _authorised(
    reader: Reader, answer: AuthorizationAnswer | None, now: datetime, config: RuleConfig
) -> tuple[bool | None, str | None]:
    """Is the responsible person authorised, and as what? None: nobody could say in time."""
    age = _age(answer, now)
    if answer is None or age is None or age > config.authorization_max_age_s:
        return None, None
    responsible = reader.responsible_id if reader.is_assistant else reader.actor_id
    if answer.person_id is None or answer.person_id != responsible:
        return False, None
    valid = [
        each
        for each in answer.authorizations
        if each.is_valid
        and (reader.authorization_id is None or each.authorization_id == reader.authorization_id)
    ]
    if not valid:
        return False, None
    allowed = [each for each in valid if each.profession in config.professions]
    return True, (allowed or valid)[0].profession


def _relation_value(
    reader: Reader, answer: RelationAnswer | None, now: datetime, config: RuleConfig
) -> Relation:
    return relation_from_evidence(
        None if answer is None or _age(answer, now) is None else answer.category,
        config.relation_minimum,
        attested=reader.attests_relation,
        confirmed_otherwise=reader.has_confirmed_relation,
    )
