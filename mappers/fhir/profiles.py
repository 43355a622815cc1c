"""Canonicals, systems and fixed codes of MedCom Shared Notes 1.0.0.

Versions: Notes 1.0.0 (release of 2026-05-13), Document 2.0.2 (2026-04-29), Core
4.0.0, dk-core 3.5.0, FHIR R4.

Source: medcom-shared-notes 1 (canonicals), 5 to 10 (systems and fixed codes).
"""

from __future__ import annotations

from typing import Final

_NOTES: Final = "http://medcomfhir.dk/ig/notes/StructureDefinition/"
_DOCUMENT: Final = "http://medcomfhir.dk/ig/document/StructureDefinition/"

NOTES_BUNDLE: Final = _NOTES + "medcom-notes-bundle"
NOTES_COMPOSITION: Final = _NOTES + "medcom-notes-composition"
NOTES_OBSERVATION: Final = _NOTES + "medcom-notes-observation"
DOCUMENT_PATIENT: Final = _DOCUMENT + "medcom-document-patient"
DOCUMENT_ORGANIZATION: Final = _DOCUMENT + "medcom-document-organization"
DOCUMENT_PRACTITIONER: Final = _DOCUMENT + "medcom-document-practitioner"
DOCUMENT_PRACTITIONER_ROLE: Final = _DOCUMENT + "medcom-document-practitionerrole"
ATTACHMENT_EXTENSION: Final = (
    "http://medcomfhir.dk/ig/core/StructureDefinition/medcom-observation-value-attachment-extension"
)

COMPOSITION_PROFILE: Final = NOTES_COMPOSITION + "|1.0.0"
"""The one profile of a Composition; its version is mandatory."""

PROFILE_OF: Final = {
    "Bundle": NOTES_BUNDLE,
    "Composition": NOTES_COMPOSITION,
    "Observation": NOTES_OBSERVATION,
    "Patient": DOCUMENT_PATIENT,
    "Organization": DOCUMENT_ORGANIZATION,
    "Practitioner": DOCUMENT_PRACTITIONER,
    "PractitionerRole": DOCUMENT_PRACTITIONER_ROLE,
}
"""Bare canonical of each resource type of a note."""

URI_SYSTEM: Final = "urn:ietf:rfc:3986"
CPR_SYSTEM: Final = "urn:oid:1.2.208.176.1.2"
SOR_SYSTEM: Final = "urn:oid:1.2.208.176.1.1"
PROVIDER_SYSTEM: Final = "urn:oid:1.2.208.176.1.4"
AUTHORIZATION_SYSTEM: Final = "https://autregweb.sst.dk"
AUTHORIZATION_TEXT: Final = "Autorisation"
"""What we call a qualification: FHIR demands a code and no list gives one."""
REPLACEMENT_CPR_SYSTEMS: Final = ("urn:oid:1.2.208.176.1.6.1.1", "urn:oid:1.2.208.176.1.6.1.3")
"""What the systems of replacement numbers begin with: national and regional ones."""

SNOMED: Final = "http://snomed.info/sct"
NOTE_TYPE_CODE: Final = "866144008"
NOTE_TYPE_DISPLAY: Final = "Encounter note"
CLASS_CODE_SYSTEM: Final = "http://medcomfhir.dk/ig/xdsmetadata/CodeSystem/MedCom-ihe-classcode-CS"
CLASS_CODE: Final = "001"
CLASS_CODE_DISPLAY: Final = "Klinisk rapport"

EXTRA_CODE_SYSTEMS: Final = frozenset(
    {
        "http://loinc.org",
        "http://npu-terminology.org",
        "urn:iso:std:iso:11073:10101",
        "http://medcomfhir.dk/ig/terminology/CodeSystem/medcom-observation-codes",
        "urn:oid:1.2.208.176.2.4",
    }
)
"""Systems an Observation.code may carry beside SNOMED CT, one coding each."""

XHTML: Final = "http://www.w3.org/1999/xhtml"
PROTECTED: Final = "ADRESSEBESKYTTET"
"""Stands for each part of the name of a person with name or address protection."""

TITLE_PREFIX: Final = "Journalnotat for "
SECTION_TITLE: Final = "Journalnotat"
