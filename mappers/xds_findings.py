"""What the checks of metadata found so far, as issues by rule and place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mappers.issues import Issue
from mappers.xds_reading import WireObject
from mappers.xds_rules import METADATA_RULES

MOST_ISSUES: Final = 200
"""So many are told: a message of nothing but faults stays readable."""


@dataclass(slots=True)
class MetadataFindings:
    """Collects breaches; each rule is told once per place."""

    _found: dict[tuple[str, str], Issue] = field(default_factory=dict)

    def add(self, rule_id: str, path: str) -> None:
        """Note a breach of a rule of :data:`mappers.xds_rules.METADATA_RULES`."""
        rule = METADATA_RULES[rule_id]
        if len(self._found) < MOST_ISSUES:
            issue = Issue(rule.id, path, rule.source, rule.message_da, rule.message_en)
            self._found.setdefault((rule_id, path), issue)

    def at(self, owner: WireObject, rule_id: str, attribute: str, line: int | None = None) -> None:
        """Note a breach at an attribute of an entry or set."""
        self.add(rule_id, f"{owner.kind}.{attribute}@line {line or owner.line}")

    def issues(self) -> tuple[Issue, ...]:
        """All of them in the order they were found."""
        return tuple(self._found.values())
