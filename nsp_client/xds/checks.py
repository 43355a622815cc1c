"""What must hold before metadata leaves us; every breach at once, by rule.

Two levels: what any Danish entry must obey, and what a shared GP note must be in
particular. The peer would refuse these too, but later and with less to go by.

Source: IHE ITI TF-3 4.2.3; the Danish XDS metadata profile 1.0.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from nsp_client.errors import InvalidIdentifier, InvalidMetadata
from nsp_client.identifiers import DocumentUniqueId, SorCode, is_oid, is_urn_uuid
from nsp_client.xds.hl7 import cpr_of_cx
from nsp_client.xds.metadata import (
    AuthorInstitution,
    Code,
    DocumentEntry,
    ObjectType,
    SubmissionSet,
    is_full_dtm,
)

FORMAT_SCHEME: Final = "1.2.208.184.100.10"
CLASS_SCHEME: Final = "1.2.208.184.100.9"
SNOMED: Final = "2.16.840.1.113883.6.96"
CONFIDENTIALITY_SCHEME: Final = "2.16.840.1.113883.5.25"

SHARED_NOTE_FORMAT_CODES: Final = frozenset({"urn:ad:dk:medcom:ecn-v1.0:full"})
SHARED_NOTE_MIME_TYPES: Final = frozenset({"application/fhir+xml", "application/fhir+json"})
SHARED_NOTE_TYPE_CODE: Final = "866144008"
SHARED_NOTE_CLASS_CODE: Final = "001"
ASTM_SCHEME: Final = "ASTM"
"""Coding scheme of the type of a signature document. Source: IHE ITI TF-3 5.5.3."""
MAX_TITLE: Final = 127
GENDERS: Final = frozenset({"M", "F", "O", "U"})

_SHA1_HEX: Final = re.compile(r"[0-9a-fA-F]{40}")
_TEN_DIGITS: Final = re.compile(r"(?<![0-9])[0-9]{10}(?![0-9])")
_MIME_TYPE: Final = re.compile(r"[a-z0-9]+/[a-z0-9.+-]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MetadataFault:
    """One breach: the attribute in the standard's spelling, and what is wrong with it."""

    attribute: str
    reason: str


def entry_faults(entry: DocumentEntry) -> list[MetadataFault]:
    """Find everything that no Danish entry may show; an empty list means none."""
    return [
        MetadataFault(attribute, reason)
        for attribute, reason in (
            *_identity_faults(entry),
            *_time_faults(entry),
            *_kind_faults(entry),
            *_code_faults(entry),
            *_description_faults(entry),
        )
    ]


def submission_faults(entry: DocumentEntry, submission_set: SubmissionSet) -> list[MetadataFault]:
    """Find what is wrong with a set, and between it and its entry."""
    found: list[MetadataFault] = []
    if submission_set.patient_id != entry.patient_id:
        found.append(MetadataFault("SubmissionSet.patientId", "differs from the entry's"))
    return found + submission_set_faults(submission_set)


def submission_set_faults(submission_set: SubmissionSet) -> list[MetadataFault]:
    """Find what is wrong with a set on its own."""
    found = [
        (not is_urn_uuid(submission_set.entry_uuid), "entryUUID", "not urn:uuid:"),
        (not is_oid(submission_set.unique_id), "uniqueId", "not a bare OID"),
        (not is_oid(submission_set.source_id), "sourceId", "not a bare OID"),
        (cpr_of_cx(submission_set.patient_id) is None, "patientId", "not a CPR as CX"),
        (
            not is_full_dtm(submission_set.submission_time),
            "submissionTime",
            "not fourteen digits of UTC",
        ),
        (not _is_complete(submission_set.content_type_code), "contentTypeCode", "incomplete"),
        (_has_cpr(submission_set.title), "title", "holds a CPR number"),
    ]
    institution = submission_set.author_institution
    return [
        MetadataFault(f"SubmissionSet.{attribute}", reason)
        for attribute, reason in (
            *((attribute, reason) for broken, attribute, reason in found if broken),
            *_institution_faults(institution),
        )
    ]


def shared_note_faults(entry: DocumentEntry) -> list[MetadataFault]:
    """Find where an entry is not that of a shared GP note."""
    found = [
        (
            entry.format_code.code not in SHARED_NOTE_FORMAT_CODES
            or entry.format_code.scheme != FORMAT_SCHEME,
            "formatCode",
            "not a format of shared notes",
        ),
        (entry.mime_type not in SHARED_NOTE_MIME_TYPES, "mimeType", "not FHIR"),
        (
            [(c.code, c.scheme) for c in entry.confidentiality_codes]
            != [("N", CONFIDENTIALITY_SCHEME)],
            "confidentialityCode",
            "not N alone",
        ),
        (
            (entry.type_code.code, entry.type_code.scheme) != (SHARED_NOTE_TYPE_CODE, SNOMED),
            "typeCode",
            "not encounter note",
        ),
        (
            (entry.class_code.code, entry.class_code.scheme)
            != (SHARED_NOTE_CLASS_CODE, CLASS_SCHEME),
            "classCode",
            "not clinical report",
        ),
        (entry.practice_setting_code.scheme != SNOMED, "practiceSettingCode", "not SNOMED CT"),
        (
            entry.healthcare_facility_type_code.scheme != SNOMED,
            "healthcareFacilityTypeCode",
            "not SNOMED CT",
        ),
    ]
    return [MetadataFault(attribute, reason) for broken, attribute, reason in found if broken]


def require(faults: list[MetadataFault]) -> None:
    """Do nothing when the list is empty.

    Raises:
        InvalidMetadata: names all faults; ``attribute`` is that of the first.
    """
    if faults:
        rest = "".join(f"; {fault.attribute}: {fault.reason}" for fault in faults[1:])
        raise InvalidMetadata(faults[0].attribute, faults[0].reason + rest)


def _identity_faults(entry: DocumentEntry) -> Iterator[tuple[str, str]]:
    if not is_urn_uuid(entry.entry_uuid):
        yield "entryUUID", "not urn:uuid:"
    try:
        DocumentUniqueId(entry.unique_id)
    except InvalidIdentifier as error:
        yield "uniqueId", error.reason
    if cpr_of_cx(entry.patient_id) is None:
        yield "patientId", "not a CPR number with its authority, as CX"
    if entry.source_patient_id != entry.patient_id:
        yield "sourcePatientId", "differs from patientId"
    if entry.repository_unique_id is not None and not is_oid(entry.repository_unique_id):
        yield "repositoryUniqueId", "not a bare OID"
    home = entry.home_community_id
    if home is not None and not (home.startswith("urn:oid:") and is_oid(home[8:])):
        yield "homeCommunityId", "not urn:oid:"


def _time_faults(entry: DocumentEntry) -> Iterator[tuple[str, str]]:
    for attribute, value in (
        ("creationTime", entry.creation_time),
        ("serviceStartTime", entry.service_start_time),
        ("serviceStopTime", entry.service_stop_time),
    ):
        if value is not None and not is_full_dtm(value):
            yield attribute, "not fourteen digits of UTC"
    start, stop = entry.service_start_time, entry.service_stop_time
    if start is not None and stop is not None and stop < start:
        yield "serviceStopTime", "before serviceStartTime"


def _kind_faults(entry: DocumentEntry) -> Iterator[tuple[str, str]]:
    if entry.object_type == ObjectType.ON_DEMAND:
        for attribute, value in (
            ("creationTime", entry.creation_time),
            ("hash", entry.hash),
            ("size", entry.size),
            ("legalAuthenticator", entry.legal_authenticator),
        ):
            if value is not None:
                yield attribute, "prohibited for an on-demand entry"
        if entry.repository_unique_id is None:
            yield "repositoryUniqueId", "required for an on-demand entry"
    elif entry.object_type == ObjectType.STABLE:
        if entry.creation_time is None:
            yield "creationTime", "missing"
        if entry.hash is None or _SHA1_HEX.fullmatch(entry.hash) is None:
            yield "hash", "not 40 hexadecimal digits"
        if entry.size is None or entry.size < 1:
            yield "size", "not a number of bytes above zero"
    else:
        yield "objectType", "neither stable nor on-demand"


def _code_faults(entry: DocumentEntry) -> Iterator[tuple[str, str]]:
    for attribute, code in (
        ("classCode", entry.class_code),
        ("typeCode", entry.type_code),
        ("formatCode", entry.format_code),
        ("healthcareFacilityTypeCode", entry.healthcare_facility_type_code),
        ("practiceSettingCode", entry.practice_setting_code),
        *(("confidentialityCode", code) for code in entry.confidentiality_codes),
        *(("eventCodeList", code) for code in entry.event_codes),
    ):
        if not _is_complete(code):
            yield attribute, "without code, display or a scheme that is a bare OID"
    if len(entry.confidentiality_codes) != 1:
        yield "confidentialityCode", "not exactly one"


def _description_faults(entry: DocumentEntry) -> Iterator[tuple[str, str]]:
    yield from _institution_faults(entry.author_institution)
    if not entry.title or len(entry.title) > MAX_TITLE:
        yield "title", f"not 1 to {MAX_TITLE} characters"
    elif any(number not in entry.patient_id[:10] for number in _TEN_DIGITS.findall(entry.title)):
        yield "title", "names another patient"
    if entry.language_code is None:
        yield "languageCode", "missing"
    if _MIME_TYPE.fullmatch(entry.mime_type) is None:
        yield "mimeType", "not a media type"
    info = entry.source_patient_info
    if info is None or not info.family or info.birth_date is None or info.gender not in GENDERS:
        yield "sourcePatientInfo", "name, birth date or gender missing"
    for name, _ in entry.extra_slots:
        if not name.startswith("urn:") or name.startswith("urn:ihe:"):
            yield "slot", "an extra slot needs a URN of its own"


def _institution_faults(institution: AuthorInstitution | None) -> Iterator[tuple[str, str]]:
    if institution is None or not institution.name.strip():
        yield "authorInstitution", "missing"
        return
    try:
        SorCode(institution.sor_code)
    except InvalidIdentifier as error:
        yield "authorInstitution", f"not a SOR code: {error.reason}"


def _is_complete(code: Code) -> bool:
    if not (code.code and code.display):
        return False
    # A national client convention names a scheme after its code; IHE names ASTM's by its name.
    return is_oid(code.scheme) or code.scheme in (code.code, ASTM_SCHEME)


def _has_cpr(title: str | None) -> bool:
    return title is not None and _TEN_DIGITS.search(title) is not None
