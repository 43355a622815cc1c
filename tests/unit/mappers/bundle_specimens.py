"""Notes and documents for the tests of the FHIR mapper; the persons are MedCom's test persons."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from mappers.fhir.bundle import assemble_bundle
from mappers.fhir.ids import DocumentIds, document_ids
from mappers.note import (
    Author,
    JournalNote,
    Markings,
    NoteText,
    Organization,
    Patient,
)

Json = dict[str, Any]

SECRET = b"a secret of this gateway, 32 byte"[:32]
PATIENT_KEY = b"keyed hash of the patient"
BUNDLE_IDENTIFIER = UUID("6f0d2f5e-2d0c-4a83-9e5e-4c1b7f1d9a02")
ASSEMBLED_AT = datetime(2026, 12, 11, 8, 15, 30, 123456, tzinfo=UTC)
WINTER = timezone(timedelta(hours=1))
CONTEXT = json.dumps(
    {"source_note_id": "xmo-4711", "version": 1, "contact_type": "consultation"}
).encode()

DATA = Path(__file__).parents[4] / "shared" / "data" / "medcom"


def note(**changes: Any) -> JournalNote:
    """The note of design.md 4, with changes."""
    made = JournalNote(
        source_note_id="xmo-4711",
        version=1,
        status="final",
        patient=Patient(
            cpr="3001749995",
            given=("Niels", "Test"),
            family="Vendelboe",
            birth_date=date(1974, 1, 30),
            gender="male",
        ),
        organization=Organization("61741000016007", "077410", "Lægerne Hasseris Bymidte"),
        author=Author(
            id="urn:uuid:0ee2db70-d972-4497-a156-0a8109aaa771",
            given=("Sidsel",),
            family="Andersen",
            role="speciallaegeipraksis",
            role_text=None,
            authorization_id="ZTB01",
        ),
        author_name_protected=False,
        encounter_id=None,
        contact_type="consultation",
        icpc2=(),
        ai_assisted=False,
        created_at=datetime(2026, 12, 10, 10, 0, tzinfo=WINTER),
        ended_at=None,
        completed_at=datetime(2026, 12, 10, 10, 12, tzinfo=WINTER),
        last_entry_at=None,
        safety_correction=False,
        text=NoteText("text/html", "<p>Årskontrol: <b>BT</b> 138/82 mmHg</p>"),
        markings=Markings(),
    )
    return replace(made, **changes)


def ids_of(made: JournalNote, *, generation: int = 0) -> DocumentIds:
    """The ids of a note's document with the test secret."""
    return document_ids(
        made,
        id_namespace=SECRET,
        patient_key=PATIENT_KEY,
        bundle_identifier=BUNDLE_IDENTIFIER,
        generation=generation,
    )


def document(made: JournalNote | None = None, *, name_protected: bool = False) -> bytes:
    """The document of a note."""
    made = made or note()
    return assemble_bundle(
        made, ids_of(made), assembled_at=ASSEMBLED_AT, name_protected=name_protected
    )


def tree(made: JournalNote | None = None, *, name_protected: bool = False) -> Json:
    """The same, parsed."""
    parsed: Json = json.loads(document(made, name_protected=name_protected))
    return parsed


def resource(bundle: Json, kind: str) -> Json:
    """The first resource of a type."""
    found: Json = next(
        entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind
    )
    return found


def resources(bundle: Json) -> list[Json]:
    """All resources in their order."""
    return [entry["resource"] for entry in bundle["entry"]]


def official(name: str) -> Json:
    """An official example as it is; skips the test where the data are not at hand."""
    path = DATA / f"example-{name}.json"
    if not path.is_file():
        pytest.skip("the official MedCom examples are not beside this repository")
    parsed: Json = json.loads(path.read_bytes())
    return parsed


def with_narratives(bundle: Json) -> Json:
    """Add what the examples lack: a narrative in each resource."""
    repaired = copy.deepcopy(bundle)
    for each in resources(repaired):
        values = [item["value"] for item in _identifiers(each)]
        words = " ".join([each["resourceType"], each["id"], *values])
        div = f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'
        each["text"] = {"status": "generated", "div": div}
    return repaired


def _identifiers(each: Json) -> list[Json]:
    found = each["identifier"]
    return found if isinstance(found, list) else [found]
