"""Faults: read by name whatever their order, status and SOAP version; written by the book."""

from __future__ import annotations

import pytest
from lxml import etree

from nsp_client.dgws.faults import DANISH_TEXT, dgws_fault, raise_for_fault, read_fault
from nsp_client.dgws.faults import write_fault_envelope as write
from nsp_client.dgws.header import read_medcom_header
from nsp_client.errors import DgwsFault, SoapFault, StsFault
from nsp_client.fault_codes import DgwsFaultCode
from nsp_client.soap.envelope import SoapVersion, parse_envelope
from tests.unit.nsp_client.throwaway_keys import NOW, SHARED

MEDCOM = "http://www.medcom.dk/dgws/2006/04/dgws-1.0.xsd"
ANNEX = "http://svn.medcom.dk/svn/releases/Standarder/DGWS/Schemas/medcom-1.0.1.xsd"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


def body(fault: str) -> etree._Element:
    return etree.fromstring(
        f'<s:Body xmlns:s="{SOAP}" xmlns:m="{MEDCOM}"><s:Fault>{fault}</s:Fault></s:Body>'
    )


def example(name: str) -> etree._Element:
    path = SHARED / "examples" / name
    if not path.exists():
        pytest.skip("the shared NSP examples are not beside this checkout")
    return parse_envelope(path.read_bytes()).body


@pytest.mark.parametrize("code", list(DgwsFaultCode))
@pytest.mark.parametrize("version", list(SoapVersion))
def test_every_code_is_written_and_read_back(code: DgwsFaultCode, version: SoapVersion) -> None:
    envelope = parse_envelope(
        write(
            dgws_fault(code),
            created=NOW,
            message_id="m-2",
            in_response_to="m-1",
            version=version,
        )
    )
    assert envelope.version is version
    fault = read_fault(envelope.body)
    assert isinstance(fault, DgwsFault)
    assert fault.fault_code == code.value
    assert fault.known is code
    assert fault.text == DANISH_TEXT.get(code, code.value)
    header = read_medcom_header(envelope.header)
    assert header is not None
    assert (header.message_id, header.in_response_to) == ("m-2", "m-1")


def test_a_fault_has_the_published_shape() -> None:
    syntax_error = dgws_fault(DgwsFaultCode.SYNTAX_ERROR)
    envelope = parse_envelope(write(syntax_error, created=NOW, message_id="m"))
    fault = envelope.payload
    assert fault is not None
    assert fault.tag == f"{{{SOAP}}}Fault"
    assert [child.tag for child in fault] == ["faultcode", "faultstring", "detail"]
    assert fault.findtext("faultcode") == "soap:Server"
    assert fault.nsmap["soap"] == SOAP
    assert [child.tag for child in fault[2]] == [f"{{{MEDCOM}}}FaultCode"]


def test_every_code_a_server_of_ours_may_answer_has_a_danish_text() -> None:
    without = {code for code in DgwsFaultCode if code not in DANISH_TEXT}
    assert all(code.value.startswith("sosigw_") for code in without)


def test_text_is_escaped() -> None:
    fault = DgwsFault("not_authorized", "<b>&")
    read = read_fault(parse_envelope(write(fault, created=NOW, message_id="m")).body)
    assert read is not None
    assert read.text == "<b>&"


@pytest.mark.parametrize("faultcode", ["Server", "soap:Server", "env:Server", "Client"])
@pytest.mark.parametrize("namespace", [MEDCOM, ANNEX])
def test_parts_are_found_by_name_in_any_order(faultcode: str, namespace: str) -> None:
    fault = read_fault(
        body(
            f'<detail><q:FaultCode xmlns:q="{namespace}"> expired_idcard </q:FaultCode></detail>'
            f"<faultstring>udløbet</faultstring><faultcode>{faultcode}</faultcode>"
        )
    )
    assert isinstance(fault, DgwsFault)
    assert fault.fault_code == "expired_idcard"
    assert fault.text == "udløbet"
    assert fault.retry == "after_renewal"


def test_a_code_of_the_services_own_is_kept_and_not_retried() -> None:
    fault = read_fault(body("<detail><m:FaultCode>very_special</m:FaultCode></detail>"))
    assert isinstance(fault, DgwsFault)
    assert fault.fault_code == "very_special"
    assert (fault.known, fault.retry) == (None, "no")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("dgws-fault-expired-idcard.xml", "expired_idcard"),
        ("dgws-fault-minlog-down.xml", "internal_error_minlog"),
    ],
)
def test_published_dgws_examples_are_read(name: str, code: str) -> None:
    with pytest.raises(DgwsFault) as raised:
        raise_for_fault(example(name))
    assert raised.value.fault_code == code


def test_the_published_sts_fault_is_an_sts_fault() -> None:
    with pytest.raises(StsFault) as raised:
        raise_for_fault(example("sts-fault-http200.xml"))
    assert raised.value.text == "Authentication failed: cvrrid-cpr mismatch"
    assert raised.value.fault_actor == "dk:sosi:sts:cvrridcpr"
    assert raised.value.retry == "no"


def test_the_published_nas_fault_is_no_dgws_fault() -> None:
    fault = read_fault(example("nas-fault-unknown-topic.xml"))
    assert type(fault) is SoapFault
    assert fault.retry == "no"


def test_a_fault_text_is_cut_and_cpr_numbers_in_it_are_masked() -> None:
    fault = read_fault(body(f"<faultstring>2406799994 {'x' * 478} 2406799994</faultstring>"))
    assert fault is not None
    assert "2406799" not in str(fault)
    assert len(fault.text) <= 500


def test_a_body_without_a_fault_is_none() -> None:
    assert read_fault(etree.fromstring(f'<s:Body xmlns:s="{SOAP}"><x/></s:Body>')) is None
    raise_for_fault(etree.fromstring(f'<s:Body xmlns:s="{SOAP}"/>'))
