"""One gateway with its own PostgreSQL, for measuring: no clock tricks, no national push."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import psycopg

from gateway.demo.system import (
    api_process,
    doubles_process,
    make_keys,
    settings_for,
    worker_process,
)
from gateway.embedded_postgres import EmbeddedPostgres
from gateway.enrol import Enrolment, enrol
from gateway.settings import Settings
from gateway.storage.migrate import migrate
from gateway.supervisor import Supervisor
from tests.bench.processes import cpu_seconds, resident_mb

SENDERS = 32
MANY_SENDERS = 128


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Measured:
    """What one load cost."""

    notes: int
    seconds_to_ack: float
    seconds_to_done: float
    cpu: dict[str, float]

    @property
    def notes_per_cpu_second(self) -> float:
        return self.notes / sum(self.cpu.values())


class BenchSystem:
    """A running gateway."""

    def __init__(
        self,
        settings: Settings,
        supervisor: Supervisor,
        postgres: EmbeddedPostgres,
        token: str,
        patients: list[dict[str, Any]],
        doors: list[str],
    ) -> None:
        self.settings = settings
        self.supervisor = supervisor
        self.postgres = postgres
        self._token = token
        self._patients = patients
        self._doors = doors
        self._posted = 0

    def pids(self) -> dict[str, int]:
        """The server processes that are counted."""
        return {
            "api": self.supervisor.pid_of("api") or 0,
            "api-2": self.supervisor.pid_of("api-2") or 0,
            "worker": self.supervisor.pid_of("worker") or 0,
            "postgres": self.postgres.pid or 0,
        }

    def load(
        self, count: int, text_bytes: int, senders: int = SENDERS, *, doors: int = 1
    ) -> Measured:
        """Post ``count`` notes and wait until all are mapped and signed.

        Args:
            doors: among how many api processes the senders are divided; 1 or 2.
        """
        first, self._posted = self._posted, self._posted + count
        before = {name: cpu_seconds(pid) for name, pid in self.pids().items()}
        start = time.perf_counter()
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.bench.load",
                ",".join(f"{door}/practice/v1/notes" for door in self._doors[:doors]),
                self._token,
                json.dumps(self._patients),
                str(senders),
                str(count),
                str(text_bytes),
                str(first),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        report = json.loads(done.stdout)
        if report["refused"]:
            raise RuntimeError(f"{report['refused']} notes refused: {done.stderr[:1000]}")
        self._wait_documented()
        spent = time.perf_counter() - start
        after = {name: cpu_seconds(pid) for name, pid in self.pids().items()}
        return Measured(
            count, report["seconds"], spent, {name: after[name] - before[name] for name in after}
        )

    def _wait_documented(self) -> None:
        deadline = time.monotonic() + 300
        with psycopg.connect(self.settings.migration_database_url, autocommit=True) as connection:
            while time.monotonic() < deadline:
                row = connection.execute(
                    "SELECT count(*) FROM note_version WHERE state = 'received'"
                ).fetchone()
                if row and row[0] == 0:
                    return
                time.sleep(0.1)
        raise RuntimeError("the worker did not catch up")

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of api and worker."""
        pids = self.pids()
        return {name: resident_mb(pids[name]) for name in ("api", "worker")}


@contextmanager
def running_system(folder: Path, signing: str) -> Iterator[BenchSystem]:
    """Start a gateway whose documents are signed with ``signing`` or ``signing-rsa``."""
    folder.mkdir(mode=0o711)
    make_keys(folder)
    with ExitStack() as stack:
        supervisor = stack.enter_context(Supervisor(folder / "log"))
        postgres = EmbeddedPostgres(folder / "postgres")
        supervisor.start_postgres(postgres)
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE bench")
        migrate(postgres.url_for("bench"))
        settings, doubles = _settings(folder, postgres, signing)
        environment = {**os.environ, **settings.to_environment()}
        supervisor.start(
            doubles_process(doubles, free_port(), folder, datetime.now(UTC), environment)
        )
        doors = [settings.public_url, f"http://127.0.0.1:{free_port()}"]
        supervisor.start(
            *(
                api_process(name, door, environment)
                for name, door in zip(("api", "api-2"), doors, strict=True)
            ),
            worker_process("worker", environment),
        )
        token, patients = asyncio.run(_prepare(settings, doubles, folder))
        yield BenchSystem(settings, supervisor, postgres, token, patients, doors)


def _settings(folder: Path, postgres: EmbeddedPostgres, signing: str) -> tuple[Settings, str]:
    port = free_port()
    doubles = f"http://127.0.0.1:{free_port()}"
    own = Settings(
        database_url=postgres.url_for("bench", "gateway_app"),
        migration_database_url=postgres.url_for("bench"),
        app_role="",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
    )
    pki = folder / "pki" / "gateway"
    return (
        dataclasses.replace(
            settings_for(own, folder, doubles),
            signing_key_file=pki / f"{signing}.key",
            signing_certificate_file=pki / f"{signing}.pem",
            dros_url="",
            demo_clock_url="",
        ),
        doubles,
    )


async def _prepare(
    settings: Settings, doubles: str, folder: Path
) -> tuple[str, list[dict[str, Any]]]:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{doubles}/control/personas") as response:
            cast = await response.json()
        practice = next(each for each in cast if each["id"] == "practice-1")
        keys = folder / "pki" / "practices" / "practice-1.jwks.json"
        await enrol(
            settings,
            Enrolment(
                practice["sor"],
                practice["provider_number"],
                practice["organization_name"],
                json.loads(keys.read_text()),
                datetime(2026, 1, 1, tzinfo=UTC),
            ),
        )
        async with session.post(f"{doubles}/idp/token", json={"persona": "practice-1"}) as answer:
            token = (await answer.json())["access_token"]
    people = [each for each in cast if each["role"] == "citizen"]
    return token, people
