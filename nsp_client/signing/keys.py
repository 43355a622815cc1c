"""Signing keys with their certificates, and the certificates we trust.

Holds ``SigningKey`` (RSA or ECDSA P-256, from PEM or PKCS#12) and
``TrustAnchors`` (given explicitly, never the machine's own store).

Sources: RFC 5280 (certificates and paths), RFC 8017 (RSA), RFC 6931 and XML
Signature 1.1, 6.4.2 (ECDSA signature values as raw ``r || s``); nsp.md 9
(OCES3 certificates are themselves signed with RSASSA-PSS).
"""

from __future__ import annotations

import enum
import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import verification

from nsp_client.errors import NspError, UntrustedSignature

MIN_RSA_BITS = 2048
_P256_COORDINATE_BYTES = 32
_PKCS1V15 = padding.PKCS1v15()
_SHA256 = SHA256()
_ECDSA_SHA256 = ec.ECDSA(_SHA256)
_ORGANIZATION_IDENTIFIER = x509.ObjectIdentifier("2.5.4.97")
_CVR_OCES3 = re.compile(r"NTRDK-(\d{8})\Z")
_CVR_OCES2 = re.compile(r"CVR:\s*(\d{8})")


class UnusableKey(NspError):
    """A key or certificate that can't do what it is for: unreadable, wrong kind, not a pair."""

    code = "KEY-UNUSABLE"


class KeyAlgorithm(enum.Enum):
    """What kind of key it is; the value is its usual name."""

    RSA = "RSA"
    ECDSA_P256 = "ECDSA-P256"


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """A private key and the certificate that speaks for it.

    Made with ``of``, ``from_pem``, ``from_pem_files`` or ``from_pkcs12``, which
    check that key and certificate belong together.

    Attributes:
        private_key: RSA of at least 2048 bits, or ECDSA on P-256.
        certificate: the certificate with the public half.
        chain: further certificates, issuer first, possibly none.
        algorithm: kind of the key.
        certificate_der: the certificate as DER.
        certificate_base64: the same in base64 without line breaks.
        certificate_sha1, certificate_sha256: raw digests of the DER.
    """

    private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    algorithm: KeyAlgorithm
    certificate_der: bytes = field(repr=False)
    certificate_base64: str = field(repr=False)
    certificate_sha1: bytes = field(repr=False)
    certificate_sha256: bytes = field(repr=False)

    @classmethod
    def of(
        cls,
        private_key: object,
        certificate: x509.Certificate,
        chain: Sequence[x509.Certificate] = (),
    ) -> SigningKey:
        """Pair a loaded key with its certificate.

        Raises:
            UnusableKey: another kind of key, RSA below 2048 bits, or a
                certificate for another key.
        """
        if isinstance(private_key, rsa.RSAPrivateKey):
            if private_key.key_size < MIN_RSA_BITS:
                raise UnusableKey(f"RSA key of {private_key.key_size} bits is too short")
            algorithm = KeyAlgorithm.RSA
        elif isinstance(private_key, ec.EllipticCurvePrivateKey):
            if not isinstance(private_key.curve, ec.SECP256R1):
                raise UnusableKey(f"curve {private_key.curve.name} is not P-256")
            algorithm = KeyAlgorithm.ECDSA_P256
        else:
            raise UnusableKey("only RSA and ECDSA P-256 keys can sign")
        if certificate.public_key() != private_key.public_key():
            raise UnusableKey("the certificate belongs to another key")
        der = certificate.public_bytes(Encoding.DER)
        return cls(
            private_key=private_key,
            certificate=certificate,
            chain=tuple(chain),
            algorithm=algorithm,
            certificate_der=der,
            certificate_base64=b64encode(der).decode("ascii"),
            certificate_sha1=hashlib.sha1(der, usedforsecurity=False).digest(),
            certificate_sha256=hashlib.sha256(der).digest(),
        )

    @classmethod
    def from_pem(
        cls, private_key: bytes, certificates: bytes, password: bytes | None = None
    ) -> SigningKey:
        """Load from PEM text: one private key, and its certificate first in ``certificates``.

        Raises:
            UnusableKey: not PEM, wrong password, or see ``of``.
        """
        try:
            key = load_pem_private_key(private_key, password)
            loaded = x509.load_pem_x509_certificates(certificates)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise UnusableKey("key or certificate is not readable PEM") from error
        return cls.of(key, loaded[0], loaded[1:])

    @classmethod
    def from_pem_files(
        cls, key_path: Path, certificates_path: Path, password: bytes | None = None
    ) -> SigningKey:
        """Load from two PEM files; see ``from_pem``. An ``OSError`` passes through."""
        return cls.from_pem(key_path.read_bytes(), certificates_path.read_bytes(), password)

    @classmethod
    def from_pkcs12(cls, data: bytes, password: bytes | None) -> SigningKey:
        """Load from a PKCS#12 container, the form OCES certificates are handed out in.

        Raises:
            UnusableKey: not PKCS#12, wrong password, no certificate, or see ``of``.
        """
        try:
            bundle = pkcs12.load_pkcs12(data, password)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UnusableKey("not a readable PKCS#12 container") from error
        if bundle.key is None or bundle.cert is None:
            raise UnusableKey("the PKCS#12 container lacks a key or its certificate")
        chain = [entry.certificate for entry in bundle.additional_certs]
        return cls.of(bundle.key, bundle.cert.certificate, chain)

    def sign_sha256(self, data: bytes) -> bytes:
        """Sign as an XML signature value: PKCS#1 v1.5, or ECDSA as raw ``r || s``."""
        key = self.private_key
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, _PKCS1V15, _SHA256)
        r, s = decode_dss_signature(key.sign(data, _ECDSA_SHA256))
        return r.to_bytes(_P256_COORDINATE_BYTES, "big") + s.to_bytes(_P256_COORDINATE_BYTES, "big")

    def sign_sha1(self, data: bytes) -> bytes:
        """Sign with RSA-SHA1, which the id-card profile still demands and nothing else may use.

        Raises:
            UnusableKey: the key is not RSA.

        Source: nsp.md 1.3.
        """
        if not isinstance(self.private_key, rsa.RSAPrivateKey):
            raise UnusableKey("RSA-SHA1 needs an RSA key")
        return self.private_key.sign(data, _PKCS1V15, SHA1())  # noqa: S303

    @property
    def not_before(self) -> datetime:
        """When the certificate starts to hold (aware, UTC)."""
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """When the certificate ends (aware, UTC)."""
        return self.certificate.not_valid_after_utc

    @property
    def chain_base64(self) -> tuple[str, ...]:
        """The further certificates in base64 without line breaks, issuer first."""
        return tuple(
            b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")
            for certificate in self.chain
        )

    @property
    def cvr(self) -> str | None:
        """The organisation's CVR number in the certificate; see ``cvr_of``."""
        return cvr_of(self.certificate)

    def remaining(self, at: datetime) -> timedelta:
        """How long the certificate still holds at ``at``; negative when it has ended."""
        return self.not_after - at


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """The certificates a signature may rest on. There is no default set.

    Attributes:
        pinned: signers known beforehand; matched byte for byte.
        authorities: issuers below which any end certificate is accepted. Leave
            empty where a signer must be known beforehand, as for STS cards.
    """

    pinned: tuple[x509.Certificate, ...] = ()
    authorities: tuple[x509.Certificate, ...] = ()

    def __post_init__(self) -> None:
        if not self.pinned and not self.authorities:
            raise UnusableKey("trust anchors must name at least one certificate")

    @classmethod
    def from_pem(cls, *, pinned: bytes = b"", authorities: bytes = b"") -> TrustAnchors:
        """Load both lists from PEM text.

        Raises:
            UnusableKey: text without a certificate, or both lists empty.
        """
        return cls(_load_all(pinned), _load_all(authorities))

    def pinned_signer(self, presented: x509.Certificate, at: datetime) -> x509.Certificate:
        """Find the pinned certificate equal to the presented one.

        Raises:
            UntrustedSignature: not pinned, or outside its validity at ``at``.

        Source: nsp.md 1.3 rule 4 (the signer of a card is known beforehand).
        """
        for certificate in self.pinned:
            if certificate == presented:
                return _valid_at(certificate, at)
        raise UntrustedSignature("the signer's certificate is not among the pinned ones")

    def signer(
        self,
        presented: x509.Certificate,
        at: datetime,
        intermediates: Sequence[x509.Certificate] = (),
    ) -> x509.Certificate:
        """Accept a pinned certificate, or one whose path ends at an authority.

        Args:
            presented: the certificate named as the signer's.
            at: the instant the path is judged for (aware).
            intermediates: certificates that may lie in between; not trusted themselves.

        Raises:
            UntrustedSignature: neither pinned nor below an authority, outside
                its validity, or not meant for signatures.

        Source: RFC 5280, 6.1. Revocation is not asked for here.
        """
        if any(certificate == presented for certificate in self.pinned):
            return _valid_at(presented, at)
        if not self.authorities:
            raise UntrustedSignature("the signer's certificate is not among the pinned ones")
        try:
            self._path_verifier(at).verify(presented, list(intermediates))
        except (verification.VerificationError, ValueError) as error:
            raise UntrustedSignature("no path from the signer to a trusted authority") from error
        return presented

    def _path_verifier(self, at: datetime) -> verification.ClientVerifier:
        ee_policy = verification.ExtensionPolicy.permit_all().require_present(
            x509.KeyUsage, verification.Criticality.AGNOSTIC, _require_signature_usage
        )
        ca_policy = (
            verification.ExtensionPolicy.permit_all()
            .require_present(
                x509.BasicConstraints, verification.Criticality.AGNOSTIC, _require_authority
            )
            .require_present(
                x509.KeyUsage, verification.Criticality.AGNOSTIC, _require_certificate_signing
            )
        )
        return (
            verification.PolicyBuilder()
            .store(verification.Store(list(self.authorities)))
            .time(at)
            .extension_policies(ca_policy=ca_policy, ee_policy=ee_policy)
            .build_client_verifier()
        )


def _require_signature_usage(
    _policy: verification.Policy, _certificate: x509.Certificate, usage: x509.KeyUsage
) -> None:
    if not (usage.digital_signature or usage.content_commitment):
        raise ValueError("the certificate is not meant for signatures")


def _require_authority(
    _policy: verification.Policy, _certificate: x509.Certificate, basic: x509.BasicConstraints
) -> None:
    if not basic.ca:
        raise ValueError("not a certificate authority")


def _require_certificate_signing(
    _policy: verification.Policy, _certificate: x509.Certificate, usage: x509.KeyUsage
) -> None:
    if not usage.key_cert_sign:
        raise ValueError("not allowed to sign certificates")


def _valid_at(certificate: x509.Certificate, at: datetime) -> x509.Certificate:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise UntrustedSignature("the signer's certificate is not valid at this time")
    return certificate


def _load_all(pem: bytes) -> tuple[x509.Certificate, ...]:
    if not pem.strip():
        return ()
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise UnusableKey("trust anchors are not readable PEM") from error


def cvr_of(certificate: x509.Certificate) -> str | None:
    """Read the CVR number of an organisation certificate.

    Returns:
        Eight digits, or None for a certificate without one.

    Source: nsp.md 9 (OCES3: ``organizationIdentifier`` after ``NTRDK-``;
    OCES2: ``CVR:`` in ``serialNumber`` or ``O``).
    """
    subject = certificate.subject
    for text in _values(subject.get_attributes_for_oid(_ORGANIZATION_IDENTIFIER)):
        if found := _CVR_OCES3.search(text):
            return found.group(1)
    older = [
        *subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER),
        *subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME),
    ]
    for text in _values(older):
        if found := _CVR_OCES2.search(text):
            return found.group(1)
    return None


def _values(attributes: Iterable[x509.NameAttribute[str | bytes]]) -> list[str]:
    return [attribute.value for attribute in attributes if isinstance(attribute.value, str)]
