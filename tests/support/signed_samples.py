"""Signed samples and tampered ones, for judges that are not ours.

``write_samples(folder)`` writes a folder per sample with ``note-1.json`` (the
document) and ``signature.xml``, the certificates below ``trust/`` and
``manifest.json``, which says of each sample what it is and who must catch it::

    {"verify_at": "2024-06-02T10:00:00+00:00",
     "samples": [{"name", "document", "signature", "good", "level", "what", "ours", "caught_by"}]}

``ours`` is the code of our refusal (null: accepted). ``caught_by`` names the judges
that refuse it: what only we catch is well-formed XML Signature with a valid value
that breaks the profile, the trust or the policy.

    python -m tests.support.signed_samples FOLDER
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from nsp_client.signing.keys import SigningKey
from nsp_client.signing.xades import sign_document
from tests.support.sample_pki import (
    ENDS,
    SIGNED_AT,
    STARTS,
    Holder,
    authority,
    holder,
    revocation_list,
    self_signed,
)

VERIFY_AT: Final = SIGNED_AT + timedelta(days=1)
NAME: Final = "note-1.json"
MIME_TYPE: Final = "application/fhir+json"
DOCUMENT: Final = (
    '{"resourceType":"Bundle","type":"document","text":"Årskontrol <&> BT 138/82"}'.encode() * 160
)
OTHER_DOCUMENT: Final = DOCUMENT.replace(b"138/82", b"118/72")

_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_XADES: Final = "http://uri.etsi.org/01903/v1.3.2#"
_SPACES: Final = {"ds": _DS, "x": _XADES}
_SHA256: Final = b"http://www.w3.org/2001/04/xmlenc#sha256"
_RSA_SHA256: Final = b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_EXCLUSIVE: Final = b"http://www.w3.org/2001/10/xml-exc-c14n#"
ALL: Final = ("xmlsec1", "signxml")


@dataclass(frozen=True, slots=True)
class Sample:
    """One document with a signature.

    Attributes:
        ours: code of our refusal; None when it is good.
        caught_by: the strangers that refuse it, of :data:`ALL`.
    """

    name: str
    what: str
    document: bytes
    signature: bytes
    ours: str | None = None
    caught_by: tuple[str, ...] = ()
    level: str = "B-B"


def signing_key(owner: Holder) -> SigningKey:
    """A key of ours with the issuing authority's certificate behind its own."""
    return SigningKey.of(owner.key, owner.certificate, [authority("issuing").certificate])


def signed(
    owner: Holder,
    document: bytes = DOCUMENT,
    *,
    name: str = NAME,
    at: datetime = SIGNED_AT,
    key: SigningKey | None = None,
) -> bytes:
    """Our signature over a document."""
    return sign_document(
        document,
        key or signing_key(owner),
        signed_at=at,
        document_name=name,
        mime_type=MIME_TYPE,
    )


def good_samples() -> list[Sample]:
    """What must be accepted everywhere: RSA-2048, RSA-3072 and ECDSA P-256."""
    return [
        Sample(
            f"good-{kind}", f"signed with {kind}", DOCUMENT, signed(holder(f"Gateway {kind}", kind))
        )
        for kind in ("rsa-2048", "rsa-3072", "ec")
    ]


# -- how to tamper ------------------------------------------------------------------------


def _swap(signature: bytes, old: bytes, new: bytes) -> bytes:
    assert old in signature, old
    return signature.replace(old, new)


def _part(signature: bytes, name: str) -> bytes:
    """The first element of that qualified name, as it stands."""
    start = signature.index(f"<{name}".encode())
    end_tag = f"</{name}>".encode()
    return signature[start : signature.index(end_tag, start) + len(end_tag)]


def _text(signature: bytes, name: str) -> bytes:
    part = _part(signature, name)
    return part[part.index(b">") + 1 : part.rindex(b"<")]


def _value(signature: bytes, value: bytes) -> bytes:
    return signature.replace(_text(signature, "ds:SignatureValue"), b64encode(value))


def _digests_anew(signature: bytes, document: bytes, digest: Callable[[bytes], bytes]) -> bytes:
    """Make both reference digests fit again after a change."""
    root = etree.fromstring(signature)
    properties = root.find("ds:Object/x:QualifyingProperties/x:SignedProperties", _SPACES)
    assert properties is not None
    for reference in root.iterfind("ds:SignedInfo/ds:Reference", _SPACES):
        is_inner = reference.get("URI", "").startswith("#")
        data = etree.tostring(properties, method="c14n", exclusive=True) if is_inner else document
        value = reference.find("ds:DigestValue", _SPACES)
        assert value is not None
        value.text = b64encode(digest(data)).decode("ascii")
    return etree.tostring(root)


def _info(signature: bytes) -> bytes:
    info = etree.fromstring(signature).find("ds:SignedInfo", _SPACES)
    assert info is not None
    method = info.find("ds:CanonicalizationMethod", _SPACES)
    exclusive = method is not None and method.get("Algorithm") == _EXCLUSIVE.decode()
    return etree.tostring(info, method="c14n", exclusive=exclusive)


def resigned(
    signature: bytes,
    owner: Holder,
    document: bytes = DOCUMENT,
    *,
    digest: str = "sha256",
    signature_hash: hashes.HashAlgorithm | None = None,
) -> bytes:
    """What a forger with a key of his own can do: every digest and the value fit again."""
    fitting = _digests_anew(signature, document, lambda data: hashlib.new(digest, data).digest())
    key = owner.key
    assert isinstance(key, rsa.RSAPrivateKey)
    algorithm = signature_hash or hashes.SHA256()
    return _value(fitting, key.sign(_info(fitting), padding.PKCS1v15(), algorithm))


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _flipped_value(signature: bytes) -> bytes:
    text = _text(signature, "ds:SignatureValue")
    other = b"A" if text[40:41] != b"A" else b"B"
    return signature.replace(text, text[:40] + other + text[41:])


def _hmac_with_public_key(signature: bytes, owner: Holder) -> bytes:
    """The old trick: the verifier's public key taken for a shared secret."""
    forged = _swap(signature, _RSA_SHA256, b"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
    secret = owner.certificate.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return _value(forged, hmac.digest(secret, _info(forged), "sha256"))


def _wrapped_properties(signature: bytes) -> bytes:
    """The signed properties moved aside, forged ones where a careless reader looks."""
    properties = _part(signature, "xades:SignedProperties")
    forged = properties.replace(b"2024-06-01", b"2020-01-01").replace(b"signed-properties", b"new")
    return signature.replace(properties, forged).replace(
        b"</ds:Object>", b"</ds:Object><ds:Object>" + properties + b"</ds:Object>"
    )


def _renamed(signature: bytes, name: str) -> bytes:
    """Rename the properties' id everywhere but in the reference."""
    return _swap(signature, b' Id="signed-properties"', f' Id="{name}"'.encode())


# -- the tampered ones --------------------------------------------------------------------


def tampered_samples() -> list[Sample]:
    """Every way we know to get a wrong signature past a verifier, each of one kind."""
    owner = holder("Gateway rsa-2048", "rsa-2048")
    good = signed(owner)
    return [
        *_changed_bytes(good, owner),
        *_wrappings(good),
        *_downgrades(good, owner),
        *_wrong_signers(good, owner),
        *_outside_the_profile(good, owner),
    ]


def _bad(
    name: str,
    what: str,
    signature: bytes,
    ours: str,
    *,
    document: bytes = DOCUMENT,
    caught_by: tuple[str, ...] = ALL,
) -> Sample:
    return Sample(name, what, document, signature, ours, caught_by)


def _changed_bytes(good: bytes, owner: Holder) -> Iterator[Sample]:
    changed = "SIG-DOCUMENT-CHANGED"
    yield _bad(
        "document-bit", "one bit of the document", good, changed, document=_flip(DOCUMENT, 99)
    )
    yield _bad("document-longer", "a line break added", good, changed, document=DOCUMENT + b"\n")
    yield _bad("document-other", "another document", good, changed, document=OTHER_DOCUMENT)
    yield _bad("document-empty", "an empty document", good, changed, document=b"")
    other = signed(owner, OTHER_DOCUMENT)
    digest = _text(good, "ds:DigestValue")
    yield _bad(
        "digest-swapped",
        "the digest of another document put in",
        _swap(good, digest, _text(other, "ds:DigestValue")),
        "SIG-VALUE-WRONG",
        document=OTHER_DOCUMENT,
    )
    yield _bad("value-bit", "one character of the value", _flipped_value(good), "SIG-VALUE-WRONG")
    value = _text(other, "ds:SignatureValue")
    yield _bad(
        "value-of-another",
        "the value of another signature by the same key",
        _swap(good, _text(good, "ds:SignatureValue"), value),
        "SIG-VALUE-WRONG",
    )
    yield _bad(
        "signing-time",
        "another signing time",
        _swap(good, b"2024-06-01T10", b"2024-06-01T11"),
        "SIG-PROPERTIES-CHANGED",
    )
    yield _bad(
        "media-type",
        "another media type stated",
        _swap(good, b"application/fhir+json", b"application/fhir+xml"),
        "SIG-PROPERTIES-CHANGED",
    )
    yield _bad(
        "document-name",
        "the reference names another document",
        _swap(good, NAME.encode(), b"note-2.json"),
        "SIG-VALUE-WRONG",
    )
    yield _bad("cut-off", "the file ends half-way", good[: len(good) // 2], "SIG-NOT-XML")


def _wrappings(good: bytes) -> Iterator[Sample]:
    properties = _part(good, "xades:SignedProperties")
    reference = _part(good, "ds:Reference")
    yield _bad(
        "properties-moved",
        "signed properties in another object under a new id, forged ones in their place",
        _renamed(_wrapped_properties(good), "elsewhere"),
        "SIG-WRAPPED",
    )
    yield _bad(
        "properties-wrapped",
        "signed properties in another object, forged ones where a careless reader looks",
        _wrapped_properties(good),
        "SIG-WRAPPED",
        caught_by=(),
    )
    yield _bad(
        "id-twice",
        "forged properties with the id of the signed ones before them",
        _swap(good, properties, properties.replace(b"2024-06-01", b"2020-01-01") + properties),
        "SIG-WRAPPED",
    )
    yield _bad(
        "third-reference",
        "a reference to a second document added",
        _swap(good, reference, reference + reference.replace(b"note-1", b"note-2")),
        "SIG-REFERENCES",
    )
    second = good[good.index(b"<ds:Reference Type") : good.index(b"</ds:SignedInfo>")]
    yield _bad(
        "properties-unsigned",
        "the reference to the signed properties taken out",
        _swap(good, second, b""),
        "SIG-REFERENCES",
    )
    yield _bad(
        "forged-sibling",
        "an unsigned object with other properties beside the signed one",
        _swap(
            good,
            b"</ds:Signature>",
            b'<ds:Object Id="forged"><xades:QualifyingProperties '
            b'xmlns:xades="http://uri.etsi.org/01903/v1.3.2#" Target="#signature">'
            b"</xades:QualifyingProperties></ds:Object></ds:Signature>",
        ),
        "SIG-WRAPPED",
        caught_by=(),
    )


def _downgrades(good: bytes, owner: Holder) -> Iterator[Sample]:
    weak = "SIG-ALGORITHM-WEAK"
    rsa_sha1 = b"http://www.w3.org/2000/09/xmldsig#rsa-sha1"
    yield _bad(
        "relabelled-sha1",
        "named RSA-SHA1 without signing anew",
        _swap(good, _RSA_SHA256, rsa_sha1),
        weak,
    )
    yield _bad("hmac", "HMAC keyed with the public key", _hmac_with_public_key(good, owner), weak)
    yield _bad(
        "relabelled-sha512",
        "named RSA-SHA512 without signing anew",
        _swap(good, _RSA_SHA256, b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"),
        "SIG-ALGORITHM-UNKNOWN",
    )
    yield _bad(
        "rsa-sha1",
        "RSA-SHA1 by the right key",
        resigned(_swap(good, _RSA_SHA256, rsa_sha1), owner, signature_hash=hashes.SHA1()),
        weak,
        caught_by=("signxml",),
    )
    yield _bad(
        "digest-sha1",
        "digests in SHA-1 by the right key",
        resigned(
            _swap(good, _SHA256, b"http://www.w3.org/2000/09/xmldsig#sha1"), owner, digest="sha1"
        ),
        weak,
        caught_by=("signxml",),
    )
    yield _bad(
        "digest-md5",
        "digests in MD5 by the right key",
        resigned(
            _swap(good, _SHA256, b"http://www.w3.org/2001/04/xmldsig-more#md5"), owner, digest="md5"
        ),
        weak,
        caught_by=("signxml",),
    )
    small = holder("Gateway rsa-1024", "rsa-1024")
    yield _bad(
        "rsa-1024",
        "a key of 1024 bits under the trusted authority",
        resigned(_with_certificate(good, owner, small), small),
        "SIG-KEY-WEAK",
        caught_by=(),
    )


def _with_certificate(signature: bytes, old: Holder, new: Holder) -> bytes:
    """Another certificate in KeyInfo and in the signed properties."""

    def digest(owner: Holder) -> bytes:
        return b64encode(owner.certificate.fingerprint(hashes.SHA256()))

    def encoded(owner: Holder) -> bytes:
        return b64encode(owner.certificate.public_bytes(Encoding.DER))

    return _swap(_swap(signature, encoded(old), encoded(new)), digest(old), digest(new))


def _wrong_signers(good: bytes, owner: Holder) -> Iterator[Sample]:
    other = holder("Another rsa-2048", "rsa-2048")
    yield _bad(
        "certificate-swapped",
        "the certificate of another trusted signer put in",
        _swap(
            good,
            b64encode(owner.certificate.public_bytes(Encoding.DER)),
            b64encode(other.certificate.public_bytes(Encoding.DER)),
        ),
        "SIG-CERTIFICATE-MISMATCH",
    )
    unknown = holder("Unknown", "rsa-2048", issuer="foreign")
    key = SigningKey.of(unknown.key, unknown.certificate)
    yield _bad(
        "unknown-authority",
        "signed below an authority nobody trusts",
        signed(unknown, key=key),
        "SIG-SIGNER-UNKNOWN",
    )
    false = self_signed("Gateway rsa-2048")
    yield _bad(
        "self-signed",
        "signed by a certificate that vouches for itself under our name",
        signed(false, key=SigningKey.of(false.key, false.certificate)),
        "SIG-SIGNER-UNKNOWN",
    )
    expired = holder("Expired", ends=SIGNED_AT - timedelta(days=2))
    yield _bad("expired", "the certificate had ended", signed(expired), "SIG-CERTIFICATE-EXPIRED")
    early = holder("Not yet", starts=SIGNED_AT + timedelta(days=30))
    yield _bad(
        "not-yet-valid",
        "the certificate had not begun",
        signed(early),
        "SIG-CERTIFICATE-NOT-YET",
    )
    yield _bad(
        "revoked",
        "the certificate stands on the revocation list",
        signed(holder("Revoked")),
        "SIG-CERTIFICATE-REVOKED",
        caught_by=(),
    )


def _outside_the_profile(good: bytes, owner: Holder) -> Iterator[Sample]:
    yield _bad(
        "document-type",
        "an entity declared in front",
        b'<!DOCTYPE x [<!ENTITY e "x">]>' + good,
        "SIG-NOT-XML",
        caught_by=("signxml",),
    )
    yield _bad(
        "comment",
        "a comment inside the signing time",
        _swap(good, b"2024-06-01T10", b"2024-06-01<!-- -->T10"),
        "SIG-WRAPPED",
        caught_by=(),
    )
    transform = (
        b'<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">'
        b"<ds:XPath>not(self::text())</ds:XPath></ds:Transform></ds:Transforms>"
    )
    yield _bad(
        "transform",
        "an XPath transform that hides the document's text, by the right key",
        resigned(
            _swap(good, f'URI="{NAME}">'.encode(), f'URI="{NAME}">'.encode() + transform), owner
        ),
        "SIG-TRANSFORM",
        caught_by=("xmlsec1",),
    )
    yield _bad(
        "canonicalization",
        "another canonicalization named without signing anew",
        _swap(
            good,
            b'<ds:CanonicalizationMethod Algorithm="' + _EXCLUSIVE,
            b'<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315',
        ),
        "SIG-ALGORITHM-UNKNOWN",
    )


def write_samples(folder: Path) -> Path:
    """Write all samples; see the module's text for what lies where.

    Returns:
        The manifest.
    """
    trust = folder / "trust"
    trust.mkdir(parents=True, exist_ok=True)
    for name in ("root", "issuing"):
        (trust / f"{name}.pem").write_bytes(authority(name).pem)
    crl = revocation_list(holder("Revoked").certificate)
    # One file as well, for judges that take a single list.
    (trust / "bundle.pem").write_bytes(authority("issuing").pem + authority("root").pem)
    (trust / "issuing.crl").write_bytes(crl.public_bytes(Encoding.PEM))
    rows = []
    for sample in (*good_samples(), *tampered_samples()):
        place = folder / sample.name
        place.mkdir(exist_ok=True)
        (place / NAME).write_bytes(sample.document)
        (place / "signature.xml").write_bytes(sample.signature)
        rows.append(
            {
                "name": sample.name,
                "what": sample.what,
                "good": sample.ours is None,
                "level": sample.level,
                "ours": sample.ours,
                "caught_by": list(sample.caught_by),
                "document": f"{sample.name}/{NAME}",
                "signature": f"{sample.name}/signature.xml",
            }
        )
    manifest = folder / "manifest.json"
    described = {
        "verify_at": VERIFY_AT.isoformat(),
        "certificates_valid": [STARTS.isoformat(), ENDS.isoformat()],
        "trust": ["trust/root.pem", "trust/issuing.pem"],
        "crl": "trust/issuing.crl",
        "samples": rows,
    }
    manifest.write_text(json.dumps(described, ensure_ascii=False, indent=1), encoding="utf-8")
    return manifest


if __name__ == "__main__":
    print(write_samples(Path(sys.argv[1])))
