"""Detached XAdES: what we write verifies elsewhere, and what was touched does not."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier

from nsp_client.errors import UntrustedSignature
from nsp_client.signing.keys import SigningKey, TrustAnchors
from nsp_client.signing.xades import XADES, sign_document, verify_document
from tests.unit.nsp_client.throwaway_keys import NOW, authority, gateway_key, signing_key, sts_key

DOCUMENT = '{"resourceType": "Bundle", "text": "Årskontrol <&> \\"BT\\""}'.encode() * 40
DS = "http://www.w3.org/2000/09/xmldsig#"
NAME = "note-1.json"
KINDS = pytest.mark.parametrize("kind", ["rsa", "ec"])


def sign(key: SigningKey, document: bytes = DOCUMENT, name: str = NAME) -> bytes:
    return sign_document(
        document, key, signed_at=NOW, document_name=name, mime_type="application/fhir+json"
    )


def trusting(key: SigningKey) -> TrustAnchors:
    return TrustAnchors(pinned=(key.certificate,))


def refuse(signature: bytes, key: SigningKey, document: bytes = DOCUMENT) -> str:
    with pytest.raises(UntrustedSignature) as refused:
        verify_document(document, signature, trust=trusting(key), at=NOW)
    return str(refused.value)


@KINDS
def test_a_signature_verifies_and_gives_back_what_was_signed(kind: str) -> None:
    key = gateway_key(kind)
    verified = verify_document(DOCUMENT, sign(key), trust=trusting(key), at=NOW)
    assert verified.document == DOCUMENT
    assert verified.document_name == NAME
    assert verified.mime_type == "application/fhir+json"
    assert verified.signed_at == NOW
    assert verified.signer == key.certificate


@KINDS
def test_the_same_arguments_give_the_same_signed_parts(kind: str) -> None:
    key = gateway_key(kind)
    first, second = etree.fromstring(sign(key)), etree.fromstring(sign(key))
    for path in (f"{{{DS}}}SignedInfo", f".//{{{XADES}}}SignedProperties"):
        pair = [element.find(path) for element in (first, second)]
        assert pair[0] is not None
        assert pair[1] is not None
        assert etree.tostring(pair[0]) == etree.tostring(pair[1])


@KINDS
def test_the_signed_parts_stand_in_the_file_as_their_own_canonical_form(kind: str) -> None:
    signature = sign(gateway_key(kind))
    root = etree.fromstring(signature)
    for path in (f"{{{DS}}}SignedInfo", f".//{{{XADES}}}SignedProperties"):
        element = root.find(path)
        assert element is not None
        canonical = etree.tostring(element, method="c14n", exclusive=True)
        assert canonical in signature


@KINDS
def test_signxml_accepts_it_by_itself(kind: str, tmp_path: Path) -> None:
    key = gateway_key(kind)
    results = XAdESVerifier().verify(
        sign(key),
        x509_cert=key.certificate,
        uri_resolver=lambda uri: DOCUMENT if uri == NAME else None,
        expect_config=XAdESSignatureConfiguration(expect_references=2, verification_time=NOW),
    )
    assert results[0].signed_data == DOCUMENT


def xmlsec1(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("xmlsec1")
    if program is None:
        pytest.skip("the program xmlsec1 is not installed, so there is no second judge")
    return subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, check=False, timeout=60
    )


@KINDS
def test_xmlsec1_accepts_it_and_refuses_a_touched_document(kind: str, tmp_path: Path) -> None:
    key = gateway_key(kind)
    (tmp_path / NAME).write_bytes(DOCUMENT)
    (tmp_path / "signature.xml").write_bytes(sign(key))
    (tmp_path / "key.pem").write_bytes(key.certificate.public_bytes(Encoding.PEM))
    command = [
        "--verify", "--enabled-key-data", "rsa,ec,key-name", "--pubkey-cert-pem", "key.pem",
        "--id-attr:Id", f"{XADES}:SignedProperties", "signature.xml",
    ]  # fmt: skip
    good = xmlsec1(command, tmp_path)
    assert good.returncode == 0, good.stderr.decode()
    assert b"SignedInfo References (ok/all): 2/2" in good.stdout + good.stderr
    (tmp_path / NAME).write_bytes(DOCUMENT + b" ")
    assert xmlsec1(command, tmp_path).returncode != 0


def test_the_properties_a_baseline_signature_needs_are_there() -> None:
    key = gateway_key()
    root = etree.fromstring(sign(key))
    spaces = {"ds": DS, "x": XADES}
    properties = "ds:Object/x:QualifyingProperties/x:SignedProperties"
    cert = f"{properties}/x:SignedSignatureProperties/x:SigningCertificateV2/x:Cert/x:CertDigest"
    assert root.findtext(f"{cert}/ds:DigestValue", namespaces=spaces) == b64encode(
        hashlib.sha256(key.certificate_der).digest()
    ).decode("ascii")
    assert (
        root.findtext(f"{properties}/x:SignedSignatureProperties/x:SigningTime", namespaces=spaces)
        == "2027-03-01T08:00:00Z"
    )
    reference = root.find("ds:SignedInfo/ds:Reference", spaces)
    form = root.find(f"{properties}/x:SignedDataObjectProperties/x:DataObjectFormat", spaces)
    assert reference is not None
    assert form is not None
    assert reference.get("URI") == NAME
    assert reference.find("ds:Transforms", spaces) is None
    assert form.get("ObjectReference") == f"#{reference.get('Id')}"
    certificate = root.findtext("ds:KeyInfo/ds:X509Data/ds:X509Certificate", namespaces=spaces)
    assert certificate == key.certificate_base64


def test_times_are_written_in_utc_and_must_have_a_zone() -> None:
    key = gateway_key()
    danish = datetime(2027, 3, 1, 9, 0, 0, 999999, tzinfo=timezone(timedelta(hours=1)))
    signature = sign_document(
        DOCUMENT, key, signed_at=danish, document_name=NAME, mime_type="text/xml"
    )
    assert b"2027-03-01T08:00:00Z" in signature
    with pytest.raises(ValueError, match="zone"):
        sign_document(
            DOCUMENT, key, signed_at=datetime(2027, 3, 1), document_name=NAME, mime_type="text/xml"
        )


@pytest.mark.parametrize("name", ["", "#x", 'a"b', "a<b", "a b", "a&b", "å", "x" * 256])
def test_names_that_could_change_the_signature_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="document name"):
        sign(gateway_key(), name=name)


@pytest.mark.parametrize("mime_type", ["", "text", "text/<b>", "text/xml\n", 'a/b; x="\x00"'])
def test_malformed_media_types_are_refused(mime_type: str) -> None:
    with pytest.raises(ValueError, match="media type"):
        sign_document(
            DOCUMENT, gateway_key(), signed_at=NOW, document_name=NAME, mime_type=mime_type
        )


@KINDS
def test_one_touched_byte_of_the_document_is_refused(kind: str) -> None:
    key = gateway_key(kind)
    touched = bytearray(DOCUMENT)
    touched[100] ^= 1
    refuse(sign(key), key, bytes(touched))
    refuse(sign(key), key, DOCUMENT + b"\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2027-03-01T08:00:00Z", b"2027-03-01T08:00:01Z"),
        (b"application/fhir+json", b"application/fhir+xmlx"),
        (NAME.encode(), b"note-2.json"),
    ],
)
def test_every_signed_property_is_protected(old: bytes, new: bytes) -> None:
    key = gateway_key()
    signature = sign(key)
    assert signature.count(old) == 1
    refuse(signature.replace(old, new), key)


def test_another_anchor_an_unknown_and_an_ended_certificate_are_refused() -> None:
    key = gateway_key()
    refuse(sign(key), sts_key())
    ended = key.not_after + timedelta(seconds=1)
    with pytest.raises(UntrustedSignature, match="not valid"):
        verify_document(DOCUMENT, sign(key), trust=trusting(key), at=ended)
    foreign = signing_key("foreign signer", issuer="Another CA")
    with pytest.raises(UntrustedSignature):
        verify_document(
            DOCUMENT, sign(foreign), trust=TrustAnchors(authorities=(authority(),)), at=NOW
        )


def test_a_chain_to_an_authority_is_enough_where_authorities_count() -> None:
    key = gateway_key()
    trust = TrustAnchors(authorities=(authority(),))
    assert verify_document(DOCUMENT, sign(key), trust=trust, at=NOW).signer == key.certificate


def test_the_chain_travels_along_and_leads_to_a_root() -> None:
    leaf = gateway_key()
    key = SigningKey.of(leaf.private_key, leaf.certificate, [authority()])
    signature = sign(key)
    assert signature.count(b"<ds:X509Certificate>") == 2
    trust = TrustAnchors(authorities=(authority(),))
    assert verify_document(DOCUMENT, signature, trust=trust, at=NOW).signer == leaf.certificate


def test_a_swapped_certificate_is_refused_even_if_it_is_trusted_too() -> None:
    key, other = gateway_key(), sts_key()
    signature = sign(key).replace(
        key.certificate_base64.encode(), other.certificate_base64.encode()
    )
    both = TrustAnchors(pinned=(key.certificate, other.certificate))
    with pytest.raises(UntrustedSignature):
        verify_document(DOCUMENT, signature, trust=both, at=NOW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2001/04/xmldsig-more#rsa-sha256", b"2000/09/xmldsig#rsa-sha1"),
        (b"2001/04/xmldsig-more#rsa-sha256", b"2000/09/xmldsig#hmac-sha1"),
        (b"2001/04/xmlenc#sha256", b"2000/09/xmldsig#sha1"),
        (b"2001/04/xmldsig-more#rsa-sha256", b"nonsense"),
    ],
)
def test_a_weaker_algorithm_is_refused(old: bytes, new: bytes) -> None:
    key = gateway_key()
    refuse(sign(key).replace(old, new), key)


def test_a_downgraded_signature_made_with_the_right_key_is_refused() -> None:
    """The signature value itself is right; only the policy stops it."""
    key = gateway_key()
    weak = sign(key).replace(
        b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        b"http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    )
    info = weak[weak.index(b"<ds:SignedInfo") : weak.index(b"</ds:SignedInfo>") + 16]
    start = weak.index(b"<ds:SignatureValue>") + len(b"<ds:SignatureValue>")
    end = weak.index(b"</ds:SignatureValue>")
    forged = weak[:start] + b64encode(key.sign_sha1(info)) + weak[end:]
    assert "does not hold" in refuse(forged, key)


def resigned(signature: bytes, key: SigningKey) -> bytes:
    """Make digest of the properties and signature value right again after a change.

    A forger who holds a trusted key can do this; only the profile stops him.
    """
    root = etree.fromstring(signature)
    spaces = {"ds": DS, "x": XADES}
    info = root.find("ds:SignedInfo", spaces)
    properties = root.find("ds:Object/x:QualifyingProperties/x:SignedProperties", spaces)
    value = root.find("ds:SignatureValue", spaces)
    assert info is not None
    assert properties is not None
    assert value is not None
    for reference in info.findall("ds:Reference", spaces):
        method = reference.find("ds:DigestMethod", spaces)
        digest = reference.find("ds:DigestValue", spaces)
        assert method is not None
        assert digest is not None
        uri = reference.get("URI", "")
        canonical = etree.tostring(properties, method="c14n", exclusive=True)
        data = canonical if uri.startswith("#") else DOCUMENT
        weak = method.get("Algorithm", "").endswith("sha1")
        digest.text = b64encode((hashlib.sha1 if weak else hashlib.sha256)(data).digest()).decode()
    value.text = b64encode(
        key.sign_sha256(etree.tostring(info, method="c14n", exclusive=True))
    ).decode()
    return etree.tostring(root)


def test_signing_again_after_no_change_gives_a_good_signature() -> None:
    """So that the next test refuses for the right reason."""
    key = gateway_key()
    verify_document(DOCUMENT, resigned(sign(key), key), trust=trusting(key), at=NOW)


TRANSFORM = (
    b'<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
    b"</ds:Transforms>"
)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'URI="note-1.json">', b'URI="note-1.json">' + TRANSFORM, "transformed"),
        (b"2001/04/xmlenc#sha256", b"2000/09/xmldsig#sha1", "does not hold"),
        (b' Type="http://uri.etsi.org/01903#SignedProperties"', b"", "lacks its type"),
        (b'ObjectReference="#signed-document"', b'ObjectReference="#x"', "another object"),
        (b"</xades:QualifyingProperties>", b'<x Id="signature"/></xades:QualifyingProperties>',
         "stands twice"),
        (b"SigningCertificateV2", b"SigningCertificateV9", "does not hold"),
        (b"<xades:SigningTime>2027-03-01T08:00:00Z", b"<xades:SigningTime>2027-03-01T08:00:00",
         "no zone"),
        (b"<xades:SigningTime>2027-03-01T08:00:00Z", b"<xades:SigningTime>i dag", "does not hold"),
        (b"application/fhir+json", b"", "lack MimeType"),
        (TRANSFORM.replace(b"/></ds", b"></ds:Transform></ds"), b"", "another transform"),
    ],
)  # fmt: skip
def test_a_holder_of_a_trusted_key_must_keep_to_the_profile(
    old: bytes, new: bytes, reason: str
) -> None:
    key = gateway_key()
    signature = sign(key)
    assert old in signature
    assert reason in refuse(resigned(signature.replace(old, new), key), key)


@KINDS
def test_no_damage_to_the_file_gets_past_or_escapes_as_another_error(kind: str) -> None:
    """Bytes changed, dropped and doubled at random places, the same every time."""
    key = gateway_key(kind)
    signature = sign(key)
    chance = random.Random(kind)
    for _ in range(400):
        place = chance.randrange(len(signature))
        length = chance.choice([1, 1, 1, 5, 40])
        piece = chance.choice([b"", bytes([chance.randrange(32, 127)]), b"&lt;", b"><", b"A" * 9])
        damaged = signature[:place] + piece + signature[place + length :]
        try:
            verified = verify_document(DOCUMENT, damaged, trust=trusting(key), at=NOW)
        except UntrustedSignature:
            continue
        # What is not signed may change (an id, white space in base64), what is read may not.
        assert verified == verify_document(DOCUMENT, signature, trust=trusting(key), at=NOW)


@pytest.mark.parametrize("name", ["DigestValue", "SignatureValue", "X509Certificate", "SignedInfo"])
def test_empty_parts_are_refused(name: str) -> None:
    key = gateway_key()
    root = etree.fromstring(sign(key))
    element = next(root.iter(f"{{{DS}}}{name}"))
    element.clear()
    refuse(etree.tostring(root), key)


def wrapped(mutate: str) -> bytes:
    """Shapes in which a careless reader would read something that is not signed."""
    signature = sign(gateway_key())
    start = signature.index(b"<xades:SignedProperties")
    end = signature.index(b"</xades:SignedProperties>") + len(b"</xades:SignedProperties>")
    properties = signature[start:end]
    fake = properties.replace(b"2027-03-01", b"2020-01-01")
    if mutate == "second properties before":
        return signature.replace(properties, fake + properties)
    if mutate == "second properties in an object":
        return signature.replace(
            b"<ds:Object>", b"<ds:Object>" + fake.replace(b"signed-p", b"other-p") + b"</ds:Object>"
            b"<ds:Object>"
        )  # fmt: skip
    if mutate == "signature inside another element":
        return b"<wrap>" + signature + b"</wrap>"
    if mutate == "signature in a signature":
        return signature.replace(
            b"</ds:Object>", b"</ds:Object><ds:Object>" + signature + b"</ds:Object>"
        )
    if mutate == "reference to the root":
        return signature.replace(b'URI="note-1.json"', b'URI=""')
    if mutate == "reference to a part of itself":
        return signature.replace(b'URI="note-1.json"', b'URI="#signed-properties"')
    if mutate == "comment":
        return signature.replace(b"2027-03-01T08", b"2027-03-01<!-- -->T08")
    if mutate == "document type":
        return b'<!DOCTYPE x [<!ENTITY e "x">]>' + signature
    if mutate == "properties of another signature":
        return signature.replace(b'Target="#signature"', b'Target="#another"')
    if mutate == "inclusive canonicalization":
        return signature.replace(b"2001/10/xml-exc-c14n#", b"TR/2001/REC-xml-c14n-20010315")
    if mutate == "no certificate":
        return signature.replace(b"ds:X509Certificate>", b"ds:X509CRL>")
    if mutate == "three references":
        start = signature.index(b"<ds:Reference Id")
        end = signature.index(b"</ds:Reference>") + len(b"</ds:Reference>")
        return signature[:end] + signature[start:end].replace(b" Id=", b" Foo=") + signature[end:]
    return b"not xml"


@pytest.mark.parametrize(
    "mutation",
    [
        "second properties before",
        "second properties in an object",
        "signature inside another element",
        "signature in a signature",
        "reference to the root",
        "reference to a part of itself",
        "comment",
        "document type",
        "properties of another signature",
        "inclusive canonicalization",
        "no certificate",
        "three references",
        "not xml",
    ],
)
def test_wrapped_and_malformed_signatures_are_refused(mutation: str) -> None:
    signature = wrapped(mutation)
    assert signature != sign(gateway_key())
    refuse(signature, gateway_key())


def test_a_document_that_is_itself_signed_properties_is_not_mistaken_for_them() -> None:
    key = gateway_key()
    inner = sign(key)
    document = inner[
        inner.index(b"<xades:SignedProperties") : inner.index(b"</xades:SignedProperties>") + 25
    ]
    other = sign_document(
        document,
        key,
        signed_at=NOW + timedelta(hours=1),
        document_name=NAME,
        mime_type="text/xml",
    )
    verified = verify_document(document, other, trust=trusting(key), at=NOW)
    assert verified.document == document
    assert verified.mime_type == "text/xml"
    assert verified.signed_at == NOW.astimezone(UTC) + timedelta(hours=1)


def test_a_huge_signature_file_is_refused_unread() -> None:
    assert "too large" in refuse(b" " * 300_000, gateway_key())
