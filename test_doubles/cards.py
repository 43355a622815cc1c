"""Id cards: making, signing and checking them, in the doubles' own code.

The card is DGWS's own shape of a SAML assertion (lower-case ``id``, the
signature last), so nothing general reads it. Signatures are checked by hand
with lxml's canonicaliser and ``cryptography``.

Source: DGWS 1.0.1; nsp 1.2, 1.3 (profile and rules 1-6), 2.1 (what the STS
changes); XML Signature 1.0 for the processing.
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from test_doubles.soap import DS, SAML, SoapFault, canonical, text_of, utc_text

CARD_ID = "IDCard"
SIGNATURE_ID = "OCESSignature"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DS}enveloped-signature"
_Hash = type[hashes.SHA1] | type[hashes.SHA256]
_PROFILES: dict[str, tuple[str, _Hash]] = {
    f"{DS}rsa-sha1": (f"{DS}sha1", hashes.SHA1),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": (
        "http://www.w3.org/2001/04/xmlenc#sha256",
        hashes.SHA256,
    ),
}
_SHA1, _SHA256 = _PROFILES
ISSUED_EARLIER = timedelta(minutes=5)
"""Cards are dated back, for receivers whose clock is slow (nsp 1.2.3)."""

_ID_ATTRIBUTES = ("id", "ID", "Id", "AssertionID", "{http://www.w3.org/XML/1998/namespace}id")
_WSU_ID = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id"


@dataclass(frozen=True, slots=True)
class CardData:
    """What a card says. Attribute values by their names as in nsp 1.2.1.

    ``not_before`` is IssueInstant too. Names of the groups: ``data``
    (IDCardData), ``user`` (UserLog, None for system cards), ``system``
    (SystemLog); ``care_provider_format`` is CareProviderID's NameFormat.
    """

    issuer: str
    name_id_format: str
    name_id: str
    not_before: datetime
    not_on_or_after: datetime
    data: Mapping[str, str]
    system: Mapping[str, str]
    user: Mapping[str, str] | None = None
    care_provider_format: str = "medcom:cvrnumber"


@dataclass(frozen=True, slots=True)
class VerifiedCard:
    """A card whose signature holds, read from the signed node only.

    Whether the certificate is to be trusted is the caller's question.
    ``not_before`` and the other times are kept as written.
    """

    element: etree._Element
    certificate: x509.Certificate
    issuer: str
    name_id: str
    name_id_format: str
    issue_instant: str
    not_before: str
    not_on_or_after: str
    attributes: Mapping[str, str]
    sha256_profile: bool
    formats: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """IDCardVersion."""
        return self.attributes.get("sosi:IDCardVersion", "")

    @property
    def level(self) -> str:
        """AuthenticationLevel."""
        return self.attributes.get("sosi:AuthenticationLevel", "")

    @property
    def is_user(self) -> bool:
        """Whether IDCardType says user."""
        return self.attributes.get("sosi:IDCardType") == "user"

    @property
    def care_provider(self) -> str:
        """CareProviderID."""
        return self.attributes.get("medcom:CareProviderID", "")


def certificate_hash(certificate: x509.Certificate, *, sha256: bool = False) -> str:
    """OCESCertHash: base64 of the hash of the DER."""
    der = certificate.public_bytes(Encoding.DER)
    digest = hashlib.sha256(der) if sha256 else hashlib.sha1(der)
    return base64.b64encode(digest.digest()).decode("ascii")


def sign_card(
    data: CardData, certificate: x509.Certificate, key: rsa.RSAPrivateKey, *, sha256: bool = False
) -> str:
    """Write and sign a card.

    Args:
        data: what it says.
        certificate: goes into KeyInfo.
        key: belongs to it.
        sha256: RSA-SHA256 instead of the RSA-SHA1 of nsp 1.3.

    Returns:
        The assertion as text; its prefixes are declared on itself.
    """
    unsigned = etree.fromstring(_card_markup(data))
    method = _SHA256 if sha256 else _SHA1
    digest_method, algorithm = _PROFILES[method]
    digest = hashes.Hash(algorithm())
    digest.update(canonical(unsigned))
    signed_info = (
        f"<ds:SignedInfo xmlns:ds={quoteattr(DS)}>"
        f"<ds:CanonicalizationMethod Algorithm={quoteattr(EXC_C14N)}></ds:CanonicalizationMethod>"
        f"<ds:SignatureMethod Algorithm={quoteattr(method)}></ds:SignatureMethod>"
        f'<ds:Reference URI="#{CARD_ID}"><ds:Transforms>'
        f"<ds:Transform Algorithm={quoteattr(ENVELOPED)}></ds:Transform>"
        f"<ds:Transform Algorithm={quoteattr(EXC_C14N)}></ds:Transform></ds:Transforms>"
        f"<ds:DigestMethod Algorithm={quoteattr(digest_method)}></ds:DigestMethod>"
        f"<ds:DigestValue>{_base64(digest.finalize())}</ds:DigestValue></ds:Reference>"
        "</ds:SignedInfo>"
    )
    value = key.sign(canonical(etree.fromstring(signed_info)), padding.PKCS1v15(), algorithm())
    signature = (
        f'<ds:Signature xmlns:ds={quoteattr(DS)} id="{SIGNATURE_ID}">{signed_info}'
        f"<ds:SignatureValue>{_base64(value)}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>"
        f"<ds:X509Certificate>{_base64(certificate.public_bytes(Encoding.DER))}"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
    )
    unsigned.append(etree.fromstring(signature))
    etree.cleanup_namespaces(unsigned)
    return etree.tostring(unsigned, encoding="unicode")


def _card_markup(data: CardData) -> str:
    not_before = utc_text(data.not_before)
    statements = _statement("IDCardData", data.data)
    if data.user is not None:
        statements += _statement("UserLog", data.user)
    statements += _statement("SystemLog", data.system, data.care_provider_format)
    return (
        f"<saml:Assertion xmlns:saml={quoteattr(SAML)} xmlns:ds={quoteattr(DS)} "
        f'IssueInstant="{not_before}" Version="2.0" id="{CARD_ID}">'
        f"<saml:Issuer>{escape(data.issuer)}</saml:Issuer><saml:Subject>"
        f"<saml:NameID Format={quoteattr(data.name_id_format)}>{escape(data.name_id)}"
        "</saml:NameID><saml:SubjectConfirmation><saml:ConfirmationMethod>"
        "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key</saml:ConfirmationMethod>"
        "<saml:SubjectConfirmationData><ds:KeyInfo><ds:KeyName>OCESSignature</ds:KeyName>"
        "</ds:KeyInfo></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>"
        f'<saml:Conditions NotBefore="{not_before}" '
        f'NotOnOrAfter="{utc_text(data.not_on_or_after)}"/>{statements}</saml:Assertion>'
    )


def _statement(name: str, values: Mapping[str, str], care_provider_format: str = "") -> str:
    attributes = "".join(
        f"<saml:Attribute Name={quoteattr(key)}"
        + (
            f" NameFormat={quoteattr(care_provider_format)}"
            if key == "medcom:CareProviderID"
            else ""
        )
        + f"><saml:AttributeValue>{escape(value)}</saml:AttributeValue></saml:Attribute>"
        for key, value in values.items()
    )
    return f'<saml:AttributeStatement id="{name}">{attributes}</saml:AttributeStatement>'


def verify_card(card: etree._Element) -> VerifiedCard:
    """Check the signature of a card inside the document it came in.

    Steps (nsp 1.3, rules 2 and 3): the signature is the last direct child;
    one reference, to the one element of the whole document with that id,
    which is the card itself; exactly the two transforms; digest; signature.

    Raises:
        SoapFault: ``invalid_signature``, ``signature_not_supported``,
            ``invalid_certificate`` or ``invalid_idcard``.
    """
    signatures = card.findall(f"{{{DS}}}Signature")
    # 1. One signature, and it is the card's own child.
    if len(signatures) != 1 or len(list(card.iter(f"{{{DS}}}Signature"))) != 1:
        raise SoapFault("invalid_signature", "the card needs one signature of its own")
    signature = signatures[0]
    _check_unique_id(card)
    # 2. The algorithms of the profile, and nothing beside them.
    algorithm = _check_profile(signature)
    # 3. The digest over the card without its signature.
    reference = _digest_value(signature)
    digest = hashes.Hash(algorithm())
    digest.update(canonical(_without_signature(card)))
    if digest.finalize() != reference:
        raise SoapFault("invalid_signature", "the card was changed after it was signed")
    # 4. The signature over SignedInfo with the certificate that came along.
    certificate = _certificate(signature)
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise SoapFault("signature_not_supported", "cards are signed with RSA")
    signed_info = signature.find(f"{{{DS}}}SignedInfo")
    value = _octets(signature.findtext(f"{{{DS}}}SignatureValue"))
    if signed_info is None:
        raise SoapFault("invalid_signature", "SignedInfo is missing")
    try:
        key.verify(value, canonical(signed_info), padding.PKCS1v15(), algorithm())
    except InvalidSignature as error:
        raise SoapFault("invalid_signature", "the signature does not hold") from error
    return _read(card, certificate, sha256=algorithm is hashes.SHA256)


def _check_unique_id(card: etree._Element) -> None:
    if card.get("id") != CARD_ID:
        raise SoapFault("invalid_idcard", "the card's id is not IDCard")
    bearers = 0
    for element in card.getroottree().getroot().iter(etree.Element):
        names = (*_ID_ATTRIBUTES, _WSU_ID)
        bearers += any(element.get(name) == CARD_ID for name in names)
    if bearers != 1:
        raise SoapFault("invalid_signature", "the id of the card occurs more than once")


def _check_profile(signature: etree._Element) -> _Hash:
    info = f"{{{DS}}}SignedInfo"
    canonicalization = _algorithms(signature, f"{info}/{{{DS}}}CanonicalizationMethod")
    methods = _algorithms(signature, f"{info}/{{{DS}}}SignatureMethod")
    references = signature.findall(f"{info}/{{{DS}}}Reference")
    if len(references) != 1 or references[0].get("URI") != f"#{CARD_ID}":
        raise SoapFault("invalid_signature", "the signature has one reference, to the card")
    transforms = _algorithms(references[0], f"{{{DS}}}Transforms/{{{DS}}}Transform")
    digests = _algorithms(references[0], f"{{{DS}}}DigestMethod")
    known = _PROFILES.get(methods[0]) if len(methods) == 1 else None
    if (
        known is None
        or canonicalization != [EXC_C14N]
        or transforms != [ENVELOPED, EXC_C14N]
        or digests != [known[0]]
    ):
        raise SoapFault("signature_not_supported", "the signature has another profile")
    if any(len(t) for t in references[0].iter(f"{{{DS}}}Transform")):
        raise SoapFault("signature_not_supported", "transforms take no parameters")
    return known[1]


def _algorithms(element: etree._Element, path: str) -> list[str]:
    return [found.get("Algorithm", "") for found in element.findall(path)]


def _digest_value(signature: etree._Element) -> bytes:
    path = f"{{{DS}}}SignedInfo/{{{DS}}}Reference/{{{DS}}}DigestValue"
    return _octets(signature.findtext(path))


def _octets(text: str | None) -> bytes:
    try:
        return base64.b64decode("".join((text or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SoapFault("invalid_signature", "base64 that cannot be decoded") from error


def _certificate(signature: etree._Element) -> x509.Certificate:
    found = signature.findall(f"{{{DS}}}KeyInfo/{{{DS}}}X509Data/{{{DS}}}X509Certificate")
    if len(found) != 1:
        raise SoapFault("invalid_certificate", "KeyInfo carries one certificate")
    try:
        return x509.load_der_x509_certificate(_octets(found[0].text))
    except ValueError as error:
        raise SoapFault("invalid_certificate", "the certificate cannot be read") from error


def _without_signature(card: etree._Element) -> etree._Element:
    """A copy of the card with the enveloped-signature transform applied."""
    bare = copy.deepcopy(card)
    signature = bare.find(f"{{{DS}}}Signature")
    if signature is None:
        return bare
    previous, tail = signature.getprevious(), signature.tail
    # lxml takes the text behind an element away with it; that text is signed.
    if tail and previous is not None:
        previous.tail = (previous.tail or "") + tail
    elif tail:
        bare.text = (bare.text or "") + tail
    bare.remove(signature)
    return bare


def _read(card: etree._Element, certificate: x509.Certificate, *, sha256: bool) -> VerifiedCard:
    attributes: dict[str, str] = {}
    formats: dict[str, str] = {}
    for attribute in card.iterfind(f"{{{SAML}}}AttributeStatement/{{{SAML}}}Attribute"):
        name = attribute.get("Name", "")
        if name in attributes:
            raise SoapFault("invalid_idcard", f"attribute {name} occurs twice")
        attributes[name] = text_of(attribute.find(f"{{{SAML}}}AttributeValue"))
        formats[name] = attribute.get("NameFormat", "")
    name_id = card.find(f"{{{SAML}}}Subject/{{{SAML}}}NameID")
    conditions = card.find(f"{{{SAML}}}Conditions")
    if conditions is None or name_id is None:
        raise SoapFault("invalid_idcard", "the card lacks Conditions or NameID")
    return VerifiedCard(
        card,
        certificate,
        text_of(card.find(f"{{{SAML}}}Issuer")),
        text_of(name_id),
        name_id.get("Format", ""),
        card.get("IssueInstant", ""),
        conditions.get("NotBefore", ""),
        conditions.get("NotOnOrAfter", ""),
        attributes,
        sha256,
        formats,
    )


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
