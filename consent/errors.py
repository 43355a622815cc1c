"""What can go wrong when asking who may see a note.

To refuse a reader is no error: it is a decision with a code. Errors here mean
that a fact could not be had, or that the configuration is not sound.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Retry = Literal["no", "later", "after_renewal"]
Actor = Literal["sender", "operator", "peer", "developer"]


class ConsentError(Exception):
    """Root of everything this package raises."""

    code: ClassVar[str] = "CONSENT"
    retry: ClassVar[Retry] = "no"
    actor: ClassVar[Actor] = "operator"


class ConsentUnavailable(ConsentError):
    """A place that knows did not answer, or answered with something unusable.

    ``source`` names it (``minspaerring``, ``brs``, ``cpr``, ``custody``,
    ``mandates``, ``authorization``). Whoever catches this must treat the fact
    as unknown; what follows from that is in sharing-rules 7.5, and it is never
    a yes. The message holds no person's number.
    """

    code = "CONSENT-UNAVAILABLE"
    retry = "later"
    actor = "peer"

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class ConfigurationUnsound(ConsentError):
    """A rule configuration that can't be used: a value out of range, or too few approvers."""

    code = "CONSENT-CONFIGURATION"
