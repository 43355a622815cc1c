"""The header rules of a note as CDA, by hand from cda-dk 2 and 3, and the published schema.

Knows nothing of the writer: reads with lxml, and says which rule a document breaks.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest
from lxml import etree

V3: Final = "urn:hl7-org:v3"
SCHEMA: Final = (
    Path(__file__).resolve().parents[4]
    / "shared"
    / "data"
    / "cda"
    / "infrastructure"
    / "cda"
    / "CDA_SDTC.xsd"
)
ORDER: Final = [
    "realmCode",
    "typeId",
    "templateId",
    "id",
    "code",
    "title",
    "effectiveTime",
    "confidentialityCode",
    "languageCode",
    "setId",
    "versionNumber",
    "recordTarget",
    "author",
    "custodian",
    "legalAuthenticator",
    "documentationOf",
    "relatedDocument",
    "component",
]
_TS: Final = re.compile(r"[0-9]{14}[+-][0-9]{4}")
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_CLAIMED: Final = ("1.2.208.184.11.1", "1.2.208.184.14.1", "1.2.208.184.15.1", "1.2.208.184.16.1")


@lru_cache(maxsize=1)
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SCHEMA))


def assert_schema_valid(document: bytes) -> None:
    """Judge by the published CDA R2 schema, or skip where it is not at hand."""
    if not SCHEMA.exists():
        pytest.skip("the CDA schemas of ../shared/data/cda are not here")
    root = etree.fromstring(document)
    _schema().assertValid(root)


def all_of(root: etree._Element, path: str) -> list[etree._Element]:
    return root.findall("/".join(f"{{{V3}}}{step}" for step in path.split("/")))


def value(root: etree._Element, path: str, name: str | None = None) -> str | None:
    """The text, or an attribute, of the one element at a path."""
    found = all_of(root, path)
    if len(found) != 1:
        return None
    return "".join(found[0].itertext()) if name is None else found[0].get(name)


def header_faults(root: etree._Element) -> list[str]:
    """Give the name of every rule broken, in the order of cda-dk 2."""
    patient = "recordTarget/patientRole"
    author = "author/assignedAuthor"
    keeper = "custodian/assignedCustodian/representedCustodianOrganization"
    event = "documentationOf/serviceEvent"
    cpr = value(root, f"{patient}/id", "extension") or ""
    gender = all_of(root, f"{patient}/patient/administrativeGenderCode")
    rules = {
        "order": _is_ordered(root),
        "realmCode": value(root, "realmCode", "code") in (None, "DK"),
        "typeId": value(root, "typeId", "root") == "2.16.840.1.113883.1.3"
        and value(root, "typeId", "extension") == "POCD_HD000040",
        "templateId": not any(
            each.get("root", "").startswith(_CLAIMED) for each in all_of(root, "templateId")
        ),
        "id": _is_uuid_of(root, "id") and value(root, "id", "assigningAuthorityName") == "MedCom",
        "code": value(root, "code", "code") == "866144008"
        and value(root, "code", "codeSystem") == "2.16.840.1.113883.6.96",
        "title": value(root, "title") == f"Journalnotat for {cpr}",
        "effectiveTime": _is_ts(value(root, "effectiveTime", "value")),
        "confidentialityCode": value(root, "confidentialityCode", "code") == "N"
        and value(root, "confidentialityCode", "codeSystem") == "2.16.840.1.113883.5.25",
        "languageCode": value(root, "languageCode", "code") in (None, "da-DK"),
        "setId": len(all_of(root, "setId")) == len(all_of(root, "versionNumber"))
        and (not all_of(root, "setId") or _is_uuid_of(root, "setId")),
        "recordTarget.id": value(root, f"{patient}/id", "root") == "1.2.208.176.1.2"
        and re.fullmatch("[0-9]{10}", cpr) is not None,
        "recordTarget.addr": len(all_of(root, f"{patient}/addr")) <= 1,
        "recordTarget.name": _is_name(all_of(root, f"{patient}/patient/name")),
        "recordTarget.gender": len(gender) == 1
        and (
            gender[0].get("nullFlavor") == "UNK"
            or (
                gender[0].get("code") in ("M", "F", "UN")
                and gender[0].get("codeSystem") == "2.16.840.1.113883.5.1"
            )
        ),
        "recordTarget.birthTime": re.fullmatch(
            r"[0-9]{8}(000000\+0000)?", value(root, f"{patient}/patient/birthTime", "value") or ""
        )
        is not None,
        "author.time": _is_ts(value(root, "author/time", "value")),
        "author.id": _is_sor(root, f"{author}/id"),
        "author.person": not all_of(root, f"{author}/assignedPerson")
        or _is_name(all_of(root, f"{author}/assignedPerson/name")),
        "author.organization": bool(value(root, f"{author}/representedOrganization/name")),
        "custodian": _is_sor(root, f"{keeper}/id") and bool(value(root, f"{keeper}/name")),
        "legalAuthenticator": not all_of(root, "legalAuthenticator"),
        "documentationOf": value(root, f"{event}/templateId", "root") == "1.2.208.184.10.1.11"
        and _is_ts(value(root, f"{event}/effectiveTime/low", "value")),
        "relatedDocument": _are_related(root),
        "left out": not any(
            all_of(root, name) for name in ("informationRecipient", "authenticator", "participant")
        ),
        "body": _is_body(root),
    }
    return [name for name, holds in rules.items() if not holds]


def _is_ordered(root: etree._Element) -> bool:
    names = [etree.QName(child).localname for child in root]
    return all(name in ORDER for name in names) and names == sorted(names, key=ORDER.index)


def _is_ts(text: str | None) -> bool:
    return text is not None and _TS.fullmatch(text) is not None


def _is_uuid_of(root: etree._Element, path: str) -> bool:
    return (
        value(root, path, "root") == "1.2.208.184"
        and _UUID.fullmatch(value(root, path, "extension") or "") is not None
    )


def _is_sor(root: etree._Element, path: str) -> bool:
    return (
        value(root, path, "root") == "1.2.208.176.1.1"
        and re.fullmatch("[0-9]{11,18}", value(root, path, "extension") or "") is not None
        and value(root, path, "assigningAuthorityName") == "SOR"
    )


def _is_name(names: list[etree._Element]) -> bool:
    if len(names) != 1:
        return False
    (name,) = names
    return (
        len(all_of(name, "given")) >= 1
        and len(all_of(name, "family")) == 1
        and len(all_of(name, "prefix")) <= 1
        and not any(part.get("qualifier") for part in name)
    )


def _are_related(root: etree._Element) -> bool:
    kinds = sorted(each.get("typeCode", "") for each in all_of(root, "relatedDocument"))
    own_id, own_set = value(root, "id", "extension"), value(root, "setId", "extension")
    for each in all_of(root, "relatedDocument"):
        parent = value(each, "parentDocument/id", "extension")
        if parent in (None, own_id) or value(each, "parentDocument/id", "root") != "1.2.208.184":
            return False
        if each.get("typeCode") == "RPLC" and own_set != value(
            each, "parentDocument/setId", "extension"
        ):
            return False
    return kinds in (["XFRM"], ["RPLC", "XFRM"])


def _is_body(root: etree._Element) -> bool:
    sections = all_of(root, "component/structuredBody/component/section")
    if len(sections) != 1:
        return False
    (section,) = sections
    return (
        value(section, "templateId", "root") == "2.16.840.1.113883.10.12.201"
        and value(section, "title") == "Journalnotat"
        and bool((value(section, "text") or "").strip())
        and not all_of(section, "entry")
    )
