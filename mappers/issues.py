"""What is wrong with a submission, and what could be read of it.

A fault names its place, the rule it breaks and the remedy, in Danish and in
English; all faults of a submission are told at once.

Source: design.md 3 (errors[]), 3.1 (codes).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mappers.note import JournalNote


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault or warning; never holds note text or a CPR number.

    ``line`` counts from 1, for a body in XML; None where no line is known.
    """

    code: str
    path: str
    rule: str
    message_da: str
    message_en: str
    line: int | None = None

    def to_json(self) -> dict[str, str | int]:
        """The form of ``errors[]`` and ``warnings[]``; without a line there is none."""
        told: dict[str, str | int] = {
            "code": self.code,
            "path": self.path,
            "rule": self.rule,
            "message_da": self.message_da,
            "message_en": self.message_en,
        }
        return told if self.line is None else told | {"line": self.line}


@dataclass(frozen=True, slots=True)
class Places:
    """Where a body has the fields that are judged outside the reader, as ``path`` of an issue."""

    source_note_id: str
    version: str
    cpr: str
    sor_code: str
    completed_at: str


@dataclass(frozen=True, slots=True)
class Legible:
    """What could be read of a submission, whatever else is wrong with it.

    A value is there only if it is valid by itself, so that a fault found with
    it is true of the corrected body too; None says that it could not be read.
    """

    places: Places
    source_note_id: str | None = field(default=None, repr=False)
    version: int | None = None
    status: str | None = None
    completed_at: datetime | None = field(default=None, repr=False)
    sor_code: str | None = field(default=None, repr=False)
    cpr: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a body: a note, or the faults that forbid one.

    ``legible`` is there in both cases, for the checks that need the sender,
    the clock or the store.
    """

    note: JournalNote | None
    legible: Legible
    issues: tuple[Issue, ...] = ()
    warnings: tuple[Issue, ...] = ()
