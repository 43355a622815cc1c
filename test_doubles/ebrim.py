"""ebRIM as the registry double reads it: a submission as plain records.

Nothing is judged here except what stops the reading; ``metadata_checks.py``
and ``registry.py`` judge. Source: ebRIM 3.0; IHE ITI TF-3 4.2; ihe-xds 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from test_doubles.soap import SoapFault

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
XDSB = "urn:ihe:iti:xds-b:2007"

STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
ON_DEMAND = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"
SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
FOLDER = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"

ENTRY_PATIENT_ID = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
ENTRY_UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
SET_PATIENT_ID = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
SET_UNIQUE_ID = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
SET_SOURCE_ID = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"

ENTRY_AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
SET_AUTHOR = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
SET_CONTENT_TYPE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
EVENT_CODES = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
ENTRY_CODES = {
    "classCode": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "confidentialityCode": "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    "formatCode": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "healthcareFacilityTypeCode": "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
    "practiceSettingCode": "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead",
    "typeCode": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
}
"""Attributes of an entry with exactly one code, and their classification schemes."""

HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
RPLC = "urn:ihe:iti:2007:AssociationType:RPLC"
APND = "urn:ihe:iti:2007:AssociationType:APND"
XFRM = "urn:ihe:iti:2007:AssociationType:XFRM"
XFRM_RPLC = "urn:ihe:iti:2007:AssociationType:XFRM_RPLC"
SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
UPDATE_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"

APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"

Slots = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Code:
    """A classification: ``code`` is nodeRepresentation, ``display`` its Name."""

    scheme: str
    code: str
    display: str
    classified_object: str
    slots: Slots

    @property
    def coding_scheme(self) -> str:
        """The one value of slot codingScheme, else empty."""
        values = self.slots.get("codingScheme", ())
        return values[0] if len(values) == 1 else ""


@dataclass(frozen=True, slots=True)
class RegistryObject:
    """An ExtrinsicObject or RegistryPackage as it was sent.

    ``identifiers`` are pairs of scheme and value; ``doubled_slots`` the names
    that occur more than once; ``foreign_owners`` how many classifications and
    identifiers name another object than this one as theirs.
    """

    id: str
    object_type: str
    mime_type: str
    home: str
    status: str
    title: str
    slots: Slots
    doubled_slots: tuple[str, ...]
    codes: tuple[Code, ...]
    identifiers: tuple[tuple[str, str], ...]
    foreign_owners: int

    def identifier(self, scheme: str) -> str:
        """The value of the one identifier of that scheme, else empty."""
        values = [value for found, value in self.identifiers if found == scheme]
        return values[0] if len(values) == 1 else ""

    def coded(self, scheme: str) -> tuple[Code, ...]:
        """The classifications of one scheme."""
        return tuple(code for code in self.codes if code.scheme == scheme)

    def slot(self, name: str) -> str:
        """The one value of a slot, else empty."""
        values = self.slots.get(name, ())
        return values[0] if len(values) == 1 else ""


@dataclass(frozen=True, slots=True)
class Association:
    """An association as it was sent."""

    id: str
    type: str
    source: str
    target: str
    slots: Slots


@dataclass(frozen=True, slots=True)
class Submission:
    """A SubmitObjectsRequest. ``unmarked``: packages that are neither set nor folder."""

    sets: tuple[RegistryObject, ...]
    folders: tuple[RegistryObject, ...]
    unmarked: tuple[RegistryObject, ...]
    entries: tuple[RegistryObject, ...]
    associations: tuple[Association, ...]

    def ids(self) -> list[str]:
        """Ids of all objects, in order, doubles included."""
        objects = (*self.entries, *self.sets, *self.folders, *self.unmarked)
        return [o.id for o in objects] + [a.id for a in self.associations if a.id]


def read_submission(request: etree._Element) -> Submission:
    """Read an ``lcm:SubmitObjectsRequest``.

    Raises:
        SoapFault: ``syntax_error``: another element, or no object list.
    """
    if request.tag != f"{{{LCM}}}SubmitObjectsRequest":
        raise SoapFault("syntax_error", "SubmitObjectsRequest is missing")
    objects = request.find(f"{{{RIM}}}RegistryObjectList")
    if objects is None:
        raise SoapFault("syntax_error", "RegistryObjectList is missing")
    packages = objects.findall(f"{{{RIM}}}RegistryPackage")
    nodes: dict[str, set[str]] = {}
    for marker in objects.iter(f"{{{RIM}}}Classification"):
        node = marker.get("classificationNode")
        if node:
            nodes.setdefault(marker.get("classifiedObject", ""), set()).add(node)
    sets: list[RegistryObject] = []
    folders: list[RegistryObject] = []
    unmarked: list[RegistryObject] = []
    for package in packages:
        marks = nodes.get(package.get("id", ""), set())
        target = sets if SUBMISSION_SET in marks else folders if FOLDER in marks else unmarked
        target.append(_object(package))
    return Submission(
        tuple(sets),
        tuple(folders),
        tuple(unmarked),
        tuple(_object(e) for e in objects.findall(f"{{{RIM}}}ExtrinsicObject")),
        tuple(_association(a) for a in objects.findall(f"{{{RIM}}}Association")),
    )


def _object(element: etree._Element) -> RegistryObject:
    slots, doubled = _slots(element)
    own = element.get("id", "")
    codes, identifiers, foreign = [], [], 0
    for found in element.findall(f"{{{RIM}}}Classification"):
        foreign += found.get("classifiedObject", "") != own
        if not found.get("classificationNode"):
            codes.append(_code(found))
    for found in element.findall(f"{{{RIM}}}ExternalIdentifier"):
        foreign += found.get("registryObject", "") != own
        identifiers.append((found.get("identificationScheme", ""), found.get("value", "")))
    return RegistryObject(
        own,
        element.get("objectType", ""),
        element.get("mimeType", ""),
        element.get("home", ""),
        element.get("status", ""),
        _name(element),
        slots,
        doubled,
        tuple(codes),
        tuple(identifiers),
        foreign,
    )


def _code(element: etree._Element) -> Code:
    return Code(
        element.get("classificationScheme", ""),
        element.get("nodeRepresentation", ""),
        _name(element),
        element.get("classifiedObject", ""),
        _slots(element)[0],
    )


def _association(element: etree._Element) -> Association:
    return Association(
        element.get("id", ""),
        element.get("associationType", ""),
        element.get("sourceObject", ""),
        element.get("targetObject", ""),
        _slots(element)[0],
    )


def _name(element: etree._Element) -> str:
    localized = element.find(f"{{{RIM}}}Name/{{{RIM}}}LocalizedString")
    return "" if localized is None else localized.get("value", "")


def _slots(element: etree._Element) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    slots: dict[str, tuple[str, ...]] = {}
    doubled: list[str] = []
    for slot in element.findall(f"{{{RIM}}}Slot"):
        name = slot.get("name", "")
        if name in slots:
            doubled.append(name)
        # Recorded messages have line ends behind the text (nsp 3.9).
        slots[name] = tuple(
            (value.text or "").strip()
            for value in slot.iterfind(f"{{{RIM}}}ValueList/{{{RIM}}}Value")
        )
    return slots, tuple(doubled)
