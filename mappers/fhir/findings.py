"""What the checks of a document found so far, as issues by rule and place."""

from __future__ import annotations

from dataclasses import dataclass, field

from mappers.fhir.rules import RULES, WARNINGS
from mappers.issues import Issue
from mappers.practice.fields import Checks


@dataclass(slots=True)
class Findings:
    """Collects breaches; each rule is told once per place."""

    issues: dict[tuple[str, str], Issue] = field(default_factory=dict)
    warnings: dict[tuple[str, str], Issue] = field(default_factory=dict)

    def add(self, rule_id: str, path: str) -> None:
        """Note a breach of a rule of :data:`mappers.fhir.rules.RULES` at a place."""
        rule = RULES[rule_id]
        self.put(Issue(rule.id, path, rule.source, rule.message_da, rule.message_en))

    def put(self, issue: Issue) -> None:
        """Note a breach that was put into words elsewhere."""
        target = self.warnings if issue.code in WARNINGS else self.issues
        target.setdefault((issue.code, issue.path), issue)

    def take(self, fields: Checks) -> None:
        """Note the breaches that field checks gathered."""
        for issue in fields.issues:
            self.put(issue)

    def warn(self, issue: Issue) -> None:
        """Note a warning that was put into words elsewhere."""
        self.warnings.setdefault((issue.code, issue.path), issue)
