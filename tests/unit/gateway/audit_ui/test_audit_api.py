"""``POST /audit/v1/search``: the same entries for programs."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from gateway.pipeline.audit import AuditAction
from tests.support.audit_pages import (
    DOCTOR,
    OTHER_CPR,
    PATIENT_CPR,
    SECRET_TEXT,
    House,
    look_of,
)

pytestmark = pytest.mark.postgres


async def _api(home: House, body: Any, persona: str | None = "compliance-1") -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session:
        headers = {}
        if persona is not None:
            async with session.post(f"{home.idp.issuer}/token", json={"persona": persona}) as made:
                headers["Authorization"] = f"Bearer {(await made.json())['access_token']}"
        options: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with session.post(
            f"{home.url}/audit/v1/search", headers=headers, **options
        ) as response:
            assert response.headers.get("Cache-Control") == "no-store" or response.status >= 400
            return response.status, await response.json(content_type=None)


API_SEARCH = {"cpr": PATIENT_CPR, "case_number": "2026-17", "ground": "Klage fra patienten"}


async def test_the_api_gives_the_same_entries_and_logs_each_look(home: House) -> None:
    await home.write([look_of(home, request_id=f"look-{number}") for number in range(60)])
    status, first = await _api(home, API_SEARCH)
    assert status == 200
    assert len(first["entries"]) == 50
    assert first["entries"][0]["action_code"] == "LOG_READ"
    text = str(first)
    assert DOCTOR not in text
    assert PATIENT_CPR not in text
    assert SECRET_TEXT not in text
    status, second = await _api(home, {**API_SEARCH, "cursor": first["cursor"]})
    assert status == 200
    assert len(second["entries"]) == 11
    assert second["cursor"] is None
    assert len(await home.entries(AuditAction.LOG_READ)) == 2
    status, body = await _api(home, {**API_SEARCH, "cpr": OTHER_CPR, "cursor": first["cursor"]})
    assert (status, body["code"]) == (400, "CURSOR")


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        (b"{", "BODY-MALFORMED", None),
        ([], "FIELD-TYPE", "$"),
        ({**API_SEARCH, "cpr": 3001749995}, "FIELD-TYPE", "$.cpr"),
        ({**API_SEARCH, "cpr": "3001"}, "CPR-INVALID", "$.cpr"),
        ({**API_SEARCH, "case_number": ""}, "FIELD-MISSING", "$.case_number"),
        ({"cpr": PATIENT_CPR, "case_number": "2026-17"}, "FIELD-MISSING", "$.ground"),
        ({**API_SEARCH, "name": "x"}, "FIELD-UNKNOWN", "$"),
        ({}, "FIELD-MISSING", "$.cpr"),
    ],
)
async def test_the_api_names_what_is_wrong(
    home: House, body: Any, code: str, path: str | None
) -> None:
    status, problem = await _api(home, body)
    assert status == 422
    assert code in {error["code"] for error in problem["errors"]}
    if path is not None:
        assert path in {error["path"] for error in problem["errors"]}
    assert PATIENT_CPR not in str(problem)
    assert await home.entries(AuditAction.LOG_READ) == []


@pytest.mark.parametrize("persona", ["doctor-1", "patient-1", "operator-1", "practice-1"])
async def test_the_api_is_closed_to_other_roles(home: House, persona: str) -> None:
    status, problem = await _api(home, API_SEARCH, persona)
    assert (status, problem["code"]) == (403, "NOT-ALLOWED")
    assert await home.entries(AuditAction.LOG_READ) == []


async def test_the_api_wants_a_token(home: House) -> None:
    status, problem = await _api(home, API_SEARCH, None)
    assert (status, problem["code"]) == (401, "TOKEN-INVALID")
