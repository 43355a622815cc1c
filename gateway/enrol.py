"""Enrols a practice, and recomputes its notes when its terms change.

Source: design.md 3.4 (``gateway practice add``); sharing-rules 5.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cryptography.x509 import Certificate

from gateway.client_keys import key_of_certificate
from gateway.clock import Clock, SystemClock
from gateway.errors import ConfigurationFault
from gateway.keys import KeyRing
from gateway.pipeline.audit import AuditAction, AuditEntry
from gateway.pipeline.records import PracticeRecord
from gateway.settings import Settings
from gateway.storage import audit_log, practices
from gateway.storage.database import Database, Lane, defer_job
from gateway.storage.intake_new import PROCESS_TASK
from nsp_client.identifiers import ProviderNumber, SorCode

BATCH_NOTES: Final = 100


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is agreed with a practice."""

    sor_code: str
    provider_number: str
    name: str
    jwks: Mapping[str, Any]  # may be without keys where there are certificates
    sharing_start: datetime
    share_history: bool = False
    enrolled: bool = True
    certificates: Sequence[Certificate] = ()


async def enrol(settings: Settings, wanted: Enrolment, clock: Clock | None = None) -> str:
    """Write the practice down; returns a sentence on what happened.

    Raises:
        ConfigurationFault: neither key nor certificate, or a certificate that is
            expired or has an unsupported key.
        InvalidIdentifier: SOR code or provider number of the wrong form.
    """
    now = (clock or SystemClock()).now()
    keys = [
        *wanted.jwks.get("keys", ()),
        *(key_of_certificate(each, now) for each in wanted.certificates),
    ]
    if not keys:
        raise ConfigurationFault("neither a key nor a certificate is given")
    sor_code = SorCode(wanted.sor_code).value
    ring = KeyRing.from_file(settings.master_key_file)
    practice = PracticeRecord(
        practice_id=ring.practice_id(sor_code),
        sor_code=sor_code,
        provider_number=ProviderNumber(wanted.provider_number).value,
        name=wanted.name,
        enrolled=wanted.enrolled,
        sharing_start=wanted.sharing_start,
        share_history=wanted.share_history,
        jwks={"keys": keys},
    )
    database = Database(settings.database_url, app_role=settings.app_role, size=1)
    await database.open()
    try:
        async with database.transaction() as connection:
            is_new = await practices.put(connection, practice, now)
            notes = await practices.note_ids(connection, practice.practice_id)
            for start in range(0, len(notes), BATCH_NOTES):
                batch = notes[start : start + BATCH_NOTES]
                await defer_job(
                    connection,
                    PROCESS_TASK,
                    {
                        "note_ids": [str(each) for each in batch],
                        "lane": int(Lane.FEED),
                        "trigger": "practice terms",
                    },
                    Lane.FEED,
                )
            await audit_log.append(connection, [_entry(practice, is_new, now)])
    finally:
        await database.close()
    return (
        f"{'enrolled' if is_new else 'changed'}: {practice.name}, SOR {practice.sor_code},"
        f" {len(notes)} notes to be looked at again"
    )


def _entry(practice: PracticeRecord, is_new: bool, now: datetime) -> AuditEntry:
    return AuditEntry(
        AuditAction.PRACTICE,
        now,
        {
            "practice": {"sor_code": practice.sor_code, "name": practice.name},
            "change": "enrolled" if is_new else "changed",
            "terms": {
                "enrolled": practice.enrolled,
                "sharing_start": practice.sharing_start.isoformat(),
                "share_history": practice.share_history,
            },
        },
        practice_id=practice.practice_id,
        actor="operator:command line",
    )
