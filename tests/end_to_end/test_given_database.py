"""The main job on a PostgreSQL that was given, not started by us."""

from __future__ import annotations

import pytest

from tests.support.client import wait_until
from tests.support.system import System

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]


async def test_a_note_goes_the_whole_way_on_a_given_database(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", postgres_url)
    with System(apis=1, workers=1) as system:
        assert system.postgres is None
        async with system.client() as client:
            midnight = await client.morning()
            note_id = await client.posted(await client.note("patient-1"))
            assert note_id not in await client.feed_ids()
            before = len(await client.soap_find("doctor-1", "patient-1"))
            await client.move_clock(midnight)
            assert note_id in await client.feed_ids()

            async def is_everywhere() -> bool:
                view = await client.view(note_id)
                return bool(view["destinations"]["national"]["delivery"] == "present")

            await wait_until(is_everywhere)
            assert len(await client.soap_find("doctor-1", "patient-1")) == before + 1
