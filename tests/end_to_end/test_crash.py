"""Processes killed with -9 at any moment lose and double nothing: promise 1 of design.md 6.

Practice systems post fifty notes a second and resend what was not answered, while
api, worker and postmaster are killed at random. Half of the notes go out nationally
under fire, half after the midnight that follows.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from tests.support.client import Caller, Json, wait_until
from tests.support.system import System

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(600)]

SEED = 20261214
NOTES_PER_S = 50
VICTIMS = ("api-0", "api-1", "worker-0", "worker-1", "postgres")
PATIENTS = ("patient-1", "patient-2", "patient-3", "child-9")
SETTLED_WITHIN_S = 45.0


@dataclass(slots=True)
class Senders:
    """Practice systems that give up on nothing, and what they were told.

    ``receipts`` holds every receipt that was ever given for a note and version.
    """

    callers: list[Caller]
    receipts: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    posts: int = 0
    stopped: set[str] = field(default_factory=set)

    async def send(self, number: int, note: Json) -> None:
        """Post a note, and for some a correction or a stop, until each is answered."""
        note_id = await self._post(number, note)
        if number % 10 == 0:
            text = {"content_type": "text/html", "html": f"<p>Rettet {number}.</p>"}
            await self._post(number, {**note, "version": 2, "text": text})
        if number % 25 == 3:
            await self._insist(
                lambda caller: caller.patch_markings(note_id, {"do_not_share": True}), number
            )
            self.stopped.add(note_id)

    async def _post(self, number: int, note: Json) -> str:
        reply = await self._insist(lambda caller: caller.post_note(note), number)
        receipt = reply.json()
        self.receipts[note["source_note_id"], note["version"]].add(receipt["receipt_id"])
        if number % 7 == 0:  # an impatient sender: again, though it was answered
            again = await self._insist(lambda caller: caller.post_note(note), number + 1)
            key = (note["source_note_id"], note["version"])
            self.receipts[key].add(again.json()["receipt_id"])
        return str(receipt["note_id"])

    async def _insist(self, call: Any, number: int) -> Any:
        """Call one process after the other until one answers."""
        while True:
            caller = self.callers[number % len(self.callers)]
            number += 1
            self.posts += 1
            try:
                async with asyncio.timeout(8):
                    reply = await call(caller)
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.2)
                continue
            if reply.status == 503:
                await asyncio.sleep(0.2)
                continue
            assert reply.status in (200, 202), (reply.status, reply.body)
            return reply


async def killing(system: System, kills: int, dice: random.Random) -> list[str]:
    """Kill one process after the other, each kind at least once; returns whom."""
    first = list(VICTIMS)
    dice.shuffle(first)
    killed: list[str] = []
    while len(killed) < kills:
        await asyncio.sleep(dice.uniform(0.3, 1.7))
        name = first[0] if first else dice.choice(VICTIMS)
        if system.kill(name):  # else it is down already, and somebody else's turn may come
            killed.append(name)
            first = first[1:]
    return killed


async def sending(senders: Senders, client: Caller, kills: asyncio.Task[list[str]]) -> int:
    """Fifty notes a second until the killing is over; returns how many, all answered."""
    templates = [await client.note(patient) for patient in PATIENTS]
    yesterday = (await client.now() - timedelta(days=1)).isoformat(timespec="seconds")
    start = time.monotonic()
    number = 0
    async with asyncio.TaskGroup() as group:
        while not kills.done():
            note = {
                **templates[number % len(templates)],
                "source_note_id": f"crash-{number}",
                "text": {"content_type": "text/html", "html": f"<p>Notat {number}.</p>"},
            }
            if number % 2:  # goes out at once
                note |= {"created_at": yesterday, "completed_at": yesterday}
            group.create_task(senders.send(number, note))
            number += 1
            await asyncio.sleep(max(0.0, start + number / NOTES_PER_S - time.monotonic()))
    return number


LEFT = """
SELECT 'version ' || state, count(*) FROM note_version WHERE state <> 'documented' GROUP BY state
UNION ALL
SELECT 'delivery ' || state, count(*) FROM delivery WHERE state <> 'idle' GROUP BY state
UNION ALL
SELECT 'job ' || task_name || ' ' || status, count(*) FROM procrastinate_jobs
WHERE status IN ('todo', 'doing') GROUP BY task_name, status
"""


async def until_settled(system: System) -> None:
    """Wait until the pipeline has nothing more to do."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while left := system.query(LEFT):
        assert time.monotonic() < deadline, f"still to be done: {left}\n{system.logs()[-20_000:]}"
        await asyncio.sleep(0.5)


@pytest.mark.parametrize(
    "kills", [10, pytest.param(50, marks=pytest.mark.slow)], ids=lambda kills: f"{kills} kills"
)
async def test_nothing_is_lost_or_doubled_whoever_is_killed(kills: int) -> None:
    dice = random.Random(SEED + kills)
    begun = time.monotonic()
    async with AsyncExitStack() as stack:
        system = stack.enter_context(System(apis=2, workers=2, own_postgres=True))
        callers = [await stack.enter_async_context(system.client(at)) for at in range(2)]
        client = callers[0]
        for caller in callers:
            await caller.token("practice-1")
        senders = Senders(callers)
        killer = asyncio.create_task(killing(system, kills, dice))
        notes = await sending(senders, client, killer)
        sent_s = time.monotonic() - begun
        await until_settled(system)
        midnight = (await client.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0)
        await client.move_clock(midnight)
        ((due,),) = system.query("SELECT count(*) FROM note WHERE next_due_at <= %s", midnight)
        await wait_until(lambda: nothing_is_due(system, midnight), SETTLED_WITHIN_S)
        await until_settled(system)
        print(
            f"\n{kills} kills ({' '.join(await killer)}), {notes} notes, {senders.posts} calls"
            f" in {sent_s:.0f} s, {due} released at midnight, {time.monotonic() - begun:.0f} s"
        )
        check_store(system, senders, notes)
        await check_dros(system, client, senders)
        check_audit(system, senders)


async def nothing_is_due(system: System, now: Any) -> bool:
    """Has the worker taken every note whose time has come?"""
    return system.query("SELECT count(*) FROM note WHERE next_due_at <= %s", now) == [(0,)]


def check_store(system: System, senders: Senders, notes: int) -> None:
    """Every acknowledged version is there, once, under the receipt that was given."""
    rows = system.query(
        "SELECT n.source_note_id, v.version, v.receipt_id::text, v.state"
        " FROM note n JOIN note_version v ON v.note_id = n.id"
    )
    kept = {(source, version): {receipt} for source, version, receipt, _ in rows}
    assert len(kept) == len(rows)
    assert kept == senders.receipts
    assert len({source for source, _ in kept}) == notes
    assert {state for *_, state in rows} == {"documented"}


async def check_dros(system: System, client: Caller, senders: Senders) -> None:
    """Nationally there is one approved document for each shared note, and nothing twice."""
    state = await client.dros_state(whole=True)
    assert state["counts"]["stored_twice"] == []
    assert {each["stored_count"] for each in state["entries"]} == {1}
    ours = system.query(
        "SELECT d.unique_id, d.note_id::text, d.version, n.newest_version"
        " FROM document d JOIN note n ON n.id = d.note_id"
    )
    note_of = {
        unique_id: (note_id, version == newest) for unique_id, note_id, version, newest in ours
    }
    approved = [each for each in state["entries"] if each["status"] == "Approved"]
    # Only newest versions are approved, and no note has two.
    assert all(note_of[each["unique_id"]][1] for each in approved)
    shown = Counter(note_of[each["unique_id"]][0] for each in approved)
    twice = [note_id for note_id, times in shown.items() if times > 1]
    assert twice == [], story(system, state, twice[0])
    everything = {note_id for note_id, _ in note_of.values()}
    assert set(shown) == everything - senders.stopped


def story(system: System, state: Json, note_id: str) -> str:
    """All that is known of a note's delivery, for the failure's text."""
    documents = system.query(
        "SELECT unique_id, version, generation, name_protected, assembled_at::text"
        " FROM document WHERE note_id = %s",
        note_id,
    )
    ids = {each[0] for each in documents}
    entries = [each for each in state["entries"] if each["unique_id"] in ids]
    moves = system.query(
        "SELECT convert_from(body, 'UTF8') FROM audit_entry"
        " WHERE position(%s in convert_from(body, 'UTF8')) > 0 ORDER BY seq",
        note_id,
    )
    kept = (
        *("action", "at", "trigger", "moves", "national", "operation", "operation_id"),
        *("attempt", "verdict", "code", "states", "document", "documents", "changes"),
    )
    told = [{name: json.loads(body).get(name) for name in kept} for (body,) in moves]
    delivery = system.query("SELECT * FROM delivery WHERE note_id = %s", note_id)
    parts = [*documents, *delivery, *entries, *told]
    return "\n".join(["", note_id, *map(str, parts)])


def check_audit(system: System, senders: Senders) -> None:
    """The log verifies, and tells of each version once that it was stored."""
    log = system.export_and_verify_audit()
    stored = [
        (entry["note"]["note_id"], entry["note"]["version"])
        for entry in log.of("RECEIVED")
        if entry["outcome"] == "stored"
    ]
    assert len(stored) == len(set(stored)) == len(senders.receipts)
    documented = [
        (entry["note"]["note_id"], move["version"])
        for entry in log.of("MOVED")
        for move in entry["moves"]
        if move["from"] == "received"
    ]
    assert sorted(documented) == sorted(stored)
