"""ebRIM as it stands on the wire: each value as text, nothing trimmed away or mended.

For judging metadata. The client's own reader takes what real registries send and
so would hide the very faults looked for here.

Source: xds-metadata-dk 3.1, 8; OASIS ebRIM 3.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from nsp_client.xds.metadata import SUBMISSION_SET_NODE, Scheme
from nsp_client.xds.namespaces import RIM_NS

MOST_BYTES: Final = 5_000_000
"""Metadata of one note are 5 kB; what is longer than this is not read."""

_R: Final = f"{{{RIM_NS}}}"

CODE_SCHEMES: Final = {
    Scheme.ENTRY_CLASS_CODE: "classCode",
    Scheme.ENTRY_CONFIDENTIALITY_CODE: "confidentialityCode",
    Scheme.ENTRY_EVENT_CODE_LIST: "eventCodeList",
    Scheme.ENTRY_FORMAT_CODE: "formatCode",
    Scheme.ENTRY_HEALTHCARE_FACILITY_TYPE_CODE: "healthcareFacilityTypeCode",
    Scheme.ENTRY_PRACTICE_SETTING_CODE: "practiceSettingCode",
    Scheme.ENTRY_TYPE_CODE: "typeCode",
    Scheme.SET_CONTENT_TYPE_CODE: "contentTypeCode",
}
AUTHOR_SCHEMES: Final = frozenset({Scheme.ENTRY_AUTHOR, Scheme.SET_AUTHOR})
IDENTIFIER_SCHEMES: Final = {
    Scheme.ENTRY_PATIENT_ID: "patientId",
    Scheme.ENTRY_UNIQUE_ID: "uniqueId",
    Scheme.SET_PATIENT_ID: "patientId",
    Scheme.SET_UNIQUE_ID: "uniqueId",
    Scheme.SET_SOURCE_ID: "sourceId",
}


class Unreadable(Exception):
    """Not XML that we read; says nothing of its content."""


@dataclass(frozen=True, slots=True)
class WireCode:
    """A Classification that carries a code."""

    code: str
    scheme: str
    display: str
    line: int


@dataclass(frozen=True, slots=True)
class WireObject:
    """A DocumentEntry or SubmissionSet: XML attributes, and values by attribute name.

    ``values`` holds slots, external identifiers and, as ``title`` and ``comments``,
    the texts; ``authors`` the slots of each author classification.
    """

    kind: str
    line: int
    attributes: Mapping[str, str] = field(repr=False)
    values: Mapping[str, tuple[str, ...]] = field(repr=False)
    codes: Mapping[str, tuple[WireCode, ...]]
    authors: tuple[Mapping[str, tuple[str, ...]], ...] = field(repr=False)

    @property
    def id(self) -> str:
        return self.attributes.get("id", "")

    def one(self, name: str) -> str | None:
        """The first value of an attribute, or None."""
        found = self.values.get(name, ())
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class WireAssociation:
    """An Association."""

    line: int
    type: str
    source: str
    target: str
    slots: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class WireObjects:
    """What a message registers."""

    entries: tuple[WireObject, ...]
    submission_sets: tuple[WireObject, ...]
    associations: tuple[WireAssociation, ...]


def parse_xml(data: bytes) -> etree._Element:
    """Parse hardened: no DTD, no entities, no network, bounded size and depth.

    Raises:
        Unreadable: not such XML.
    """
    if len(data) > MOST_BYTES:
        raise Unreadable
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise Unreadable from None
    if root.getroottree().docinfo.doctype:
        raise Unreadable
    return root


def read_objects(root: etree._Element) -> WireObjects:
    """Collect the registry objects of any message: a submission, an update, an answer."""
    packages = list(root.iter(f"{_R}RegistryPackage"))
    marked = {
        each.get("classifiedObject")
        for each in root.iter(f"{_R}Classification")
        if each.get("classificationNode") == SUBMISSION_SET_NODE
    }
    return WireObjects(
        entries=tuple(_object(each, "DocumentEntry") for each in root.iter(f"{_R}ExtrinsicObject")),
        submission_sets=tuple(
            _object(each, "SubmissionSet")
            for each in packages
            if each.get("id") in marked or len(packages) == 1
        ),
        associations=tuple(_association(each) for each in root.iter(f"{_R}Association")),
    )


def _object(element: etree._Element, kind: str) -> WireObject:
    values = _slots(element)
    codes: dict[str, tuple[WireCode, ...]] = {}
    authors = []
    for element_name, attribute in (("Name", "title"), ("Description", "comments")):
        texts = tuple(
            each.get("value", "")
            for each in element.findall(f"{_R}{element_name}/{_R}LocalizedString")
        )
        if texts:
            values[attribute] = texts
    for each in element.findall(f"{_R}ExternalIdentifier"):
        scheme = _scheme(each.get("identificationScheme"))
        if scheme in IDENTIFIER_SCHEMES:
            name = IDENTIFIER_SCHEMES[scheme]
            values[name] = (*values.get(name, ()), each.get("value", ""))
    for each in element.findall(f"{_R}Classification"):
        scheme = _scheme(each.get("classificationScheme"))
        if scheme in AUTHOR_SCHEMES:
            authors.append(_slots(each))
        elif scheme in CODE_SCHEMES:
            name = CODE_SCHEMES[scheme]
            codes[name] = (*codes.get(name, ()), _code(each))
    return WireObject(
        kind=kind,
        line=_line(element),
        attributes={str(name): str(value) for name, value in element.attrib.items()},
        values=values,
        codes=codes,
        authors=tuple(authors),
    )


def _scheme(value: str | None) -> Scheme | None:
    try:
        return Scheme(value or "")
    except ValueError:
        return None


def _code(element: etree._Element) -> WireCode:
    display = element.find(f"{_R}Name/{_R}LocalizedString")
    return WireCode(
        code=element.get("nodeRepresentation", ""),
        scheme="".join(_slots(element).get("codingScheme", ())),
        display="" if display is None else display.get("value", ""),
        line=_line(element),
    )


def _slots(element: etree._Element) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for slot in element.findall(f"{_R}Slot"):
        values = tuple(each.text or "" for each in slot.findall(f"{_R}ValueList/{_R}Value"))
        name = slot.get("name", "")
        found[name] = (*found.get(name, ()), *values)
    return found


def _association(element: etree._Element) -> WireAssociation:
    return WireAssociation(
        line=_line(element),
        type=element.get("associationType", ""),
        source=element.get("sourceObject", ""),
        target=element.get("targetObject", ""),
        slots=_slots(element),
    )


def _line(element: etree._Element) -> int:
    return int(element.sourceline or 0)
