"""The process stops at each write, starts again, and everything is re-read.

One note lives its whole life: received, held, published, corrected, stopped,
shared again, cancelled, purged, its audit entries sealed. The life is lived once
without a stop to count the places, then again for each place with a stop there.
Who was not answered asks again; nothing else is done by hand.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from consent.model import Patient
from consent.sources import PersonAnswer
from gateway.audit_check.check import Check
from gateway.audit_check.records import TrustedKey
from gateway.clock import FixedClock
from gateway.demo.samples import note_for
from gateway.enrol import Enrolment, enrol
from gateway.export_audit import export_audit
from gateway.keys import KeyRing, write_master_key
from gateway.pipeline.document import DocumentMaker
from gateway.service.deliver import Deliverer, Patience
from gateway.service.process import DELIVER_TASK, Processor
from gateway.service.receive import PLAIN, Incoming, Intake, Sender
from gateway.service.steer import Steering
from gateway.service.work import Workshop
from gateway.settings import Settings
from gateway.storage.audit_signer import AnchorFile, AuditSigner, write_audit_key
from gateway.storage.database import Lane
from gateway.storage.intake import PROCESS_TASK
from gateway.storage.migrate import migrate
from gateway.worker import Worker
from nsp_client.signing.keys import SigningKey
from tests.pipeline.stops import Mains, Registry, WatchedDatabase
from tests.support.postgres import create_database, drop_database, template_database

pytestmark = [pytest.mark.postgres]

MONDAY: Final = datetime(2026, 12, 14, 9, 0, tzinfo=UTC)
SOR: Final = "61741000016007"
STRIDE: Final = 23  # the default run takes each 23rd place; ``make test-all`` all
PRACTICE: Final = {
    "id": "practice-1",
    "sor": SOR,
    "provider_number": "077410",
    "organization_name": "Lægerne Hasseris Bymidte",
}
PATIENT: Final = {
    "cpr": "3001749995",
    "given": ["Niels", "Test"],
    "family": "Vendelboe",
    "birth_date": "1974-01-30",
    "gender": "male",
}


class Register:
    """The civil register: everybody is alive and of age."""

    async def person(self, cpr: str) -> PersonAnswer:
        """The word on one person."""
        patient = Patient("patient-1", birth_date=date(1974, 1, 30), address_protected=False)
        return PersonAnswer(patient, ("Niels", "Test"), "Vendelboe", "male", MONDAY)


@dataclass
class House:
    """What outlives a stop: files, database, the national registry."""

    settings: Settings
    mains: Mains
    registry: Registry
    clock: FixedClock

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Process]:
        """One life of the process."""
        database = WatchedDatabase(self.mains, self.settings.database_url)
        await database.open()
        try:
            yield Process(self, database)
        finally:
            await database.close()

    def rows(self, query: Any, *arguments: object) -> list[tuple[Any, ...]]:
        """Read from outside."""
        with psycopg.connect(self.settings.migration_database_url) as connection:
            return connection.execute(query, arguments).fetchall()

    def version_now(self) -> int | None:
        """The version the patient and professionals may be shown."""
        found = self.rows(
            "SELECT version FROM publication WHERE decisions->'patient_feed'->>0"
            " = 'PUBLISH' ORDER BY version DESC LIMIT 1"
        )
        return found[0][0] if found else None


class Process:
    """Api and worker in one, without their loops: the test turns the crank."""

    def __init__(self, house: House, database: WatchedDatabase) -> None:
        settings = house.settings
        ring = KeyRing.from_file(settings.master_key_file)
        clock = house.clock
        self._house = house
        self._database = database
        self.intake = Intake(database, ring, clock, group_limit=32)
        self.steering = Steering(database, clock)
        maker = DocumentMaker(
            SigningKey.from_pem_files(settings.signing_key_file, settings.signing_certificate_file),
            sha256(ring.id_namespace).digest(),
        )
        self.workshop = Workshop(
            database=database,
            ring=ring,
            clock=clock,
            processor=Processor(ring, clock, maker, has_national=True),
            deliverer=Deliverer(database, ring, clock, house.registry, Patience(1, 1, 1)),
            register=Register(),
            audit_signer=AuditSigner.from_file(settings.audit_key_file),
            anchor=AnchorFile(settings.anchor_file),
            fact_max_age=timedelta(days=1),
        )
        self.worker = Worker(settings, database, self.workshop)
        self.sender = Sender(ring.practice_id(SOR), SOR)
        self.note_id = ring.note_id(SOR, "life-1")

    async def settle(self) -> None:
        """Do everything there is to do, as the worker's loops would."""
        clock = self._house.clock
        for _ in range(4):
            # A lease of a process that stopped runs out.
            clock.instant += timedelta(seconds=5)
            await self.worker.tick()
            await self._do_jobs()
        async with self._database.transaction() as connection:
            await self.workshop.processor.purge(connection, 100)
        while await self.worker.seal():
            pass

    async def _do_jobs(self) -> None:
        todo = (
            "SELECT id, task_name, args FROM procrastinate_jobs WHERE status = 'todo'"
            " ORDER BY priority DESC, id LIMIT 1"
        )
        while jobs := self._house.rows(todo):
            ((job_id, task, arguments),) = jobs
            note_ids = [UUID(each) for each in arguments["note_ids"]]
            if task == PROCESS_TASK:
                lane = Lane(arguments.get("lane", int(Lane.LIVE)))
                trigger = arguments.get("trigger", "received")
                await self.workshop.process(note_ids, lane, trigger)
            else:
                assert task == DELIVER_TASK
                await self.workshop.deliver(note_ids)
            with psycopg.connect(self._house.settings.migration_database_url) as connection:
                connection.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (job_id,))


Step = Callable[[Process], Awaitable[None]]


def _note(version: int, hour: int) -> bytes:
    at = MONDAY + timedelta(days=version - 1, hours=hour)
    return json.dumps(
        note_for(
            PATIENT,
            PRACTICE,
            source_note_id="life-1",
            html=f"<p>Tekst {version}.</p>",
            created_at=(MONDAY - timedelta(hours=2)).isoformat(),
            completed_at=at.isoformat(),
            version=version,
        )
    ).encode()


def _post(version: int) -> Step:
    async def post(process: Process) -> None:
        incoming = Incoming(PLAIN, _note(version, -1), None, "request")
        receipt = await process.intake.receive(process.sender, incoming)
        assert receipt.version == version
        await process.settle()

    return post


def _mark(do_not_share: bool) -> Step:
    async def mark(process: Process) -> None:
        await process.steering.patch_markings(
            process.sender,
            process.note_id,
            {"do_not_share": do_not_share},
            if_match=None,
            request_id="request",
        )
        await process.settle()

    return mark


async def _wait(process: Process) -> None:
    await process.settle()


async def _cancel(process: Process) -> None:
    await process.steering.cancel(process.sender, process.note_id, request_id="request")
    await process.settle()


# (what is done, at which instant, version the patient sees after, versions at the registry)
LIFE: Final[list[tuple[Step, datetime, int | None, list[int]]]] = [
    (_post(1), MONDAY, None, []),
    (_wait, MONDAY + timedelta(days=1), 1, [1]),
    (_post(2), MONDAY + timedelta(days=1, hours=1), 1, [1]),
    (_wait, MONDAY + timedelta(days=2), 2, [2]),
    (_mark(do_not_share=True), MONDAY + timedelta(days=2, hours=1), None, []),
    (_mark(do_not_share=False), MONDAY + timedelta(days=2, hours=2), 2, [2]),
    (_cancel, MONDAY + timedelta(days=2, hours=3), None, []),
]


async def _live(house: House) -> None:
    for step, at, version, national in LIFE:
        house.clock.instant = max(house.clock.instant, at)
        is_answered = False
        while not is_answered:
            async with house.process() as process:
                is_answered = await house.mains.run(lambda: step(process))  # noqa: B023
            if not is_answered:
                house.mains.fuse = type(house.mains.fuse)(None)  # it starts again
        assert house.version_now() == version
        assert house.registry.approved == national
        assert house.registry.faults == []


async def _assert_all_is_well(house: House, folder: Path) -> None:
    assert house.rows("SELECT count(*) FROM procrastinate_jobs") == [(0,)]
    assert house.rows("SELECT version FROM note_version ORDER BY version") == [(1,), (2,)]
    assert house.rows("SELECT count(*) FROM note_version WHERE state <> 'purged'") == [(0,)]
    assert house.rows("SELECT count(*) FROM audit_pending") == [(0,)]
    out = folder / "audit.jsonl"
    await export_audit(house.settings, out)
    key = TrustedKey(house.settings.audit_key_file.with_suffix(".pub.pem").read_bytes())
    report = Check(out, house.settings.anchor_file, key).run()
    assert report.holds, report.findings
    bodies = [
        json.loads(line["body"])
        for line in map(json.loads, out.read_text(encoding="utf-8").splitlines())
        if "body" in line
    ]
    told = [body["action"] for body in bodies]
    assert told.count("RECEIVED") >= 2
    assert told.count("CANCELLED") == 1
    assert told.count("MARKING") == 2


def _migrate(url: str) -> None:
    migrate(url)


@pytest.fixture
async def make_house(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[], Awaitable[House]]]:
    """Fresh houses on one machine: a database, keys and registry each."""
    mains = Mains()
    mains.watch_statements(monkeypatch)
    write_master_key(tmp_path / "master.key")
    write_audit_key(tmp_path / "audit.key")
    _write_signing_key(tmp_path)
    template = template_database(postgres_url, "migrated", _migrate)
    made: list[str] = []

    async def make() -> House:
        url = create_database(postgres_url, template)
        made.append(url)
        anchor = tmp_path / f"anchor-{len(made)}"
        anchor.mkdir()
        settings = Settings(
            database_url=url,
            migration_database_url=url,
            app_role="gateway_app",
            master_key_file=tmp_path / "master.key",
            audit_key_file=tmp_path / "audit.key",
            anchor_file=anchor / "heads.jsonl",
            signing_key_file=tmp_path / "signing.key",
            signing_certificate_file=tmp_path / "signing.pem",
        )
        clock = FixedClock(MONDAY)
        terms = Enrolment(
            SOR,
            "077410",
            "Lægerne Hasseris Bymidte",
            {"keys": [{}]},
            datetime(2026, 1, 1, tzinfo=UTC),
        )
        await enrol(settings, terms, clock)
        return House(settings, mains, Registry(mains), clock)

    yield make
    for url in made:
        drop_database(postgres_url, url)


def _write_signing_key(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(MONDAY - timedelta(days=1))
        .not_valid_after(MONDAY + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    (folder / "signing.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "signing.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


@pytest.mark.parametrize(
    "stride", [STRIDE, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
async def test_a_stop_at_any_write_loses_and_doubles_nothing(
    make_house: Callable[[], Awaitable[House]], tmp_path: Path, stride: int
) -> None:
    house = await make_house()
    fuse_type = type(house.mains.fuse)
    house.mains.fuse = fuse_type(None)
    await _live(house)
    places = house.mains.fuse.places
    await _assert_all_is_well(house, tmp_path)
    assert places > 50
    for place in range(1, places + 1, stride):
        house = await make_house()
        house.mains.fuse = fuse = fuse_type(place)
        await _live(house)
        assert fuse.blown.is_set(), f"place {place} was not reached"
        house.mains.fuse = fuse_type(None)
        await _assert_all_is_well(house, tmp_path)
