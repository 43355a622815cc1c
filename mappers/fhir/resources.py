"""The six resources of a note's document as plain dicts, each with its narrative.

Source: medcom-shared-notes 5 to 10 (elements), 12 (narratives), 13 (body).
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Final

from mappers.codes import role_code
from mappers.fhir import narrative, profiles
from mappers.fhir.ids import IdTexts
from mappers.fhir.narrative import escape
from mappers.note import Author, JournalNote, Organization

Json = dict[str, Any]

_AUTHORIZATION: Final = re.compile(r"[B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z0-9]{5}")
"""dk-core's authorization-id-format: five consonants (Y among them) and digits."""

_NOTE_CODING: Final = [
    {
        "system": profiles.SNOMED,
        "code": profiles.NOTE_TYPE_CODE,
        "display": profiles.NOTE_TYPE_DISPLAY,
    }
]
_CATEGORY: Final = [
    {
        "coding": [
            {
                "system": profiles.CLASS_CODE_SYSTEM,
                "code": profiles.CLASS_CODE,
                "display": profiles.CLASS_CODE_DISPLAY,
            }
        ]
    }
]


@dataclass(frozen=True, slots=True)
class Role:
    """What is said of an author's role: a coding or a text, never both."""

    coding: Json | None
    text: str | None
    readable: str


@dataclass(frozen=True, slots=True)
class Parties:
    """Who may be named in this document: references, and names as escaped XHTML.

    ``person`` and ``role`` are None where the document has no such entry.
    """

    patient_given: tuple[str, ...]
    patient_family: str
    patient: str
    organization: str
    person: Author | None
    practitioner: str | None
    role: Role | None


@dataclass(frozen=True, slots=True)
class Times:
    """The times of a document in the form they are written."""

    created: str
    updated: str
    ended: str | None


def parties_of(note: JournalNote, ids: IdTexts, *, name_protected: bool) -> Parties:
    """Settle whom the document names, once for all its resources.

    Where the author's name is protected there is no Practitioner, and only a coded
    role, which names nobody, is left. A person without family or given name has no
    Practitioner either: names are not invented.

    Source: medcom-shared-notes 7 (protected names), 9, 10.
    """
    given, family = note.patient.given, note.patient.family
    if name_protected:
        given, family = (profiles.PROTECTED,), profiles.PROTECTED
    elif not given or not family:
        given, family = given or (profiles.PROTECTED,), family or profiles.PROTECTED
    author = note.author
    person = None
    role = None
    if author is not None:
        if not note.author_name_protected and author.family and author.given:
            person = author
        role = _role_of(author, protected=note.author_name_protected, named=person is not None)
    name = f"{' '.join(given)} {family}"
    return Parties(
        patient_given=given,
        patient_family=family,
        patient=f"{escape(name)} ({ids.patient_id})",
        organization=f"{escape(note.organization.name)} ({ids.organization_id})",
        person=person,
        practitioner=None
        if person is None
        else f"{escape(' '.join((*person.given, person.family or '')))} ({ids.practitioner_id})",
        role=role,
    )


def _role_of(author: Author, *, protected: bool, named: bool) -> Role | None:
    known = None if author.role is None else role_code(author.role)
    if known is not None and (named or protected or not (author.family or author.given)):
        return Role(
            coding={"system": known.system, "code": known.code, "display": known.display},
            text=None,
            readable=escape(f"{known.display} ({known.system} {known.code})"),
        )
    if protected:
        return None
    parts = [author.role_text if known is None else known.display]
    if not named:
        # Initials or half a name: no Practitioner may hold them, and no word is lost.
        parts += [*author.given, author.family]
    text = ", ".join(part for part in parts if part)
    return Role(coding=None, text=text, readable=escape(text)) if text else None


def _narrated(kind: str, resource_id: str, div: str, status: str = "generated") -> Json:
    profile = profiles.COMPOSITION_PROFILE if kind == "Composition" else profiles.PROFILE_OF[kind]
    return {
        "resourceType": kind,
        "id": resource_id,
        "meta": {"profile": [profile]},
        "text": {"status": status, "div": div},
    }


def _reference(target: str) -> Json:
    return {"reference": f"urn:uuid:{target}"}


def _identifier(value: str) -> Json:
    return {"system": profiles.URI_SYSTEM, "value": f"urn:uuid:{value}"}


def composition(note: JournalNote, ids: IdTexts, parties: Parties, times: Times) -> Json:
    """Build the Composition."""
    own_id = ids.composition_id
    title = profiles.TITLE_PREFIX + note.patient.cpr
    authors = [_reference(ids.organization_id)]
    named = [parties.organization]
    if parties.practitioner is not None:
        authors.append(_reference(ids.practitioner_id))
        named.append(parties.practitioner)
    period = {"start": times.created}
    if times.ended is not None:
        period["end"] = times.ended
    div = narrative.composition_text(
        own_id=own_id,
        title=title,
        patient=parties.patient,
        date=times.updated,
        authors=named,
        start=times.created,
        end=times.ended,
        observation=ids.observation_id,
    )
    resource = _narrated("Composition", own_id, div)
    resource["language"] = "da"
    resource["identifier"] = _identifier(ids.composition_identifier)
    resource["status"] = "final"
    resource["type"] = {"coding": _NOTE_CODING}
    resource["category"] = _CATEGORY
    resource["subject"] = _reference(ids.patient_id)
    resource["date"] = times.updated
    resource["author"] = authors
    resource["title"] = title
    resource["confidentiality"] = "N"
    resource["event"] = [{"period": period}]
    resource["section"] = [
        {"title": profiles.SECTION_TITLE, "entry": [_reference(ids.observation_id)]}
    ]
    return resource


def observation(note: JournalNote, ids: IdTexts, parties: Parties, times: Times) -> Json:
    """Build the Observation: the note's body in an attachment, and readable."""
    own_id = ids.observation_id
    performers = [_reference(ids.organization_id)]
    named = [parties.organization]
    if parties.practitioner is not None:
        performers.append(_reference(ids.practitioner_id))
        named.append(parties.practitioner)
    if parties.role is not None:
        performers.append(_reference(ids.role_id))
        named.append(f"{parties.role.readable} ({ids.role_id})")
    div = narrative.observation_text(
        own_id=own_id,
        patient=parties.patient,
        effective=times.created,
        performers=named,
        body=note.text.html,
    )
    # "extensions": the narrative shows what stands in an extension.
    resource = _narrated("Observation", own_id, div, "extensions")
    resource["extension"] = [
        {
            "url": profiles.ATTACHMENT_EXTENSION,
            "valueAttachment": {
                "contentType": "text/html",
                "data": b64encode(note.text.html.encode()).decode("ascii"),
            },
        }
    ]
    resource["identifier"] = [_identifier(ids.observation_identifier)]
    resource["status"] = "final"
    resource["code"] = {"coding": _NOTE_CODING}
    resource["subject"] = _reference(ids.patient_id)
    resource["effectiveDateTime"] = times.created
    resource["performer"] = performers
    return resource


def patient(note: JournalNote, ids: IdTexts, parties: Parties) -> Json:
    """Build the Patient: CPR number, name, gender and birth date, nothing else."""
    own_id = ids.patient_id
    person = note.patient
    birth_date = person.birth_date.isoformat()
    div = narrative.patient_text(
        own_id=own_id,
        cpr=person.cpr,
        given=escape(" ".join(parties.patient_given)),
        family=escape(parties.patient_family),
        gender=person.gender,
        birth_date=birth_date,
    )
    resource = _narrated("Patient", own_id, div)
    resource["identifier"] = [{"system": profiles.CPR_SYSTEM, "value": person.cpr}]
    resource["name"] = [
        {"use": "official", "family": parties.patient_family, "given": parties.patient_given}
    ]
    resource["gender"] = person.gender
    resource["birthDate"] = birth_date
    return resource


def organization(clinic: Organization, ids: IdTexts) -> Json:
    """Build the clinic's Organization; the SOR code first."""
    own_id = ids.organization_id
    provider = clinic.provider_number
    div = narrative.organization_text(
        own_id=own_id,
        name=escape(clinic.name),
        sor_code=clinic.sor_code,
        provider_number=None if provider is None else escape(provider),
    )
    resource = _narrated("Organization", own_id, div)
    identifiers = [{"system": profiles.SOR_SYSTEM, "value": clinic.sor_code}]
    if provider is not None:
        identifiers.append({"system": profiles.PROVIDER_SYSTEM, "value": provider})
    resource["identifier"] = identifiers
    resource["name"] = clinic.name
    return resource


def practitioner(person: Author, ids: IdTexts) -> Json:
    """Build the Practitioner; the authorisation only in the form that dk-core takes."""
    own_id = ids.practitioner_id
    authorization = person.authorization_id
    div = narrative.practitioner_text(
        own_id=own_id,
        given=escape(" ".join(person.given)),
        family=escape(person.family or ""),
        authorization_id=None if authorization is None else escape(authorization),
    )
    resource = _narrated("Practitioner", own_id, div)
    resource["identifier"] = [_identifier(ids.practitioner_identifier)]
    resource["name"] = [{"family": person.family, "given": person.given}]
    if authorization is not None and _AUTHORIZATION.fullmatch(authorization):
        resource["qualification"] = [
            {
                "identifier": [{"system": profiles.AUTHORIZATION_SYSTEM, "value": authorization}],
                "code": {"text": profiles.AUTHORIZATION_TEXT},
            }
        ]
    return resource


def practitioner_role(ids: IdTexts, parties: Parties, role: Role) -> Json:
    """Build the PractitionerRole, with a coding or a text."""
    own_id = ids.role_id
    div = narrative.role_text(
        own_id=own_id,
        role=role.readable,
        practitioner=parties.practitioner,
        organization=parties.organization,
    )
    resource = _narrated("PractitionerRole", own_id, div)
    resource["identifier"] = [_identifier(ids.role_identifier)]
    if parties.practitioner is not None:
        resource["practitioner"] = _reference(ids.practitioner_id)
    resource["organization"] = _reference(ids.organization_id)
    resource["code"] = [
        {"coding": [role.coding]} if role.coding is not None else {"text": role.text}
    ]
    return resource
