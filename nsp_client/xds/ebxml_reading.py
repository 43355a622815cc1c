"""ebRIM to metadata records, taking what real registries send.

Values are trimmed (some systems break lines inside them), attributes that are
missing read as None or as an empty code, slots without an attribute of their own
are kept. Nothing here decides whether an entry may be trusted or shown.

Source: OASIS ebRIM 3.0; IHE ITI TF-3 4.2.3 and 4.2.5; recorded Danish answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from nsp_client.errors import MalformedMessage
from nsp_client.xds.hl7 import read_patient_info, read_xcn, read_xon
from nsp_client.xds.metadata import (
    REFERENCE_ID_LIST,
    SUBMISSION_SET_NODE,
    Association,
    AuthorInstitution,
    AuthorPerson,
    AvailabilityStatus,
    Code,
    DocumentEntry,
    ObjectType,
    Scheme,
    SubmissionSet,
)
from nsp_client.xds.namespaces import RIM_NS

_SLOT: Final = f"{{{RIM_NS}}}Slot"
_VALUE: Final = f"{{{RIM_NS}}}ValueList/{{{RIM_NS}}}Value"
_LOCALIZED: Final = f"{{{RIM_NS}}}LocalizedString"
_NAME: Final = f"{{{RIM_NS}}}Name"
_DESCRIPTION: Final = f"{{{RIM_NS}}}Description"
_VERSION: Final = f"{{{RIM_NS}}}VersionInfo"
_CLASSIFICATION: Final = f"{{{RIM_NS}}}Classification"
_IDENTIFIER: Final = f"{{{RIM_NS}}}ExternalIdentifier"
_EXTRINSIC: Final = f"{{{RIM_NS}}}ExtrinsicObject"
_PACKAGE: Final = f"{{{RIM_NS}}}RegistryPackage"
_ASSOCIATION: Final = f"{{{RIM_NS}}}Association"
_OBJECT_REF: Final = f"{{{RIM_NS}}}ObjectRef"

_NO_CODE: Final = Code("", "", "")
_KNOWN_SLOTS: Final = frozenset(
    {
        "creationTime",
        "hash",
        "languageCode",
        "legalAuthenticator",
        "repositoryUniqueId",
        "serviceStartTime",
        "serviceStopTime",
        "size",
        "sourcePatientId",
        "sourcePatientInfo",
        "URI",
        REFERENCE_ID_LIST,
    }
)


@dataclass(frozen=True, slots=True)
class RegistryObjects:
    """The content of a ``rim:RegistryObjectList``, by kind and in order."""

    entries: tuple[DocumentEntry, ...] = ()
    submission_sets: tuple[SubmissionSet, ...] = ()
    associations: tuple[Association, ...] = ()
    object_refs: tuple[str, ...] = ()


def slots_of(element: etree._Element) -> dict[str, list[str]]:
    """Read the slots of an object: trimmed values by name, empty values left out.

    Raises:
        MalformedMessage: a slot without a name, or the same name twice.
    """
    slots: dict[str, list[str]] = {}
    for slot in element.iterchildren(_SLOT):
        name = slot.get("name")
        if not name or name in slots:
            raise MalformedMessage("a slot without a name, or twice in one object")
        slots[name] = [
            value for value in (_one_line(child.text) for child in slot.iterfind(_VALUE)) if value
        ]
    return slots


def _one_line(value: str | None) -> str:
    if value is None:
        return ""
    # Line breaks inside a value are a pretty-printer's, not the sender's.
    return value.strip() if value.isprintable() else " ".join(value.split())


def _first(slots: dict[str, list[str]], name: str) -> str | None:
    values = slots.get(name)
    return values[0] if values else None


def _label(element: etree._Element, tag: str) -> str | None:
    """Text of the first LocalizedString of a Name or Description, or None."""
    named = element.find(f"{tag}/{_LOCALIZED}")
    return None if named is None else named.get("value")


class _Parts:
    """Classifications by scheme and identifier values by scheme, of one object."""

    def __init__(self, element: etree._Element) -> None:
        self._codes: dict[str, list[etree._Element]] = {}
        for classification in element.iterchildren(_CLASSIFICATION):
            scheme = (classification.get("classificationScheme") or "").lower()
            self._codes.setdefault(scheme, []).append(classification)
        self._values: dict[str, str] = {}
        for identifier in element.iterchildren(_IDENTIFIER):
            scheme = (identifier.get("identificationScheme") or "").lower()
            self._values.setdefault(scheme, _one_line(identifier.get("value")))

    def value(self, scheme: Scheme) -> str:
        return self._values.get(scheme.value, "")

    def codes(self, scheme: Scheme) -> tuple[Code, ...]:
        return tuple(_code_of(element) for element in self._codes.get(scheme.value, ()))

    def code(self, scheme: Scheme) -> Code:
        codes = self.codes(scheme)
        return codes[0] if codes else _NO_CODE

    def author(self, scheme: Scheme) -> tuple[AuthorInstitution | None, AuthorPerson | None]:
        """The first author; Danish entries have no other."""
        for element in self._codes.get(scheme.value, ()):
            slots = slots_of(element)
            institution = _first(slots, "authorInstitution")
            person = _first(slots, "authorPerson")
            return (
                None if institution is None else read_xon(institution),
                None if person is None else read_xcn(person),
            )
        return None, None


def _code_of(element: etree._Element) -> Code:
    return Code(
        code=_one_line(element.get("nodeRepresentation")),
        scheme=_first(slots_of(element), "codingScheme") or "",
        display=_label(element, _NAME) or "",
    )


def read_document_entry(element: etree._Element) -> DocumentEntry:
    """Read a ``rim:ExtrinsicObject``.

    Raises:
        MalformedMessage: no id, or a slot twice.
    """
    entry_uuid = element.get("id")
    if not entry_uuid:
        raise MalformedMessage("an ExtrinsicObject without id")
    slots = slots_of(element)
    parts = _Parts(element)
    institution, person = parts.author(Scheme.ENTRY_AUTHOR)
    authenticator = _first(slots, "legalAuthenticator")
    version = element.find(_VERSION)
    size = _first(slots, "size")
    return DocumentEntry(
        entry_uuid=entry_uuid,
        unique_id=parts.value(Scheme.ENTRY_UNIQUE_ID),
        patient_id=parts.value(Scheme.ENTRY_PATIENT_ID),
        source_patient_id=_first(slots, "sourcePatientId") or "",
        source_patient_info=read_patient_info(slots.get("sourcePatientInfo", [])),
        title=_label(element, _NAME),
        comments=_label(element, _DESCRIPTION),
        mime_type=_one_line(element.get("mimeType")),
        class_code=parts.code(Scheme.ENTRY_CLASS_CODE),
        type_code=parts.code(Scheme.ENTRY_TYPE_CODE),
        format_code=parts.code(Scheme.ENTRY_FORMAT_CODE),
        healthcare_facility_type_code=parts.code(Scheme.ENTRY_HEALTHCARE_FACILITY_TYPE_CODE),
        practice_setting_code=parts.code(Scheme.ENTRY_PRACTICE_SETTING_CODE),
        confidentiality_codes=parts.codes(Scheme.ENTRY_CONFIDENTIALITY_CODE),
        event_codes=parts.codes(Scheme.ENTRY_EVENT_CODE_LIST),
        author_institution=institution,
        author_person=person,
        legal_authenticator=None if authenticator is None else read_xcn(authenticator),
        language_code=_first(slots, "languageCode"),
        creation_time=_first(slots, "creationTime"),
        service_start_time=_first(slots, "serviceStartTime"),
        service_stop_time=_first(slots, "serviceStopTime"),
        hash=_first(slots, "hash"),
        size=int(size) if size is not None and size.isascii() and size.isdigit() else None,
        repository_unique_id=_first(slots, "repositoryUniqueId"),
        home_community_id=element.get("home"),
        object_type=_one_line(element.get("objectType")) or ObjectType.STABLE,
        availability_status=_one_line(element.get("status")) or AvailabilityStatus.APPROVED,
        logical_id=element.get("lid"),
        version="1" if version is None else version.get("versionName") or "1",
        reference_ids=tuple(slots.get(REFERENCE_ID_LIST, ())),
        uri=_first(slots, "URI"),
        extra_slots=tuple(
            (name, tuple(values)) for name, values in slots.items() if name not in _KNOWN_SLOTS
        ),
    )


def read_submission_set(element: etree._Element) -> SubmissionSet:
    """Read a ``rim:RegistryPackage`` as a submission set; errors as for an entry."""
    entry_uuid = element.get("id")
    if not entry_uuid:
        raise MalformedMessage("a RegistryPackage without id")
    parts = _Parts(element)
    institution, person = parts.author(Scheme.SET_AUTHOR)
    return SubmissionSet(
        entry_uuid=entry_uuid,
        unique_id=parts.value(Scheme.SET_UNIQUE_ID),
        source_id=parts.value(Scheme.SET_SOURCE_ID),
        patient_id=parts.value(Scheme.SET_PATIENT_ID),
        submission_time=_first(slots_of(element), "submissionTime") or "",
        content_type_code=parts.code(Scheme.SET_CONTENT_TYPE_CODE),
        author_institution=institution,
        author_person=person,
        title=_label(element, _NAME),
        home_community_id=element.get("home"),
        availability_status=_one_line(element.get("status")) or AvailabilityStatus.APPROVED,
    )


def read_association(element: etree._Element) -> Association:
    """Read a ``rim:Association``.

    Raises:
        MalformedMessage: type, source or target is missing.
    """
    kind = _one_line(element.get("associationType"))
    source = _one_line(element.get("sourceObject"))
    target = _one_line(element.get("targetObject"))
    if not (kind and source and target):
        raise MalformedMessage("an Association without type, source or target")
    slots = slots_of(element)
    return Association(
        association_id=element.get("id") or "",
        association_type=kind,
        source=source,
        target=target,
        submission_set_status=_first(slots, "SubmissionSetStatus"),
        original_status=_first(slots, "OriginalStatus"),
        new_status=_first(slots, "NewStatus"),
        previous_version=_first(slots, "PreviousVersion"),
    )


def read_registry_objects(object_list: etree._Element) -> RegistryObjects:
    """Read a ``rim:RegistryObjectList``; packages that are no submission set are left out."""
    marked = set(_marked_sets(object_list))
    return RegistryObjects(
        entries=tuple(read_document_entry(e) for e in object_list.iterchildren(_EXTRINSIC)),
        submission_sets=tuple(
            read_submission_set(element)
            for element in object_list.iterchildren(_PACKAGE)
            if element.get("id") in marked
        ),
        associations=tuple(read_association(e) for e in object_list.iterchildren(_ASSOCIATION)),
        object_refs=tuple(
            reference
            for reference in (e.get("id") for e in object_list.iterchildren(_OBJECT_REF))
            if reference
        ),
    )


def _marked_sets(object_list: etree._Element) -> Iterator[str]:
    """Ids that a classification calls a submission set, inside the package or beside it."""
    for classification in object_list.iter(_CLASSIFICATION):
        if (classification.get("classificationNode") or "").lower() == SUBMISSION_SET_NODE:
            classified = classification.get("classifiedObject")
            if classified:
                yield classified
