"""SOAP faults of Den Gode Webservice: read as typed errors, written as a server.

Faults come with HTTP 500 by the standard and with HTTP 200 from the token
service, so every answer is looked through, whatever its status.

Source: nsp.md 1.6 (codes, shape), 2.3 (the token service's own faults).
"""

from __future__ import annotations

from datetime import datetime

from lxml import etree

from nsp_client import xml_text
from nsp_client.dgws.header import write_response_header
from nsp_client.dgws.namespaces import MEDCOM, MEDCOM_ANNEX
from nsp_client.errors import DgwsFault, SoapFault, StsFault
from nsp_client.fault_codes import DgwsFaultCode as FaultCode
from nsp_client.fault_codes import StsFaultCode
from nsp_client.masking import mask_cprs
from nsp_client.soap.envelope import SOAP11_NS, SOAP12_NS, SoapVersion, build_envelope

MAX_FAULT_TEXT = 500


DANISH_TEXT: dict[FaultCode, str] = {
    FaultCode.SYNTAX_ERROR: "Beskeden kunne ikke forstås",
    FaultCode.MISSING_REQUIRED_HEADER: "En påkrævet header mangler",
    FaultCode.SECURITY_LEVEL_FAILED: "Sikkerhedsniveauet passer ikke til tjenesten",
    FaultCode.INVALID_USERNAME_PASSWORD: "Brugernavn eller adgangskode er forkert",
    FaultCode.INVALID_SIGNATURE: "Signaturen på id-kortet holder ikke",
    FaultCode.INVALID_IDCARD: "Id-kortets indhold er ugyldigt",
    FaultCode.INVALID_CERTIFICATE: "Id-kortet er ikke udstedt af en kendt udsteder",
    FaultCode.EXPIRED_IDCARD: "Id-kortet er udløbet",
    FaultCode.NOT_AUTHORIZED: "Ikke autoriseret til tjenesten",
    FaultCode.ILLEGAL_HTTP_METHOD: "Kun POST er tilladt",
    FaultCode.NONREPUDIATION_NOT_SUPPORTED: "Uafviselighedskvittering understøttes ikke",
    FaultCode.INVALID_DATE_TIMEZONE: "Tider skal angives i UTC",
    FaultCode.SIGNATURE_NOT_SUPPORTED: "Signaturens algoritme understøttes ikke",
    FaultCode.PROCESSING_PROBLEM: "Beskeden kunne ikke behandles lige nu",
    FaultCode.SERVER_ERROR: "Intern fejl",
    FaultCode.REQUEST_PAYLOAD_VALIDATION_ERROR: "Forespørgslens indhold er ugyldigt",
    FaultCode.RESPONSE_PAYLOAD_VALIDATION_ERROR: "Svarets indhold er ugyldigt",
    FaultCode.INTERNAL_ERROR_MINLOG: "MinLog kunne ikke opdateres",
    FaultCode.INTERNAL_ERROR_TREATMENTRELATION: "Behandlingsrelationen kunne ikke kontrolleres",
    FaultCode.INTERNAL_ERROR_CONSENT: "Patientens spærringer kunne ikke kontrolleres",
}


def dgws_fault(code: FaultCode, text: str | None = None) -> DgwsFault:
    """Make the fault a server raises, with a Danish text for the code by default."""
    return DgwsFault(code.value, text or DANISH_TEXT.get(code, code.value))


def read_fault(body: etree._Element) -> SoapFault | None:
    """Read the fault in a SOAP body as the error it stands for.

    Parts are found by name, in any order.

    Args:
        body: ``soap:Body`` of either SOAP version.

    Returns:
        None when the body holds something else. ``DgwsFault`` where there is a
        ``medcom:FaultCode``; ``StsFault`` where the actor or the code is the
        token service's; a plain ``SoapFault`` otherwise, which is not tried again.
    """
    fault = body.find(f"{{{SOAP11_NS}}}Fault")
    if fault is not None:
        # faultcode and its siblings have no namespace, but some servers give them one.
        parts = {etree.QName(part).localname: part for part in fault.iterchildren(etree.Element)}
        code, reason, actor = (
            _content(parts.get(name)) for name in ("faultcode", "faultstring", "faultactor")
        )
    else:
        fault = body.find(f"{_SOAP12}Fault")
        if fault is None:
            return None
        code = _content(fault.find(f"{_SOAP12}Code/{_SOAP12}Value"))
        reason = _content(fault.find(f"{_SOAP12}Reason/{_SOAP12}Text"))
        actor = _content(fault.find(f"{_SOAP12}Role"))
    # Masked before it is cut: half a number is no longer seen to be one.
    reason = mask_cprs(reason)[:MAX_FAULT_TEXT]
    dgws_code = _dgws_code(fault)
    if dgws_code is not None:
        return DgwsFault(dgws_code, reason, faultcode=code or "Server")
    if actor.startswith(_STS_ACTOR) or code.rpartition(":")[2] in _STS_CODES:
        return StsFault(code, reason, actor)
    return SoapFault(code or "Server", reason)


_SOAP12 = f"{{{SOAP12_NS}}}"
_STS_ACTOR = "dk:sosi:sts"
_STS_CODES = frozenset(code.value for code in StsFaultCode)


def _content(element: etree._Element | None) -> str:
    return "" if element is None else (element.text or "").strip()


def _dgws_code(fault: etree._Element) -> str | None:
    for namespace in (MEDCOM, MEDCOM_ANNEX):
        for element in fault.iter(f"{{{namespace}}}FaultCode"):
            return _content(element) or None
    return None


def raise_for_fault(body: etree._Element) -> None:
    """Raise the error a SOAP body stands for, if it holds a fault.

    Raises:
        DgwsFault, StsFault, SoapFault: see ``read_fault``.
    """
    fault = read_fault(body)
    if fault is not None:
        raise fault


def write_fault_envelope(
    fault: DgwsFault,
    *,
    created: datetime,
    message_id: str,
    in_response_to: str | None = None,
    flow_id: str | None = None,
    security_level: int | None = None,
    version: SoapVersion = SoapVersion.SOAP11,
) -> bytes:
    """Write the answer to a request that is refused; send it with HTTP status 500.

    Args:
        fault: code and Danish text; nothing else of it is told.
        created: now (aware).
        message_id: id of this answer.
        in_response_to: the request's MessageID, when it could be read.
        version: answer in the one that was asked in.

    Returns:
        A whole envelope in UTF-8.
    """
    header = write_response_header(
        message_id=message_id,
        created=created,
        in_response_to=in_response_to,
        flow_id=flow_id,
        security_level=security_level,
    )
    code = xml_text.text(fault.fault_code)
    detail = f'<medcom:FaultCode xmlns:medcom="{MEDCOM}">{code}</medcom:FaultCode>'
    reason = xml_text.text(fault.text)
    if version is SoapVersion.SOAP12:
        content = (
            "<soap:Code><soap:Value>soap:Receiver</soap:Value></soap:Code>"
            f'<soap:Reason><soap:Text xml:lang="da">{reason}</soap:Text></soap:Reason>'
            f"<soap:Detail>{detail}</soap:Detail>"
        )
    else:
        content = (
            f"<faultcode>soap:Server</faultcode><faultstring>{reason}</faultstring>"
            f"<detail>{detail}</detail>"
        )
    fault_element = f'<soap:Fault xmlns:soap="{version.value}">{content}</soap:Fault>'
    return build_envelope(version, header, fault_element.encode())
