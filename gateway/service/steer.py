"""What a practice does to a note it has sent: markings and cancellation.

Both hold for every read that starts after the answer, because reads look at
the note's row and at nothing remembered; the job that follows tells the
national destination.

Source: design.md 3.1; sharing-rules 5.3, 9.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.clock import Clock
from gateway.errors import NoteRejected, NoteUnknown, PreconditionFailed
from gateway.pipeline.markings import VERSION_MARKING, check_patch, merge_markings, narrows
from gateway.pipeline.note_view import note_view
from gateway.pipeline.pipeline_audit import entry_for_cancel, entry_for_markings
from gateway.pipeline.records import JsonObject, NoteRecord
from gateway.service.receive import Sender
from gateway.storage import audit_log, notes
from gateway.storage.database import Connection, Database, Lane, defer_job
from gateway.storage.intake_new import PROCESS_TASK


class Steering:
    """A practice's calls on its own notes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def view(self, sender: Sender, note_id: UUID) -> tuple[JsonObject, int]:
        """State, versions and decisions, and the revision of the markings.

        Raises:
            NoteUnknown: no such note, or another practice's.
        """
        async with self._database.transaction() as connection:
            note = await self._own(connection, sender, note_id)
            warnings = await notes.warnings_of(connection, note_id)
        return note_view(note, warnings), note.markings_revision

    async def patch_markings(
        self,
        sender: Sender,
        note_id: UUID,
        patch: Any,
        *,
        if_match: str | None,
        request_id: str,
    ) -> tuple[JsonObject, int]:
        """Merge a patch into the markings; obeyed by every read that starts after.

        Returns:
            The markings as they are now, and their revision.

        Raises:
            NoteRejected: a fault in the patch, all at once (422).
            NoteUnknown: no such note of theirs.
            PreconditionFailed: ``if_match`` names another revision.
        """
        issues = check_patch(patch)
        if issues:
            raise NoteRejected(issues)
        async with self._database.transaction() as connection:
            note = await self._own(connection, sender, note_id, lock=True)
            if if_match is not None and if_match.strip().strip('"') != str(note.markings_revision):
                raise PreconditionFailed("markings")
            revision = await self._write(connection, note, patch, request_id)
            (changed,) = await notes.load(connection, [note_id])
        delay = changed.versions[-1].facts.delay_until
        return {
            **changed.markings,
            VERSION_MARKING: delay.isoformat() if delay else None,
        }, revision

    async def _write(
        self, connection: Connection, note: NoteRecord, patch: JsonObject, request_id: str
    ) -> int:
        newest = note.versions[-1]
        delay_before = newest.facts.delay_until
        delay = delay_before
        if VERSION_MARKING in patch:
            text = patch[VERSION_MARKING]
            delay = datetime.fromisoformat(text) if text else None
        merged = merge_markings(note.markings, patch)
        if merged == note.markings and delay == delay_before:
            return note.markings_revision
        if delay != delay_before:
            await notes.set_delay(connection, note.note_id, newest.version, delay)
        if merged != note.markings:
            await notes.set_markings(connection, note.note_id, merged)
        before = {**note.markings, VERSION_MARKING: delay_before}
        after = {**merged, VERSION_MARKING: delay}
        now = self._clock.now()
        await audit_log.append(
            connection, [entry_for_markings(note, before, after, request_id, now)]
        )
        lane = Lane.STOP if narrows(before, after) else Lane.FEED
        await defer_job(
            connection,
            PROCESS_TASK,
            {"note_ids": [str(note.note_id)], "lane": int(lane), "trigger": "markings"},
            lane,
        )
        changed = (delay != delay_before) + (merged != note.markings)
        return note.markings_revision + changed

    async def cancel(self, sender: Sender, note_id: UUID, *, request_id: str) -> JsonObject:
        """Withdraw a note; repeating it changes nothing.

        Raises:
            NoteUnknown: no such note of theirs.
        """
        async with self._database.transaction() as connection:
            note = await self._own(connection, sender, note_id, lock=True)
            now = note.withdrawn_at or self._clock.now()
            if note.withdrawn_at is None:
                await notes.withdraw(connection, note_id, now)
                await audit_log.append(connection, [entry_for_cancel(note, request_id, now)])
                await defer_job(
                    connection,
                    PROCESS_TASK,
                    {
                        "note_ids": [str(note_id)],
                        "lane": int(Lane.CANCEL),
                        "trigger": "cancel",
                    },
                    Lane.CANCEL,
                )
        return {
            "note_id": str(note_id),
            "state": "withdrawn",
            "withdrawn_at": now.isoformat(),
        }

    async def _own(
        self, connection: Connection, sender: Sender, note_id: UUID, *, lock: bool = False
    ) -> NoteRecord:
        """The practice's own note; anyone else's is as unknown as no note."""
        found = await (notes.lock if lock else notes.load)(connection, [note_id])
        if not found or found[0].practice.practice_id != sender.practice_id:
            raise NoteUnknown("note")
        return found[0]
