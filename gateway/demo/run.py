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
from gateway.demo.options import DemoOptions, check_ports
from gateway.demo.samples import load_samples
from gateway.demo.tour import print_tour, write_tour_note
from gateway.embedded_postgres import EmbeddedPostgres
from gateway.enrol import Enrolment, enrol
from gateway.errors import GatewayError
from gateway.keys import write_master_key
from gateway.settings import Settings
from gateway.storage.audit_signer import write_audit_key
from gateway.storage.migrate import migrate
from gateway.supervisor import ChildSpec, Supervisor, http_answers

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
    for name in ("keys", "anchor", "pki"):
        (data / name).mkdir(mode=0o700, exist_ok=True)
    write_master_key(data / "keys" / "master.key")
    write_audit_key(data / "keys" / "audit.key")
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
    doubles_url = f"http://127.0.0.1:{options.doubles_port}"
    environment = {**os.environ, **write_environment(data, settings, doubles_url)}
    _step("doubles of the national services")
    doubles = _doubles(options, data, doubles_url, environment)
    supervisor.start(doubles)
    _step("database schema")
    migrate(owner_url)
    _step("gateway: api and worker")
    supervisor.start(*_gateway(settings, environment))
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
    doubles = f"http://127.0.0.1:{options.doubles_port}"
    pki = data / "pki"
    return replace(
        Settings.from_environment(),
        database_url=app_url,
        migration_database_url=owner_url,
        app_role=APP_ROLE if is_given else "",
        port=options.port,
        tls_port=options.tls_port,
        public_url=f"http://127.0.0.1:{options.port}",
        metrics_port=options.metrics_port,
        master_key_file=data / "keys" / "master.key",
        audit_key_file=data / "keys" / "audit.key",
        anchor_file=data / "anchor" / "heads.jsonl",
        signing_key_file=pki / "gateway" / "signing.key",
        signing_certificate_file=pki / "gateway" / "signing.pem",
        system_key_file=pki / "gateway" / "system.key",
        system_certificate_file=pki / "gateway" / "system.pem",
        server_key_file=pki / "gateway" / "server.key",
        server_certificate_file=pki / "gateway" / "server.pem",
        trusted_sts_file=pki / "sts" / "sts.pem",
        client_ca_file=pki / "ca" / "bundle.pem",
        sts_url=f"{doubles}/sts/services/NewSecurityTokenService",
        dros_url=f"{doubles}/dros",
        registers_url=doubles,
        oidc_issuer=f"{doubles}/idp",
        demo_clock_url=f"{doubles}/control/clock",
        practice_oidc=True,
        send_timeout_seconds=5.0,
        retry_limit_seconds=30.0,
        stalled_after_seconds=6.0,
    )


def _doubles(options: DemoOptions, data: Path, url: str, environment: dict[str, str]) -> ChildSpec:
    moment = options.time or DEFAULT_TIME
    arguments = [
        *("--port", str(options.doubles_port)),
        *("--tls-port", str(options.doubles_tls_port)),
        *("--pki", str(data / "pki")),
        *("--time", moment.isoformat()),
    ]
    return ChildSpec(
        name="doubles",
        argv=(sys.executable, "-m", "test_doubles", *arguments),
        env=environment,
        is_ready=http_answers(f"{url}/control/clock"),
        ready_within_s=60,
    )


def _gateway(settings: Settings, environment: dict[str, str]) -> tuple[ChildSpec, ...]:
    program = (sys.executable, "-m", "gateway.cli")
    worker_metrics = {**environment, "GATEWAY_METRICS_PORT": str(settings.metrics_port + 1)}
    return (
        ChildSpec(
            name="api",
            argv=(*program, "api"),
            env=environment,
            is_ready=http_answers(f"{settings.public_url}/health/ready"),
            ready_within_s=30,
        ),
        ChildSpec(name="worker", argv=(*program, "worker"), env=worker_metrics),
    )


async def _prepare(settings: Settings, options: DemoOptions, data: Path) -> tuple[str, str]:
    """Enrol the practices and load the sample notes.

    Returns:
        The id the tour's note will get, and the coming midnight as an ISO instant.
    """
    client = DemoClient(
        gateway_url=settings.public_url,
        doubles_url=f"http://127.0.0.1:{options.doubles_port}",
    )
    async with client:
        clock = await client.clock()
        cast = {persona["id"]: persona for persona in await client.personas()}
        for persona in cast.values():
            if persona["role"] == "practice":
                keys = data / "pki" / "practices" / f"{persona['id']}.jwks.json"
                await enrol(
                    settings,
                    Enrolment(
                        sor_code=persona["sor"],
                        provider_number=persona["provider_number"],
                        name=persona.get("organization_name") or persona["family"],
                        jwks=client.read_json(keys),
                        sharing_start=SHARING_START,
                    ),
                    clock,
                )
        if not options.empty:
            _step("eight sample notes")
            await load_samples(client)
        now = clock.now()
        note_id = write_tour_note(settings, data, cast, now)
        return note_id, next_midnight(now).astimezone(COPENHAGEN).isoformat()
