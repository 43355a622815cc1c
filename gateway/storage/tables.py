"""The gateway's tables as SQLModel classes; used inside ``storage`` only.

The migrations create them and a test compares the two. Statements on hot
paths are written out in the stores, a batch at a time, over psycopg; these
classes are the one place that says what a row holds.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from gateway.storage import audit_tables as audit_tables


def _text(**options: Any) -> Any:
    return Field(sa_column=Column(Text, nullable=False, **options))


def _optional_text() -> Any:
    return Field(default=None, sa_column=Column(Text))


def _instant() -> Any:
    return Field(sa_column=Column(DateTime(timezone=True), nullable=False))


def _optional_instant() -> Any:
    return Field(default=None, sa_column=Column(DateTime(timezone=True)))


def _bytes(**options: Any) -> Any:
    return Field(sa_column=Column(LargeBinary, nullable=False, **options))


def _optional_bytes() -> Any:
    return Field(default=None, sa_column=Column(LargeBinary))


def _json() -> Any:
    return Field(sa_column=Column(JSONB, nullable=False))


class Practice(SQLModel, table=True):
    """An enrolled clinic and the keys its system signs tokens with."""

    id: UUID = Field(primary_key=True)
    sor_code: str = _text(unique=True)
    provider_number: str = _text()
    name: str = _text()
    enrolled: bool
    sharing_start: datetime = _instant()
    share_history: bool
    jwks: dict[str, Any] = _json()
    enrolled_at: datetime = _instant()


class UsedAssertion(SQLModel, table=True):
    """A ``jti`` that a practice has used up."""

    __tablename__ = "used_assertion"

    practice_id: UUID = Field(foreign_key="practice.id", primary_key=True)
    jti: str = Field(sa_column=Column(Text, primary_key=True))
    expires_at: datetime = _instant()


class Patient(SQLModel, table=True):
    """A patient: look-up hash, own key, and what publication must know."""

    id: UUID = Field(primary_key=True)
    cpr_hash: bytes = _bytes(unique=True)
    wrapped_key: bytes | None = _optional_bytes()
    sealed_cpr: bytes = _bytes()
    birth_date: date | None = None
    death_date: date | None = None
    name_protected: bool | None = None
    facts_at: datetime | None = _optional_instant()


class Note(SQLModel, table=True):
    """A note, all versions: markings, withdrawal and the next instant due."""

    __table_args__ = (
        UniqueConstraint("practice_id", "source_note_id"),
        Index("note_patient_idx", "patient_id"),
        Index("note_due_idx", "next_due_at", postgresql_where=text("next_due_at IS NOT NULL")),
    )

    id: UUID = Field(primary_key=True)
    practice_id: UUID = Field(foreign_key="practice.id")
    source_note_id: str = _text()
    patient_id: UUID = Field(foreign_key="patient.id")
    newest_version: int
    markings: dict[str, Any] = _json()
    markings_revision: int
    withdrawn_at: datetime | None = _optional_instant()
    next_due_at: datetime | None = _optional_instant()


class NoteVersion(SQLModel, table=True):
    """One version as received: facts for the rules in the open, content sealed."""

    __tablename__ = "note_version"
    __table_args__ = (
        Index(
            "note_version_open_idx",
            "received_at",
            postgresql_where=text("state IN ('received', 'withdrawn')"),
        ),
    )

    note_id: UUID = Field(foreign_key="note.id", primary_key=True)
    version: int = Field(primary_key=True)
    receipt_id: UUID = Field(unique=True)
    content_sha256: bytes = _bytes()
    content_mac: bytes = _bytes()
    received_at: datetime = _instant()
    state: str = _text()
    facts: dict[str, Any] = _json()
    warnings: list[Any] = _json()
    wrapped_key: bytes | None = _optional_bytes()
    sealed_note: bytes | None = _optional_bytes()


class Document(SQLModel, table=True):
    """An assembled document and its signature, sealed; fingerprints in the open."""

    __table_args__ = (
        ForeignKeyConstraint(
            ["note_id", "version"], ["note_version.note_id", "note_version.version"]
        ),
    )

    note_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    generation: int = Field(primary_key=True)
    unique_id: str = _text(unique=True)
    entry_uuid: UUID = Field(unique=True)
    media_type: str = _text()
    assembled_at: datetime = _instant()
    name_protected: bool
    sha1: bytes = _bytes()
    sha256: bytes = _bytes()
    size_bytes: int
    signing_key: str = _text()
    is_offered: bool = Field(
        sa_column=Column(Boolean, nullable=False, server_default=text("false"))
    )
    sealed_document: bytes | None = _optional_bytes()
    sealed_signature: bytes | None = _optional_bytes()


class Publication(SQLModel, table=True):
    """The last stored decisions for one version: destination to decision, code, until."""

    __table_args__ = (
        ForeignKeyConstraint(
            ["note_id", "version"], ["note_version.note_id", "note_version.version"]
        ),
    )

    note_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    decisions: dict[str, Any] = _json()
    decided_at: datetime = _instant()
    rules: str = _text()


class Delivery(SQLModel, table=True):
    """What a national destination should hold, holds, and is being told."""

    __table_args__ = (
        Index(
            "delivery_due_idx",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at IS NOT NULL"),
        ),
    )

    note_id: UUID = Field(foreign_key="note.id", primary_key=True)
    destination: str = Field(sa_column=Column(Text, primary_key=True))
    state: str = _text()
    wanted_version: int | None = None
    current_version: int | None = None
    current_generation: int | None = None
    current_entry_uuid: UUID | None = None
    operation: str | None = _optional_text()
    operation_id: UUID | None = None
    operation_version: int | None = None
    operation_generation: int | None = None
    operation_at: datetime | None = _optional_instant()
    message_number: int
    is_doubtful: bool
    attempts: int
    next_attempt_at: datetime | None = _optional_instant()
    last_code: str | None = _optional_text()
    updated_at: datetime = _instant()


class FeedState(SQLModel, table=True):
    """The newest sequence number of one actor's feed of one patient."""

    __tablename__ = "feed_state"

    actor_id: UUID = Field(primary_key=True)
    patient_id: UUID = Field(primary_key=True)
    last_seq: int = Field(sa_column=Column(BigInteger, nullable=False))


class FeedItem(SQLModel, table=True):
    """What this actor was served of one note, and whether it was taken away."""

    __tablename__ = "feed_item"
    __table_args__ = (Index("feed_item_seq_idx", "actor_id", "patient_id", "seq"),)

    actor_id: UUID = Field(primary_key=True)
    patient_id: UUID = Field(primary_key=True)
    note_id: UUID = Field(primary_key=True)
    version: int
    generation: int
    seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    removed: bool


class Person(SQLModel, table=True):
    """A person seen in the audit log, so that compliance can open a pseudonym."""

    id: UUID = Field(primary_key=True)
    sealed_cpr: bytes = _bytes()


metadata: Final[MetaData] = SQLModel.metadata
