"""The process stops at each write, starts again, and everything is re-read.

One note lives its whole life: received, held, published, corrected, stopped,
shared again, cancelled, purged, its audit entries sealed. The life is lived once
without a stop to count the places, then again for each place with a stop there.
Who was not answered asks again; nothing else is done by hand.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from gateway.audit_check.check import Check
from gateway.audit_check.records import TrustedKey
from gateway.demo.samples import note_for
from gateway.export_audit import export_audit
from gateway.service.receive import PLAIN, Incoming
from tests.pipeline.house import MONDAY, PATIENT, PRACTICE, House, MakeHouse, Process

pytestmark = [pytest.mark.postgres]

STRIDE: Final = 23  # the default run takes each 23rd place; ``make test-all`` all


Step = Callable[[Process], Awaitable[None]]


def note_bytes(version: int, hour: int = -1) -> bytes:
    """A version of the note, completed so many hours after its morning."""
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
        incoming = Incoming(PLAIN, note_bytes(version), None, "request")
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


@pytest.mark.parametrize(
    "stride", [STRIDE, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
async def test_a_stop_at_any_write_loses_and_doubles_nothing(
    make_house: MakeHouse, tmp_path: Path, stride: int
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
