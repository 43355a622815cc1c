"""The rule configuration: limits and lists that may change without a new rule.

Source: sharing-rules 16 (defaults, and how a change is made).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import datetime

from consent.errors import ConfigurationUnsound

APPROVERS_NEEDED = 2


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """One set of values. Ages in seconds, spans in the unit of the name."""

    release_mode: str = "NEXT_MIDNIGHT"
    max_delay_days: int = 30
    consent_max_age_s: int = 300
    custody_max_age_s: int = 86_400
    mandate_max_age_s: int = 3_600
    authorization_max_age_s: int = 86_400
    professions: frozenset[str] = frozenset(
        {"DOCTOR", "NURSE", "MIDWIFE", "DENTIST", "PARAMEDIC"},
    )
    relation_minimum: str = "B"
    followup_days: int = 30
    guardian_access: bool = True
    guardian_filter: frozenset[str] = frozenset({"REPRO", "PSY", "HIV", "SUBST"})
    never_to_others: frozenset[str] = frozenset({"DV", "ABUSE"})
    override_min_chars: int = 15
    share_history: bool = False
    audit_years: int = 5
    withdrawn_purge_h: int = 24

    def __post_init__(self) -> None:
        if self.release_mode != "NEXT_MIDNIGHT":
            raise ConfigurationUnsound(f"release_mode {self.release_mode!r} is not known")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 0:
                raise ConfigurationUnsound(f"{field.name} is negative")

    def fingerprint(self) -> str:
        """Hash over all values, 64 hexadecimal digits; equal values give equal hashes."""
        lines = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, frozenset):
                value = ",".join(sorted(value))
            lines.append(f"{field.name}={value}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


DEFAULT_CONFIG = RuleConfig()


@dataclass(frozen=True, slots=True)
class ConfigVersion:
    """A configuration with the instant it starts to count and who approved it.

    Raises:
        ConfigurationUnsound: fewer than two different approvers, or an instant
            without an offset.

    Source: sharing-rules 16.
    """

    config: RuleConfig
    valid_from: datetime
    approved_by: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.approved_by)) < APPROVERS_NEEDED:
            raise ConfigurationUnsound("a change needs two different approvers")
        if self.valid_from.tzinfo is None:
            raise ConfigurationUnsound("valid_from has no offset")


def config_at(versions: tuple[ConfigVersion, ...], instant: datetime) -> RuleConfig:
    """The configuration in force at ``instant``; the defaults before the first version."""
    in_force = [version for version in versions if version.valid_from <= instant]
    if not in_force:
        return DEFAULT_CONFIG
    return max(in_force, key=lambda version: version.valid_from).config
