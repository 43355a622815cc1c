"""What the checks of a document found so far, as issues by rule and place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mappers.fhir.rules import RULES, WARNINGS
from mappers.issues import Issue
from mappers.practice.fields import Checks

MOST_PLACES: Final = 100
"""So many places are told of each rule: a document of nothing but faults stays readable."""


@dataclass(slots=True)
class Findings:
    """Collects breaches; each rule is told once per place, at most :data:`MOST_PLACES` times."""

    issues: dict[tuple[str, str], Issue] = field(default_factory=dict)
    warnings: dict[tuple[str, str], Issue] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)

    def add(self, rule_id: str, path: str) -> None:
        """Note a breach of a rule of :data:`mappers.fhir.rules.RULES` at a place."""
        rule = RULES[rule_id]
        self.put(Issue(rule.id, path, rule.source, rule.message_da, rule.message_en))

    def put(self, issue: Issue) -> None:
        """Note a breach that was put into words elsewhere."""
        target = self.warnings if issue.code in WARNINGS else self.issues
        told = self._places.get(issue.code, 0)
        if told >= MOST_PLACES or (issue.code, issue.path) in target:
            return
        self._places[issue.code] = told + 1
        target[issue.code, issue.path] = issue

    def take(self, fields: Checks) -> None:
        """Note the breaches that field checks gathered."""
        for issue in fields.issues:
            self.put(issue)
