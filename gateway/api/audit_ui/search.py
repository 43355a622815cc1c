"""Looking into the log: what must be given, and the entry that every look leaves.

A look has two steps, in this order:

1. the look itself is written to the log and committed;
2. the entries are read and shown.

A stop between them leaves an entry about a look that showed nothing, never a
look without an entry.

Source: sharing-rules 11.1 (a read of the log is logged), 11.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from gateway.api.audit_ui import words
from gateway.api.audit_ui.session import Ticket
from gateway.api.audit_ui.views import EntryView, OpenedReader, entry_view, reader_of
from gateway.api.services import Services
from gateway.errors import NotAuthorized
from gateway.logs import CPR_PATTERN
from gateway.pipeline.audit import AuditAction, AuditEntry
from gateway.storage import audit_log
from mappers.issues import Issue
from nsp_client.errors import InvalidIdentifier
from nsp_client.identifiers import Cpr

ROLE: Final = "compliance"
LEVELS: Final = frozenset({"SUBSTANTIAL", "HIGH"})
PAGE_ENTRIES: Final = 50
CASE_NUMBER_LENGTHS: Final = (3, 60)
GROUND_LENGTHS: Final = (10, 500)
LARGEST_SEQ: Final = 2**63 - 1
_SPACES: Final = re.compile(r"\s+")
_RULE: Final = "sharing-rules 11.3"


@dataclass(frozen=True, slots=True)
class LogReader:
    """Who looks into the log, and through which door (``audit_pages``, ``audit_api``)."""

    person_id: UUID
    name: str
    auth_level: str
    authorization_id: str | None
    door: str
    request_id: str

    def to_json(self) -> dict[str, Any]:
        """The field ``reader`` of an audit entry."""
        return {
            "person_id": str(self.person_id),
            "name": self.name,
            "role": "COMPLIANCE",
            "auth_level": self.auth_level,
            "authorization_id": self.authorization_id,
        }


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first. ``next_before``: give it to see older ones; None: no more."""

    entries: tuple[EntryView, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Opened:
    """One entry, and who stands behind it."""

    entry: EntryView
    reader: OpenedReader | None


def require_compliance(role: str, auth_level: str) -> None:
    """The one rule of who may look into the log.

    Raises:
        NotAuthorized: 403; another role, or too weak a login.
    """
    if role != ROLE:
        raise NotAuthorized("not compliance staff", code="NOT-ALLOWED", status=403)
    if auth_level not in LEVELS:
        raise NotAuthorized("login below substantial", code="D-AUTH-LEVEL", status=403)


def tidy(value: str) -> str:
    """One line without control characters or stray blanks."""
    printable = "".join(sign if sign.isprintable() else " " for sign in value)
    return _SPACES.sub(" ", printable).strip()


def cpr_in(value: str) -> Cpr | None:
    """The CPR number in a field, dash and blanks looked past; None: it is none."""
    bare = tidy(value).replace(" ", "")
    if len(bare) == 11 and bare[6] == "-":
        bare = bare[:6] + bare[7:]
    try:
        return Cpr(bare)
    except InvalidIdentifier:
        return None


def check_search(
    fields: Mapping[str, str], *, with_reason: bool
) -> tuple[Cpr | None, dict[str, str], list[Issue]]:
    """Read the fields of a search: ``cpr``, ``case_number``, ``ground``, ``reason``.

    Args:
        fields: as given; an absent one counts as empty.
        with_reason: whether a ground must also be chosen from the list.

    Returns:
        The CPR number, the other fields tidied, and all faults at once. A fault
        never repeats what was given.
    """
    clean = {name: tidy(fields.get(name, "")) for name in ("case_number", "ground", "reason")}
    cpr = cpr_in(fields.get("cpr", ""))
    issues = []
    if not fields.get("cpr", "").strip():
        issues.append(_missing("cpr", "Skriv patientens CPR-nummer.", "Give the CPR number."))
    elif cpr is None:
        issues.append(
            Issue(
                "CPR-INVALID",
                "$.cpr",
                _RULE,
                "CPR-nummeret er ikke gyldigt. Skriv ti cifre, fx DDMMÅÅ-XXXX.",
                "The CPR number is not valid. Write ten digits, such as DDMMYY-XXXX.",
            )
        )
    issues += _check_text(
        "case_number",
        clean["case_number"],
        CASE_NUMBER_LENGTHS,
        ("Sagsnummeret", "The case number"),
    )
    if with_reason and clean["reason"] not in words.REASONS:
        issues.append(_missing("reason", "Vælg en grund på listen.", "Choose a ground."))
    issues += _check_text(
        "ground", clean["ground"], GROUND_LENGTHS, ("Begrundelsen", "The explanation")
    )
    return cpr, clean, issues


def _missing(name: str, da: str, en: str) -> Issue:
    return Issue("FIELD-MISSING", f"$.{name}", _RULE, da, en)


def _check_text(
    name: str, value: str, lengths: tuple[int, int], called: tuple[str, str]
) -> list[Issue]:
    da, en = called
    shortest, longest = lengths
    if not value:
        return [_missing(name, f"{da} mangler. Udfyld feltet.", f"{en} is missing. Fill it in.")]
    if not shortest <= len(value) <= longest:
        return [
            Issue(
                "FIELD-TYPE",
                f"$.{name}",
                _RULE,
                f"{da} skal fylde {shortest} til {longest} tegn.",
                f"{en} must have {shortest} to {longest} characters.",
            )
        ]
    if CPR_PATTERN.search(value):
        # What stands here is kept in the log for years, where no CPR number may stand.
        return [
            Issue(
                "FIELD-TYPE",
                f"$.{name}",
                _RULE,
                f"{da} må ikke indeholde et CPR-nummer. Fjern det.",
                f"{en} must not hold a CPR number. Take it out.",
            )
        ]
    return []


async def show_page(
    services: Services, reader: LogReader, ticket: Ticket, before: int | None
) -> Page:
    """A page of entries about a patient, newest first.

    Args:
        before: only entries with a lower number; None: from the newest.

    Raises:
        Unavailable: the log can't be written or read; nothing may be shown.
    """
    await _log_look(services, reader, ticket, {"view": "LIST", "before": before})
    async with services.database.transaction() as connection:
        # One more than is shown tells whether there is a next page.
        rows = await audit_log.search_by_patient(
            connection, ticket.patient_id, limit=PAGE_ENTRIES + 1, before=before
        )
    shown = rows[:PAGE_ENTRIES]
    return Page(
        tuple(entry_view(*row) for row in shown),
        shown[-1][0] if len(rows) > PAGE_ENTRIES else None,
    )


async def open_entry(
    services: Services, reader: LogReader, ticket: Ticket, seq: int
) -> Opened | None:
    """One entry about the ticket's patient with the names in it; None: there is none.

    Raises:
        Unavailable: the log can't be written or read; nothing may be shown.
    """
    await _log_look(services, reader, ticket, {"view": "OPEN", "opened": {"seq": seq}})
    async with services.database.transaction() as connection:
        rows = await audit_log.search_by_patient(
            connection, ticket.patient_id, limit=1, before=seq + 1
        )
    if not rows or rows[0][0] != seq:
        return None
    return Opened(entry_view(*rows[0]), reader_of(rows[0][2]))


async def _log_look(
    services: Services, reader: LogReader, ticket: Ticket, look: Mapping[str, Any]
) -> None:
    """Step 1: the look is in the log, committed, before anything is read."""
    entry = AuditEntry(
        AuditAction.LOG_READ,
        services.clock.now(),
        {
            "reader": reader.to_json(),
            "case_number": ticket.case_number,
            "ground": {"reason": ticket.reason, "text": ticket.text},
            "door": reader.door,
            "request_id": reader.request_id,
            **look,
        },
        patient_id=ticket.patient_id,
        actor=f"person:{reader.person_id}",
    )
    async with services.database.transaction() as connection:
        await audit_log.append(connection, [entry])
