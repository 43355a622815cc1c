"""ITI-43: asking for documents, and answering."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from nsp_client.errors import InvalidMetadata, MalformedMessage, RegistryError, RegistryErrorCode
from nsp_client.soap.answer import open_message
from nsp_client.soap.envelope import SoapVersion, build_envelope, parse_envelope
from nsp_client.soap.mtom import XOP_NS
from nsp_client.xds import iti43
from nsp_client.xds.iti43 import DocumentRequest, RetrievedDocument
from nsp_client.xds.namespaces import XDS_NS
from nsp_client.xds.registry_response import ResponseStatus
from tests.unit.nsp_client.xds_specimens import (
    DOCUMENT,
    HOME,
    REPOSITORY,
    assert_schema_valid,
    http_file,
    shared_file,
)

ASKED = DocumentRequest(REPOSITORY, "1.2.3^a&b", HOME)
OTHER = DocumentRequest(REPOSITORY, "urn:uuid:2")
FOUND = RetrievedDocument(ASKED, "application/fhir+json", DOCUMENT)
MISSING = iti43.document_error(OTHER, RegistryErrorCode.DOCUMENT_UNIQUE_ID_ERROR, "findes ikke")
FORMS = pytest.mark.parametrize("packaged", [True, False])


def answer(
    documents: list[RetrievedDocument],
    errors: list[RegistryError],
    *,
    packaged: bool,
    version: SoapVersion = SoapVersion.SOAP12,
) -> iti43.RetrieveResponse:
    payload, parts = iti43.write_answer(documents, errors, packaged=packaged)
    assert_schema_valid(payload, {part.content_id: part.body for part in parts})
    content_type, body = iti43.http_answer(
        payload, parts, header_blocks=b"", version=version, packaged=packaged
    )
    assert content_type.startswith("multipart/related") is packaged
    return iti43.retrieve_response(content_type, body)


def test_what_a_consumer_writes_a_repository_reads() -> None:
    payload = iti43.retrieve_request([ASKED, OTHER, ASKED])
    assert_schema_valid(payload)
    assert iti43.parse_request(etree.fromstring(payload)) == (ASKED, OTHER, ASKED)


def test_nothing_asked_is_no_request() -> None:
    with pytest.raises(ValueError, match="at least one"):
        iti43.retrieve_request([])
    for xml in (
        "<x/>",
        f'<x:RetrieveDocumentSetRequest xmlns:x="{XDS_NS}"/>',
        f'<x:RetrieveDocumentSetRequest xmlns:x="{XDS_NS}"><x:DocumentRequest>'
        "<x:RepositoryUniqueId>1.2</x:RepositoryUniqueId></x:DocumentRequest></x:RetrieveDocumentSetRequest>",
    ):
        with pytest.raises(MalformedMessage):
            iti43.parse_request(etree.fromstring(xml))


def test_too_much_asked_is_refused() -> None:
    payload = etree.fromstring(iti43.retrieve_request([ASKED] * 51))
    with pytest.raises(MalformedMessage):
        iti43.parse_request(payload)
    assert len(iti43.parse_request(payload, max_documents=51)) == 51


@pytest.mark.parametrize("version", list(SoapVersion))
@FORMS
def test_the_bytes_arrive_as_they_were(packaged: bool, version: SoapVersion) -> None:
    twice = replace(FOUND, document=bytes(range(256)))
    read = answer([FOUND, twice], [], packaged=packaged, version=version)
    assert read.response.status is ResponseStatus.SUCCESS
    assert read.documents == (FOUND, twice)


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=4), st.booleans())
@settings(max_examples=40)
def test_any_bytes_arrive_as_they_were(contents: list[bytes], packaged: bool) -> None:
    documents = [replace(FOUND, document=content) for content in contents]
    payload, parts = iti43.write_answer(documents, [], packaged=packaged)
    content_type, body = iti43.http_answer(
        payload, parts, header_blocks=b"", version=SoapVersion.SOAP11, packaged=packaged
    )
    assert [d.document for d in iti43.retrieve_response(content_type, body).documents] == contents


@FORMS
def test_the_status_follows_from_what_was_found(packaged: bool) -> None:
    partial = answer([FOUND], [MISSING], packaged=packaged)
    assert partial.response.status is ResponseStatus.PARTIAL_SUCCESS
    assert partial.response.status.value.startswith("urn:ihe:iti:2007:")
    assert partial.response.errors == (MISSING,)
    assert MISSING.location == OTHER.document_unique_id
    failed = answer([], [MISSING], packaged=packaged)
    assert failed.response.status is ResponseStatus.FAILURE
    assert failed.documents == ()
    warned = answer([FOUND], [replace(MISSING, is_warning=True)], packaged=packaged)
    assert warned.response.status is ResponseStatus.SUCCESS


def test_an_answer_says_something() -> None:
    with pytest.raises(ValueError, match="document or an error"):
        iti43.write_answer([], [], packaged=True)
    with pytest.raises(ValueError, match="document or an error"):
        iti43.write_answer([], [replace(MISSING, is_warning=True)], packaged=True)


@FORMS
def test_a_document_made_on_demand_has_an_id_of_its_own(packaged: bool) -> None:
    made = replace(FOUND, new_document_unique_id="urn:uuid:9", new_repository_unique_id="1.2.9")
    assert answer([made], [], packaged=packaged).documents == (made,)
    with pytest.raises(InvalidMetadata):  # M23
        iti43.write_answer(
            [replace(FOUND, new_document_unique_id=ASKED.document_unique_id)], [], packaged=packaged
        )


def test_the_community_is_named_only_if_it_was_asked_with() -> None:
    payload, _ = iti43.write_answer([replace(FOUND, request=OTHER)], [], packaged=False)
    assert b"HomeCommunityId" not in payload


def test_a_request_without_document_and_without_error_is_a_failure() -> None:
    read = answer([FOUND], [MISSING], packaged=True)
    third = DocumentRequest(REPOSITORY, "urn:uuid:3")
    assert read.unanswered([ASKED, OTHER, third]) == [third]
    assert read.unanswered([ASKED, ASKED]) == [ASKED]
    assert read.unanswered([ASKED]) == []


@pytest.mark.parametrize(
    "document",
    [
        "<x:Document>%%%</x:Document>",
        "<x:Document><x:Other/></x:Document>",
        f'<x:Document>Zm9v<i:Include xmlns:i="{XOP_NS}" href="cid:a%40b"/></x:Document>',
        f'<x:Document><i:Include xmlns:i="{XOP_NS}" href="cid:a%40b"/></x:Document>',
        f'<x:Document><i:Include xmlns:i="{XOP_NS}" href="http://x"/></x:Document>',
        "",
    ],
)
def test_a_document_that_is_not_there_is_malformed(document: str) -> None:
    payload, _ = iti43.write_answer([FOUND], [], packaged=False)
    start, end = payload.index(b"<xds:Document>"), payload.index(b"</xds:Document>")
    broken = (
        payload[:start]
        + document.replace("<x:", "<xds:").replace("</x:", "</xds:").encode()
        + payload[end + len(b"</xds:Document>") :]
    )
    with pytest.raises(MalformedMessage):
        iti43.retrieve_response("text/xml", build_envelope(SoapVersion.SOAP11, b"", broken))


def test_white_space_around_base64_is_accepted() -> None:
    payload, _ = iti43.write_answer([FOUND], [], packaged=False)
    spaced = payload.replace(b"<xds:Document>", b"<xds:Document>\r\n  ").replace(
        b"</xds:Document>", b"\n</xds:Document>"
    )
    read = iti43.retrieve_response("text/xml", build_envelope(SoapVersion.SOAP11, b"", spaced))
    assert read.documents[0].document == DOCUMENT


@FORMS
def test_the_whole_request(packaged: bool) -> None:
    sent = iti43.http_request(
        iti43.retrieve_request([ASKED]),
        header_blocks=b"",
        to="t",
        message_id="m",
        packaged=packaged,
    )
    message = open_message(sent.headers["Content-Type"], sent.body)
    assert message.package.packaged is packaged
    assert iti43.parse_request(message.envelope.payload) == (ASKED,)
    assert sent.headers["SOAPAction"] == f'"{iti43.ACTION}"'


@pytest.mark.parametrize(
    "parts",
    [
        ("nsp", "examples", "iti43-request.xml"),
        ("nsp", "examples", "iti43-backend-request-soap12.xml"),
        ("nsp", "samples", "recorded", "iti43-request.xml"),
    ],
)
def test_the_specimens_of_requests_read(parts: tuple[str, ...]) -> None:
    (asked,) = iti43.parse_request(parse_envelope(shared_file(*parts)).payload)
    assert asked.repository_unique_id.startswith("1.2.208.176.43210.8.")


def test_the_ihe_specimens_read() -> None:
    assert iti43.parse_request(etree.fromstring(shared_file("ihe", "samples", "iti43-request.xml")))
    specimen = shared_file("ihe", "samples", "iti43-response.xml")
    # Its document was shortened in the middle and is no longer base64.
    with pytest.raises(MalformedMessage, match="base64"):
        iti43.retrieve_response(
            "application/soap+xml", build_envelope(SoapVersion.SOAP12, b"", specimen)
        )
    mended = specimen.replace(b"PD94bWwgdmVyc2lvbj0iMS4wIiBlbmZW50Pgo=", b"PD94Lz4=")
    body = build_envelope(SoapVersion.SOAP12, b"", mended)
    (document,) = iti43.retrieve_response("application/soap+xml", body).documents
    assert document.document == b"<?x/>"


def test_the_example_answers_read() -> None:
    content_type, body = http_file("nsp", "examples", "iti43-response-mtom.http")
    packaged = iti43.retrieve_response(content_type, body)
    plain = iti43.retrieve_response(
        "application/soap+xml", shared_file("nsp", "examples", "iti43-response-partial.xml")
    )
    assert plain.response.status is ResponseStatus.PARTIAL_SUCCESS
    assert packaged.documents[0].document == plain.documents[0].document
    assert "Prøvenotat" in packaged.documents[0].document.decode()


def test_the_recorded_answer_reads() -> None:
    recorded = shared_file("nsp", "samples", "recorded", "iti43-response-multipart.txt")
    boundary = recorded.split(b"\n", 1)[0].strip()[2:].decode()
    read = iti43.retrieve_response(f'multipart/related; boundary="{boundary}"', recorded)
    (document,) = read.documents
    assert document.document.startswith(b"<ClinicalDocument")
    assert document.mime_type
