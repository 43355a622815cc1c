"""The main job on a PostgreSQL that was given, not started by us."""

from __future__ import annotations

import pytest

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
            await client.until_documented(note_id)
            before = len(await client.soap_find("doctor-1", "patient-1"))
            await client.move_clock(midnight)
            assert note_id in await client.feed_ids()

            await client.until_nationally(note_id, "present")
            assert len(await client.soap_find("doctor-1", "patient-1")) == before + 1
