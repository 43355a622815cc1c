"""What each place that knows must be able to answer, and the form of its answers.

Every answer carries the instant the place gave it, so that its age can be
judged when it is used. A place that does not answer, or answers with something
unusable, raises ``ConsentUnavailable``; nothing here ever guesses. CPR numbers
go out in questions only; answers name persons by opaque ids.

Source: sharing-rules 3.1 (which register knows what), 7.5 (ages).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from consent.model import Mandate, Patient, Registration

PersonId = Callable[[str], str]
"""Turns a CPR number into the opaque id by which our records know the person."""


@dataclass(frozen=True, slots=True)
class PersonAnswer:
    """What the civil register holds on one person; ``patient`` None: not known there.

    ``patient`` has custody holders but no mandates, and none of the facts that
    only a practice knows.
    """

    patient: Patient | None
    given: tuple[str, ...]
    family: str
    gender: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Child:
    """One custody period over one child, whatever the child's age now."""

    cpr: str
    person_id: str
    given: tuple[str, ...]
    family: str
    custody_from: datetime
    custody_to: datetime | None

    def __repr__(self) -> str:
        return f"Child(person_id={self.person_id!r})"


@dataclass(frozen=True, slots=True)
class ChildrenAnswer:
    """The children of one custody holder."""

    children: tuple[Child, ...]
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class MandatesAnswer:
    """Who may act for one person; lapsed and revoked ones are included."""

    proxies: tuple[Mandate, ...]
    legal_reps: tuple[Mandate, ...]
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class HeldMandate:
    """One person for whom another may act, as ``PROXY`` or ``LEGAL_REP``.

    ``mandate.id`` is the holder's.
    """

    cpr: str
    person_id: str
    role: str
    mandate: Mandate

    def __repr__(self) -> str:
        return f"HeldMandate(person_id={self.person_id!r}, role={self.role!r})"


@dataclass(frozen=True, slots=True)
class HeldMandatesAnswer:
    """For whom one person may act."""

    held: tuple[HeldMandate, ...]
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Authorization:
    """One authorization to practise; ``profession`` in the rules' spelling (DOCTOR ...)."""

    authorization_id: str
    profession: str
    education_code: str | None
    is_valid: bool


@dataclass(frozen=True, slots=True)
class AuthorizationAnswer:
    """The authorizations of one person; ``person_id`` None: not known there."""

    person_id: str | None
    authorizations: tuple[Authorization, ...]
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class RelationAnswer:
    """The best category of treatment relation found so far; None: none found.

    ``reference`` is the service's own id of the look-up, for the audit entry.
    """

    category: str | None
    reference: str | None
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class RegistrationsAnswer:
    """All of one patient's registrations, active and inactive."""

    registrations: tuple[Registration, ...]
    answered_at: datetime


class PatientRegister(Protocol):
    """Civil status, birth, death, protection and custody of one person."""

    async def person(self, cpr: str) -> PersonAnswer:
        """What is known of the person with this number.

        Raises:
            ConsentUnavailable: no usable answer.
        """


class CustodyRegister(Protocol):
    """For whom somebody holds custody."""

    async def children_of(self, guardian_cpr: str) -> ChildrenAnswer:
        """The children over whom this person holds or held custody.

        Raises:
            ConsentUnavailable: no usable answer.
        """


class MandateRegister(Protocol):
    """Powers of attorney and legal representatives."""

    async def mandates_of(self, cpr: str) -> MandatesAnswer:
        """Who may act for this person.

        Raises:
            ConsentUnavailable: no usable answer.
        """

    async def held_by(self, holder_cpr: str) -> HeldMandatesAnswer:
        """For whom this person may act.

        Raises:
            ConsentUnavailable: no usable answer.
        """


class AuthorizationRegister(Protocol):
    """Who is authorized as what."""

    async def authorizations_of(self, cpr: str) -> AuthorizationAnswer:
        """The authorizations of the person with this number.

        Raises:
            ConsentUnavailable: no usable answer.
        """

    async def holder_of(self, authorization_id: str) -> AuthorizationAnswer:
        """The person with this authorization, and all their authorizations.

        Raises:
            ConsentUnavailable: no usable answer.
        """


class RelationService(Protocol):
    """How likely it is that a professional has a patient in treatment."""

    async def relation(
        self, patient_cpr: str, professional_cpr: str, organization_sor: str | None
    ) -> RelationAnswer:
        """The best category known by now.

        Raises:
            ConsentUnavailable: no usable answer.
        """


class ConsentService(Protocol):
    """The patient's blocks and consents."""

    async def registrations_of(self, cpr: str) -> RegistrationsAnswer:
        """All registrations of this patient.

        Raises:
            ConsentUnavailable: no usable answer.
        """


class JsonPoster(Protocol):
    """Sends one JSON question and gives the parsed JSON answer back."""

    async def post_json(self, url: str, payload: Any) -> Any:
        """The answer of a successful exchange.

        Raises:
            nsp_client.errors.NoAnswer: no answer came, or none of success.
        """
