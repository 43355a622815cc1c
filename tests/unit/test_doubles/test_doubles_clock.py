"""Moving the clock: who is told, who is waited for."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from test_doubles.clock import Clock, iso, parse_instant
from test_doubles.world import World

START = "2026-12-14T09:00:00+01:00"
Client = TestClient[web.Request, web.Application]


class Follower:
    """Follows the clock as a process would."""

    def __init__(self, client: Client, response: ClientResponse) -> None:
        self.client = client
        self.response = response

    @classmethod
    async def open(cls, client: Client, name: str) -> Follower:
        response = await client.get("/control/clock/stream", params={"name": name})
        assert response.content_type == "text/event-stream"
        return cls(client, response)

    async def next_event(self) -> dict[str, Any]:
        async for line in self.response.content:
            if line.startswith(b"data: "):
                event: dict[str, Any] = orjson.loads(line[6:])
                return event
        raise EOFError

    async def confirm(self, event: dict[str, Any]) -> int:
        answer = await self.client.post(
            "/control/clock/ack",
            json={"subscriber": event["subscriber"], "revision": event["revision"]},
        )
        return answer.status

    async def follow(self) -> None:
        while True:
            await self.confirm(await self.next_event())


def test_the_clock_runs_on_from_where_it_was_put() -> None:
    real = 1_000_000.0
    clock = Clock(parse_instant(START), lambda: real)
    assert clock.now() == parse_instant(START)
    real += 90
    assert clock.now() == parse_instant(START) + timedelta(seconds=90)
    midnight = parse_instant("2026-12-15T00:00:00+01:00")
    assert clock.move_to(midnight).revision == 1
    real += 1
    assert clock.now() == midnight + timedelta(seconds=1)


def test_without_a_start_it_shows_real_time() -> None:
    assert Clock(None, lambda: 1_700_000_000.0).now().timestamp() == 1_700_000_000.0


def test_an_instant_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        parse_instant("2026-12-14T09:00:00")


async def test_a_move_with_nobody_following_is_confirmed_at_once(client: Client) -> None:
    answer = await client.post("/control/clock", json={"now": "2026-12-15T00:00:00+01:00"})
    assert answer.status == 200
    assert (await answer.json())["revision"] == 1
    shown = await (await client.get("/control/clock")).json()
    since = parse_instant(shown["now"]) - parse_instant("2026-12-15T00:00:00+01:00")
    assert timedelta(0) <= since < timedelta(seconds=5)


async def test_a_move_answers_only_when_both_followers_have_confirmed(client: Client) -> None:
    first, second = await Follower.open(client, "api"), await Follower.open(client, "worker")
    for follower in (first, second):
        assert (await follower.next_event())["revision"] == 0
    move = asyncio.create_task(
        client.post("/control/clock", json={"now": "2026-12-15T00:00:00+01:00"})
    )
    event = await first.next_event()
    assert event["revision"] == 1
    assert await first.confirm(event) == 200
    done, _ = await asyncio.wait({move}, timeout=0.3)
    assert not done, "answered before the second follower had confirmed"
    assert await second.confirm(await second.next_event()) == 200
    assert (await asyncio.wait_for(move, 1)).status == 200


async def test_the_event_lets_a_follower_compute_the_time(client: Client, world: World) -> None:
    follower = await Follower.open(client, "api")
    event = await follower.next_event()
    computed = parse_instant(event["now"]) + timedelta(seconds=time.time() - event["sent_at_unix"])
    assert abs(world.clock.now() - computed) < timedelta(milliseconds=50)


async def test_a_silent_follower_is_named_after_two_seconds(client: Client) -> None:
    good, silent = await Follower.open(client, "api"), await Follower.open(client, "worker-2")
    following = asyncio.create_task(good.follow())
    await silent.next_event()
    began = time.monotonic()
    answer = await client.post("/control/clock", json={"now": "2026-12-15T00:00:00+01:00"})
    took = time.monotonic() - began
    following.cancel()
    assert answer.status == 504
    assert answer.content_type == "application/problem+json"
    document = await answer.json()
    assert document["code"] == "CLOCK-NOT-CONFIRMED"
    assert document["unconfirmed"] == 1
    assert document["names"] == ["worker-2"]
    assert 1.9 < took < 3


async def test_a_dropped_stream_is_no_longer_waited_for(client: Client) -> None:
    good, gone = await Follower.open(client, "api"), await Follower.open(client, "dead")
    following = asyncio.create_task(good.follow())
    await gone.next_event()
    gone.response.close()
    began = time.monotonic()
    answer = await client.post("/control/clock", json={"now": "2026-12-15T00:00:00+01:00"})
    following.cancel()
    assert answer.status == 200
    assert time.monotonic() - began < 1
    shown = await (await client.get("/control/clock")).json()
    assert shown["subscribers"] == ["api"]


async def test_a_stream_that_drops_while_the_move_waits_frees_it(client: Client) -> None:
    slow = await Follower.open(client, "slow")
    await slow.next_event()
    move = asyncio.create_task(client.post("/control/clock", json={"now": START}))
    await slow.next_event()
    slow.response.close()
    assert (await asyncio.wait_for(move, 1)).status == 200


async def test_confirming_an_older_revision_does_not_count(client: Client) -> None:
    follower = await Follower.open(client, "late")
    event = await follower.next_event()
    move = asyncio.create_task(client.post("/control/clock", json={"now": START}))
    await follower.next_event()
    assert await follower.confirm(event) == 200
    assert (await move).status == 504


@pytest.mark.parametrize(
    "body", [{"now": "2026-12-15T00:00:00"}, {"now": "soon"}, {"now": 5}, {}, [], "{"]
)
async def test_a_move_without_an_instant_changes_nothing(
    client: Client, world: World, body: Any
) -> None:
    sent = {"data": body} if isinstance(body, str) else {"json": body}
    answer = await client.post("/control/clock", **sent)
    assert answer.status == 400
    assert (await answer.json())["code"] == "BODY-MALFORMED"
    assert world.clock.revision == 0


async def test_an_unknown_subscriber_cannot_confirm(client: Client) -> None:
    answer = await client.post("/control/clock/ack", json={"subscriber": "x", "revision": 0})
    assert answer.status == 404


def test_instants_are_written_in_utc_with_milliseconds() -> None:
    assert iso(parse_instant(START)) == "2026-12-14T08:00:00.000Z"
