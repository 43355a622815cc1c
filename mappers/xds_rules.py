"""The rules that metadata of a shared note is held to, as one table.

The row's id is the public code of a fault; ids stay when wording changes.

Source: xds-metadata-dk, by section or negative case (M1 to M23) in each row;
ihe-fhir 8.1 for signature documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class MetadataRule:
    """One rule: stable id, remedy in Danish and English, source."""

    id: str
    message_da: str
    message_en: str
    source: str


_ROWS: Final = (
    MetadataRule(
        "XDS-XML",
        "Metadata kan ikke læses som XML. Send velformet XML uden DTD og entiteter.",
        "The metadata cannot be read as XML. Send well-formed XML without DTD and entities.",
        "xds-metadata-dk 3.1",
    ),
    MetadataRule(
        "XDS-NOTHING",
        "Der er ingen DocumentEntry, SubmissionSet eller Association i XML'en.",
        "The XML holds no DocumentEntry, SubmissionSet or Association.",
        "xds-metadata-dk 3.1",
    ),
    MetadataRule(
        "XDS-MISSING",
        "Attributten mangler. Udfyld den.",
        "The attribute is missing. Fill it in.",
        "xds-metadata-dk 3, 8",
    ),
    MetadataRule(
        "XDS-TWICE",
        "Attributten må kun stå én gang.",
        "The attribute may occur only once.",
        "xds-metadata-dk 3, 8",
    ),
    MetadataRule(
        "XDS-UNUSED",
        "Attributten bruges ikke i Danmark. Fjern den.",
        "The attribute is not used in Denmark. Remove it.",
        "xds-metadata-dk 3",
    ),
    MetadataRule(
        "XDS-UUID",
        "Skal være urn:uuid: og en UUID version 4 eller 5 med små bogstaver.",
        "Must be urn:uuid: and a UUID of version 4 or 5 in lower case.",
        "xds-metadata-dk 2",
    ),
    MetadataRule(
        "XDS-UNIQUE-ID",
        "uniqueId skal være 1-128 synlige ASCII-tegn uden blanke.",
        "uniqueId must be 1-128 visible ASCII characters without blanks.",
        "xds-metadata-dk 6",
    ),
    MetadataRule(
        "XDS-UNIQUE-ID-REUSED",
        "uniqueId er allerede brugt til et andet dokument. Hver version skal have sit eget.",
        "uniqueId is already used for another document. Each version needs its own.",
        "xds-metadata-dk 6, M17",
    ),
    MetadataRule(
        "XDS-OBJECT-TYPE",
        "objectType skal være den for stabile eller on-demand dokumenter.",
        "objectType must be that of stable or on-demand documents.",
        "xds-metadata-dk 3",
    ),
    MetadataRule(
        "XDS-STATUS",
        "Status skal være Approved, når noget registreres.",
        "The status must be Approved when something is registered.",
        "xds-metadata-dk 3",
    ),
    MetadataRule(
        "XDS-DTM",
        "Tidspunktet skal være UTC som 14 cifre, ÅÅÅÅMMDDttmmss, uden zone og brøkdele.",
        "The time must be UTC as 14 digits, YYYYMMDDhhmmss, without zone and fractions.",
        "xds-metadata-dk 2, M1",
    ),
    MetadataRule(
        "XDS-DTM-LOCAL",
        "Lokal tid er skrevet, som om den var UTC. Omregn fra notatets tidszone.",
        "Local time is written as if it were UTC. Convert from the note's offset.",
        "xds-metadata-dk 2, M2",
    ),
    MetadataRule(
        "XDS-TIME-OTHER",
        "Tidspunktet er ikke dokumentets.",
        "The time is not that of the document.",
        "xds-metadata-dk 3",
    ),
    MetadataRule(
        "XDS-STOP-BEFORE-START",
        "serviceStopTime ligger før serviceStartTime.",
        "serviceStopTime is before serviceStartTime.",
        "xds-metadata-dk 3, M19",
    ),
    MetadataRule(
        "XDS-PATIENT-DASH",
        "CPR-nummeret skal stå som ti cifre uden bindestreg.",
        "The CPR number must be ten digits without a dash.",
        "xds-metadata-dk 2, M3",
    ),
    MetadataRule(
        "XDS-PATIENT-AUTHORITY",
        "CX.4 skal være &1.2.208.176.1.2&ISO, og CX.2 og CX.3 tomme.",
        "CX.4 must be &1.2.208.176.1.2&ISO, and CX.2 and CX.3 empty.",
        "xds-metadata-dk 2, M4",
    ),
    MetadataRule(
        "XDS-PATIENT-CPR",
        "Er ikke et gyldigt CPR-nummer.",
        "Is not a valid CPR number.",
        "xds-metadata-dk 2",
    ),
    MetadataRule(
        "XDS-PATIENT-DIFFERS",
        "patientId, sourcePatientId og indsendelsens patientId skal være ens.",
        "patientId, sourcePatientId and the submission's patientId must be equal.",
        "xds-metadata-dk 3, 8, M5",
    ),
    MetadataRule(
        "XDS-PATIENT-OTHER",
        "Patienten er ikke dokumentets patient.",
        "The patient is not the document's patient.",
        "xds-metadata-dk 3",
    ),
    MetadataRule(
        "XDS-PATIENT-INFO",
        "sourcePatientInfo skal have PID-5, PID-7 (8 cifre) og PID-8 (M, F, O eller U),"
        " hver på højst 256 tegn.",
        "sourcePatientInfo must have PID-5, PID-7 (8 digits) and PID-8 (M, F, O or U),"
        " each of at most 256 characters.",
        "xds-metadata-dk 4",
    ),
    MetadataRule(
        "XDS-PATIENT-INFO-FIELD",
        "sourcePatientInfo må kun have PID-3, PID-5, PID-7 og PID-8, aldrig en adresse.",
        "sourcePatientInfo may have only PID-3, PID-5, PID-7 and PID-8, never an address.",
        "xds-metadata-dk 4, M20",
    ),
    MetadataRule(
        "XDS-XON-SOR",
        "XON.10 skal være klinikkens SOR-kode, ikke ydernummeret.",
        "XON.10 must be the clinic's SOR code, not its provider number.",
        "xds-metadata-dk 2, 3, M6",
    ),
    MetadataRule(
        "XDS-XON-FORM",
        "authorInstitution skal være <navn>^^^^^&1.2.208.176.1.1&ISO^^^^<SOR-kode>:"
        " fem og fire indskudstegn.",
        "authorInstitution must be <name>^^^^^&1.2.208.176.1.1&ISO^^^^<SOR code>:"
        " five and four carets.",
        "xds-metadata-dk 2, M7",
    ),
    MetadataRule(
        "XDS-XCN-FORM",
        "Personen skal stå som ^<efternavn>^<fornavn>^<flere fornavne> og intet andet.",
        "The person must be ^<family>^<given>^<further given> and nothing else.",
        "xds-metadata-dk 2, X1",
    ),
    MetadataRule(
        "XDS-CODE",
        "En kode skal have kode, kodesystem som bart OID og visningstekst.",
        "A code must have a code, a coding scheme as a bare OID and a display text.",
        "xds-metadata-dk 2",
    ),
    MetadataRule(
        "XDS-CODE-SWAPPED",
        "Koden hører hjemme i nodeRepresentation og OID'et i codingScheme; de er byttet om.",
        "The code belongs in nodeRepresentation and the OID in codingScheme; they are mixed up.",
        "xds-metadata-dk 5, M9",
    ),
    MetadataRule(
        "XDS-FORMAT-CODE",
        "formatCode skal være urn:ad:dk:medcom:ecn-v1.0:full fra 1.2.208.184.100.10.",
        "formatCode must be urn:ad:dk:medcom:ecn-v1.0:full of 1.2.208.184.100.10.",
        "xds-metadata-dk 5, M8",
    ),
    MetadataRule(
        "XDS-TYPE-CODE",
        "typeCode skal være 866144008 fra SNOMED CT.",
        "typeCode must be 866144008 of SNOMED CT.",
        "xds-metadata-dk 3",
    ),
    MetadataRule(
        "XDS-CLASS-CODE",
        "classCode skal være 001 fra 1.2.208.184.100.9.",
        "classCode must be 001 of 1.2.208.184.100.9.",
        "xds-metadata-dk 3",
    ),
    MetadataRule(
        "XDS-CONFIDENTIALITY-CODE",
        "confidentialityCode skal være N fra 2.16.840.1.113883.5.25 og stå præcis én gang.",
        "confidentialityCode must be N of 2.16.840.1.113883.5.25 and occur exactly once.",
        "xds-metadata-dk 3, M13",
    ),
    MetadataRule(
        "XDS-SNOMED",
        "Koden skal være fra SNOMED CT, 2.16.840.1.113883.6.96.",
        "The code must be of SNOMED CT, 2.16.840.1.113883.6.96.",
        "xds-metadata-dk 3, M21",
    ),
    MetadataRule(
        "XDS-MIME-TYPE",
        "mimeType skal være application/fhir+xml eller application/fhir+json.",
        "mimeType must be application/fhir+xml or application/fhir+json.",
        "xds-metadata-dk 3, M10",
    ),
    MetadataRule(
        "XDS-LANGUAGE",
        "languageCode skal være da-DK.",
        "languageCode must be da-DK.",
        "xds-metadata-dk 3, X2",
    ),
    MetadataRule(
        "XDS-ON-DEMAND",
        "Et on-demand dokument må ikke have hash, size, creationTime eller legalAuthenticator.",
        "An on-demand entry may not have hash, size, creationTime or legalAuthenticator.",
        "xds-metadata-dk 3, M11",
    ),
    MetadataRule(
        "XDS-HASH",
        "hash skal være SHA-1 som 40 hexadecimale cifre, ikke base64.",
        "hash must be SHA-1 as 40 hexadecimal digits, not base64.",
        "xds-metadata-dk 3, M12",
    ),
    MetadataRule(
        "XDS-SIZE",
        "size skal være antallet af bytes, større end nul.",
        "size must be the number of bytes, above zero.",
        "xds-metadata-dk 3",
    ),
    MetadataRule(
        "XDS-BYTES-OTHER",
        "hash eller size passer ikke til dokumentets bytes.",
        "hash or size is not that of the document's bytes.",
        "xds-metadata-dk 3",
    ),
    MetadataRule(
        "XDS-TITLE-LENGTH",
        "title skal være under 128 tegn.",
        "title must be shorter than 128 characters.",
        "xds-metadata-dk 3, M14",
    ),
    MetadataRule(
        "XDS-TITLE",
        "title skal være Journalnotat for og patientens eget CPR-nummer.",
        "title must be Journalnotat for and the patient's own CPR number.",
        "xds-metadata-dk 3, M14",
    ),
    MetadataRule(
        "XDS-SET-TITLE",
        "Indsendelsens title må ikke indeholde et CPR-nummer.",
        "The submission's title may not hold a CPR number.",
        "xds-metadata-dk 8",
    ),
    MetadataRule(
        "XDS-OID",
        "Skal være et bart OID på højst 64 tegn, uden urn:oid:.",
        "Must be a bare OID of at most 64 characters, without urn:oid:.",
        "xds-metadata-dk 3, 8, M15",
    ),
    MetadataRule(
        "XDS-HOME",
        "home skal være urn:oid: og et OID.",
        "home must be urn:oid: and an OID.",
        "xds-metadata-dk 2, M16",
    ),
    MetadataRule(
        "XDS-SET-COUNT",
        "En indsendelse skal have præcis ét SubmissionSet.",
        "A submission must have exactly one SubmissionSet.",
        "xds-metadata-dk 8",
    ),
    MetadataRule(
        "XDS-MEMBER",
        "Dokumentet skal høre til indsendelsen med en HasMember (SubmissionSetStatus Original).",
        "The document must belong to the submission by a HasMember (SubmissionSetStatus Original).",
        "xds-metadata-dk 7",
    ),
    MetadataRule(
        "XDS-ASSOCIATION",
        "Associationens ende passer ikke: ny post er kilden, målet en anden posts entryUUID.",
        "The association's ends are wrong: the new entry is the source, another's entryUUID the"
        " target.",
        "xds-metadata-dk 7",
    ),
    MetadataRule(
        "XDS-REPLACE-UNKNOWN",
        "Den post, der erstattes, er ikke registreret.",
        "The entry to be replaced is not registered.",
        "xds-metadata-dk 7",
    ),
    MetadataRule(
        "XDS-REPLACE-DEPRECATED",
        "Den post, der erstattes, er allerede Deprecated. Registrér notatet som nyt.",
        "The entry to be replaced is Deprecated already. Register the note as a new one.",
        "xds-metadata-dk 7, M18",
    ),
    MetadataRule(
        "XDS-REPLACE-PATIENT",
        "Den post, der erstattes, er en anden patients. Tilbagekald den, og registrér som ny.",
        "The entry to be replaced is another patient's. Withdraw it and register a new one.",
        "xds-metadata-dk 7; medcom-shared-notes 16.1",
    ),
    MetadataRule(
        "XDS-QUERY-ON-DEMAND",
        "Søgningen finder ikke notater: tilføj on-demand typen i $XDSDocumentEntryType.",
        "The query finds no notes: add the on-demand type to $XDSDocumentEntryType.",
        "xds-metadata-dk 7, M22",
    ),
    MetadataRule(
        "XDS-NEW-UNIQUE-ID",
        "NewDocumentUniqueId skal være et andet id end det, der blev bedt om.",
        "NewDocumentUniqueId must differ from the id that was asked for.",
        "xds-metadata-dk 7, M23",
    ),
)

METADATA_RULES: Final = MappingProxyType({rule.id: rule for rule in _ROWS})
"""Rules by id."""
