"""Judge one DocumentEntry or SubmissionSet attribute by attribute, as it stands on the wire.

A signature document (its format code tells) is held to the rules of DSG where
they differ from a note's.

Source: xds-metadata-dk 2 to 6, 8; ihe-fhir 8.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha1
from typing import Final
from zoneinfo import ZoneInfo

from mappers.fhir.profiles import TITLE_PREFIX
from mappers.note import JournalNote
from mappers.xds_findings import MetadataFindings
from mappers.xds_reading import WireCode, WireObject
from nsp_client.errors import InvalidIdentifier
from nsp_client.identifiers import CPR_OID, SOR_OID, Cpr, SorCode, is_oid
from nsp_client.xds.metadata import AvailabilityStatus, ObjectType, dtm, is_full_dtm

COPENHAGEN: Final = ZoneInfo("Europe/Copenhagen")
SNOMED: Final = "2.16.840.1.113883.6.96"
ASTM: Final = "ASTM"
SIGNATURE_FORMATS: Final = frozenset(
    {"urn:ihe:iti:dsg:detached:2014", "urn:ihe:iti:dsg:enveloping:2014"}
)
NOTE_MIME_TYPES: Final = frozenset({"application/fhir+xml", "application/fhir+json"})
MOST_SLOT_VALUE: Final = 256
TITLE_BELOW: Final = 128

_NOTE_CODES: Final = {
    "formatCode": (
        "XDS-FORMAT-CODE",
        ("urn:ad:dk:medcom:ecn-v1.0:full", "1.2.208.184.100.10"),
    ),
    "typeCode": ("XDS-TYPE-CODE", ("866144008", SNOMED)),
    "classCode": ("XDS-CLASS-CODE", ("001", "1.2.208.184.100.9")),
}
_SNOMED_CODES: Final = ("healthcareFacilityTypeCode", "practiceSettingCode")
_ENTRY_CODES: Final = ("classCode", "confidentialityCode", "formatCode", "typeCode", *_SNOMED_CODES)
_ENTRY_VALUES: Final = (
    "languageCode",
    "patientId",
    "serviceStartTime",
    "serviceStopTime",
    "sourcePatientId",
    "sourcePatientInfo",
    "title",
    "uniqueId",
)
_SINGLE: Final = frozenset(
    {
        *_ENTRY_VALUES,
        "creationTime",
        "hash",
        "size",
        "repositoryUniqueId",
        "legalAuthenticator",
        "URI",
    }
) - {"sourcePatientInfo"}
_ENTRY_ATTRIBUTES: Final = ("id", "home", "mimeType", "objectType", "status")
_STABLE_VALUES: Final = ("creationTime", "hash", "size")
_NOT_ON_DEMAND: Final = (*_STABLE_VALUES, "legalAuthenticator")
_UNUSED_AUTHOR: Final = ("authorRole", "authorSpecialty", "authorTelecommunication")
_PID_FIELDS: Final = frozenset({"PID-3", "PID-5", "PID-7", "PID-8"})

_UUID: Final = re.compile(
    r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)
_UNIQUE_ID: Final = re.compile(r"[!-~]{1,128}")
_SHA1: Final = re.compile(r"[0-9a-fA-F]{40}")
_SIZE: Final = re.compile(r"[1-9][0-9]*")
_DASHED: Final = re.compile(r"[0-9]{6}-[0-9A-Z]{4}")
_XON: Final = re.compile(rf"[^\^&~|]+\^{{5}}&{re.escape(SOR_OID)}&ISO\^{{4}}([^\^&~|]+)")
_XCN: Final = re.compile(r"\^[^\^&~|]+(?:\^[^\^&~|]+(?:\^[^\^~|]+)?)?")
_TEN_DIGITS: Final = re.compile(r"(?<![0-9])[0-9]{10}(?![0-9])")


def check_entry(
    entry: WireObject,
    findings: MetadataFindings,
    *,
    note: JournalNote | None,
    document: bytes | None,
) -> None:
    """Judge an entry; with the note and the bytes also whether it tells of them."""
    formats = entry.codes.get("formatCode", ())
    is_signature = any(each.code in SIGNATURE_FORMATS for each in formats)
    _check_presence(entry, findings)
    _check_identity(entry, findings)
    _check_kind(entry, document, findings)
    _check_times(entry, None if is_signature else note, findings)
    _check_patient(entry, note, findings)
    _check_author(entry, note, findings)
    _check_codes(entry, findings, is_signature=is_signature)
    _check_description(entry, findings, is_signature=is_signature)


def check_set(submission_set: WireObject, findings: MetadataFindings) -> None:
    """Judge a submission set on its own."""
    _require(submission_set, submission_set.attributes, ("id", "home", "status"), findings)
    required = ("patientId", "sourceId", "submissionTime", "title", "uniqueId")
    _require(submission_set, submission_set.values, required, findings)
    _require(submission_set, submission_set.codes, ("contentTypeCode",), findings)
    if "intendedRecipient" in submission_set.values:
        findings.at(submission_set, "XDS-UNUSED", "intendedRecipient")
    _check_uuid(submission_set, findings)
    _check_status_and_home(submission_set, findings)
    for name in ("uniqueId", "sourceId"):
        value = submission_set.one(name)
        if value is not None and not is_oid(value):
            findings.at(submission_set, "XDS-OID", name)
    _check_dtm(submission_set, "submissionTime", findings)
    _check_cx(submission_set, "patientId", findings)
    _check_author(submission_set, None, findings)
    if _TEN_DIGITS.search(submission_set.one("title") or ""):
        findings.at(submission_set, "XDS-SET-TITLE", "title")
    for code in submission_set.codes.get("contentTypeCode", ()):
        _check_code(submission_set, "contentTypeCode", code, findings)


def _require(
    owner: WireObject, held: Iterable[str], names: Iterable[str], findings: MetadataFindings
) -> None:
    present = frozenset(held)
    for name in names:
        if name not in present:
            findings.at(owner, "XDS-MISSING", name)


def _check_presence(entry: WireObject, findings: MetadataFindings) -> None:
    _require(entry, entry.attributes, _ENTRY_ATTRIBUTES, findings)
    _require(entry, entry.values, _ENTRY_VALUES, findings)
    _require(entry, entry.codes, _ENTRY_CODES, findings)
    for name in _SINGLE:
        if len(entry.values.get(name, ())) > 1:
            findings.at(entry, "XDS-TWICE", name)
    for name in ("comments", "limitedMetadata"):
        if name in entry.values:
            findings.at(entry, "XDS-UNUSED", name)


def _check_identity(entry: WireObject, findings: MetadataFindings) -> None:
    _check_uuid(entry, findings)
    _check_status_and_home(entry, findings)
    unique_id = entry.one("uniqueId")
    if unique_id is not None and _UNIQUE_ID.fullmatch(unique_id) is None:
        findings.at(entry, "XDS-UNIQUE-ID", "uniqueId")
    repository = entry.one("repositoryUniqueId")
    if repository is not None and not is_oid(repository):
        findings.at(entry, "XDS-OID", "repositoryUniqueId")


def _check_uuid(owner: WireObject, findings: MetadataFindings) -> None:
    if "id" in owner.attributes and _UUID.fullmatch(owner.id) is None:
        findings.at(owner, "XDS-UUID", "entryUUID")


def _check_status_and_home(owner: WireObject, findings: MetadataFindings) -> None:
    status, home = owner.attributes.get("status"), owner.attributes.get("home")
    if status is not None and status != AvailabilityStatus.APPROVED:
        findings.at(owner, "XDS-STATUS", "availabilityStatus")
    if home is not None and not (home.startswith("urn:oid:") and is_oid(home[8:])):
        findings.at(owner, "XDS-HOME", "homeCommunityId")


def _check_kind(entry: WireObject, document: bytes | None, findings: MetadataFindings) -> None:
    kind = entry.attributes.get("objectType")
    digest, size = entry.one("hash"), entry.one("size")
    if kind == ObjectType.ON_DEMAND:
        _require(entry, entry.values, ("repositoryUniqueId",), findings)
        for name in _NOT_ON_DEMAND:
            if name in entry.values:
                findings.at(entry, "XDS-ON-DEMAND", name)
        return
    if kind != ObjectType.STABLE:
        if kind is not None:
            findings.at(entry, "XDS-OBJECT-TYPE", "objectType")
        return
    _require(entry, entry.values, _STABLE_VALUES, findings)
    if digest is not None and _SHA1.fullmatch(digest) is None:
        findings.at(entry, "XDS-HASH", "hash")
    elif digest is not None and _is_of_other_bytes(digest, document):
        findings.at(entry, "XDS-BYTES-OTHER", "hash")
    if size is not None and _SIZE.fullmatch(size) is None:
        findings.at(entry, "XDS-SIZE", "size")
    elif document is not None and size is not None and size != str(len(document)):
        findings.at(entry, "XDS-BYTES-OTHER", "size")


def _is_of_other_bytes(digest: str, document: bytes | None) -> bool:
    if document is None:
        return False
    return sha1(document, usedforsecurity=False).hexdigest() != digest.lower()


def _check_times(entry: WireObject, note: JournalNote | None, findings: MetadataFindings) -> None:
    for name in ("creationTime", "serviceStartTime", "serviceStopTime"):
        _check_dtm(entry, name, findings)
    start, stop = entry.one("serviceStartTime"), entry.one("serviceStopTime")
    if start is not None and stop is not None and stop < start:
        findings.at(entry, "XDS-STOP-BEFORE-START", "serviceStopTime")
    if note is not None:
        _compare_time(entry, "serviceStartTime", note.created_at, findings)
        _compare_time(entry, "serviceStopTime", note.ended_at or note.created_at, findings)


def _check_dtm(owner: WireObject, name: str, findings: MetadataFindings) -> None:
    value = owner.one(name)
    if value is not None and not is_full_dtm(value):
        findings.at(owner, "XDS-DTM", name)


def _compare_time(
    entry: WireObject, name: str, moment: datetime, findings: MetadataFindings
) -> None:
    value = entry.one(name)
    if value is None or not is_full_dtm(value) or value == dtm(moment):
        return
    local = {each.strftime("%Y%m%d%H%M%S") for each in (moment, moment.astimezone(COPENHAGEN))}
    findings.at(entry, "XDS-DTM-LOCAL" if value in local else "XDS-TIME-OTHER", name)


def _check_cx(owner: WireObject, name: str, findings: MetadataFindings) -> str | None:
    """Judge a patient id; gives its CPR number if it is one."""
    value = owner.one(name)
    if value is None:
        return None
    number, _, rest = value.partition("^")
    if rest != f"^^&{CPR_OID}&ISO":
        findings.at(owner, "XDS-PATIENT-AUTHORITY", name)
    if _DASHED.fullmatch(number):
        findings.at(owner, "XDS-PATIENT-DASH", name)
        return None
    try:
        return Cpr(number).value
    except InvalidIdentifier:
        findings.at(owner, "XDS-PATIENT-CPR", name)
        return None


def _check_patient(entry: WireObject, note: JournalNote | None, findings: MetadataFindings) -> None:
    cpr = _check_cx(entry, "patientId", findings)
    _check_cx(entry, "sourcePatientId", findings)
    if entry.one("patientId") != entry.one("sourcePatientId"):
        findings.at(entry, "XDS-PATIENT-DIFFERS", "sourcePatientId")
    if note is not None and cpr is not None and cpr != note.patient.cpr:
        findings.at(entry, "XDS-PATIENT-OTHER", "patientId")
    values = entry.values.get("sourcePatientInfo")
    if values is None:
        return
    fields = {name: rest for name, _, rest in (value.partition("|") for value in values)}
    if fields.keys() - _PID_FIELDS or len(fields) != len(values):
        findings.at(entry, "XDS-PATIENT-INFO-FIELD", "sourcePatientInfo")
    source = fields.get("PID-3")
    if source is not None and source != entry.one("sourcePatientId"):
        findings.at(entry, "XDS-PATIENT-DIFFERS", "sourcePatientInfo")
    if (
        not fields.get("PID-5", "").replace("^", "").strip()
        or not is_full_dtm(fields.get("PID-7", "") + "000000")
        or fields.get("PID-8") not in ("M", "F", "O", "U")
        or any(len(value) > MOST_SLOT_VALUE for value in values)
    ):
        findings.at(entry, "XDS-PATIENT-INFO", "sourcePatientInfo")


def _check_author(owner: WireObject, note: JournalNote | None, findings: MetadataFindings) -> None:
    institutions = [
        each for author in owner.authors for each in author.get("authorInstitution", ())
    ]
    persons = [each for author in owner.authors for each in author.get("authorPerson", ())]
    if not institutions:
        findings.at(owner, "XDS-MISSING", "authorInstitution")
    if len(institutions) > 1:
        findings.at(owner, "XDS-TWICE", "authorInstitution")
    for each in institutions:
        _check_xon(owner, each, note, findings)
    if any(_XCN.fullmatch(each) is None for each in persons):
        findings.at(owner, "XDS-XCN-FORM", "authorPerson")
    authenticator = owner.one("legalAuthenticator")
    if authenticator is not None and _XCN.fullmatch(authenticator) is None:
        findings.at(owner, "XDS-XCN-FORM", "legalAuthenticator")
    for name in _UNUSED_AUTHOR:
        if any(name in author for author in owner.authors):
            findings.at(owner, "XDS-UNUSED", name)


def _check_xon(
    owner: WireObject, value: str, note: JournalNote | None, findings: MetadataFindings
) -> None:
    match = _XON.fullmatch(value)
    if match is None or len(value) > MOST_SLOT_VALUE:
        findings.at(owner, "XDS-XON-FORM", "authorInstitution")
        return
    try:
        code = SorCode(match[1]).value
    except InvalidIdentifier:
        code = ""
    if not code or (note is not None and code != note.organization.sor_code):
        findings.at(owner, "XDS-XON-SOR", "authorInstitution")


def _check_codes(entry: WireObject, findings: MetadataFindings, *, is_signature: bool) -> None:
    for name, codes in entry.codes.items():
        for code in codes:
            _check_code(entry, name, code, findings)
        if len(codes) > 1 and name not in ("confidentialityCode", "eventCodeList"):
            findings.at(entry, "XDS-TWICE", name, codes[1].line)
    confidentiality = entry.codes.get("confidentialityCode")
    if confidentiality is not None and [(each.code, each.scheme) for each in confidentiality] != [
        ("N", "2.16.840.1.113883.5.25")
    ]:
        findings.at(entry, "XDS-CONFIDENTIALITY-CODE", "confidentialityCode")
    if is_signature:
        return
    for name, (rule_id, expected) in _NOTE_CODES.items():
        for code in entry.codes.get(name, ()):
            if (code.code, code.scheme) != expected:
                findings.at(entry, rule_id, name, code.line)
    for name in _SNOMED_CODES:
        for code in entry.codes.get(name, ()):
            if code.scheme != SNOMED or not (code.code.isascii() and code.code.isdigit()):
                findings.at(entry, "XDS-SNOMED", name, code.line)


def _check_code(owner: WireObject, name: str, code: WireCode, findings: MetadataFindings) -> None:
    has_scheme = is_oid(code.scheme) or code.scheme in (ASTM, code.code)
    if code.scheme and not has_scheme and (":" in code.scheme or is_oid(code.code)):
        findings.at(owner, "XDS-CODE-SWAPPED", name, code.line)
    elif not (code.code and code.display and code.scheme and has_scheme):
        findings.at(owner, "XDS-CODE", name, code.line)


def _check_description(
    entry: WireObject, findings: MetadataFindings, *, is_signature: bool
) -> None:
    title = entry.one("title")
    if title is not None and len(title) >= TITLE_BELOW:
        findings.at(entry, "XDS-TITLE-LENGTH", "title")
    mime_type, language = entry.attributes.get("mimeType"), entry.one("languageCode")
    if is_signature:
        mime_types, languages = frozenset({"text/xml"}), ("art",)
        is_title = bool(title) and not _TEN_DIGITS.search(title or "")
    else:
        mime_types, languages = NOTE_MIME_TYPES, ("da-DK",)
        is_title = title == TITLE_PREFIX + (entry.one("patientId") or "").partition("^")[0]
    if mime_type is not None and mime_type not in mime_types:
        findings.at(entry, "XDS-MIME-TYPE", "mimeType")
    if language is not None and language not in languages:
        findings.at(entry, "XDS-LANGUAGE", "languageCode")
    if title is not None and not is_title:
        findings.at(entry, "XDS-TITLE", "title")
