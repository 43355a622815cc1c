"""Faults of every kind are told in one answer, and validating tells the same beforehand.

The faults of content, clinic, clock, enrolment and version meet here; each alone
is in ``test_bad_input``.
"""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.support.client import Caller, Json
from tests.support.refusals import change, check_problem, rejection, send, stored, validate
from tests.support.system import System

pytestmark = pytest.mark.postgres


async def told(system: System, client: Caller, note: Json, status: int) -> list[tuple[str, str]]:
    """Send a bad note: its faults, which validating tells too, and nothing is stored."""
    before = stored(system)
    forecast = await validate(client, note)
    request_id = str(uuid4())
    reply = await send(client, json.dumps(note).encode(), request_id=request_id)
    codes = {each["code"] for each in reply.json()["errors"]}
    problem = check_problem(reply, status, *(codes if len(codes) == 1 else {"NOTE-REJECTED"}))
    assert forecast.status == status
    assert forecast.json() == problem
    assert rejection(system, request_id)["codes"] == sorted(codes)
    assert stored(system) == before
    return [(each["code"], each["path"]) for each in problem["errors"]]


async def test_faults_of_content_clinic_and_clock_are_told_together(
    system: System, client: Caller
) -> None:
    note = await client.note()
    for apply in (
        change("patient.gender", "x"),
        change("completed_at", "2027-12-01T10:00:00+01:00"),
        change("organization", {"sor": "72851000016003"}),
    ):
        apply(note)
    assert await told(system, client, note, 403) == [
        ("PROFILE-GENDER", "$.patient.gender"),
        ("FIELD-MISSING", "$.organization.name"),
        ("P-REJ-INVALID", "$.completed_at"),
        ("SOR-NOT-YOURS", "$.organization.sor"),
    ]


async def test_faults_of_content_and_version_are_told_together(
    system: System, client: Caller
) -> None:
    note = await client.note(version=3)
    note_id = (await client.post_note(note)).require(202).json()["note_id"]
    wrong = {**note, "colour": "blue"}
    field, old = ("FIELD-UNKNOWN", "$.colour"), ("VERSION-OLD", "$.version")
    assert await told(system, client, {**wrong, "version": 2}, 422) == [field, old]
    assert await told(system, client, {**wrong, "version": "2"}, 422) == [
        field,
        ("FIELD-TYPE", "$.version"),
    ]
    # Put right it may be the same again, so no conflict is told yet.
    assert await told(system, client, wrong, 422) == [field]
    other = {**wrong, "patient": (await client.note("patient-2"))["patient"]}
    patient = ("VERSION-CONFLICT", "$.patient.cpr")
    assert await told(system, client, {**other, "version": 4}, 422) == [field, patient]
    (await client.cancel(note_id)).require(200)
    gone = ("VERSION-CONFLICT", "$.source_note_id")
    assert await told(system, client, {**other, "version": 2}, 422) == [field, old, gone, patient]
    assert await told(system, client, {**note, "version": 2}, 409) == [old, gone]


async def test_a_practice_that_has_left_is_told_so_beside_all_else(
    system: System, client: Caller
) -> None:
    note = await client.note(version=2)
    (await client.post_note(note)).require(202)
    enrolled = "UPDATE practice SET enrolled = %s WHERE sor_code = '61741000016007' RETURNING id"
    system.query(enrolled, False)
    try:
        left = ("P-REJ-NOT-ENROLLED", "$.organization.sor")
        assert await told(system, client, await client.note("patient-2"), 403) == [left]
        assert await told(system, client, note, 403) == [left]
        older = {**note, "version": 1, "colour": "blue"}
        assert await told(system, client, older, 403) == [
            ("FIELD-UNKNOWN", "$.colour"),
            left,
            ("VERSION-OLD", "$.version"),
        ]
    finally:
        system.query(enrolled, True)


async def test_a_note_of_another_practice_is_not_compared_with(
    system: System, client: Caller
) -> None:
    note = await client.note(version=5)
    (await client.post_note(note)).require(202)
    before = stored(system)
    older = {**note, "version": 4, "patient": (await client.note("patient-2"))["patient"]}
    for changed in (older, {**older, "colour": "blue"}):
        request_id = str(uuid4())
        body = json.dumps(changed).encode()
        reply = await send(client, body, request_id=request_id, practice="practice-2")
        codes = {each["code"] for each in reply.json()["errors"]}
        assert reply.status == 403
        assert codes - {"FIELD-UNKNOWN"} == {"SOR-NOT-YOURS"}
        assert (await validate(client, changed, "practice-2")).json() == reply.json()
    # Nor if the code is left out, or if it is one's own note of that name.
    del changed["organization"]["sor"]
    reply = await validate(client, changed, "practice-2")
    assert {each["code"] for each in reply.json()["errors"]} == {"FIELD-UNKNOWN", "FIELD-MISSING"}
    own = await client.note("patient-2", "practice-2", version=1)
    forecast = await validate(
        client, {**own, "source_note_id": note["source_note_id"]}, "practice-2"
    )
    assert forecast.require(200).json()["status"] == 202
    assert stored(system) == before


async def test_validating_foretells_the_warnings_of_the_receipt(
    system: System, client: Caller
) -> None:
    note = await client.note(version=3, html="<p x:y='z'>Ja</p><table><tr><td>1</td></tr></table>")
    before = stored(system)
    forecast = (await validate(client, note)).require(200).json()
    assert stored(system) == before
    receipt = (await client.post_note(note)).require(202).json()
    assert "VERSION-GAP" in [each["code"] for each in forecast["warnings"]]
    assert forecast == {
        "valid": True,
        "status": 202,
        "warnings": receipt["warnings"],
        "receipt": None,
    }
    assert (await client.view(receipt["note_id"]))["warnings"] == receipt["warnings"]
