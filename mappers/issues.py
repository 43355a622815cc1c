"""What is wrong with a submission, and what could be read of it.

A fault names its place, the rule it breaks and the remedy, in Danish and in
English; all faults of a submission are told at once.

Source: design.md 3 (errors[]), 3.1 (codes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mappers.note import JournalNote


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault or warning; never holds note text or a CPR number."""

    code: str
    path: str
    rule: str
    message_da: str
    message_en: str

    def to_json(self) -> dict[str, str]:
        """The form of ``errors[]`` and ``warnings[]``."""
        return {
            "code": self.code,
            "path": self.path,
            "rule": self.rule,
            "message_da": self.message_da,
            "message_en": self.message_en,
        }


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a body: a note, or the faults that forbid one."""

    note: JournalNote | None
    issues: tuple[Issue, ...] = ()
    warnings: tuple[Issue, ...] = ()
