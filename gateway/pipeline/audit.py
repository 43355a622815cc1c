"""The closed list of audit entries, and the fields each must have.

An entry is one JSON object in canonical form (sorted keys, UTF-8). Those very
bytes are what the log seals, exports and proves. Persons are opaque ids, notes
are ids, versions and hashes; a text, a title or a CPR number never stands here.

Source: sharing-rules 11.1; design.md section 2 (audit).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib import metadata
from typing import Any, Final
from uuid import UUID, uuid4

import orjson

from consent.config import DEFAULT_CONFIG
from consent.rules import RULES_VERSION, rules_hash
from consent.times import COPENHAGEN
from gateway.errors import GatewayError


class AuditAction(StrEnum):
    """What happened; never reused for something else."""

    RECEIVED = "RECEIVED"  # a version was acknowledged, again or for the first time
    REJECTED = "REJECTED"  # a submission was refused; only its codes are kept
    MARKING = "MARKING"  # the practice changed a marking
    CANCELLED = "CANCELLED"  # the practice withdrew a note
    MOVED = "MOVED"  # decided, mapped, signed, routed: the moves of one note
    PURGED = "PURGED"  # content destroyed
    DELIVERY = "DELIVERY"  # one attempt at a national destination
    LIST = "LIST"  # somebody saw which notes there are
    CONTENT = "CONTENT"  # somebody read notes
    DENY = "DENY"  # somebody asked and got nothing
    LOGIN = "LOGIN"
    LOG_READ = "LOG_READ"  # somebody looked into this log
    EXPORT = "EXPORT"  # this log was written out
    PRACTICE = "PRACTICE"  # a practice was enrolled or changed


# Per action, the detail fields that must be there.
REQUIRED: Final[Mapping[AuditAction, frozenset[str]]] = {
    AuditAction.RECEIVED: frozenset({"note", "outcome", "request_id"}),
    AuditAction.REJECTED: frozenset({"codes", "request_id"}),
    AuditAction.MARKING: frozenset({"note", "changes", "request_id"}),
    AuditAction.CANCELLED: frozenset({"note", "request_id"}),
    AuditAction.MOVED: frozenset({"note", "trigger", "moves", "decisions"}),
    AuditAction.PURGED: frozenset({"note"}),
    AuditAction.DELIVERY: frozenset({"note", "operation", "verdict", "code", "states"}),
    AuditAction.LIST: frozenset({"reader", "ground", "decisions", "freshness", "request_id"}),
    AuditAction.CONTENT: frozenset({"reader", "ground", "decisions", "freshness", "request_id"}),
    AuditAction.DENY: frozenset({"reader", "ground", "decisions", "freshness", "request_id"}),
    AuditAction.LOGIN: frozenset({"reader"}),
    AuditAction.LOG_READ: frozenset({"reader", "case_number", "ground"}),
    AuditAction.EXPORT: frozenset({"reader"}),
    AuditAction.PRACTICE: frozenset({"practice", "change"}),
}

# What every entry has; details may not stand in for it.
OWN_FIELDS: Final = frozenset(
    {"entry_id", "at", "at_local", "action", "patient_id", "practice_id", "actor", "policy"}
)

SOFTWARE_VERSION: Final = metadata.version("journal-note-gateway")


class AuditFieldMissing(GatewayError):
    """An entry lacks a field its action demands, or overwrites one of its own: a bug."""

    code = "AUDIT-FIELD"
    actor = "developer"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. ``patient_id``, ``practice_id`` and ``actor`` can be searched for.

    Raises:
        AuditFieldMissing: a field that the action demands is not in ``details``,
            ``details`` hold one of :data:`OWN_FIELDS`, or ``at`` has no offset.
    """

    action: AuditAction
    at: datetime
    details: Mapping[str, Any]
    patient_id: UUID | None = None
    practice_id: UUID | None = None
    actor: str | None = None
    entry_id: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        missing = REQUIRED[self.action] - self.details.keys()
        if missing:
            raise AuditFieldMissing(f"{self.action}: {', '.join(sorted(missing))}")
        if not OWN_FIELDS.isdisjoint(self.details):
            raise AuditFieldMissing(f"{self.action}: details overwrite the entry's own fields")
        if self.at.tzinfo is None:
            raise AuditFieldMissing(f"{self.action}: a time without offset")


def policy_stamp() -> dict[str, str]:
    """Which rules, configuration and software an entry was made under."""
    return _POLICY


_POLICY: Final = {
    "rules_version": RULES_VERSION,
    "rules_hash": rules_hash(),
    "configuration_hash": DEFAULT_CONFIG.fingerprint(),
    "software": SOFTWARE_VERSION,
}


# The same in every entry: written once.
_POLICY_JSON: Final = orjson.Fragment(orjson.dumps(_POLICY, option=orjson.OPT_SORT_KEYS))


def entry_bytes(entry: AuditEntry) -> bytes:
    """The canonical form: what is hashed, sealed, exported and proved."""
    return orjson.dumps(
        {
            "entry_id": str(entry.entry_id),
            "at": entry.at.isoformat(),
            "at_local": entry.at.astimezone(COPENHAGEN).isoformat(),
            "action": entry.action.value,
            "patient_id": str(entry.patient_id) if entry.patient_id else None,
            "practice_id": str(entry.practice_id) if entry.practice_id else None,
            "actor": entry.actor,
            "policy": _POLICY_JSON,
            **entry.details,
        },
        option=orjson.OPT_SORT_KEYS,
        default=str,
    )
