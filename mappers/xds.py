"""A note and its document's figures to XDS metadata.

The codes are those of a shared GP note; facility and practice setting have no
source in the document and are the same for every clinic here.

Source: xds-metadata-dk 2 to 8 (Danish XDS metadata 1.0.1, MedCom Document 2.0.2).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from mappers.errors import MappingError
from mappers.fhir.profiles import PROTECTED, TITLE_PREFIX
from mappers.note import Author, JournalNote, Organization
from nsp_client.errors import InvalidIdentifier, InvalidMetadata
from nsp_client.identifiers import Cpr, Oid, oid_from_uuid
from nsp_client.xds.hl7 import escape
from nsp_client.xds.metadata import (
    AuthorInstitution,
    AuthorPerson,
    Code,
    DocumentEntry,
    ObjectType,
    PatientInfo,
    SubmissionSet,
    dtm,
    patient_cx,
)

SNOMED: Final = "2.16.840.1.113883.6.96"
CLASS_CODE: Final = Code("001", "1.2.208.184.100.9", "Klinisk rapport")
TYPE_CODE: Final = Code("866144008", SNOMED, "Encounter note")
FORMAT_CODE: Final = Code("urn:ad:dk:medcom:ecn-v1.0:full", "1.2.208.184.100.10", "DK ECN schema")
"""For medcom-notes-composition 1.x, the only version that we write."""
HEALTHCARE_FACILITY_TYPE_CODE: Final = Code("394761003", SNOMED, "almen lægepraksis")
PRACTICE_SETTING_CODE: Final = Code("408443003", SNOMED, "almen medicin")
CONFIDENTIALITY_CODE: Final = Code("N", "2.16.840.1.113883.5.25", "normal")
CONTENT_TYPE_CODE: Final = Code("NscContentType", "NscContentType", "NscContentType")
"""Not used in Denmark but demanded by IHE; what Danish clients send (X3)."""

ENCOUNTER_ID_TYPE: Final = "urn:ihe:iti:xds:2015:encounterId"
"""Type of a reference id that names an encounter. Source: IHE ITI TF-3 table 4.2.3.1.7-2, CXi."""

MIME_TYPES: Final = frozenset({"application/fhir+json", "application/fhir+xml"})

_CONFIDENTIALITY_CODES: Final = (CONFIDENTIALITY_CODE,)
_GENDERS: Final = MappingProxyType({"male": "M", "female": "F", "other": "O", "unknown": "U"})
_SHA1_BYTES: Final = 20


def entry_from_note(
    note: JournalNote,
    *,
    unique_id: str,
    entry_uuid: UUID,
    assembled_at: datetime,
    sha1: bytes,
    size_bytes: int,
    media_type: str,
    repository_oid: str | None,
    home_community_oid: str,
    name_protected: bool,
    encounter_authority_oid: str | None = None,
) -> DocumentEntry:
    """Describe the stored document of a note, as a stable entry.

    Args:
        note: the note the document was made from.
        unique_id: the document's id, ``urn:uuid:`` and Composition.identifier.
        entry_uuid: Bundle.id of this version.
        assembled_at: Bundle.timestamp, aware.
        sha1: SHA-1 of the exact bytes stored, 20 bytes.
        size_bytes: how many bytes are stored, above zero.
        media_type: of those bytes; no parameter.
        repository_oid: bare OID of the serving repository; None where the peer's
            repository fills it in.
        home_community_oid: bare OID.
        name_protected: the patient's name is protected in the CPR register.
        encounter_authority_oid: bare OID of who gives out the encounter's id; with
            it the notes of one encounter can be found together. Without it, the
            Danish custom, an entry has no reference ids.

    Raises:
        MappingError: a figure or the media type cannot be that of a stored note, a
            time has no offset, or the CPR number is not valid.

    Source: xds-metadata-dk 3, 4, 7.
    """
    check_figures(sha1, size_bytes)
    described = _described(
        note,
        unique_id=unique_id,
        entry_uuid=entry_uuid,
        media_type=media_type,
        repository_oid=repository_oid,
        home_community_oid=home_community_oid,
        name_protected=name_protected,
        encounter_authority_oid=encounter_authority_oid,
    )
    return replace(
        described,
        creation_time=_dtm(assembled_at, "assembled_at"),
        hash=sha1.hex(),
        size=size_bytes,
    )


def on_demand_entry_from_note(
    note: JournalNote,
    *,
    unique_id: str,
    entry_uuid: UUID,
    media_type: str,
    repository_oid: str,
    home_community_oid: str,
    name_protected: bool,
    encounter_authority_oid: str | None = None,
) -> DocumentEntry:
    """Describe a note whose document is made when someone asks for it.

    Arguments as for :func:`entry_from_note`, but ``unique_id`` and ``entry_uuid``
    belong to the note and not to a version. What is not known before the document
    is made (hash, size, creation time) is left out.

    Raises:
        MappingError: the media type is not that of a note, a time has no offset,
            or the CPR number is not valid.

    Source: xds-metadata-dk 3 (column IHE-O), 7.
    """
    return replace(
        _described(
            note,
            unique_id=unique_id,
            entry_uuid=entry_uuid,
            media_type=media_type,
            repository_oid=repository_oid,
            home_community_oid=home_community_oid,
            name_protected=name_protected,
            encounter_authority_oid=encounter_authority_oid,
        ),
        object_type=ObjectType.ON_DEMAND,
    )


def cda_entry(
    fhir_entry: DocumentEntry,
    *,
    unique_id: str,
    entry_uuid: UUID,
    sha1: bytes,
    size_bytes: int,
    format_code: Code,
) -> DocumentEntry:
    """Describe the CDA rendering of a note for a domain that registers it locally.

    Relate it to the note's own entry by an XFRM association.

    Args:
        fhir_entry: the stable entry of the FHIR document that was rendered.
        unique_id: ``root^extension``, see :func:`mappers.cda.document.cda_unique_id`.
        entry_uuid: of this entry; another one than the note's.
        sha1, size_bytes: of the rendering's bytes.
        format_code: the domain's own; the national one of a note promises FHIR.

    Raises:
        MappingError: the format code is the note's, the figures are none, or an id
            is that of the note's entry.

    Source: cda-dk 4.
    """
    check_figures(sha1, size_bytes)
    if format_code.code == FORMAT_CODE.code:
        raise MappingError("format_code", "the national format code of a note promises FHIR")
    if unique_id == fhir_entry.unique_id or fhir_entry.entry_uuid == f"urn:uuid:{entry_uuid}":
        raise MappingError("unique_id", "a rendering is another document")
    return replace(
        fhir_entry,
        entry_uuid=f"urn:uuid:{entry_uuid}",
        unique_id=unique_id,
        mime_type="text/xml",
        format_code=format_code,
        hash=sha1.hex(),
        size=size_bytes,
    )


def check_figures(sha1: bytes, size_bytes: int) -> None:
    """Return if these can be the SHA-1 and size of stored bytes.

    Raises:
        MappingError: they can't.
    """
    if len(sha1) != _SHA1_BYTES or size_bytes < 1:
        raise MappingError("sha1", "not a digest and size of stored bytes")


def _described(
    note: JournalNote,
    *,
    unique_id: str,
    entry_uuid: UUID,
    media_type: str,
    repository_oid: str | None,
    home_community_oid: str,
    name_protected: bool,
    encounter_authority_oid: str | None,
) -> DocumentEntry:
    """What an entry says of the note, whatever kind of entry it is."""
    if media_type not in MIME_TYPES:
        raise MappingError("media_type", "not a media type of FHIR documents")
    patient = note.patient
    patient_id = patient_cx(_cpr(note))
    start = _dtm(note.created_at, "$.created_at")
    ended_at = note.ended_at
    return DocumentEntry(
        entry_uuid=f"urn:uuid:{entry_uuid}",
        unique_id=unique_id,
        patient_id=patient_id,
        source_patient_id=patient_id,
        mime_type=media_type,
        class_code=CLASS_CODE,
        type_code=TYPE_CODE,
        format_code=FORMAT_CODE,
        healthcare_facility_type_code=HEALTHCARE_FACILITY_TYPE_CODE,
        practice_setting_code=PRACTICE_SETTING_CODE,
        confidentiality_codes=_CONFIDENTIALITY_CODES,
        title=TITLE_PREFIX + patient.cpr,
        source_patient_info=_patient_info(note, name_protected=name_protected),
        author_institution=_institution(note),
        author_person=_person(note),
        language_code="da-DK",
        service_start_time=start,
        # A point in time ends when it starts (Danish rule).
        service_stop_time=start if ended_at is None else _dtm(ended_at, "$.ended_at"),
        repository_unique_id=repository_oid,
        home_community_id=f"urn:oid:{home_community_oid}",
        reference_ids=_reference_ids(note, encounter_authority_oid),
    )


def submission_set_from_note(
    note: JournalNote,
    *,
    set_uuid: UUID,
    submitted_at: datetime,
    source_oid: str,
    home_community_oid: str,
) -> SubmissionSet:
    """Describe the act of submitting one note.

    Args:
        note: the note.
        set_uuid: id of this submission; a resend uses the same, so that the registry
            sees one submission.
        submitted_at: aware.
        source_oid, home_community_oid: bare OIDs.

    Raises:
        MappingError: the time has no offset, or the CPR number is not valid.

    Source: xds-metadata-dk 8.
    """
    return _submission_set(
        patient_id=patient_cx(_cpr(note)),
        set_uuid=set_uuid,
        submitted_at=submitted_at,
        source_oid=source_oid,
        home_community_oid=home_community_oid,
        institution=_institution(note),
        person=_person(note),
    )


def withdrawal_set(
    cpr: Cpr,
    *,
    organization: Organization,
    set_uuid: UUID,
    submitted_at: datetime,
    source_oid: str,
    home_community_oid: str,
) -> SubmissionSet:
    """Describe the act of withdrawing an entry (ITI-57 status change).

    It names the clinic and no person: by then the note's content, and with it the
    author's name, may be gone.

    Raises:
        MappingError: the time has no offset.

    Source: xds-metadata-dk 7, 8.
    """
    return _submission_set(
        patient_id=patient_cx(cpr),
        set_uuid=set_uuid,
        submitted_at=submitted_at,
        source_oid=source_oid,
        home_community_oid=home_community_oid,
        institution=AuthorInstitution(organization.name, organization.sor_code),
        person=None,
    )


def _submission_set(
    *,
    patient_id: str,
    set_uuid: UUID,
    submitted_at: datetime,
    source_oid: str,
    home_community_oid: str,
    institution: AuthorInstitution | None,
    person: AuthorPerson | None,
) -> SubmissionSet:
    return SubmissionSet(
        entry_uuid=f"urn:uuid:{set_uuid}",
        unique_id=oid_from_uuid(set_uuid).value,
        source_id=source_oid,
        patient_id=patient_id,
        submission_time=_dtm(submitted_at, "submitted_at"),
        content_type_code=CONTENT_TYPE_CODE,
        author_institution=institution,
        author_person=person,
        home_community_id=f"urn:oid:{home_community_oid}",
    )


def _cpr(note: JournalNote) -> Cpr:
    try:
        return Cpr(note.patient.cpr)
    except InvalidIdentifier:
        raise MappingError("$.patient.cpr", "not a CPR number") from None


def _dtm(moment: datetime, path: str) -> str:
    try:
        return dtm(moment)
    except InvalidMetadata as error:
        raise MappingError(path, "an instant needs an offset") from error


def _reference_ids(note: JournalNote, authority_oid: str | None) -> tuple[str, ...]:
    """Name the encounter as CXi, so that the notes of one encounter share a reference."""
    if authority_oid is None or note.encounter_id is None:
        return ()
    try:
        authority = Oid(authority_oid)
    except InvalidIdentifier:
        raise MappingError("encounter_authority_oid", "not a bare OID") from None
    return (f"{escape(note.encounter_id)}^^^&{authority}&ISO^{ENCOUNTER_ID_TYPE}",)


def _patient_info(note: JournalNote, *, name_protected: bool) -> PatientInfo:
    patient = note.patient
    family, given = patient.family, patient.given
    if name_protected:
        family, given = PROTECTED, (PROTECTED,)
    return PatientInfo(
        family=family or PROTECTED,
        given=given or (PROTECTED,),
        birth_date=patient.birth_date,
        gender=_GENDERS[patient.gender],
    )


def _institution(note: JournalNote) -> AuthorInstitution:
    return AuthorInstitution(note.organization.name, note.organization.sor_code)


def _person(note: JournalNote) -> AuthorPerson | None:
    """Name the author exactly where the document has a Practitioner."""
    author = note.author
    if author is None or note.author_name_protected or not _is_named(author):
        return None
    return AuthorPerson(author.family or "", author.given)


def _is_named(author: Author) -> bool:
    return bool(author.family and author.given)
