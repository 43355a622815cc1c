"""Metadata records to ebRIM, as string templates with everything escaped.

The ids that ebRIM wants inside an object (classifications, external identifiers)
are derived from the object's own id: the same record gives the same bytes, in a
resend and in every answer.

Source: OASIS ebRIM 3.0; IHE ITI TF-3 4.2.3 and 4.2.5 (which attribute sits where).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from uuid import UUID

from nsp_client.xds.ebxml_reading import (
    RegistryObjects,
    read_association,
    read_document_entry,
    read_registry_objects,
    read_submission_set,
)
from nsp_client.xds.hl7 import write_patient_info, write_xcn, write_xon
from nsp_client.xds.metadata import (
    REFERENCE_ID_LIST,
    SUBMISSION_SET_NODE,
    Association,
    AuthorInstitution,
    AuthorPerson,
    Code,
    DocumentEntry,
    Scheme,
    SubmissionSet,
)
from nsp_client.xds.namespaces import RIM_NS
from nsp_client.xml_text import attribute, text

_OBJECT_TYPE: Final = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
_ID_NAMESPACE: Final = UUID("6f6b1a36-9c1b-5d5e-8f0e-0d7f6a9c2b11").bytes
_LANGUAGE: Final = "da-DK"


class _Owner:
    """Hands out the ids of what belongs to one registry object, and writes those parts."""

    __slots__ = ("_count", "_prefix", "owner")

    def __init__(self, owner: str) -> None:
        self.owner = attribute(owner)
        self._prefix = _id_prefix(owner)
        self._count = 0

    def next_id(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count:04x}"

    def code(self, scheme: Scheme, code: Code) -> str:
        return (
            f'<rim:Classification id="{self.next_id()}" classificationScheme="{scheme}"'
            f' classifiedObject="{self.owner}" {_code_tail(code)}'
        )

    def author(
        self, scheme: Scheme, institution: AuthorInstitution | None, person: AuthorPerson | None
    ) -> str:
        slots = ""
        if person is not None:
            slots += _slot("authorPerson", (write_xcn(person),))
        if institution is not None:
            slots += _slot("authorInstitution", (write_xon(institution),))
        if not slots:
            return ""
        return (
            f'<rim:Classification id="{self.next_id()}" classificationScheme="{scheme}"'
            f' classifiedObject="{self.owner}" nodeRepresentation=""'
            f' objectType="{_OBJECT_TYPE}Classification">{slots}</rim:Classification>'
        )

    def identifier(self, scheme: Scheme, value: str, name: str) -> str:
        return (
            f'<rim:ExternalIdentifier id="{self.next_id()}" registryObject="{self.owner}"'
            f' identificationScheme="{scheme}" value="{attribute(value)}"'
            f' objectType="{_OBJECT_TYPE}ExternalIdentifier">'
            f'<rim:Name><rim:LocalizedString value="{name}"/></rim:Name></rim:ExternalIdentifier>'
        )


@lru_cache(maxsize=512)
def _code_tail(code: Code) -> str:
    """What a code looks like whoever owns it; the same few codes come again in every note."""
    return (
        f'nodeRepresentation="{attribute(code.code)}"'
        f' objectType="{_OBJECT_TYPE}Classification">'
        f"{_slot('codingScheme', (code.scheme,))}{_name(code.display)}</rim:Classification>"
    )


def _id_prefix(name: str) -> str:
    """All but the last four digits of a version 5 UUID of ``name``; those count up."""
    digits = hashlib.sha1(_ID_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    return f"urn:uuid:{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-a{digits[17:20]}-{digits[20:28]}"


def derived_ids(owner: str, count: int) -> list[str]:
    """Derive ``count`` UUIDs from an id, none of which stands in the object itself.

    The same id gives the same list, so that a resend repeats every id.
    """
    prefix = _id_prefix(f"association {owner}")
    return [f"{prefix}{number:04x}" for number in range(1, count + 1)]


def _slot(name: str, values: Iterable[str]) -> str:
    written = "".join([f"<rim:Value>{text(value)}</rim:Value>" for value in values])
    return f'<rim:Slot name="{name}"><rim:ValueList>{written}</rim:ValueList></rim:Slot>'


def _optional_slot(name: str, value: str | None) -> str:
    return "" if value is None else _slot(name, (value,))


def _name(value: str) -> str:
    return (
        f'<rim:Name><rim:LocalizedString xml:lang="{_LANGUAGE}" charset="UTF-8"'
        f' value="{attribute(value)}"/></rim:Name>'
    )


def _optional_attribute(name: str, value: str | None) -> str:
    return "" if value is None else f' {name}="{attribute(value)}"'


def _entry_slots(entry: DocumentEntry) -> str:
    slots = [
        _optional_slot("creationTime", entry.creation_time),
        _optional_slot("hash", entry.hash),
        _optional_slot("languageCode", entry.language_code),
    ]
    if entry.legal_authenticator is not None:
        slots.append(_slot("legalAuthenticator", (write_xcn(entry.legal_authenticator),)))
    slots += (
        _optional_slot("repositoryUniqueId", entry.repository_unique_id),
        _optional_slot("serviceStartTime", entry.service_start_time),
        _optional_slot("serviceStopTime", entry.service_stop_time),
        "" if entry.size is None else _slot("size", (str(entry.size),)),
        _slot("sourcePatientId", (entry.source_patient_id,)),
    )
    if entry.source_patient_info is not None:
        values = write_patient_info(entry.source_patient_info, entry.source_patient_id)
        slots.append(_slot("sourcePatientInfo", values))
    if entry.uri is not None:
        slots.append(_slot("URI", (entry.uri,)))
    if entry.reference_ids:
        slots.append(_slot(REFERENCE_ID_LIST, entry.reference_ids))
    slots += (_slot(attribute(name), values) for name, values in entry.extra_slots)
    return "".join(slots)


def write_document_entry(entry: DocumentEntry, *, in_answer: bool = False) -> str:
    """Write an entry as ``rim:ExtrinsicObject``; the prefix ``rim`` is bound outside.

    Args:
        in_answer: adds what only a registry's answer carries: ``lid`` and the
            version.
    """
    owner = _Owner(entry.entry_uuid)
    head = (
        f'<rim:ExtrinsicObject id="{owner.owner}"'
        f"{_optional_attribute('home', entry.home_community_id)}"
    )
    version = ""
    if in_answer:
        head += f' lid="{attribute(entry.logical_id or entry.entry_uuid)}"'
        version = f'<rim:VersionInfo versionName="{attribute(entry.version)}"/>'
    comments = ""
    if entry.comments is not None:
        comments = (
            f'<rim:Description><rim:LocalizedString xml:lang="{_LANGUAGE}"'
            f' value="{attribute(entry.comments)}"/></rim:Description>'
        )
    return "".join(
        (
            head,
            f' mimeType="{attribute(entry.mime_type)}" objectType="{attribute(entry.object_type)}"'
            f' status="{attribute(entry.availability_status)}">',
            _entry_slots(entry),
            "" if entry.title is None else _name(entry.title),
            comments,
            version,
            owner.author(Scheme.ENTRY_AUTHOR, entry.author_institution, entry.author_person),
            owner.code(Scheme.ENTRY_CLASS_CODE, entry.class_code),
            *(
                owner.code(Scheme.ENTRY_CONFIDENTIALITY_CODE, code)
                for code in entry.confidentiality_codes
            ),
            *(owner.code(Scheme.ENTRY_EVENT_CODE_LIST, code) for code in entry.event_codes),
            owner.code(Scheme.ENTRY_FORMAT_CODE, entry.format_code),
            owner.code(
                Scheme.ENTRY_HEALTHCARE_FACILITY_TYPE_CODE, entry.healthcare_facility_type_code
            ),
            owner.code(Scheme.ENTRY_PRACTICE_SETTING_CODE, entry.practice_setting_code),
            owner.code(Scheme.ENTRY_TYPE_CODE, entry.type_code),
            owner.identifier(
                Scheme.ENTRY_PATIENT_ID, entry.patient_id, "XDSDocumentEntry.patientId"
            ),
            owner.identifier(Scheme.ENTRY_UNIQUE_ID, entry.unique_id, "XDSDocumentEntry.uniqueId"),
            "</rim:ExtrinsicObject>",
        )
    )


def write_submission_set(submission_set: SubmissionSet) -> str:
    """Write a set as ``rim:RegistryPackage`` and, beside it, the node that marks it as one."""
    owner = _Owner(submission_set.entry_uuid)
    title = "" if submission_set.title is None else _name(submission_set.title)
    package = (
        f'<rim:RegistryPackage id="{owner.owner}"'
        f"{_optional_attribute('home', submission_set.home_community_id)}"
        f' objectType="{_OBJECT_TYPE}RegistryPackage"'
        f' status="{attribute(submission_set.availability_status)}">'
        f"{_slot('submissionTime', (submission_set.submission_time,))}{title}"
    )
    package += owner.author(
        Scheme.SET_AUTHOR, submission_set.author_institution, submission_set.author_person
    )
    package += owner.code(Scheme.SET_CONTENT_TYPE_CODE, submission_set.content_type_code)
    package += owner.identifier(
        Scheme.SET_PATIENT_ID, submission_set.patient_id, "XDSSubmissionSet.patientId"
    )
    package += owner.identifier(
        Scheme.SET_UNIQUE_ID, submission_set.unique_id, "XDSSubmissionSet.uniqueId"
    )
    package += owner.identifier(
        Scheme.SET_SOURCE_ID, submission_set.source_id, "XDSSubmissionSet.sourceId"
    )
    return (
        f'{package}</rim:RegistryPackage><rim:Classification id="{owner.next_id()}"'
        f' classifiedObject="{owner.owner}" classificationNode="{SUBMISSION_SET_NODE}"'
        f' objectType="{_OBJECT_TYPE}Classification"/>'
    )


def write_association(association: Association) -> str:
    """Write an association with the slots that its type asks for."""
    slots = (
        _optional_slot("SubmissionSetStatus", association.submission_set_status)
        + _optional_slot("OriginalStatus", association.original_status)
        + _optional_slot("NewStatus", association.new_status)
        + _optional_slot("PreviousVersion", association.previous_version)
    )
    return (
        f'<rim:Association id="{attribute(association.association_id)}"'
        f' associationType="{attribute(association.association_type)}"'
        f' sourceObject="{attribute(association.source)}"'
        f' targetObject="{attribute(association.target)}"'
        f' objectType="{_OBJECT_TYPE}Association">{slots}</rim:Association>'
    )


def write_registry_object_list(entries: Iterable[DocumentEntry], *, in_answer: bool = True) -> str:
    """Write entries as a complete ``rim:RegistryObjectList``, as a query's answer holds them."""
    written = "".join([write_document_entry(entry, in_answer=in_answer) for entry in entries])
    return f'<rim:RegistryObjectList xmlns:rim="{RIM_NS}">{written}</rim:RegistryObjectList>'


def write_object_refs(entries: Iterable[DocumentEntry]) -> str:
    """Write references to entries as a complete ``rim:RegistryObjectList``."""
    written = "".join(
        [
            f'<rim:ObjectRef id="{attribute(entry.entry_uuid)}"'
            f"{_optional_attribute('home', entry.home_community_id)}/>"
            for entry in entries
        ]
    )
    return f'<rim:RegistryObjectList xmlns:rim="{RIM_NS}">{written}</rim:RegistryObjectList>'


__all__ = [
    "RegistryObjects",
    "derived_ids",
    "read_association",
    "read_document_entry",
    "read_registry_objects",
    "read_submission_set",
    "write_association",
    "write_document_entry",
    "write_object_refs",
    "write_registry_object_list",
    "write_submission_set",
]
