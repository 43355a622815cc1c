"""The DGWS headers: written by the schema, read as real servers send them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from lxml import etree

from nsp_client.dgws.header import (
    FlowStatus,
    MedcomHeader,
    Priority,
    read_medcom_header,
    read_security,
    write_medcom_header,
    write_request_header,
    write_response_header,
)
from nsp_client.dgws.id_card import parse_id_card, verify_id_card
from nsp_client.errors import MalformedMessage
from nsp_client.soap.envelope import Envelope, SoapVersion, build_envelope, parse_envelope
from tests.unit.nsp_client.cards import DOCTOR, SAML, assertion_of, sts_card, system_card, user_card
from tests.unit.nsp_client.throwaway_keys import NOW, SHARED, sts_trust

MEDCOM = "http://www.medcom.dk/dgws/2006/04/dgws-1.0.xsd"
ANNEX = "http://svn.medcom.dk/svn/releases/Standarder/DGWS/Schemas/medcom-1.0.1.xsd"


def message(blocks: bytes) -> Envelope:
    return parse_envelope(build_envelope(SoapVersion.SOAP11, blocks, b'<x xmlns="urn:x"/>'))


def shared_envelope(name: str) -> Envelope:
    path = SHARED / name
    if not path.exists():
        pytest.skip("the shared NSP samples are not beside this checkout")
    data = path.read_bytes()
    return parse_envelope(data[data.index(b"<soap") :][: data.rindex(b">") + 1])


def schema(name: str) -> etree.XMLSchema:
    path = SHARED / "dgws" / name
    if not path.exists():
        pytest.skip("the DGWS schemas are not beside this checkout")
    return etree.XMLSchema(etree.parse(path))


def test_a_request_header_is_read_back() -> None:
    blocks = write_request_header(
        system_card(), message_id="m-1", created=NOW, flow_id="f-1", priority=Priority.HASTER
    )
    header = read_medcom_header(message(blocks).header)
    assert header == MedcomHeader(
        message_id="m-1",
        flow_id="f-1",
        security_level=3,
        priority=Priority.HASTER,
        require_non_repudiation_receipt=False,
    )


def test_the_card_goes_along_byte_for_byte_and_still_verifies() -> None:
    card = replace(parse_id_card(etree.fromstring(sts_card())), xml=sts_card())
    blocks = write_request_header(card, message_id="m", created=NOW)
    assert card.xml in blocks
    header = message(blocks).header
    assert header is not None
    assert verify_id_card(assertion_of(header), sts_trust(), NOW).card == card


@pytest.mark.parametrize("kind", ["system", "user"])
def test_our_headers_are_valid_by_the_published_schemas(kind: str) -> None:
    card = system_card() if kind == "system" else user_card(user=DOCTOR)
    blocks = write_request_header(
        card, message_id="m", created=NOW, flow_id="f", timeout_minutes="480"
    )
    header = message(blocks).header
    assert header is not None
    security, medcom = header
    schema("medcom.xsd").assertValid(medcom)
    schema("wsse.xsd").assertValid(security)


def test_response_headers_are_valid_too_and_name_the_request() -> None:
    blocks = write_response_header(
        message_id="m-2",
        created=NOW,
        in_response_to="request <1> & more",
        flow_id="f",
        security_level=4,
        flow_status=FlowStatus.RUNNING,
    )
    header = message(blocks).header
    assert header is not None
    schema("wsse.xsd").assertValid(header[0])
    schema("medcom.xsd").assertValid(header[1])
    read = read_medcom_header(header)
    assert read is not None
    assert read.in_response_to == "request <1> & more"
    assert read.flow_status == "flow_running"


def test_elements_stand_in_schema_order() -> None:
    full = MedcomHeader(
        message_id="m",
        flow_id="f",
        in_response_to="r",
        security_level=3,
        timeout_minutes="30",
        flow_status="flow_finalized_succesfully",
        priority=Priority.RUTINE,
        require_non_repudiation_receipt=True,
    )
    root = etree.fromstring(write_medcom_header(full))
    assert [etree.QName(node).localname for node in root.iter()] == [
        "Header",
        "SecurityLevel",
        "TimeOut",
        "Linking",
        "FlowID",
        "MessageID",
        "InResponseToMessageID",
        "FlowStatus",
        "Priority",
        "RequireNonRepudiationReceipt",
    ]
    assert read_medcom_header(message(etree.tostring(root)).header) == full


def test_created_is_in_utc() -> None:
    danish = datetime(2027, 3, 1, 9, tzinfo=timezone(timedelta(hours=1)))
    header = message(write_request_header(system_card(), message_id="m", created=danish)).header
    security = read_security(header)
    assert security is not None
    assert security.created == "2027-03-01T08:00:00Z"
    assert security.created_in_utc
    assert [assertion.tag for assertion in security.assertions] == [f"{{{SAML}}}Assertion"]


def test_prefixes_used_inside_values_are_declared_around_the_card() -> None:
    blocks = write_request_header(system_card(), message_id="m", created=NOW)
    header = message(blocks).header
    assert header is not None
    prefixes = assertion_of(header).nsmap
    assert prefixes["medcom"] == MEDCOM
    assert "sosi" in prefixes


@pytest.mark.parametrize("namespace", [MEDCOM, ANNEX])
def test_both_namespaces_are_read(namespace: str) -> None:
    blocks = (
        f'<m:Header xmlns:m="{namespace}" xmlns:n="urn:dk.nsi.service" n:maxAge="24"><m:Linking>'
        "<m:MessageID> abc </m:MessageID></m:Linking></m:Header>"
    ).encode()
    header = read_medcom_header(message(blocks).header)
    assert header == MedcomHeader(message_id="abc", max_age="24")


def test_order_does_not_matter_and_unknown_hints_are_passed_over() -> None:
    blocks = (
        f'<m:Header xmlns:m="{MEDCOM}"><m:RequestPriority>AKUT</m:RequestPriority>'
        "<m:Linking><m:MessageID>abc</m:MessageID><m:FlowID>f</m:FlowID></m:Linking>"
        "<m:SecurityLevel>4</m:SecurityLevel></m:Header>"
    ).encode()
    header = read_medcom_header(message(blocks).header)
    assert header == MedcomHeader(
        message_id="abc", flow_id="f", security_level=4, priority=Priority.AKUT
    )
    odd = blocks.replace(b"AKUT", b"SNART")
    read = read_medcom_header(message(odd).header)
    assert read is not None
    assert read.priority is None


def test_servers_without_a_header_are_accepted() -> None:
    assert read_medcom_header(None) is None
    assert read_security(None) is None
    assert read_medcom_header(message(b'<x xmlns="urn:x"/>').header) is None
    assert read_security(message(b'<x xmlns="urn:x"/>').header) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<m:Linking><m:FlowID>f</m:FlowID></m:Linking>",
        "<m:Linking><m:MessageID></m:MessageID></m:Linking>",
        "<m:Linking><m:MessageID>a</m:MessageID><m:MessageID>b</m:MessageID></m:Linking>",
        "<m:SecurityLevel>9</m:SecurityLevel><m:Linking><m:MessageID>a</m:MessageID></m:Linking>",
    ],
)
def test_headers_that_say_too_little_or_two_things_are_refused(content: str) -> None:
    blocks = f'<m:Header xmlns:m="{MEDCOM}">{content}</m:Header>'.encode()
    with pytest.raises(MalformedMessage):
        read_medcom_header(message(blocks).header)


def test_two_headers_are_refused() -> None:
    one = write_medcom_header(MedcomHeader(message_id="a"))
    with pytest.raises(MalformedMessage):
        read_medcom_header(message(one + one).header)
    annex = one.replace(MEDCOM.encode(), ANNEX.encode())
    with pytest.raises(MalformedMessage):
        read_medcom_header(message(one + annex).header)
    security = write_response_header(message_id="a", created=NOW, in_response_to=None)
    with pytest.raises(MalformedMessage):
        read_security(message(security + security).header)


@pytest.mark.parametrize(
    ("name", "message_id", "level", "assertions"),
    [
        ("examples/minlog2-request.xml", True, 3, 1),
        ("examples/iti18-request.xml", True, 4, 1),
        ("examples/iti43-backend-request-soap12.xml", True, 3, 0),
        ("examples/dgws-fault-expired-idcard.xml", True, 4, 0),
        ("samples/recorded/iti18-request.xml", True, 3, 1),
        ("samples/recorded/iti18-response.xml", True, None, 0),
        ("samples/recorded/iti41-request-soap.xml", True, 3, 1),
        ("samples/recorded/iti43-request.xml", True, 3, 1),
    ],
)
def test_examples_and_recordings_are_read(
    name: str, message_id: bool, level: int | None, assertions: int
) -> None:
    envelope = shared_envelope(name)
    header = read_medcom_header(envelope.header)
    assert header is not None
    assert bool(header.message_id) is message_id
    assert header.security_level == level
    security = read_security(envelope.header)
    assert len(security.assertions if security else ()) == assertions
