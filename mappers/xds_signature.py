"""The signature over a note as a document of its own: its metadata (IHE DSG).

The Danish lists of 2026 have no codes for signatures, so what depends on the
affinity domain is passed in. Relate the entry to what it signs by the ``signs``
association (:class:`nsp_client.xds.associations.Relations`).

Source: ihe-fhir 8.1; IHE ITI TF-3 5.5.3; ASTM E1762 (purposes).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from mappers.errors import MappingError
from mappers.xds import check_figures
from nsp_client.errors import InvalidMetadata
from nsp_client.xds.metadata import (
    AuthorInstitution,
    AuthorPerson,
    Code,
    DocumentEntry,
    dtm,
)

SignatureLevel = Literal["B-B", "B-T", "B-LT", "B-LTA"]
"""Baseline levels of ETSI EN 319 132-1."""

SUBMITTABLE_LEVELS: Final = frozenset({"B-T", "B-LT", "B-LTA"})
"""Levels with a proof of time; a B-B form is never submitted as DSG."""

MIME_TYPE: Final = "text/xml"
LANGUAGE: Final = "art"
DETACHED_FORMAT: Final = Code(
    "urn:ihe:iti:dsg:detached:2014", "1.3.6.1.4.1.19376.1.2.3", "DSG Detached Document"
)
SIGNATURE_TYPE: Final = Code("E1762", "ASTM", "Full Document")
PURPOSE_SCHEME: Final = "1.2.840.10065.1.12"


class Purpose(enum.Enum):
    """What a signature means: last arc of the OID, and display. Source: ASTM E1762."""

    AUTHOR = (1, "Author's Signature")
    COAUTHOR = (2, "Coauthor's Signature")
    CO_PARTICIPANT = (3, "Co-participant's Signature")
    TRANSCRIPTIONIST = (4, "Transcriptionist/Recorder Signature")
    VERIFICATION = (5, "Verification Signature")
    VALIDATION = (6, "Validation Signature")
    CONSENT = (7, "Consent Signature")
    SIGNATURE_WITNESS = (8, "Signature Witness Signature")
    EVENT_WITNESS = (9, "Event Witness Signature")
    IDENTITY_WITNESS = (10, "Identity Witness Signature")
    CONSENT_WITNESS = (11, "Consent Witness Signature")
    INTERPRETER = (12, "Interpreter Signature")
    REVIEW = (13, "Review Signature")
    SOURCE = (14, "Source Signature")
    ADDENDUM = (15, "Addendum Signature")
    MODIFICATION = (16, "Modification Signature")
    ADMINISTRATIVE = (17, "Administrative (Error/Edit) Signature")
    TIMESTAMP = (18, "Timestamp Signature")

    @property
    def code(self) -> Code:
        """The purpose as an event code of the signature's entry."""
        arc, display = self.value
        return Code(f"{PURPOSE_SCHEME}.1.{arc}", PURPOSE_SCHEME, display)


@dataclass(frozen=True, slots=True)
class SignatureCodes:
    """The codes that the affinity domain decides."""

    class_code: Code
    healthcare_facility_type_code: Code
    practice_setting_code: Code
    type_code: Code = SIGNATURE_TYPE
    format_code: Code = DETACHED_FORMAT


def signature_entry(
    signed: Sequence[DocumentEntry],
    *,
    unique_id: str,
    entry_uuid: UUID,
    signed_at: datetime,
    level: SignatureLevel,
    purposes: Sequence[Purpose],
    institution: AuthorInstitution,
    person: AuthorPerson | None,
    codes: SignatureCodes,
    sha1: bytes,
    size_bytes: int,
    repository_oid: str | None,
) -> DocumentEntry:
    """Describe a detached signature document, as a stable entry of its own.

    Args:
        signed: the entries of the documents signed, all of one patient.
        unique_id, entry_uuid: of the signature document, not of what it signs.
        signed_at: SigningTime of the signature, aware.
        level: what the signature has reached.
        purposes: what it means, at least one; the title tells them.
        institution, person: the signer; an organisation's seal has no person.
        codes: what the affinity domain decides.
        sha1, size_bytes: of the signature document's exact bytes.
        repository_oid: bare OID; None where the peer's repository fills it in.

    Raises:
        MappingError: the level has no proof of time, nothing is signed, the
            patients differ, an id is that of a signed document, the figures are
            none, no purpose is stated, or the time has no offset.

    Source: ihe-fhir 8.1, table of metadata.
    """
    if level not in SUBMITTABLE_LEVELS:
        raise MappingError("level", "a signature is submitted from level B-T on")
    if not purposes or len(set(purposes)) != len(purposes):
        raise MappingError("purposes", "none, or one twice")
    check_figures(sha1, size_bytes)
    first = _one_patient(signed)
    own_uuid = f"urn:uuid:{entry_uuid}"
    if any(unique_id == each.unique_id or own_uuid == each.entry_uuid for each in signed):
        raise MappingError("unique_id", "a signature is another document than what it signs")
    try:
        signing_time = dtm(signed_at)
    except InvalidMetadata as error:
        raise MappingError("signed_at", "an instant needs an offset") from error
    starts = [each.service_start_time for each in signed if each.service_start_time]
    stops = [each.service_stop_time for each in signed if each.service_stop_time]
    return DocumentEntry(
        entry_uuid=own_uuid,
        unique_id=unique_id,
        patient_id=first.patient_id,
        source_patient_id=first.source_patient_id,
        source_patient_info=first.source_patient_info,
        mime_type=MIME_TYPE,
        class_code=codes.class_code,
        type_code=codes.type_code,
        format_code=codes.format_code,
        healthcare_facility_type_code=codes.healthcare_facility_type_code,
        practice_setting_code=codes.practice_setting_code,
        confidentiality_codes=first.confidentiality_codes,
        event_codes=tuple(each.code for each in purposes),
        title=", ".join(each.code.display for each in purposes),
        author_institution=institution,
        author_person=person,
        language_code=LANGUAGE,
        creation_time=signing_time,
        service_start_time=min(starts, default=None),
        service_stop_time=max(stops, default=None),
        hash=sha1.hex(),
        size=size_bytes,
        repository_unique_id=repository_oid,
        home_community_id=first.home_community_id,
    )


def _one_patient(signed: Sequence[DocumentEntry]) -> DocumentEntry:
    if not signed:
        raise MappingError("signed", "a signature signs at least one document")
    if len({each.patient_id for each in signed}) != 1:
        raise MappingError("signed", "documents of several patients")
    return signed[0]
