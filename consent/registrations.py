"""Which of the patient's registrations bind a request.

Whether a registration matches is three-valued: it does, it doesn't, or a fact
is missing. A block counts unless it certainly does not match, a consent only
when it certainly does. So unknown is never a yes.

Source: sharing-rules 7.2 (usable and active), 7.3 (evaluation).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from consent.model import (
    NoteFacts,
    Patient,
    RegisteredBy,
    Registration,
    RegistrationType,
    Request,
    What,
    WhatKind,
    Who,
    WhoKind,
)
from consent.organisations import Organisations
from consent.times import age_reached_at, is_instant, is_within

_POSITIVE = RegistrationType.POSITIVE.value
_REGISTRARS = frozenset(RegisteredBy)
OWN_RIGHT_FROM_AGE = 15


class ConsentState(StrEnum):
    """What the registrations say to one request; UNAVAILABLE when nobody knows."""

    POSITIVE = "POSITIVE"
    NEGATIVE = "NEGATIVE"
    NONE = "NONE"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The state, and the ids of the registrations that matched (those that have one)."""

    state: ConsentState
    matched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataFault:
    """A registration that is ignored, and why: to be reported to its register."""

    registration_id: str | None
    reason: str


UNAVAILABLE = Evaluation(ConsentState.UNAVAILABLE)
NOTHING_REGISTERED = Evaluation(ConsentState.NONE)


def evaluate(
    registrations: Sequence[Registration],
    patient: Patient,
    note: NoteFacts,
    request: Request,
    organisations: Organisations,
    now: datetime,
) -> Evaluation:
    """What the patient's registrations say to this request about this note.

    Each person behind the request (actor and responsible professional) is
    judged alone: a consent beats a block. Together, one blocked person blocks.

    Source: sharing-rules 7.3; a positive registration wins: R24.
    """
    if not registrations:
        return NOTHING_REGISTERED
    persons = [request.actor_id]
    if request.on_behalf_of is not None and request.on_behalf_of != request.actor_id:
        persons.append(request.on_behalf_of or None)
    states: list[ConsentState] = [ConsentState.NONE] * len(persons)
    matched: list[str] = []
    for registration in registrations:
        opens = registration.type == _POSITIVE
        if _why_unusable(registration, patient) is not None:
            continue
        if not _counts(is_active(registration, now), opens=opens):
            continue
        if not _counts(_what_matches(registration.what, note, organisations, opens), opens=opens):
            continue
        hits = False
        for place, person in enumerate(persons):
            if not _counts(
                _who_matches(registration.who, person, request.acting_org, organisations, opens),
                opens=opens,
            ):
                continue
            hits = True
            if opens:
                states[place] = ConsentState.POSITIVE
            elif states[place] is ConsentState.NONE:
                states[place] = ConsentState.NEGATIVE
        if hits and registration.id is not None:
            matched.append(registration.id)
    return Evaluation(_together(states), tuple(matched))


def _counts(answer: bool | None, *, opens: bool) -> bool:
    """The restrictive reading of a three-valued match."""
    return answer is True if opens else answer is not False


def _together(states: Iterable[ConsentState]) -> ConsentState:
    found = set(states)
    if ConsentState.NEGATIVE in found:
        return ConsentState.NEGATIVE
    return ConsentState.POSITIVE if ConsentState.POSITIVE in found else ConsentState.NONE


def data_faults(registrations: Iterable[Registration], patient: Patient) -> list[DataFault]:
    """The registrations that are ignored, with the reason each.

    Source: sharing-rules 7.2.
    """
    faults = []
    for registration in registrations:
        reason = _why_unusable(registration, patient)
        if reason is not None:
            faults.append(DataFault(registration.id, reason))
    return faults


def _why_unusable(registration: Registration, patient: Patient) -> str | None:
    """Why the registration is ignored, or None when it is usable."""
    opens = registration.type == _POSITIVE
    if opens and registration.unreadable:
        return "a consent with fields that could not be read"
    if opens and not is_instant(registration.valid_to):
        return "a consent without an end"
    if opens and not is_instant(registration.valid_from):
        return "a consent without a start"
    if _ends_before_it_starts(registration):
        return "it ends before it starts"
    if _is_parents_after_15(registration, patient, opens=opens):
        return "made by a custody holder after the 15th birthday"
    return None


def _ends_before_it_starts(registration: Registration) -> bool:
    start, end = registration.valid_from, registration.valid_to
    if start is None or end is None or "valid_to" in registration.unreadable:
        return False
    try:
        return end <= start
    except TypeError:
        return False


def _is_parents_after_15(registration: Registration, patient: Patient, *, opens: bool) -> bool:
    """From 15 the right to object is the young person's own (R05)."""
    by = registration.registered_by
    if by != RegisteredBy.GUARDIAN and not (opens and by not in _REGISTRARS):
        return False
    if patient.incapacity_39b is True:
        return False
    made_at = registration.registered_at or registration.valid_from
    if "registered_at" in registration.unreadable:
        made_at = None
    if patient.birth_date is None or made_at is None or not is_instant(made_at):
        return opens
    return made_at >= age_reached_at(patient.birth_date, OWN_RIGHT_FROM_AGE)


def is_active(registration: Registration, now: datetime) -> bool | None:
    """Does the registration count at ``now``? None when an instant is not known.

    Source: sharing-rules 7.2.
    """
    valid = is_within(now, registration.valid_from, registration.valid_to)
    if valid is False:
        return False
    unreadable = registration.unreadable
    if "valid_to" in unreadable:
        valid = None
    if "revoked_at" in unreadable:
        return None
    if registration.revoked_at is None:
        return valid
    try:
        return valid if now < registration.revoked_at else False
    except TypeError:
        return None


def _what_matches(
    what: What, note: NoteFacts, organisations: Organisations, opens: bool
) -> bool | None:
    """Do all criteria match the note? False as soon as one certainly doesn't."""
    if what.kind == WhatKind.ALL:
        return True
    if what.kind != WhatKind.FILTER:
        return None
    answers: list[bool | None] = []
    if what.document_id is not None:
        answers.append(None if note.id is None else what.document_id == note.id)
    if what.origin_org is not None:
        answers.append(
            _org_matches(note.author_org, what.origin_org, what.include_sub, organisations, opens)
        )
    if what.data_from is not None or what.data_to is not None:
        answers.append(_period_matches(what, note.created_at))
    if not answers:
        return None
    if False in answers:
        return False
    return None if None in answers else True


def _period_matches(what: What, created_at: datetime | None) -> bool | None:
    if created_at is None:
        return None
    try:
        if what.data_from is not None and created_at < what.data_from:
            return False
        return what.data_to is None or created_at < what.data_to
    except TypeError:
        return None


def _org_matches(
    unit: str | None,
    org: str | None,
    include_sub: bool | None,
    organisations: Organisations,
    opens: bool,
) -> bool | None:
    if not unit or not org:
        return None
    if unit == org:
        return True
    below = include_sub if include_sub is not None else not opens
    return organisations.is_within(unit, org) if below else False


def _who_matches(
    who: Who,
    person: str | None,
    acting_org: str | None,
    organisations: Organisations,
    opens: bool,
) -> bool | None:
    kind = who.kind
    if kind == WhoKind.ALL:
        return True
    if kind == WhoKind.PERSON:
        return None if not person or not who.person else person == who.person
    if kind == WhoKind.ORG:
        return _org_matches(acting_org, who.org, who.include_sub, organisations, opens)
    if kind == WhoKind.GROUP and acting_org and who.group:
        return organisations.is_in_group(acting_org, who.group)
    return None
