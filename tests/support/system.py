"""A whole system for end-to-end tests: PostgreSQL, doubles, api and worker processes.

Real processes over real HTTP; nothing is patched. PostgreSQL is embedded, or the
given one when ``TEST_DATABASE_URL`` is set.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateway.demo.client import DemoClient, Reply
from gateway.demo.environment import write_environment
from gateway.embedded_postgres import EmbeddedPostgres
from gateway.enrol import Enrolment, enrol
from gateway.keys import write_master_key
from gateway.settings import Settings
from gateway.storage.audit_signer import write_audit_key
from gateway.storage.migrate import migrate
from gateway.supervisor import ChildSpec, RestartPolicy, Supervisor, http_answers
from tests.support.postgres import create_database, drop_database

START = datetime(2026, 12, 14, 8, 0, tzinfo=UTC)  # 09:00 in Copenhagen
SHARING_START = datetime(2026, 1, 1, tzinfo=UTC)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def wait_until(
    what: Callable[[], Awaitable[bool]], *, within_seconds: float = 20.0, pause: float = 0.05
) -> None:
    """Ask again and again until it is so, up to a deadline."""
    deadline = time.monotonic() + within_seconds
    while not await what():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within_seconds} s")
        await asyncio.sleep(pause)


@dataclass
class System:
    """The system; a context manager. ``settings`` are those of the first api."""

    apis: int = 1
    workers: int = 1
    settings: Settings = field(init=False)
    supervisor: Supervisor = field(init=False)
    postgres: EmbeddedPostgres | None = field(init=False, default=None)
    doubles_url: str = field(init=False)
    api_urls: list[str] = field(init=False, default_factory=list)
    folder: Path = field(init=False)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.supervisor.request_stop()
        self._thread.join(timeout=30)
        self._stack.close()

    def _start(self) -> None:
        self.folder = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="jng-e2e-"))
        )
        self.folder.chmod(0o711)
        for name in ("keys", "anchor", "pki"):
            (self.folder / name).mkdir(mode=0o700)
        write_master_key(self.folder / "keys" / "master.key")
        write_audit_key(self.folder / "keys" / "audit.key")
        self.supervisor = self._stack.enter_context(Supervisor(self.folder / "log"))
        owner_url, app_url = self._database()
        migrate(owner_url)
        self.settings = self._settings(owner_url, app_url)
        environment = {
            **os.environ,
            **write_environment(self.folder, self.settings, self.doubles_url),
        }
        self._start_doubles(environment)
        self.supervisor.start(*self._gateway(environment))
        asyncio.run(self._enrol())
        self._thread = threading.Thread(target=self.supervisor.run, daemon=True)
        self._thread.start()

    def _database(self) -> tuple[str, str]:
        given = os.environ.get("TEST_DATABASE_URL")
        if given:
            url = create_database(given)
            self._stack.callback(drop_database, given, url)
            return url, url
        self.postgres = EmbeddedPostgres(self.folder / "postgres")
        self._stack.callback(self.postgres.remove)
        self.supervisor.start_postgres(self.postgres)
        return self.postgres.url, self.postgres.url_for("postgres", "gateway_app")

    def _settings(self, owner_url: str, app_url: str) -> Settings:
        self.doubles_url = f"http://127.0.0.1:{free_port()}"
        port = free_port()
        pki = self.folder / "pki"
        return Settings(
            database_url=app_url,
            migration_database_url=owner_url,
            app_role="gateway_app" if owner_url == app_url else "",
            port=port,
            public_url=f"http://127.0.0.1:{port}",
            master_key_file=self.folder / "keys" / "master.key",
            audit_key_file=self.folder / "keys" / "audit.key",
            anchor_file=self.folder / "anchor" / "heads.jsonl",
            signing_key_file=pki / "gateway" / "signing.key",
            signing_certificate_file=pki / "gateway" / "signing.pem",
            system_key_file=pki / "gateway" / "system.key",
            system_certificate_file=pki / "gateway" / "system.pem",
            trusted_sts_file=pki / "sts" / "sts.pem",
            client_ca_file=pki / "ca" / "bundle.pem",
            sts_url=f"{self.doubles_url}/sts/services/NewSecurityTokenService",
            dros_url=f"{self.doubles_url}/dros",
            registers_url=self.doubles_url,
            oidc_issuer=f"{self.doubles_url}/idp",
            demo_clock_url=f"{self.doubles_url}/control/clock",
            practice_oidc=True,
            send_timeout_seconds=2.0,
            retry_first_seconds=0.2,
            retry_limit_seconds=2.0,
            stalled_after_seconds=5.0,
            timer_interval_seconds=0.1,
            seal_interval_seconds=0.3,
        )

    def _start_doubles(self, environment: dict[str, str]) -> None:
        port = self.doubles_url.rsplit(":", 1)[1]
        self.supervisor.start(
            ChildSpec(
                name="doubles",
                argv=(
                    sys.executable,
                    *("-m", "test_doubles", "--port", port),
                    *("--tls-port", str(free_port()), "--pki", str(self.folder / "pki")),
                    *("--time", START.isoformat()),
                ),
                env=environment,
                is_ready=http_answers(f"{self.doubles_url}/control/clock"),
                ready_within_s=60,
            )
        )

    def _gateway(self, environment: dict[str, str]) -> list[ChildSpec]:
        soon = RestartPolicy(first_delay_s=0.05, longest_delay_s=0.5)
        program = (sys.executable, "-m", "gateway.cli")
        specs = []
        for number in range(self.apis):
            port = self.settings.port if number == 0 else free_port()
            url = f"http://127.0.0.1:{port}"
            self.api_urls.append(url)
            specs.append(
                ChildSpec(
                    name=f"api-{number}",
                    argv=(*program, "api"),
                    env={**environment, "GATEWAY_PORT": str(port)},
                    is_ready=http_answers(f"{url}/health/ready"),
                    ready_within_s=40,
                    restart=soon,
                )
            )
        for number in range(self.workers):
            specs.append(
                ChildSpec(
                    name=f"worker-{number}",
                    argv=(*program, "worker"),
                    env=environment,
                    restart=soon,
                )
            )
        return specs

    async def _enrol(self) -> None:
        async with self.client() as client:
            for persona in await client.personas():
                if persona["role"] == "practice":
                    keys = self.folder / "pki" / "practices" / f"{persona['id']}.jwks.json"
                    await enrol(
                        self.settings,
                        Enrolment(
                            persona["sor"],
                            persona["provider_number"],
                            persona["organization_name"],
                            json.loads(keys.read_text()),
                            SHARING_START,
                        ),
                        await client.clock(),
                    )

    def client(self, api: int = 0) -> DemoClient:
        """A client of one api process; an asynchronous context manager."""
        url = self.api_urls[api] if self.api_urls else self.settings.public_url
        return DemoClient(gateway_url=url, doubles_url=self.doubles_url)

    def kill(self, name: str) -> None:
        """Kill a process with -9: ``postgres`` or a child's name. Nothing if it is down."""
        pid = self._pid(name)
        if pid:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def _pid(self, name: str) -> int | None:
        if name == "postgres":
            return self.postgres.pid if self.postgres else None
        return self.supervisor.pid_of(name)


async def move_clock(client: DemoClient, now: datetime) -> None:
    """Move the clock of every process; returns once all have confirmed."""
    body = json.dumps({"now": now.isoformat()}).encode()
    (await client.call("POST", "/control/clock", body=body)).require(200)


async def dros(client: DemoClient) -> dict[str, Any]:
    """What the national registry's double holds, in short."""
    state: dict[str, Any] = (
        (await client.call("GET", "/control/state/dros?brief=1")).require(200).json()
    )
    return state


async def post_note(
    client: DemoClient, note: dict[str, Any], practice: str = "practice-1"
) -> Reply:
    """Post a plain note."""
    body = json.dumps(note, ensure_ascii=False).encode()
    return await client.call("POST", "/practice/v1/notes", body=body, persona=practice)
