"""Which elements a shared note's document may hold: name, type, how often, value.

A row per element and profile; an element without a row is refused, or left out
with a warning when it is in :data:`DROPPED`, so that nothing is lost in silence.

Source: medcom-shared-notes 3 to 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mappers.fhir import profiles


@dataclass(frozen=True, slots=True)
class Element:
    """One row.

    ``kind`` is a key of :data:`STRUCTURE` or a primitive: ``string``, ``code``,
    ``uri``, ``id``, ``full_time``, ``date``, ``base64``, ``any``. ``array`` tells
    whether FHIR writes the element as a JSON array; ``high`` None is no limit.
    """

    name: str
    kind: str
    section: str
    low: int = 1
    high: int | None = 1
    array: bool = False
    fixed: str | None = None


def _resource(section: str, *, meta: str = "Meta", meta_low: int = 0) -> tuple[Element, ...]:
    return (
        Element("resourceType", "code", section),
        Element("id", "id", section),
        Element("meta", meta, section, meta_low),
        Element("text", "Narrative", section),
    )


STRUCTURE: Final = MappingProxyType(
    {
        "Bundle": (
            Element("resourceType", "code", "4", fixed="Bundle"),
            Element("id", "id", "4"),
            Element("meta", "Meta", "4", 0),
            Element("identifier", "Identifier", "4"),
            Element("type", "code", "4", fixed="document"),
            Element("timestamp", "full_time", "4"),
            Element("entry", "Entry", "4", high=None, array=True),
        ),
        "Entry": (Element("fullUrl", "uri", "3"), Element("resource", "any", "3")),
        "Meta": (Element("profile", "uri", "1", 0, None, array=True),),
        "CompositionMeta": (Element("profile", "uri", "5", array=True),),
        "Narrative": (Element("status", "code", "3"), Element("div", "xhtml", "3")),
        "Identifier": (
            Element("use", "code", "3", 0),
            Element("system", "uri", "3"),
            Element("value", "string", "3"),
        ),
        "Reference": (
            Element("reference", "string", "2"),
            Element("type", "uri", "2", 0),
            Element("display", "string", "2", 0),
        ),
        "Composition": (
            *_resource("5", meta="CompositionMeta", meta_low=1),
            Element("language", "code", "5", fixed="da"),
            Element("identifier", "Identifier", "5"),
            Element("status", "code", "5", fixed="final"),
            Element("type", "TypeConcept", "5"),
            Element("category", "CategoryConcept", "5", array=True),
            Element("subject", "Reference", "5"),
            Element("date", "full_time", "5, 14"),
            Element("author", "Reference", "5", 1, 2, array=True),
            Element("title", "string", "5"),
            Element("confidentiality", "code", "5", fixed="N"),
            Element("event", "Event", "5", array=True),
            Element("section", "Section", "5", array=True),
        ),
        "TypeConcept": (
            Element("coding", "TypeCoding", "5", array=True),
            Element("text", "string", "5", 0),
        ),
        "TypeCoding": (
            Element("system", "uri", "5", fixed=profiles.SNOMED),
            Element("version", "string", "5", 0),
            Element("code", "code", "5", fixed=profiles.NOTE_TYPE_CODE),
            Element("display", "string", "5", fixed=profiles.NOTE_TYPE_DISPLAY),
        ),
        "CategoryConcept": (Element("coding", "CategoryCoding", "5", array=True),),
        "CategoryCoding": (
            Element("system", "uri", "5", fixed=profiles.CLASS_CODE_SYSTEM),
            Element("version", "string", "5", 0),
            Element("code", "code", "5", fixed=profiles.CLASS_CODE),
            Element("display", "string", "5", fixed=profiles.CLASS_CODE_DISPLAY),
        ),
        "Event": (Element("period", "Period", "5"),),
        "Period": (
            Element("start", "full_time", "5, 14"),
            Element("end", "full_time", "5, 14", 0),
        ),
        "Section": (
            Element("title", "string", "5", 0),
            Element("text", "Narrative", "5", 0),
            Element("entry", "Reference", "5", array=True),
        ),
        "Observation": (
            *_resource("6"),
            Element("extension", "AttachmentExtension", "6", array=True),
            Element("identifier", "Identifier", "6", array=True),
            Element("status", "code", "6", fixed="final"),
            Element("code", "NoteConcept", "6"),
            Element("subject", "Reference", "6"),
            Element("effectiveDateTime", "full_time", "6, 14"),
            Element("performer", "Reference", "6", 1, 3, array=True),
        ),
        "AttachmentExtension": (
            Element("url", "uri", "6", fixed=profiles.ATTACHMENT_EXTENSION),
            Element("valueAttachment", "Attachment", "6"),
        ),
        "Attachment": (
            Element("contentType", "code", "6", fixed="text/html"),
            Element("data", "base64", "6, 13"),
            Element("title", "string", "A10", 0),
        ),
        "NoteConcept": (
            Element("coding", "Coding", "6", 1, 6, array=True),
            Element("text", "string", "6", 0),
        ),
        "Coding": (
            Element("system", "uri", "6, 10"),
            Element("version", "string", "6, 10", 0),
            Element("code", "code", "6, 10"),
            Element("display", "string", "6, 10", 0),
        ),
        "Patient": (
            *_resource("7"),
            Element("identifier", "CprIdentifier", "7", array=True),
            Element("name", "PatientName", "7", array=True),
            Element("gender", "code", "7"),
            Element("birthDate", "date", "7"),
        ),
        "CprIdentifier": (
            Element("use", "code", "7", 0, fixed="official"),
            Element("system", "uri", "7"),
            Element("value", "string", "7"),
        ),
        "PatientName": (
            Element("use", "code", "7", fixed="official"),
            Element("family", "string", "7"),
            Element("given", "string", "7", high=None, array=True),
        ),
        "Organization": (
            *_resource("8"),
            Element("identifier", "Identifier", "8", high=None, array=True),
            Element("name", "string", "8"),
        ),
        "Practitioner": (
            *_resource("9"),
            Element("identifier", "Identifier", "9", array=True),
            Element("name", "PersonName", "9", high=None, array=True),
            Element("qualification", "Qualification", "9", 0, None, array=True),
        ),
        "PersonName": (
            Element("use", "code", "9", 0),
            Element("family", "string", "9"),
            Element("given", "string", "9", high=None, array=True),
        ),
        "Qualification": (
            Element("identifier", "Identifier", "9", 0, None, array=True),
            Element("code", "Concept", "9"),
        ),
        "Concept": (
            Element("coding", "Coding", "9", 0, None, array=True),
            Element("text", "string", "9", 0),
        ),
        "PractitionerRole": (
            *_resource("10"),
            Element("identifier", "Identifier", "10", array=True),
            Element("practitioner", "Reference", "10", 0),
            Element("organization", "Reference", "10"),
            Element("code", "RoleConcept", "10", 0, None, array=True),
        ),
        "RoleConcept": (
            Element("coding", "Coding", "10", 0, None, array=True),
            Element("text", "string", "10", 0),
        ),
    }
)
"""Rows by type; a type is a resource, a data type or a part of a resource."""

RESOURCE_TYPES: Final = (
    "Composition",
    "Observation",
    "Patient",
    "Organization",
    "Practitioner",
    "PractitionerRole",
)

DROPPED: Final = MappingProxyType(
    {
        "Bundle": frozenset({"signature", "language"}),
        "Meta": frozenset({"versionId", "lastUpdated", "source", "tag"}),
        "CompositionMeta": frozenset({"versionId", "lastUpdated", "source", "tag"}),
        "Identifier": frozenset({"type", "period", "assigner"}),
        "CprIdentifier": frozenset({"type", "period", "assigner"}),
        "Reference": frozenset({"identifier"}),
        "Composition": frozenset({"attester", "custodian", "relatesTo"}),
        "Event": frozenset({"code", "detail"}),
        "Section": frozenset({"code"}),
        "Observation": frozenset({"category", "issued", "language"}),
        "Attachment": frozenset({"language", "url", "size", "hash", "creation"}),
        "Patient": frozenset(
            {
                "language",
                "active",
                "telecom",
                "deceasedBoolean",
                "deceasedDateTime",
                "address",
                "maritalStatus",
                "contact",
                "communication",
                "generalPractitioner",
                "managingOrganization",
            }
        ),
        "PatientName": frozenset({"text", "prefix", "suffix", "period"}),
        "Organization": frozenset(
            {"language", "active", "type", "alias", "telecom", "address", "partOf", "contact"}
        ),
        "Practitioner": frozenset(
            {"language", "active", "telecom", "address", "gender", "birthDate", "communication"}
        ),
        "PersonName": frozenset({"text", "prefix", "suffix", "period"}),
        "Qualification": frozenset({"period", "issuer"}),
        "PractitionerRole": frozenset(
            {"language", "active", "period", "specialty", "location", "telecom"}
        ),
    }
)
"""Elements that the profiles allow and the note does not carry: left out, with a warning."""
