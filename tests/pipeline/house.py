"""A gateway without its loops: the test turns the crank and can stop it anywhere."""

from __future__ import annotations

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
from gateway.clock import FixedClock
from gateway.enrol import Enrolment, enrol
from gateway.keys import KeyRing, write_master_key
from gateway.pipeline.document import DocumentMaker
from gateway.service.deliver import Deliverer, Patience
from gateway.service.process import DELIVER_TASK, Processor
from gateway.service.receive import Intake, Sender
from gateway.service.steer import Steering
from gateway.service.work import Workshop
from gateway.settings import Settings
from gateway.storage.audit_signer import AnchorFile, AuditSigner, write_audit_key
from gateway.storage.database import Lane
from gateway.storage.intake_new import PROCESS_TASK
from gateway.worker import Worker
from nsp_client.signing.keys import SigningKey
from tests.pipeline.stops import Mains, Registry, WatchedDatabase
from tests.support.postgres import create_migrated_database, drop_database

MONDAY: Final = datetime(2026, 12, 14, 9, 0, tzinfo=UTC)
SOR: Final = "61741000016007"
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

    def write(self, statement: Any, *arguments: object) -> list[tuple[Any, ...]]:
        """Change something from outside; returns what the statement does."""
        with psycopg.connect(self.settings.migration_database_url) as connection:
            cursor = connection.execute(statement, arguments)
            return cursor.fetchall() if cursor.description else []

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
        # As the engine has it: a job in hand is not to be had; the rescuer puts back
        # what a process that stopped had in hand.
        self._house.write("UPDATE procrastinate_jobs SET status = 'todo' WHERE status = 'doing'")
        todo = (
            "UPDATE procrastinate_jobs SET status = 'doing' WHERE id = (SELECT id"
            " FROM procrastinate_jobs WHERE status = 'todo' ORDER BY priority DESC, id LIMIT 1)"
            " RETURNING id, task_name, args"
        )
        while jobs := self._house.write(todo):
            ((job_id, task, arguments),) = jobs
            note_ids = [UUID(each) for each in arguments["note_ids"]]
            if task == PROCESS_TASK:
                lane = Lane(arguments.get("lane", int(Lane.LIVE)))
                trigger = arguments.get("trigger", "received")
                company = trigger == "received"
                await self.workshop.process(note_ids, lane, trigger, company=company)
            else:
                assert task == DELIVER_TASK
                await self.workshop.deliver(note_ids)
            self._house.write("DELETE FROM procrastinate_jobs WHERE id = %s", job_id)


MakeHouse = Callable[[], Awaitable[House]]


@pytest.fixture
async def make_house(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MakeHouse]:
    """Fresh houses on one machine: a database, keys and registry each."""
    mains = Mains()
    mains.watch_statements(monkeypatch)
    write_master_key(tmp_path / "master.key")
    write_audit_key(tmp_path / "audit.key")
    _write_signing_key(tmp_path)
    made: list[str] = []

    async def make() -> House:
        url = create_migrated_database(postgres_url)
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
