"""The records that pass between the steps of the pipeline and the stores.

Instants are aware and in UTC. Nothing here knows a database row or a wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from gateway.states import DeliveryState, Operation, VersionState
from mappers.issues import Issue, Places

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PracticeRecord:
    """An enrolled clinic."""

    practice_id: UUID
    sor_code: str
    provider_number: str
    name: str
    enrolled: bool
    sharing_start: datetime
    share_history: bool
    jwks: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What the rules must know of a version without opening its content.

    ``sensitive`` holds the categories derived from diagnosis codes
    (sharing-rules 3.4); those the practice marked stand in the note's markings.
    """

    status: str
    contact_type: str
    created_at: datetime
    completed_at: datetime
    last_entry_at: datetime | None
    safety_correction: bool
    delay_until: datetime | None
    author_org: str
    author_name_protected: bool
    sensitive: tuple[str, ...]

    def to_json(self) -> JsonObject:
        """The form of column ``note_version.facts``."""
        return {
            "status": self.status,
            "contact_type": self.contact_type,
            "created_at": self.created_at.isoformat(),
            "completed_at": self.completed_at.isoformat(),
            "last_entry_at": self.last_entry_at.isoformat() if self.last_entry_at else None,
            "safety_correction": self.safety_correction,
            "delay_until": self.delay_until.isoformat() if self.delay_until else None,
            "author_org": self.author_org,
            "author_name_protected": self.author_name_protected,
            "sensitive": list(self.sensitive),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> VersionFacts:
        """Read column ``note_version.facts``."""
        return cls(
            status=value["status"],
            contact_type=value["contact_type"],
            created_at=datetime.fromisoformat(value["created_at"]),
            completed_at=datetime.fromisoformat(value["completed_at"]),
            last_entry_at=_instant(value["last_entry_at"]),
            safety_correction=value["safety_correction"],
            delay_until=_instant(value["delay_until"]),
            author_org=value["author_org"],
            author_name_protected=value["author_name_protected"],
            sensitive=tuple(value["sensitive"]),
        )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True, slots=True)
class Submission:
    """A valid note on its way into the store.

    ``named_markings`` are those the sender wrote; the others stay as they are.
    ``content_mac`` compares contents without opening them (markings aside);
    ``places`` tells where the body it came in has its fields.
    """

    practice_id: UUID
    note_id: UUID
    source_note_id: str
    version: int
    patient_id: UUID
    cpr: str
    note_bytes: bytes
    content_mac: bytes
    content_sha256: bytes
    facts: VersionFacts
    named_markings: JsonObject
    warnings: tuple[JsonObject, ...]
    receipt_id: UUID
    received_at: datetime
    request_id: str
    places: Places


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer a sender keeps: design.md section 4."""

    note_id: UUID
    receipt_id: UUID
    version: int
    content_sha256: bytes
    received_at: datetime
    state: str
    warnings: tuple[JsonObject, ...]
    replayed: bool = False

    def to_json(self) -> JsonObject:
        """The body of the answer."""
        return {
            "note_id": str(self.note_id),
            "receipt_id": str(self.receipt_id),
            "version": self.version,
            "content_sha256": self.content_sha256.hex(),
            "received_at": self.received_at.isoformat(),
            "state": self.state,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class Forecast:
    """What sending a good note would be answered.

    ``replayed``: the receipt that the same content has already; None: it is new.
    """

    warnings: tuple[JsonObject, ...]
    replayed: Receipt | None = None

    def to_json(self) -> JsonObject:
        """The body of the answer."""
        return {
            "valid": True,
            "status": 202 if self.replayed is None else 200,
            "warnings": list(self.warnings),
            "receipt": None if self.replayed is None else self.replayed.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Refused:
    """A submission the store can't take: not enrolled, conflicts, old versions."""

    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One stored version; ``wrapped_key`` and ``sealed_note`` are None once purged."""

    version: int
    state: VersionState
    received_at: datetime
    facts: VersionFacts
    wrapped_key: bytes | None
    sealed_note: bytes | None
    generation: int | None  # of its newest document; None: not assembled yet
    document_protected: bool | None  # was the newest document made with the name protected?
    document_offered: bool | None = None  # may the national registry know its id?


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """A patient as the pipeline sees one; ``wrapped_key`` None once destroyed."""

    patient_id: UUID
    wrapped_key: bytes | None
    death_date: date | None
    name_protected: bool | None
    facts_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision as stored, by version and destination."""

    decision: str
    code: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """What we know of a note at a national destination.

    ``wanted_version``: what should be there (None: nothing). ``current_*``: what
    is there as far as the peer has told us.
    ``operation*``: the one thing under way; its ids are derived from
    ``operation_id`` and never change. ``is_doubtful``: one of its messages went
    unanswered, so it may have happened whatever was answered since.
    """

    note_id: UUID
    state: DeliveryState
    wanted_version: int | None = None
    current_version: int | None = None
    current_generation: int | None = None
    current_entry_uuid: UUID | None = None
    operation: Operation | None = None
    operation_id: UUID | None = None
    operation_version: int | None = None
    operation_generation: int | None = None
    operation_at: datetime | None = None
    message_number: int = 0
    is_doubtful: bool = False
    attempts: int = 0
    next_attempt_at: datetime | None = None
    last_code: str | None = None


@dataclass(frozen=True, slots=True)
class NoteRecord:
    """A note with everything the pipeline needs to decide and to document it."""

    note_id: UUID
    source_note_id: str
    practice: PracticeRecord
    patient: PatientRecord
    newest_version: int
    markings: JsonObject
    markings_revision: int
    withdrawn_at: datetime | None
    next_due: datetime | None
    versions: tuple[VersionRecord, ...]
    decisions: Mapping[tuple[int, str], StoredDecision] = field(default_factory=dict)
    delivery: DeliveryRecord | None = None


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A finished document: fingerprints, and the bytes while they are in hand."""

    note_id: UUID
    version: int
    generation: int
    unique_id: str
    entry_uuid: UUID
    media_type: str
    assembled_at: datetime
    name_protected: bool
    sha1: bytes
    sha256: bytes
    size_bytes: int
    signing_key: str
    document: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class DecisionChange:
    """A decision that differs from the stored one."""

    note_id: UUID
    version: int
    destination: str
    decision: str
    code: str
    until: datetime | None


@dataclass(slots=True)
class NoteChange:
    """What processing one note changes; all empty when nothing does."""

    note: NoteRecord
    moves: list[tuple[int, VersionState, VersionState]] = field(default_factory=list)
    made: list[tuple[DocumentRecord, bytes]] = field(default_factory=list)
    parked: dict[int, str] = field(default_factory=dict)
    decisions: list[DecisionChange] = field(default_factory=list)
    delivery: DeliveryRecord | None = None
    next_due: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.moves or self.made or self.decisions or self.delivery)
