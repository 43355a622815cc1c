"""Read a note sent as plain JSON.

The whole body is checked before anything is said, so that the sender gets all
faults in one answer.

Source: design.md 3.1 (codes), 4 (the form); medcom-shared-notes 7 to 10, 13, 14.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from mappers.codes import CONTACT_TYPES, GENDERS, STATUSES, normal_role
from mappers.html import CleanText, clean_html, clean_plain
from mappers.issues import Issue, Legible, Places, Reading
from mappers.note import (
    Author,
    JournalNote,
    Markings,
    NoteText,
    Organization,
    Patient,
    Status,
)
from mappers.practice.fields import Checks, JsonObject
from mappers.practice.markings import read_markings
from mappers.practice.strict_json import parse_object

NOTE_FIELDS: Final = frozenset(
    {
        "source_note_id",
        "version",
        "status",
        "patient",
        "organization",
        "author",
        "author_name_protected",
        "encounter_id",
        "contact_type",
        "icpc2",
        "ai_assisted",
        "created_at",
        "ended_at",
        "completed_at",
        "last_entry_at",
        "safety_correction",
        "text",
        "markings",
    }
)
PATIENT_FIELDS: Final = frozenset({"cpr", "given", "family", "birth_date", "gender"})
ORGANIZATION_FIELDS: Final = frozenset({"sor", "provider_number", "name"})
AUTHOR_FIELDS: Final = frozenset({"id", "given", "family", "role", "role_text", "authorization_id"})
TEXT_FIELDS: Final = frozenset({"content_type", "html", "text"})

PLACES: Final = Places(
    source_note_id="$.source_note_id",
    version="$.version",
    cpr="$.patient.cpr",
    sor_code="$.organization.sor",
    completed_at="$.completed_at",
)

# Stand-ins for what could not be read; no note is made of them.
_NO_DAY: Final = date(1900, 1, 1)
_NO_PATIENT: Final = Patient("", (), "", _NO_DAY, "unknown")
_NO_ORGANIZATION: Final = Organization("", None, "")
_NO_TEXT: Final = CleanText("")


def read_plain_note(body: bytes) -> Reading:
    """Read one note as design.md 4 gives it.

    Args:
        body: the bytes received, UTF-8 JSON.

    Returns:
        The note and warnings, or no note, what could be read and every fault found:
        BODY-MALFORMED alone; else FIELD-UNKNOWN, -TYPE, -MISSING, TIME-NO-OFFSET, CPR-INVALID,
        P-REJ-IDENTITY, P-REJ-INVALID, TEXT-EMPTY, HTML-ACTIVE-CONTENT and
        PROFILE-SOR-DIGITS, -ROLE-CODE, -NAME, -GENDER, -UUID, each with its path.

    Source: design.md 4.
    """
    tree = parse_object(body)
    if isinstance(tree, Issue):
        return Reading(None, Legible(PLACES), (tree,))
    return read_plain_tree(tree)


def read_plain_tree(tree: JsonObject) -> Reading:
    """As :func:`read_plain_note`, for JSON already parsed strictly."""
    checks = Checks()
    checks.known_fields(tree, NOTE_FIELDS, "$")
    clean = _read_text(checks, tree)
    created_at = checks.moment(tree, "created_at", "$", required=True)
    completed_at = checks.moment(tree, "completed_at", "$", required=True)
    ended_at = checks.moment(tree, "ended_at", "$")
    status = checks.one_of(tree, "status", "$", STATUSES)
    check_order(checks, status, created_at, completed_at, ended_at)
    marks = tree.get("markings", {})
    values: dict[str, Any] = {
        "source_note_id": checks.text(tree, "source_note_id", "$", required=True),
        "version": checks.positive(tree, "version", "$"),
        "status": status,
        "patient": _read_patient(checks, tree),
        "organization": _read_organization(checks, tree),
        "author": _read_author(checks, tree),
        "author_name_protected": checks.boolean(tree, "author_name_protected", "$"),
        "encounter_id": checks.urn_uuid(tree, "encounter_id", "$"),
        "contact_type": checks.one_of(tree, "contact_type", "$", CONTACT_TYPES),
        "icpc2": checks.texts(tree, "icpc2", "$"),
        "ai_assisted": checks.boolean(tree, "ai_assisted", "$"),
        "last_entry_at": checks.moment(tree, "last_entry_at", "$"),
        "safety_correction": checks.boolean(tree, "safety_correction", "$"),
        "markings": read_markings(checks, marks, "$.markings") if marks != {} else Markings(),
    }
    legible = _legible(values, completed_at)
    if checks.issues or created_at is None or completed_at is None:
        return Reading(None, legible, tuple(checks.issues), clean.warnings)
    note = JournalNote(
        **values,
        created_at=created_at,
        ended_at=ended_at,
        completed_at=completed_at,
        text=NoteText("text/html", clean.html),
    )
    return Reading(note, legible, (), clean.warnings)


def _legible(values: JsonObject, completed_at: datetime | None) -> Legible:
    """Leave out the stand-ins: each of them is false."""
    return Legible(
        PLACES,
        source_note_id=values["source_note_id"],
        version=values["version"] or None,
        status=values["status"],
        completed_at=completed_at,
        sor_code=values["organization"].sor_code or None,
        cpr=values["patient"].cpr or None,
    )


def check_order(
    checks: Checks,
    status: str | Status | None,
    created_at: datetime | None,
    completed_at: datetime | None,
    ended_at: datetime | None,
    path: str = "$",
) -> None:
    """Add P-REJ-INVALID where times run backwards.

    Source: medcom-shared-notes 14, rules 2 and 4 (compared as instants).
    """
    if created_at is None:
        return
    if status == "final" and completed_at is not None and completed_at < created_at:
        _backwards(checks, f"{path}.completed_at", "14, 2", "completed_at")
    if ended_at is not None and ended_at < created_at:
        _backwards(checks, f"{path}.ended_at", "14, 4", "ended_at")


def _backwards(checks: Checks, path: str, rule: str, name: str) -> None:
    checks.add(
        "P-REJ-INVALID",
        path,
        f"medcom-shared-notes {rule}: not before created_at",
        f"{name} ligger før created_at. Ret tidspunkterne.",
        f"{name} lies before created_at. Correct the times.",
    )


def _read_patient(checks: Checks, tree: JsonObject) -> Patient:
    given = checks.record(tree, "patient", "$", required=True)
    if given is None:
        return _NO_PATIENT
    path = "$.patient"
    checks.known_fields(given, PATIENT_FIELDS, path)
    cpr = checks.cpr(given, "cpr", path)
    names = checks.names(given, "given", path, required=True)
    family = checks.family(given, "family", path, required=True)
    birth_date = checks.day(given, "birth_date", path)
    gender = _read_gender(checks, given)
    return Patient(cpr or "", names, family or "", birth_date or _NO_DAY, gender or "unknown")


def _read_gender(checks: Checks, given: JsonObject) -> str | None:
    gender = given.get("gender")
    if type(gender) is str:
        if gender in GENDERS:
            return gender
        listed = ", ".join(GENDERS)
        checks.add(
            "PROFILE-GENDER",
            "$.patient.gender",
            f"medcom-shared-notes 7: {listed}",
            f"Kønnet er ukendt for standarden. Send en af: {listed}.",
            f"The gender is none of the standard's. Send one of: {listed}.",
        )
    elif "gender" in given:
        checks.wrong("$.patient.gender", "en tekst", "a string")
    else:
        checks.missing("$.patient.gender")
    return None


def _read_organization(checks: Checks, tree: JsonObject) -> Organization:
    given = checks.record(tree, "organization", "$", required=True)
    if given is None:
        return _NO_ORGANIZATION
    path = "$.organization"
    checks.known_fields(given, ORGANIZATION_FIELDS, path)
    sor_code = checks.text(given, "sor", path, required=True)
    if sor_code is not None:
        sor_code = checks.sor_code_value(sor_code, f"{path}.sor")
    provider_number = checks.text(given, "provider_number", path)
    name = checks.family(given, "name", path, required=True)
    return Organization(sor_code or "", provider_number, name or "")


def _read_author(checks: Checks, tree: JsonObject) -> Author | None:
    given = checks.record(tree, "author", "$")
    if given is None:
        return None
    path = "$.author"
    checks.known_fields(given, AUTHOR_FIELDS, path)
    names = checks.names(given, "given", path)
    family = checks.family(given, "family", path)
    role = checks.text(given, "role", path)
    role_text = checks.text(given, "role_text", path)
    if given.get("family") is None and (names or not (role or role_text)):
        # Half a name breaks the profile; no name needs a role instead.
        _half_name(checks, f"{path}.family")
    elif family is not None and not given.get("given"):
        _half_name(checks, f"{path}.given")
    if role is not None:
        role = _read_role(checks, role, role_text)
    return Author(
        id=checks.urn_uuid(given, "id", path),
        given=names,
        family=family,
        role=role,
        role_text=role_text,
        authorization_id=checks.text(given, "authorization_id", path),
    )


def _half_name(checks: Checks, path: str) -> None:
    checks.add(
        "PROFILE-NAME",
        path,
        "medcom-shared-notes 9: family name and given name, or a role",
        "Forfatteren skal have både for- og efternavn. Kendes kun initialer eller en"
        " systembruger, så send dem som role_text uden navn.",
        "The author needs both given and family name. If only initials or a system user are"
        " known, send them as role_text without a name.",
    )


def _read_role(checks: Checks, role: str, role_text: str | None) -> str | None:
    right = normal_role(role)
    if right is None:
        checks.add(
            "PROFILE-ROLE-CODE",
            "$.author.role",
            "medcom-shared-notes 10: a code of medcom-core-PractitionerRoles",
            "Rollen er ingen af standardens koder. Ret koden, eller send rollen som role_text.",
            "The role is none of the standard's codes. Correct it, or send it as role_text.",
        )
    elif role_text is not None:
        checks.add(
            "PROFILE-ROLE-CODE",
            "$.author.role_text",
            "medcom-shared-notes 10: coding or text, not both",
            "Send enten role eller role_text, ikke begge.",
            "Send either role or role_text, not both.",
        )
    return right


def _read_text(checks: Checks, tree: JsonObject) -> CleanText:
    given = checks.record(tree, "text", "$", required=True)
    if given is None:
        return _NO_TEXT
    path = "$.text"
    checks.known_fields(given, TEXT_FIELDS, path)
    content_type = given.get("content_type", "text/html")
    if content_type not in ("text/html", "text/plain"):
        checks.wrong(
            f"{path}.content_type", "text/html eller text/plain", "text/html or text/plain"
        )
        return _NO_TEXT
    is_plain = content_type == "text/plain"
    name = "text" if is_plain and "html" not in given else "html"
    body = given.get(name)
    if "text" in given and name != "text":
        checks.wrong(
            f"{path}.text",
            "teksten én gang: html, eller text med text/plain",
            "the text once: html, or text with text/plain",
        )
    if type(body) is not str:
        if name in given:
            checks.wrong(f"{path}.{name}", "en tekst", "a string")
        elif "text" not in given:
            checks.missing(f"{path}.{name}")
        return _NO_TEXT
    clean = (clean_plain if is_plain else clean_html)(body, f"{path}.{name}")
    checks.issues.extend(clean.issues)
    return clean
