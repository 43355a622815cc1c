"""The log for programs of compliance staff: ``POST /audit/v1/search``.

The same duties as on the pages: case number and ground, an entry for each look,
pseudonyms.

Source: design.md 3.4; sharing-rules 11.3.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.api import problems
from gateway.api.audit_ui.search import (
    LogReader,
    check_search,
    require_compliance,
    show_page,
)
from gateway.api.audit_ui.session import Ticket
from gateway.api.json_body import parse_json
from gateway.api.principals import PersonPrincipal
from gateway.api.problems import Problem, problem_response
from gateway.api.services import Services
from gateway.api.submissions import read_body, request_id_of
from gateway.cursors import read_cursor, write_cursor
from gateway.errors import NotAuthorized, NoteRejected
from mappers.issues import Issue

BODY_LIMIT_BYTES: Final = 32_000
FIELDS: Final = ("cpr", "case_number", "ground", "cursor")
NO_STORE: Final = {"Cache-Control": "no-store"}
_RULE: Final = "design 3.4"


async def post_search(request: Request) -> Response:
    """``POST /audit/v1/search``: ``{cpr, case_number, ground, cursor?}``."""
    services: Services = request.app.state.services
    reader = await _reader(request, services)
    body = await read_body(request, BODY_LIMIT_BYTES)
    if body is None:
        return problem_response(problems.BODY_TOO_LARGE, (), NO_STORE)
    try:
        given = parse_json(body)
    except NoteRejected as error:
        return _refused(list(error.issues))
    if not isinstance(given, dict):
        return _refused([_wrong_type("$", "et JSON-objekt", "a JSON object")])
    fields, issues = _fields(given)
    cpr, clean, faults = check_search(fields, with_reason=False)
    known = {issue.path for issue in issues}
    issues += [fault for fault in faults if fault.path not in known]
    if cpr is None or issues:
        return _refused(issues)
    ticket = Ticket(
        services.ring.person_id(cpr.value), clean["case_number"], "OTHER", clean["ground"]
    )
    owner = f"audit|{reader.person_id}|{ticket.patient_id}"
    before = (
        read_cursor(services.ring.cursors, fields["cursor"], owner) if fields["cursor"] else None
    )
    page = await show_page(services, reader, ticket, before)
    following = (
        write_cursor(services.ring.cursors, page.next_before, owner)
        if page.next_before is not None
        else None
    )
    return Response(
        orjson.dumps({"entries": [each.to_json() for each in page.entries], "cursor": following}),
        media_type="application/json",
        headers=NO_STORE,
    )


async def _reader(request: Request, services: Services) -> LogReader:
    principal = await services.tokens.open(request.headers.get("authorization"))
    if not isinstance(principal, PersonPrincipal):
        raise NotAuthorized("no person", status=403)
    require_compliance(principal.role, principal.auth_level)
    return LogReader(
        principal.person_id,
        principal.name,
        principal.auth_level,
        principal.authorization_id,
        "audit_api",
        request_id_of(request),
    )


def _fields(given: dict[str, Any]) -> tuple[dict[str, str], list[Issue]]:
    """The text fields of a body, absent ones empty, and the faults of its form."""
    issues = [_unknown() for name in given if name not in FIELDS][:1]
    fields = {}
    for name in FIELDS:
        value = given.get(name)
        if value is not None and not isinstance(value, str):
            issues.append(_wrong_type(f"$.{name}", "en tekst", "a text"))
        fields[name] = value if isinstance(value, str) else ""
    return fields, issues


def _wrong_type(path: str, da: str, en: str) -> Issue:
    return Issue("FIELD-TYPE", path, _RULE, f"Skriv {da} her.", f"Write {en} here.")


def _unknown() -> Issue:
    # The name is not repeated: it might hold anything, a CPR number too.
    known = ", ".join(FIELDS)
    return Issue(
        "FIELD-UNKNOWN",
        "$",
        _RULE,
        f"Et felt kendes ikke. Brug kun: {known}.",
        f"A field is not known. Use only: {known}.",
    )


def _refused(issues: list[Issue]) -> Response:
    codes = sorted({issue.code for issue in issues})
    first = issues[0]
    is_single = len(issues) == 1
    return problem_response(
        Problem(
            422,
            codes[0] if len(codes) == 1 else "SEARCH-REJECTED",
            "The search can't be made",
            first.message_da if is_single else f"{len(issues)} fejl, se errors.",
            first.message_en if is_single else f"{len(issues)} faults, see errors.",
        ),
        issues,
        NO_STORE,
    )
