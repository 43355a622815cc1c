"""What the store holds already of submissions, read for :mod:`gateway.pipeline.intake_judge`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from gateway.pipeline.intake_judge import EarlierVersion, KnownNote, Standing
from gateway.pipeline.records import Receipt
from gateway.states import VersionState
from gateway.storage.database import Connection

NOTES: Final = """
SELECT id, patient_id, newest_version, markings, withdrawn_at
FROM note WHERE id = ANY(%b) ORDER BY id
"""
LOCK_NOTES: Final = f"{NOTES} FOR UPDATE"

EXISTING_VERSIONS: Final = """
SELECT v.note_id, v.version, v.receipt_id, v.content_sha256, v.content_mac, v.received_at,
       v.warnings
FROM note_version v
JOIN unnest(%b::uuid[], %b::int[]) AS g (note_id, version) USING (note_id, version)
"""


async def standing_of(
    connection: Connection, practice_id: UUID, note_id: UUID | None, version: int | None
) -> Standing:
    """What is here for one submission, read without a lock.

    Args:
        note_id: made from the sender's own SOR code, so that no other practice's
            note is ever looked at; None: it could not be read.
        version: None: it could not be read.
    """
    is_enrolled = practice_id in await enrolled_practices(connection, {practice_id})
    known = await known_notes(connection, [] if note_id is None else [note_id])
    if note_id is None or note_id not in known:
        return Standing(is_enrolled)
    if version is None:
        return Standing(is_enrolled, known[note_id])
    place = (note_id, version)
    earlier = await earlier_versions(connection, [place])
    return Standing(is_enrolled, known[note_id], earlier.get(place))


async def enrolled_practices(connection: Connection, practices: Iterable[UUID]) -> set[UUID]:
    """Those that have joined and not left."""
    cursor = await connection.execute(
        "SELECT id FROM practice WHERE id = ANY(%b) AND enrolled", (list(practices),)
    )
    return {row[0] for row in await cursor.fetchall()}


async def known_notes(
    connection: Connection, note_ids: Sequence[UUID], *, lock: bool = False
) -> dict[UUID, KnownNote]:
    """Those that are here; locked in the order of their ids if wanted."""
    if not note_ids:
        return {}
    cursor = await connection.execute(LOCK_NOTES if lock else NOTES, (list(note_ids),))
    return {
        row[0]: KnownNote(row[1], row[2], row[3], row[4] is not None)
        for row in await cursor.fetchall()
    }


async def earlier_versions(
    connection: Connection, places: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], EarlierVersion]:
    """The versions that are here, by note and number."""
    if not places:
        return {}
    cursor = await connection.execute(
        EXISTING_VERSIONS, ([note_id for note_id, _ in places], [version for _, version in places])
    )
    return {
        (row[0], row[1]): EarlierVersion(
            Receipt(
                row[0],
                row[2],
                row[1],
                row[3],
                row[5],
                VersionState.RECEIVED,  # the same receipt again, whatever has happened since
                tuple(row[6]),
                replayed=True,
            ),
            row[4],
        )
        for row in await cursor.fetchall()
    }
