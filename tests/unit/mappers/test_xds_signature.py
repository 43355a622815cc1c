"""The signature as a document of its own: its entry, its association, its limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha1
from typing import Any
from uuid import UUID

import pytest
from lxml import etree

from mappers.errors import MappingError
from mappers.xds_checks import metadata_issues
from mappers.xds_signature import Purpose, SignatureCodes, signature_entry
from nsp_client.errors import InvalidMetadata
from nsp_client.xds.associations import Relations, submission_associations
from nsp_client.xds.checks import entry_faults
from nsp_client.xds.iti41 import submit_request
from nsp_client.xds.metadata import (
    AssociationType,
    AuthorInstitution,
    Code,
    DocumentEntry,
    ObjectType,
)
from tests.unit.mappers.bundle_specimens import ASSEMBLED_AT, note
from tests.unit.mappers.xds_specimens import (
    OLD,
    REPOSITORY,
    message,
    stable,
    submission_set,
)
from tests.unit.nsp_client.xds_specimens import assert_schema_valid

SIGNATURE = b"<ds:Signature/>"
SIGNED_AT = ASSEMBLED_AT + timedelta(seconds=5)
CLINIC = AuthorInstitution("Lægerne Hasseris Bymidte", "61741000016007")


def codes() -> SignatureCodes:
    source = stable()
    return SignatureCodes(
        class_code=source.class_code,
        healthcare_facility_type_code=source.healthcare_facility_type_code,
        practice_setting_code=source.practice_setting_code,
    )


def signature(*signed: DocumentEntry, **changes: Any) -> DocumentEntry:
    arguments: dict[str, Any] = {
        "unique_id": "urn:uuid:1a2b3c4d-0001-4000-8000-00000000000a",
        "entry_uuid": UUID("1a2b3c4d-0001-4000-8000-00000000000b"),
        "signed_at": SIGNED_AT,
        "level": "B-T",
        "purposes": (Purpose.SOURCE,),
        "institution": CLINIC,
        "person": None,
        "codes": codes(),
        "sha1": sha1(SIGNATURE, usedforsecurity=False).digest(),
        "size_bytes": len(SIGNATURE),
        "repository_oid": REPOSITORY,
    }
    return signature_entry(signed or (stable(),), **(arguments | changes))


def test_each_attribute_is_that_of_the_profile() -> None:
    made, signed = signature(), stable()
    assert made.format_code.code == "urn:ihe:iti:dsg:detached:2014"
    assert made.format_code.scheme == "1.3.6.1.4.1.19376.1.2.3"
    assert made.type_code == Code("E1762", "ASTM", "Full Document")
    assert made.mime_type == "text/xml"
    assert made.language_code == "art"
    assert made.title == "Source Signature"
    assert made.event_codes == (
        Code("1.2.840.10065.1.12.1.14", "1.2.840.10065.1.12", "Source Signature"),
    )
    assert made.author_institution == CLINIC
    assert made.creation_time == "20261211081535"
    assert made.object_type == ObjectType.STABLE
    assert made.patient_id == signed.patient_id
    assert made.unique_id != signed.unique_id
    assert made.entry_uuid != signed.entry_uuid


def test_the_purposes_are_the_eighteen_of_the_standard() -> None:
    assert [each.value[0] for each in Purpose] == list(range(1, 19))
    named = {1: Purpose.AUTHOR, 5: Purpose.VERIFICATION, 7: Purpose.CONSENT, 14: Purpose.SOURCE}
    for arc, purpose in named.items():
        assert purpose.code.code == f"1.2.840.10065.1.12.1.{arc}"


def test_several_purposes_are_all_told() -> None:
    made = signature(purposes=(Purpose.AUTHOR, Purpose.VERIFICATION))
    assert made.title == "Author's Signature, Verification Signature"
    assert len(made.event_codes) == 2


@pytest.mark.parametrize("level", ["B-T", "B-LT", "B-LTA"])
def test_a_signature_with_proof_of_time_is_described(level: str) -> None:
    made = signature(level=level)
    assert entry_faults(made) == []
    assert metadata_issues(message(made).encode()) == ()


def test_a_signature_without_proof_of_time_is_never_submitted() -> None:
    with pytest.raises(MappingError) as caught:
        signature(level="B-B")
    assert caught.value.path == "level"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"purposes": ()}, "purposes"),
        ({"purposes": (Purpose.SOURCE, Purpose.SOURCE)}, "purposes"),
        ({"unique_id": stable().unique_id}, "unique_id"),
        ({"entry_uuid": UUID(stable().entry_uuid)}, "unique_id"),
        ({"sha1": b"x"}, "sha1"),
        ({"size_bytes": 0}, "sha1"),
        ({"signed_at": datetime(2026, 12, 11)}, "signed_at"),
    ],
)
def test_what_is_no_signature_of_it_is_refused(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(MappingError) as caught:
        signature(**changes)
    assert caught.value.path == path


def test_documents_of_two_patients_are_not_signed_as_one() -> None:
    other = stable(note(patient=replace(note().patient, cpr="2406799994")))
    with pytest.raises(MappingError):
        signature(stable(), other)
    with pytest.raises(MappingError):
        signature_entry(
            (),
            unique_id="x",
            entry_uuid=UUID(int=1),
            signed_at=SIGNED_AT,
            level="B-T",
            purposes=(Purpose.SOURCE,),
            institution=CLINIC,
            person=None,
            codes=codes(),
            sha1=b"\x00" * 20,
            size_bytes=1,
            repository_oid=None,
        )


def test_it_is_submitted_with_an_association_to_each_document_it_signs() -> None:
    first, second = stable(), stable(note(version=2))
    made = signature(first, second)
    relations = Relations(signs=(first.entry_uuid, second.entry_uuid))
    request = submit_request(
        made, submission_set(), SIGNATURE, relations=relations, is_shared_note=False
    )
    assert_schema_valid(request.body, {request.part.content_id: request.part.body})
    root = etree.fromstring(request.body)
    found = [
        (each.get("sourceObject"), each.get("targetObject"))
        for each in root.iter("{*}Association")
        if each.get("associationType") == "urn:ihe:iti:2007:AssociationType:signs"
    ]
    assert found == [(made.entry_uuid, first.entry_uuid), (made.entry_uuid, second.entry_uuid)]
    assert metadata_issues(request.body) == ()
    # The signed entry stays Approved: nothing is replaced.
    assert b"AssociationType:RPLC" not in request.body


def test_the_ids_of_associations_repeat_and_differ() -> None:
    entry, around = stable(), submission_set()
    relations = Relations(replaces=OLD, transforms=OLD, signs=(OLD,))
    made = submission_associations(entry, around, relations)
    assert made == submission_associations(entry, around, relations)
    assert [each.association_type for each in made] == [
        AssociationType.HAS_MEMBER,
        AssociationType.RPLC,
        AssociationType.XFRM,
        AssociationType.SIGNS,
    ]
    assert len({each.association_id for each in made}) == 4


@pytest.mark.parametrize(
    "relations",
    [
        Relations(signs=(OLD, OLD)),
        Relations(signs=("1.2.3",)),
        Relations(transforms=stable().entry_uuid),
        Relations(replaces=stable().entry_uuid.upper().replace("URN:UUID", "urn:uuid")),
    ],
)
def test_a_target_that_is_not_another_entry_is_refused(relations: Relations) -> None:
    with pytest.raises(InvalidMetadata):
        submission_associations(stable(), submission_set(), relations)
