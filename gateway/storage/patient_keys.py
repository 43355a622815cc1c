"""The key of each patient: read, remembered, made for who is new.

Source: design.md section 2; gateway.keys (what a patient's key opens).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from gateway.keys import KeyRing, new_key, row_context, seal
from gateway.pipeline.records import Submission
from gateway.storage.database import Connection

INSERT_PATIENTS: Final = """
INSERT INTO patient (id, cpr_hash, wrapped_key, sealed_cpr)
SELECT id, cpr_hash, wrapped_key, sealed_cpr
FROM unnest(%b::uuid[], %b::bytea[], %b::bytea[], %b::bytea[])
     AS g (id, cpr_hash, wrapped_key, sealed_cpr)
WHERE EXISTS (
    SELECT FROM unnest(%b::uuid[], %b::uuid[]) AS sent (patient_id, note_id)
    WHERE sent.patient_id = g.id AND NOT EXISTS (SELECT FROM note WHERE note.id = sent.note_id)
)
ON CONFLICT DO NOTHING RETURNING id
"""
"""A note that is here belongs to a patient who is here: sent for a new one it will be
refused, and nobody may be written down for it."""


class PatientKeys:
    """Keys of patients this process has met, so that they need not be read again.

    Only keys that a commit has made lasting are kept; at most ``limit`` of them.
    """

    def __init__(self, ring: KeyRing, limit: int = 20_000) -> None:
        self._ring = ring
        self._limit = limit
        self._keys: dict[UUID, bytes] = {}

    async def of_known(
        self, connection: Connection, patient_ids: Collection[UUID]
    ) -> dict[UUID, bytes]:
        """The keys of those patients who are here already; those of others are left out."""
        found = {id_: self._keys[id_] for id_ in patient_ids if id_ in self._keys}
        return found | await self._read(connection, [i for i in patient_ids if i not in found])

    async def make(self, connection: Connection, group: Sequence[Submission]) -> dict[UUID, bytes]:
        """Make a key for each patient who is not here yet.

        Of a patient whose notes are all another patient's already, there is none
        and nothing is stored.

        Args:
            group: submissions of patients whom :meth:`of_known` did not find.
        """
        made = {item.patient_id: new_key() for item in group}
        people = {item.patient_id: item.cpr for item in group}
        ordered = sorted(made)
        cursor = await connection.execute(
            INSERT_PATIENTS,
            (
                ordered,
                [self._ring.cpr_hash(people[id_]) for id_ in ordered],
                [self._ring.wrap_patient_key(made[id_], id_) for id_ in ordered],
                [seal(made[id_], people[id_].encode(), row_context("cpr", id_)) for id_ in ordered],
                [item.patient_id for item in group],
                [item.note_id for item in group],
            ),
        )
        inserted = {row[0] for row in await cursor.fetchall()}
        # Another process was first with the others: its key counts.
        theirs = await self._read(connection, [id_ for id_ in ordered if id_ not in inserted])
        return {id_: made[id_] for id_ in inserted} | theirs

    async def _read(self, connection: Connection, ids: list[UUID]) -> dict[UUID, bytes]:
        if not ids:
            return {}
        cursor = await connection.execute(
            "SELECT id, wrapped_key FROM patient WHERE id = ANY(%b)", (ids,)
        )
        return {
            id_: self._ring.unwrap_patient_key(wrapped, id_)
            for id_, wrapped in await cursor.fetchall()
            if wrapped is not None
        }

    def keep(self, keys: dict[UUID, bytes]) -> None:
        """Remember keys whose transaction has been committed."""
        if len(self._keys) + len(keys) > self._limit:
            self._keys.clear()
        self._keys |= keys
