"""``gateway audit export`` on a real PostgreSQL, while others write and seal."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from gateway import audit_check, cli
from gateway.audit_check import TrustedKey
from gateway.errors import AuditUnwritable, ConfigurationFault
from gateway.export_audit import export_audit
from gateway.settings import Settings
from gateway.storage import audit_log
from tests.unit.gateway.audit_log.ledger import DEEDS, ROLE, Log, entry, entry_ids

pytestmark = pytest.mark.postgres


@pytest.fixture
def settings(log: Log) -> Settings:
    return Settings(
        database_url=log.url,
        app_role=ROLE,
        audit_key_file=log.key_file,
        anchor_file=log.anchor.path,
    )


@pytest.fixture
def in_background() -> Iterator[Callable[[Callable[[], Awaitable[object]]], None]]:
    tasks: list[asyncio.Task[None]] = []

    def start(step: Callable[[], Awaitable[object]]) -> None:
        async def repeat() -> None:
            while True:
                await step()
                await asyncio.sleep(0.02)

        tasks.append(asyncio.create_task(repeat()))

    yield start
    for task in tasks:
        task.cancel()


async def test_an_export_shows_itself_and_is_for_its_owner_only(
    sealed: Log,
    settings: Settings,
    in_background: Callable[[Callable[[], Awaitable[object]]], None],
) -> None:
    in_background(lambda: sealed.run_sealer(now=datetime.now(UTC)))
    out = sealed.folder / "out.jsonl"
    result = await export_audit(settings, out, "case-7")
    assert (result.entries, result.shows_itself) == (13, True)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [path.name for path in sealed.folder.glob("*.part")] == []
    key = TrustedKey(sealed.signer.public_pem)
    report = audit_check.Check(out, sealed.anchor.path, key).run()
    assert report.findings == []
    last = orjson.loads(orjson.loads(out.read_bytes().splitlines()[-1])["body"])
    assert (last["action"], last["case_number"]) == ("EXPORT", "case-7")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.export_audit.SEALED_WITHIN_SECONDS", 0.2)


@pytest.mark.usefixtures("impatient")
async def test_an_export_without_a_worker_seals_and_anchors_by_itself(
    sealed: Log, settings: Settings
) -> None:
    await sealed.append(*(entry() for _ in range(3)))
    out = sealed.folder / "out.jsonl"
    result = await export_audit(settings, out)
    assert (result.entries, result.shows_itself, result.problem) == (16, True, None)
    report = audit_check.Check(out, sealed.anchor.path, TrustedKey(sealed.signer.public_pem)).run()
    assert (report.findings, report.notes, report.anchored_size) == ([], [], 16)


@pytest.mark.usefixtures("impatient")
async def test_an_export_of_a_log_set_back_is_made_unsealed_and_shows_it(
    sealed: Log, settings: Settings
) -> None:
    ids = await entry_ids(sealed)
    sealed.as_owner(*DEEDS["set back to an earlier head"][0])
    anchored = sealed.anchor.path.read_bytes()
    out = sealed.folder / "out.jsonl"
    result = await export_audit(settings, out)
    assert (result.entries, result.shows_itself) == (8, False)
    assert result.problem is not None
    assert "tree size 12" in result.problem
    assert sealed.anchor.path.read_bytes() == anchored
    found = (
        audit_check.Check(out, sealed.anchor.path, TrustedKey(sealed.signer.public_pem))
        .run()
        .findings[0]
    )
    assert (found.kind, found.leaf_index, found.entry_id) == ("rolled_back", 8, ids[8])


@pytest.mark.usefixtures("impatient")
async def test_an_export_while_another_process_seals_says_what_it_lacks(
    sealed: Log, settings: Settings
) -> None:
    async with sealed.database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (audit_log.SEAL_LOCK,))
        result = await export_audit(settings, sealed.folder / "out.jsonl")
    assert (result.entries, result.shows_itself) == (12, False)
    assert result.problem == "another process is sealing"
    assert await sealed.rows("SELECT count(*) FROM audit_entry WHERE action = 'EXPORT'") == [(1,)]


@pytest.mark.usefixtures("impatient")
async def test_the_command_writes_to_standard_output_and_says_how_many(
    sealed: Log,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    for name, value in {**settings.to_environment(), "DATABASE_URL": "postgresql:///no"}.items():
        monkeypatch.setenv(name, value)
    arguments = ["audit", "export", "--database-url", sealed.url]
    assert await asyncio.to_thread(cli.main, arguments) == 0
    shown, told = capsysbinary.readouterr()
    assert shown.count(b'{"kind":"entry"') == 13
    assert told == b"13 entries written to standard output\n"
    out = sealed.folder / "out.jsonl"
    assert await asyncio.to_thread(cli.main, [*arguments, "--out", str(out)]) == 0
    shown, told = capsysbinary.readouterr()
    assert (shown, told) == (f"14 entries written to {out}\n".encode(), b"")
    key = sealed.key_file.with_suffix(".pub.pem")
    verify = ["audit", "verify", str(out), "--anchor", str(sealed.anchor.path), "--key", str(key)]
    assert cli.main(verify) == 0


def test_without_a_demo_in_the_folder_the_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["audit", "export", "--data", str(tmp_path)]) == 1
    assert "no demo in" in capsys.readouterr().err


async def test_an_export_that_cannot_be_noted_is_not_made(sealed: Log, settings: Settings) -> None:
    sealed.as_owner(f"REVOKE INSERT ON audit_entry FROM {ROLE}")
    out = sealed.folder / "out.jsonl"
    with pytest.raises(AuditUnwritable):
        await export_audit(settings, out)
    assert not out.exists()


async def test_an_export_needs_a_database_and_the_logs_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFault, match="DATABASE_URL"):
        await export_audit(Settings(), tmp_path / "out")
    missing = Settings(database_url="postgresql:///x", audit_key_file=tmp_path / "none")
    with pytest.raises(ConfigurationFault, match="audit key"):
        await export_audit(missing, tmp_path / "out")
