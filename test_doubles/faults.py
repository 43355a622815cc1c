"""Ordered mishaps: which request is refused, delayed or cut off.

A rule names a service, an operation, what shall happen and how often; the
first rule that matches a request is used up by it. ``wire.py`` carries it
out. Source: design 3.5; nsp 10 (every double can drop the connection before
reading, after reading, and after committing but before answering).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ANY = "*"


class FaultMode(StrEnum):
    """What happens to the request; the value is the wire spelling."""

    REFUSE = "refuse"
    DELAY = "delay"
    DROP_BEFORE = "drop_before"
    DROP_AFTER_READ = "drop_after_read"
    DROP_AFTER_COMMIT = "drop_after_commit"


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule.

    ``times`` is how many requests it still meets, None until it is cleared.
    ``delay_ms`` is waited first, whatever the mode. ``code`` is the fault
    code to refuse with; None lets the service choose.
    """

    fault_id: int
    service: str
    operation: str
    mode: FaultMode
    times: int | None = None
    delay_ms: int = 0
    code: str | None = None

    def meets(self, service: str, operation: str) -> bool:
        """Whether the rule concerns this request."""
        return self.service in (ANY, service) and self.operation in (ANY, operation)


class FaultBook:
    """The rules in force, oldest first."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._next_id = 1

    def add(
        self,
        service: str,
        operation: str,
        mode: FaultMode,
        *,
        times: int | None = None,
        delay_ms: int = 0,
        code: str | None = None,
    ) -> Fault:
        """Put a rule at the end of the list and return it with its id."""
        fault = Fault(self._next_id, service, operation, mode, times, delay_ms, code)
        self._next_id += 1
        self._rules.append(fault)
        return fault

    def listed(self) -> list[Fault]:
        """The rules that still meet requests, oldest first."""
        return list(self._rules)

    def clear(self, service: str | None = None) -> None:
        """Forget all rules, or those that name this service."""
        self._rules = [r for r in self._rules if service is not None and r.service != service]

    def take(self, service: str, operation: str) -> Fault | None:
        """Use the oldest matching rule once; None when nothing shall go wrong."""
        for index, rule in enumerate(self._rules):
            if not rule.meets(service, operation):
                continue
            if rule.times is not None:
                left = _once_less(rule)
                self._rules[index : index + 1] = [] if left is None else [left]
            return rule
        return None


def _once_less(rule: Fault) -> Fault | None:
    if rule.times is None or rule.times <= 1:
        return None
    return Fault(
        rule.fault_id,
        rule.service,
        rule.operation,
        rule.mode,
        rule.times - 1,
        rule.delay_ms,
        rule.code,
    )
