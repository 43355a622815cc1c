"""Keys and certificates at enrolment: what is taken, and how a refusal reads.

Source: design.md 3.4 (``--jwks``, ``--cert``).
"""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey, JWKRegistry, OctKey

from gateway import cli
from gateway.client_keys import (
    certificate_of_key,
    key_of_certificate,
    read_certificate,
    read_key_set,
)
from gateway.errors import ConfigurationFault

NOW = datetime(2026, 12, 14, 8, tzinfo=UTC)
ENROL = [
    *("practice", "add", "--sor", "61741000016007", "--provider-number", "077410"),
    *("--name", "L", "--sharing-start", "2026-12-01T00:00:00+01:00"),
]


def certificate(key: Any, until: datetime = NOW + timedelta(days=365)) -> x509.Certificate:
    """A certificate that signs itself."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Klinikken")])
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=365))
        .not_valid_after(until)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256())
    )


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)],
    ids=["EC", "RSA"],
)
def test_a_certificate_becomes_a_key_that_carries_it(key: Any) -> None:
    shown = certificate(key)
    found = key_of_certificate(shown, NOW)
    assert certificate_of_key(found) == shown
    assert b64decode(found["x5c"][0]) == shown.public_bytes(Encoding.DER)
    assert JWKRegistry.import_key(found).public_key == key.public_key()
    assert not {"d", "p", "q", "kid"} & set(found)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
        dsa.generate_private_key(1024),
    ],
    ids=["RSA-1024", "P-384", "Ed25519", "DSA"],
)
def test_an_unsupported_key_is_named_as_such(key: Any) -> None:
    with pytest.raises(ConfigurationFault, match=r"CN=Klinikken has an unsupported key"):
        key_of_certificate(certificate(key), NOW)


def test_an_expired_certificate_is_refused_and_a_future_one_taken() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(ConfigurationFault, match=r"CN=Klinikken expired at 2026-12-14T08:00:00"):
        key_of_certificate(certificate(key, NOW), NOW)
    assert key_of_certificate(certificate(key), NOW - timedelta(days=1000))


def test_the_first_certificate_of_a_chain_is_the_client_s_own(tmp_path: Path) -> None:
    own, issuer = (certificate(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
    file = tmp_path / "chain.pem"
    file.write_bytes(own.public_bytes(Encoding.PEM) + issuer.public_bytes(Encoding.PEM))
    assert read_certificate(file) == own


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        certificate(ec.generate_private_key(ec.SECP256R1())).public_bytes(Encoding.DER),
    ],
    ids=["empty", "text", "broken", "DER"],
)
def test_a_file_without_a_pem_certificate_is_named(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "practice.pem"
    file.write_bytes(content)
    assert cli.main([*ENROL, "--cert", str(file)]) == 1
    assert capsys.readouterr().err == f"gateway: {file}: no certificate in PEM form\n"


def test_enrolling_needs_a_key_or_a_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(ENROL) == 1
    assert "--jwks" in (told := capsys.readouterr().err)
    assert "--cert" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not JSON"),
        ("[]", "a key set is"),
        ('{"keys": {}}', "a key set is"),
        ('{"keys": ["x"]}', "key 1 is no JSON object"),
        ('{"keys": [{"kty": "EC"}]}', "key 1 can't be read"),
        ('{"keys": [{"kty": "EC", "crv": "P-9", "x": "a", "y": "b"}]}', "key 1 can't be read"),
        (json.dumps({"keys": [ECKey.generate_key().as_dict(private=True)]}), "key 1 is secret"),
        (json.dumps({"keys": [OctKey.generate_key(256).as_dict()]}), "key 1 is secret"),
    ],
)
def test_a_key_set_that_can_t_be_used_is_named(content: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationFault, match=told) as refused:
        read_key_set(file)
    assert str(file) in str(refused.value)


@pytest.mark.parametrize("chain", [None, [], "AAAA", ["?"], ["AAAA"], [7]])
def test_a_key_without_a_readable_certificate_has_none(chain: Any) -> None:
    assert certificate_of_key({"kty": "EC", "x5c": chain}) is None
