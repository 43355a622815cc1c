"""What each reader of a patient feed has been served, so that a delta can be told.

A feed is a list of changes in the order this actor met them. Each read works
out what is visible now, compares it with what the actor was served before and
appends the difference: new or newer notes, and notes taken away. A cursor is a
position in that list; asking again with an old cursor gives the same again.

Source: design.md 3.2 (``removed`` names only what this actor was served).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from gateway.storage.database import Connection

UPSERT: Final = """
INSERT INTO feed_item (actor_id, patient_id, note_id, version, generation, seq, removed)
SELECT %s, %s, note_id, version, generation, seq, removed
FROM unnest(%b::uuid[], %b::int[], %b::int[], %b::bigint[], %b::boolean[])
     AS g (note_id, version, generation, seq, removed)
ON CONFLICT (actor_id, patient_id, note_id) DO UPDATE SET
    version = EXCLUDED.version, generation = EXCLUDED.generation, seq = EXCLUDED.seq,
    removed = EXCLUDED.removed
"""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One note in one actor's feed; ``is_removed``: it was served and is gone."""

    note_id: UUID
    version: int
    generation: int
    seq: int
    is_removed: bool


async def advance(
    connection: Connection,
    actor_id: UUID,
    patient_id: UUID,
    visible: Mapping[UUID, tuple[int, int]],
    *,
    after: int,
    page: int,
) -> list[FeedItem]:
    """Bring an actor's feed up to date and return the page after a position.

    Nothing is written down as served beyond what this page holds, so that a
    note which vanishes before it was ever on a page is never named as removed.

    Args:
        visible: note id to version and document generation, in the order new
            notes are to appear.
        after: position of the cursor; 0 from the beginning.
        page: most changes returned.

    Returns:
        Changes with ``seq`` above ``after``, oldest first. From the beginning,
        what was taken away is left out.
    """
    await connection.execute(
        "INSERT INTO feed_state VALUES (%s, %s, 0) ON CONFLICT DO NOTHING", (actor_id, patient_id)
    )
    cursor = await connection.execute(
        "SELECT last_seq FROM feed_state WHERE actor_id = %s AND patient_id = %s FOR UPDATE",
        (actor_id, patient_id),
    )
    row = await cursor.fetchone()
    assert row is not None
    last_seq: int = row[0]
    items = await _load(connection, actor_id, patient_id)
    waiting = [item for item in items.values() if _is_news(item, after)]
    changed = _difference(items, visible, last_seq, page - len(waiting))
    if changed:
        await connection.execute(
            UPSERT,
            (
                actor_id,
                patient_id,
                [item.note_id for item in changed],
                [item.version for item in changed],
                [item.generation for item in changed],
                [item.seq for item in changed],
                [item.is_removed for item in changed],
            ),
        )
        await connection.execute(
            "UPDATE feed_state SET last_seq = %s WHERE actor_id = %s AND patient_id = %s",
            (changed[-1].seq, actor_id, patient_id),
        )
    items.update((item.note_id, item) for item in changed)
    changes = sorted(
        (item for item in items.values() if _is_news(item, after)), key=lambda item: item.seq
    )
    return changes[:page]


def _is_news(item: FeedItem, after: int) -> bool:
    """Does a reader at this position lack it? Who begins has nothing that could be removed."""
    return item.seq > after and (after > 0 or not item.is_removed)


async def _load(connection: Connection, actor_id: UUID, patient_id: UUID) -> dict[UUID, FeedItem]:
    cursor = await connection.execute(
        "SELECT note_id, version, generation, seq, removed FROM feed_item"
        " WHERE actor_id = %s AND patient_id = %s",
        (actor_id, patient_id),
    )
    return {row[0]: FeedItem(*row) for row in await cursor.fetchall()}


def _difference(
    items: Mapping[UUID, FeedItem],
    visible: Mapping[UUID, tuple[int, int]],
    last_seq: int,
    room: int,
) -> list[FeedItem]:
    """All that was taken away, and as many additions as the page has room for."""
    changed: list[FeedItem] = []
    for note_id, item in items.items():
        if not item.is_removed and note_id not in visible:
            last_seq += 1
            changed.append(FeedItem(note_id, item.version, item.generation, last_seq, True))
    additions = 0
    for note_id, (version, generation) in visible.items():
        if additions >= room:
            break
        known = items.get(note_id)
        if (
            known is None
            or known.is_removed
            or (known.version, known.generation)
            != (
                version,
                generation,
            )
        ):
            last_seq += 1
            additions += 1
            changed.append(FeedItem(note_id, version, generation, last_seq, False))
    return changed
