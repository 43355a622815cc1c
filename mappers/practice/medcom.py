"""Read a note sent as a MedCom document, with what a document cannot say beside it.

Source: medcom-shared-notes 2 to 14 (the document); design.md 3.1 (Note-Context).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from mappers.codes import CONTACT_TYPES
from mappers.fhir import profiles
from mappers.fhir.checks import (
    Checked,
    attachment_of,
    author_id,
    authorization_of,
    check_document,
    cpr_of,
    first,
    objects,
    role_of,
    sor_code_of,
    text_of,
)
from mappers.fhir.entries import Entries
from mappers.fhir.narrative import escape
from mappers.fhir.structure import decoded, full_date, full_time
from mappers.fhir.xml_faults import with_line
from mappers.fhir.xml_reader import XmlReading, read_xml
from mappers.html import CleanText, clean_html
from mappers.issues import Issue, Legible, Places, Reading
from mappers.note import Author, JournalNote, Markings, NoteText, Organization, Patient
from mappers.practice.fields import Checks, JsonObject
from mappers.practice.markings import read_markings
from mappers.practice.strict_json import parse_object

CONTEXT: Final = "Note-Context"
CONTEXT_FIELDS: Final = frozenset(
    {
        "source_note_id",
        "version",
        "contact_type",
        "author_name_protected",
        "encounter_id",
        "icpc2",
        "ai_assisted",
        "last_entry_at",
        "safety_correction",
        "markings",
    }
)
"""What the context may say: the fields of a plain note that a document cannot carry."""

_TAG: Final = re.compile(r"</?[A-Za-z]")
_LINE_BREAK: Final = re.compile(r"\r\n|\r|\n")


def read_bundle(body: bytes, note_context: bytes | None) -> Reading:
    """Read one note from a Bundle as JSON and its context.

    Args:
        body: the bytes received, ``application/fhir+json``.
        note_context: the header ``Note-Context`` as sent, JSON; None if absent.

    Returns:
        The note and warnings, or no note, what could be read and every fault found:
        BODY-MALFORMED, CONTEXT-MISSING, the rules of :data:`mappers.fhir.rules.RULES`, CPR-INVALID,
        P-REJ-IDENTITY, TEXT-EMPTY, HTML-ACTIVE-CONTENT, and for the context
        FIELD-UNKNOWN, FIELD-TYPE and TIME-NO-OFFSET. Paths begin with ``Bundle``
        or ``Note-Context``.

    Source: medcom-shared-notes 20; design.md 3.1, 4.
    """
    tree = parse_object(body)
    if isinstance(tree, Issue):
        return _read(XmlReading(None, issues=(tree,)), note_context)
    return _read(XmlReading(tree), note_context)


def read_xml_bundle(body: bytes, note_context: bytes | None) -> Reading:
    """Read one note from a Bundle as XML and its context, as :func:`read_bundle` does.

    Args:
        body: the bytes received, ``application/fhir+xml``.
        note_context: the header ``Note-Context`` as sent, JSON; None if absent.

    Returns:
        As :func:`read_bundle`, with the line of each issue and warning that has a place
        in the document, and the faults of :func:`mappers.fhir.xml_reader.read_xml`.

    Source: medcom-shared-notes 2 (XML and JSON are equal).
    """
    return _read(read_xml(body), note_context)


def _read(parsed: XmlReading, note_context: bytes | None) -> Reading:
    """Read a note from a parsed document; one in JSON has no lines."""
    context_checks = Checks()
    context = _read_context(context_checks, note_context)
    if parsed.tree is None:
        legible = _legible(Entries((), {}), context)
        return Reading(None, legible, (*parsed.issues, *context_checks.issues))
    checked = check_document(parsed.tree)
    clean = _read_body(checked)
    found = (*parsed.issues, *checked.findings.issues.values(), *clean.issues)
    issues = (*_with_lines(found, parsed), *context_checks.issues)
    warnings = _with_lines((*checked.findings.warnings.values(), *clean.warnings), parsed)
    legible = _legible(checked.entries, context)
    if issues:
        return Reading(None, legible, issues, warnings)
    return Reading(_note(checked.entries, context, clean), legible, (), warnings)


def _with_lines(found: Iterable[Issue], parsed: XmlReading) -> tuple[Issue, ...]:
    """Give each issue its line, and tell none twice."""
    once = {(issue.code, issue.path): issue for issue in found}
    return tuple(with_line(issue, parsed.lines) for issue in once.values())


def _legible(entries: Entries, context: JsonObject) -> Legible:
    """Read what can be read of a document that may have any breach.

    A resource that is there twice says nothing: nobody knows which one is meant.
    """
    composition, composition_path = _sole(entries, "Composition")
    organization, organization_path = _sole(entries, "Organization")
    patient, patient_path = _sole(entries, "Patient")
    return Legible(
        Places(
            source_note_id=f"{CONTEXT}.source_note_id",
            version=f"{CONTEXT}.version",
            cpr=f"{patient_path}.identifier[0].value",
            sor_code=f"{organization_path}.identifier",
            completed_at=f"{composition_path}.date",
        ),
        source_note_id=context.get("source_note_id"),
        version=context.get("version") or None,
        status="final",
        completed_at=full_time(composition.get("date")),
        sor_code=sor_code_of(organization),
        cpr=cpr_of(patient),
    )


def _sole(entries: Entries, kind: str) -> tuple[JsonObject, str]:
    """Give the only resource of a type and its place; an empty one if it is not the only one."""
    found = [entry for entry in entries.entries if entry.kind == kind]
    if len(found) != 1:
        return {}, f"Bundle.entry.resource.ofType({kind})"
    return found[0].resource, f"{found[0].path}.resource"


def _read_context(checks: Checks, header: bytes | None) -> JsonObject:
    """Read the context's fields; all faults go to ``checks``."""
    tree = parse_object(b"{}" if header is None else header)
    if isinstance(tree, Issue):
        checks.issues.append(replace(tree, path=CONTEXT))
        return {}
    checks.known_fields(tree, CONTEXT_FIELDS, CONTEXT)
    values = {
        "source_note_id": checks.text(tree, "source_note_id", CONTEXT, required=True),
        "version": checks.positive(tree, "version", CONTEXT),
        "contact_type": checks.one_of(tree, "contact_type", CONTEXT, CONTACT_TYPES),
        "author_name_protected": checks.boolean(tree, "author_name_protected", CONTEXT),
        "encounter_id": checks.urn_uuid(tree, "encounter_id", CONTEXT),
        "icpc2": checks.texts(tree, "icpc2", CONTEXT),
        "ai_assisted": checks.boolean(tree, "ai_assisted", CONTEXT),
        "last_entry_at": checks.moment(tree, "last_entry_at", CONTEXT),
        "safety_correction": checks.boolean(tree, "safety_correction", CONTEXT),
        "markings": read_markings(checks, tree["markings"], f"{CONTEXT}.markings")
        if "markings" in tree
        else Markings(),
    }
    checks.issues[:] = [_context_missing(issue) for issue in checks.issues]
    return values


def _context_missing(issue: Issue) -> Issue:
    if issue.code != "FIELD-MISSING":
        return issue
    return Issue(
        code="CONTEXT-MISSING",
        path=issue.path,
        rule="design 3.1: Note-Context",
        message_da="Headeren Note-Context mangler feltet. Tilføj det.",
        message_en="The header Note-Context lacks the field. Add it.",
    )


def _read_body(checked: Checked) -> CleanText:
    """Clean the note's text; plain text keeps its line breaks."""
    attachment = attachment_of(checked.entries)
    data = attachment.get("data")
    octets = decoded(data) if isinstance(data, str) else None
    text = None if octets is None else text_of(octets)
    observation = checked.entries.one("Observation")
    if text is None or observation is None:
        return CleanText("")  # told by the checks
    path = f"{observation.path}.resource.extension[0].valueAttachment"
    if _TAG.search(text) is None:
        checked.findings.add("PROFILE-BODY-PLAIN", f"{path}.data")
        text = _LINE_BREAK.sub("<br/>", text)
    title = attachment.get("title")
    clean = clean_html(text, f"{path}.data")
    if isinstance(title, str) and title.strip() and not clean.issues:
        checked.findings.add("PROFILE-ATTACHMENT-TITLE", f"{path}.title")
        titled = clean_html(f"<p><b>{escape(title)}</b></p>{clean.html}", f"{path}.title")
        return replace(titled, warnings=(*clean.warnings, *titled.warnings))
    return clean


def _note(entries: Entries, context: JsonObject, clean: CleanText) -> JournalNote:
    """Build the note from a document without breaches."""
    composition = entries.entries[0].resource
    observation = _resource(entries, "Observation")
    period = first(composition["event"])["period"]
    return JournalNote(
        **context,
        status="final",
        patient=_patient(_resource(entries, "Patient")),
        organization=_organization(_resource(entries, "Organization")),
        author=_author(entries),
        created_at=_moment(observation["effectiveDateTime"]),
        ended_at=_moment(period["end"]) if "end" in period else None,
        completed_at=_moment(composition["date"]),
        text=NoteText("text/html", clean.html),
    )


def _resource(entries: Entries, kind: str) -> JsonObject:
    entry = entries.one(kind)
    return {} if entry is None else entry.resource


def _moment(text: str) -> datetime:
    moment = full_time(text)
    if moment is None:
        raise AssertionError("checked before: a full time")
    return moment


def _patient(resource: JsonObject) -> Patient:
    name = first(resource["name"])
    birth_date = full_date(resource["birthDate"])
    if birth_date is None:
        raise AssertionError("checked before: a full date")
    return Patient(
        cpr=first(resource["identifier"])["value"],
        given=tuple(name["given"]),
        family=name["family"],
        birth_date=birth_date,
        gender=resource["gender"],
    )


def _organization(resource: JsonObject) -> Organization:
    values = {item["system"]: item["value"] for item in resource["identifier"]}
    return Organization(
        sor_code=values[profiles.SOR_SYSTEM],
        provider_number=values.get(profiles.PROVIDER_SYSTEM),
        name=resource["name"],
    )


def _author(entries: Entries) -> Author | None:
    """Tell who wrote the note: a person, with a role if given, or a role alone."""
    person, role = _resource(entries, "Practitioner"), _resource(entries, "PractitionerRole")
    code, text = _role(role)
    if person:
        name = first(person["name"])
        return Author(
            id=_stable_id(first(person["identifier"])),
            given=tuple(name["given"]),
            family=name["family"],
            role=code,
            role_text=text,
            authorization_id=authorization_of(first(person.get("qualification"))),
        )
    if code is None and text is None:
        return None
    return Author(
        id=_stable_id(first(role["identifier"])), given=(), family=None, role=code, role_text=text
    )


def _role(resource: JsonObject) -> tuple[str | None, str | None]:
    """Read a role as code or text; a coding outside MedCom's lists becomes text."""
    codes = objects(resource.get("code"))
    for coding in (coding for code in codes for coding in objects(code.get("coding"))):
        known = role_of(coding)
        return (known, None) if known else (None, str(coding.get("display") or coding["code"]))
    texts = [str(code["text"]) for code in codes if "text" in code]
    return None, texts[0] if texts else None


def _stable_id(identifier: dict[str, Any]) -> str:
    known = author_id(identifier)
    if known is not None:
        return known
    return f"urn:uuid:{uuid5(NAMESPACE_URL, identifier['system'] + '|' + identifier['value'])}"
