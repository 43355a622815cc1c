"""ITI-57: taking a document out of view."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from nsp_client.errors import InvalidMetadata
from nsp_client.soap.envelope import parse_envelope
from nsp_client.xds import iti57
from nsp_client.xds.ebxml import read_registry_objects
from nsp_client.xds.metadata import AssociationType, AvailabilityStatus
from nsp_client.xds.namespaces import RIM_NS
from nsp_client.xds.registry_response import ResponseStatus
from tests.unit.nsp_client.xds_specimens import (
    ENTRY_UUID,
    SET_UUID,
    SUBMISSION_SET,
    assert_schema_valid,
    shared_file,
)


def objects_of(payload: etree._Element):  # type: ignore[no-untyped-def]
    (object_list,) = payload.iter(f"{{{RIM_NS}}}RegistryObjectList")
    return read_registry_objects(object_list)


def test_the_body_obeys_the_published_schema() -> None:
    assert_schema_valid(iti57.deprecate_request(SUBMISSION_SET, ENTRY_UUID))


def test_a_withdrawal_is_a_set_and_a_change_of_status() -> None:
    objects = objects_of(etree.fromstring(iti57.deprecate_request(SUBMISSION_SET, ENTRY_UUID)))
    assert objects.submission_sets == (SUBMISSION_SET,)
    assert objects.entries == ()
    (change,) = objects.associations
    assert (change.association_type, change.source, change.target) == (
        AssociationType.UPDATE_AVAILABILITY_STATUS,
        SET_UUID,
        ENTRY_UUID,
    )
    assert (change.original_status, change.new_status) == (
        AvailabilityStatus.APPROVED,
        AvailabilityStatus.DEPRECATED,
    )
    assert change.previous_version is None


def test_it_says_the_same_as_the_example() -> None:
    ours = objects_of(etree.fromstring(iti57.deprecate_request(SUBMISSION_SET, ENTRY_UUID)))
    example = parse_envelope(shared_file("nsp", "examples", "iti57-deprecate-request.xml"))
    assert example.action == iti57.ACTION
    assert example.payload is not None
    theirs = objects_of(example.payload)
    assert replace(theirs.associations[0], association_id="", source="", target="") == replace(
        ours.associations[0], association_id="", source="", target=""
    )
    assert theirs.submission_sets[0].content_type_code == ours.submission_sets[0].content_type_code


def test_a_resend_is_the_same_to_the_byte() -> None:
    assert iti57.deprecate_request(SUBMISSION_SET, ENTRY_UUID) == iti57.deprecate_request(
        replace(SUBMISSION_SET), ENTRY_UUID
    )


@pytest.mark.parametrize("target", ["", "07585abe-9862-489d-8fa6-0a64e2eaccb0", "1.2.208.184^x"])
def test_a_target_that_is_no_entry_uuid_is_refused(target: str) -> None:
    with pytest.raises(InvalidMetadata):
        iti57.deprecate_request(SUBMISSION_SET, target)


def test_the_whole_message() -> None:
    request = iti57.http_request(
        iti57.deprecate_request(SUBMISSION_SET, ENTRY_UUID),
        header_blocks=b'<card xmlns="urn:x"/>',
        to="https://dros/iti57",
        message_id="urn:uuid:m",
    )
    assert request.headers == {
        "Content-Type": "text/xml; charset=utf-8",
        "SOAPAction": '"urn:ihe:iti:2010:UpdateDocumentSet"',
    }
    assert parse_envelope(request.body).action == iti57.ACTION


def test_the_recorded_answer() -> None:
    body = shared_file("nsp", "samples", "recorded", "iti57-response.xml")
    assert iti57.registry_response("text/xml", body).status is ResponseStatus.SUCCESS
