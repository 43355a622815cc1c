"""The audit entry of one look: who asked, on what ground, and a decision per note.

Source: sharing-rules 11.1; one entry per request with a list of decisions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from consent.facts import GatheredFacts
from consent.model import DisclosureDecision, Obligation
from gateway.pipeline.audit import AuditAction, AuditEntry
from gateway.pipeline.looks import Judged, Look

# Carried out by this very entry; the others are marked as still to be done.
_DONE_BY_ENTRY = frozenset({Obligation.LOG, Obligation.NEUTRAL})


def entry_for_read(
    look: Look,
    facts: GatheredFacts,
    judged: Sequence[Judged],
    served: Collection[tuple[UUID, int]],
    closed: DisclosureDecision | None,
    now: datetime,
) -> AuditEntry:
    """The entry that is committed before anything leaves.

    ``served`` holds the note versions that this answer will contain. The action
    is DENY when it will contain none although something was asked about.
    """
    decisions = [_decision(item, served) for item in judged]
    permitted = any(item.decision.is_permitted for item in judged)
    denied = closed is not None or (bool(judged) and not permitted)
    details: dict[str, Any] = {
        "door": look.door,
        "view": look.view,
        "reader": _reader(look, facts),
        "ground": _ground(facts),
        "decisions": decisions,
        "freshness": _freshness(facts),
        "request_id": look.request_id,
    }
    if closed is not None:
        details["closed"] = {
            "code": closed.code,
            "gate": closed.gate,
            "obligations": _obligations(closed),
        }
    return AuditEntry(
        AuditAction.DENY if denied else AuditAction(look.view),
        now,
        details,
        patient_id=UUID(look.subject.id),
        actor=f"person:{look.reader.actor_id}",
    )


def _decision(item: Judged, served: Collection[tuple[UUID, int]]) -> dict[str, Any]:
    decision = item.decision
    key = (item.note.note_id, item.version.version)
    return {
        "note_id": str(item.note.note_id),
        "version": item.version.version,
        "author_org": item.version.facts.author_org,
        "decision": decision.decision.value,
        "code": decision.code,
        "detail": decision.detail,
        "obligations": _obligations(decision),
        "registrations": list(decision.registrations),
        "served": key in served,
    }


def _obligations(decision: DisclosureDecision) -> dict[str, str]:
    return {
        duty.value: "done" if duty in _DONE_BY_ENTRY else "due"
        for duty in sorted(decision.obligations)
    }


def _reader(look: Look, facts: GatheredFacts) -> dict[str, Any]:
    reader = look.reader
    return {
        "person_id": reader.actor_id,
        "name": look.actor_name,
        "role": reader.role,
        "authorization_id": reader.authorization_id,
        "profession": facts.request.profession,
        "authorised": facts.request.authorised,
        "on_behalf_of": facts.request.on_behalf_of,
        "acting_org_asserted": reader.acting_org,
        "acting_org_verified": look.acting_org_verified,
        "auth_level": reader.auth_level,
        "client_system": look.client_system,
    }


def _ground(facts: GatheredFacts) -> dict[str, Any]:
    request = facts.request
    evidence = facts.relation_evidence
    override = request.override
    return {
        "purpose": request.purpose,
        "relation": request.relation,
        "relation_category": evidence.category if evidence else None,
        "relation_reference": evidence.reference if evidence else None,
        "override": {"reason": override.reason, "text": override.text} if override else None,
    }


def _freshness(facts: GatheredFacts) -> dict[str, Any]:
    sources = facts.request.sources
    return {
        "consent_age_s": sources.consent_age_s,
        "custody_age_s": sources.custody_age_s,
        "proxy_age_s": sources.proxy_age_s,
        "failures": dict(facts.failures),
    }
