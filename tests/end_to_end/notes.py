"""Notes for the end-to-end tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from consent.times import COPENHAGEN, next_midnight
from gateway.demo.client import DemoClient
from gateway.demo.samples import note_for

_numbers = count(1)


async def fresh_note(
    client: DemoClient, patient: str = "patient-1", practice: str = "practice-1", **more: Any
) -> dict[str, Any]:
    """An ordinary note that was completed five minutes ago, with a source id of its own."""
    cast = {each["id"]: each for each in await client.personas()}
    now = (await client.clock()).now().astimezone(COPENHAGEN)
    number = next(_numbers)
    fields: dict[str, Any] = {
        "source_note_id": f"e2e-{number}",
        "html": f"<p>Notat nummer {number}: <b>alt vel</b>.</p>",
        "created_at": (now - timedelta(minutes=30)).isoformat(timespec="seconds"),
        "completed_at": (now - timedelta(minutes=5)).isoformat(timespec="seconds"),
    }
    return note_for(cast[patient], cast[practice], **(fields | more))


async def coming_midnight(client: DemoClient) -> datetime:
    """The next midnight in Copenhagen, as the system's clock sees it."""
    return next_midnight((await client.clock()).now())


async def feed_ids(client: DemoClient, persona: str = "patient-1") -> dict[str, int]:
    """What the patient sees now: note id to version."""
    page = (await client.call("GET", "/patient/v1/notes", persona=persona)).require(200).json()
    return {note["note_id"]: note["version"] for note in page["notes"]}
