"""The patient feed: what a citizen may see now, as a delta.

Source: design.md 3.2; sharing-rules 6.3 (texts), 7.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from consent.facts import Reader, Subject
from consent.model import DisclosureDecision, Role
from consent.texts import STANDING_TEXT, Audience, sentence
from gateway.cursors import read_cursor, write_cursor
from gateway.errors import NoteUnknown
from gateway.keys import KeyRing
from gateway.pipeline.decide import decide_version
from gateway.pipeline.looks import CONTENT, Judged, Look
from gateway.pipeline.records import DocumentRecord
from gateway.service.disclose import Discloser, Opened
from gateway.storage import feeds
from gateway.storage.database import Connection

PAGE_NOTES: Final = 50


@dataclass(frozen=True, slots=True)
class FeedReader:
    """A citizen who reads, their own record or another's."""

    person_id: UUID
    cpr: str
    auth_level: str
    name: str
    client_system: str
    request_id: str


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A page, or the decision that closes the feed for this reader."""

    body: dict[str, Any]
    closed: DisclosureDecision | None = None


class PatientFeed:
    """Serves the feed of a patient; today to the patient alone (role SELF)."""

    def __init__(self, discloser: Discloser, ring: KeyRing) -> None:
        self._discloser = discloser
        self._ring = ring

    async def page(self, reader: FeedReader, cursor: str | None) -> FeedPage:
        """The changes after a cursor; without one, all that is visible now.

        Raises:
            CursorUnreadable: not a cursor of this reader's feed.
            AuditUnwritable: nothing leaves.
        """
        owner = f"feed|{reader.person_id}|{reader.person_id}"
        after = read_cursor(self._ring.cursors, cursor, owner) if cursor else 0
        page: list[feeds.FeedItem] = []

        async def choose(connection: Connection, permitted: Sequence[Judged]) -> Sequence[Judged]:
            visible = _newest_first_come(permitted)
            page.extend(
                await feeds.advance(
                    connection,
                    reader.person_id,
                    reader.person_id,
                    {
                        note_id: (item.version.version, item.version.generation or 0)
                        for note_id, item in visible.items()
                    },
                    after=after,
                    page=PAGE_NOTES,
                )
            )
            return [
                visible[item.note_id]
                for item in page
                if not item.is_removed and item.note_id in visible
            ]

        disclosure = await self._discloser.disclose(_look(reader), choose)
        if disclosure.closed is not None:
            return FeedPage({}, disclosure.closed)
        position = page[-1].seq if page else after
        return FeedPage(
            {
                "notes": [note_body(opened) for opened in disclosure.opened],
                "removed": [{"note_id": str(item.note_id)} for item in page if item.is_removed],
                "placeholders": _placeholders(disclosure.judged, disclosure.at),
                "notices": [],
                "lock": None,
                "cursor": write_cursor(self._ring.cursors, position, owner),
                "standing_text": {"da": STANDING_TEXT.da, "en": STANDING_TEXT.en},
            }
        )

    async def one(self, reader: FeedReader, note_id: UUID) -> Opened | DisclosureDecision:
        """The newest visible version of one note, or the decision that closes everything.

        Raises:
            NoteUnknown: no such note for this reader, or none to be seen now.
            AuditUnwritable: nothing leaves.
        """

        async def newest(_: Connection, permitted: Sequence[Judged]) -> Sequence[Judged]:
            return list(_newest_first_come(permitted).values())

        disclosure = await self._discloser.disclose(
            replace(_look(reader), only=frozenset({note_id})), newest
        )
        if disclosure.closed is not None:
            return disclosure.closed
        if not disclosure.opened:
            raise NoteUnknown("note")
        return disclosure.opened[0]


def _placeholders(judged: Sequence[Judged], now: datetime) -> list[dict[str, Any]]:
    """Notes that the practice shows later, with the day; for the patient alone.

    Source: sharing-rules 6.3. Nothing else that is held or withheld leaves a trace.
    """
    found = []
    for item in judged:
        if item.decision.detail != "P-HOLD-DELAYED":
            continue
        decision = decide_version(item.note, item.version, now).patient_feed
        text = sentence(decision.code, Audience.CITIZEN, until=decision.until)
        if decision.until is not None and text is not None:
            found.append(
                {
                    "note_id": str(item.note.note_id),
                    "until": decision.until.isoformat(),
                    "text": {"da": text.da, "en": text.en},
                }
            )
    return found


def document_of(opened: Opened) -> DocumentRecord:
    """The stored document and its signature, as every door serves them."""
    return opened.document


def _look(reader: FeedReader) -> Look:
    return Look(
        reader=Reader(
            role=Role.SELF.value, actor_id=str(reader.person_id), auth_level=reader.auth_level
        ),
        subject=Subject(cpr=reader.cpr, id=str(reader.person_id)),
        view=CONTENT,
        door="patient",
        request_id=reader.request_id,
        client_system=reader.client_system,
        actor_name=reader.name,
    )


def _newest_first_come(permitted: Sequence[Judged]) -> dict[UUID, Judged]:
    """One version per note, in the order the notes were made."""
    newest: dict[UUID, Judged] = {}
    for item in permitted:
        known = newest.get(item.note.note_id)
        if known is None or known.version.version < item.version.version:
            newest[item.note.note_id] = item
    return dict(
        sorted(newest.items(), key=lambda entry: (entry[1].version.facts.created_at, entry[0]))
    )


def note_body(opened: Opened) -> dict[str, Any]:
    """One note as a feed page holds it (design.md 3.2)."""
    note, document = opened.content, opened.document
    author = note.author
    hide_author = note.author_name_protected or author is None
    href = f"/patient/v1/notes/{opened.note.note_id}/document"
    return {
        "note_id": str(opened.note.note_id),
        "version": opened.version.version,
        "created_at": note.created_at.isoformat(),
        "updated_at": note.completed_at.isoformat(),
        "clinic": {"name": note.organization.name, "sor": note.organization.sor_code},
        "author": None
        if hide_author or author is None
        else {"given": list(author.given), "family": author.family, "role": author.role},
        "html": note.text.html,
        "ai_assisted": note.ai_assisted,
        "document": {
            "href": href,
            "format": document.media_type,
            "sha256": document.sha256.hex(),
            "signature_href": f"{href}/signature",
        },
    }
