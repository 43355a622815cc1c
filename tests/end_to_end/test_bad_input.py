"""What is wrong is refused with its code, place and remedy, and nothing of it is stored.

The codes are those of design.md 3.1. Each case is a right note but for one thing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from gateway.keys import KeyRing
from tests.support.client import FEED, NOTES, Caller, Json
from tests.support.refusals import change, check_problem, rejection, send, stored, validate
from tests.support.system import System

pytestmark = pytest.mark.postgres

LIMIT_BYTES = 1_000_000
OWN_FIELDS = {
    *("entry_id", "at", "at_local", "action", "patient_id", "practice_id", "actor", "policy")
}


@dataclass(frozen=True, slots=True)
class Case:
    """One thing wrong: what is done to a right note, and the fault that must be named."""

    name: str
    apply: Callable[[Json], None]
    code: str
    path: str
    status: int = 422


def html(text: str) -> Callable[[Json], None]:
    """Give the note this text."""
    return change("text", {"content_type": "text/html", "html": text})


CASES = (
    Case("an unknown field", change("colour", "blue"), "FIELD-UNKNOWN", "$.colour"),
    Case("one deeper down", change("patient.cprr", "x"), "FIELD-UNKNOWN", "$.patient.cprr"),
    Case(
        "an unknown marking", change("markings", {"hide": True}), "FIELD-UNKNOWN", "$.markings.hide"
    ),
    Case("a version as text", change("version", "1"), "FIELD-TYPE", "$.version"),
    Case("a version of zero", change("version", 0), "FIELD-TYPE", "$.version"),
    Case("a version that is true", change("version", True), "FIELD-TYPE", "$.version"),
    Case("a patient as a list", change("patient", []), "FIELD-TYPE", "$.patient"),
    Case("a yes as text", change("ai_assisted", "yes"), "FIELD-TYPE", "$.ai_assisted"),
    Case("a status of no list", change("status", "done"), "FIELD-TYPE", "$.status"),
    Case("a time that is none", change("created_at", "yesterday"), "FIELD-TYPE", "$.created_at"),
    Case("no source id", change("source_note_id", ...), "FIELD-MISSING", "$.source_note_id"),
    Case("no SOR code", change("organization.sor", ...), "FIELD-MISSING", "$.organization.sor"),
    Case("no text", change("text", ...), "FIELD-MISSING", "$.text"),
    Case(
        "a time without offset",
        change("created_at", "2026-12-10T10:00:00"),
        "TIME-NO-OFFSET",
        "$.created_at",
    ),
    Case(
        "a delay without offset",
        change("markings", {"delay_until": "2026-12-20T10:00:00"}),
        "TIME-NO-OFFSET",
        "$.markings.delay_until",
    ),
    Case(
        "a CPR number too short", change("patient.cpr", "300174999"), "CPR-INVALID", "$.patient.cpr"
    ),
    Case("a day of no month", change("patient.cpr", "3213749995"), "CPR-INVALID", "$.patient.cpr"),
    Case(
        "a replacement number",
        change("patient.cpr", "9001749995"),
        "P-REJ-IDENTITY",
        "$.patient.cpr",
    ),
    Case(
        "one with letters", change("patient.cpr", "3001741AB5"), "P-REJ-IDENTITY", "$.patient.cpr"
    ),
    Case("empty text", html("<p> </p>"), "TEXT-EMPTY", "$.text.html"),
    Case(
        "a script", html("<p>Ja</p><script>alert(1)</script>"), "HTML-ACTIVE-CONTENT", "$.text.html"
    ),
    Case("a handler", html('<p onclick="x()">Ja</p>'), "HTML-ACTIVE-CONTENT", "$.text.html"),
    Case("a style", html("<style>p{}</style><p>Ja</p>"), "HTML-ACTIVE-CONTENT", "$.text.html"),
    Case(
        "a frame", html('<iframe src="x"></iframe><p>Ja</p>'), "HTML-ACTIVE-CONTENT", "$.text.html"
    ),
    Case("an object", html('<object data="x"></object>Ja'), "HTML-ACTIVE-CONTENT", "$.text.html"),
    Case(
        "a link that runs",
        html('<p><a href=" java\tscript:x()">Ja</a></p>'),
        "HTML-ACTIVE-CONTENT",
        "$.text.html",
    ),
    Case(
        "completed before it was created",
        change("completed_at", "2026-12-01T10:00:00+01:00"),
        "P-REJ-INVALID",
        "$.completed_at",
    ),
    Case(
        "completed in the future",
        change("completed_at", "2027-12-01T10:00:00+01:00"),
        "P-REJ-INVALID",
        "$.completed_at",
    ),
    Case(
        "another practice's SOR",
        change("organization.sor", "72851000016003"),
        "SOR-NOT-YOURS",
        "$.organization.sor",
        403,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_one_thing_wrong_is_named_and_nothing_is_stored(
    system: System, client: Caller, case: Case
) -> None:
    note = await client.note(html="<p>Hemmelig sætning.</p>")
    source_note_id = note["source_note_id"]
    case.apply(note)
    before = stored(system)
    request_id = str(uuid4())
    body = json.dumps(note, ensure_ascii=False).encode()
    problem = check_problem(await send(client, body, request_id=request_id), case.status, case.code)
    (fault,) = problem["errors"]
    assert (fault["code"], fault["path"].partition("@line")[0]) == (case.code, case.path)
    assert "Hemmelig" not in json.dumps(problem)

    assert stored(system) == before
    ring = KeyRing.from_file(system.settings.master_key_file)
    note_id = ring.note_id("61741000016007", source_note_id)
    assert (await client.call("GET", f"{NOTES}/{note_id}", persona="practice-1")).status == 404
    entry = rejection(system, request_id)
    assert entry["codes"] == [case.code]
    assert set(entry) - OWN_FIELDS == {"codes", "sor_code", "request_id"}
    assert entry["patient_id"] is None

    # Validating says the same and leaves not even an entry.
    entries = system.query("SELECT count(*) FROM audit_entry")
    url = f"{NOTES}:validate"
    again = await client.call("POST", url, body=body, persona="practice-1")
    assert again.json() == problem
    assert system.query("SELECT count(*) FROM audit_entry") == entries


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"note"',
        b"\xff\xfe\x00",
        b'{"version": 1, "version": 2}',
        b'{"version": NaN}',
        b'{"source_note_id": "\\ud800"}',
        b'{"source_note_id": "a\\u0000b"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_a_body_that_is_no_note_is_malformed(
    system: System, client: Caller, body: bytes
) -> None:
    before = stored(system)
    request_id = str(uuid4())
    problem = check_problem(await send(client, body, request_id=request_id), 422, "BODY-MALFORMED")
    assert len(problem["errors"]) == 1
    assert stored(system) == before
    assert rejection(system, request_id)["codes"] == ["BODY-MALFORMED"]


async def test_all_faults_are_told_at_once(system: System, client: Caller) -> None:
    note = await client.note()
    for apply in (
        change("version", "1"),
        change("colour", "blue"),
        change("patient.cpr", "9001749995"),
        change("created_at", "2026-12-10T10:00:00"),
        change("organization.name", ...),
        html("<p>Ja</p><script>x</script>"),
    ):
        apply(note)
    request_id = str(uuid4())
    reply = await send(client, json.dumps(note).encode(), request_id=request_id)
    problem = check_problem(reply, 422, "NOTE-REJECTED")
    expected = [
        *("FIELD-MISSING", "FIELD-TYPE", "FIELD-UNKNOWN", "HTML-ACTIVE-CONTENT"),
        *("P-REJ-IDENTITY", "TIME-NO-OFFSET"),
    ]
    assert sorted(each["code"] for each in problem["errors"]) == expected
    assert rejection(system, request_id)["codes"] == expected


async def test_a_note_of_a_megabyte_is_taken_and_not_one_byte_more(
    system: System, client: Caller
) -> None:
    note = await client.note()
    empty = len(json.dumps(note, ensure_ascii=False).encode())
    note["text"]["html"] += "x" * (LIMIT_BYTES - empty)
    full = json.dumps(note, ensure_ascii=False).encode()
    assert len(full) == LIMIT_BYTES
    before = stored(system)
    over = full.replace(b'"version": 1', b'"version":  1')
    problem = check_problem(
        await send(client, over, request_id=str(uuid4())), 413, "BODY-TOO-LARGE"
    )
    assert problem["errors"] == []

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(over), 65_536):
            yield over[start : start + 65_536]

    # Without a declared length the limit holds too.
    token = await client.token("practice-1")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(client.gateway_url + NOTES, data=in_pieces(), headers=headers) as response,
    ):
        assert response.status == 413
    assert stored(system) == before
    assert (await send(client, full, request_id=str(uuid4()))).status == 202


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "", "application/jsonx", "text/json"]
)
async def test_another_content_type_is_refused(
    system: System, client: Caller, content_type: str
) -> None:
    before = stored(system)
    body = json.dumps(await client.note()).encode()
    reply = await send(client, body, request_id=str(uuid4()), content_type=content_type)
    problem = check_problem(reply, 415, "BODY-MALFORMED")
    assert problem["errors"][0]["path"] == "header Content-Type"
    assert stored(system) == before


async def test_a_document_without_its_context_says_what_is_missing(
    system: System, client: Caller
) -> None:
    kind = "application/fhir+json"
    reply = await send(client, b"{}", request_id=str(uuid4()), content_type=kind)
    missing = {each["path"] for each in reply.json()["errors"] if each["code"] == "CONTEXT-MISSING"}
    assert missing == {
        f"Note-Context.{name}" for name in ("source_note_id", "version", "contact_type")
    }
    # Of a body that is no JSON, the context is judged all the same.
    source = (await client.note(version=2))["source_note_id"]
    posted = await client.note(source_note_id=source, version=2)
    (await client.post_note(posted)).require(202)
    context = {"source_note_id": source, "version": 1, "contact_type": "consultation"}
    headers = {"Note-Context": json.dumps(context)}
    reply = await send(client, b"{", request_id=str(uuid4()), content_type=kind, **headers)
    problem = check_problem(reply, 422, "NOTE-REJECTED")
    assert [(each["code"], each["path"]) for each in problem["errors"]] == [
        ("BODY-MALFORMED", "$"),
        ("VERSION-OLD", "Note-Context.version"),
    ]
    broken = {"Note-Context": "{"}
    reply = await send(client, b"{}", request_id=str(uuid4()), content_type=kind, **broken)
    assert ("BODY-MALFORMED", "Note-Context") in {
        (each["code"], each["path"]) for each in reply.json()["errors"]
    }


async def test_versions_only_go_up_and_never_change(system: System, client: Caller) -> None:
    note = await client.note(version=3)
    receipt = (await client.post_note(note)).require(202).json()
    assert [each["code"] for each in receipt["warnings"]] == ["VERSION-GAP"]
    before = stored(system)
    other = {**note, "text": {"content_type": "text/html", "html": "<p>Andet.</p>"}}
    older = {**note, "version": 2}
    stranger = {**note["patient"], "cpr": "2512489996"}  # never met before
    foreign = {**note, "version": 4, "patient": stranger}
    for changed, code, path in (
        (other, "VERSION-CONFLICT", "$.version"),
        (older, "VERSION-OLD", "$.version"),
        (foreign, "VERSION-CONFLICT", "$.patient.cpr"),
    ):
        request_id = str(uuid4())
        reply = await send(client, json.dumps(changed).encode(), request_id=request_id)
        problem = check_problem(reply, 409, code)
        assert problem["errors"][0]["path"] == path
        assert rejection(system, request_id)["codes"] == [code]
        assert (await validate(client, changed)).json() == problem
    # Not even the patient of the note that was refused is written down.
    assert stored(system) == before
    # Other markings are no other content, and a replay changes none.
    replay = {**note, "markings": {"do_not_share": True}}
    forecast = (await validate(client, replay)).require(200).json()
    again = (await client.post_note(replay)).require(200).json()
    assert forecast == {
        "valid": True,
        "status": 200,
        "warnings": receipt["warnings"],
        "receipt": {**receipt, "state": forecast["receipt"]["state"]},
    }
    assert {**again, "state": receipt["state"]} == receipt
    assert (await client.view(receipt["note_id"]))["markings"]["do_not_share"] is False


async def test_a_note_of_another_practice_is_as_unknown_as_none(
    system: System, client: Caller
) -> None:
    note_id = await client.posted(await client.note())
    for unknown in (note_id, str(uuid4()), "not-an-id"):
        url = f"{NOTES}/{unknown}"
        replies = [
            await client.call("GET", url, persona="practice-2"),
            await client.call("POST", f"{url}/cancel", persona="practice-2"),
            await client.patch_markings(unknown, {"do_not_share": True}, "practice-2"),
        ]
        for reply in replies:
            check_problem(reply, 404, "NOTE-UNKNOWN")
    view = await client.view(note_id)
    assert view["withdrawn_at"] is None
    assert view["markings"]["do_not_share"] is False


@pytest.mark.parametrize(
    ("patch", "code", "path"),
    [
        ({"do_not_shared": True}, "FIELD-UNKNOWN", "$.do_not_shared"),
        ({"do_not_share": "yes"}, "FIELD-TYPE", "$.do_not_share"),
        ({"delay_until": "2026-12-20T10:00:00"}, "TIME-NO-OFFSET", "$.delay_until"),
        ([], "FIELD-TYPE", "$"),
    ],
)
async def test_a_wrong_patch_changes_nothing(
    client: Caller, patch: Any, code: str, path: str
) -> None:
    note_id = await client.posted(await client.note())
    reply = await client.patch_markings(note_id, patch)
    problem = check_problem(reply, 422, code)
    assert problem["errors"][0]["path"] == path
    broken = f"{NOTES}/{note_id}/markings"
    reply = await client.call("PATCH", broken, body=b"{", persona="practice-1")
    check_problem(reply, 422, "BODY-MALFORMED")
    assert (await client.view(note_id))["markings_revision"] == 1


async def test_a_token_that_is_not_a_practices_opens_nothing(
    system: System, client: Caller
) -> None:
    body = json.dumps(await client.note()).encode()
    before = stored(system)
    for authorization in ("", "Basic eDp5", "Bearer ", "Bearer a.b.c"):
        headers = {"Authorization": authorization} if authorization else {}
        reply = await client.call("POST", NOTES, body=body, headers=headers)
        check_problem(reply, 401, "TOKEN-INVALID")
    for persona in ("patient-1", "doctor-1", "compliance-1"):
        reply = await client.call("POST", NOTES, body=body, persona=persona)
        check_problem(reply, 403, "NOT-ALLOWED")
    assert stored(system) == before


async def test_an_expired_token_opens_nothing(system: System) -> None:
    async with system.client() as client:
        body = json.dumps(await client.note()).encode()
        (await client.call("POST", NOTES, body=body, persona="practice-1")).require(202)
        for _ in range(31):  # the identity double's tokens live thirty days
            await client.morning()
        reply = await client.call("POST", NOTES, body=body, persona="practice-1")
        check_problem(reply, 401, "TOKEN-INVALID")


async def test_a_cpr_number_in_an_address_is_refused_and_logged_nowhere(
    system: System, client: Caller
) -> None:
    cpr = (await client.persona("patient-1"))["cpr"]
    for url in (
        f"{FEED}?cursor={cpr}",
        f"{FEED}?on_behalf_of={cpr}",
        f"{FEED}/{cpr}",
        f"{NOTES}/{cpr}",
        f"{NOTES}?patient={cpr[:6]}-{cpr[6:]}",
    ):
        reply = await client.call("GET", url, persona="patient-1")
        check_problem(reply, 400, "CPR-IN-URL")
    assert cpr not in system.logs()


async def test_a_foreign_cursor_is_refused(client: Caller) -> None:
    cursor = (await client.feed("patient-1"))["cursor"]
    for persona, given in (("patient-2", cursor), ("patient-1", cursor[:-4]), ("patient-1", "x")):
        reply = await client.call("GET", f"{FEED}?cursor={given}", persona=persona)
        check_problem(reply, 400, "CURSOR")


async def test_after_all_this_every_process_is_the_one_that_was_started(system: System) -> None:
    logged = system.logs()
    assert "Traceback" not in logged
    for name in ("api-0", "api-1", "worker-0"):
        assert logged.count(f'"{name.partition("-")[0]}.started"') == 2 - (name == "worker-0")
    async with system.client() as client:
        (await client.post_note(await client.note())).require(202)
