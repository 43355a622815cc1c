"""A whole system for end-to-end tests: PostgreSQL, doubles, api and worker processes.

Real processes over real HTTP; nothing is patched. PostgreSQL is embedded, or the
given one when ``TEST_DATABASE_URL`` is set. Everything is started, watched and
restarted by the product's own supervisor, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from gateway.demo.environment import write_environment
from gateway.demo.system import (
    api_process,
    doubles_process,
    enrol_practices,
    make_keys,
    settings_for,
    worker_process,
)
from gateway.embedded_postgres import EmbeddedPostgres
from gateway.settings import Settings
from gateway.storage.migrate import migrate
from gateway.supervisor import ChildSpec, RestartPolicy, Supervisor
from test_doubles.pki import ensure_pki
from tests.support.client import Caller
from tests.support.postgres import create_database, drop_database

START = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)  # 09:00 in Copenhagen
SHARING_START = datetime(2026, 12, 1, tzinfo=UTC)
START_WITHIN_S = 90.0
SOON = RestartPolicy(first_delay_s=0.05, longest_delay_s=0.5, steady_after_s=1.0)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody listens on."""
    while True:
        first = free_port()
        with ExitStack() as probes, suppress(OSError, OverflowError):
            for number in range(first, first + count):
                probes.enter_context(socket.create_server(("127.0.0.1", number)))
            return first


@cache
def _keys_and_certificates() -> Path:
    """Made once a run: each system gets a copy."""
    folder = Path(tempfile.mkdtemp(prefix="jng-pki-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ensure_pki(folder / "pki")
    return folder / "pki"


@dataclass(frozen=True, slots=True)
class AuditLog:
    """A verified export: the file as text, and each entry's body parsed."""

    text: str
    entries: tuple[dict[str, Any], ...]

    def of(self, action: str) -> list[dict[str, Any]]:
        """The entries of one action, oldest first."""
        return [entry for entry in self.entries if entry["action"] == action]


class System:
    """The system; a context manager.

    Args:
        apis, workers: how many processes of each kind.
        start: where the clock of all processes begins.
        own_postgres: an embedded server even where a given one is to be tested,
            since this test stops it.
        changes: settings that differ.
    """

    def __init__(
        self,
        *,
        apis: int = 1,
        workers: int = 1,
        start: datetime = START,
        own_postgres: bool = False,
        **changes: Any,
    ) -> None:
        self._start_at = start
        self._apis = apis
        self._workers = workers
        self._given = None if own_postgres else os.environ.get("TEST_DATABASE_URL")
        self._changes: Mapping[str, Any] = changes
        self._stack = ExitStack()
        self._is_settled = threading.Event()
        self._may_go_on = threading.Event()
        self._is_holding = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._supervise, name="supervisor")
        self._may_go_on.set()
        self.doubles_url = f"http://127.0.0.1:{free_port()}"
        self.api_urls = [f"http://127.0.0.1:{free_port()}" for _ in range(apis)]
        self.postgres: EmbeddedPostgres | None = None
        self.settings = Settings()
        self.folder = Path()
        self.supervisor: Supervisor

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="jng-e2e-"))
        self.folder.chmod(0o711)
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._thread.start()
        self._is_settled.wait(START_WITHIN_S)
        if self._failure is not None or not self._is_settled.is_set():
            self.__exit__(None, None, None)
            raise RuntimeError(f"the system did not start\n{self.logs()}") from self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(AttributeError):  # it never came to a supervisor
            self.supervisor.request_stop()
        self._may_go_on.set()
        self._thread.join(60)
        self._stack.close()

    def client(self, api: int = 0) -> Caller:
        """A caller of one api process; an asynchronous context manager."""
        return Caller(gateway_url=self.api_urls[api], doubles_url=self.doubles_url)

    def pid(self, name: str) -> int | None:
        """Process id of ``postgres``, ``doubles``, ``api-0``, ``worker-0`` ...; None while down."""
        with suppress(AttributeError):  # the supervisor is taking it down this very moment
            if name != "postgres":
                return self.supervisor.pid_of(name)
            return self.postgres.pid if self.postgres else None
        return None

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> bool:
        """Send a signal to a process; False when it is down already."""
        pid = self.pid(name)
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    @contextmanager
    def without_postgres(self) -> Iterator[None]:
        """PostgreSQL is stopped inside the block and started again after it."""
        assert self.postgres is not None, "needs own_postgres"
        self._may_go_on.clear()
        assert self._is_holding.wait(10), "the supervisor does not pause"
        try:
            self.kill("postgres", signal.SIGINT)
            while self.postgres.is_alive:
                threading.Event().wait(0.01)
            yield
        finally:
            self._is_holding.clear()
            self._may_go_on.set()

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Look into the database as its owner."""
        with psycopg.connect(self.settings.migration_database_url, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def command(self, *arguments: str) -> str:
        """Run ``gateway ARGUMENTS`` as an operator would; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "gateway.cli", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def export_and_verify_audit(self) -> AuditLog:
        """Write the log out and check it with the outsider's program."""
        export = self.folder / "audit.jsonl"
        self.command("audit", "export", "--data", str(self.folder), "--out", str(export))
        anchor, key = self.settings.anchor_file, self.folder / "keys" / "audit.pub.pem"
        self.command("audit", "verify", str(export), "--anchor", str(anchor), "--key", str(key))
        text = export.read_text(encoding="utf-8")
        lines = (json.loads(line) for line in text.splitlines())
        return AuditLog(
            text, tuple(json.loads(line["body"]) for line in lines if line["kind"] == "entry")
        )

    def logs(self) -> str:
        """All that the processes have logged."""
        files = sorted((self.folder / "log").glob("*.log"))
        return "\n".join(f"{file.name}:\n{file.read_text('utf-8', 'replace')}" for file in files)

    # In the supervisor's thread

    def _supervise(self) -> None:
        try:
            with Supervisor(self.folder / "log") as supervisor:
                self.supervisor = supervisor
                self._start(supervisor)
                self._is_settled.set()
                while not supervisor.stop_requested:
                    supervisor.run(until=lambda: not self._may_go_on.is_set())
                    self._is_holding.set()
                    self._may_go_on.wait()
        except BaseException as failure:  # noqa: BLE001 (shown by the thread that waits)
            self._failure = failure
        finally:
            self._is_settled.set()

    def _start(self, supervisor: Supervisor) -> None:
        make_keys(self.folder)
        shutil.copytree(_keys_and_certificates(), self.folder / "pki", dirs_exist_ok=True)
        owner_url, app_url = self._database(supervisor)
        self.settings = self._settings(owner_url, app_url)
        variables = write_environment(self.folder, self.settings, self.doubles_url)
        environment = {**os.environ, **variables}
        with ThreadPoolExecutor(1) as beside:
            migrated = beside.submit(migrate, owner_url)
            supervisor.start(
                doubles_process(
                    self.doubles_url, free_port(), self.folder, self._start_at, environment
                )
            )
            migrated.result()
            enrolled = beside.submit(asyncio.run, self._enrol())
            supervisor.start(*self._processes(environment))
            enrolled.result()

    def _database(self, supervisor: Supervisor) -> tuple[str, str]:
        if self._given:
            url = create_database(self._given)
            self._stack.callback(drop_database, self._given, url)
            return url, url
        self.postgres = EmbeddedPostgres(self.folder / "postgres")
        supervisor.start_postgres(self.postgres)
        return self.postgres.url, self.postgres.url_for("postgres", "gateway_app")

    def _settings(self, owner_url: str, app_url: str) -> Settings:
        settings = settings_for(Settings(), self.folder, self.doubles_url)
        quick = replace(
            settings,
            database_url=app_url,
            migration_database_url=owner_url,
            app_role="gateway_app" if owner_url == app_url else "",
            port=int(self.api_urls[0].rpartition(":")[2]),
            public_url=self.api_urls[0],
            send_timeout_seconds=2.0,
            retry_first_seconds=0.2,
            retry_limit_seconds=1.0,
            stalled_after_seconds=5.0,
            timer_interval_seconds=0.1,
            seal_interval_seconds=0.3,
        )
        return replace(quick, **self._changes)

    def _processes(self, environment: dict[str, str]) -> list[ChildSpec]:
        apis = [
            api_process(f"api-{number}", url, environment, SOON)
            for number, url in enumerate(self.api_urls)
        ]
        workers = [
            worker_process(f"worker-{number}", environment, SOON) for number in range(self._workers)
        ]
        return [*apis, *workers]

    async def _enrol(self) -> None:
        async with self.client() as client:
            await enrol_practices(client, self.settings, self.folder, SHARING_START)
