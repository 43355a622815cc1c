"""A gateway with its compliance pages and a real identity provider double, on free ports.

Everything runs in the test's own event loop: the application under uvicorn, the
doubles under aiohttp. The provider is called ``localhost`` and the gateway
``127.0.0.1``, which a browser takes for two sites, as in real life.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import uvicorn
from aiohttp import web

from gateway.app import build_app as build_gateway
from gateway.clock import FixedClock
from gateway.keys import KeyRing, write_master_key
from gateway.pipeline.audit import AuditAction, AuditEntry
from gateway.settings import Settings
from gateway.storage import audit_log
from gateway.storage.database import Database
from gateway.wiring import build_base, build_services
from test_doubles.app import build_app as build_doubles
from test_doubles.clock import Clock, parse_instant
from test_doubles.faults import FaultBook
from test_doubles.idp import IdentityProvider
from test_doubles.personas import Personas
from test_doubles.recorder import Recorder
from test_doubles.world import World

START = "2026-12-14T09:00:00+01:00"
PATIENT_CPR = "3001749995"
OTHER_CPR = "1205519996"
DOCTOR = "Henrik Test Overby"
SECRET_TITLE = "Kontrol af sukkersyge"
SECRET_TEXT = "Patienten fortæller om sin dag"


@dataclass(slots=True)
class House:
    """What a test holds in its hands."""

    url: str
    clock: FixedClock
    ring: KeyRing
    database: Database
    idp: IdentityProvider
    doubles: World
    settings: Settings

    async def write(self, entries: Sequence[AuditEntry]) -> None:
        """Put entries into the log."""
        async with self.database.transaction() as connection:
            await audit_log.append(connection, entries)

    async def entries(self, action: AuditAction | None = None) -> list[dict[str, Any]]:
        """The whole log, oldest first, re-read from the database; or one kind of entry."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute("SELECT body FROM audit_entry ORDER BY seq")
            rows = await cursor.fetchall()
        bodies = [orjson.loads(row[0]) for row in rows]
        return [body for body in bodies if action is None or body["action"] == action.value]


def look_of(house: House, cpr: str = PATIENT_CPR, **details: Any) -> AuditEntry:
    """A doctor's look at a patient's note, with a title and a text that do not belong there."""
    patient_id = house.ring.person_id(cpr)
    doctor_id = house.ring.person_id("1708699997")
    return AuditEntry(
        AuditAction.CONTENT,
        house.clock.now() - timedelta(minutes=5),
        {
            "door": "sundhedsjournal",
            "view": "CONTENT",
            "reader": {
                "person_id": str(doctor_id),
                "name": DOCTOR,
                "role": "HP",
                "authorization_id": "ZTA02",
                "profession": "DOCTOR",
                "acting_org_asserted": "61811000016001",
                "acting_org_verified": "61811000016001",
                "auth_level": "SUBSTANTIAL",
                "client_system": "probe/1",
            },
            "ground": {
                "purpose": "TREATMENT",
                "relation": "DECLARED",
                "relation_category": None,
                "override": {"reason": "VITAL_INTEREST", "text": f"Bevidstløs, cpr {cpr}"},
            },
            "decisions": [
                {
                    "note_id": "0b2f4a66-1111-4222-8333-444455556666",
                    "version": 2,
                    "decision": "PERMIT",
                    "code": "D-OK-BREAK-GLASS",
                    "detail": None,
                    "obligations": {"LOG": "done", "REVIEW_MANDATORY": "due"},
                    "title": SECRET_TITLE,
                    "text": SECRET_TEXT,
                }
            ],
            "freshness": {"consent_age_s": 12.4, "failures": {}},
            "request_id": "look-1",
            "title": SECRET_TITLE,
            "text": SECRET_TEXT,
            **details,
        },
        patient_id=patient_id,
        actor=f"person:{doctor_id}",
    )


def moved_of(house: House, cpr: str = PATIENT_CPR) -> AuditEntry:
    """What the pipeline did to a note; nobody stands behind it."""
    return AuditEntry(
        AuditAction.MOVED,
        house.clock.now() - timedelta(minutes=9),
        {
            "note": {"note_id": str(UUID(int=7)), "version": 1, "author_org": "61741000016007"},
            "trigger": "received",
            "moves": [{"version": 1, "from": "received", "to": "documented"}],
            "decisions": [
                {
                    "version": 1,
                    "destination": "patient_feed",
                    "decision": "HOLD",
                    "code": "P-HOLD-MIDNIGHT",
                    "until": "2026-12-14T23:00:00+00:00",
                }
            ],
        },
        patient_id=house.ring.person_id(cpr),
        actor="system:pipeline",
    )


class _Server(uvicorn.Server):
    """Leaves the signals to the test run."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


@asynccontextmanager
async def _doubles() -> AsyncIterator[tuple[World, IdentityProvider]]:
    world = World(
        clock=Clock(parse_instant(START)),
        personas=Personas(),
        faults=FaultBook(),
        recorder=Recorder(),
    )
    idp = IdentityProvider(world)
    world.doubles = {idp.name: idp}
    runner = web.AppRunner(build_doubles(world), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    world.base_url = f"http://localhost:{listening.getsockname()[1]}"
    try:
        await web.SockSite(runner, listening).start()
        yield world, idp
    finally:
        await runner.cleanup()


@asynccontextmanager
async def house(database_url: str, folder: Path, **changes: Any) -> AsyncIterator[House]:
    """Run the real application over a migrated database.

    Args:
        changes: settings that differ from the usual ones.
    """
    write_master_key(folder / "keys" / "master.key")
    clock = FixedClock(datetime.fromisoformat(START))
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with _doubles() as (world, idp):
        settings = replace(
            Settings(
                database_url=database_url,
                public_url=url,
                master_key_file=folder / "keys" / "master.key",
                trusted_sts_file=folder / "absent.pem",
                client_ca_file=folder / "absent.pem",
                oidc_issuer=idp.issuer,
                practice_oidc=True,
                pool_size=4,
            ),
            **changes,
        )
        base = await build_base(settings, "api-test")
        base.clock = clock
        server = _Server(
            uvicorn.Config(
                build_gateway(build_services(base)),
                lifespan="off",
                log_config=None,
                access_log=False,
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
                await asyncio.sleep(0.01)
            yield House(url, clock, base.ring, base.database, idp, world, settings)
        finally:
            server.should_exit = True
            await running
            await base.close()


@pytest.fixture
async def home(migrated_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """The pages over a database of this test's own."""
    async with house(migrated_database_url, tmp_path) as made:
        yield made
