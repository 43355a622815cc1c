"""The faults that only the sender, the store or the clock can find in a submission.

Each names the place, the rule and the remedy in Danish and English. The place
is an argument, since a plain note and a MedCom document have it elsewhere. The
faults of the content itself come from ``mappers``. Here too is the one table
from the code of a fault to the status of the answer.

Source: design.md 3.1 (codes); sharing-rules 5.1 rows 1-3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from mappers.issues import Issue

UNPROCESSABLE: Final = 422
STATUS_OF: Final[Mapping[str, int]] = MappingProxyType(
    {
        "SOR-NOT-YOURS": 403,
        "P-REJ-NOT-ENROLLED": 403,
        "VERSION-CONFLICT": 409,
        "VERSION-OLD": 409,
    }
)
"""Every other code is a fault of the content: 422."""

PRECEDENCE: Final = (403, UNPROCESSABLE, 409)
"""Which status wins: may you send it at all, is it a note, does it fit what is here."""

UNKNOWN_MEDIA_TYPE: Final = 415
"""The status of :func:`media_type_unknown`: of the request, not of a note that was read."""


def status_of(issues: Iterable[Issue]) -> int:
    """The status of an answer that names these faults, at least one."""
    found = {STATUS_OF.get(issue.code, UNPROCESSABLE) for issue in issues}
    return next(status for status in PRECEDENCE if status in found)


def media_type_unknown(known: Iterable[str]) -> Issue:
    """The header names a form that no reader here reads; the body is not looked at."""
    listed = ", ".join(known)
    return Issue(
        "BODY-MALFORMED",
        "header Content-Type",
        "media type",
        f"Indholdstypen kendes ikke. Brug en af: {listed}.",
        f"The media type is not known. Use one of: {listed}.",
    )


def not_enrolled(path: str) -> Issue:
    """The practice has not joined, or has left."""
    return Issue(
        "P-REJ-NOT-ENROLLED",
        path,
        "sharing-rules 5.1 row 3",
        "Klinikken er ikke tilmeldt deling. Kontakt driften for at blive tilmeldt.",
        "The practice has not joined. Ask the operator to enrol it.",
    )


def sor_not_yours(path: str) -> Issue:
    """The note names another clinic than the token does."""
    return Issue(
        "SOR-NOT-YOURS",
        path,
        "one SOR code per token",
        "SOR-koden er ikke den, adgangen er udstedt til. Send notatet med klinikkens egen adgang.",
        "The SOR code is not the one the token was issued to. Send it with that clinic's token.",
    )


def version_conflict(path: str, version: int) -> Issue:
    """The same version with other content."""
    return Issue(
        "VERSION-CONFLICT",
        path,
        "a version never changes",
        f"Version {version} findes allerede med et andet indhold."
        " Send rettelsen som en ny version.",
        f"Version {version} is already here with other content. Send the change as a new version.",
    )


def version_old(path: str, version: int, newest: int) -> Issue:
    """A version below the newest one, never seen before."""
    return Issue(
        "VERSION-OLD",
        path,
        "versions only go up",
        f"Version {version} er ældre end version {newest}, som allerede er modtaget."
        f" Brug et højere versionsnummer.",
        f"Version {version} is older than version {newest}, which is already here."
        f" Use a higher number.",
    )


def note_withdrawn(path: str) -> Issue:
    """A new version of a note that the practice has cancelled."""
    return Issue(
        "VERSION-CONFLICT",
        path,
        "a cancelled note stays cancelled",
        "Notatet er annulleret og kan ikke deles igen. Send det som et nyt notat.",
        "The note was cancelled and can't be shared again. Send it as a new note.",
    )


def other_patient(path: str) -> Issue:
    """A new version under another patient."""
    return Issue(
        "VERSION-CONFLICT",
        path,
        "a note stays with its patient",
        "Notatet hører til en anden patient. Annullér det, og send et nyt notat.",
        "The note belongs to another patient. Cancel it and send a new note.",
    )


def version_gap(path: str, version: int, expected: int) -> Issue:
    """A warning: versions before this one never came."""
    return Issue(
        "VERSION-GAP",
        path,
        "versions follow each other",
        f"Version {version} er modtaget, men version {expected} var den næste."
        f" Tjek, om en version mangler.",
        f"Version {version} was taken, but {expected} would have been next."
        f" Check whether a version is missing.",
    )


def completed_in_future(path: str) -> Issue:
    """Completed more than five minutes from now."""
    return Issue(
        "P-REJ-INVALID",
        path,
        "sharing-rules 5.1 row 2",
        "Notatet er afsluttet i fremtiden. Ret tidspunktet, eller stil systemets ur.",
        "The note is completed in the future. Correct the time, or set the system's clock.",
    )


def unstorable() -> Issue:
    """A value that no database text can hold, such as a NUL character."""
    return Issue(
        "BODY-MALFORMED",
        "$",
        "storable text",
        "Notatet indeholder et tegn, der ikke kan gemmes (fx NUL). Fjern det, og send igen.",
        "The note holds a character that can't be stored (such as NUL). Remove it and resend.",
    )
