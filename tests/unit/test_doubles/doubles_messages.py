"""Messages to the SOAP doubles, written here by hand; nothing of the doubles' own writers.

Values are those of a shared note (xds-metadata-dk 3), persons are the cast's.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "nsp"
NIELS = "3001749995^^^&amp;1.2.208.176.1.2&amp;ISO"
KAREN = "1205519996^^^&amp;1.2.208.176.1.2&amp;ISO"
DOCUMENT = '{"resourceType":"Bundle","note":"Årskontrol"}\r\n'.encode()
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"


def needs_shared() -> Path:
    """The published schemas and examples, or the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip("the published schemas and examples are not beside the repository")
    return SHARED


def xmlsec(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run xmlsec1, a judge that shares nothing with us; skip where it is absent."""
    program = shutil.which("xmlsec1")
    if program is None:
        pytest.skip("xmlsec1 is not installed")
    return subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def new_uuid() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def id_of(*parts: str) -> str:
    """The same id for the same part of a message: a message sent again is the same."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, '|'.join(parts))}"


def new_oid() -> str:
    return f"2.25.{uuid.uuid4().int}"


@dataclass(frozen=True, slots=True)
class Submission:
    """One note for ITI-41. A changed copy comes from ``dataclasses.replace``."""

    card: str
    document: bytes = DOCUMENT
    entry: str = ""
    unique_id: str = ""
    package: str = ""
    set_unique_id: str = ""
    message_id: str = ""
    patient: str = NIELS
    replaces: str | None = None

    @staticmethod
    def of(card: str, **changes: object) -> Submission:
        made = Submission(
            card,
            entry=new_uuid(),
            unique_id=new_uuid(),
            package=new_uuid(),
            set_unique_id=new_oid(),
            message_id=str(uuid.uuid4()),
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    def again(self, **changes: object) -> Submission:
        return replace(self, **changes)  # type: ignore[arg-type]

    def body(self, content: str | None = None) -> str:
        """The body; ``content`` in place of the Include."""
        include = content or (
            '<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include"'
            ' href="cid:doc1%40test"/>'
        )
        return (
            '<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="urn:ihe:iti:xds-b:2007"'
            ' xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"'
            ' xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
            "<lcm:SubmitObjectsRequest><rim:RegistryObjectList>"
            f"{self._entry()}{_package(self.package, self.set_unique_id, self.patient)}"
            f'<rim:Association id="{self._id("HasMember")}" associationType="urn:oasis:names:tc:'
            f'ebxml-regrep:AssociationType:HasMember" sourceObject="{self.package}"'
            f' targetObject="{self.entry}">{slot("SubmissionSetStatus", "Original")}'
            f"</rim:Association>{self._rplc()}</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
            f'<xds:Document id="{self.entry}">{include}</xds:Document>'
            "</xds:ProvideAndRegisterDocumentSetRequest>"
        )

    def _id(self, part: str) -> str:
        return id_of(self.entry, part)

    def _rplc(self) -> str:
        if self.replaces is None:
            return ""
        return (
            f'<rim:Association id="{self._id("RPLC")}"'
            ' associationType="urn:ihe:iti:2007:AssociationType:RPLC"'
            f' sourceObject="{self.entry}" targetObject="{self.replaces}"/>'
        )

    def _entry(self) -> str:
        sha1 = hashlib.sha1(self.document).hexdigest()
        owner = self.entry
        return (
            f'<rim:ExtrinsicObject id="{owner}" mimeType="application/fhir+json"'
            ' objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"'
            ' home="urn:oid:1.2.208.176.8.1">'
            + slot("creationTime", "20261211081530")
            + slot("languageCode", "da-DK")
            + slot("serviceStartTime", "20261210090000")
            + slot("serviceStopTime", "20261210090000")
            + slot("sourcePatientId", self.patient)
            + slot("sourcePatientInfo", "PID-5|Vendelboe^Niels^Test", "PID-7|19740130", "PID-8|M")
            + slot("hash", sha1)
            + slot("size", str(len(self.document)))
            + name("Journalnotat")
            + author(owner, "93606bcf-9494-43ec-9b4e-a7748d1a838d")
            + code(owner, "41a5887f-8865-4c09-adf7-e362475b143a", "001", "1.2.208.184.100.9")
            + code(owner, "f4f85eac-e6cb-4883-b524-f2705394840f", "N", "2.16.840.1.113883.5.25")
            + code(
                owner,
                "a09d5840-386c-46f2-b5ad-9c3699a4309d",
                "urn:ad:dk:medcom:ecn-v1.0:full",
                "1.2.208.184.100.10",
            )
            + snomed(owner, "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", "394761003")
            + snomed(owner, "cccf5598-8b07-4b77-a05e-ae952c785ead", "408443003")
            + snomed(owner, "f0306f51-975f-434e-a61c-c59651d33983", "866144008")
            + identifier(
                owner,
                "58a6f841-87b3-4a3e-92fd-a8ffeff98427",
                "XDSDocumentEntry.patientId",
                self.patient,
            )
            + identifier(
                owner,
                "2e82c1f6-a085-4c72-9da3-8640a32e42ab",
                "XDSDocumentEntry.uniqueId",
                self.unique_id,
            )
            + "</rim:ExtrinsicObject>"
        )


def _package(owner: str, unique_id: str, patient: str) -> str:
    return (
        f'<rim:RegistryPackage id="{owner}">'
        + slot("submissionTime", "20261214080000")
        + name("Journalnotat")
        + author(owner, "a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d")
        + code(owner, "aa543740-bdda-424e-8c96-df4873be8500", "NscContentType", "NscContentType")
        + identifier(
            owner,
            "6b5aea1a-874d-4603-a4bc-96a0a7b38446",
            "XDSSubmissionSet.patientId",
            patient,
        )
        + identifier(
            owner,
            "96fdda7c-d067-4183-912e-bf5ee74998a8",
            "XDSSubmissionSet.uniqueId",
            unique_id,
        )
        + identifier(
            owner,
            "554ac39e-e3fe-47fe-b233-965d2a147832",
            "XDSSubmissionSet.sourceId",
            "1.2.208.176.43210.8.10.98",
        )
        + f'</rim:RegistryPackage><rim:Classification id="{id_of(owner, "mark")}"'
        f' classifiedObject="{owner}"'
        ' classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/>'
    )


def slot(key: str, *values: str) -> str:
    shown = "".join(f"<rim:Value>{value}</rim:Value>" for value in values)
    return f'<rim:Slot name="{key}"><rim:ValueList>{shown}</rim:ValueList></rim:Slot>'


def name(text: str) -> str:
    return f'<rim:Name><rim:LocalizedString xml:lang="da-DK" value="{text}"/></rim:Name>'


def author(owner: str, scheme: str) -> str:
    institution = "Lægerne Testby^^^^^&amp;1.2.208.176.1.1&amp;ISO^^^^61741000016007"
    return (
        f'<rim:Classification id="{id_of(owner, scheme)}" classificationScheme="urn:uuid:{scheme}"'
        f' classifiedObject="{owner}" nodeRepresentation="">'
        f"{slot('authorPerson', '^Andersen^Sidsel')}{slot('authorInstitution', institution)}"
        "</rim:Classification>"
    )


def code(owner: str, scheme: str, value: str, system: str) -> str:
    return (
        f'<rim:Classification id="{id_of(owner, scheme)}" classificationScheme="urn:uuid:{scheme}"'
        f' classifiedObject="{owner}" nodeRepresentation="{value}">'
        f"{slot('codingScheme', system)}{name('display')}</rim:Classification>"
    )


def snomed(owner: str, scheme: str, value: str) -> str:
    return code(owner, scheme, value, "2.16.840.1.113883.6.96")


def identifier(owner: str, scheme: str, label: str, value: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="{id_of(owner, scheme)}" registryObject="{owner}"'
        f' identificationScheme="urn:uuid:{scheme}" value="{value}">{name(label)}'
        "</rim:ExternalIdentifier>"
    )


def iti57_body(
    target: str, *, set_unique_id: str, patient: str = NIELS, original: str = "Approved"
) -> str:
    """Approved to Deprecated, with the line end behind the values that recordings have."""
    package = new_uuid()
    status = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
    return (
        '<lcm:SubmitObjectsRequest xmlns:lcm="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"'
        ' xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"><rim:RegistryObjectList>'
        f"{_package(package, set_unique_id, patient)}"
        '<rim:Association id="change" associationType="urn:ihe:iti:2010:AssociationType:'
        f'UpdateAvailabilityStatus" sourceObject="{package}" targetObject="{target}">'
        f"{slot('OriginalStatus', status + original + chr(10))}"
        f"{slot('NewStatus', status + 'Deprecated' + chr(10))}</rim:Association>"
        "</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )


def header(card: str, message_id: str, action: str, *, level: str = "3") -> str:
    """The SOAP header of a DROS call."""
    return (
        '<wsse:Security xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/'
        'oasis-200401-wss-wssecurity-secext-1.0.xsd"><wsu:Timestamp xmlns:wsu="http://docs.'
        'oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"><wsu:Created>'
        f"2026-12-14T08:00:00Z</wsu:Created></wsu:Timestamp>{card}</wsse:Security>"
        '<medcom:Header xmlns:medcom="http://www.medcom.dk/dgws/2006/04/dgws-1.0.xsd">'
        f"<medcom:SecurityLevel>{level}</medcom:SecurityLevel><medcom:Linking>"
        f"<medcom:MessageID>{message_id}</medcom:MessageID></medcom:Linking></medcom:Header>"
        '<wsa:Action xmlns:wsa="http://www.w3.org/2005/08/addressing" '
        f'soap:mustUnderstand="1">{action}</wsa:Action>'
        '<wsa:MessageID xmlns:wsa="http://www.w3.org/2005/08/addressing">'
        f"urn:uuid:{message_id}</wsa:MessageID>"
        '<wsa:ReplyTo xmlns:wsa="http://www.w3.org/2005/08/addressing"><wsa:Address>'
        "http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>"
    )


def envelope(head: str, body: str, soap: str = SOAP11) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="{soap}">'
        f"<soap:Header>{head}</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def packaged(
    root: bytes, document: bytes, soap: str = SOAP11, boundary: str = "b=/+:1"
) -> tuple[dict[str, str], bytes]:
    """A package with one attachment: headers and body."""
    kind = "text/xml" if soap == SOAP11 else "application/soap+xml"
    content_type = (
        f'multipart/related; type="application/xop+xml"; boundary="{boundary}";'
        f' start="<root@test>"; start-info="{kind}"'
    )
    body = (
        f'--{boundary}\r\nContent-Type: application/xop+xml; charset=UTF-8; type="{kind}"\r\n'
        "Content-Transfer-Encoding: binary\r\nContent-ID: <root@test>\r\n\r\n"
    ).encode()
    body += (
        root
        + (
            f"\r\n--{boundary}\r\nContent-Type: application/fhir+json\r\n"
            "Content-Transfer-Encoding: binary\r\nContent-ID: <doc1@test>\r\n\r\n"
        ).encode()
    )
    return {"Content-Type": content_type}, body + document + f"\r\n--{boundary}--\r\n".encode()
