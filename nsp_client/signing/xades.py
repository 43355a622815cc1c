"""Detached XAdES baseline B-B signatures over the exact bytes of a document.

``sign_document`` fills a template whose signed parts are their own exclusive
canonical form, so nothing is parsed or canonicalized while signing.
``verify_document`` goes through signxml and gives back what was signed.

Sources: ETSI EN 319 132-1 V1.1.1, 6.3 (level B-B: SigningTime,
SigningCertificateV2, DataObjectFormat, X509Certificate); XML Signature 1.1;
Exclusive XML Canonicalization 1.0.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier

from nsp_client.errors import UntrustedSignature
from nsp_client.signing.c14n import DS, EXCLUSIVE_C14N, utc_text
from nsp_client.signing.keys import KeyAlgorithm, SigningKey, TrustAnchors
from nsp_client.signing.signxml_errors import SIGNXML_ERRORS
from nsp_client.signing.x509_data import presented_certificates

XADES = "http://uri.etsi.org/01903/v1.3.2#"
SIGNED_PROPERTIES_TYPE = "http://uri.etsi.org/01903#SignedProperties"
SHA256_URI = "http://www.w3.org/2001/04/xmlenc#sha256"
SIGNATURE_URI = {
    KeyAlgorithm.RSA: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    KeyAlgorithm.ECDSA_P256: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
}
MAX_SIGNATURE_BYTES = 256 * 1024

_SIGNATURE_ID = "signature"
_DOCUMENT_REFERENCE_ID = "signed-document"
_PROPERTIES_ID = "signed-properties"

# Characters of RFC 3986 that need no escape in XML. A leading "#" or an empty
# name would make the reference point into the signature itself.
_DOCUMENT_NAME = re.compile(r"[A-Za-z0-9._~%@:/+,;=!$()*-]{1,255}\Z")
_MIME_TYPE = re.compile(
    r"[A-Za-z0-9!#$^_.+-]{1,64}/[A-Za-z0-9!#$^_.+-]{1,64}"
    r"(?:; ?[a-z]{1,32}=[A-Za-z0-9._+-]{1,64})?\Z"
)


@dataclass(frozen=True, slots=True)
class VerifiedDocument:
    """What a signature covers, and who made it.

    Attributes:
        document: the bytes that were signed.
        document_name: the name the signature refers to them by.
        mime_type: the type the signer stated.
        signed_at: the time the signer claims (aware, UTC); no time stamp proves it.
        signer: certificate of the signer, as trusted.
    """

    document: bytes = field(repr=False)
    document_name: str
    mime_type: str
    signed_at: datetime
    signer: x509.Certificate


@dataclass(frozen=True, slots=True)
class _Template:
    """The parts of a signature that are the same for one key, name and type."""

    properties_head: str
    properties_tail: str
    info_head: str
    info_middle: str
    info_tail: str
    value_head: str
    value_tail: str
    closing: str


def sign_document(
    document: bytes,
    key: SigningKey,
    *,
    signed_at: datetime,
    document_name: str,
    mime_type: str,
    document_sha256: bytes | None = None,
) -> bytes:
    """Sign a document; the signature is a file of its own beside it.

    Args:
        document: the finished bytes, as they will be stored and served.
        key: whose signature it is.
        signed_at: the time to claim (aware).
        document_name: relative name or URN of the document, up to 255 characters
            of the URI alphabet without ``#``, ``?``, ``&`` and ``'``.
        mime_type: such as ``application/fhir+json``.
        document_sha256: the digest of ``document``, if the caller has it already.

    Returns:
        A ``ds:Signature`` in UTF-8 without an XML declaration: RSA-SHA256
        (PKCS#1 v1.5) or ECDSA-SHA256, digests SHA-256.

    Raises:
        ValueError: a name or type of another form, or a time without zone.

    Source: ETSI EN 319 132-1, 6.3.
    """
    template = _template(key, mime_type)
    if _DOCUMENT_NAME.match(document_name) is None:
        raise ValueError("the document name must be a plain relative name or URN")
    properties = template.properties_head + utc_text(signed_at) + template.properties_tail
    info = "".join(
        (
            template.info_head,
            document_name,
            template.info_middle,
            _digest(document) if document_sha256 is None else _base64(document_sha256),
            template.info_tail,
            _digest(properties.encode()),
            "</ds:DigestValue></ds:Reference></ds:SignedInfo>",
        )
    )
    value = b64encode(key.sign_sha256(info.encode())).decode("ascii")
    return "".join(
        (
            template.value_head,
            info,
            "<ds:SignatureValue>",
            value,
            template.value_tail,
            properties,
            template.closing,
        )
    ).encode()


def _digest(data: bytes) -> str:
    return _base64(hashlib.sha256(data).digest())


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode("ascii")


@lru_cache(maxsize=256)
def _template(key: SigningKey, mime_type: str) -> _Template:
    """Everything but name, time, digests and value.

    Signed parts repeat their namespace declarations and use no empty-element
    tags: that is how exclusive canonicalization writes them, so the digest of
    the text is the digest of its canonical form wherever the text is put.
    """
    if _MIME_TYPE.match(mime_type) is None:
        raise ValueError("not a media type")
    xmlns_ds = f' xmlns:ds="{DS}"'
    sha256 = f'<ds:DigestMethod Algorithm="{SHA256_URI}"></ds:DigestMethod>'
    sha256_alone = f'<ds:DigestMethod{xmlns_ds} Algorithm="{SHA256_URI}"></ds:DigestMethod>'
    certificate_digest = b64encode(key.certificate_sha256).decode("ascii")
    return _Template(
        properties_head=(
            f'<xades:SignedProperties xmlns:xades="{XADES}" Id="{_PROPERTIES_ID}">'
            "<xades:SignedSignatureProperties><xades:SigningTime>"
        ),
        properties_tail=(
            "</xades:SigningTime><xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
            f"{sha256_alone}<ds:DigestValue{xmlns_ds}>{certificate_digest}</ds:DigestValue>"
            "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2>"
            "</xades:SignedSignatureProperties><xades:SignedDataObjectProperties>"
            f'<xades:DataObjectFormat ObjectReference="#{_DOCUMENT_REFERENCE_ID}">'
            f"<xades:MimeType>{mime_type}</xades:MimeType></xades:DataObjectFormat>"
            "</xades:SignedDataObjectProperties></xades:SignedProperties>"
        ),
        info_head=(
            f"<ds:SignedInfo{xmlns_ds}>"
            f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE_C14N}">'
            "</ds:CanonicalizationMethod>"
            f'<ds:SignatureMethod Algorithm="{SIGNATURE_URI[key.algorithm]}"></ds:SignatureMethod>'
            f'<ds:Reference Id="{_DOCUMENT_REFERENCE_ID}" URI="'
        ),
        info_middle=f'">{sha256}<ds:DigestValue>',
        info_tail=(
            "</ds:DigestValue></ds:Reference>"
            f'<ds:Reference Type="{SIGNED_PROPERTIES_TYPE}" URI="#{_PROPERTIES_ID}">'
            f'<ds:Transforms><ds:Transform Algorithm="{EXCLUSIVE_C14N}"></ds:Transform>'
            f"</ds:Transforms>{sha256}<ds:DigestValue>"
        ),
        value_head=f'<ds:Signature{xmlns_ds} Id="{_SIGNATURE_ID}">',
        value_tail=(
            "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>"
            f"{key.certificate_base64}</ds:X509Certificate>"
            + "".join(
                f"<ds:X509Certificate>{further}</ds:X509Certificate>"
                for further in key.chain_base64
            )
            + "</ds:X509Data></ds:KeyInfo><ds:Object>"
            f'<xades:QualifyingProperties xmlns:xades="{XADES}" Target="#{_SIGNATURE_ID}">'
        ),
        closing="</xades:QualifyingProperties></ds:Object></ds:Signature>",
    )


def verify_document(
    document: bytes, signature: bytes, *, trust: TrustAnchors, at: datetime
) -> VerifiedDocument:
    """Check a detached signature and give back what it covers.

    Accepted is only the profile that ``sign_document`` writes: one signature,
    one reference to the document without transforms, one to the signed
    properties, RSA-SHA256 or ECDSA-SHA256.

    Args:
        document: the bytes the signature should cover.
        signature: the ``ds:Signature`` file.
        trust: whose signatures count.
        at: the instant the certificate is judged for (aware).

    Raises:
        UntrustedSignature: anything at all is wrong; the text says what, for
            the log.
    """
    root = _parse(signature)
    references = _check_structure(root)
    presented = presented_certificates(root)
    if not presented:
        raise UntrustedSignature("the signature names no certificate")
    signer = trust.signer(presented[0], at, presented[1:])
    configuration = XAdESSignatureConfiguration(
        location="./",
        expect_references=2,
        signature_methods=frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.ECDSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        verification_time=at,
    )
    try:
        results = XAdESVerifier().verify(
            signature,
            x509_cert=signer,
            id_attribute="Id",
            uri_resolver=lambda _uri: document,
            expect_config=configuration,
        )
    except SIGNXML_ERRORS as error:
        raise UntrustedSignature(f"the signature does not hold: {type(error).__name__}") from error
    signed_document = results[references.document_index].signed_data
    properties = results[references.properties_index].signed_xml
    if signed_document != document or properties is None:
        raise UntrustedSignature("the signature covers something else")
    return VerifiedDocument(
        document=signed_document,
        document_name=references.document_name,
        mime_type=_signed_text(
            properties, f"{_X}SignedDataObjectProperties/{_X}DataObjectFormat/{_X}MimeType"
        ),
        signed_at=_signing_time(properties),
        signer=signer,
    )


_D = f"{{{DS}}}"
_X = f"{{{XADES}}}"


@dataclass(frozen=True, slots=True)
class _References:
    document_name: str
    document_index: int
    properties_index: int


def _parse(signature: bytes) -> etree._Element:
    if len(signature) > MAX_SIGNATURE_BYTES:
        raise UntrustedSignature("the signature file is too large")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(signature, parser)
    except etree.XMLSyntaxError as error:
        raise UntrustedSignature("the signature is not XML") from error
    if root.getroottree().docinfo.doctype:
        raise UntrustedSignature("a document type is not allowed in a signature")
    # Comments and instructions can split text that a reader takes for one value.
    if any(not isinstance(node.tag, str) for node in root.iter()):
        raise UntrustedSignature("comments are not allowed in a signature")
    return root


def _check_structure(root: etree._Element) -> _References:
    """Refuse every shape in which the verified and the read part could differ."""
    if root.tag != f"{_D}Signature" or len(list(root.iter(f"{_D}Signature"))) != 1:
        raise UntrustedSignature("not exactly one signature")
    ids = [str(value) for value in root.xpath("//@*[local-name()='Id']")]
    if len(ids) != len(set(ids)):
        raise UntrustedSignature("an id stands twice")
    properties = root.findall(
        f"{_D}Object/{_X}QualifyingProperties[@Target]/{_X}SignedProperties[@Id]"
    )
    if len(properties) != 1 or len(list(root.iter(f"{_X}SignedProperties"))) != 1:
        raise UntrustedSignature("not exactly one set of signed properties")
    target = properties[0].getparent()
    if target is None or target.get("Target") != f"#{root.get('Id')}":
        raise UntrustedSignature("the signed properties belong to another signature")
    method = root.find(f"{_D}SignedInfo/{_D}CanonicalizationMethod")
    if method is None or method.get("Algorithm") != EXCLUSIVE_C14N or len(method):
        raise UntrustedSignature("another canonicalization than the profile's")
    return _check_references(root, f"#{properties[0].get('Id')}")


def _check_references(root: etree._Element, properties_uri: str) -> _References:
    references = root.findall(f"{_D}SignedInfo/{_D}Reference")
    uris = [reference.get("URI", "") for reference in references]
    if len(uris) != 2 or properties_uri not in uris:
        raise UntrustedSignature("not exactly a document and its properties are signed")
    properties_index = uris.index(properties_uri)
    document_index = 1 - properties_index
    document, properties = references[document_index], references[properties_index]
    name = uris[document_index]
    if _DOCUMENT_NAME.match(name) is None:
        raise UntrustedSignature("the signature refers to no document outside itself")
    if document.find(f"{_D}Transforms") is not None:
        raise UntrustedSignature("the document's bytes are transformed before the digest")
    transforms = properties.findall(f"{_D}Transforms/{_D}Transform")
    if [transform.get("Algorithm") for transform in transforms] != [EXCLUSIVE_C14N]:
        raise UntrustedSignature("another transform than the profile's")
    if properties.get("Type") != SIGNED_PROPERTIES_TYPE:
        raise UntrustedSignature("the reference to the signed properties lacks its type")
    formats = root.findall(f".//{_X}DataObjectFormat")
    if [entry.get("ObjectReference") for entry in formats] != [f"#{document.get('Id')}"]:
        raise UntrustedSignature("the stated type belongs to another object")
    return _References(name, document_index, properties_index)


def _signed_text(properties: etree._Element, path: str) -> str:
    value = properties.findtext(path)
    if not value:
        raise UntrustedSignature(f"the signed properties lack {path.rpartition('}')[2]}")
    return value


def _signing_time(properties: etree._Element) -> datetime:
    value = _signed_text(properties, f"{_X}SignedSignatureProperties/{_X}SigningTime")
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise UntrustedSignature("the signing time is no time") from error
    if instant.tzinfo is None:
        raise UntrustedSignature("the signing time has no zone")
    return instant.astimezone(UTC)
