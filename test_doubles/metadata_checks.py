"""The value rules of the Danish metadata profile for a shared note.

These are the rules the real service switches between OFF, LOG, WARNING and
REJECT (nsp 3.8). What holds always (structure, ids, associations, hash) is in
``registry.py``. Context texts name attributes, never values.

Source: xds-metadata-dk 2-4, 8, 12; ihe-xds 3.4-3.6; IHE ITI TF-3 4.2.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from test_doubles import ebrim
from test_doubles.ebrim import RegistryObject

CPR_OID = "1.2.208.176.1.2"
SOR_OID = "1.2.208.176.1.1"

AllowedCodes = Mapping[str, frozenset[tuple[str, str]]]
"""Attribute name to the pairs of code and coding scheme it takes."""

SHARED_NOTE_CODES: AllowedCodes = {
    "classCode": frozenset({("001", "1.2.208.184.100.9")}),
    "confidentialityCode": frozenset({("N", "2.16.840.1.113883.5.25")}),
    "formatCode": frozenset({("urn:ad:dk:medcom:ecn-v1.0:full", "1.2.208.184.100.10")}),
    "healthcareFacilityTypeCode": frozenset({("394761003", "2.16.840.1.113883.6.96")}),
    "practiceSettingCode": frozenset({("408443003", "2.16.840.1.113883.6.96")}),
    "typeCode": frozenset({("866144008", "2.16.840.1.113883.6.96")}),
}
MIME_TYPES = frozenset({"application/fhir+xml", "application/fhir+json"})
MAX_SLOT_VALUE = 256
MAX_UNIQUE_ID = 128

_DTM = re.compile(r"[0-9]{14}", re.ASCII)
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+", re.ASCII)
_CPR_CX = re.compile(rf"[0-9]{{6}}[0-9A-Z]{{4}}\^\^\^&{re.escape(CPR_OID)}&ISO", re.ASCII)
_SOR_XON = re.compile(rf"[^^]+\^{{5}}&{re.escape(SOR_OID)}&ISO\^{{4}}[0-9]+", re.ASCII)
_HEX_SHA1 = re.compile(r"[0-9a-fA-F]{40}", re.ASCII)
_HOME = re.compile(rf"urn:oid:{_OID.pattern}", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
_LIST_SLOTS = frozenset({"sourcePatientInfo", "urn:ihe:iti:xds:2013:referenceIdList"})
_WANTED_PATIENT_INFO = ("PID-5", "PID-7", "PID-8")
_UNWANTED_PATIENT_INFO = ("PID-2", "PID-4", "PID-11", "PID-12", "PID-19")


@dataclass(frozen=True, slots=True)
class Problem:
    """A broken rule: an ebRS error code, a text, and the object's id as sent."""

    code: str
    context: str
    location: str = ""
    warning: bool = False


def is_dtm(text: str) -> bool:
    """Fourteen digits that name a second of the calendar."""
    if not _DTM.fullmatch(text):
        return False
    try:
        datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007 - DTM is UTC by definition
    except ValueError:
        return False
    return True


def is_oid(text: str) -> bool:
    """A dotted OID without leading zeros, at most 64 characters."""
    return len(text) <= 64 and _OID.fullmatch(text) is not None


def entry_problems(entry: RegistryObject, codes: AllowedCodes) -> Iterator[Problem]:
    """Broken value rules of a document entry."""
    for context in (
        *_entry_attributes(entry),
        *_entry_codes(entry, codes),
        *_patient_info(entry),
        *_times(entry),
        *_author(entry, ebrim.ENTRY_AUTHOR),
        *_slot_form(entry),
    ):
        yield Problem("XDSRegistryMetadataError", f"DocumentEntry: {context}", entry.id)


def set_problems(package: RegistryObject) -> Iterator[Problem]:
    """Broken value rules of a submission set."""
    for context in (
        *_set_attributes(package),
        *_author(package, ebrim.SET_AUTHOR),
        *_slot_form(package),
    ):
        yield Problem("XDSRegistryMetadataError", f"SubmissionSet: {context}", package.id)


def _entry_attributes(entry: RegistryObject) -> Iterator[str]:
    if entry.mime_type not in MIME_TYPES:
        yield "mimeType"
    if entry.slot("languageCode") != "da-DK":
        yield "languageCode"
    if not entry.title or len(entry.title) >= 128:
        yield "title"
    if entry.home and not _HOME.fullmatch(entry.home):
        yield "homeCommunityId"
    repository = entry.slots.get("repositoryUniqueId")
    if repository is not None and not is_oid(entry.slot("repositoryUniqueId")):
        yield "repositoryUniqueId"
    if "hash" in entry.slots and not _HEX_SHA1.fullmatch(entry.slot("hash")):
        yield "hash is not 40 hexadecimal digits"
    if "size" in entry.slots and not entry.slot("size").isdigit():
        yield "size is not a number"
    if not _CPR_CX.fullmatch(entry.identifier(ebrim.ENTRY_PATIENT_ID)):
        yield "patientId is not a CPR number as CX"
    source = entry.slot("sourcePatientId")
    if source != entry.identifier(ebrim.ENTRY_PATIENT_ID):
        yield "sourcePatientId differs from patientId"
    unique_id = entry.identifier(ebrim.ENTRY_UNIQUE_ID)
    if len(unique_id) > MAX_UNIQUE_ID or not _PRINTABLE.fullmatch(unique_id):
        yield "uniqueId"


def _entry_codes(entry: RegistryObject, allowed: AllowedCodes) -> Iterator[str]:
    for name, scheme in ebrim.ENTRY_CODES.items():
        found = entry.coded(scheme)
        if len(found) != 1:
            yield f"{name} occurs {len(found)} times"
            continue
        code = found[0]
        if (code.code, code.coding_scheme) not in allowed.get(name, frozenset()):
            yield f"{name} is not in its value set"
        if not code.display:
            yield f"{name} has no display name"
    for code in entry.coded(ebrim.EVENT_CODES):
        if not code.code or not code.coding_scheme or not code.display:
            yield "eventCodeList"


def _patient_info(entry: RegistryObject) -> Iterator[str]:
    values = [v.partition("|") for v in entry.slots.get("sourcePatientInfo", ())]
    fields = [name for name, _, _ in values]
    for name in _WANTED_PATIENT_INFO:
        if fields.count(name) != 1:
            yield f"sourcePatientInfo {name} occurs {fields.count(name)} times"
    for name in _UNWANTED_PATIENT_INFO:
        if name in fields:
            yield f"sourcePatientInfo {name} must not be sent"
    for name, _, value in values:
        wrong = (
            (name == "PID-7" and not is_dtm(f"{value}000000"))
            or (name == "PID-8" and value not in ("M", "F", "O", "U"))
            or (name == "PID-5" and not value)
            or (name == "PID-3" and value != entry.identifier(ebrim.ENTRY_PATIENT_ID))
        )
        if wrong:
            yield f"sourcePatientInfo {name}"


def _times(entry: RegistryObject) -> Iterator[str]:
    if not is_dtm(entry.slot("creationTime")):
        yield "creationTime is not a DTM to the second"
    start, stop = entry.slot("serviceStartTime"), entry.slot("serviceStopTime")
    for name, value in (("serviceStartTime", start), ("serviceStopTime", stop)):
        if not is_dtm(value):
            yield f"{name} is not a DTM to the second"
    if start > stop:
        yield "serviceStopTime lies before serviceStartTime"


def _author(owner: RegistryObject, scheme: str) -> Iterator[str]:
    authors = owner.coded(scheme)
    if not authors:
        yield "author"
    for author in authors:
        if author.code:
            yield "author has a nodeRepresentation"
        institutions = author.slots.get("authorInstitution", ())
        if len(institutions) != 1 or not _SOR_XON.fullmatch(institutions[0]):
            yield "authorInstitution is not one XON with a SOR code"
        if len(author.slots.get("authorPerson", ())) > 1:
            yield "authorPerson"
        for unused in ("authorRole", "authorSpecialty", "authorTelecommunication"):
            if unused in author.slots:
                yield f"{unused} is not used"


def _slot_form(owner: RegistryObject) -> Iterator[str]:
    groups = [owner.slots, *(code.slots for code in owner.codes)]
    for name in owner.doubled_slots:
        yield f"slot {name} occurs twice"
    for slots in groups:
        for name, values in slots.items():
            if any(len(value) > MAX_SLOT_VALUE for value in values):
                yield f"slot {name} has a value of more than {MAX_SLOT_VALUE} characters"
            if not values or (len(values) > 1 and name not in _LIST_SLOTS):
                yield f"slot {name} has {len(values)} values"


def _set_attributes(package: RegistryObject) -> Iterator[str]:
    if not is_dtm(package.slot("submissionTime")):
        yield "submissionTime is not a DTM to the second"
    if not _CPR_CX.fullmatch(package.identifier(ebrim.SET_PATIENT_ID)):
        yield "patientId is not a CPR number as CX"
    if not is_oid(package.identifier(ebrim.SET_UNIQUE_ID)):
        yield "uniqueId is not an OID"
    if not is_oid(package.identifier(ebrim.SET_SOURCE_ID)):
        yield "sourceId is not an OID"
    if not package.title or len(package.title) >= 128:
        yield "title"
    if package.home and not _HOME.fullmatch(package.home):
        yield "homeCommunityId"
    contents = package.coded(ebrim.SET_CONTENT_TYPE)
    if len(contents) != 1 or not contents[0].code or not contents[0].coding_scheme:
        yield "contentTypeCode"
