"""What the certificates of ``pki.py`` hold: names, policies, usages, times.

Source: nsp 9.1 (seen in real OCES3 test certificates) and 9.2.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
    ObjectIdentifier,
)

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2040, 1, 1, tzinfo=UTC)
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
"""How OCES3 CAs sign: RSASSA-PSS, SHA-256, MGF1 with SHA-256, 32 bytes of salt."""

PKI_BASE_URL = "http://127.0.0.1:8090/pki"
"""Where the doubles publish the issuing certificate and the revocation list."""

ORGANIZATION_IDENTIFIER = NameOID.ORGANIZATION_IDENTIFIER
_POLICIES = ("0.4.0.2042.1.1", "1.2.208.169.1.1.1.3.7")
_QC_STATEMENTS = ObjectIdentifier("1.3.6.1.5.5.7.1.3")
_SEMANTICS_NAME = b"https://uid.gov.dk"
_HOLDERS = uuid.UUID("6f5f4b1e-3d0c-5b36-9a5e-0c0a4d6a9b11")


class Kind(Enum):
    """What a certificate is for."""

    ORGANISATION = auto()
    EMPLOYEE = auto()
    SIGNING = auto()
    SERVER = auto()
    CLIENT = auto()
    OCES2 = auto()


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a certificate names. ``holder`` is the seed of the UUID in serialNumber."""

    organization: str
    cvr: str
    common_name: str
    holder: str
    given: str | None = None
    surname: str | None = None


@dataclass(frozen=True, slots=True)
class LeafProfile:
    """One end-entity certificate. ``untrusted``: issued below the foreign root."""

    name: str
    subject: Subject
    kind: Kind
    ec: bool = False
    not_before: datetime = NOT_BEFORE
    not_after: datetime = NOT_AFTER
    untrusted: bool = False


def _state_name(unit: str, common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Prøvestaten"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


ROOT = _state_name("Test", "Prøvestaten OCES rod-CA")
ISSUING = _state_name("Test", "Prøvestaten OCES udstedende-CA 1")
OTHER_ROOT = _state_name("Ukendt", "Fremmed rod-CA")


def holder_uuid(holder: str) -> str:
    """The UUID that stands in serialNumber for a holder; the same in every run."""
    return str(uuid.uuid5(_HOLDERS, holder))


def authority_builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPublicKey,
    issuer_key: rsa.RSAPublicKey,
    *,
    path_length: int,
) -> x509.CertificateBuilder:
    """A CA certificate, ready to be signed."""
    return (
        _base(subject, issuer, key, issuer_key)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
    )


def leaf_builder(
    leaf: LeafProfile, key: PublicKey, issuer: x509.Certificate
) -> x509.CertificateBuilder:
    """An end-entity certificate, ready to be signed."""
    issuer_key = issuer.public_key()
    if not isinstance(issuer_key, rsa.RSAPublicKey):
        raise TypeError("the issuing CA has an RSA key")
    builder = (
        _base(_subject_name(leaf), issuer.subject, key, issuer_key)
        .not_valid_before(leaf.not_before)
        .not_valid_after(leaf.not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        # Only RSA keys can wrap other keys; OCES3 states both usages for them.
        .add_extension(_usage(encipherment=not leaf.ec), critical=True)
        .add_extension(
            x509.CertificatePolicies(
                [x509.PolicyInformation(ObjectIdentifier(oid), None) for oid in _POLICIES]
            ),
            critical=False,
        )
        .add_extension(x509.UnrecognizedExtension(_QC_STATEMENTS, _qc_statements()), critical=False)
        .add_extension(_information_access(), critical=False)
        .add_extension(_crl_distribution(), critical=False)
    )
    if leaf.kind is Kind.SERVER:
        # Others have no extendedKeyUsage: an organisation certificate serves TLS as well.
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        ).add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("localhost"),
                    x509.IPAddress(ip_address("127.0.0.1")),
                    x509.IPAddress(ip_address("::1")),
                ]
            ),
            critical=False,
        )
    return builder


def _base(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, issuer_key: rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
        )
    )


def _subject_name(leaf: LeafProfile) -> x509.Name:
    subject = leaf.subject
    if leaf.kind is Kind.OCES2:
        return _oces2_name(subject)
    employee = leaf.kind is Kind.EMPLOYEE
    serial = f"UI:DK-{'E' if employee else 'O'}:G:{holder_uuid(subject.holder)}"
    names = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
        x509.NameAttribute(ORGANIZATION_IDENTIFIER, f"NTRDK-{subject.cvr}"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject.organization),
        x509.NameAttribute(NameOID.SERIAL_NUMBER, serial),
    ]
    if employee and subject.given and subject.surname:
        names.append(x509.NameAttribute(NameOID.GIVEN_NAME, subject.given))
        names.append(x509.NameAttribute(NameOID.SURNAME, subject.surname))
    names.append(x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name))
    return x509.Name(names)


def _oces2_name(subject: Subject) -> x509.Name:
    """CN and serialNumber share one RDN; CVR stands in O and in serialNumber."""
    return x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COUNTRY_NAME, "DK")]),
            x509.RelativeDistinguishedName(
                [
                    x509.NameAttribute(
                        NameOID.ORGANIZATION_NAME, f"{subject.organization} // CVR:{subject.cvr}"
                    )
                ]
            ),
            x509.RelativeDistinguishedName(
                [
                    x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name),
                    x509.NameAttribute(
                        NameOID.SERIAL_NUMBER, f"CVR:{subject.cvr}-UID:{_oces2_uid(subject.holder)}"
                    ),
                ]
            ),
        ]
    )


def _oces2_uid(holder: str) -> int:
    return uuid.UUID(holder_uuid(holder)).int % 10**10


def _usage(*, certificates: bool = False, encipherment: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _information_access() -> x509.AuthorityInformationAccess:
    return x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(
                AuthorityInformationAccessOID.CA_ISSUERS,
                x509.UniformResourceIdentifier(f"{PKI_BASE_URL}/issuing.cer"),
            )
        ]
    )


def _crl_distribution() -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints(
        [
            x509.DistributionPoint(
                full_name=[x509.UniformResourceIdentifier(f"{PKI_BASE_URL}/issuing.crl")],
                relative_name=None,
                reasons=None,
                crl_issuer=None,
            )
        ]
    )


def _qc_statements() -> bytes:
    """DER of one statement: id-qcs-pkixQCSyntax-v2 with a name registration authority.

    Source: RFC 3739, 3.2.6.
    """
    oid = bytes.fromhex("06082b06010505070b02")
    name = b"\x86" + bytes([len(_SEMANTICS_NAME)]) + _SEMANTICS_NAME
    information = _sequence(_sequence(name))
    return _sequence(_sequence(oid + information))


def _sequence(content: bytes) -> bytes:
    return b"\x30" + bytes([len(content)]) + content
