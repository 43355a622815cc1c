"""What can go wrong inside the gateway: who acts, and whether to try again.

Every class states ``code`` (stable, public), ``retry`` and ``actor`` in the
sense of the house style. Errors of the national wires live in
``nsp_client.errors``; those of the mappers in ``mappers.errors``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from mappers.issues import Issue

Retry = Literal["no", "later", "after_renewal"]
Actor = Literal["sender", "operator", "peer", "developer"]


class GatewayError(Exception):
    """Root of everything the gateway raises on its own account."""

    code: ClassVar[str] = "GATEWAY"
    retry: ClassVar[Retry] = "no"
    actor: ClassVar[Actor] = "operator"


class NoteRejected(GatewayError):
    """A submission that can't be taken; every fault is in ``issues``."""

    code = "NOTE-REJECTED"
    actor = "sender"

    def __init__(self, issues: Sequence[Issue], status: int = 422) -> None:
        super().__init__(", ".join(sorted({issue.code for issue in issues})))
        self.issues = tuple(issues)
        self.status = status


class NotAuthorized(GatewayError):
    """The caller is unknown (401) or may not do this (403).

    ``reason`` is for the log and the operator; the caller gets the code only.
    """

    code = "TOKEN-INVALID"
    actor = "sender"

    def __init__(self, reason: str, code: str = "TOKEN-INVALID", status: int = 401) -> None:
        super().__init__(reason)
        self.public_code = code
        self.status = status


class NoteUnknown(GatewayError):
    """No such note for this caller; another practice's note looks the same."""

    code = "NOTE-UNKNOWN"
    actor = "sender"


class PreconditionFailed(GatewayError):
    """``If-Match`` names another revision of the markings."""

    code = "PRECONDITION"
    actor = "sender"


class Unavailable(GatewayError):
    """The store or a needed service is away; the sender tries again."""

    code = "UNAVAILABLE"
    retry = "later"
    actor = "operator"


class AuditUnwritable(Unavailable):
    """The audit entry could not be written, so nothing else may happen."""

    code = "UNAVAILABLE"


class IllegalMove(GatewayError):
    """A state change that the table in ``states.py`` does not hold: a bug."""

    code = "ILLEGAL-MOVE"
    actor = "developer"


class ContentGone(GatewayError):
    """The key of this content was destroyed: the note was purged."""

    code = "CONTENT-GONE"


class ConfigurationFault(GatewayError):
    """A setting is missing or contradicts another."""

    code = "CONFIGURATION"
