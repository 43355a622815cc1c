"""Keys are paired with their certificates, and only named anchors are trusted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

from nsp_client.errors import UntrustedSignature
from nsp_client.signing.keys import KeyAlgorithm, SigningKey, TrustAnchors, UnusableKey, cvr_of
from tests.unit.nsp_client.throwaway_keys import (
    NOW,
    authority,
    gateway_key,
    private_key,
    signing_key,
    sts_key,
    usage,
)

PASSWORD = b"hemmeligt"


def pem_of(key: SigningKey) -> tuple[bytes, bytes]:
    private = key.private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private, key.certificate.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_key_survives_pem(kind: str) -> None:
    key = gateway_key(kind)
    private, certificate = pem_of(key)
    issuer = authority().public_bytes(serialization.Encoding.PEM)
    again = SigningKey.from_pem(private, certificate + issuer)
    assert again.certificate_der == key.certificate_der
    assert again.chain == (authority(),)
    assert again.algorithm is (KeyAlgorithm.RSA if kind == "rsa" else KeyAlgorithm.ECDSA_P256)


def test_a_key_is_read_from_files(tmp_path: Path) -> None:
    private, certificate = pem_of(gateway_key())
    (tmp_path / "key.pem").write_bytes(private)
    (tmp_path / "certificate.pem").write_bytes(certificate)
    again = SigningKey.from_pem_files(tmp_path / "key.pem", tmp_path / "certificate.pem")
    assert again.certificate == gateway_key().certificate
    (tmp_path / "key.pem").write_bytes(b"nonsense")
    with pytest.raises(UnusableKey):
        SigningKey.from_pem_files(tmp_path / "key.pem", tmp_path / "certificate.pem")


def test_a_key_survives_pkcs12() -> None:
    key = gateway_key()
    container = serialization.pkcs12.serialize_key_and_certificates(
        b"gateway",
        key.private_key,
        key.certificate,
        [authority()],
        serialization.BestAvailableEncryption(PASSWORD),
    )
    again = SigningKey.from_pkcs12(container, PASSWORD)
    assert again.certificate == key.certificate
    assert again.chain == (authority(),)
    with pytest.raises(UnusableKey):
        SigningKey.from_pkcs12(container, b"forkert")


def test_a_key_and_another_keys_certificate_are_refused() -> None:
    private, _ = pem_of(gateway_key())
    _, certificate = pem_of(sts_key())
    with pytest.raises(UnusableKey, match="another key"):
        SigningKey.from_pem(private, certificate)


def test_short_rsa_other_curves_and_other_kinds_are_refused() -> None:
    certificate = gateway_key().certificate
    for key in (
        rsa.generate_private_key(65537, 1024),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ):
        with pytest.raises(UnusableKey):
            SigningKey.of(key, certificate)


def test_a_private_key_never_shows_in_a_repr() -> None:
    assert "private" not in repr(gateway_key())


def test_signature_values_are_those_of_xml_signature() -> None:
    rsa_key, ec_key = gateway_key("rsa"), gateway_key("ec")
    public = rsa_key.certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(rsa_key.sign_sha256(b"x"), b"x", padding.PKCS1v15(), hashes.SHA256())
    public.verify(rsa_key.sign_sha1(b"x"), b"x", padding.PKCS1v15(), hashes.SHA1())
    assert len(ec_key.sign_sha256(b"x")) == 64
    with pytest.raises(UnusableKey):
        ec_key.sign_sha1(b"x")


def test_anchors_are_never_implicit() -> None:
    with pytest.raises(UnusableKey):
        TrustAnchors()
    with pytest.raises(UnusableKey):
        TrustAnchors.from_pem(pinned=b"not a certificate")


def test_a_pinned_certificate_is_trusted_while_it_is_valid() -> None:
    key = gateway_key()
    trust = TrustAnchors(pinned=(key.certificate,))
    assert trust.pinned_signer(key.certificate, NOW) == key.certificate
    with pytest.raises(UntrustedSignature, match="not valid"):
        trust.pinned_signer(key.certificate, key.not_after + timedelta(seconds=1))
    with pytest.raises(UntrustedSignature, match="not among"):
        trust.signer(sts_key().certificate, NOW)


def test_a_leaf_below_an_authority_is_trusted_where_authorities_count() -> None:
    key = gateway_key()
    trust = TrustAnchors(authorities=(authority(),))
    assert trust.signer(key.certificate, NOW) == key.certificate
    with pytest.raises(UntrustedSignature):
        trust.signer(key.certificate, key.not_after + timedelta(days=1))
    with pytest.raises(UntrustedSignature):
        trust.signer(signing_key("foreign", issuer="Another CA").certificate, NOW)
    with pytest.raises(UntrustedSignature):
        trust.signer(signing_key("tls only", for_signatures=False).certificate, NOW)
    # Where a signer must be known beforehand, an authority is of no help.
    with pytest.raises(UntrustedSignature):
        trust.pinned_signer(key.certificate, NOW)


@pytest.mark.parametrize(
    ("is_authority", "may_sign", "trusted"),
    [(True, True, True), (False, True, False), (True, False, False)],
)
def test_only_an_authority_that_may_sign_certificates_can_lie_in_between(
    is_authority: bool, may_sign: bool, trusted: bool
) -> None:
    root_key, middle_key = private_key("a root"), private_key("in between")
    assert isinstance(root_key, rsa.RSAPrivateKey)
    assert isinstance(middle_key, rsa.RSAPrivateKey)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(
        subject: str, issuer: str, key: rsa.RSAPrivateKey, signer: rsa.RSAPrivateKey,
        *, ca: bool, signs: bool,
    ) -> x509.Certificate:  # fmt: skip
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage(signatures=True, certificates=signs), critical=True)
            .sign(signer, hashes.SHA256())
        )

    root = certificate("root", "root", root_key, root_key, ca=True, signs=True)
    middle = certificate("middle", "root", middle_key, root_key, ca=is_authority, signs=may_sign)
    leaf_key = private_key("leaf")
    assert isinstance(leaf_key, rsa.RSAPrivateKey)
    leaf = certificate("leaf", "middle", leaf_key, middle_key, ca=False, signs=False)
    trust = TrustAnchors(authorities=(root,))
    if trusted:
        assert trust.signer(leaf, NOW, [middle]) == leaf
    else:
        with pytest.raises(UntrustedSignature):
            trust.signer(leaf, NOW, [middle])


def test_a_leaf_can_not_act_as_an_authority() -> None:
    leaf = gateway_key()
    assert isinstance(leaf.private_key, rsa.RSAPrivateKey)
    key = private_key("below a leaf")
    below = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "below")]))
        .issuer_name(leaf.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(leaf.private_key, hashes.SHA256())
    )
    trust = TrustAnchors(authorities=(authority(),))
    with pytest.raises(UntrustedSignature):
        trust.signer(below, NOW, [leaf.certificate])


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ([(x509.ObjectIdentifier("2.5.4.97"), "NTRDK-44000004")], "44000004"),
        ([(NameOID.SERIAL_NUMBER, "CVR:33000003-UID:1234")], "33000003"),
        ([(NameOID.ORGANIZATION_NAME, "Lægehuset // CVR:33000003")], "33000003"),
        ([(NameOID.ORGANIZATION_NAME, "Lægehuset")], None),
    ],
)
def test_the_cvr_number_is_read_from_both_generations(
    attributes: list[tuple[x509.ObjectIdentifier, str]], expected: str | None
) -> None:
    key = private_key("cvr")
    assert isinstance(key, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    assert cvr_of(certificate) == expected


def test_remaining_life_counts_down() -> None:
    key = gateway_key()
    assert key.remaining(key.not_after - timedelta(hours=2)) == timedelta(hours=2)
    assert key.not_before < NOW < key.not_after
