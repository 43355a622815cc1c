"""Specimens for the tests of SOAP and XDS, and the published schemas as a judge."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from nsp_client.xds.fingerprint import fingerprint
from nsp_client.xds.metadata import (
    AuthorInstitution,
    AuthorPerson,
    Code,
    DocumentEntry,
    ObjectType,
    PatientInfo,
    SubmissionSet,
)

SHARED: Final = Path(__file__).resolve().parents[4] / "shared" / "data"
NSP: Final = SHARED / "nsp"
STRICT: Final = NSP / "xds" / "strict"

PATIENT: Final = "3001749995^^^&1.2.208.176.1.2&ISO"
OTHER_PATIENT: Final = "2406799994^^^&1.2.208.176.1.2&ISO"
REPOSITORY: Final = "1.2.208.176.43210.8.10.99"
HOME: Final = "urn:oid:1.2.208.176.8.1"
SNOMED: Final = "2.16.840.1.113883.6.96"
DOCUMENT: Final = '{"resourceType":"Bundle","note":"Årskontrol\r\n<&>"}\r\n'.encode()

ENTRY_UUID: Final = "urn:uuid:0f0e7c54-5d0a-5d0b-9a53-3f2f5b1f6a01"
OLD_ENTRY_UUID: Final = "urn:uuid:7a1e7c54-5d0a-4d0b-9a53-3f2f5b1f6a77"
SET_UUID: Final = "urn:uuid:2f1c3d4e-5a6b-4c7d-8e9f-0000000000bb"
UNIQUE_ID: Final = "urn:uuid:07585abe-9862-489d-8fa6-0a64e2eaccb0"

STABLE: Final = DocumentEntry(
    entry_uuid=ENTRY_UUID,
    unique_id=UNIQUE_ID,
    patient_id=PATIENT,
    source_patient_id=PATIENT,
    mime_type="application/fhir+json",
    class_code=Code("001", "1.2.208.184.100.9", "Klinisk rapport"),
    type_code=Code("866144008", SNOMED, "Encounter note"),
    format_code=Code("urn:ad:dk:medcom:ecn-v1.0:full", "1.2.208.184.100.10", "DK ECN schema"),
    healthcare_facility_type_code=Code("394761003", SNOMED, "almen lægepraksis"),
    practice_setting_code=Code("408443003", SNOMED, "almen medicin"),
    confidentiality_codes=(Code("N", "2.16.840.1.113883.5.25", "normal"),),
    title="Journalnotat for 3001749995",
    source_patient_info=PatientInfo("Vendelboe", ("Niels", "Test"), date(1974, 1, 30), "M"),
    author_institution=AuthorInstitution("Bagge & Holm", "61741000016007"),
    author_person=AuthorPerson("Andersen", ("Anders", "Frederik", "Ingolf")),
    creation_time="20261211081530",
    service_start_time="20261210090000",
    service_stop_time="20261210090000",
    hash=fingerprint(DOCUMENT).hash,
    size=len(DOCUMENT),
    repository_unique_id=REPOSITORY,
    home_community_id=HOME,
)

ON_DEMAND: Final = replace(
    STABLE,
    entry_uuid="urn:uuid:11111111-5d0a-4d0b-9a53-3f2f5b1f6a01",
    unique_id="urn:uuid:22222222-9862-489d-8fa6-0a64e2eaccb0",
    object_type=ObjectType.ON_DEMAND,
    creation_time=None,
    hash=None,
    size=None,
)

SUBMISSION_SET: Final = SubmissionSet(
    entry_uuid=SET_UUID,
    unique_id="2.25.71033041298736455120018",
    source_id="1.2.208.176.43210.8.10.98",
    patient_id=PATIENT,
    submission_time="20261211081531",
    content_type_code=Code("NscContentType", "NscContentType", "NscContentType"),
    author_institution=STABLE.author_institution,
    author_person=STABLE.author_person,
    home_community_id=HOME,
)


def entry(**changes: Any) -> DocumentEntry:
    return replace(STABLE, **changes)


def shared_file(*parts: str) -> bytes:
    """Read a specimen of the shared folder, or skip the test where there is none."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no specimen {'/'.join(parts)} beside this tree")
    return path.read_bytes()


def http_file(*parts: str) -> tuple[str, bytes]:
    """Read a recorded HTTP message: its Content-Type header and its body."""
    head, _, body = shared_file(*parts).partition(b"\r\n\r\n")
    for line in head.decode().split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-type":
            return value.strip(), body
    raise AssertionError("no Content-Type in the specimen")


@lru_cache
def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(STRICT / name))


def assert_schema_valid(payload: bytes, parts: dict[str, bytes] | None = None) -> None:
    """Judge a payload by the published schema, after undoing XOP as that asks."""
    if not STRICT.exists():
        pytest.skip("no XDS schemas beside this tree")
    root = etree.fromstring(payload)
    xop = "{http://www.w3.org/2004/08/xop/include}Include"
    for include in list(root.iter(xop)):
        holder = include.getparent()
        assert holder is not None
        href = (include.get("href") or "").removeprefix("cid:").replace("%40", "@")
        holder.remove(include)
        holder.text = base64.b64encode((parts or {})[href]).decode()
    namespace = etree.QName(root).namespace
    name = {
        "urn:ihe:iti:xds-b:2007": "IHE/XDS.b_DocumentRepository.xsd",
        "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0": "ebRS/query.xsd",
        "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0": "ebRS/lcm.xsd",
        "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0": "ebRS/rs.xsd",
    }[str(namespace)]
    _schema(name).assertValid(etree.fromstring(etree.tostring(root)))
