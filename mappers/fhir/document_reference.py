"""The registry's entry of a note as a FHIR DocumentReference (R4; MHD, MedCom Document 2.0.2).

Every fact that the entry has is taken from the entry, so that the two cannot
differ; the parties are the very resources of the note's document, contained.

Source: xds-metadata-dk 9; ihe-fhir 2.1; MedCom contained-documentreference 2.0.2.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import orjson

from mappers.errors import MappingError
from mappers.fhir import narrative, profiles, resources
from mappers.fhir.bundle import utc_time
from mappers.fhir.ids import DocumentIds, IdTexts, texts_of
from mappers.fhir.narrative import escape
from mappers.note import JournalNote
from nsp_client.identifiers import is_oid
from nsp_client.xds.metadata import AvailabilityStatus, Code, DocumentEntry, instant_of

Json = dict[str, Any]

PROFILE: Final = (
    "http://medcomfhir.dk/ig/document/StructureDefinition/medcom-contained-documentreference"
)
VERSION_EXTENSION: Final = (
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-DocumentReference.version"
)
HOME_EXTENSION: Final = (
    "http://medcomfhir.dk/ig/document/StructureDefinition/medcom-document-homecommunityid-extension"
)
HOME_SYSTEM: Final = (
    "http://medcomfhir.dk/ig/document/CodeSystem/MedCom-ihe-homeCommunityId-CS-TEMP"
)

SYSTEM_OF: Final = MappingProxyType(
    {
        "2.16.840.1.113883.6.96": profiles.SNOMED,
        "2.16.840.1.113883.6.1": "http://loinc.org",
        "2.16.840.1.113883.5.25": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        "1.2.208.184.100.9": "http://medcomfhir.dk/ig/document/CodeSystem/MedCom-ihe-classcode-CS-TEMP",
        "1.2.208.184.100.10": "http://medcomfhir.dk/ig/document/CodeSystem/MedCom-ihe-formatcode-CS-TEMP",
    }
)
"""Coding scheme of XDS and the code system that Document 2.0.2 binds (X9)."""

STATUS_OF: Final = MappingProxyType(
    {AvailabilityStatus.APPROVED: "current", AvailabilityStatus.DEPRECATED: "superseded"}
)


def document_reference(
    entry: DocumentEntry,
    note: JournalNote,
    ids: DocumentIds,
    *,
    url: str,
    name_protected: bool,
    described_at: datetime | None = None,
    replaces_entry_uuid: str | None = None,
) -> Json:
    """Write an entry as a DocumentReference; the same arguments give the same tree.

    Args:
        entry: the entry of this note's document, stable or on demand.
        note: the note, for the parties' resources.
        ids: those of the document.
        url: where the document is served; it may not tell whose it is.
        name_protected: the patient has name or address protection.
        described_at: when the entry was made, aware; ``date``. For an on-demand
            entry it also stands for the creation time, which the profile demands
            and the entry cannot have.
        replaces_entry_uuid: ``urn:uuid:…`` of the entry that this one replaces.

    Returns:
        The resource as a plain tree, for orjson.

    Raises:
        MappingError: the address is empty or names the patient, the entry lacks
            what the profile demands, has a code of an unknown scheme, or is another
            patient's.

    Source: xds-metadata-dk 9; ihe-fhir 2.1.
    """
    texts = texts_of(ids)
    cpr = note.patient.cpr
    if not url or cpr in url:
        raise MappingError("url", "empty, or names the patient")
    if not entry.patient_id.startswith(f"{cpr}^^^"):
        raise MappingError("entry", "not an entry of this note's patient")
    parties = resources.parties_of(note, texts, name_protected=name_protected)
    contained = [
        resources.patient(note, texts, parties),
        resources.organization(note.organization, texts),
    ]
    authors = [{"reference": f"#{texts.organization_id}"}]
    if parties.person is not None:
        contained.append(resources.practitioner(parties.person, texts))
        authors.append({"reference": f"#{texts.practitioner_id}"})
    resource: Json = {
        "resourceType": "DocumentReference",
        "id": _own_id(entry.entry_uuid),
        "meta": {"profile": [PROFILE]},
        "text": {"status": "generated", "div": _div(entry, parties)},
        "contained": contained,
        "extension": _extensions(entry, note),
        "masterIdentifier": {"use": "usual", **_unique_id(entry.unique_id)},
        "identifier": [
            {"use": "official", "system": profiles.URI_SYSTEM, "value": entry.entry_uuid}
        ],
        "status": STATUS_OF[AvailabilityStatus(entry.availability_status)],
        "type": _concept(entry.type_code),
        "category": [_concept(entry.class_code)],
        "subject": {"reference": f"#{texts.patient_id}"},
    }
    if described_at is not None:
        resource["date"] = utc_time(_aware(described_at))
    resource["author"] = authors
    if replaces_entry_uuid is not None:
        resource["relatesTo"] = [{"code": "replaces", "target": _entry_target(replaces_entry_uuid)}]
    resource["securityLabel"] = [_concept(code) for code in entry.confidentiality_codes]
    resource["content"] = [
        {
            "attachment": _attachment(entry, url, described_at),
            "format": _coding(entry.format_code),
        }
    ]
    resource["context"] = _context(entry, texts, cpr)
    return resource


def document_reference_json(resource: Json) -> bytes:
    """Write the tree of :func:`document_reference` as JSON, UTF-8."""
    return orjson.dumps(resource)


def _own_id(entry_uuid: str) -> str:
    return entry_uuid.removeprefix("urn:uuid:")


def _unique_id(value: str) -> Json:
    """Split a uniqueId as MHD does: ``root^extension`` becomes system and value."""
    root, caret, extension = value.partition("^")
    if caret and is_oid(root):
        return {"system": f"urn:oid:{root}", "value": extension}
    if is_oid(value):
        return {"system": profiles.URI_SYSTEM, "value": f"urn:oid:{value}"}
    return {"system": profiles.URI_SYSTEM, "value": value}


def _entry_target(entry_uuid: str) -> Json:
    return {
        "reference": f"DocumentReference/{_own_id(entry_uuid)}",
        "identifier": {"system": profiles.URI_SYSTEM, "value": entry_uuid},
    }


def _extensions(entry: DocumentEntry, note: JournalNote) -> list[Json]:
    found: list[Json] = [{"url": VERSION_EXTENSION, "valueString": str(note.version)}]
    if entry.home_community_id is not None:
        home = entry.home_community_id.removeprefix("urn:oid:")
        found.append({"url": HOME_EXTENSION, "valueCoding": {"system": HOME_SYSTEM, "code": home}})
    return found


def _coding(code: Code) -> Json:
    system = SYSTEM_OF.get(code.scheme)
    if system is None:
        raise MappingError("entry", f"no code system is known for the scheme {code.scheme}")
    return {"system": system, "code": code.code, "display": code.display}


def _concept(code: Code) -> Json:
    return {"coding": [_coding(code)]}


def _aware(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise MappingError("described_at", "the time has no offset")
    return moment


def _instant(value: str) -> str:
    return utc_time(instant_of(value))


def _attachment(entry: DocumentEntry, url: str, described_at: datetime | None) -> Json:
    creation = entry.creation_time
    if creation is not None:
        created = _instant(creation)
    elif described_at is not None:
        created = utc_time(_aware(described_at))
    else:
        raise MappingError("described_at", "an on-demand entry has no creation time of its own")
    if entry.language_code is None or entry.title is None:
        raise MappingError("entry", "without language or title")
    attachment: Json = {
        "contentType": entry.mime_type,
        "language": entry.language_code,
        "url": url,
    }
    if entry.size is not None:
        attachment["size"] = entry.size
    if entry.hash is not None:
        # FHIR wants the bytes of the digest as base64, XDS writes them as digits (X15).
        attachment["hash"] = b64encode(bytes.fromhex(entry.hash)).decode("ascii")
    attachment["title"] = entry.title
    attachment["creation"] = created
    return attachment


def _context(entry: DocumentEntry, texts: IdTexts, cpr: str) -> Json:
    context: Json = {}
    if entry.event_codes:
        context["event"] = [_concept(code) for code in entry.event_codes]
    if entry.service_start_time is not None:
        period = {"start": _instant(entry.service_start_time)}
        if entry.service_stop_time is not None:
            period["end"] = _instant(entry.service_stop_time)
        context["period"] = period
    context["facilityType"] = _concept(entry.healthcare_facility_type_code)
    context["practiceSetting"] = _concept(entry.practice_setting_code)
    context["sourcePatientInfo"] = {
        "reference": f"#{texts.patient_id}",
        "identifier": {"system": profiles.CPR_SYSTEM, "value": cpr},
    }
    if entry.reference_ids:
        context["related"] = [{"identifier": _reference_id(each)} for each in entry.reference_ids]
    return context


def _reference_id(cxi: str) -> Json:
    """Turn ``id^^^&oid&ISO^type`` into an identifier."""
    value, *rest = cxi.split("^")
    authority = rest[2].split("&") if len(rest) > 2 else []
    identifier: Json = {"value": value}
    if len(authority) == 3 and is_oid(authority[1]):
        identifier = {"system": f"urn:oid:{authority[1]}", **identifier}
    return identifier


def _div(entry: DocumentEntry, parties: resources.Parties) -> str:
    authors = f"<br/>Forfatter: {parties.organization}"
    if parties.practitioner is not None:
        authors += f"<br/>Forfatter: {parties.practitioner}"
    start = entry.service_start_time
    begun = "" if start is None else f"<br/>Kontakt start: {_instant(start)}"
    return (
        f"{narrative.OPEN}<p><b>{escape(entry.title or '')}</b></p>"
        f"<p>Patient: {parties.patient}{authors}{begun}"
        f"<br/>Type: {escape(entry.type_code.display)}<br/>Format: {escape(entry.mime_type)}"
        f"<br/>Dokument: {escape(entry.unique_id)}<br/>Id: {_own_id(entry.entry_uuid)}</p>"
        f"{narrative.CLOSE}"
    )
