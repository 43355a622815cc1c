"""The audit log's tables; the app may add rows and take none away."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    text,
)
from sqlmodel import Field, SQLModel


class AuditEntryRow(SQLModel, table=True):
    """One entry, unchained; ``body`` is its canonical form."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index(
            "audit_entry_patient_idx",
            "patient_id",
            text("seq DESC"),
            postgresql_where=text("patient_id IS NOT NULL"),
        ),
    )

    seq: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    entry_id: UUID = Field(unique=True)
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    action: str = Field(sa_column=Column(Text, nullable=False))
    patient_id: UUID | None = None
    practice_id: UUID | None = None
    actor: str | None = Field(default=None, sa_column=Column(Text))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class AuditPending(SQLModel, table=True):
    """An entry that the sealer has not taken yet."""

    __tablename__ = "audit_pending"

    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))


class AuditLeaf(SQLModel, table=True):
    """The place of an entry in the Merkle log."""

    __tablename__ = "audit_leaf"

    leaf_index: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    seq: int = Field(
        sa_column=Column(BigInteger, ForeignKey("audit_entry.seq"), nullable=False, unique=True)
    )
    leaf_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class AuditHead(SQLModel, table=True):
    """A signed tree head; ``body`` is the line in the anchor file."""

    __tablename__ = "audit_head"

    tree_size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    root: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    frontier: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
