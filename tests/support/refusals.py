"""Bad notes: sending and validating them, and what must be true of every refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from gateway.demo.client import Reply
from tests.support.client import NOTES, Caller, Json
from tests.support.system import System

COUNTS = (
    "SELECT (SELECT count(*) FROM note), (SELECT count(*) FROM note_version),"
    " (SELECT count(*) FROM patient)"
)


def stored(system: System) -> tuple[Any, ...]:
    """How many notes, versions and patients there are; all else hangs on a version."""
    return system.query(COUNTS)[0]


def rejection(system: System, request_id: str) -> Json:
    """The audit entry that tells of a refused submission."""
    ((body,),) = system.query(
        "SELECT convert_from(body, 'UTF8') FROM audit_entry WHERE action = 'REJECTED'"
        " AND position(%s in convert_from(body, 'UTF8')) > 0",
        request_id,
    )
    found: Json = json.loads(body)
    return found


async def send(
    client: Caller,
    body: bytes,
    *,
    request_id: str,
    content_type: str = "application/json",
    practice: str = "practice-1",
    **headers: str,
) -> Reply:
    """Post a body as it is."""
    sent = {"Content-Type": content_type, "X-Request-Id": request_id, **headers}
    return await client.call("POST", NOTES, body=body, headers=sent, persona=practice)


async def validate(client: Caller, note: Json, practice: str = "practice-1") -> Reply:
    """Ask what sending this note would be answered."""
    body = json.dumps(note, ensure_ascii=False).encode()
    return await client.call("POST", f"{NOTES}:validate", body=body, persona=practice)


def change(path: str, value: Any) -> Callable[[Json], None]:
    """Set a field, ``patient.cpr`` say; the value ``...`` removes it."""
    *objects, name = path.split(".")

    def apply(note: Json) -> None:
        for each in objects:
            note = note[each]
        if value is ...:
            del note[name]
        else:
            note[name] = value

    return apply


def check_problem(reply: Reply, status: int, code: str) -> Json:
    """Every refusal has one form, in two languages, and repeats nothing of the note."""
    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem: Json = reply.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    assert problem["detail"]
    for each in problem["errors"]:
        assert set(each) == {"code", "path", "rule", "message_da", "message_en"}
        assert all(each.values())
        assert each["message_da"] != each["message_en"]
    assert re.search(rb"\d{10}", reply.body) is None
    return problem
