"""Envelopes, their parser and their faults."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from nsp_client import xml_text
from nsp_client.errors import (
    DgwsFault,
    DgwsFaultCode,
    HttpRefusal,
    InvalidMetadata,
    MalformedMessage,
    MessageTooLarge,
    NoAnswer,
    SoapFault,
    StsFault,
)
from nsp_client.soap.answer import open_answer, open_message
from nsp_client.soap.envelope import (
    SoapVersion,
    answer_addressing,
    build_envelope,
    parse_envelope,
    request_addressing,
)
from nsp_client.soap.faults import (
    FaultRole,
    FaultSubcode,
    fault_envelope,
    fault_status,
    read_fault,
)
from nsp_client.soap.server import RequestRefused, check_request
from nsp_client.soap.xml import parse_xml
from tests.unit.nsp_client.xds_specimens import NSP, shared_file

BOTH = pytest.mark.parametrize("version", list(SoapVersion))
WSA = "http://www.w3.org/2005/08/addressing"


def envelope(
    header: str = "", body: str = "<x/>", version: SoapVersion = SoapVersion.SOAP11
) -> bytes:
    return build_envelope(version, header.encode(), body.encode())


@BOTH
def test_what_is_written_is_read(version: SoapVersion) -> None:
    header = request_addressing(
        version, action="urn:a&b", message_id="urn:uuid:1", to="https://x/?a=1&b=<"
    )
    read = parse_envelope(
        build_envelope(version, header, "<a>æ</a>".encode(), envelope_id="Envelope")
    )
    assert read.version is version
    assert (read.action, read.message_id, read.to) == (
        "urn:a&b",
        "urn:uuid:1",
        "https://x/?a=1&b=<",
    )
    assert read.reply_to == f"{WSA}/anonymous"
    assert read.root.get("id") == "Envelope"
    assert read.payload is not None
    assert read.payload.text == "æ"


@BOTH
def test_an_answer_relates_to_the_letter(version: SoapVersion) -> None:
    header = answer_addressing(version, action="urn:r", relates_to="AAAB+/=SOSI", message_id=None)
    read = parse_envelope(build_envelope(version, header, b""))
    assert (read.relates_to, read.message_id, read.payload) == ("AAAB+/=SOSI", None, None)


def test_addressing_is_read_with_the_liberties_real_senders_take() -> None:
    header = (
        f'<Action xmlns="{WSA}">\n urn:a\t</Action><MessageID xmlns="{WSA}"> AAAB </MessageID>'
        f'<ReplyTo xmlns="{WSA}">{WSA}/anonymous</ReplyTo>'
    )
    read = parse_envelope(envelope(header))
    assert (read.action, read.message_id, read.reply_to) == ("urn:a", "AAAB", f"{WSA}/anonymous")
    older = parse_envelope(
        envelope(
            '<a:Action xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">urn:b</a:Action>'
        )
    )
    assert older.action == "urn:b"


def test_an_addressing_block_twice_is_refused() -> None:
    block = f'<Action xmlns="{WSA}">urn:a</Action>'
    with pytest.raises(MalformedMessage, match="twice"):
        parse_envelope(envelope(block + block))


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"not xml",
        b"<a>&nosuch;</a>",
        LAUGHS.encode(),
        b"<?xml version='1.0'?>\n<!-- c --><?pi x?>\n" + LAUGHS.encode(),
        b"\xef\xbb\xbf" + LAUGHS.encode(),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        LAUGHS.encode("utf-16"),
        LAUGHS.encode("utf-16-be"),
        b'<?xml version="1.0" encoding="UTF-7"?>' + LAUGHS.encode("utf-7"),
        '<?xml version="1.0" encoding="iso-8859-1"?><x>æ</x>'.encode("latin-1"),
        b"<x>\xff\xfe</x>",
        b"<x a='1' a='2'/>",
        b"<a>" * 300 + b"</a>" * 300,
    ],
)
def test_hostile_or_broken_xml_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_xml(data)


def test_a_document_type_behind_very_many_comments_is_found_in_time() -> None:
    with pytest.raises(MalformedMessage):
        parse_xml(b"<!---->" * 100_000 + b"<!DOCTYPE x []><x/>")
    assert parse_xml(b"<!-- -->" * 100_000 + b"<x/>").tag == "x"


def test_xml_beyond_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(MessageTooLarge):
        parse_xml(b"<a>" + b"x" * 100 + b"</a>", max_bytes=50)


def test_a_comment_does_not_cut_a_text_short() -> None:
    assert parse_xml(b"<a>300174<!-- x -->9995<?p?>1</a>").text == "30017499951"


@pytest.mark.parametrize(
    "data",
    [
        b"<x/>",
        b'<Envelope xmlns="urn:other"><Body/></Envelope>',
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"/>',
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/><e:Body/></e:Envelope>',
    ],
)
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_envelope(data)


@given(st.text())
@settings(max_examples=100)
def test_escaped_text_and_attributes_come_back_as_they_were(value: str) -> None:
    try:
        written = f'<a b="{xml_text.attribute(value)}">{xml_text.text(value)}</a>'
    except InvalidMetadata:
        assert any((ord(c) < 32 and c not in "\t\n\r") or ord(c) >= 0xD800 for c in value)
        return
    read = etree.fromstring(written.encode())
    assert read.get("b") == value
    assert (read.text or "") == value


# ---- faults ----


@BOTH
def test_a_dgws_fault_comes_back_as_its_code(version: SoapVersion) -> None:
    written = fault_envelope(
        version,
        FaultRole.RECEIVER,
        "ID-kortet er <udløbet>",
        dgws_code=DgwsFaultCode.EXPIRED_IDCARD,
    )
    fault = read_fault(parse_envelope(written))
    assert fault is not None
    error = fault.as_error()
    assert isinstance(error, DgwsFault)
    assert (error.known, error.retry, error.text) == (
        DgwsFaultCode.EXPIRED_IDCARD,
        "after_renewal",
        "ID-kortet er <udløbet>",
    )


@BOTH
def test_a_subcode_survives_in_both_versions(version: SoapVersion) -> None:
    written = fault_envelope(
        version, FaultRole.SENDER, "x", subcode=FaultSubcode.ACTION_NOT_SUPPORTED
    )
    fault = read_fault(parse_envelope(written))
    assert fault is not None
    assert (fault.subcode or fault.faultcode).endswith(":ActionNotSupported")
    assert fault_status(version, FaultRole.SENDER) == (
        400 if version is SoapVersion.SOAP12 else 500
    )


def test_faults_are_read_by_name_whatever_the_order_and_the_prefix() -> None:
    body = (
        '<e:Fault xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><detail>'
        '<m:FaultCode xmlns:m="http://svn.medcom.dk/svn/releases/Standarder/DGWS/Schemas/medcom-1.0.1.xsd">'
        " not_authorized </m:FaultCode></detail><faultstring>nej</faultstring>"
        "<faultcode>env:Server</faultcode></e:Fault>"
    )
    with pytest.raises(DgwsFault) as caught:
        open_answer(500, "text/xml", envelope(body=body))
    assert caught.value.known is DgwsFaultCode.NOT_AUTHORIZED
    assert (caught.value.retry, caught.value.actor) == ("no", "operator")


def test_an_unknown_dgws_code_is_never_retried() -> None:
    error = DgwsFault("egen_kode", "x")
    assert (error.known, error.retry) == (None, "no")


def test_a_cpr_in_a_fault_text_is_masked() -> None:
    assert "9995" not in str(SoapFault("Server", "ukendt CPR 3001749995"))
    assert "9995" not in str(DgwsFault("processing_problem", "3001749995"))


@pytest.mark.parametrize(
    ("name", "kind", "retry"),
    [
        ("dgws-fault-expired-idcard.xml", DgwsFault, "after_renewal"),
        ("dgws-fault-minlog-down.xml", DgwsFault, "later"),
        ("sts-fault-http200.xml", StsFault, "no"),
        ("nas-fault-unknown-topic.xml", SoapFault, "no"),
    ],
)
@pytest.mark.parametrize("status", [200, 500])
def test_the_example_faults(name: str, kind: type[SoapFault], retry: str, status: int) -> None:
    with pytest.raises(SoapFault) as caught:
        open_answer(status, "text/xml; charset=utf-8", shared_file("nsp", "examples", name))
    assert type(caught.value) is kind
    assert caught.value.retry == retry


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (504, b"<html><body>Gateway Time-out</body>", NoAnswer),
        (503, b"", NoAnswer),
        (413, b"too large", HttpRefusal),
        (500, b"<html>", HttpRefusal),
        (200, b"<html>", MalformedMessage),
        (200, b"", MalformedMessage),
    ],
)
@pytest.mark.parametrize("content_type", ["text/html", ""])
def test_an_answer_without_a_message(
    status: int, body: bytes, error: type[Exception], content_type: str
) -> None:
    with pytest.raises(error):
        open_answer(status, content_type, body)


def test_an_answer_of_success_with_a_bad_status_is_no_success() -> None:
    with pytest.raises(HttpRefusal):
        open_answer(404, "text/xml", envelope())


def test_every_xml_specimen_of_a_message_parses() -> None:
    if not NSP.exists():
        pytest.skip("no specimens beside this tree")
    seen = 0
    for folder in ("examples", "samples/recorded"):
        for path in sorted((NSP / folder).glob("*.xml")):
            data = path.read_bytes()
            if path.name == "iti41withreplacement-request.xml":
                continue  # an envelope with a MIME part behind it
            if b"Envelope" not in data:
                parse_xml(data)
                continue
            read = parse_envelope(data)
            assert read.payload is not None, path.name
            seen += 1
    assert seen > 25


# ---- what a server checks ----


def refused(header: str, **options: object) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        check_request(parse_envelope(envelope(header)), actions={"urn:a"}, **options)  # type: ignore[arg-type]
    return caught.value


def test_a_request_as_it_should_be_passes() -> None:
    header = request_addressing(SoapVersion.SOAP11, action="urn:a", message_id="m", to="t").decode()
    check_request(
        parse_envelope(envelope(header)),
        actions={"urn:a"},
        http_action='"urn:a"',
        addressing_required=True,
    )
    check_request(parse_envelope(envelope()), actions={"urn:a"}, http_action="")


def test_the_faults_of_addressing() -> None:
    action = f'<Action xmlns="{WSA}">urn:a</Action>'
    assert (
        refused(f'<Action xmlns="{WSA}">urn:b</Action>').subcode
        is FaultSubcode.ACTION_NOT_SUPPORTED
    )
    assert refused("", addressing_required=True).subcode is FaultSubcode.ADDRESSING_HEADER_REQUIRED
    assert refused(action, http_action="urn:c").subcode is FaultSubcode.INVALID_ADDRESSING_HEADER
    reply = f'<ReplyTo xmlns="{WSA}"><Address>https://elsewhere</Address></ReplyTo>'
    error = refused(action + reply)
    assert error.subcode is FaultSubcode.ONLY_ANONYMOUS_ADDRESS
    assert read_fault(parse_envelope(error.as_envelope(SoapVersion.SOAP12))) is not None


def test_a_block_that_must_be_understood_is_not_ignored() -> None:
    block = (
        '<x:Y xmlns:x="urn:x" xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
        ' s:mustUnderstand="1"/>'
    )
    assert refused(block).role is FaultRole.MUST_UNDERSTAND
    check_request(parse_envelope(envelope(block)), actions=(), understood={("urn:x", "Y")})
    reply = (
        f'<w:ReplyTo xmlns:w="{WSA}" xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
        f' s:mustUnderstand="true"><w:Address>{WSA}/anonymous</w:Address></w:ReplyTo>'
    )
    check_request(parse_envelope(envelope(reply)), actions=())


def test_an_include_outside_a_document_is_refused() -> None:
    body = (
        '<x><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:a%40b"/></x>'
    )
    with pytest.raises(MalformedMessage, match="Include"):
        open_message("text/xml", envelope(body=body))
