"""IHE document metadata as frozen records, in the standard's words.

Records hold what the wire holds: times as DTM strings in the precision that was
sent, the patient as an HL7 CX. They accept what others send; what we send is
checked by :mod:`nsp_client.xds.checks` before it is written. ``repr()`` leaves
out every attribute that names the patient.

Source: IHE ITI TF-3 chapter 4 (objects, attributes, UUIDs); the Danish XDS
metadata profile 1.0.1 (which attributes are used, and how they are encoded).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import ClassVar, Final

from nsp_client.errors import InvalidMetadata
from nsp_client.identifiers import Cpr


class ObjectType(enum.StrEnum):
    """What kind of DocumentEntry: stored bytes, or made when asked for."""

    STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
    ON_DEMAND = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"


class AvailabilityStatus(enum.StrEnum):
    """Status of an entry or submission set."""

    APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
    DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"


class AssociationType(enum.StrEnum):
    """Kinds of association between registry objects."""

    HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
    RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
    APND = "urn:ihe:iti:2007:AssociationType:APND"
    XFRM = "urn:ihe:iti:2007:AssociationType:XFRM"
    XFRM_RPLC = "urn:ihe:iti:2007:AssociationType:XFRM_RPLC"
    SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
    IS_SNAPSHOT_OF = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"
    UPDATE_AVAILABILITY_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
    SUBMIT_ASSOCIATION = "urn:ihe:iti:2010:AssociationType:SubmitAssociation"


class Scheme(enum.StrEnum):
    """Classification and identification schemes of the attributes that we use."""

    ENTRY_AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
    ENTRY_CLASS_CODE = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
    ENTRY_CONFIDENTIALITY_CODE = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
    ENTRY_EVENT_CODE_LIST = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
    ENTRY_FORMAT_CODE = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
    ENTRY_HEALTHCARE_FACILITY_TYPE_CODE = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
    ENTRY_PRACTICE_SETTING_CODE = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
    ENTRY_TYPE_CODE = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
    ENTRY_PATIENT_ID = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
    ENTRY_UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
    SET_AUTHOR = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
    SET_CONTENT_TYPE_CODE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
    SET_PATIENT_ID = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
    SET_UNIQUE_ID = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
    SET_SOURCE_ID = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"


SUBMISSION_SET_NODE: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
"""Classification node that marks a RegistryPackage as a submission set."""

REFERENCE_ID_LIST: Final = "urn:ihe:iti:xds:2013:referenceIdList"
"""Name of the slot with reference ids."""

SHA1_OF_NOTHING: Final = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
"""SHA-1 of no bytes; Danish entries carry it as a filler, so it proves nothing."""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value: code, coding scheme as bare OID, and a display text."""

    code: str
    scheme: str
    display: str


@dataclass(frozen=True, slots=True)
class AuthorInstitution:
    """Name of an organisation and its SOR code (XON.1 and XON.10)."""

    name: str
    sor_code: str


@dataclass(frozen=True, slots=True)
class AuthorPerson:
    """A person's name (XCN.2 to XCN.4); ids are not used in Denmark."""

    family: str
    given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PatientInfo:
    """Demographics of the patient as the source knew them (PID-5, PID-7, PID-8).

    Attributes:
        gender: ``M``, ``F``, ``O`` or ``U``.
    """

    family: str
    given: tuple[str, ...]
    birth_date: date | None
    gender: str | None


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """A document as the registry describes it.

    Attributes:
        entry_uuid: ``urn:uuid:…``, id of the entry; what replacements point to.
        unique_id: id of the document; opaque.
        patient_id, source_patient_id: CX, ``<cpr>^^^&1.2.208.176.1.2&ISO``.
        creation_time, service_start_time, service_stop_time: DTM in UTC.
        hash: SHA-1 of the document's bytes as hexadecimal digits.
        size: number of bytes.
        repository_unique_id: bare OID.
        home_community_id: ``urn:oid:…``.
        logical_id: ``lid``; None reads as ``entry_uuid``.
        extra_slots: slots without an attribute here, kept in their order.
    """

    entry_uuid: str
    unique_id: str
    patient_id: str = field(repr=False)
    source_patient_id: str = field(repr=False)
    mime_type: str
    class_code: Code
    type_code: Code
    format_code: Code
    healthcare_facility_type_code: Code
    practice_setting_code: Code
    confidentiality_codes: tuple[Code, ...]
    event_codes: tuple[Code, ...] = ()
    title: str | None = field(default=None, repr=False)
    source_patient_info: PatientInfo | None = field(default=None, repr=False)
    author_institution: AuthorInstitution | None = None
    author_person: AuthorPerson | None = field(default=None, repr=False)
    legal_authenticator: AuthorPerson | None = field(default=None, repr=False)
    language_code: str | None = "da-DK"
    creation_time: str | None = None
    service_start_time: str | None = None
    service_stop_time: str | None = None
    hash: str | None = None
    size: int | None = None
    repository_unique_id: str | None = None
    home_community_id: str | None = None
    object_type: str = ObjectType.STABLE
    availability_status: str = AvailabilityStatus.APPROVED
    logical_id: str | None = None
    version: str = "1"
    reference_ids: tuple[str, ...] = field(default=(), repr=False)
    uri: str | None = None
    comments: str | None = field(default=None, repr=False)
    extra_slots: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), repr=False)

    @property
    def is_on_demand(self) -> bool:
        return self.object_type == ObjectType.ON_DEMAND


@dataclass(frozen=True, slots=True)
class SubmissionSet:
    """One act of submitting; its ``unique_id`` tells a resend from a new submission.

    Attributes:
        unique_id: bare OID, ``2.25.<decimal UUID>``.
        source_id: bare OID of the sending system.
        submission_time: DTM in UTC, to the second.
    """

    entry_uuid: str
    unique_id: str
    source_id: str
    patient_id: str = field(repr=False)
    submission_time: str
    content_type_code: Code
    author_institution: AuthorInstitution | None = None
    author_person: AuthorPerson | None = field(default=None, repr=False)
    title: str | None = "Journalnotat"
    home_community_id: str | None = None
    availability_status: str = AvailabilityStatus.APPROVED


@dataclass(frozen=True, slots=True)
class Association:
    """A directed link between two registry objects; the slots depend on its type."""

    RPLC: ClassVar = AssociationType.RPLC
    HAS_MEMBER: ClassVar = AssociationType.HAS_MEMBER

    association_id: str
    association_type: str
    source: str
    target: str
    submission_set_status: str | None = None
    original_status: str | None = None
    new_status: str | None = None
    previous_version: str | None = None


def patient_cx(cpr: Cpr) -> str:
    """Write the patient id of entries, sets and queries."""
    return cpr.cx


def dtm(moment: datetime) -> str:
    """Write an instant as a DTM: UTC, fourteen digits, fractions cut.

    Raises:
        InvalidMetadata: the time has no offset, so its instant is not known.

    Source: IHE ITI TF-3 table 4.2.3.1.7-2, DTM; the Danish profile asks for the second.
    """
    offset = moment.utcoffset()
    if offset is None:
        raise InvalidMetadata("time", "an instant needs an offset")
    if offset:
        moment = moment.astimezone(UTC)
    return (
        f"{moment.year:04d}{moment.month:02d}{moment.day:02d}"
        f"{moment.hour:02d}{moment.minute:02d}{moment.second:02d}"
    )


_EARLIEST: Final = "00000101000000"


def padded_dtm(value: str) -> str:
    """Fill a DTM of less precision up to its earliest moment, for comparing.

    Raises:
        InvalidMetadata: not ``YYYY[MM[DD[hh[mm[ss]]]]]`` of a real moment.
    """
    length = len(value)
    if not (value.isascii() and value.isdigit() and 4 <= length <= 14 and length % 2 == 0):
        raise InvalidMetadata("time", "not a DTM")
    full = value + _EARLIEST[length:]
    _moment(full)
    return full


def _moment(full: str) -> datetime:
    try:
        return datetime(
            int(full[:4]),
            int(full[4:6]),
            int(full[6:8]),
            int(full[8:10]),
            int(full[10:12]),
            int(full[12:]),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise InvalidMetadata("time", "no such moment") from error


def instant_of(value: str) -> datetime:
    """Read a DTM of any precision as its earliest instant, aware, in UTC."""
    return _moment(padded_dtm(value))


def is_full_dtm(value: str) -> bool:
    """Tell whether ``value`` is a DTM of fourteen digits naming a real moment."""
    if len(value) != 14:
        return False
    try:
        padded_dtm(value)
    except InvalidMetadata:
        return False
    return True
