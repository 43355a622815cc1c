"""A rule as a row: code, condition, outcome, kind and source. First hit wins.

The same rows are evaluated, rendered for compliance staff and hashed, so that
what is shown is what was run.

Source: sharing-rules 0 (kinds of rule; "first matching row wins").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

FactsT = TypeVar("FactsT")


class Kind(StrEnum):
    """What a rule rests on, and so who may change it."""

    LAW = "LAW"
    NSR = "NSR"
    AGR = "AGR"
    OWN = "OWN"


@dataclass(frozen=True, slots=True)
class Row(Generic[FactsT]):
    """One rule. ``when`` says in words what ``condition`` tests on the facts.

    ``kind`` may name two kinds where a rule rests on both; ``source`` is the id
    in the rule register.
    """

    code: str
    when: str
    condition: Callable[[FactsT], bool]
    decision: str
    kind: tuple[Kind, ...]
    source: str


def first_hit(rows: Iterable[Row[FactsT]], facts: FactsT) -> Row[FactsT] | None:
    """The first row whose condition holds, or None when none does."""
    for row in rows:
        if row.condition(facts):
            return row
    return None


def always(_facts: object) -> bool:
    """The condition of a last row."""
    return True
