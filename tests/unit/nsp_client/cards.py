"""Cards for the tests: built by us, re-signed by a throw-away token service."""

from __future__ import annotations

from datetime import datetime, timedelta

from lxml import etree

from nsp_client.dgws.card_request import build_system_card, build_user_card
from nsp_client.dgws.id_card import CardUser, CareProvider, IdCard
from nsp_client.identifiers import Cpr
from nsp_client.signing.keys import SigningKey
from nsp_client.signing.xmldsig import CardAlgorithm, sign_assertion
from tests.unit.nsp_client.throwaway_keys import NOW, gateway_key, sts_key

DS = "http://www.w3.org/2000/09/xmldsig#"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
PROVIDER = CareProvider("44000004", "medcom:cvrnumber", "Notatdeling ApS & Søn")
DOCTOR = CardUser(
    cpr=Cpr("1103689993"),
    role="7170",
    given_name="Aksel",
    surname="Prøvedal",
    email="aksel@example.invalid",
    occupation="Læge",
    authorization_code="ZTA01",
)
CARD_ID = "q83vASNFZ4mrze8BI0VniQ=="


def system_card(
    *, at: datetime = NOW, key: SigningKey | None = None, provider: CareProvider = PROVIDER
) -> IdCard:
    return build_system_card(
        key or gateway_key(),
        at=at,
        issuer="NotatGateway",
        it_system_name="Journaldeling",
        care_provider=provider,
        card_id=CARD_ID,
    )


def user_card(*, at: datetime = NOW, user: CardUser = DOCTOR) -> IdCard:
    return build_user_card(
        gateway_key(),
        at=at,
        issuer="NotatGateway",
        it_system_name="Journaldeling",
        care_provider=PROVIDER,
        user=user,
        card_id=CARD_ID,
    )


def sts_issue(
    request: bytes,
    *,
    key: SigningKey | None = None,
    at: datetime = NOW,
    life: timedelta = timedelta(hours=24),
    changes: dict[str, str] | None = None,
    algorithm: CardAlgorithm = CardAlgorithm.RSA_SHA1,
) -> bytes:
    """What a token service does to a card: its own name, times, NameID and signature.

    Args:
        changes: attribute name to new value, for cards that differ from the request.
    """
    card = etree.fromstring(request)
    signature = card.find(f"{{{DS}}}Signature")
    assert signature is not None
    card.remove(signature)
    start = (at - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    end = (at - timedelta(minutes=5) + life).strftime("%Y-%m-%dT%H:%M:%SZ")
    card.set("IssueInstant", start)
    conditions = card.find(f"{{{SAML}}}Conditions")
    issuer = card.find(f"{{{SAML}}}Issuer")
    name_id = card.find(f"{{{SAML}}}Subject/{{{SAML}}}NameID")
    assert conditions is not None
    assert issuer is not None
    assert name_id is not None
    conditions.set("NotBefore", start)
    conditions.set("NotOnOrAfter", end)
    issuer.text = "PROEVE-STS"
    name_id.set("Format", "medcom:other")
    name_id.text = "SubjectDN={CN=Notatdeling Gateway Prøve},IssuerDN={CN=CA},CertSerial={902}"
    for name, value in (changes or {}).items():
        found = card.xpath("//*[@Name=$name]/*", name=name)
        assert isinstance(found, list)
        (found[0]).text = value
    return sign_assertion(card, key or sts_key(), algorithm=algorithm)


def sts_card(*, user: CardUser | None = None, at: datetime = NOW, **how: object) -> bytes:
    request = system_card(at=at) if user is None else user_card(at=at, user=user)
    return sts_issue(request.xml, at=at, **how)  # type: ignore[arg-type]


def in_envelope(card: bytes, extra_header: bytes = b"", prefix: str = "soapenv") -> etree._Element:
    """A message with the card in ``wsse:Security``; gives the ``soap:Header``."""
    p = prefix.encode()
    xml = (
        b"<" + p + b":Envelope xmlns:" + p + b'="' + SOAP.encode() + b'" xmlns:unused="urn:x">'
        b"<" + p + b':Header><w:Security xmlns:w="' + WSSE.encode() + b'">' + card
        + b"</w:Security>" + extra_header + b"</" + p + b":Header><" + p + b":Body/></" + p
        + b":Envelope>"
    )  # fmt: skip
    return etree.fromstring(xml)[0]


def assertion_of(soap_header: etree._Element) -> etree._Element:
    found = soap_header.find(f"{{{WSSE}}}Security/{{{SAML}}}Assertion")
    assert found is not None
    return found


def shape(element: etree._Element) -> list[tuple[str, str | None, str | None]]:
    """Names in document order, signatures left out, to hold against an example."""
    unsigned = [child for child in element.iter() if DS not in str(child.tag)]
    return [(str(node.tag), node.get("Name"), node.get("NameFormat")) for node in unsigned]
