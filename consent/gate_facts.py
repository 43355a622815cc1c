"""What the gates of disclosure look at: one look by one reader at one note.

Ages, mandates and custody are read off the patient's facts here, each in the
restrictive sense when something is missing.

Source: sharing-rules 3.1 (unknown facts), 3.5 (request), 4 (ages).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from consent.config import RuleConfig
from consent.model import (
    Guardian,
    Mandate,
    NoteFacts,
    OverrideReason,
    Patient,
    PublicationDecision,
    Registration,
    Relation,
    Request,
    Sensitive,
)
from consent.organisations import Organisations
from consent.registrations import UNAVAILABLE, Evaluation
from consent.times import has_reached, is_after_day, is_instant, is_within, local_date

ADULT_AGE = 18
OWN_ACCESS_AGE = 15
_CATEGORIES = frozenset(Sensitive)
_REASONS = frozenset(OverrideReason)
_REASONS_WITHOUT_RELATION = frozenset(
    {OverrideReason.VITAL_INTEREST.value, OverrideReason.PUBLIC_INTEREST.value}
)
_RELATIONS = frozenset({Relation.CONFIRMED.value, Relation.DECLARED.value})


class Look:
    """The facts of one look. ``publication`` and ``consent`` are filled in on the way.

    ``usable_now`` is False when the clock can't be trusted to name an instant.
    """

    __slots__ = (
        "config",
        "consent",
        "note",
        "now",
        "organisations",
        "patient",
        "publication",
        "registrations",
        "request",
        "usable_now",
    )

    def __init__(
        self,
        patient: Patient,
        note: NoteFacts,
        registrations: Sequence[Registration] | None,
        request: Request,
        organisations: Organisations,
        now: datetime,
        config: RuleConfig,
    ) -> None:
        self.patient = patient
        self.note = note
        self.registrations = registrations
        self.request = request
        self.organisations = organisations
        self.now = now
        self.usable_now = is_instant(now)
        self.config = config
        self.publication: PublicationDecision | None = None
        self.consent: Evaluation = UNAVAILABLE

    def as_guardian(self, guardian_id: str) -> Look:
        """The same look as that custody holder would make it; for notices."""
        request = Request(
            role="GUARDIAN",
            actor_id=guardian_id,
            auth_level=self.request.auth_level,
            sources=self.request.sources,
        )
        return Look(
            self.patient, self.note, None, request, self.organisations, self.now, self.config
        )


def is_fresh(age_s: float | None, limit_s: float) -> bool:
    """Is there an answer, and is it no older than the limit?"""
    return age_s is not None and 0 <= age_s <= limit_s


def is_surely_aged(look: Look, years: int) -> bool:
    """Has the patient certainly reached this age? An unknown birth date has not."""
    born = look.patient.birth_date
    return born is not None and has_reached(born, years, look.now)


def is_surely_below(look: Look, years: int) -> bool:
    """Is the patient certainly younger? With an unknown birth date it can't be said."""
    born = look.patient.birth_date
    return born is not None and not has_reached(born, years, look.now)


# --- gate B ----------


def is_self(look: Look) -> bool:
    """Is the reader the patient?"""
    return look.patient.id is not None and look.request.actor_id == look.patient.id


def holds_no_custody(look: Look) -> bool:
    """No custody at this instant, or nobody holds any because the patient is an adult."""
    return is_surely_aged(look, ADULT_AGE) or not _custody(look)


def is_too_old_for_guardian(look: Look) -> bool:
    """15 or over and able to act. A custody holder gets no benefit of an unknown age."""
    if is_surely_below(look, OWN_ACCESS_AGE):
        return False
    return look.patient.birth_date is None or look.patient.incapacity_39b is not True


def is_blocked_guardian(look: Look) -> bool:
    """Has the practice or an authority shut this custody holder out?"""
    return any(each.blocked is not False for each in _custody(look))


def lives_elsewhere_from_protected(look: Look) -> bool:
    """Protected address, and this custody holder does not surely live at it."""
    if look.patient.address_protected is False:
        return False
    return any(each.same_address is not True for each in _custody(look))


def _custody(look: Look) -> list[Guardian]:
    """The custody this reader holds now; more than one record when registers overlap."""
    actor = look.request.actor_id
    return [
        each
        for each in look.patient.guardians
        if actor
        and each.id == actor
        and is_within(look.now, each.custody_from, each.custody_to) is True
    ]


def has_proxy(look: Look) -> bool:
    """A power of attorney from a patient of 15 or over that covers journal notes."""
    return is_surely_aged(look, OWN_ACCESS_AGE) and _has_mandate(
        look.patient.proxies, look, "JOURNAL_NOTES"
    )


def has_appointment(look: Look) -> bool:
    """Appointed for the personal matters of an adult."""
    return is_surely_aged(look, ADULT_AGE) and _has_mandate(
        look.patient.legal_reps, look, "PERSONAL"
    )


def _has_mandate(mandates: Iterable[Mandate], look: Look, scope: str) -> bool:
    actor = look.request.actor_id
    return bool(actor) and any(
        each.id == actor and scope in each.scope and _is_valid_mandate(each, look.now)
        for each in mandates
    )


def _is_valid_mandate(mandate: Mandate, now: datetime) -> bool:
    if is_within(now, mandate.valid_from, mandate.valid_to) is not True:
        return False
    revoked_at = mandate.revoked_at
    return revoked_at is None or (is_instant(revoked_at) and now < revoked_at)


def is_own_record(look: Look) -> bool:
    """Is the patient the professional who asks, or the one asked for?"""
    patient_id = look.patient.id
    return patient_id is not None and patient_id in (
        look.request.actor_id,
        look.request.on_behalf_of,
    )


def is_unauthorised(look: Look) -> bool:
    """Not surely authorised, or not known who is."""
    request = look.request
    return request.authorised is not True or not request.actor_id or request.on_behalf_of == ""


def lacks_reason(look: Look) -> bool:
    """An override without a known reason and a text worth the name."""
    override = look.request.override
    if override is None:
        return False
    text = override.text
    return (
        override.reason not in _REASONS
        or not isinstance(text, str)
        or len(text.strip()) < look.config.override_min_chars
    )


def has_relation(look: Look) -> bool:
    """Is a treatment relation confirmed or declared?"""
    return look.request.relation in _RELATIONS


def lacks_relation(look: Look) -> bool:
    """No relation, and no ground that stands in for it."""
    if has_relation(look):
        return False
    override = look.request.override
    return override is None or override.reason not in _REASONS_WITHOUT_RELATION


# --- gates C and E ----------


def is_dead(look: Look) -> bool:
    """Is the local date later than the day of death?"""
    died = look.patient.death_date
    return died is not None and is_after_day(look.now, died)


def is_for_no_other(look: Look) -> bool:
    """About violence or abuse, or in a category nobody told us how to treat."""
    sensitive = look.note.markings.sensitive
    if not sensitive:
        return False
    return bool(sensitive & look.config.never_to_others) or not sensitive <= _CATEGORIES


def is_filtered_from_guardian(look: Look) -> bool:
    """Sensitive enough to be kept from custody holders (gate E)."""
    markings = look.note.markings
    if not markings.sensitive:
        return False
    if is_for_no_other(look):
        return True
    filtered = bool(markings.sensitive & look.config.guardian_filter)
    return filtered and markings.guardian_ok is not True


def is_pre_adoption(look: Look) -> bool:
    """Created on a day before the adoption."""
    adopted, created_at = look.patient.adoption_date, look.note.created_at
    if adopted is None:
        return False
    return created_at is None or not is_instant(created_at) or local_date(created_at) < adopted


def override_is(look: Look, *reasons: str) -> bool:
    """Was an override given for one of these reasons?"""
    override = look.request.override
    return override is not None and override.reason in reasons
