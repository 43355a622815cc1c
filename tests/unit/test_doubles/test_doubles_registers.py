"""The registers answer what the cast implies, and what a test has put there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from test_doubles.clock import iso, parse_instant
from test_doubles.personas import Personas
from test_doubles.world import World

Client = TestClient[web.Request, web.Application]
CPR = {p.persona_id: p.cpr for p in Personas() if p.cpr is not None}
UNKNOWN = "0101019999"


async def ask(client: Client, path: str, status: int = 200, /, **document: Any) -> dict[str, Any]:
    answer = await client.post(path, json=document)
    assert answer.status == status, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def put(client: Client, service: str, state: Any, status: int = 200) -> dict[str, Any]:
    answer = await client.put(f"/control/state/{service}", json=state)
    assert answer.status == status, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def test_a_person_has_the_members_of_the_contract(client: Client) -> None:
    niels = await ask(client, "/cpr/person", cpr="3001749995")
    assert parse_instant(niels.pop("answered_at")) < parse_instant("2026-12-14T09:00:00Z")
    assert niels == {
        "found": True,
        "cpr": "3001749995",
        "cpr_type": "CPR",
        "birth_date": "1974-01-30",
        "death_date": None,
        "address_protected": False,
        "given": ["Niels", "Test"],
        "family": "Vendelboe",
        "gender": "male",
        "guardians": [],
    }


async def test_custody_is_as_the_cast_says(client: Client) -> None:
    child = await ask(client, "/cpr/person", cpr=CPR["child-9"])
    assert [(g["cpr"], g["same_address"]) for g in child["guardians"]] == [
        (CPR["parent-1"], True),
        (CPR["parent-3"], False),
    ]
    assert child["guardians"][0]["custody_from"] == "2017-08-08T00:00:00+02:00"
    for parent, children in (
        ("parent-1", {"teen-14", "teen-16", "child-9"}),
        ("parent-2", set()),
        ("parent-3", {"child-9"}),
    ):
        held = await ask(client, "/cpr/custody", guardian_cpr=CPR[parent])
        assert {c["cpr"] for c in held["children"]} == {CPR[c] for c in children}
    (only,) = held["children"]
    assert (only["given"], only["family"]) == (["Clara", "Test"], "Lindholt")
    assert only["custody_to"] is None


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("/cpr/person", "cpr"),
        ("/cpr/custody", "guardian_cpr"),
        ("/authorization/lookup", "cpr"),
        ("/mandates/lookup", "cpr"),
        ("/mandates/held", "cpr"),
        ("/minspaerring/registrations", "cpr"),
    ],
)
async def test_an_unknown_person_is_not_found_and_a_malformed_number_not_echoed(
    client: Client, path: str, member: str
) -> None:
    nobody = await (await client.post(path, json={member: UNKNOWN})).json()
    assert nobody["found"] is False
    assert "answered_at" in nobody
    wrong = await client.post(path, json={member: "300174-9995"})
    assert wrong.status == 400
    assert "300174" not in await wrong.text()


async def test_an_authorization_is_found_by_number_and_by_code(client: Client) -> None:
    by_cpr = await ask(client, "/authorization/lookup", cpr=CPR["doctor-1"])
    by_code = await ask(client, "/authorization/lookup", authorization_id="ZTA02")
    for answer in (by_cpr, by_code):
        assert answer["cpr"] == CPR["doctor-1"]
        assert (answer["given"], answer["family"]) == (["Henrik", "Test"], "Overby")
        assert answer["authorizations"] == [
            {
                "authorization_id": "ZTA02",
                "profession": "DOCTOR",
                "education_code": "7170",
                "valid": True,
            }
        ]
    nurse = await ask(client, "/authorization/lookup", cpr=CPR["nurse-1"])
    assert nurse["authorizations"][0]["education_code"] == "5166"


async def test_those_without_authorization_have_empty_names(client: Client) -> None:
    secretary = await ask(client, "/authorization/lookup", cpr=CPR["secretary-1"])
    assert secretary["found"] is False
    assert (secretary["given"], secretary["family"], secretary["authorizations"]) == ([], "", [])
    await ask(client, "/authorization/lookup", 400, cpr=UNKNOWN, authorization_id="ZTA02")
    await ask(client, "/authorization/lookup", 400)


async def test_an_authorization_can_be_withdrawn(client: Client) -> None:
    state = await (await client.get("/control/state/authorization")).json()
    rows = state["records"][CPR["doctor-2"]]["authorizations"]
    rows[0]["valid"] = False
    await put(client, "authorization", {"records": {CPR["doctor-2"]: {"authorizations": rows}}})
    answer = await ask(client, "/authorization/lookup", cpr=CPR["doctor-2"])
    assert answer["authorizations"][0]["valid"] is False
    assert answer["family"] == "Brandtoft"


async def test_mandates_are_seen_from_both_ends(client: Client) -> None:
    patient = await ask(client, "/mandates/lookup", cpr=CPR["patient-2"])
    (proxy,) = patient["proxies"]
    assert proxy == {
        "id_cpr": CPR["proxy-1"],
        "from": "2026-05-01T00:00:00+02:00",
        "to": None,
        "revoked_at": None,
        "scope": ["JOURNAL_NOTES"],
    }
    assert patient["legal_reps"] == []
    ward = await ask(client, "/mandates/lookup", cpr=CPR["ward-1"])
    assert ward["legal_reps"][0]["id_cpr"] == CPR["legalrep-1"]
    assert ward["legal_reps"][0]["scope"] == ["PERSONAL"]
    held = await ask(client, "/mandates/held", cpr=CPR["proxy-1"])
    assert [(m["cpr"], m["kind"]) for m in held["mandates"]] == [(CPR["patient-2"], "PROXY")]
    assert (await ask(client, "/mandates/held", cpr=CPR["parent-1"]))["mandates"] == []


async def test_state_merges_by_number_and_reset_brings_the_cast_back(client: Client) -> None:
    await put(
        client,
        "cpr",
        {
            "records": {
                CPR["patient-1"]: {"death_date": "2026-12-13"},
                UNKNOWN: {"birth_date": "1901-01-01", "family": "Ny"},
                CPR["patient-3"]: None,
            }
        },
    )
    niels = await ask(client, "/cpr/person", cpr=CPR["patient-1"])
    assert (niels["death_date"], niels["family"]) == ("2026-12-13", "Vendelboe")
    new = await ask(client, "/cpr/person", cpr=UNKNOWN)
    assert (new["found"], new["family"], new["cpr_type"]) == (True, "Ny", "CPR")
    assert (await ask(client, "/cpr/person", cpr=CPR["patient-3"]))["found"] is False
    await client.post("/control/reset", json={"service": "cpr"})
    assert (await ask(client, "/cpr/person", cpr=CPR["patient-1"]))["death_date"] is None
    assert (await ask(client, "/cpr/person", cpr=UNKNOWN))["found"] is False


@pytest.mark.parametrize("service", ["cpr", "authorization", "mandates", "minspaerring", "brs"])
async def test_state_read_is_state_put(client: Client, service: str) -> None:
    state = await (await client.get(f"/control/state/{service}")).json()
    assert await put(client, service, state) == state


@pytest.mark.parametrize(
    ("service", "state"),
    [
        ("cpr", {"records": {"3001749995": {"death_date": "yesterday"}}}),
        ("cpr", {"records": {"3001749995": {"deathdate": None}}}),
        ("cpr", {"records": {"3001749995": {"guardians": [{"cpr": "3001749995"}]}}}),
        ("cpr", {"records": {"1": {}}}),
        ("cpr", {"people": {}}),
        ("mandates", {"records": {"3001749995": {"proxies": None}}}),
        ("authorization", {"records": {"3001749995": 1}}),
        ("brs", {"relations": [{"patient_cpr": "3001749995"}]}),
        ("brs", {"relations": {}}),
        ("minspaerring", {"registrations": {"3001749995": [{"type": "MAYBE"}]}}),
        ("minspaerring", {"registrations": []}),
    ],
)
async def test_state_that_does_not_fit_changes_nothing(
    client: Client, service: str, state: Any
) -> None:
    before = await (await client.get(f"/control/state/{service}")).json()
    problem = await put(client, service, state, 400)
    assert "3001749995" not in str(problem)
    assert await (await client.get(f"/control/state/{service}")).json() == before


async def relation(
    client: Client, patient: str, doctor: str, sor: str | None = None
) -> dict[str, Any]:
    return await ask(
        client,
        "/brs/relation",
        patient_cpr=CPR[patient],
        professional_cpr=CPR[doctor],
        organization_sor=sor,
    )


async def test_only_the_first_doctor_has_relations(client: Client) -> None:
    seen = {
        (patient, doctor): (await relation(client, patient, doctor))["category"]
        for patient in ("patient-1", "patient-2", "teen-16", "teen-14")
        for doctor in ("doctor-1", "doctor-2", "doctor-3", "nurse-1")
    }
    assert {pair: c for pair, c in seen.items() if c is not None} == {
        ("patient-1", "doctor-1"): "A",
        ("teen-16", "doctor-1"): "A",
    }


async def test_a_relation_holds_at_its_unit(client: Client) -> None:
    here = await relation(client, "patient-1", "doctor-1", "61811000016001")
    there = await relation(client, "patient-1", "doctor-1", "61822000016004")
    assert (here["category"], there["category"]) == ("A", None)
    assert here["reference"] != there["reference"]


async def test_the_best_relation_known_by_now_is_answered(client: Client, world: World) -> None:
    pair = {"patient_cpr": CPR["patient-2"], "professional_cpr": CPR["doctor-2"]}
    tomorrow = world.clock.now() + timedelta(days=1)
    await put(
        client,
        "brs",
        {
            "relations": [
                {**pair, "category": "B"},
                {**pair, "category": "A+", "known_from": iso(tomorrow)},
            ]
        },
    )
    assert (await relation(client, "patient-2", "doctor-2"))["category"] == "B"
    await client.post("/control/clock", json={"now": iso(tomorrow)})
    assert (await relation(client, "patient-2", "doctor-2"))["category"] == "A+"
    await put(
        client,
        "brs",
        {"relations": [{**pair, "category": None, "known_from": iso(tomorrow)}]},
    )
    assert (await relation(client, "patient-2", "doctor-2"))["category"] == "B"


async def registrations(client: Client, persona: str = "patient-1") -> list[dict[str, Any]]:
    answer = await ask(client, "/minspaerring/registrations", cpr=CPR[persona])
    found: list[dict[str, Any]] = answer["registrations"]
    return found


async def add(client: Client, status: int = 201, /, **registration: Any) -> dict[str, Any]:
    return await ask(
        client,
        "/minspaerring/add",
        status,
        cpr=CPR["patient-1"],
        registration={"type": "NEGATIVE", **registration},
    )


async def test_a_block_is_added_listed_and_revoked(client: Client, world: World) -> None:
    assert await registrations(client) == []
    added = (await add(client))["registration"]
    assert set(added) == {
        *("id", "type", "what", "who", "valid_from", "valid_to", "revoked_at"),
        *("registered_by", "registered_at"),
    }
    assert (added["what"], added["who"]) == ({"kind": "ALL"}, {"kind": "ALL"})
    assert added["registered_by"] == "CITIZEN"
    assert abs(parse_instant(added["valid_from"]) - world.clock.now()) < timedelta(seconds=5)
    assert await registrations(client) == [added]
    assert await registrations(client, "patient-2") == []
    who = {"cpr": CPR["patient-1"], "id": added["id"]}
    revoked = (await ask(client, "/minspaerring/revoke", **who))["registration"]
    assert revoked["revoked_at"] is not None
    assert (await ask(client, "/minspaerring/revoke", **who))["registration"] == revoked
    assert await registrations(client) == [revoked]
    await ask(client, "/minspaerring/revoke", 404, cpr=CPR["patient-2"], id=added["id"])


@pytest.mark.parametrize(
    ("what", "who"),
    [
        ({"origin_org": "72851000016003", "include_sub": True}, {"kind": "ALL"}),
        ({"data_from": "2026-12-31T23:00:00Z", "data_to": "2027-02-14T23:00:00Z"}, None),
        ({"document_id": "N-1"}, {"kind": "PERSON", "person": CPR["doctor-2"]}),
        (None, {"kind": "ORG", "org": "61811000016001", "include_sub": True}),
        (None, {"kind": "GROUP", "group": "GRP-HOSPITALS"}),
    ],
)
async def test_every_form_of_what_and_who_is_kept_as_given(
    client: Client, what: dict[str, Any] | None, who: dict[str, Any] | None
) -> None:
    given: dict[str, Any] = {n: v for n, v in (("what", what), ("who", who)) if v is not None}
    await add(client, 201, **given)
    (kept,) = await registrations(client)
    assert kept["what"] == (what or {"kind": "ALL"})
    assert kept["who"] == (who or {"kind": "ALL"})


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"type": "POSITIVE"}, 422),
        ({"valid_from": "2026-12-14T07:50:00Z"}, 422),
        ({"valid_from": "2027-01-01T00:00:00Z", "valid_to": "2027-01-01T00:00:00Z"}, 422),
        ({"who": {"kind": "PERSON", "person": UNKNOWN}}, 422),
        ({"who": {"kind": "ORG", "org": "077410", "include_sub": False}}, 422),
        ({"what": {"origin_org": "SOR-1"}}, 422),
        ({"what": {}}, 400),
        ({"what": {"kind": "SOME"}}, 400),
        ({"what": {"include_sub": True}}, 400),
        ({"who": {"kind": "ORG", "org": "61811000016001"}}, 400),
        ({"who": {"kind": "ALL", "org": "61811000016001"}}, 400),
        ({"valid_from": "2027-01-01T00:00:00"}, 400),
        ({"registered_by": "POLICE"}, 400),
        ({"revoked_at": "2027-01-01T00:00:00Z"}, 400),
        ({"extra": 1}, 400),
    ],
)
async def test_a_registration_the_register_does_not_take(
    client: Client, wrong: dict[str, Any], status: int
) -> None:
    problem = await add(client, status, **wrong)
    assert problem["code"] == {422: "REGISTRATION-REFUSED", 400: "BODY-MALFORMED"}[status]
    assert await registrations(client) == []


async def test_an_unknown_citizen_cannot_register(client: Client) -> None:
    await ask(client, "/minspaerring/add", 422, cpr=UNKNOWN, registration={"type": "NEGATIVE"})


async def test_history_can_be_seeded_and_removed(client: Client) -> None:
    old = {"type": "NEGATIVE", "valid_from": "2020-01-01T00:00:00Z"}
    await put(client, "minspaerring", {"registrations": {CPR["patient-1"]: [old]}})
    (kept,) = await registrations(client)
    assert kept["registered_at"] == old["valid_from"]
    await put(client, "minspaerring", {"registrations": {CPR["patient-1"]: []}})
    assert await registrations(client) == []


async def test_refuse_gives_503_with_a_problem(client: Client) -> None:
    for service in ("cpr", "authorization", "mandates", "minspaerring", "brs"):
        await client.post("/control/faults", json={"service": service, "mode": "refuse"})
    for path in ("/cpr/person", "/authorization/lookup", "/mandates/lookup", "/brs/relation"):
        answer = await client.post(path, json={"cpr": CPR["patient-1"]})
        assert answer.status == 503
        assert (await answer.json())["code"] == "UNAVAILABLE"
