"""MTOM packages: byte-exact both ways, tolerant of what real senders do, no further."""

from __future__ import annotations

import contextlib
import email
import email.policy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsp_client.errors import InvalidMetadata, MalformedMessage, MessageTooLarge
from nsp_client.soap.content_type import parse_content_type
from nsp_client.soap.envelope import SoapVersion, parse_envelope
from nsp_client.soap.mtom import (
    DEFAULT_LIMITS,
    MimePart,
    include_element,
    read_message,
    write_package,
)
from tests.unit.nsp_client.xds_specimens import http_file, shared_file

ROOT = b"<soap:Envelope xmlns:soap='x'/>"
HEAD = 'multipart/related; type="application/xop+xml"; boundary="b1"'


def package(*parts: tuple[str, bytes], closing: bytes = b"\r\n--b1--\r\n") -> bytes:
    written = [f"--b1\r\n{headers}\r\n\r\n".encode() + content for headers, content in parts]
    return b"\r\n".join(written) + closing


@given(
    st.lists(st.binary(max_size=300), max_size=5),
    st.sampled_from(list(SoapVersion)),
)
@settings(max_examples=60)
def test_every_byte_survives_a_round_trip(contents: list[bytes], version: SoapVersion) -> None:
    parts = [
        MimePart(f"p{number}@host", "application/octet-stream", content)
        for number, content in enumerate(contents)
    ]
    content_type, body = write_package(ROOT, parts, version)
    read = read_message(content_type, body)
    assert read.packaged
    assert read.root == ROOT
    assert list(read.parts) == parts


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"\n",
        b"\r",
        b"--",
        b"x--b1--",
        b"a\n--b1\nb",
        b"\xef\xbb\xbfx\r\n\r\n",
        b"--b1x\r\n",
        b"--b1-",
        b" \t",
    ],
)
def test_content_that_looks_like_a_boundary_stays_whole(content: bytes) -> None:
    body = package(("Content-ID: <r>", ROOT), ("Content-ID: <d>", content))
    assert read_message(HEAD, body).parts[0].body == content


def test_a_stranger_reads_our_package() -> None:
    document = bytes(range(256)) * 3
    content_type, body = write_package(
        ROOT,
        [MimePart("d@host", "application/fhir+json", document)],
        SoapVersion.SOAP12,
        action="urn:a",
    )
    message = email.message_from_bytes(
        f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=email.policy.HTTP
    )
    first, second = message.iter_parts()
    assert first.get_content_type() == "application/xop+xml"
    assert first["Content-ID"] == message.get_param("start")
    assert first.get_param("type") == message.get_param("start-info") == "application/soap+xml"
    assert first.get_param("action") == "urn:a"
    assert second.get_payload(decode=True) == document
    assert second["Content-ID"] == "<d@host>"


def test_a_boundary_that_occurs_in_a_part_is_not_used() -> None:
    with pytest.raises(InvalidMetadata):
        write_package(
            ROOT, [MimePart("d@h", "text/xml", b"x--B x")], SoapVersion.SOAP11, boundary="B"
        )


@pytest.mark.parametrize("content_id", ["d", "d>@h", "a b@h", "d@h\r\nX: y", "æ@h", ""])
def test_an_id_that_is_no_content_id_is_not_written(content_id: str) -> None:
    with pytest.raises(InvalidMetadata):
        write_package(ROOT, [MimePart(content_id, "text/xml", b"")], SoapVersion.SOAP11)


def test_a_header_cannot_be_smuggled_in_by_a_media_type() -> None:
    with pytest.raises(InvalidMetadata):
        write_package(ROOT, [MimePart("d@h", "text/xml\r\nX: y", b"")], SoapVersion.SOAP11)


def test_an_include_is_percent_encoded_and_found() -> None:
    content_id = "9815-1@urn:ihe:iti:xds-b:2007"
    assert 'href="cid:9815-1%40urn%3Aihe%3Aiti%3Axds-b%3A2007"' in include_element(content_id)
    body = package(("Content-ID: <r>", ROOT), (f"Content-ID: <{content_id}>", b"x"))
    message = read_message(HEAD, body)
    for href in (
        "cid:9815-1%40urn%3Aihe%3Aiti%3Axds-b%3A2007",
        f"cid:{content_id}",
        f" CID:{content_id} ",
    ):
        assert message.part_of(href).body == b"x"


@pytest.mark.parametrize(
    "href", ["cid:other@h", "https://x/y", "", "file:///etc/passwd", "cid:D@h"]
)
def test_an_include_that_leads_nowhere_or_elsewhere_is_refused(href: str) -> None:
    message = read_message(HEAD, package(("Content-ID: <r>", ROOT), ("Content-ID: <d@h>", b"x")))
    with pytest.raises(MalformedMessage):
        message.part_of(href)


def test_the_root_is_the_part_that_start_names_else_the_first() -> None:
    body = package(("Content-ID: <d@h>", b"doc"), ("Content-ID: <r@h>", ROOT))
    assert read_message(HEAD + '; start="<r@h>"', body).root == ROOT
    assert read_message(HEAD + "; start=r@h", body).root == ROOT
    assert read_message(HEAD, body).root == b"doc"
    with pytest.raises(MalformedMessage):
        read_message(HEAD + '; start="<other@h>"', body)


def test_a_closing_boundary_glued_to_the_envelope_is_accepted() -> None:
    body = b"--b1\r\nContent-ID: <r>\r\n\r\n" + ROOT + b"--b1--\r\n"
    assert read_message(HEAD, body).root == ROOT


def test_an_inner_boundary_glued_to_the_envelope_is_accepted() -> None:
    body = (
        b"--b1\r\nContent-ID: <r>\r\n\r\n" + ROOT + b"--b1\r\nContent-ID: <d>\r\n\r\ndoc\r\n--b1--"
    )
    read = read_message(HEAD, body)
    assert (read.root, read.parts[0].body) == (ROOT, b"doc")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"--b1--\r\n",
        package(("Content-ID: <r>", ROOT), closing=b""),
        package(("Content-ID: <r>", ROOT), closing=b"\r\n--b1-"),
        package(("Content-ID: <r>", ROOT), ("Content-ID: <d>", b"binary"), closing=b"--b1--"),
        package(("Content-ID: <r>", ROOT), ("Content-ID: <d>", b"cut off"), closing=b"\r\n--b"),
        package(("Content-ID: <r>", ROOT), ("Content-ID: <r>", b"x")),
        package(("Content-ID: <r>\r\nContent-ID: <s>", ROOT)),
        package(("Content-ID: <r>", ROOT), ("Content-Transfer-Encoding: x-uu", b"x")),
        package(("Content-ID: <r>", ROOT), ("Content-Transfer-Encoding: base64", b"%%%%")),
        b"--b1\r\nContent-ID: <r>",
        b"--b1\r\n--b1--\r\n",
    ],
)
def test_what_must_be_refused_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        read_message(HEAD, body)


@pytest.mark.parametrize(
    "header",
    [
        "multipart/related",
        'multipart/related; boundary=""',
        'multipart/related; boundary="b1',
        "multipart/related; boundary=b1; boundary=b2",
    ],
)
def test_a_package_without_a_usable_boundary_is_refused(header: str) -> None:
    with pytest.raises(MalformedMessage):
        read_message(header, package(("Content-ID: <r>", ROOT)))


def test_limits() -> None:
    body = package(("Content-ID: <r>", ROOT), ("Content-ID: <d>", b"x" * 100))
    for limits in (
        replace(DEFAULT_LIMITS, total_bytes=50),
        replace(DEFAULT_LIMITS, part_bytes=99),
        replace(DEFAULT_LIMITS, part_count=1),
        replace(DEFAULT_LIMITS, root_bytes=10),
    ):
        with pytest.raises(MessageTooLarge):
            read_message(HEAD, body, limits=limits)
    many = package(*[(f"Content-ID: <{number}>", b"") for number in range(65)])
    with pytest.raises(MessageTooLarge):
        read_message(HEAD, many)
    with pytest.raises(MalformedMessage):
        read_message(HEAD, b"--b1\r\nX: " + b"y" * 9000 + b"\r\n\r\n\r\n--b1--")


def test_odd_but_harmless_forms() -> None:
    body = (
        b"preamble\r\n--b1  \r\n"
        b'content-type: application/xop+xml;\r\n charset=UTF-8; type="text/xml";\r\n'
        b'MIME-Version: 1.0\r\nContent-Length: 3\r\nSOAPAction: "x"\r\nContent-ID:<r>\r\n\r\n'
        + ROOT
        + b"\r\n--b1\r\n\r\nunnamed\r\n--b1\r\nContent-Transfer-Encoding: BASE64\r\n"
        b"Content-ID: <d>\r\n"
        b"\r\nZm9v\r\nYmFy\r\n--b1--epilogue"
    )
    with pytest.raises(MalformedMessage):
        read_message(HEAD, body)
    read = read_message(HEAD, body.replace(b"--epilogue", b"--\r\nepilogue"))
    assert read.root == ROOT
    assert [part.body for part in read.parts] == [b"unnamed", b"foobar"]


def test_a_package_with_bare_line_feeds() -> None:
    body = package(("Content-ID: <r>", ROOT), ("Content-ID: <d>", b"x\n")).replace(b"\r\n", b"\n")
    assert read_message(HEAD, body).parts[0].body == b"x\n"


@pytest.mark.parametrize(
    ("header", "name", "value"),
    [
        ("multipart/related; boundary==_=+/:x", "boundary", "=_=+/:x"),
        ('multipart/related;boundary="a;b=c"; charset=utf-8', "boundary", "a;b=c"),
        ('Multipart/Related ; Boundary = "q\\"r" ;', "boundary", 'q"r'),
        ("multipart/related; type=application/xop+xml;; action=urn:a", "action", "urn:a"),
        ("multipart/related; flag; boundary=x", "boundary", "x"),
    ],
)
def test_content_type_parameters(header: str, name: str, value: str) -> None:
    parsed = parse_content_type(header)
    assert parsed.media_type == "multipart/related"
    assert parsed.parameters[name] == value


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_any_header_gives_a_result_or_our_error(header: str) -> None:
    with contextlib.suppress(MalformedMessage):
        parse_content_type(header)


@given(st.binary(max_size=200), st.sampled_from([b"--b1\r\n", b"--b1\r\nContent-ID: <r>\r\n\r\n"]))
@settings(max_examples=100)
def test_any_body_gives_a_result_or_our_error(tail: bytes, head: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        read_message(HEAD, head + tail)


# ---- recorded and example packages ----


def test_the_answer_with_the_glued_boundary_reads() -> None:
    content_type, body = http_file("nsp", "examples", "iti41-response-dros-glued-boundary.http")
    read = read_message(content_type, body)
    assert read.parts == ()
    assert parse_envelope(read.root).version is SoapVersion.SOAP11


def test_the_example_submission_reads_to_the_byte() -> None:
    content_type, body = http_file("nsp", "examples", "iti41-request-rplc-mtom.http")
    read = read_message(content_type, body)
    (part,) = read.parts
    assert part.body.decode() == (
        '<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Prøvenotat</title></ClinicalDocument>'
    )


@pytest.mark.parametrize("name", ["iti41-response-multipart.txt", "iti43-response-multipart.txt"])
def test_the_recorded_packages_read(name: str) -> None:
    body = shared_file("nsp", "samples", "recorded", name)
    boundary = body.split(b"\n", 1)[0].strip()[2:].decode()
    read = read_message(f'multipart/related; boundary="{boundary}"', body)
    assert parse_envelope(read.root).payload is not None
