"""Public keys of a practice's system: read from files at enrolment, kept as one JWK set.

A certificate becomes a JWK that carries it (``x5c``), the form in which RFC 8705
registers it. So the one set serves both ways of proving who one is: a signed
assertion (``private_key_jwt``) and the certificate itself (mutual TLS).

Source: RFC 7517 (JWK, ``x5c`` in 4.7, ``x5t#S256`` in 4.9); RFC 8705, 2.2.2;
design.md 3.4 (``--jwks``, ``--cert``).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OctKey, RSAKey

from gateway.errors import ConfigurationFault

JsonWebKey = dict[str, Any]
SMALLEST_RSA_BITS: Final = 2048


def read_key_set(file: Path) -> dict[str, Any]:
    """A JWK set from a JSON file.

    Raises:
        ConfigurationFault: no JSON, no set, or a key in it that is not the public
            half of a key pair.
        OSError: the file can't be read.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationFault(f"{file}: not JSON") from error
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list):
        raise ConfigurationFault(f'{file}: a key set is {{"keys": [...]}}')
    for number, key in enumerate(found["keys"], start=1):
        _check_public(key, f"{file}: key {number}")
    return found


def _check_public(key: object, where: str) -> None:
    if not isinstance(key, dict):
        raise ConfigurationFault(f"{where} is no JSON object")
    try:
        imported = JWKRegistry.import_key(key)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationFault(f"{where} can't be read: {error}") from error
    if isinstance(imported, OctKey) or imported.is_private:
        raise ConfigurationFault(f"{where} is secret; only the public half belongs here")


def read_certificate(file: Path) -> x509.Certificate:
    """The certificate in a PEM file; where a chain follows, the first is the client's own.

    Raises:
        ConfigurationFault: the file holds no certificate in PEM form.
        OSError: the file can't be read.
    """
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())[0]
    except ValueError as error:
        raise ConfigurationFault(f"{file}: no certificate in PEM form") from error


def key_of_certificate(certificate: x509.Certificate, at: datetime) -> JsonWebKey:
    """The JWK of a certificate, with the certificate in it.

    It has no ``kid``: nobody agreed on one.

    Raises:
        ConfigurationFault: expired at ``at``, or a key that no algorithm of ours takes.
    """
    subject = certificate.subject.rfc4514_string()
    if certificate.not_valid_after_utc <= at:
        expired_at = certificate.not_valid_after_utc.isoformat()
        raise ConfigurationFault(f"the certificate of {subject} expired at {expired_at}")
    der = certificate.public_bytes(Encoding.DER)
    return {
        **_public_key(certificate, subject),
        "use": "sig",
        "x5c": [b64encode(der).decode()],
        "x5t#S256": urlsafe_b64encode(sha256(der).digest()).decode().rstrip("="),
    }


def _public_key(certificate: x509.Certificate, subject: str) -> JsonWebKey:
    public = certificate.public_key()
    kind: type[ECKey | RSAKey]
    if isinstance(public, RSAPublicKey) and public.key_size >= SMALLEST_RSA_BITS:
        kind = RSAKey
    elif isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP256R1):
        kind = ECKey
    else:
        raise ConfigurationFault(
            f"the certificate of {subject} has an unsupported key:"
            f" RSA of at least {SMALLEST_RSA_BITS} bits or ECDSA P-256 is needed"
        )
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return kind.import_key(pem).as_dict(private=False)


def certificate_of_key(key: Mapping[str, Any]) -> x509.Certificate | None:
    """The certificate a JWK carries; None for a bare key or an unreadable certificate."""
    chain = key.get("x5c")
    if not isinstance(chain, list) or not chain:
        return None
    try:
        return x509.load_der_x509_certificate(b64decode(chain[0]))
    except (ValueError, TypeError):
        return None


def is_valid_at(certificate: x509.Certificate, at: datetime) -> bool:
    """Whether ``at`` lies in the time the certificate is made for."""
    return certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc
