"""A throw-away public-key infrastructure for signed samples, valid 2020 to 2040.

A root and an issuing authority that sign with RSASSA-PSS, as OCES3 does, a time-stamp
authority, signers of every kind we may sign with, and signers that must be refused.

Source: nsp.md 9.1 (what real test certificates hold), 9.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

STARTS = datetime(2020, 1, 1, tzinfo=UTC)
ENDS = datetime(2040, 1, 1, tzinfo=UTC)
SIGNED_AT = datetime(2024, 6, 1, 10, 0, tzinfo=UTC)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)


@dataclass(frozen=True, slots=True)
class Holder:
    """A key and the certificate that speaks for it."""

    key: PrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)


@cache
def private_key(name: str, kind: str) -> PrivateKey:
    """Make a key once per name: ``ec`` or ``rsa-BITS``."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa-")))


def subject(common_name: str) -> x509.Name:
    """The name of a certificate of the sample authority or of one of its holders."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Prøvestaten"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


@cache
def authority(name: str = "root") -> Holder:
    """``root``, ``issuing`` (below it) or any other name: a root nobody trusts."""
    key = private_key(name, "rsa-3072")
    above = authority("root") if name == "issuing" else Holder(key, _unissued())
    issuer = above.certificate.subject if name == "issuing" else subject(f"Prøve {name}")
    builder = _builder(subject(f"Prøve {name}"), issuer, key, above.key, STARTS, ENDS)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=True, path_length=0 if name == "issuing" else 1), critical=True
    ).add_extension(_usage(authority=True), critical=True)
    return Holder(key, _sign(builder, above.key))


@cache
def _unissued() -> x509.Certificate:
    """Stands in where a root signs itself and has no certificate yet."""
    key = private_key("unissued", "ec")
    builder = _builder(subject("unissued"), subject("unissued"), key, key, STARTS, ENDS)
    return builder.sign(key, hashes.SHA256())


@cache
def holder(
    name: str,
    kind: str = "rsa-2048",
    issuer: str = "issuing",
    *,
    starts: datetime = STARTS,
    ends: datetime = ENDS,
    time_stamping: bool = False,
) -> Holder:
    """An end certificate; the same arguments give the same one again."""
    above, key = authority(issuer), private_key(name, kind)
    builder = (
        _builder(subject(name), above.certificate.subject, key, above.key, starts, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
    )
    if time_stamping:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
        )
    return Holder(key, _sign(builder, above.key))


@cache
def self_signed(name: str, kind: str = "rsa-2048") -> Holder:
    """A certificate that vouches for itself, under a name the authority has given to another."""
    key = private_key(f"self-signed {name}", kind)
    builder = _builder(subject(name), subject(name), key, key, STARTS, ENDS).add_extension(
        _usage(authority=False), critical=True
    )
    return Holder(key, builder.sign(key, hashes.SHA256()))


def _builder(
    name: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    issuer_key: PrivateKey,
    starts: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    if isinstance(key, rsa.RSAPrivateKey):
        return builder.sign(key, hashes.SHA256(), rsa_padding=_PSS)
    return builder.sign(key, hashes.SHA256())


def revocation_list(
    *revoked: x509.Certificate,
    issuer: str = "issuing",
    revoked_at: datetime = SIGNED_AT - timedelta(days=30),
    issued_at: datetime = SIGNED_AT - timedelta(days=1),
    next_update: datetime = ENDS,
) -> x509.CertificateRevocationList:
    """The authority's list of certificates that hold no longer."""
    above = authority(issuer)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(above.certificate.subject)
        .last_update(issued_at)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    for certificate in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(revoked_at)
            .build()
        )
    key = above.key
    assert isinstance(key, rsa.RSAPrivateKey)
    return builder.sign(key, hashes.SHA256(), rsa_padding=_PSS)
