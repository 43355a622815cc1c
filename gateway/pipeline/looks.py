"""Who looks at whose notes, and what was decided about each.

Source: sharing-rules 3.5, 6; LIST and CONTENT are told apart in the log alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from consent.facts import Reader, Subject
from consent.model import DisclosureDecision
from gateway.pipeline.records import NoteRecord, VersionRecord

LIST: Final = "LIST"
CONTENT: Final = "CONTENT"


@dataclass(frozen=True, slots=True)
class Look:
    """Who looks at whose notes, how, and through which door.

    ``view`` is LIST or CONTENT. ``only``: the notes asked for; None: all.
    ``client_system`` and ``request_id`` go into the audit entry.
    """

    reader: Reader
    subject: Subject
    view: str
    door: str
    request_id: str
    only: frozenset[UUID] | None = None
    client_system: str = ""
    actor_name: str = ""
    acting_org_verified: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One version and what was decided about it."""

    note: NoteRecord
    version: VersionRecord
    decision: DisclosureDecision
