"""What the steps need from outside, as Protocols.

Implementations live in ``destinations`` and ``wiring``; tests bring their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from gateway.pipeline.records import DeliveryRecord, DocumentRecord
from mappers.note import JournalNote, Organization


class Verdict(StrEnum):
    """What one attempt at a destination came to."""

    DELIVERED = "delivered"
    NO_ANSWER = "no_answer"  # it may have happened: send the same message again
    LATER = "later"  # the peer answered: not now
    GIVEN_UP = "given_up"  # the peer answered: never, or not without a person


@dataclass(frozen=True, slots=True)
class Attempt:
    """The outcome of one attempt; ``code`` is the wire's or one of ours, never free text."""

    verdict: Verdict
    code: str


class NationalDestination(Protocol):
    """Takes documents and takes them away again; never raises for what a peer does."""

    async def submit(
        self,
        delivery: DeliveryRecord,
        document: DocumentRecord,
        note: JournalNote,
        replaces: UUID | None,
    ) -> Attempt:
        """Push one document, replacing the entry ``replaces`` if given."""

    async def deprecate(
        self, delivery: DeliveryRecord, entry_uuid: UUID, cpr: str, organization: Organization
    ) -> Attempt:
        """Take one entry of this patient and clinic out of view."""
