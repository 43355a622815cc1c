"""From an error of ours to what the caller sees: one table for JSON faces.

Every error answer of a JSON face is ``application/problem+json`` (RFC 9457)
with ``code``, ``detail`` and ``errors[]``; the FHIR and SOAP faces have their
own writers. A message never repeats what the caller sent.

Source: design.md section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.responses import Response

from consent.errors import ConsentUnavailable
from gateway.cursors import CursorUnreadable
from gateway.errors import (
    GatewayError,
    NotAuthorized,
    NoteRejected,
    NoteUnknown,
    PreconditionFailed,
    Unavailable,
)
from mappers.issues import Issue

RETRY_AFTER_SECONDS: Final = 5
MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of error answer; ``title`` in English, ``detail`` in both languages."""

    status: int
    code: str
    title: str
    detail_da: str
    detail_en: str


TOKEN_INVALID: Final = Problem(
    401,
    "TOKEN-INVALID",
    "The token is not accepted",
    "Adgangstokenet mangler, er udløbet eller er ikke udstedt af os. Hent et nyt.",
    "The token is missing, has expired or is not ours. Fetch a new one.",
)
NOT_ALLOWED: Final = Problem(
    403,
    "NOT-ALLOWED",
    "This role may not do this",
    "Din rolle giver ikke adgang hertil.",
    "Your role does not open this.",
)
NOTE_UNKNOWN: Final = Problem(
    404,
    "NOTE-UNKNOWN",
    "No such note",
    "Der findes ikke et sådant notat hos jer.",
    "There is no such note of yours.",
)
NOT_ACCEPTABLE: Final = Problem(
    406,
    "NOT-ACCEPTABLE",
    "No form of the document that you accept",
    "Dokumentet findes som application/fhir+json og application/fhir+xml. Bed om en af dem.",
    "The document is there as application/fhir+json and application/fhir+xml. Ask for one of them.",
)
PRECONDITION: Final = Problem(
    412,
    "PRECONDITION",
    "The markings have changed",
    "Markeringerne er ændret siden. Hent dem igen, og gentag ændringen.",
    "The markings have changed since. Read them again and repeat the change.",
)
UNAVAILABLE: Final = Problem(
    503,
    "UNAVAILABLE",
    "Try again later",
    "Tjenesten kan ikke svare lige nu. Prøv igen om lidt; intet er gået tabt.",
    "The service can't answer right now. Try again shortly; nothing is lost.",
)
BODY_TOO_LARGE: Final = Problem(
    413,
    "BODY-TOO-LARGE",
    "The body is too large",
    "Notatet fylder mere end den tilladte grænse. Del det, eller fjern indlejret indhold.",
    "The note is larger than the limit. Divide it or remove embedded content.",
)
CURSOR: Final = Problem(
    400,
    "CURSOR",
    "The cursor can't be read",
    "Cursoren er ikke udstedt til dette kald. Begynd forfra uden cursor.",
    "The cursor was not made for this call. Start again without one.",
)
CPR_IN_URL: Final = Problem(
    400,
    "CPR-IN-URL",
    "A CPR number must not stand in a URL",
    "Et CPR-nummer må ikke stå i adressen. Brug et kald med POST.",
    "A CPR number must not stand in the address. Use a call with POST.",
)
REJECTED_TITLE: Final = "The note can't be taken"


def problem_response(
    problem: Problem,
    issues: Sequence[Issue] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error answer of this kind, with all faults listed."""
    body: dict[str, Any] = {
        "type": f"urn:dk:notegateway:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": f"{problem.detail_da} / {problem.detail_en}",
        "errors": [issue.to_json() for issue in issues],
    }
    return Response(
        orjson.dumps(body), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers
    )


def respond(error: GatewayError | ConsentUnavailable) -> Response:
    """The answer to an error: the one table from class to status."""
    if isinstance(error, NoteRejected):
        return _rejected(error)
    if isinstance(error, NotAuthorized):
        headers = {"WWW-Authenticate": "Bearer"} if error.status == TOKEN_INVALID.status else None
        return problem_response(TOKEN_INVALID if error.status == 401 else NOT_ALLOWED, (), headers)
    if isinstance(error, NoteUnknown):
        return problem_response(NOTE_UNKNOWN)
    if isinstance(error, PreconditionFailed):
        return problem_response(PRECONDITION)
    if isinstance(error, CursorUnreadable):
        return problem_response(CURSOR)
    if isinstance(error, Unavailable | ConsentUnavailable):
        return problem_response(UNAVAILABLE, (), {"Retry-After": str(RETRY_AFTER_SECONDS)})
    raise error


def _rejected(error: NoteRejected) -> Response:
    codes = sorted({issue.code for issue in error.issues})
    first = error.issues[0]
    return problem_response(
        Problem(
            error.status,
            codes[0] if len(codes) == 1 else "NOTE-REJECTED",
            REJECTED_TITLE,
            first.message_da if len(error.issues) == 1 else f"{len(error.issues)} fejl, se errors.",
            first.message_en
            if len(error.issues) == 1
            else f"{len(error.issues)} faults, see errors.",
        ),
        error.issues,
    )
