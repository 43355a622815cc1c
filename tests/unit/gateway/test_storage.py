"""Stores against a real PostgreSQL: the migrations, the role, the feed's delta."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from gateway.errors import Unavailable
from gateway.storage import feeds
from gateway.storage.database import Database, Lane, defer_job, overdue_jobs
from gateway.storage.migrate import migrate, sqlalchemy_url
from gateway.storage.tables import metadata

pytestmark = pytest.mark.postgres


def _is_ours(_: object, name: str | None, *__: object) -> bool:
    return not (name or "").startswith(("procrastinate", "idx_procrastinate", "alembic"))


def test_the_migrations_make_what_the_tables_say(empty_database_url: str) -> None:
    migrate(empty_database_url)
    engine = create_engine(sqlalchemy_url(empty_database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": _is_ours})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_migrating_again_changes_nothing(empty_database_url: str) -> None:
    assert migrate(empty_database_url) == migrate(empty_database_url)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET body = ''",
        "DELETE FROM audit_entry",
        "UPDATE audit_leaf SET leaf_hash = ''",
        "DELETE FROM audit_head",
        "TRUNCATE audit_entry",
        "DROP TABLE note",
        "DELETE FROM note",
    ],
)
def test_the_role_that_serves_can_neither_alter_the_log_nor_drop_anything(
    migrated_database_url: str, statement: str
) -> None:
    with (
        psycopg.connect(migrated_database_url, options="-c role=gateway_app") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


async def test_a_database_that_is_away_is_told_as_unavailable() -> None:
    database = Database("postgresql://127.0.0.1:1/none", size=1)
    await database.open()
    try:
        with pytest.raises(Unavailable):
            async with database.transaction():
                pass
    finally:
        await database.close()


async def test_a_job_whose_end_was_never_written_down_is_overdue(
    database: Database, migrated_database_url: str
) -> None:
    async with database.transaction() as connection:
        for _ in range(2):
            await defer_job(connection, "task", {}, Lane.LIVE)
        await connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        assert await overdue_jobs(connection, timedelta(seconds=60)) == []
    with psycopg.connect(migrated_database_url) as owner:
        owner.execute("UPDATE procrastinate_events SET at = at - interval '61 s' WHERE job_id = 1")
    async with database.transaction() as connection:
        assert await overdue_jobs(connection, timedelta(seconds=60)) == [1]


class Feed:
    """One actor's feed, asked again and again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._actor, self._patient = uuid4(), uuid4()

    async def page(
        self, visible: dict[UUID, tuple[int, int]], after: int = 0, page: int = 50
    ) -> tuple[list[UUID], list[UUID], int]:
        async with self._database.transaction() as connection:
            items = await feeds.advance(
                connection, self._actor, self._patient, visible, after=after, page=page
            )
        shown = [item.note_id for item in items if not item.is_removed]
        removed = [item.note_id for item in items if item.is_removed]
        return shown, removed, items[-1].seq if items else after


@pytest.fixture
def feed(database: Database) -> Feed:
    return Feed(database)


async def test_the_feed_tells_the_difference_and_repeats_itself_on_demand(
    feed: Feed,
) -> None:
    one, two, never = uuid4(), uuid4(), uuid4()
    shown, removed, first = await feed.page({one: (1, 0)})
    assert (shown, removed) == ([one], [])
    assert await feed.page({one: (1, 0)}, first) == ([], [], first)
    shown, _, second = await feed.page({one: (2, 0), two: (1, 0)}, first)
    assert shown == [one, two]
    # The same old cursor gives the same again: the answer may have been lost.
    assert (await feed.page({one: (2, 0), two: (1, 0)}, first))[0] == [one, two]
    shown, removed, third = await feed.page({two: (1, 0)}, second)
    assert (shown, removed) == ([], [one])
    assert (await feed.page({two: (1, 0)}, second))[1] == [one]
    shown, removed, _ = await feed.page({one: (2, 0), two: (1, 0)}, third)
    assert (shown, removed) == ([one], [])
    # From the beginning nothing is ever named as removed.
    assert (await feed.page({two: (1, 0)}))[1] == []
    # A note that comes and goes between two reads is never named at all.
    assert never not in (await feed.page({two: (1, 0)}, third))[1]


async def test_pages_are_walked_without_loss_and_without_naming_what_was_never_shown(
    feed: Feed,
) -> None:
    notes = {uuid4(): (1, 0) for _ in range(7)}
    shown, _, after = await feed.page(notes, page=3)
    assert shown == list(notes)[:3]
    gone = dict(notes)
    del gone[list(notes)[6]]  # not on any page so far
    seen = list(shown)
    for _ in range(3):
        shown, removed, after = await feed.page(gone, after, page=3)
        assert removed == []
        seen += shown
    assert seen == list(gone)


async def test_a_page_full_of_what_was_removed_does_not_hide_what_is_new(
    feed: Feed,
) -> None:
    old, new = uuid4(), uuid4()
    await feed.page({old: (1, 0)}, page=1)
    await feed.page({}, after=1, page=1)
    assert (await feed.page({new: (1, 0)}, page=1))[:2] == ([new], [])
