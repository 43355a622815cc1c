"""The facts the sharing rules look at, and what they answer: frozen records.

Every fact that may be missing is three-valued: ``None`` means "not known", and
each rule says which way an unknown falls. Instants are timezone-aware, dates
are local dates in Europe/Copenhagen, ids are opaque (never a CPR number).
Coded values are plain strings so that a value nobody foresaw can be carried
and refused; the enumerations name the ones the rules know.

Source: sharing-rules 3 (inputs), 5 and 6 (outputs), 7.1 (registrations).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class NoteStatus(StrEnum):
    """State of a note version at its author."""

    DRAFT = "draft"
    FINAL = "final"
    WITHDRAWN = "withdrawn"


class ContactType(StrEnum):
    """What kind of contact the note describes; only ADMIN changes a decision."""

    CONSULTATION = "consultation"
    E_CONSULTATION = "e_consultation"
    PHONE = "phone"
    VIDEO = "video"
    HOME_VISIT = "home_visit"
    OUT_OF_HOURS = "out_of_hours"
    RESULT_COMMENT = "result_comment"
    ADMIN = "admin"


class Sensitive(StrEnum):
    """Categories of especially sensitive content."""

    PSY = "PSY"
    REPRO = "REPRO"
    HIV = "HIV"
    SUBST = "SUBST"
    DV = "DV"
    ABUSE = "ABUSE"
    GENE = "GENE"


class Role(StrEnum):
    """In which capacity somebody asks."""

    SELF = "SELF"
    GUARDIAN = "GUARDIAN"
    PROXY = "PROXY"
    LEGAL_REP = "LEGAL_REP"
    HP = "HP"
    ADMIN = "ADMIN"
    COMPLIANCE = "COMPLIANCE"
    SYSTEM = "SYSTEM"
    RESEARCHER = "RESEARCHER"


class AuthLevel(StrEnum):
    """Assurance level of the login (NSIS)."""

    LOW = "LOW"
    SUBSTANTIAL = "SUBSTANTIAL"
    HIGH = "HIGH"


class Relation(StrEnum):
    """How well a treatment relation is supported."""

    CONFIRMED = "CONFIRMED"
    DECLARED = "DECLARED"
    NONE = "NONE"


class OverrideReason(StrEnum):
    """Grounds for opening a patient's block."""

    VITAL_INTEREST = "VITAL_INTEREST"
    PUBLIC_INTEREST = "PUBLIC_INTEREST"
    PATIENT_CONSENT_NOW = "PATIENT_CONSENT_NOW"


class RegistrationType(StrEnum):
    """A block or a consent."""

    NEGATIVE = "NEGATIVE"
    POSITIVE = "POSITIVE"


class RegisteredBy(StrEnum):
    """Who made a registration."""

    CITIZEN = "CITIZEN"
    GUARDIAN = "GUARDIAN"
    HP = "HP"
    SUPPORT_DESK = "SUPPORT_DESK"


class WhatKind(StrEnum):
    """ALL data, FILTER (all given criteria must match), or UNKNOWN (not understood)."""

    ALL = "ALL"
    FILTER = "FILTER"
    UNKNOWN = "UNKNOWN"


class WhoKind(StrEnum):
    """Whom a registration concerns; UNKNOWN when it was not understood."""

    ALL = "ALL"
    ORG = "ORG"
    PERSON = "PERSON"
    GROUP = "GROUP"
    UNKNOWN = "UNKNOWN"


class Destination(StrEnum):
    """Where a note may be offered."""

    PATIENT_FEED = "patient_feed"
    PROFESSIONAL_REPOSITORY = "professional_repository"
    NATIONAL = "national"


class PublicationOutcome(StrEnum):
    """Desired state at a destination: PUBLISH is present, all others absent."""

    PUBLISH = "PUBLISH"
    HOLD = "HOLD"
    WITHHOLD = "WITHHOLD"
    REMOVE = "REMOVE"
    REJECT = "REJECT"


class DisclosureOutcome(StrEnum):
    """May this reader see the note now?"""

    PERMIT = "PERMIT"
    DENY = "DENY"


class Obligation(StrEnum):
    """What the caller must carry out, or not show the note (sharing-rules 6.1)."""

    LOG = "LOG"
    MINLOG = "MINLOG"
    NEUTRAL = "NEUTRAL"
    ALERT = "ALERT"
    FOLLOW_UP_RELATION = "FOLLOW_UP_RELATION"
    NOTIFY_PATIENT = "NOTIFY_PATIENT"
    NOTIFY_DEFERRED = "NOTIFY_DEFERRED"
    REVIEW_MANDATORY = "REVIEW_MANDATORY"
    REVIEW_SAMPLE = "REVIEW_SAMPLE"
    REDACT_CONTACT = "REDACT_CONTACT"
    REDACT_AUTHOR_NAME = "REDACT_AUTHOR_NAME"


@dataclass(frozen=True, slots=True)
class Guardian:
    """A custody holder in one period ``[custody_from, custody_to)``.

    ``blocked`` None counts as blocked, ``same_address`` None as elsewhere.
    """

    id: str
    custody_from: datetime | None
    custody_to: datetime | None = None
    blocked: bool | None = False
    same_address: bool | None = None


@dataclass(frozen=True, slots=True)
class Mandate:
    """A power of attorney or an appointment, valid in ``[valid_from, valid_to)``.

    ``scope`` holds codes; ``JOURNAL_NOTES`` is asked of a proxy, ``PERSONAL``
    of a legal representative.
    """

    id: str
    valid_from: datetime | None
    valid_to: datetime | None = None
    revoked_at: datetime | None = None
    scope: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Patient:
    """Whose note it is. The defaults are what the rules say of an unknown fact."""

    id: str | None
    birth_date: date | None = None
    cpr_type: str | None = None
    death_date: date | None = None
    address_protected: bool | None = None
    incapacity_39b: bool | None = None
    adoption_date: date | None = None
    guardians: tuple[Guardian, ...] = ()
    proxies: tuple[Mandate, ...] = ()
    legal_reps: tuple[Mandate, ...] = ()


@dataclass(frozen=True, slots=True)
class Practice:
    """The clinic's agreement to share. Unknown enrolment is none."""

    enrolled: bool | None
    sharing_start: datetime | None
    share_history: bool | None = False


@dataclass(frozen=True, slots=True)
class HideFromPatient:
    """The GP asked to keep the note from the patient; ``basis`` names the ground."""

    basis: str | None


@dataclass(frozen=True, slots=True)
class Markings:
    """What the practice said about sharing this note.

    A restrictive flag that is None (not known) counts as set, a permissive one
    (``guardian_ok``, ``patient_confirmed_feed``) as not set. ``delay_until`` is
    ``consent.times.FOREVER`` when a delay was asked for but not understood.
    ``sensitive`` holds category codes, given and derived; a code outside
    ``Sensitive`` is treated like the strictest.
    """

    do_not_share: bool | None = False
    hide_from_patient: HideFromPatient | None = None
    hide_from_guardian: bool | None = False
    hide_from_professionals: bool | None = False
    third_party_confidential: bool | None = False
    delay_until: datetime | None = None
    sensitive: frozenset[str] = frozenset()
    guardian_ok: bool | None = False
    patient_confirmed_feed: bool | None = False


@dataclass(frozen=True, slots=True)
class Successor:
    """The next version of the note. ``completed_at`` None means not known."""

    status: str | None
    completed_at: datetime | None
    delay_until: datetime | None = None
    safety_correction: bool | None = False


@dataclass(frozen=True, slots=True)
class NoteFacts:
    """One version of a note, with the markings as they are at the decision."""

    id: str | None
    version: int | None
    author_org: str | None
    practice: Practice | None
    contact_type: str | None
    status: str | None
    created_at: datetime | None
    completed_at: datetime | None
    last_entry_at: datetime | None = None
    successor: Successor | None = None
    author_name_protected: bool | None = False
    markings: Markings = field(default_factory=Markings)


@dataclass(frozen=True, slots=True)
class What:
    """Which data a registration concerns; with FILTER all given criteria must match.

    ``include_sub`` None: not known, read in the restrictive sense. Periods are
    half-open ``[data_from, data_to)`` over the note's ``created_at``.
    """

    kind: str = WhatKind.ALL
    origin_org: str | None = None
    include_sub: bool | None = False
    data_from: datetime | None = None
    data_to: datetime | None = None
    document_id: str | None = None


@dataclass(frozen=True, slots=True)
class Who:
    """Which professionals a registration concerns."""

    kind: str = WhoKind.ALL
    org: str | None = None
    include_sub: bool | None = False
    person: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """A block or consent the patient has registered.

    ``valid_from``/``valid_to`` bound the retrieval, not the age of the data.
    ``registered_at`` None means the same instant as ``valid_from``.
    ``unreadable`` names fields that held something that was not understood: such
    a registration still blocks if it is a block and never opens anything.
    """

    type: str | None
    valid_from: datetime | None
    valid_to: datetime | None = None
    revoked_at: datetime | None = None
    what: What = field(default_factory=What)
    who: Who = field(default_factory=Who)
    registered_by: str | None = RegisteredBy.CITIZEN
    registered_at: datetime | None = None
    id: str | None = None
    unreadable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody asks to pass the patient's block, and says why."""

    reason: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Sources:
    """Age in seconds of the newest usable answer (None: there is none), and the log."""

    consent_age_s: float | None = None
    custody_age_s: float | None = None
    proxy_age_s: float | None = None
    audit_ok: bool | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, in which capacity, for what.

    ``on_behalf_of`` is the responsible professional when the actor is an
    assistant; an empty string means an assistant whose principal is not known.
    ``authorised`` is about the responsible person and counts an answer older
    than 24 h as None.
    """

    role: str | None
    actor_id: str | None
    auth_level: str | None
    sources: Sources
    authorised: bool | None = None
    profession: str | None = None
    acting_org: str | None = None
    on_behalf_of: str | None = None
    purpose: str | None = None
    relation: str | None = None
    override: Override | None = None


@dataclass(frozen=True, slots=True)
class PublicationDecision:
    """What should be true at one destination now.

    ``until``: the instant a HOLD ends by itself, else None.
    """

    decision: PublicationOutcome
    code: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """The decisions for all three destinations at one instant."""

    patient_feed: PublicationDecision
    professional_repository: PublicationDecision
    national: PublicationDecision

    def at(self, destination: Destination) -> PublicationDecision:
        """The decision for one destination."""
        if destination is Destination.PATIENT_FEED:
            return self.patient_feed
        if destination is Destination.PROFESSIONAL_REPOSITORY:
            return self.professional_repository
        return self.national


@dataclass(frozen=True, slots=True)
class DisclosureDecision:
    """May this reader see this note now, why, and what must be done about it.

    ``detail`` carries the publication code when gate D denied. ``gate`` is the
    letter of the gate that decided. ``registrations`` are the ids of those that
    matched, for the audit entry (gate F only).
    """

    decision: DisclosureOutcome
    code: str
    detail: str | None
    obligations: frozenset[Obligation]
    gate: str = ""
    registrations: tuple[str, ...] = ()

    @property
    def is_permitted(self) -> bool:
        """True for PERMIT, and for nothing else."""
        return self.decision is DisclosureOutcome.PERMIT
