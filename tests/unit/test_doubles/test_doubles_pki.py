"""The throw-away PKI, judged by OpenSSL's own verifier where it matters."""

from __future__ import annotations

import base64
import hashlib
import shutil
import ssl
import stat
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from test_doubles.pki import Pki, ensure_pki, leaf_profiles, main


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return ensure_pki(tmp_path_factory.mktemp("pki") / "made")


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(f.relative_to(directory)): f.read_bytes() for f in directory.rglob("*") if f.is_file()
    }


def test_every_leaf_has_certificate_and_key_that_belong_together(pki: Pki) -> None:
    for leaf in leaf_profiles():
        assert pki.certificate(leaf.name).public_key() == pki.key(leaf.name).public_key()


def test_a_second_call_changes_nothing(pki: Pki) -> None:
    before = contents(pki.directory)
    ensure_pki(pki.directory)
    assert contents(pki.directory) == before


def test_a_missing_key_makes_that_certificate_anew_and_no_other(tmp_path: Path) -> None:
    pki = ensure_pki(tmp_path / "pki")
    before = contents(pki.directory)
    pki.key_file("gateway/system").unlink()
    ensure_pki(pki.directory)
    after = contents(pki.directory)
    assert {name for name in after if after[name] != before[name]} == {
        "gateway/system.pem",
        "gateway/system.key",
    }


def test_two_callers_at_once_get_one_infrastructure(tmp_path: Path) -> None:
    found: list[x509.Certificate] = []
    callers = [
        threading.Thread(
            target=lambda: found.append(ensure_pki(tmp_path / "pki").certificate("sts/sts"))
        )
        for _ in range(3)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 3
    assert found[0] == found[1] == found[2]


def test_private_keys_are_for_the_owner_alone(pki: Pki) -> None:
    keys = [f for f in pki.directory.rglob("*.key*") if f.is_file()]
    assert len(keys) > 20
    assert {stat.S_IMODE(f.stat().st_mode) for f in keys} == {0o600}


def test_rights_of_a_directory_that_was_there_stay(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    place.chmod(0o755)
    ensure_pki(place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o755
    assert stat.S_IMODE((place / "gateway").stat().st_mode) == 0o700


def test_the_issuing_ca_signs_with_pss_as_oces3_does(pki: Pki) -> None:
    certificate = pki.certificate("gateway/system")
    parameters = certificate.signature_algorithm_parameters
    assert isinstance(parameters, padding.PSS)
    assert parameters._salt_length == 32
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey)
    ca_key = pki.certificate("ca/issuing").public_key()
    assert isinstance(ca_key, rsa.RSAPublicKey)
    assert ca_key.key_size == 3072


def test_subject_names_follow_oces3(pki: Pki) -> None:
    system = pki.certificate("gateway/system").subject
    oids = [attribute.oid for attribute in system]
    assert oids == [
        NameOID.COUNTRY_NAME,
        NameOID.ORGANIZATION_IDENTIFIER,
        NameOID.ORGANIZATION_NAME,
        NameOID.SERIAL_NUMBER,
        NameOID.COMMON_NAME,
    ]
    assert system.get_attributes_for_oid(oids[1])[0].value == "NTRDK-44000004"
    doctor = pki.certificate("personas/doctor-1").subject
    serial = doctor.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value
    assert str(serial).startswith("UI:DK-E:G:")
    assert doctor.get_attributes_for_oid(NameOID.SURNAME)[0].value == "Overby"


def test_certificates_are_good_in_demo_time_and_in_real_time(pki: Pki) -> None:
    for leaf in leaf_profiles():
        if leaf.name in ("odd/expired", "odd/not-yet-valid"):
            continue
        certificate = pki.certificate(leaf.name)
        assert certificate.not_valid_before_utc == datetime(2020, 1, 1, tzinfo=UTC)
        assert certificate.not_valid_after_utc == datetime(2040, 1, 1, tzinfo=UTC)
    assert pki.certificate("odd/expired").not_valid_after_utc < datetime(2024, 1, 1, tzinfo=UTC)


def test_the_revocation_list_names_the_revoked_one_only(pki: Pki) -> None:
    assert pki.revoked_serials() == {pki.certificate("odd/revoked").serial_number}


def test_openssl_verifies_the_chains_strictly(pki: Pki) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    odd = {"odd/expired", "odd/not-yet-valid", "odd/other-root"}
    names = [leaf.name for leaf in leaf_profiles()]

    def verdict(name: str) -> int:
        return subprocess.run(
            [
                openssl,
                "verify",
                "-x509_strict",
                "-CAfile",
                pki.directory / "ca/bundle.pem",
                pki.certificate_file(name),
            ],
            capture_output=True,
            check=False,
        ).returncode

    assert {name for name in names if verdict(name) != 0} == odd


def handshake(pki: Pki, hostname: str, client: str | None) -> ssl.SSLObject:
    """Mutual TLS in memory; gives the server's side after the handshake."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pki.certificate_file("gateway/server"), pki.key_file("gateway/server"))
    server.load_verify_locations(pki.directory / "ca/bundle.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    server.maximum_version = ssl.TLSVersion.TLSv1_2  # so that a refusal shows in the handshake
    caller = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    caller.load_verify_locations(pki.directory / "ca/bundle.pem")
    caller.verify_flags |= ssl.VERIFY_X509_STRICT
    if client is not None:
        caller.load_cert_chain(pki.certificate_file(client), pki.key_file(client))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    a = caller.wrap_bio(to_client, to_server, server_hostname=hostname)
    b = server.wrap_bio(to_server, to_client, server_side=True)
    done = [False, False]
    for _ in range(10):
        for index, side in enumerate((a, b)):
            if not done[index]:
                try:
                    side.do_handshake()
                    done[index] = True
                except ssl.SSLWantReadError:
                    continue
    assert done == [True, True]
    return b


@pytest.mark.parametrize("hostname", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("client", ["dds/client", "practices/practice-1.client", "gateway/system"])
def test_mutual_tls_works_with_these_certificates(pki: Pki, hostname: str, client: str) -> None:
    shown = handshake(pki, hostname, client).getpeercert(binary_form=True)
    assert shown is not None
    assert x509.load_der_x509_certificate(shown) == pki.certificate(client)


@pytest.mark.parametrize("client", ["odd/expired", "odd/other-root", None])
def test_mutual_tls_fails_with_a_bad_client_certificate(pki: Pki, client: str | None) -> None:
    with pytest.raises(ssl.SSLError):
        handshake(pki, "localhost", client)


def test_the_key_set_of_a_practice_matches_its_key(pki: Pki) -> None:
    key = load_pem_private_key(
        (pki.directory / "practices/practice-1.key.pem").read_bytes(), password=None
    )
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    jwks = orjson.loads((pki.directory / "practices/practice-1.jwks.json").read_bytes())
    (jwk,) = jwks["keys"]
    assert (jwk["kty"], jwk["crv"], jwk["alg"], jwk["use"]) == ("EC", "P-256", "ES256", "sig")
    numbers = key.public_key().public_numbers()
    for member, number in (("x", numbers.x), ("y", numbers.y)):
        assert int.from_bytes(base64.urlsafe_b64decode(jwk[member] + "=")) == number
    thumb = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'.encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(thumb).digest()).rstrip(b"=").decode()
    assert jwk["kid"] == digest
    assert "d" not in jwk


def test_the_command_makes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "gateway" / "signing.key").exists()
    assert str(tmp_path / "new") in capsys.readouterr().out
