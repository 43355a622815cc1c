"""A practice's look at its own note: states, decisions and what they mean.

Source: design.md 3.1 (``GET /practice/v1/notes/{note_id}``); sharing-rules 8.1.
"""

from __future__ import annotations

from typing import Any, Final

from consent.model import Destination
from consent.texts import Audience, Text, sentence
from gateway.pipeline.records import NoteRecord, VersionRecord
from gateway.states import DeliveryState, VersionState

OWN_DOORS: Final = (Destination.PATIENT_FEED, Destination.PROFESSIONAL_REPOSITORY)


def note_view(note: NoteRecord, warnings: dict[int, list[Any]]) -> dict[str, Any]:
    """The answer's body; nothing about readers or the patient's registrations."""
    newest = note.versions[-1]
    return {
        "note_id": str(note.note_id),
        "source_note_id": note.source_note_id,
        "state": newest.state.value,
        "version": newest.version,
        "withdrawn_at": note.withdrawn_at.isoformat() if note.withdrawn_at else None,
        "markings": {
            **note.markings,
            "delay_until": _iso(newest.facts.delay_until),
        },
        "markings_revision": note.markings_revision,
        "destinations": _destinations(note, newest),
        "versions": [
            {
                "version": version.version,
                "status": version.facts.status,
                "state": version.state.value,
                "received_at": version.received_at.isoformat(),
                "destinations": _destinations(note, version),
                "warnings": warnings.get(version.version, []),
            }
            for version in note.versions
        ],
        "warnings": warnings.get(newest.version, []),
    }


def _iso(instant: Any) -> str | None:
    return instant.isoformat() if instant is not None else None


def _destinations(note: NoteRecord, version: VersionRecord) -> dict[str, Any]:
    return {
        destination.value: _destination(note, version, destination) for destination in Destination
    }


def _destination(
    note: NoteRecord, version: VersionRecord, destination: Destination
) -> dict[str, Any]:
    stored = note.decisions.get((version.version, destination.value))
    if stored is None:
        return {
            "decision": None,
            "code": None,
            "text_da": "Notatet er modtaget og bliver behandlet.",
            "text_en": "The note is received and being processed.",
            "until": None,
            "delivery": "pending",
        }
    text = sentence(
        stored.code, Audience.PRACTICE, until=stored.until, version=note.newest_version
    ) or Text(stored.code, stored.code)
    return {
        "decision": stored.decision,
        "code": stored.code,
        "text_da": text.da,
        "text_en": text.en,
        "until": _iso(stored.until),
        "delivery": _delivery(note, version, destination, stored.decision),
    }


def _delivery(
    note: NoteRecord, version: VersionRecord, destination: Destination, decision: str
) -> str:
    if destination in OWN_DOORS:
        if version.state is VersionState.PARKED:  # it has no document to show
            return "parked"
        return "present" if decision == "PUBLISH" else "absent"
    delivery = note.delivery
    if delivery is None:
        return "absent"
    if delivery.current_version == version.version and delivery.state is DeliveryState.IDLE:
        return "present"
    if version.version in (delivery.wanted_version, delivery.current_version) or (
        delivery.operation_version == version.version
    ):
        return delivery.state.value
    return "absent"
