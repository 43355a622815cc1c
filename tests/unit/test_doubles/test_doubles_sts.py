"""The STS over HTTP. Self-signed cards are signed by xmlsec1, which shares nothing with us."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from test_doubles.cards import verify_card
from test_doubles.clock import Clock, parse_instant
from test_doubles.faults import FaultBook
from test_doubles.personas import Personas
from test_doubles.pki import Pki, ensure_pki
from test_doubles.recorder import Recorder
from test_doubles.soap import SoapFault, canonical
from test_doubles.sts import StsDouble
from test_doubles.world import World
from tests.unit.test_doubles.doubles_messages import ASSERTION, needs_shared, xmlsec

Client = TestClient[web.Request, web.Application]
PATH = "/sts/services/NewSecurityTokenService"
DS = "http://www.w3.org/2000/09/xmldsig#"
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
SHA1 = (f"{DS}rsa-sha1", f"{DS}sha1")
SHA256 = (
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmlenc#sha256",
)
START = "2026-12-14T08:00:00+00:00"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return ensure_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def world(pki: Pki) -> World:
    made = World(
        clock=Clock(parse_instant(START)),
        personas=Personas(),
        faults=FaultBook(),
        recorder=Recorder(),
        pki_dir=pki.directory,
    )
    made.doubles = {"sts": StsDouble(made)}
    return made


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a self-signed card says; the ordinary case is the gateway's system card."""

    certificate: str = "gateway/system"
    kind: str = "system"
    level: str = "3"
    name_id: str = "44000004"
    cvr: str = "44000004"
    version: str = "1.0.1"
    not_before: str = "2026-12-14T07:55:00Z"
    not_on_or_after: str = "2026-12-15T07:55:00Z"
    cert_hash: str | None = None
    user: tuple[tuple[str, str], ...] = ()
    system_name: str = "Journaldeling"
    methods: tuple[str, str] = SHA1


DOCTOR = Wanted(
    certificate="personas/doctor-1",
    kind="user",
    level="4",
    name_id="1708699997",
    cvr="55000012",
    user=(
        ("UserCivilRegistrationNumber", "1708699997"),
        ("UserGivenName", "Henrik Test"),
        ("UserSurName", "Overby"),
        ("UserRole", "7170"),
    ),
)


def statement(name: str, pairs: dict[str, str]) -> str:
    shown = "".join(
        f'<saml:Attribute Name="{key}"'
        + (' NameFormat="medcom:cvrnumber"' if key.endswith("CareProviderID") else "")
        + f"><saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>"
        for key, value in pairs.items()
    )
    return f'<saml:AttributeStatement id="{name}">{shown}</saml:AttributeStatement>'


def template(pki: Pki, wanted: Wanted) -> str:
    """A card with an empty signature, for xmlsec1 to fill in."""
    certificate = pki.certificate(wanted.certificate).public_bytes(Encoding.DER)
    digest = base64.b64encode(hashlib.sha1(certificate).digest()).decode()
    cvr = "medcom:cprnumber" if wanted.kind == "user" else "medcom:cvrnumber"
    data = {
        "sosi:IDCardID": "q83vASNFZ4mrze8BI0VniQ==",
        "sosi:IDCardVersion": wanted.version,
        "sosi:IDCardType": wanted.kind,
        "sosi:AuthenticationLevel": wanted.level,
        "sosi:OCESCertHash": digest if wanted.cert_hash is None else wanted.cert_hash,
    }
    user = statement("UserLog", {f"medcom:{k}": v for k, v in wanted.user})
    system = {
        "medcom:ITSystemName": wanted.system_name,
        "medcom:CareProviderID": wanted.cvr,
        "medcom:CareProviderName": "Notatdeling ApS",
    }
    signature_method, digest_method = wanted.methods
    return (
        f'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:ds="{DS}"'
        f' IssueInstant="{wanted.not_before}" Version="2.0" id="IDCard">'
        "<saml:Issuer>NotatGateway</saml:Issuer><saml:Subject>"
        f'<saml:NameID Format="{cvr}">{wanted.name_id}</saml:NameID><saml:SubjectConfirmation>'
        "<saml:ConfirmationMethod>urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
        "</saml:ConfirmationMethod><saml:SubjectConfirmationData><ds:KeyInfo><ds:KeyName>"
        "OCESSignature</ds:KeyName></ds:KeyInfo></saml:SubjectConfirmationData>"
        "</saml:SubjectConfirmation></saml:Subject>"
        f'<saml:Conditions NotBefore="{wanted.not_before}"'
        f' NotOnOrAfter="{wanted.not_on_or_after}"/>'
        f"{statement('IDCardData', data)}{user if wanted.user else ''}"
        f"{statement('SystemLog', system)}"
        '<ds:Signature id="OCESSignature"><ds:SignedInfo><ds:CanonicalizationMethod'
        ' Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
        f'<ds:SignatureMethod Algorithm="{signature_method}"/><ds:Reference URI="#IDCard">'
        f'<ds:Transforms><ds:Transform Algorithm="{DS}enveloped-signature"/>'
        '<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{digest_method}"/><ds:DigestValue/></ds:Reference>'
        "</ds:SignedInfo><ds:SignatureValue/><ds:KeyInfo><ds:X509Data><ds:X509Certificate>"
        f"{base64.b64encode(certificate).decode()}</ds:X509Certificate></ds:X509Data>"
        "</ds:KeyInfo></ds:Signature></saml:Assertion>"
    )


def signed(pki: Pki, place: Path, text: str, certificate: str) -> str:
    """The card signed by xmlsec1 with the certificate's key."""
    source, target = place / "card.xml", place / "signed.xml"
    source.write_text(text, encoding="utf-8")
    done = xmlsec(
        "--sign",
        "--privkey-pem",
        pki.key_file(certificate),
        "--id-attr:id",
        ASSERTION,
        "--output",
        target,
        source,
    )
    assert done.returncode == 0, done.stderr
    return re.sub(r"^<\?xml[^>]*\?>\s*", "", target.read_text(encoding="utf-8")).strip()


def holds(pki: Pki, place: Path, card: str, certificate: str) -> bool:
    """Whether xmlsec1 finds the card's signature good for that certificate's key."""
    file = place / "issued.xml"
    file.write_text(card, encoding="utf-8")
    done = xmlsec(
        "--verify",
        "--pubkey-cert-pem",
        pki.certificate_file(certificate),
        "--id-attr:id",
        ASSERTION,
        file,
    )
    return done.returncode == 0


def request_text(card: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:wst="http://schemas.xmlsoap.org/ws/2005/02/trust"><soap:Header/><soap:Body>'
        '<wst:RequestSecurityToken Context="www.sosi.dk"><wst:TokenType>'
        "urn:oasis:names:tc:SAML:2.0:assertion:</wst:TokenType><wst:RequestType>"
        "http://schemas.xmlsoap.org/ws/2005/02/trust/Issue</wst:RequestType>"
        f"<wst:Claims>{card}</wst:Claims><wst:Issuer>"
        '<w:Address xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing">NotatGateway'
        "</w:Address></wst:Issuer></wst:RequestSecurityToken></soap:Body></soap:Envelope>"
    )


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    root: etree._Element

    @property
    def card(self) -> etree._Element:
        (found,) = self.root.iter(f"{SAML}Assertion")
        return found

    @property
    def fault(self) -> tuple[str | None, str | None]:
        """faultcode and faultstring."""
        assert self.status == 200
        (fault,) = self.root.iter("{http://schemas.xmlsoap.org/soap/envelope/}Fault")
        return fault.findtext("faultcode"), fault.findtext("faultstring")

    def attribute(self, name: str) -> str | None:
        for found in self.card.iter(f"{SAML}Attribute"):
            if found.get("Name") == name:
                return found.findtext(f"{SAML}AttributeValue")
        return None


async def post(client: Client, text: str) -> Answer:
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"Issue"'}
    async with client.post(PATH, data=text.encode(), headers=headers) as answer:
        return Answer(answer.status, etree.fromstring(await answer.read()))


class Exchange:
    """Sends self-signed cards to the STS."""

    def __init__(self, client: Client, pki: Pki, place: Path) -> None:
        self.client, self.pki, self.place = client, pki, place

    async def __call__(self, wanted: Wanted) -> Answer:
        card = signed(self.pki, self.place, template(self.pki, wanted), wanted.certificate)
        return await post(self.client, request_text(card))

    async def switch(self, **members: Any) -> None:
        async with self.client.put("/control/state/sts", json=members) as answer:
            assert answer.status == 200, await answer.text()


@pytest.fixture
def exchange(client: Client, pki: Pki, tmp_path: Path) -> Exchange:
    return Exchange(client, pki, tmp_path)


async def test_a_system_card_is_issued_and_xmlsec1_finds_it_good(exchange: Exchange) -> None:
    answer = await exchange(Wanted())
    card = answer.card
    assert card.findtext(f"{SAML}Issuer") == "PROEVE-STS"
    name_id = card.find(f"{SAML}Subject/{SAML}NameID")
    assert name_id is not None
    assert name_id.get("Format") == "medcom:other"
    assert str(name_id.text).startswith(
        "SubjectDN={C=DK, OID.2.5.4.97=NTRDK-44000004, O=Notatdeling ApS, SERIALNUMBER=UI:DK-O:G:"
    )
    conditions = card.find(f"{SAML}Conditions")
    assert conditions is not None
    assert dict(conditions.attrib) == {
        "NotBefore": "2026-12-14T07:55:00Z",
        "NotOnOrAfter": "2026-12-15T07:55:00Z",
    }
    assert answer.attribute("sosi:IDCardID") == "q83vASNFZ4mrze8BI0VniQ=="
    assert answer.attribute("medcom:CareProviderID") == "44000004"
    text = etree.tostring(card, encoding="unicode")
    assert "rsa-sha1" in text
    assert holds(exchange.pki, exchange.place, text, "sts/sts")
    assert not holds(exchange.pki, exchange.place, text, "sts/false-sts")


async def test_the_issued_card_has_the_structure_of_the_published_schema(
    exchange: Exchange,
) -> None:
    from test_doubles.schemas import Schemas

    schemas = Schemas(needs_shared())
    card = (await exchange(DOCTOR)).card
    text = etree.tostring(card, encoding="unicode", with_tail=False)
    security = etree.fromstring(
        '<wsse:Security xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-'
        'wssecurity-secext-1.0.xsd"><wsu:Timestamp xmlns:wsu="http://docs.oasis-open.org/wss/'
        '2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"><wsu:Created>2026-12-14T08:00:00Z'
        f"</wsu:Created></wsu:Timestamp>{text}</wsse:Security>"
    )
    assert schemas._security.validate(security), schemas._security.error_log


async def test_a_user_card_gets_code_and_role_from_the_registers(exchange: Exchange) -> None:
    answer = await exchange(DOCTOR)
    assert answer.attribute("medcom:UserAuthorizationCode") == "ZTA02"
    assert answer.attribute("medcom:UserRole") == "7170"
    assert answer.attribute("sosi:AuthenticationLevel") == "4"
    left_out = replace(DOCTOR, user=DOCTOR.user[1:])
    assert (await exchange(left_out)).attribute("medcom:UserCivilRegistrationNumber") == (
        "1708699997"
    )


async def test_sha256_is_taken_in_requests_and_can_be_switched_on_for_answers(
    exchange: Exchange,
) -> None:
    assert (await exchange(replace(Wanted(), methods=SHA256))).card is not None
    await exchange.switch(sha256=True)
    text = etree.tostring((await exchange(Wanted())).card, encoding="unicode")
    assert "rsa-sha256" in text
    assert "rsa-sha1" not in text
    assert holds(exchange.pki, exchange.place, text, "sts/sts")


async def test_the_older_certificate_style_is_understood(exchange: Exchange) -> None:
    answer = await exchange(replace(Wanted(), certificate="odd/oces2"))
    name_id = answer.card.findtext(f"{SAML}Subject/{SAML}NameID")
    assert " + SERIALNUMBER=CVR:44000004-UID:" in str(name_id)


@pytest.mark.parametrize(
    ("wanted", "code", "start"),
    [
        (
            replace(Wanted(), certificate="odd/expired"),
            "wst:FailedAuthentication",
            "the certificate is not valid",
        ),
        (
            replace(Wanted(), certificate="odd/not-yet-valid"),
            "wst:FailedAuthentication",
            "the certificate is not valid",
        ),
        (
            replace(Wanted(), certificate="odd/revoked"),
            "wst:FailedAuthentication",
            "the certificate is revoked",
        ),
        (
            replace(Wanted(), certificate="odd/other-root"),
            "wst:FailedAuthentication",
            "the certificate is not issued by a known CA",
        ),
        (replace(Wanted(), cvr="44000005"), "wst:FailedAuthentication", "illegal cvrrid"),
        (replace(Wanted(), cert_hash="AAAA"), "wst:FailedAuthentication", "OCESCertHash"),
        (replace(Wanted(), version="1.0"), "wst:InvalidRequest", "IDCardVersion"),
        (replace(Wanted(), level="4"), "wst:InvalidRequest", "type and level"),
        (replace(Wanted(), system_name=""), "wst:InvalidRequest", "IT System must be specified."),
        (
            replace(
                Wanted(), not_before="2026-12-12T07:55:00Z", not_on_or_after="2026-12-13T07:55:00Z"
            ),
            "wst:FailedAuthentication",
            "id card: expired_idcard",
        ),
        (
            replace(
                Wanted(), not_before="2026-12-14T08:05:00Z", not_on_or_after="2026-12-15T07:55:00Z"
            ),
            "wst:FailedAuthentication",
            "id card: invalid_idcard",
        ),
        (
            replace(Wanted(), not_before="2026-12-14T08:55:00+01:00"),
            "wst:FailedAuthentication",
            "id card: invalid_date_timezone",
        ),
        (
            replace(DOCTOR, user=(("UserCivilRegistrationNumber", "2301859994"),)),
            "wst:FailedAuthentication",
            "Authentication failed: cvrrid-cpr mismatch",
        ),
        (
            replace(DOCTOR, user=(("UserRole", "5166"),)),
            "wst:RequestFailed",
            "authorization not found",
        ),
        (
            replace(DOCTOR, user=(("UserRole", "7170"), ("UserAuthorizationCode", "ZTA02"))),
            "wst:InvalidRequest",
            "Only one of UserAuthorizationCode or UserRole",
        ),
        (
            replace(
                DOCTOR,
                certificate="personas/secretary-1",
                user=(("UserCivilRegistrationNumber", "3103729998"),),
            ),
            "wst:RequestFailed",
            "missing authorization",
        ),
    ],
)
async def test_what_is_refused(exchange: Exchange, wanted: Wanted, code: str, start: str) -> None:
    found_code, text = (await exchange(wanted)).fault
    assert found_code == code
    assert str(text).startswith(start)
    assert "1708699997" not in str(text)


async def test_a_card_changed_after_signing_is_refused(exchange: Exchange) -> None:
    pki, place = exchange.pki, exchange.place
    card = signed(pki, place, template(pki, Wanted()), "gateway/system")
    for old, new in (
        ("Journaldeling", "Andet"),
        ("</saml:Subject>", "</saml:Subject>\n"),
        ("</saml:AttributeStatement><ds:Signature", "</saml:AttributeStatement> <ds:Signature"),
    ):
        assert old in card
        answer = await post(exchange.client, request_text(card.replace(old, new, 1)))
        assert answer.fault == (
            "wst:FailedAuthentication",
            "Unable to validate envelope signature",
        )


async def test_a_wrapped_card_is_refused(exchange: Exchange) -> None:
    """The signed card moved aside and another one put where it is looked for."""
    pki, place = exchange.pki, exchange.place
    good = signed(pki, place, template(pki, Wanted()), "gateway/system")
    evil = good.replace("44000004", "55000055")
    nested = evil.replace("</saml:Subject>", f"</saml:Subject>{good}", 1)
    aside = request_text(evil).replace("<soap:Header/>", f"<soap:Header>{good}</soap:Header>")
    for text in (request_text(nested), aside, request_text(good + evil)):
        assert (await post(exchange.client, text)).fault[0] in (
            "wst:FailedAuthentication",
            "wst:InvalidRequest",
        )


async def test_a_request_that_is_none_is_a_fault_with_status_200(client: Client) -> None:
    for text in (
        "no xml",
        request_text(""),
        request_text("").replace("RequestSecurityToken", "Other"),
        request_text("").replace("ws/2005/02/trust/Issue", "ws/2005/02/trust/Renew"),
    ):
        assert (await post(client, text)).fault[0] == "wst:InvalidRequest"


async def test_switches(exchange: Exchange, world: World) -> None:
    await exchange.switch(lifetime_minutes=10, clock_offset_seconds=120)
    conditions = (await exchange(Wanted())).card.find(f"{SAML}Conditions")
    assert conditions is not None
    assert conditions.get("NotBefore") == "2026-12-14T07:57:00Z"
    assert conditions.get("NotOnOrAfter") == "2026-12-14T08:07:00Z"
    await exchange.switch(clock_offset_seconds=0, signer="false-sts")
    text = etree.tostring((await exchange(Wanted())).card, encoding="unicode")
    assert holds(exchange.pki, exchange.place, text, "sts/false-sts")
    await exchange.switch(fault="wst:RequestFailed The specified request failed: later")
    assert (await exchange(Wanted())).fault == (
        "wst:RequestFailed",
        "The specified request failed: later",
    )
    async with exchange.client.get("/control/state/sts") as answer:
        assert (await answer.json())["issued"] == 2
    async with exchange.client.put("/control/state/sts", json={"signer": "x"}) as answer:
        assert answer.status == 400
    async with exchange.client.post("/control/reset"):
        assert (await exchange(Wanted())).card is not None


async def test_the_clock_of_the_doubles_is_the_sts_clock(exchange: Exchange, world: World) -> None:
    world.clock.move_to(world.clock.now() + timedelta(days=2))
    assert (await exchange(Wanted())).fault[1] == "id card: expired_idcard"


async def test_an_ordered_refusal_is_a_fault_with_status_200(exchange: Exchange) -> None:
    rule = {"service": "sts", "operation": "issue", "mode": "refuse", "times": 1}
    async with exchange.client.post("/control/faults", json=rule) as answer:
        assert answer.status == 201
    code, text = (await exchange(Wanted())).fault
    assert code == "wst:RequestFailed"
    assert str(text).startswith("The specified request failed")
    assert (await exchange(Wanted())).card is not None


async def test_the_example_request_is_taken_once_it_is_signed(
    exchange: Exchange, world: World
) -> None:
    """The data set's own request, with its white space, signed with our system key."""
    raw = (needs_shared() / "examples" / "sts-issue-system-request.xml").read_text("utf-8")
    certificate = exchange.pki.certificate("gateway/system").public_bytes(Encoding.DER)
    raw = raw.replace("RVhBTVBMRUVYQU1QTEVFWEFNUEw=", _b64(hashlib.sha1(certificate).digest()))
    raw = raw.replace("<ds:DigestValue>RVhBTVBMRQ==", "<ds:DigestValue>")
    raw = raw.replace("<ds:SignatureValue>RVhBTVBMRQ==", "<ds:SignatureValue>")
    raw = raw.replace("RVhBTVBMRQ==", _b64(certificate))
    text = signed(exchange.pki, exchange.place, raw, "gateway/system")
    world.clock.move_to(parse_instant("2027-03-01T08:00:00Z"))
    answer = await post(exchange.client, text)
    assert answer.attribute("medcom:CareProviderID") == "44000004"


def _b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


@pytest.mark.parametrize(
    ("name", "blank", "digest", "length"),
    [
        ("kat/sts-issue-system-request.xml", True, "YhRpBVaSuWIvqShh4txxbXeLPbY=", 1814),
        ("kat/sts-issued-system-card-call.xml", True, "0ulqFg+z/dmlmYfonuprt5PSuPI=", 2099),
        ("recorded/iti41-request-soap.xml", False, "jqnaIFW4Pw4jMJHGV/BiZPV5XLU=", None),
        ("recorded/iti41-response-multipart.txt", False, "jqnaIFW4Pw4jMJHGV/BiZPV5XLU=", None),
    ],
)
def test_real_cards_have_the_digest_they_were_signed_with(
    name: str, blank: bool, digest: str, length: int | None
) -> None:
    """The four vectors of the data set: our canonical form is the one in use."""
    from test_doubles.cards import _without_signature

    raw = (needs_shared() / "samples" / name).read_bytes()
    if name.endswith(".txt"):
        end = b"</soapenv:Envelope>"
        raw = raw[raw.index(b"<soapenv:Envelope") : raw.index(end) + len(end)]
    root = etree.fromstring(raw, etree.XMLParser(remove_blank_text=blank))
    card = next(root.iter(f"{SAML}Assertion"))
    found = canonical(_without_signature(card))
    assert base64.b64encode(hashlib.sha1(found).digest()).decode() == digest
    assert length in (None, len(found))
    # Their values are taken out, so the signature itself can no longer hold.
    with pytest.raises(SoapFault):
        verify_card(card)
