"""Validating says what sending would have been answered, and leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import psycopg
import pytest

from gateway.errors import NoteRejected
from gateway.pipeline.records import Forecast
from gateway.service.receive import FHIR_JSON, PLAIN, Incoming
from tests.pipeline.house import MONDAY, PATIENT, House, MakeHouse, Process
from tests.pipeline.test_stop_at_each_write import note_bytes
from tests.unit.mappers.bundle_specimens import note as journal_note
from tests.unit.mappers.bundle_specimens import tree

pytestmark = pytest.mark.postgres

Json = dict[str, Any]
OTHER_PATIENT: Final = {**PATIENT, "cpr": "2512489996"}
FOREIGN_SOR: Final = {"sor": "72851000016003", "name": "En anden klinik"}
STORED: Final = (
    "SELECT (SELECT count(*) FROM note), (SELECT count(*) FROM note_version),"
    " (SELECT count(*) FROM patient), (SELECT count(*) FROM procrastinate_jobs)"
)
TRACES: Final = f"{STORED}, (SELECT count(*) FROM audit_entry)"
TOMORROW: Final = (MONDAY + timedelta(days=1)).isoformat()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender is told: a status, all codes with their places, the warnings."""

    status: int
    faults: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    receipt_id: object = None


def plain(**changes: Any) -> Incoming:
    """The note of the house with changes; the value ``...`` removes a field."""
    note: Json = {**json.loads(note_bytes(2, hour=-26)), **changes}
    body = json.dumps({name: value for name, value in note.items() if value is not ...})
    return Incoming(PLAIN, body.encode(), None, "request")


def bundle(change: Callable[[Json], object] = lambda _: None, **context: Any) -> Incoming:
    """The same note as a MedCom document."""
    document = tree(journal_note())
    change(document)
    header: Json = {"source_note_id": "life-1", "version": 2, "contact_type": "phone", **context}
    return Incoming(
        FHIR_JSON, json.dumps(document).encode(), json.dumps(header).encode(), "request"
    )


async def validated(process: Process, incoming: Incoming) -> Answer:
    try:
        forecast = await process.intake.validate(process.sender, incoming)
    except NoteRejected as error:
        return refusal(error)
    assert isinstance(forecast, Forecast)
    body = forecast.to_json()
    receipt_id = body["receipt"] and body["receipt"]["receipt_id"]
    return Answer(body["status"], (), codes(body["warnings"]), receipt_id)


async def sent(process: Process, incoming: Incoming) -> Answer:
    try:
        receipt = await process.intake.receive(process.sender, incoming)
    except NoteRejected as error:
        return refusal(error)
    warnings = codes(receipt.warnings)
    if receipt.replayed:
        return Answer(200, (), warnings, str(receipt.receipt_id))
    return Answer(202, (), warnings)


def refusal(error: NoteRejected) -> Answer:
    return Answer(error.status, tuple((each.code, each.path) for each in error.issues))


def codes(warnings: Any) -> tuple[str, ...]:
    return tuple(each["code"] for each in warnings)


def change_database(house: House, statement: Any) -> None:
    with psycopg.connect(house.settings.migration_database_url) as connection:
        connection.execute(statement)


async def nothing_here(_: House, __: Process) -> None:
    """No note of this name."""


async def two_versions(_: House, process: Process) -> None:
    """Versions 1 and 3 are here."""
    for version in (1, 3):
        assert (await sent(process, plain(version=version))).status == 202


async def cancelled(house: House, process: Process) -> None:
    """The note was cancelled."""
    await two_versions(house, process)
    await process.steering.cancel(process.sender, process.note_id, request_id="request")


async def practice_left(house: House, process: Process) -> None:
    """The practice has left, its notes are still here."""
    await two_versions(house, process)
    change_database(house, "UPDATE practice SET enrolled = false")


STATES: Final = (nothing_here, two_versions, cancelled, practice_left)


def every_body() -> Iterator[Incoming]:
    """Each combination of a version, a text, a patient, a clinic and a fault."""
    for version in (1, 2, 3, 4, 9, "3"):
        yield plain(version=version)
        yield plain(version=version, patient=OTHER_PATIENT)
        yield plain(version=version, text={"html": "<p>Andet.</p>"})
        yield plain(version=version, colour="blue", completed_at=TOMORROW)
        yield plain(version=version, organization=FOREIGN_SOR, completed_at=TOMORROW)
        yield plain(version=version, patient={**OTHER_PATIENT, "gender": "x"}, text=...)
    yield bundle()
    yield bundle(version=3)
    yield bundle(lambda document: document.pop("type"), version=9)
    yield Incoming(PLAIN, b"{", None, "request")


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_validating_answers_what_sending_would(make_house: MakeHouse, state: Any) -> None:
    house = await make_house()
    async with house.process() as process:
        await state(house, process)
        for incoming in every_body():
            before = house.rows(TRACES)
            forecast = await validated(process, incoming)
            assert house.rows(TRACES) == before
            stored = house.rows(STORED)
            answer = await sent(process, incoming)
            assert answer == forecast
            if answer.faults:
                # Not even the patient of a refused note is written down.
                assert house.rows(STORED) == stored
                ((told,),) = house.rows(
                    "SELECT convert_from(body, 'UTF8') FROM audit_entry ORDER BY seq DESC LIMIT 1"
                )
                assert json.loads(told)["codes"] == sorted({code for code, _ in answer.faults})


async def test_faults_of_content_clinic_clock_and_version_are_told_together(
    make_house: MakeHouse,
) -> None:
    house = await make_house()
    async with house.process() as process:
        await two_versions(house, process)
        answer = await sent(process, plain(version=2, colour="blue", patient=OTHER_PATIENT))
        assert answer == Answer(
            422,
            (
                ("FIELD-UNKNOWN", "$.colour"),
                ("VERSION-OLD", "$.version"),
                ("VERSION-CONFLICT", "$.patient.cpr"),
            ),
        )
        change_database(house, "UPDATE practice SET enrolled = false")
        # Under another clinic's code no note is looked up.
        answer = await sent(
            process,
            plain(organization=FOREIGN_SOR, completed_at=TOMORROW, status="final", text=...),
        )
        assert answer == Answer(
            403,
            (
                ("FIELD-MISSING", "$.text"),
                ("P-REJ-INVALID", "$.completed_at"),
                ("SOR-NOT-YOURS", "$.organization.sor"),
                ("P-REJ-NOT-ENROLLED", "$.organization.sor"),
            ),
        )


async def test_the_place_of_a_fault_is_one_of_the_document(make_house: MakeHouse) -> None:
    house = await make_house()
    async with house.process() as process:
        await two_versions(house, process)
        house.clock.instant = MONDAY - timedelta(days=10)
        await _leave(house)
        answer = await sent(process, bundle())
        organization = _place("Organization", "identifier")
        assert answer == Answer(
            403,
            (
                ("P-REJ-INVALID", "Bundle.entry[0].resource.date"),
                ("P-REJ-NOT-ENROLLED", organization),
                ("VERSION-OLD", "Note-Context.version"),
            ),
        )


async def _leave(house: House) -> None:
    change_database(house, "UPDATE practice SET enrolled = false")


def _place(kind: str, element: str) -> str:
    entries = tree(journal_note())["entry"]
    (at,) = (
        index for index, each in enumerate(entries) if each["resource"]["resourceType"] == kind
    )
    return f"Bundle.entry[{at}].resource.{element}"


async def test_a_replay_gets_the_receipt_with_the_warnings_it_had(make_house: MakeHouse) -> None:
    house = await make_house()
    async with house.process() as process:
        first = await process.intake.receive(process.sender, plain(version=3))
        again = await process.intake.receive(process.sender, plain(version=3))
        assert codes(first.warnings) == ("VERSION-GAP",)
        assert again.to_json() == first.to_json()
        view, _ = await process.steering.view(process.sender, process.note_id)
        assert codes(view["warnings"]) == ("VERSION-GAP",)


async def test_sending_a_good_note_asks_the_store_nothing_beyond_its_commit(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await make_house()
    async with house.process() as process:
        assert (await sent(process, plain(source_note_id="other"))).status == 202
        asked: list[str] = []
        original = psycopg.AsyncCursor.execute

        async def listening(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:
            asked.append(str(query).split(maxsplit=1)[0])
            return await original(cursor, query, *args, **more)

        monkeypatch.setattr(psycopg.AsyncCursor, "execute", listening)
        assert (await sent(process, plain(version=1))).status == 202
        # Enrolment; the note; the job; the audit entry is one more. Versions go by COPY.
        assert asked.count("SELECT") <= 2
        assert len(asked) <= 4, asked
