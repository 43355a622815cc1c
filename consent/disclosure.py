"""Decision point 2: may this reader see this note now?

Gates A to F in order, rows in order inside each gate, first hit ends. What no
row permits is denied. Pure and total over its record types: the clock and all
facts are passed in, and a fact that is not known never turns into a yes.

Publication is recomputed here at the moment of reading, so a lagging copy can
never disclose.

Source: sharing-rules 6, 6.1 (obligations), 6.5 (the door for DDS).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from consent.config import DEFAULT_CONFIG, RuleConfig
from consent.gate_facts import OWN_ACCESS_AGE, Look, is_fresh, is_surely_aged
from consent.gates import (
    AUDIT_ROW,
    CITIZEN_ROLES,
    DEFAULT_DENIAL,
    GATE_A,
    GATE_B,
    GATE_C,
    GATE_D_CITIZEN,
    GATE_D_HP,
    GATE_E,
    GATE_F,
    ROLE_NOT_ALLOWED_ROW,
    GateRow,
    GateRows,
)
from consent.model import (
    Destination,
    DisclosureDecision,
    DisclosureOutcome,
    NoteFacts,
    Obligation,
    Patient,
    PublicationDecision,
    PublicationOutcome,
    Registration,
    Relation,
    Request,
    Role,
)
from consent.organisations import Organisations, OrganisationTree
from consent.publication import decide_for, decide_publication
from consent.registrations import evaluate
from consent.rows import Row, always, first_hit

_PERMIT = DisclosureOutcome.PERMIT
_HP = Role.HP.value
_SELF = Role.SELF.value
_SYSTEM = Role.SYSTEM.value
_FEED = Destination.PATIENT_FEED
_REPOSITORY = Destination.PROFESSIONAL_REPOSITORY

ALERT_CODES = frozenset(
    {
        "D-HP-OWN-RECORD",
        "D-NO-AUTHORISATION",
        "D-BG-ROLE",
        "D-RESEARCH-NEVER",
        "D-ADMIN-NO-CONTENT",
    }
)
NOTIFY_CODES = frozenset({"D-OK-BREAK-GLASS", "D-OK-CONSENT-NOW"})
NEUTRAL_GATES = frozenset("DEF")

# Obligations that follow from the code alone; the rest depends on the facts.
_LOG_ONLY = frozenset({Obligation.LOG})
_NOTHING: frozenset[Obligation] = frozenset()
_LOG_AND_NEUTRAL = frozenset({Obligation.LOG, Obligation.NEUTRAL})
_LOG_AND_ALERT = frozenset({Obligation.LOG, Obligation.ALERT})
_NO_ORGANISATIONS = OrganisationTree()


def decide_disclosure(
    patient: Patient,
    note: NoteFacts,
    registrations: Sequence[Registration] | None,
    request: Request,
    organisations: Organisations,
    now: datetime,
    config: RuleConfig = DEFAULT_CONFIG,
) -> DisclosureDecision:
    """May the one who asks see this note at this instant?

    Args:
        patient: whose note it is, with custody and mandates.
        note: the version asked for, with the markings of this moment.
        registrations: all of the patient's; None when nobody could say. The age
            of the answer stands in ``request.sources.consent_age_s``.
        request: who asks, how, for what, and how old the answers are.
        organisations: who lies within whom.
        now: aware instant.
        config: the values of section 16.

    Returns:
        The decision with its code and what the caller must do; ``detail`` holds
        the publication code when gate D denied.

    Source: sharing-rules 6.
    """
    look = Look(patient, note, registrations, request, organisations, now, config)
    row = first_hit(GATE_A, look)
    if row is not None:
        return _decided(look, row, "A")
    role = request.role or ""
    row = first_hit(GATE_B[role], look)
    if row is not None:
        return _decided(look, row, "B")
    row = first_hit(GATE_C, look)
    if row is not None:
        return _decided(look, row, "C")
    is_hp = role == _HP
    look.publication = decide_for(_REPOSITORY if is_hp else _FEED, patient, note, now, config)
    row = first_hit(GATE_D_HP if is_hp else GATE_D_CITIZEN, look)
    if row is not None:
        return _decided(look, row, "D", look.publication.code)
    if not is_hp:
        return _decided(look, first_hit(GATE_E[role], look) or DEFAULT_DENIAL, "E")
    if registrations is not None and is_fresh(
        request.sources.consent_age_s, config.consent_max_age_s
    ):
        look.consent = evaluate(registrations, patient, note, request, organisations, now)
    return _decided(look, first_hit(GATE_F, look) or DEFAULT_DENIAL, "F")


def _decided(look: Look, row: GateRow, gate: str, detail: str | None = None) -> DisclosureDecision:
    outcome = DisclosureOutcome(row.decision)
    return DisclosureDecision(
        outcome,
        row.code,
        detail,
        _obligations(look, outcome, row.code, gate),
        gate,
        look.consent.matched,
    )


def _obligations(
    look: Look, outcome: DisclosureOutcome, code: str, gate: str
) -> frozenset[Obligation]:
    """What must be done about a decision.

    Source: sharing-rules 6.1.
    """
    if outcome is not _PERMIT:
        return _obligations_of_denial(look, code, gate)
    role = look.request.role
    if role == _SYSTEM:
        return _LOG_ONLY
    duties = {Obligation.LOG}
    if role != _SELF:
        duties.add(Obligation.MINLOG)
    if look.patient.address_protected is not False:
        duties.add(Obligation.REDACT_CONTACT)
    if role in CITIZEN_ROLES:
        if look.note.author_name_protected is not False:
            duties.add(Obligation.REDACT_AUTHOR_NAME)
        return frozenset(duties)
    if look.request.relation == Relation.DECLARED:
        duties.add(Obligation.FOLLOW_UP_RELATION)
    if code in NOTIFY_CODES:
        is_break_glass = code == "D-OK-BREAK-GLASS"
        duties.add(Obligation.REVIEW_MANDATORY if is_break_glass else Obligation.REVIEW_SAMPLE)
        duties.add(
            Obligation.NOTIFY_PATIENT
            if is_surely_aged(look, OWN_ACCESS_AGE) or guardians_to_notify(look)
            else Obligation.NOTIFY_DEFERRED
        )
    return frozenset(duties)


def _obligations_of_denial(look: Look, code: str, gate: str) -> frozenset[Obligation]:
    if code == AUDIT_ROW.code:
        return _NOTHING
    if gate in NEUTRAL_GATES and look.request.role != _SELF:
        return _LOG_AND_NEUTRAL
    return _LOG_AND_ALERT if code in ALERT_CODES else _LOG_ONLY


def guardians_to_notify(look: Look) -> tuple[str, ...]:
    """The custody holders to whom this very note would be shown now, ids in order.

    Published in the patient feed, gate B passed by the holder, gate E passed by
    the note. Empty when the patient is not surely under 15.

    Source: sharing-rules 6.1, last paragraph.
    """
    if not look.usable_now:
        return ()
    feed = decide_for(_FEED, look.patient, look.note, look.now, look.config)
    if feed.decision is not PublicationOutcome.PUBLISH:
        return ()
    found = []
    for guardian_id in dict.fromkeys(each.id for each in look.patient.guardians):
        theirs = look.as_guardian(guardian_id)
        if first_hit(GATE_B[Role.GUARDIAN.value], theirs) is not None:
            continue
        row = first_hit(GATE_E[Role.GUARDIAN.value], theirs)
        if row is not None and row.decision is _PERMIT:
            found.append(guardian_id)
    return tuple(found)


# --- the door for the document sharing service ----------

_DDS_HP_ROW: GateRow = Row(
    "D-OK-TREATMENT",
    "the document sharing service has checked consent and relation",
    always,
    _PERMIT,
    GATE_F[-1].kind,
    "6.5",
)
DDS_GATES: tuple[tuple[str, GateRows], ...] = (
    ("A", (AUDIT_ROW, ROLE_NOT_ALLOWED_ROW)),
    ("C", GATE_C),
)


def decide_dds_door(
    patient: Patient,
    note: NoteFacts,
    request: Request,
    now: datetime,
    config: RuleConfig = DEFAULT_CONFIG,
) -> DisclosureDecision:
    """May the document sharing service fetch this note for the one it names?

    Consent, relation and the citizen's log are behind us there, so gates B and
    F are not repeated and ``MINLOG`` is never asked for. The note must be
    published at the reader's destination and nationally.

    Args:
        patient: whose note it is.
        note: the version asked for.
        request: role ``HP`` when the HSUID names a professional, ``SELF`` for a
            citizen, ``GUARDIAN``, ``PROXY`` or ``LEGAL_REP`` for a citizen who
            acts for another; of the rest only ``sources.audit_ok`` is looked at.
        now: aware instant.
        config: the values of section 16.

    Returns:
        Every denial but that of an unwritable log carries ``NEUTRAL``: it is
        answered as an unknown document.

    Source: sharing-rules 6.5, 5.4.
    """
    look = Look(patient, note, None, request, _NO_ORGANISATIONS, now, config)
    for gate, rows in DDS_GATES:
        row = first_hit(rows, look)
        if row is not None:
            return _dds_decided(look, row, gate)
    role = request.role or ""
    is_hp = role == _HP
    decisions = decide_publication(patient, note, now, config)
    own = decisions.at(_REPOSITORY if is_hp else _FEED)
    look.publication = _strictest(own, decisions.national)
    row = first_hit(GATE_D_HP if is_hp else GATE_D_CITIZEN, look)
    if row is not None:
        return _dds_decided(look, row, "D", look.publication.code)
    if is_hp:
        return _dds_decided(look, _DDS_HP_ROW, "D")
    return _dds_decided(look, first_hit(GATE_E[role], look) or DEFAULT_DENIAL, "E")


def _strictest(own: PublicationDecision, national: PublicationDecision) -> PublicationDecision:
    """The reader's own destination if it denies, else what is true nationally."""
    return own if own.decision is not PublicationOutcome.PUBLISH else national


def _dds_decided(
    look: Look, row: GateRow, gate: str, detail: str | None = None
) -> DisclosureDecision:
    outcome = DisclosureOutcome(row.decision)
    if outcome is _PERMIT:
        duties = _obligations(look, outcome, row.code, gate) - _NOT_AT_DDS
    elif row.code == AUDIT_ROW.code:
        duties = _NOTHING
    else:
        duties = _LOG_AND_NEUTRAL
    return DisclosureDecision(outcome, row.code, detail, duties, gate)


_NOT_AT_DDS = frozenset({Obligation.MINLOG, Obligation.FOLLOW_UP_RELATION})
