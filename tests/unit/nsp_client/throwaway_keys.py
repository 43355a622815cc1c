"""Throw-away keys and certificates for the tests of signing and DGWS.

Made once per test run. The issuing authority signs with RSASSA-PSS, as OCES3 does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from nsp_client.signing.keys import SigningKey, TrustAnchors

NOW = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "nsp"
_ORGANIZATION_IDENTIFIER = x509.ObjectIdentifier("2.5.4.97")
_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
_Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@lru_cache
def private_key(name: str, kind: str = "rsa") -> _Private:
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _name(common_name: str, cvr: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COUNTRY_NAME, "DK")]
    if cvr is not None:
        parts.append(x509.NameAttribute(_ORGANIZATION_IDENTIFIER, f"NTRDK-{cvr}"))
    parts += [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Prøvestaten"),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
    ]
    return x509.Name(parts)


@lru_cache
def authority(name: str = "Prøvestaten OCES udstedende-CA 1") -> x509.Certificate:
    key = private_key(name)
    assert isinstance(key, rsa.RSAPrivateKey)
    return (
        _builder(_name(name, None), _name(name, None), key, NOW, timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(certificates=True), critical=True)
        .sign(key, hashes.SHA256(), rsa_padding=_PSS)
    )


@lru_cache
def signing_key(
    name: str,
    *,
    kind: str = "rsa",
    cvr: str | None = "44000004",
    issuer: str = "Prøvestaten OCES udstedende-CA 1",
    starts: datetime = NOW - timedelta(days=30),
    valid_for: timedelta = timedelta(days=1096),
    for_signatures: bool = True,
) -> SigningKey:
    """A leaf below ``issuer``; the same arguments give the same key again."""
    authority_key = private_key(issuer)
    assert isinstance(authority_key, rsa.RSAPrivateKey)
    key = private_key(name, kind)
    certificate = (
        _builder(_name(name, cvr), authority(issuer).subject, key, starts, valid_for)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signatures=for_signatures), critical=True)
        .sign(authority_key, hashes.SHA256(), rsa_padding=_PSS)
    )
    return SigningKey.of(key, certificate)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: _Private, starts: datetime, valid_for: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts if starts != NOW else NOW - timedelta(days=365))
        .not_valid_after(starts + valid_for)
    )


def usage(*, signatures: bool = False, certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signatures,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def gateway_key(kind: str = "rsa") -> SigningKey:
    return signing_key(f"Notatdeling Gateway {kind}", kind=kind)


def sts_key() -> SigningKey:
    return signing_key("SOSI Test Federation", cvr="55000005")


def false_sts_key() -> SigningKey:
    """A real organisation certificate from the same authority that is no STS."""
    return signing_key("False STS", cvr="55000005")


def sts_trust() -> TrustAnchors:
    return TrustAnchors(pinned=(sts_key().certificate,))
