"""``gateway demo``: PostgreSQL, doubles, api, worker and sample notes on one machine.

The parent only supervises. Everything it starts ends with it, however it ends.

Source: design.md 3.5; issue "The main job, end to end, on real input".
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import psycopg

from consent.times import COPENHAGEN, next_midnight
from gateway.demo.client import DemoClient
from gateway.demo.environment import write_environment
from gateway.demo.options import HOST, DemoOptions, check_ports
from gateway.demo.samples import load_samples
from gateway.demo.system import (
    api_process,
    doubles_process,
    enrol_practices,
    make_keys,
    settings_for,
    worker_process,
)
from gateway.demo.tour import print_tour, write_tour_note
from gateway.embedded_postgres import EmbeddedPostgres
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.storage.migrate import migrate
from gateway.supervisor import Supervisor

DEFAULT_TIME: Final = datetime(2026, 12, 14, 9, 0, tzinfo=COPENHAGEN)
SHARING_START: Final = datetime(2026, 12, 1, tzinfo=COPENHAGEN)
DATABASE: Final = "gateway"
APP_ROLE: Final = "gateway_app"


def run_demo(options: DemoOptions) -> int:
    """Run until Ctrl-C; returns the exit code.

    Raises:
        ConfigurationFault: a port is taken; nothing was started.
    """
    started = time.monotonic()
    check_ports(options.ports())
    data = _make_data(options.data)
    with Supervisor(data / "log") as supervisor:
        try:
            settings = _start(supervisor, options, data)
            note_id, midnight = asyncio.run(_prepare(settings, options, data))
        except GatewayError as error:
            print(f"gateway demo: {error}", file=sys.stderr)
            return 1
        print_tour(
            settings,
            options,
            seconds=time.monotonic() - started,
            note_id=note_id,
            midnight=midnight,
        )
        supervisor.run()
    print("Stopped; nothing is left running. / Stoppet; intet kører videre.")
    return 0


def _make_data(data: Path) -> Path:
    """The folder and the keys in it. Folders that were there are left as they are."""
    if not data.exists():
        data.mkdir(parents=True)
        # The database's own user must get through, and no further than through.
        data.chmod(0o711)
    make_keys(data)
    return data.resolve()


def _start(supervisor: Supervisor, options: DemoOptions, data: Path) -> Settings:
    """Start everything in the order things need each other."""
    given = os.environ.get("DATABASE_URL")
    _step("PostgreSQL" if not given else "PostgreSQL (given)")
    if given:
        owner_url = app_url = given
    else:
        postgres = EmbeddedPostgres(data / "postgres")
        supervisor.start_postgres(postgres)
        _create_database(postgres)
        owner_url = postgres.url_for(DATABASE)
        app_url = postgres.url_for(DATABASE, APP_ROLE)
    settings = _settings(options, data, owner_url, app_url, is_given=bool(given))
    environment = {**os.environ, **write_environment(data, settings, options.doubles_url)}
    _step("doubles of the national services")
    start = options.time or DEFAULT_TIME
    supervisor.start(
        doubles_process(options.doubles_url, options.doubles_tls_port, data, start, environment)
    )
    _step("database schema")
    migrate(owner_url)
    _step("gateway: api and worker")
    worker_metrics = {"GATEWAY_METRICS_PORT": str(options.worker_metrics_port)}
    supervisor.start(
        api_process("api", settings.public_url, environment),
        worker_process("worker", {**environment, **worker_metrics}),
    )
    return settings


def _step(what: str) -> None:
    print(f"  starting {what} ...", flush=True)


def _create_database(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
        ).fetchone()
        if row is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _settings(
    options: DemoOptions, data: Path, owner_url: str, app_url: str, *, is_given: bool
) -> Settings:
    return replace(
        settings_for(Settings.from_environment(), data, options.doubles_url),
        database_url=app_url,
        migration_database_url=owner_url,
        app_role=APP_ROLE if is_given else "",
        port=options.port,
        tls_port=options.tls_port,
        public_url=f"http://{HOST}:{options.port}",
        metrics_port=options.metrics_port,
        send_timeout_seconds=5.0,
        retry_limit_seconds=30.0,
        stalled_after_seconds=6.0,
    )


async def _prepare(settings: Settings, options: DemoOptions, data: Path) -> tuple[str, str]:
    """Enrol the practices and load the sample notes.

    Returns:
        The id the tour's note will get, and the coming midnight as an ISO instant.
    """
    client = DemoClient(gateway_url=settings.public_url, doubles_url=options.doubles_url)
    async with client:
        await enrol_practices(client, settings, data, SHARING_START)
        cast = {persona["id"]: persona for persona in await client.personas()}
        if not options.empty:
            _step("eight sample notes")
            await load_samples(client)
        now = (await client.clock()).now()
        note_id = write_tour_note(settings, data, cast, now)
        return note_id, next_midnight(now).astimezone(COPENHAGEN).isoformat()
