"""What can go wrong in a double, as problem documents (RFC 9457).

The doubles share no code with the product, so they have a root error of their
own. Messages name services, operations and fields, never a CPR number.
"""

from __future__ import annotations

from typing import Any, ClassVar

import orjson
from aiohttp import web

PROBLEM_JSON = "application/problem+json"


class DoubleError(Exception):
    """Root of every error a double reports to its caller.

    ``code`` is stable, ``retry`` is ``no`` or ``later``, ``actor`` says who
    has to act, ``status`` is the HTTP status of the answer. ``extra`` goes
    into the problem document as further members.
    """

    code: ClassVar[str] = "DOUBLE-ERROR"
    retry: ClassVar[str] = "no"
    actor: ClassVar[str] = "sender"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class BadRequest(DoubleError):
    """The body is no JSON object, or a member is missing or of the wrong type."""

    code = "BODY-MALFORMED"
    status = 400


class UnknownName(DoubleError):
    """No service, operation or persona of that name."""

    code = "NAME-UNKNOWN"
    status = 404


class ClockNotConfirmed(DoubleError):
    """Some subscribed process did not confirm the new time within its two seconds."""

    code = "CLOCK-NOT-CONFIRMED"
    retry = "later"
    actor = "peer"
    status = 504


def problem(status: int, code: str, detail: str, **extra: Any) -> web.Response:
    """Build a problem document.

    Args:
        status: HTTP status, also written into the document.
        code: stable code.
        detail: one sentence for a person; no CPR number.
        extra: further members.

    Source: RFC 9457.
    """
    document = {"type": "about:blank", "status": status, "code": code, "detail": detail, **extra}
    return web.Response(status=status, body=orjson.dumps(document), content_type=PROBLEM_JSON)


def problem_from(error: DoubleError) -> web.Response:
    """Turn one of our errors into its problem document."""
    return problem(error.status, error.code, error.detail, **error.extra)
