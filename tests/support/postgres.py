"""PostgreSQL for the tests: embedded by default, a given server when asked for.

With ``TEST_DATABASE_URL`` set, a scratch database is made on that server (the role
needs CREATEDB) and dropped at the end; otherwise a server of our own is started
once per test run. Either way each test gets a database of its own by cloning a
template, which costs some fifty milliseconds.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from gateway.embedded_postgres import EmbeddedPostgres
from gateway.storage.database import Database
from gateway.storage.migrate import migrate

APP_ROLE = "gateway_app"
_AUTHORITY_AND_PATH = re.compile(r"^(?P<head>[a-z0-9+]+://[^/?#]*)(?P<path>/[^?#]*)?")
_templates: dict[tuple[str, str], str] = {}


@contextmanager
def scratch_postgres(settings: Mapping[str, str] | None = None) -> Iterator[EmbeddedPostgres]:
    """Run a fresh embedded server, and leave nothing of it behind."""
    # Made by us, so its rights are ours to choose: the server's user must get in.
    base = Path(tempfile.mkdtemp(prefix="jng-test-"))
    base.chmod(0o711)
    postgres = EmbeddedPostgres(base / "postgres", settings=settings)
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.remove()
        shutil.rmtree(base, ignore_errors=True)


def with_database(url: str, database: str) -> str:
    """The same address with another database name."""
    match = _AUTHORITY_AND_PATH.match(url)
    if match is None:
        raise ValueError("not a database address")
    return f"{match['head']}/{database}{url[match.end() :]}"


def database_of(url: str) -> str:
    """The database name in an address."""
    match = _AUTHORITY_AND_PATH.match(url)
    if match is None or not match["path"]:
        raise ValueError("no database in the address")
    return match["path"][1:]


def create_database(admin_url: str, template: str | None = None) -> str:
    """Make a database with a fresh name and return its address.

    Args:
        admin_url: address of any database on the server, as a role with CREATEDB.
        template: name of the database to clone; nobody may be connected to it.
    """
    name = f"test_{uuid.uuid4().hex[:16]}"
    command = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template or "template1")
    )
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(command)
    return with_database(admin_url, name)


def drop_database(admin_url: str, url: str) -> None:
    """Drop the database of ``url``, ending whoever is still connected to it."""
    command = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(
        sql.Identifier(database_of(url))
    )
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(command)


def template_database(admin_url: str, key: str, build: Callable[[str], None]) -> str:
    """Name of a database that ``build(url)`` has filled, once per run, server and key.

    ``build`` must have closed its connections when it returns.
    """
    known = _templates.get((admin_url, key))
    if known is None:
        url = create_database(admin_url)
        build(url)
        known = _templates[admin_url, key] = database_of(url)
    return known


def _migrated(url: str) -> None:
    migrate(url)


def create_migrated_database(admin_url: str) -> str:
    """Make a database with the gateway's tables, as the migrations leave them."""
    return create_database(admin_url, template_database(admin_url, "migrated", _migrated))


@contextmanager
def server_for_tests() -> Iterator[str]:
    """The server of this run: address of a scratch database on it, dropped at the end."""
    given = os.environ.get("TEST_DATABASE_URL")
    if not given:
        with scratch_postgres() as postgres:
            yield postgres.url
        return
    url = create_database(given)
    try:
        yield url
    finally:
        for (admin_url, _key), name in list(_templates.items()):
            if admin_url == url:
                drop_database(given, with_database(given, name))
        drop_database(given, url)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Administrator's address on the server of this run."""
    with server_for_tests() as url:
        yield url


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database of this test's own, with nothing in it."""
    url = create_database(postgres_url)
    yield url
    drop_database(postgres_url, url)


@pytest.fixture
def migrated_database_url(postgres_url: str) -> Iterator[str]:
    """A database of this test's own, with the gateway's tables."""
    url = create_migrated_database(postgres_url)
    yield url
    drop_database(postgres_url, url)


@pytest.fixture
async def database(migrated_database_url: str) -> AsyncIterator[Database]:
    """A pool on such a database, as the role that serves."""
    pool = Database(migrated_database_url, app_role=APP_ROLE)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


@pytest.fixture(scope="module")
def empty_module_database_url(postgres_url: str) -> Iterator[str]:
    """A database of this module's own, with nothing in it."""
    url = create_database(postgres_url)
    yield url
    drop_database(postgres_url, url)
