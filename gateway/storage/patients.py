"""Patients: their keys and sealed numbers, and what the civil register last said of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from gateway.storage.database import Connection


async def stale_patients(connection: Connection, before: datetime, limit: int) -> list[UUID]:
    """Patients whose register facts are older than ``before`` or were never read."""
    cursor = await connection.execute(
        "SELECT id FROM patient WHERE wrapped_key IS NOT NULL AND (facts_at IS NULL OR"
        " facts_at < %s) ORDER BY facts_at NULLS FIRST LIMIT %s",
        (before, limit),
    )
    return [row[0] for row in await cursor.fetchall()]


async def set_patient_facts(
    connection: Connection,
    patient_id: UUID,
    *,
    birth_date: date | None,
    death_date: date | None,
    name_protected: bool,
    answered_at: datetime,
) -> bool:
    """Store what the register said; True when publication or documents may change."""
    cursor = await connection.execute(
        "UPDATE patient SET birth_date = %s, death_date = %s, name_protected = %s, facts_at = %s"
        " FROM (SELECT death_date AS old_death, name_protected AS old_protected FROM patient"
        "       WHERE id = %s FOR UPDATE) AS before"
        " WHERE patient.id = %s RETURNING old_death IS DISTINCT FROM %s"
        " OR old_protected IS DISTINCT FROM %s",
        (
            birth_date,
            death_date,
            name_protected,
            answered_at,
            patient_id,
            patient_id,
            death_date,
            name_protected,
        ),
    )
    row = await cursor.fetchone()
    return bool(row and row[0])


async def sealed_cpr(
    connection: Connection, patient_ids: Sequence[UUID]
) -> dict[UUID, tuple[bytes, bytes, datetime | None]]:
    """Per patient: the wrapped key, the sealed CPR number, and when facts were read."""
    cursor = await connection.execute(
        "SELECT id, wrapped_key, sealed_cpr, facts_at FROM patient"
        " WHERE id = ANY(%b) AND wrapped_key IS NOT NULL",
        (list(patient_ids),),
    )
    return {row[0]: (row[1], row[2], row[3]) for row in await cursor.fetchall()}


async def last_known(
    connection: Connection, patient_id: UUID
) -> tuple[date | None, date | None, bool | None] | None:
    """Birth date, death date and protection as the civil register last told them."""
    cursor = await connection.execute(
        "SELECT birth_date, death_date, name_protected FROM patient"
        " WHERE id = %s AND facts_at IS NOT NULL",
        (patient_id,),
    )
    row = await cursor.fetchone()
    return (row[0], row[1], row[2]) if row else None
