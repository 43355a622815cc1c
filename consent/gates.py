"""The rows of gates A to F, in the order they are tried.

Source: sharing-rules 6, gates A to F.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from consent.gate_facts import (
    ADULT_AGE,
    OWN_ACCESS_AGE,
    Look,
    has_appointment,
    has_proxy,
    has_relation,
    holds_no_custody,
    is_blocked_guardian,
    is_dead,
    is_filtered_from_guardian,
    is_for_no_other,
    is_fresh,
    is_own_record,
    is_pre_adoption,
    is_self,
    is_surely_aged,
    is_too_old_for_guardian,
    is_unauthorised,
    lacks_reason,
    lacks_relation,
    lives_elsewhere_from_protected,
    override_is,
)
from consent.model import (
    AuthLevel,
    DisclosureOutcome,
    OverrideReason,
    PublicationOutcome,
    Relation,
    Role,
)
from consent.registrations import ConsentState
from consent.rows import Kind, Row, always

_PERMIT = DisclosureOutcome.PERMIT
_DENY = DisclosureOutcome.DENY
_LAW, _NSR, _OWN = (Kind.LAW,), (Kind.NSR,), (Kind.OWN,)
_LAW_NSR, _LAW_OWN = (Kind.LAW, Kind.NSR), (Kind.LAW, Kind.OWN)

GateRow = Row[Look]
GateRows = tuple[GateRow, ...]

_LEVELS = frozenset({AuthLevel.SUBSTANTIAL.value, AuthLevel.HIGH.value})
_TECHNICAL = frozenset({"ROUTE", "INDEX", "INTEGRITY", "PURGE"})
CITIZEN_ROLES = frozenset(
    {Role.SELF.value, Role.GUARDIAN.value, Role.PROXY.value, Role.LEGAL_REP.value}
)
PERSON_ROLES = CITIZEN_ROLES | {Role.HP.value}

AUDIT_ROW: GateRow = Row(
    "D-AUDIT-UNAVAILABLE",
    "the audit log can't be written, or the clock can't be trusted",
    lambda k: k.request.sources.audit_ok is not True or not k.usable_now,
    _DENY,
    _OWN,
    "R20",
)

ROLE_NOT_ALLOWED_ROW: GateRow = Row(
    "D-ROLE-NOT-ALLOWED",
    "any role but SELF, GUARDIAN, PROXY, LEGAL_REP and HP",
    lambda k: k.request.role not in PERSON_ROLES,
    _DENY,
    _LAW,
    "R15, R07",
)

GATE_A: GateRows = (
    AUDIT_ROW,
    Row(
        "D-AUTH-LEVEL",
        "logged in below level SUBSTANTIAL",
        lambda k: k.request.auth_level not in _LEVELS,
        _DENY,
        _NSR,
        "6 gate A",
    ),
    Row(
        "D-RESEARCH-NEVER",
        "a researcher",
        lambda k: k.request.role == Role.RESEARCHER,
        _DENY,
        _LAW,
        "R32",
    ),
    Row(
        "D-ADMIN-NO-CONTENT",
        "an administrator",
        lambda k: k.request.role == Role.ADMIN,
        _DENY,
        _LAW,
        "R20; GDPR Art. 32",
    ),
    Row(
        "D-COMPLIANCE-METADATA-ONLY",
        "compliance staff: the log, never a note",
        lambda k: k.request.role == Role.COMPLIANCE,
        _DENY,
        _OWN,
        "6 gate A",
    ),
    Row(
        "D-SYSTEM-TECH",
        "a system that routes, indexes, checks or purges; nobody reads",
        lambda k: k.request.role == Role.SYSTEM and k.request.purpose in _TECHNICAL,
        _PERMIT,
        _LAW,
        "GDPR Art. 28, 32",
    ),
    Row(
        "D-ADMIN-NO-CONTENT",
        "a system with any other purpose",
        lambda k: k.request.role == Role.SYSTEM,
        _DENY,
        _LAW,
        "R20; GDPR Art. 32",
    ),
    ROLE_NOT_ALLOWED_ROW,
)

_NO_MANDATE_ANSWER: GateRow = Row(
    "D-RELATION-UNAVAILABLE",
    "no answer about mandates, or too old",
    lambda k: not is_fresh(k.request.sources.proxy_age_s, k.config.mandate_max_age_s),
    _DENY,
    _OWN,
    "7.5",
)

_B_SELF: GateRows = (
    Row("D-NOT-SELF", "somebody else", lambda k: not is_self(k), _DENY, _LAW, "R08"),
    Row(
        "D-SELF-UNDER-15",
        "the patient is under 15, or of unknown age",
        lambda k: not is_surely_aged(k, OWN_ACCESS_AGE),
        _DENY,
        _LAW_NSR,
        "R14",
    ),
)

_B_GUARDIAN: GateRows = (
    Row(
        "D-NO-CUSTODY",
        "access for custody holders is switched off",
        lambda k: not k.config.guardian_access,
        _DENY,
        _OWN,
        "16, contested C10",
    ),
    Row(
        "D-RELATION-UNAVAILABLE",
        "no answer about custody, or too old",
        lambda k: not is_fresh(k.request.sources.custody_age_s, k.config.custody_max_age_s),
        _DENY,
        _OWN,
        "7.5",
    ),
    Row(
        "D-NO-CUSTODY",
        "no custody at this instant, or the patient is an adult",
        holds_no_custody,
        _DENY,
        _LAW,
        "R17",
    ),
    Row(
        "D-GUARDIAN-15-PLUS",
        "the patient is 15 or over (or of unknown age) and able to act",
        is_too_old_for_guardian,
        _DENY,
        _LAW,
        "R13",
    ),
    Row(
        "D-GUARDIAN-BLOCKED",
        "this custody holder is shut out",
        is_blocked_guardian,
        _DENY,
        _LAW_OWN,
        "R09",
    ),
    Row(
        "D-GUARDIAN-ADDRESS-PROTECTED",
        "the patient's address is protected and the custody holder lives elsewhere",
        lives_elsewhere_from_protected,
        _DENY,
        _OWN,
        "15",
    ),
)

_B_PROXY: GateRows = (
    _NO_MANDATE_ANSWER,
    Row(
        "D-PROXY-INVALID",
        "the patient is under 15, or no valid power of attorney covers journal notes",
        lambda k: not has_proxy(k),
        _DENY,
        _NSR,
        "R25",
    ),
)

_B_LEGAL_REP: GateRows = (
    _NO_MANDATE_ANSWER,
    Row(
        "D-REP-INVALID",
        f"the patient is under {ADULT_AGE}, or no valid appointment covers personal matters",
        lambda k: not has_appointment(k),
        _DENY,
        _LAW,
        "R14",
    ),
)

_B_HP: GateRows = (
    Row("D-HP-OWN-RECORD", "the reader's own record", is_own_record, _DENY, _LAW, "R01"),
    Row(
        "D-NO-AUTHORISATION",
        "no active authorisation, or not known",
        is_unauthorised,
        _DENY,
        _LAW,
        "R01",
    ),
    Row(
        "D-PROFESSION",
        "a profession outside the configured set",
        lambda k: k.request.profession not in k.config.professions,
        _DENY,
        _OWN,
        "R01, contested C9",
    ),
    Row(
        "D-PURPOSE",
        "any purpose but treatment",
        lambda k: k.request.purpose != "TREATMENT",
        _DENY,
        _LAW,
        "R01, R07",
    ),
    Row(
        "D-BG-ROLE",
        "an assistant asks to override",
        lambda k: k.request.override is not None and k.request.on_behalf_of is not None,
        _DENY,
        _OWN,
        "6 gate B",
    ),
    Row("D-BG-REASON", "an override without reason or text", lacks_reason, _DENY, _OWN, "R02"),
    Row(
        "D-NO-RELATION",
        "no treatment relation, and no override for vital or public interest",
        lacks_relation,
        _DENY,
        _LAW,
        "R01, R02, R03",
    ),
)

GATE_B: Mapping[str, GateRows] = MappingProxyType(
    {
        Role.SELF.value: _B_SELF,
        Role.GUARDIAN.value: _B_GUARDIAN,
        Role.PROXY.value: _B_PROXY,
        Role.LEGAL_REP.value: _B_LEGAL_REP,
        Role.HP.value: _B_HP,
    }
)

GATE_C: GateRows = (Row("D-DECEASED", "after the day of death", is_dead, _DENY, _LAW, "R01, R15"),)


def _publication_is(look: Look, outcome: PublicationOutcome) -> bool:
    return look.publication is not None and look.publication.decision is outcome


def _is_unpublished(look: Look) -> bool:
    return not _publication_is(look, PublicationOutcome.PUBLISH)


_NOT_AVAILABLE_ROW: GateRow = Row(
    "D-NOT-AVAILABLE", "not published, for whatever reason", _is_unpublished, _DENY, _NSR, "R23"
)

GATE_D_CITIZEN: GateRows = (
    Row(
        "D-HELD",
        "held",
        lambda k: _publication_is(k, PublicationOutcome.HOLD),
        _DENY,
        _NSR,
        "R23",
    ),
    Row(
        "D-WITHHELD",
        "withheld",
        lambda k: _publication_is(k, PublicationOutcome.WITHHOLD),
        _DENY,
        _NSR,
        "R23",
    ),
    Row(
        "D-REMOVED",
        "removed",
        lambda k: _publication_is(k, PublicationOutcome.REMOVE),
        _DENY,
        _NSR,
        "R23",
    ),
    _NOT_AVAILABLE_ROW,
)
GATE_D_HP: GateRows = (_NOT_AVAILABLE_ROW,)

GATE_E: Mapping[str, GateRows] = MappingProxyType(
    {
        Role.SELF.value: (Row("D-OK-SELF", "always", always, _PERMIT, _LAW, "R08"),),
        Role.GUARDIAN.value: (
            Row(
                "D-GUARDIAN-HIDDEN-NOTE",
                "hidden from custody holders",
                lambda k: k.note.markings.hide_from_guardian is not False,
                _DENY,
                _LAW,
                "R09",
            ),
            Row(
                "D-GUARDIAN-SENSITIVE",
                "about violence or abuse, or filtered and not released by the practice",
                is_filtered_from_guardian,
                _DENY,
                _LAW_OWN,
                "R09, R10, R13",
            ),
            Row(
                "D-GUARDIAN-PRE-ADOPTION",
                "created on a day before the adoption",
                is_pre_adoption,
                _DENY,
                _OWN,
                "6 gate E",
            ),
            Row("D-OK-GUARDIAN", "otherwise", always, _PERMIT, _LAW, "R13"),
        ),
        Role.PROXY.value: (
            Row(
                "D-PROXY-SENSITIVE", "about violence or abuse", is_for_no_other, _DENY, _OWN, "3.3"
            ),
            Row("D-OK-PROXY", "otherwise", always, _PERMIT, _NSR, "R25"),
        ),
        Role.LEGAL_REP.value: (
            Row(
                "D-REP-HIDDEN-NOTE",
                "hidden from representatives",
                lambda k: k.note.markings.hide_from_guardian is not False,
                _DENY,
                _OWN,
                "3.3",
            ),
            Row("D-REP-SENSITIVE", "about violence or abuse", is_for_no_other, _DENY, _OWN, "3.3"),
            Row("D-OK-REP", "otherwise", always, _PERMIT, _LAW, "R14"),
        ),
    }
)


def _is_closed(look: Look) -> bool:
    """The registrations can't be asked, say no, or there is no relation to begin with."""
    state = look.consent.state
    return state in (ConsentState.UNAVAILABLE, ConsentState.NEGATIVE) or not has_relation(look)


def _is_open(look: Look) -> bool:
    return look.consent.state in (ConsentState.POSITIVE, ConsentState.NONE)


GATE_F: GateRows = (
    Row(
        "D-CONSENT-UNAVAILABLE",
        "the registrations can't be checked, and no override",
        lambda k: k.consent.state is ConsentState.UNAVAILABLE and k.request.override is None,
        _DENY,
        _OWN,
        "7.5",
    ),
    Row(
        "D-CONSENT-NEGATIVE",
        "the patient has blocked this, and no override",
        lambda k: k.consent.state is ConsentState.NEGATIVE and k.request.override is None,
        _DENY,
        _LAW,
        "R05",
    ),
    Row(
        "D-OK-CONSENT-NOW",
        "closed, and the patient agrees on the spot",
        lambda k: _is_closed(k) and override_is(k, OverrideReason.PATIENT_CONSENT_NOW),
        _PERMIT,
        _LAW,
        "R03",
    ),
    Row(
        "D-OK-BREAK-GLASS",
        "closed, and vital or public interest is stated",
        lambda k: (
            _is_closed(k)
            and override_is(k, OverrideReason.VITAL_INTEREST, OverrideReason.PUBLIC_INTEREST)
        ),
        _PERMIT,
        _LAW,
        "R02",
    ),
    Row(
        "D-OK-TREATMENT-FOLLOWUP",
        "open, and the relation is declared",
        lambda k: _is_open(k) and k.request.relation == Relation.DECLARED,
        _PERMIT,
        _LAW_NSR,
        "R01, R27",
    ),
    Row(
        "D-OK-TREATMENT",
        "open, and the relation is confirmed",
        lambda k: _is_open(k) and k.request.relation == Relation.CONFIRMED,
        _PERMIT,
        _LAW,
        "R01",
    ),
)
# What follows when no row of gate F hits: nothing has permitted, so nothing is shown.
DEFAULT_DENIAL: GateRow = Row("D-NO-RELATION", "otherwise", always, _DENY, _LAW, "R01, R02, R03")
