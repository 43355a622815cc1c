"""A note as a CDA R2 document: the Danish header family, and one section with the note.

Written straight as text, everything escaped; element order is that of the schema.
Whom the document names, and what of a protected name, is settled by the same
function as for the FHIR document.

Source: cda-dk 2 (header), 3 (body).
"""

from __future__ import annotations

from datetime import date, datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid5

from mappers.cda.narrative import section_text
from mappers.cda.xml import attribute, text
from mappers.errors import MappingError
from mappers.fhir import profiles
from mappers.fhir.bundle import COPENHAGEN, danish_time, utc_time
from mappers.fhir.ids import DocumentIds, texts_of
from mappers.fhir.resources import Parties, parties_of
from mappers.note import JournalNote, Organization

NAMESPACE: Final = "urn:hl7-org:v3"
MEDIA_TYPE: Final = "text/xml"
MEDCOM_ROOT: Final = "1.2.208.184"
CPR_ROOT: Final = "1.2.208.176.1.2"
SOR_ROOT: Final = "1.2.208.176.1.1"
SNOMED: Final = "2.16.840.1.113883.6.96"
CONFIDENTIALITY: Final = "2.16.840.1.113883.5.25"
GENDER: Final = "2.16.840.1.113883.5.1"
EVENT_PERIOD_TEMPLATE: Final = "1.2.208.184.10.1.11"
SECTION_TEMPLATE: Final = "2.16.840.1.113883.10.12.201"

_GENDERS: Final = MappingProxyType(
    {
        "male": f'code="M" codeSystem="{GENDER}"',
        "female": f'code="F" codeSystem="{GENDER}"',
        "other": f'code="UN" codeSystem="{GENDER}"',
        "unknown": 'nullFlavor="UNK"',
    }
)
_PUNCTUATION: Final = str.maketrans("", "", "-:T")
_TO_SECONDS: Final = 19
"""Characters of an ISO time up to its offset."""

_OPENING: Final = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="{NAMESPACE}">'
    '<realmCode code="DK"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
)
_CODE: Final = (
    f'<code code="{profiles.NOTE_TYPE_CODE}" codeSystem="{SNOMED}" codeSystemName="SNOMED CT"'
    f' displayName="{profiles.NOTE_TYPE_DISPLAY}"/>'
)


def cda_id(composition_identifier: UUID) -> UUID:
    """Give the id of the rendering of a document; another id, since it is another document.

    Args:
        composition_identifier: Composition.identifier of the FHIR document.

    Source: cda-dk 2, ``id``.
    """
    return uuid5(composition_identifier, "cda")


def cda_unique_id(composition_identifier: UUID) -> str:
    """Give the XDS uniqueId of the rendering, ``root^extension``. Source: cda-dk 4."""
    return f"{MEDCOM_ROOT}^{cda_id(composition_identifier)}"


def assemble_cda(
    note: JournalNote,
    ids: DocumentIds,
    *,
    assembled_at: datetime,
    name_protected: bool,
    replaces: UUID | None = None,
) -> bytes:
    """Write a note as CDA; the same arguments give the same bytes.

    Args:
        note: the note; its body is already clean.
        ids: those of the FHIR document that this renders.
        assembled_at: Bundle.timestamp of that document, aware.
        name_protected: the patient has name or address protection in the CPR
            register; no part of the name is then written anywhere but in the
            clinician's own text.
        replaces: Composition.identifier of the version before, if that was
            rendered too.

    Returns:
        The document, UTF-8, with an XML declaration and without line breaks of
        its own.

    Raises:
        MappingError: ``assembled_at`` has no offset, or ``replaces`` is the document
            itself.
        TextWouldBeLost: a text that XML cannot carry, or a body that is not clean.

    Source: cda-dk 2, 3.
    """
    if assembled_at.utcoffset() is None:
        raise MappingError("assembled_at", "the time has no offset")
    if replaces == ids.composition_identifier:
        raise MappingError("replaces", "a document cannot replace itself")
    parties = parties_of(note, texts_of(ids), name_protected=name_protected)
    return "".join(
        (
            _OPENING,
            _id("id", MEDCOM_ROOT, str(cda_id(ids.composition_identifier)), "MedCom"),
            _CODE,
            f"<title>{text(profiles.TITLE_PREFIX + note.patient.cpr, '$.patient.cpr')}</title>",
            f'<effectiveTime value="{_ts(utc_time(assembled_at))}"/>',
            f'<confidentialityCode code="N" codeSystem="{CONFIDENTIALITY}"/>',
            '<languageCode code="da-DK"/>',
            _id("setId", MEDCOM_ROOT, str(ids.observation_identifier), "MedCom"),
            f'<versionNumber value="{note.version}"/>',
            _record_target(note, parties),
            _author(note, parties),
            _custodian(note.organization),
            _event(note),
            _related(ids, replaces),
            _body(note, parties),
            "</ClinicalDocument>",
        )
    ).encode()


def _id(element: str, root: str, extension: str, authority: str | None = None) -> str:
    named = "" if authority is None else f' assigningAuthorityName="{authority}"'
    return f'<{element} root="{root}" extension="{extension}"{named}/>'


def _ts(iso: str) -> str:
    """Turn an ISO time to the second into an HL7 TS; ``Z`` becomes ``+0000``."""
    offset = iso[_TO_SECONDS:]
    return iso[:_TO_SECONDS].translate(_PUNCTUATION) + (
        "+0000" if offset == "Z" else offset.replace(":", "")
    )


def _day(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def _name(given: tuple[str, ...], family: str, path: str) -> str:
    written = "".join(f"<given>{text(part, path)}</given>" for part in given)
    return f"<name>{written}<family>{text(family, path)}</family></name>"


def _record_target(note: JournalNote, parties: Parties) -> str:
    patient = note.patient
    cpr = attribute(patient.cpr, "$.patient.cpr")
    name = _name(parties.patient_given, parties.patient_family, "$.patient")
    return (
        f"<recordTarget><patientRole>{_id('id', CPR_ROOT, cpr, 'CPR')}"
        f'<patient classCode="PSN" determinerCode="INSTANCE">{name}'
        f"<administrativeGenderCode {_GENDERS[patient.gender]}/>"
        f'<birthTime value="{_day(patient.birth_date)}"/></patient></patientRole></recordTarget>'
    )


def _author(note: JournalNote, parties: Parties) -> str:
    clinic, writer = note.organization, parties.person
    person = ""
    if writer is not None:
        name = _name(writer.given, writer.family or "", "$.author")
        person = (
            f'<assignedPerson classCode="PSN" determinerCode="INSTANCE">{name}</assignedPerson>'
        )
    return (
        f'<author><time value="{_ts(danish_time(note.completed_at))}"/><assignedAuthor>'
        f"{_sor(clinic)}{person}<representedOrganization>"
        f"<name>{text(clinic.name, '$.organization.name')}</name>"
        "</representedOrganization></assignedAuthor></author>"
    )


def _custodian(clinic: Organization) -> str:
    return (
        "<custodian><assignedCustodian><representedCustodianOrganization>"
        f"{_sor(clinic)}<name>{text(clinic.name, '$.organization.name')}</name>"
        "</representedCustodianOrganization></assignedCustodian></custodian>"
    )


def _sor(clinic: Organization) -> str:
    return _id("id", SOR_ROOT, attribute(clinic.sor_code, "$.organization.sor"), "SOR")


def _event(note: JournalNote) -> str:
    end = ""
    if note.ended_at is not None:
        end = f'<high value="{_ts(danish_time(note.ended_at))}"/>'
    return (
        f'<documentationOf><serviceEvent><templateId root="{EVENT_PERIOD_TEMPLATE}"/>'
        f'<effectiveTime><low value="{_ts(danish_time(note.created_at))}"/>{end}'
        "</effectiveTime></serviceEvent></documentationOf>"
    )


def _related(ids: DocumentIds, replaces: UUID | None) -> str:
    source = _id("id", MEDCOM_ROOT, str(ids.composition_identifier))
    written = (
        f'<relatedDocument typeCode="XFRM"><parentDocument>{source}</parentDocument>'
        "</relatedDocument>"
    )
    if replaces is None:
        return written
    before = _id("id", MEDCOM_ROOT, str(cda_id(replaces)))
    same_set = _id("setId", MEDCOM_ROOT, str(ids.observation_identifier))
    return (
        f'<relatedDocument typeCode="RPLC"><parentDocument>{before}{same_set}</parentDocument>'
        f"</relatedDocument>{written}"
    )


def _body(note: JournalNote, parties: Parties) -> str:
    return (
        f'<component><structuredBody><component><section><templateId root="{SECTION_TEMPLATE}"/>'
        f"<title>{profiles.SECTION_TITLE}</title>"
        f"<text>{section_text(note.text.html)}"
        f"<paragraph>{_provenance(note, parties)}</paragraph></text>"
        "</section></component></structuredBody></component>"
    )


def _provenance(note: JournalNote, parties: Parties) -> str:
    """Tell who wrote the note, when it began and when it was last changed.

    The header has no place for the creation time but the service event.
    """
    writers = []
    if parties.person is not None:
        writers.append(" ".join((*parties.person.given, parties.person.family or "")))
    if parties.role is not None:
        coding = parties.role.coding
        writers.append(str(coding["display"]) if coding is not None else parties.role.text or "")
    writers.append(note.organization.name)
    return (
        f"Skrevet af {text(', '.join(writers), '$.author')}."
        f" Oprettet {_readable(note.created_at)}. Senest ændret {_readable(note.completed_at)}."
    )


def _readable(moment: datetime) -> str:
    local = moment.astimezone(COPENHAGEN)
    day = f"{local.day:02d}.{local.month:02d}.{local.year:04d}"
    return f"{day} kl. {local.hour:02d}.{local.minute:02d}"
