"""The enveloped signature of an id card: sign it, and verify it.

A card is a ``saml:Assertion`` with a lower-case ``id`` attribute whose last
child is the signature. ``verify_assertion`` gives back a fresh tree built from
the signed bytes; nothing else of the message may be believed.

Sources: nsp.md 1.3 (profile and rules 1-6); XML Signature 1.0; Exclusive XML
Canonicalization 1.0.
"""

from __future__ import annotations

import enum
import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from nsp_client.errors import UntrustedSignature
from nsp_client.signing.c14n import DS, EXCLUSIVE_C14N, exclusive
from nsp_client.signing.keys import KeyAlgorithm, SigningKey, TrustAnchors, UnusableKey
from nsp_client.signing.signxml_errors import SIGNXML_ERRORS
from nsp_client.signing.x509_data import presented_certificates

ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
INCLUSIVE_C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"
_D = f"{{{DS}}}"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")


class CardAlgorithm(enum.Enum):
    """Algorithms of the id-card profile.

    The platform's own cards are RSA-SHA1, so that is what a card is signed with
    unless told otherwise; SHA-1 has no place outside this module.
    """

    RSA_SHA1 = "sha1"
    RSA_SHA256 = "sha256"


_SIGNATURE_URI = {
    CardAlgorithm.RSA_SHA1: "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    CardAlgorithm.RSA_SHA256: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
}
_DIGEST_URI = {
    CardAlgorithm.RSA_SHA1: "http://www.w3.org/2000/09/xmldsig#sha1",
    CardAlgorithm.RSA_SHA256: "http://www.w3.org/2001/04/xmlenc#sha256",
}


class SignatureNotSupported(UntrustedSignature):
    """The signature uses an algorithm the profile does not know."""


class UnknownSigner(UntrustedSignature):
    """The signer's certificate is not one of those known beforehand, or does not hold now."""


@dataclass(frozen=True, slots=True)
class VerifiedAssertion:
    """An assertion whose signature holds.

    Attributes:
        element: the signed part, without the signature, as a tree of its own.
        signer: the pinned certificate it was verified with.
        xml: the whole assertion, signature included, in exclusive canonical
            form; it can be put into any envelope and still verifies. (Where the
            signer chose inclusive canonicalization, which no traffic shows, it
            carries the namespaces of its envelope instead.)
    """

    element: etree._Element
    signer: x509.Certificate
    xml: bytes


def sign_assertion(
    assertion: etree._Element,
    key: SigningKey,
    *,
    algorithm: CardAlgorithm = CardAlgorithm.RSA_SHA1,
    signature_id: str = "OCESSignature",
) -> bytes:
    """Sign an assertion that has no signature yet.

    Args:
        assertion: the element, with a lower-case ``id``.
        key: an RSA key; its certificate goes into the signature.
        algorithm: SHA-1 by default, as the platform demands.
        signature_id: ``id`` of the signature element.

    Returns:
        The assertion with its signature as last child, in exclusive canonical form.

    Raises:
        UnusableKey: not an RSA key.
        ValueError: an ``id`` that is missing or no plain name, or already signed.
    """
    if key.algorithm is not KeyAlgorithm.RSA:
        raise UnusableKey("the id-card profile knows RSA only")
    reference = assertion.get("id", "")
    if not _NAME.match(reference) or not _NAME.match(signature_id):
        raise ValueError("an id is a plain name")
    if assertion.find(f"{_D}Signature") is not None:
        raise ValueError("the assertion is signed already")
    body = exclusive(assertion)
    info = (
        f'<ds:SignedInfo xmlns:ds="{DS}">'
        f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{_SIGNATURE_URI[algorithm]}"></ds:SignatureMethod>'
        f'<ds:Reference URI="#{reference}"><ds:Transforms>'
        f'<ds:Transform Algorithm="{ENVELOPED}"></ds:Transform>'
        f'<ds:Transform Algorithm="{EXCLUSIVE_C14N}"></ds:Transform></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{_DIGEST_URI[algorithm]}"></ds:DigestMethod>'
        f"<ds:DigestValue>{_digest(body, algorithm)}</ds:DigestValue></ds:Reference>"
        "</ds:SignedInfo>"
    ).encode()
    sign = key.sign_sha1 if algorithm is CardAlgorithm.RSA_SHA1 else key.sign_sha256
    # Inside ds:Signature the prefix is declared already, so canonical form omits it.
    embedded_info = info.decode().replace(f' xmlns:ds="{DS}"', "", 1)
    signature = (
        f'<ds:Signature xmlns:ds="{DS}" id="{signature_id}">{embedded_info}'
        f"<ds:SignatureValue>{b64encode(sign(info)).decode('ascii')}</ds:SignatureValue>"
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{key.certificate_base64}"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>"
    ).encode()
    head, end_tag, _ = body.rpartition(b"</")
    return head + signature + end_tag + body[len(head) + len(end_tag) :]


def _digest(data: bytes, algorithm: CardAlgorithm) -> str:
    if algorithm is CardAlgorithm.RSA_SHA1:
        return b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode("ascii")
    return b64encode(hashlib.sha256(data).digest()).decode("ascii")


def verify_assertion(
    assertion: etree._Element,
    trust: TrustAnchors,
    at: datetime,
    *,
    allow_sha1: bool = True,
) -> VerifiedAssertion:
    """Verify the signature of an assertion inside the message it came in.

    The steps are numbered as in the source.

    Args:
        assertion: the element, still in its whole document, so that a second
            bearer of its id is seen.
        trust: only ``pinned`` counts; the signer is known beforehand.
        at: the instant the signer's certificate must hold (aware).
        allow_sha1: RSA-SHA1 is what the token service signs with.

    Raises:
        SignatureNotSupported: an algorithm outside the profile.
        UnknownSigner: the certificate is not pinned, or not valid at ``at``.
        UntrustedSignature: anything else is wrong.

    Source: nsp.md 1.3, rules 2-5.
    """
    # (3) One bearer of the id in the whole document, however the attribute is spelt.
    reference = check_single_bearer(assertion)
    # A tree of its own from here on: nothing outside the assertion can be referred to.
    xml = exclusive(assertion)
    alone = etree.fromstring(xml, _parser())
    if any(not isinstance(node.tag, str) for node in alone.iter()):
        raise UntrustedSignature("processing instructions are not allowed in an assertion")
    signature = _only_signature(alone, reference)
    algorithms = _algorithms(signature, allow_sha1=allow_sha1)
    if _uses_inclusive(signature):
        # Inclusive canonicalization sees the namespaces of the envelope: keep them.
        xml = etree.tostring(assertion, with_tail=False)
    # (4) The certificate is known beforehand; the one in the message only names it.
    signer = _pinned_signer(signature, trust, at)
    # (2) signxml looks for "id" here and nowhere else; (5) SHA-1 for this purpose alone.
    configuration = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=algorithms,
        digest_algorithms=frozenset({DigestAlgorithm.SHA1, DigestAlgorithm.SHA256}),
        verification_time=at,
    )
    try:
        result = XMLVerifier().verify(
            xml,
            x509_cert=signer,
            id_attribute="id",
            # The schema of XML Signature knows "Id" only, and the profile's is "id".
            validate_schema=False,
            expect_config=configuration,
        )
    except SIGNXML_ERRORS as error:
        raise UntrustedSignature(f"the signature does not hold: {type(error).__name__}") from error
    # One reference was asked for, so signxml gives one result and not a list.
    signed = None if isinstance(result, list) else result.signed_xml
    if signed is None or signed.tag != _ASSERTION or signed.get("id") != reference:
        raise UntrustedSignature("the signature covers something else")
    return VerifiedAssertion(element=signed, signer=signer, xml=xml)


def check_single_bearer(assertion: etree._Element) -> str:
    """See that no other element of the message bears the assertion's id.

    Returns:
        The id.

    Raises:
        UntrustedSignature: not an assertion, no id, or a second bearer.

    Source: nsp.md 1.3 rule 3.
    """
    reference = assertion.get("id")
    if assertion.tag != _ASSERTION or not reference:
        raise UntrustedSignature("not an assertion with an id")
    bearers = _BEARERS(assertion.getroottree(), id=reference)
    if bearers != [assertion]:
        raise UntrustedSignature("the id of the assertion stands twice in the message")
    return reference


_BEARERS = etree.XPath("//*[@*[translate(local-name(), 'ID', 'id')='id']=$id]")


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
    )


def _only_signature(assertion: etree._Element, reference: str) -> etree._Element:
    signatures = list(assertion.iter(f"{_D}Signature"))
    if len(signatures) != 1 or signatures[0].getparent() is not assertion:
        raise UntrustedSignature("not exactly one signature as child of the assertion")
    signature = signatures[0]
    references = signature.findall(f"{_D}SignedInfo/{_D}Reference")
    if [entry.get("URI") for entry in references] != [f"#{reference}"]:
        raise UntrustedSignature("the signature does not refer to exactly this assertion")
    transforms = references[0].findall(f"{_D}Transforms/{_D}Transform")
    names = [transform.get("Algorithm") for transform in transforms]
    if names not in ([ENVELOPED, EXCLUSIVE_C14N], [ENVELOPED, INCLUSIVE_C14N]):
        raise SignatureNotSupported("another transform than the profile's")
    return signature


def _algorithms(signature: etree._Element, *, allow_sha1: bool) -> frozenset[SignatureMethod]:
    allowed = {_SIGNATURE_URI[CardAlgorithm.RSA_SHA256]: SignatureMethod.RSA_SHA256}
    digests = {_DIGEST_URI[CardAlgorithm.RSA_SHA256]}
    if allow_sha1:
        allowed[_SIGNATURE_URI[CardAlgorithm.RSA_SHA1]] = SignatureMethod.RSA_SHA1
        digests.add(_DIGEST_URI[CardAlgorithm.RSA_SHA1])
    info = f"{_D}SignedInfo"
    method = _algorithm(signature, f"{info}/{_D}SignatureMethod")
    digest = _algorithm(signature, f"{info}/{_D}Reference/{_D}DigestMethod")
    canonical = _algorithm(signature, f"{info}/{_D}CanonicalizationMethod")
    if (
        method not in allowed
        or digest not in digests
        or canonical not in {EXCLUSIVE_C14N, INCLUSIVE_C14N}
    ):
        raise SignatureNotSupported("an algorithm outside the id-card profile")
    return frozenset(allowed.values())


def _uses_inclusive(signature: etree._Element) -> bool:
    return any(node.get("Algorithm") == INCLUSIVE_C14N for node in signature.iter())


def _algorithm(signature: etree._Element, path: str) -> str:
    element = signature.find(path)
    return "" if element is None else element.get("Algorithm", "")


def _pinned_signer(
    signature: etree._Element, trust: TrustAnchors, at: datetime
) -> x509.Certificate:
    presented = presented_certificates(signature)
    if not presented:
        # The standard allows a bare KeyName; that works where only one signer is known.
        if len(trust.pinned) != 1:
            raise UnknownSigner("the signature names no certificate")
        presented = [trust.pinned[0]]
    try:
        return trust.pinned_signer(presented[0], at)
    except UntrustedSignature as error:
        raise UnknownSigner(str(error)) from error
