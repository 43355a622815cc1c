"""Faults, records, state and reset, over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from test_doubles.clock import parse_instant
from test_doubles.faults import FaultBook, FaultMode
from test_doubles.recorder import Outcome, Recorder
from test_doubles.world import World

Client = TestClient[web.Request, web.Application]


async def order(client: Client, **rule: Any) -> None:
    answer = await client.post("/control/faults", json={"service": "echo", **rule})
    assert answer.status == 201, await answer.text()


async def records(client: Client, service: str = "echo") -> list[dict[str, Any]]:
    answer = await client.get(f"/control/requests/{service}")
    found: list[dict[str, Any]] = (await answer.json())["requests"]
    return found


def done(world: World) -> int:
    count: int = world.doubles["echo"].state()["done"]
    return count


async def test_every_request_is_recorded_as_bytes(client: Client) -> None:
    body = b"\x00\xff<a/>\r\n"
    answer = await client.post("/echo?x=1", data=body, headers={"X-Note": "Ångström"})
    assert await answer.read() == body
    (record,) = await records(client)
    assert base64.b64decode(record["body_base64"]) == body
    assert record["size_bytes"] == len(body)
    assert (record["method"], record["path"]) == ("POST", "/echo?x=1")
    assert (record["service"], record["operation"]) == ("echo", "echo")
    assert (record["outcome"], record["status"]) == ("answered", 200)
    assert parse_instant(record["at"]) >= parse_instant("2026-12-14T08:00:00Z")
    assert "X-Note" in [name for name, _ in record["headers"]]


async def test_an_error_of_the_double_is_recorded_with_its_status(client: Client) -> None:
    answer = await client.post("/echo", data=b"bad")
    assert answer.status == 400
    assert (await answer.json())["code"] == "BODY-MALFORMED"
    (record,) = await records(client)
    assert (record["outcome"], record["status"]) == ("answered", 400)


async def test_a_bug_in_a_double_is_recorded_as_broken(client: Client) -> None:
    assert (await client.post("/echo", data=b"bug")).status == 500
    (record,) = await records(client)
    assert (record["outcome"], record["status"]) == ("broken", None)


async def test_unwatched_addresses_are_neither_recorded_nor_faulted(client: Client) -> None:
    await order(client, mode="refuse")
    assert (await client.get("/echo/health")).status == 200
    assert await records(client) == []


async def test_refuse_answers_with_the_code_so_many_times(client: Client, world: World) -> None:
    await order(client, mode="refuse", times=2, code="processing_problem")
    for _ in range(2):
        answer = await client.post("/echo", data=b"a")
        assert answer.status == 503
        assert answer.content_type == "application/problem+json"
        assert answer.headers["Retry-After"] == "1"
        assert (await answer.json())["code"] == "processing_problem"
    assert (await client.post("/echo", data=b"a")).status == 200
    assert done(world) == 1
    assert [r["outcome"] for r in await records(client)] == ["refused", "refused", "answered"]


async def test_times_null_holds_until_the_rules_are_cleared(client: Client) -> None:
    await order(client, operation="*", mode="refuse", times=None)
    for _ in range(5):
        assert (await client.post("/echo", data=b"a")).status == 503
    listed = (await (await client.get("/control/faults")).json())["faults"]
    assert [(f["service"], f["times"], f["mode"]) for f in listed] == [("echo", None, "refuse")]
    assert (await client.delete("/control/faults")).status == 204
    assert (await client.post("/echo", data=b"a")).status == 200


async def test_a_rule_meets_its_operation_only(client: Client) -> None:
    await order(client, operation="twice", mode="refuse")
    assert (await client.post("/echo", data=b"a")).status == 200
    assert (await client.post("/echo/twice", data=b"a")).status == 503


async def test_delay_waits_and_then_does_the_work(client: Client, world: World) -> None:
    await order(client, mode="delay", delay_ms=200, times=1)
    began = time.monotonic()
    assert (await client.post("/echo", data=b"a")).status == 200
    assert time.monotonic() - began >= 0.2
    assert done(world) == 1


@pytest.mark.parametrize(
    ("mode", "work_done", "body_recorded"),
    [
        ("drop_before", 0, b""),
        ("drop_after_read", 0, b"abc"),
        ("drop_after_commit", 1, b"abc"),
    ],
)
async def test_a_dropped_request_gets_no_byte_of_answer(
    client: Client, world: World, mode: str, work_done: int, body_recorded: bytes
) -> None:
    await order(client, mode=mode, times=1)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    try:
        answer = await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        answer = b""
    writer.close()
    assert answer == b""
    assert done(world) == work_done
    (record,) = await records(client)
    expected = {
        "drop_before": "dropped_before",
        "drop_after_read": "dropped_after_read",
        "drop_after_commit": "dropped_after_commit",
    }
    assert (record["outcome"], record["status"]) == (expected[mode], None)
    assert base64.b64decode(record["body_base64"]) == body_recorded
    assert (await client.post("/echo", data=b"a")).status == 200


async def test_drop_before_does_not_wait_for_the_body(client: Client, world: World) -> None:
    await order(client, mode="drop_before", times=1)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    # The body never comes: only a double that does not read can hang up.
    writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
    try:
        answer = await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        answer = b""
    writer.close()
    assert answer == b""
    assert done(world) == 0


async def test_a_client_sees_a_drop_as_a_lost_connection(client: Client) -> None:
    await order(client, mode="drop_after_commit", times=1)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post(client.make_url("/echo"), data=b"a")


async def test_a_caller_that_leaves_half_way_is_recorded_as_broken(client: Client) -> None:
    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    for _ in range(100):
        if await records(client):
            break
        await asyncio.sleep(0.02)
    (record,) = await records(client)
    assert (record["outcome"], record["status"]) == ("broken", None)


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ({"service": "nobody", "mode": "refuse"}, 404),
        ({"service": "echo", "operation": "nothing", "mode": "refuse"}, 404),
        ({"service": "echo", "mode": "explode"}, 400),
        ({"service": "echo", "mode": "delay"}, 400),
        ({"service": "echo", "mode": "refuse", "times": 0}, 400),
        ({"service": "echo", "mode": "refuse", "times": True}, 400),
        ({"service": "echo", "mode": "delay", "delay_ms": -1}, 400),
        ({"service": "echo", "mode": "refuse", "tiems": 1}, 400),
        ({"mode": "refuse"}, 400),
    ],
)
async def test_a_rule_that_could_not_work_is_refused(
    client: Client, world: World, rule: dict[str, Any], status: int
) -> None:
    answer = await client.post("/control/faults", json=rule)
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    assert world.faults.listed() == []


async def test_state_can_be_read_set_and_reset(client: Client) -> None:
    answer = await client.put("/control/state/echo", json={"done": 7})
    assert await answer.json() == {"done": 7}
    await client.post("/echo", data=b"a")
    await order(client, mode="refuse")
    answer = await client.post("/control/reset", json={"service": "echo"})
    assert await answer.json() == {"reset": ["echo"]}
    assert await (await client.get("/control/state/echo")).json() == {"done": 0}
    assert await records(client) == []
    assert (await (await client.get("/control/faults")).json())["faults"] == []


async def test_reset_of_one_service_leaves_the_others_alone(client: Client) -> None:
    await client.put("/control/state/echo", json={"done": 7})
    await client.post("/echo", data=b"a")
    await order(client, mode="refuse")
    assert (await client.post("/control/reset", json={"service": "brs"})).status == 200
    assert await (await client.get("/control/state/echo")).json() == {"done": 8}
    assert len(await records(client)) == 1
    assert len((await (await client.get("/control/faults")).json())["faults"]) == 1


async def test_reset_without_a_body_resets_all_and_keeps_the_clock(client: Client) -> None:
    await client.put("/control/state/echo", json={"done": 7})
    await client.post("/control/clock", json={"now": "2027-01-01T00:00:00+01:00"})
    assert (await client.post("/control/reset")).status == 200
    assert await (await client.get("/control/state/echo")).json() == {"done": 0}
    assert (await (await client.get("/control/clock")).json())["now"].startswith("2026-12-31T23:")


@pytest.mark.parametrize("path", ["/control/state/nobody", "/control/requests/nobody", "/nowhere"])
async def test_unknown_names_are_404_problems(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert answer.status == 404
    assert answer.content_type == "application/problem+json"


async def test_a_wrong_method_names_the_right_one(client: Client) -> None:
    answer = await client.get("/echo")
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"


async def test_requests_can_be_paged_and_shown_without_bodies(client: Client) -> None:
    for body in (b"1", b"2", b"3"):
        await client.post("/echo", data=body)
    answer = await client.get("/control/requests/echo?after=1&limit=1&body=0")
    (only,) = (await answer.json())["requests"]
    assert only["sequence"] == 3
    assert "body_base64" not in only
    assert len((await (await client.get("/control/requests")).json())["requests"]) == 3
    assert (await client.get("/control/requests/echo?after=x")).status == 400


async def test_the_personas_are_listed_as_the_demo_command_prints_them(client: Client) -> None:
    listed = await (await client.get("/control/personas")).json()
    assert len(listed) == 23
    assert {"id", "role", "cpr", "birth_date", "given", "family", "gender", "sor"} <= set(listed[0])


async def test_the_page_shows_what_arrived_and_escapes_it(client: Client) -> None:
    await client.post("/echo?<script>", data=b"12345")
    await order(client, mode="refuse", times=1, code="<b>")
    await client.post("/echo", data=b"a")
    await order(client, mode="delay", delay_ms=5, code="<i>")
    page = await (await client.get("/")).text()
    assert "answered 200" in page
    assert "refused 503" in page
    assert "&lt;i&gt;" in page
    assert "<script>" not in page
    assert "<i>" not in page
    assert 'href="/control/state/echo"' in page


def test_the_oldest_rule_is_used_first() -> None:
    book = FaultBook()
    book.add("echo", "*", FaultMode.DELAY, times=1, delay_ms=1)
    book.add("*", "echo", FaultMode.REFUSE)
    modes = [fault.mode for _ in range(3) if (fault := book.take("echo", "echo"))]
    assert modes == [FaultMode.DELAY, FaultMode.REFUSE, FaultMode.REFUSE]
    assert book.take("echo", "other") is None


def record_into(recorder: Recorder, body: bytes) -> None:
    recorder.record(
        at=parse_instant("2026-12-14T08:00:00Z"),
        service="echo",
        operation="echo",
        method="POST",
        path="/echo",
        headers=(),
        body=body,
        outcome=Outcome.ANSWERED,
        status=200,
    )


def test_the_recorder_lets_the_oldest_go_when_memory_is_used_up() -> None:
    recorder = Recorder(budget_bytes=10_000)
    for number in range(10):
        record_into(recorder, bytes([number]) * 4_000)
    assert [r.body[0] for r in recorder.requests("echo")] == [9]


def test_the_spool_holds_every_request(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "spool", budget_bytes=1)
    for number in range(3):
        record_into(recorder, bytes([number]))
    recorder.clear()
    lines = (tmp_path / "spool" / "echo.ndjson").read_bytes().splitlines()
    bodies = [base64.b64decode(orjson.loads(line)["body_base64"]) for line in lines]
    assert bodies == [b"\x00", b"\x01", b"\x02"]
