"""The connection pool every store uses, and the way jobs enter a transaction.

One pool per process (psycopg 3, asynchronous). Stores take a connection as
an argument and never commit: whoever opened the transaction decides what
belongs together.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import IntEnum
from typing import Any, Final, LiteralString
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from gateway.errors import Unavailable

Connection = AsyncConnection[TupleRow]
QUEUE: Final = "pipeline"
CONNECT_SECONDS: Final = 5.0
CHECK_AGAIN_SECONDS: Final = 0.2
_checked_at: Final[WeakKeyDictionary[Connection, float]] = WeakKeyDictionary()


class Lane(IntEnum):
    """Priority of a job; the engine takes the highest first (design.md 2)."""

    STOP = 50
    CANCEL = 40
    LIVE = 30
    FEED = 20
    BACKFILL = 10


def as_json(value: Any) -> str:
    """JSON as text. Arrays of it go over the wire in binary, with nothing to escape."""
    return orjson.dumps(value, default=str).decode()


async def _configure(connection: Connection) -> None:
    set_json_dumps(as_json, connection)
    set_json_loads(orjson.loads, connection)


async def _check(connection: Connection) -> None:
    """Ask the server whether it is there, unless it answered a moment ago."""
    now = time.monotonic()
    if now - _checked_at.get(connection, -math.inf) > CHECK_AGAIN_SECONDS:
        await AsyncConnectionPool.check_connection(connection)
        _checked_at[connection] = now


def connection_info(database_url: str, app_role: str) -> str:
    """The libpq string: the URL, and the role taken on once connected."""
    options = f"-c role={app_role}" if app_role else ""
    extra = {"options": options} if options else {}
    return make_conninfo(
        database_url, application_name="gateway", connect_timeout=int(CONNECT_SECONDS), **extra
    )


class Database:
    """A pool of connections to PostgreSQL.

    Args:
        database_url: a ``postgresql://`` URL.
        app_role: role to take on, or empty to stay as connected.
        size: most connections held at once.
    """

    def __init__(self, database_url: str, *, app_role: str = "", size: int = 8) -> None:
        self.pool = AsyncConnectionPool(
            connection_info(database_url, app_role),
            min_size=1,
            max_size=size,
            open=False,
            timeout=CONNECT_SECONDS,
            reconnect_timeout=2.0,
            configure=_configure,
            check=_check,
        )

    async def open(self) -> None:
        """Start the pool; connections come when the server is there."""
        await self.pool.open(wait=False)

    async def close(self) -> None:
        """Give every connection back and stop."""
        await self.pool.close()

    async def wait_until_ready(self) -> None:
        """Return once the server answers.

        Raises:
            Unavailable: it does not answer within the connection time-out.
        """
        async with self.transaction() as connection:
            await connection.execute("SELECT 1")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction: committed at the end, rolled back on any error.

        Raises:
            Unavailable: the server is away or went away meanwhile. A commit
                whose answer was lost may still have happened; callers either
                repeat themselves harmlessly or tell their own caller to.
        """
        try:
            async with self.pool.connection() as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise Unavailable(f"database: {type(error).__name__}") from error


async def copy_rows(
    connection: Connection,
    table: LiteralString,
    columns: Mapping[LiteralString, LiteralString],
    rows: Iterable[Sequence[Any]],
) -> None:
    """Insert rows by COPY in binary form, the cheapest way into a table.

    Args:
        columns: column name to PostgreSQL type, in the order of the values.
    """
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            await copy.write_row(row)


async def defer_job(
    connection: Connection, task: str, arguments: Mapping[str, Any], lane: Lane
) -> None:
    """Put a job into the engine's queue, inside the caller's transaction.

    Arguments hold ids only. The engine's own SQL function is called, which is
    what its Python client does too, but on our connection.
    """
    await connection.execute(
        "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(%s, %s, %s, NULL, NULL, %s, NULL)"
        "::procrastinate_job_to_defer_v1])",
        (QUEUE, task, int(lane), as_json(arguments)),
    )


ABSORB_JOBS: Final = """
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT id FROM procrastinate_jobs
    WHERE queue_name = %s AND task_name = %s AND priority = %s AND status = 'todo'
          AND attempts = 0 AND scheduled_at IS NULL AND args - 'note_ids' = '{}'
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING args
"""


async def absorb_jobs(connection: Connection, task: str, lane: Lane, limit: int) -> list[UUID]:
    """Take over jobs that nobody has begun, inside the caller's transaction.

    Whoever does their work in the same transaction saves the engine a turn for
    each; if it is rolled back, they are waiting again as if nothing had been.
    Jobs that have failed before are left to run alone, and so are those whose
    arguments say more than which notes.

    Returns:
        The notes they were for.
    """
    cursor = await connection.execute(ABSORB_JOBS, (QUEUE, task, int(lane), limit))
    return [UUID(each) for row in await cursor.fetchall() for each in row[0]["note_ids"]]


async def flush_later(connection: Connection) -> None:
    """Let this transaction's commit return before it is on disk.

    Only for work that a job does again when it was lost. The server writes its
    log in order, so whatever is committed later and waited for (a reader's audit
    entry, a delivery about to be sent) has this on disk too.
    """
    await connection.execute("SET LOCAL synchronous_commit = off")


OVERDUE_JOBS: Final = """
SELECT job.id FROM procrastinate_jobs job JOIN procrastinate_events event ON event.job_id = job.id
WHERE job.status = 'doing' AND event.type = 'started'
GROUP BY job.id HAVING max(event.at) < now() - %s::interval
"""


async def overdue_jobs(connection: Connection, limit: timedelta) -> list[int]:
    """Jobs that were started longer ago than a job may take; by the database's own clock.

    Their worker is alive, or the engine would put them back itself, but it was
    cut off from the database when it wanted to say how they ended.
    """
    cursor = await connection.execute(OVERDUE_JOBS, (limit,))
    return [row[0] for row in await cursor.fetchall()]
