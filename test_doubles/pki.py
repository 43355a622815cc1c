"""A throw-away public-key infrastructure that looks like OCES3.

``ensure_pki(directory)`` makes what is missing and keeps what is there; a
``FILE.pem`` is the certificate, ``FILE.key`` its private key (PKCS 8, mode
0600). Everything is valid from 2020 to 2040, hence in demo time and in real
time, unless its name says otherwise.

====================================  =========================================
``ca/root`` ``ca/issuing``            root and issuing CA (RSA 3072)
``ca/bundle.pem``                     both certificates, to trust
``ca/issuing.crl``                    revocation list (PEM)
``ca/other-root``                     a root nobody trusts
``gateway/system``                    organisation certificate, DGWS and client TLS (RSA)
``gateway/signing``                   document signatures (ECDSA P-256)
``gateway/signing-rsa``               the same with RSA 2048
``gateway/server``                    TLS server, 127.0.0.1 and localhost
``sts/sts`` ``sts/false-sts``         the one STS; another, same CA, never to be trusted
``doubles/server``                    TLS server of the doubles
``dds/client``                        client certificate of DDS
``practices/PERSONA.client``          client certificate of a practice
``practices/PERSONA.key.pem``         key of ``private_key_jwt`` (ES256)
``practices/PERSONA.jwks.json``       its public half
``personas/PERSONA``                  employee certificate of each health professional
``odd/expired`` ``odd/not-yet-valid`` organisation certificates of the gateway's CVR, out of time
``odd/revoked`` ``odd/other-root``    revoked; issued below ``ca/other-root``
``odd/other-cvr`` ``odd/oces2``       another organisation; subject in the older style
====================================  =========================================

Files ``*.server.pem``, ``*.client.pem`` and ``dds/client.pem`` carry the
issuing certificate behind their own. ``python -m test_doubles.pki DIR`` makes
all of it.

Source: nsp 9.1 (what real test certificates hold), 9.2.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from test_doubles import pki_profile as profile
from test_doubles.personas import CAST, Persona
from test_doubles.pki_profile import Authority, Kind, LeafProfile, Subject

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

GATEWAY_CVR = "44000004"
GATEWAY_NAME = "Notatdeling ApS"
STS_CVR = "55000063"
DDS_CVR = "55000071"
_CA_KEY_BITS = 3072
_LEAF_KEY_BITS = 2048
"""Real leaves have 3072 bits; the demo has to be up within seconds (design 3.5)."""


@dataclass(frozen=True, slots=True)
class Pki:
    """A directory made by ``ensure_pki``; names are as in the module's table."""

    directory: Path

    def certificate_file(self, name: str) -> Path:
        """``NAME.pem``."""
        return self.directory / f"{name}.pem"

    def key_file(self, name: str) -> Path:
        """``NAME.key``."""
        return self.directory / f"{name}.key"

    def certificate(self, name: str) -> x509.Certificate:
        """The certificate ``NAME.pem`` (the first, where it carries its issuer too)."""
        return x509.load_pem_x509_certificate(self.certificate_file(name).read_bytes())

    def key(self, name: str) -> PrivateKey:
        """The private key ``NAME.key``."""
        return _load_key(self.key_file(name))

    def rsa_key(self, name: str) -> rsa.RSAPrivateKey:
        """The private key ``NAME.key``.

        Raises:
            TypeError: it is not an RSA key.
        """
        key = self.key(name)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{name} is not an RSA key")
        return key

    def revoked_serials(self) -> frozenset[int]:
        """Serial numbers on the issuing CA's revocation list."""
        crl = x509.load_pem_x509_crl((self.directory / "ca/issuing.crl").read_bytes())
        return frozenset(entry.serial_number for entry in crl)


def ensure_pki(directory: Path) -> Pki:
    """Make whatever is missing below ``directory``.

    Safe to call from several processes at once and to call again after a
    crash: a file is complete or absent, a key is written before its
    certificate, and a certificate whose key is missing is made anew. Rights
    of directories and files that are there already are left alone.

    Raises:
        OSError: the directory cannot be written.
    """
    if _is_complete(directory):
        return Pki(directory)
    _make_directory(directory)
    with _lock(directory / ".lock"):
        root = _authority(directory, "ca/root", profile.ROOT, None)
        issuing = _authority(directory, "ca/issuing", profile.ISSUING, root)
        other = _authority(directory, "ca/other-root", profile.OTHER_ROOT, None)
        _write_once(directory / "ca/bundle.pem", lambda: _pem(issuing) + _pem(root))
        leaves = list(leaf_profiles())
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            for made in [
                pool.submit(_leaf, directory, leaf, other if leaf.untrusted else issuing)
                for leaf in leaves
            ]:
                made.result()
        for practice in (p for p in CAST if p.role == "practice"):
            _practice_keys(directory, practice.persona_id)
        pki = Pki(directory)
        _write_once(
            directory / "ca/issuing.crl", lambda: _crl(issuing, [pki.certificate("odd/revoked")])
        )
    return pki


def _is_complete(directory: Path) -> bool:
    """Whether nothing is missing; reads no key, for that takes most of the time."""
    pairs = [
        "ca/root",
        "ca/issuing",
        "ca/other-root",
        *(leaf.name for leaf in leaf_profiles()),
    ]
    files = [f"{name}.{kind}" for name in pairs for kind in ("pem", "key")]
    files += ["ca/bundle.pem", "ca/issuing.crl"]
    for practice in (p for p in CAST if p.role == "practice"):
        files += [f"practices/{practice.persona_id}.{kind}" for kind in ("key.pem", "jwks.json")]
    return all((directory / file).exists() for file in files)


def employee_uuid(persona_id: str) -> str:
    """The UUID in the serialNumber of a persona's employee certificate.

    The STS double finds the person behind a certificate by it, as the real
    one does with a look-up of its own.
    """
    return profile.holder_uuid(persona_id)


def is_health_professional(persona: Persona) -> bool:
    """Whether the persona has an employee certificate here."""
    return persona.organization is not None and persona.cpr is not None


def leaf_profiles() -> Iterator[LeafProfile]:
    """Every end-entity certificate of the table, in no particular order."""
    gateway = Subject(GATEWAY_NAME, GATEWAY_CVR, "Notatdeling Gateway Prøve", "gateway-system")
    organisation = Kind.ORGANISATION
    yield LeafProfile("gateway/system", gateway, organisation)
    yield LeafProfile("gateway/signing", gateway, Kind.SIGNING, ec=True)
    yield LeafProfile("gateway/signing-rsa", gateway, Kind.SIGNING)
    yield LeafProfile("gateway/server", gateway, Kind.SERVER, ec=True)
    yield LeafProfile(
        "doubles/server",
        Subject("Prøvestaten", STS_CVR, "Prøvetjenester", "doubles"),
        Kind.SERVER,
        ec=True,
    )
    sts = Subject("Prøvestaten", STS_CVR, "PROEVE Federation", "sts")
    yield LeafProfile("sts/sts", sts, organisation)
    false_sts = Subject("Falsk Tjeneste ApS", "55000098", "PROEVE Federation", "false-sts")
    yield LeafProfile("sts/false-sts", false_sts, organisation)
    dds = Subject("Prøvestaten", DDS_CVR, "PROEVE DDS", "dds")
    yield LeafProfile("dds/client", dds, Kind.CLIENT)
    for persona in CAST:
        unit = persona.organization
        if unit is None:
            continue
        if persona.role == "practice":
            holder = Subject(unit.name, unit.cvr, unit.name, persona.persona_id)
            yield LeafProfile(f"practices/{persona.persona_id}.client", holder, Kind.CLIENT)
        elif is_health_professional(persona):
            person = Subject(
                unit.name,
                unit.cvr,
                persona.name,
                persona.persona_id,
                given=" ".join(persona.given),
                surname=persona.family,
            )
            yield LeafProfile(f"personas/{persona.persona_id}", person, Kind.EMPLOYEE)
    yield LeafProfile(
        "odd/expired", gateway, organisation, not_after=datetime(2023, 1, 1, tzinfo=UTC)
    )
    yield LeafProfile(
        "odd/not-yet-valid", gateway, organisation, not_before=datetime(2039, 1, 1, tzinfo=UTC)
    )
    yield LeafProfile("odd/revoked", gateway, organisation)
    yield LeafProfile("odd/other-root", gateway, organisation, untrusted=True)
    other = Subject("Andet Selskab ApS", "55000055", "Andet Selskab Prøve", "other-cvr")
    yield LeafProfile("odd/other-cvr", other, organisation)
    yield LeafProfile("odd/oces2", gateway, Kind.OCES2)


def _authority(
    directory: Path, name: str, subject: x509.Name, issuer: Authority | None
) -> Authority:
    """Load or make a CA; without an issuer it signs itself."""
    certificate_file, key_file = directory / f"{name}.pem", directory / f"{name}.key"
    if certificate_file.exists() and key_file.exists():
        return _loaded(certificate_file, key_file)
    key = rsa.generate_private_key(65537, _CA_KEY_BITS)
    signer = issuer.key if issuer else key
    issuer_name = issuer.certificate.subject if issuer else subject
    certificate = profile.authority_builder(
        subject, issuer_name, key.public_key(), signer.public_key(), path_length=0 if issuer else 1
    ).sign(signer, hashes.SHA256(), rsa_padding=profile.PSS)
    _write_key(key_file, key)
    _write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(certificate, key)


def _loaded(certificate_file: Path, key_file: Path) -> Authority:
    key = _load_key(key_file)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise OSError(f"{key_file.name} does not hold an RSA key")
    return Authority(x509.load_pem_x509_certificate(certificate_file.read_bytes()), key)


def _leaf(directory: Path, leaf: LeafProfile, issuer: Authority) -> None:
    certificate_file = directory / f"{leaf.name}.pem"
    key_file = directory / f"{leaf.name}.key"
    if certificate_file.exists() and key_file.exists():
        return
    key: PrivateKey = (
        ec.generate_private_key(ec.SECP256R1())
        if leaf.ec
        else rsa.generate_private_key(65537, _LEAF_KEY_BITS)
    )
    certificate = profile.leaf_builder(leaf, key.public_key(), issuer.certificate).sign(
        issuer.key, hashes.SHA256(), rsa_padding=profile.PSS
    )
    content = certificate.public_bytes(serialization.Encoding.PEM)
    if leaf.kind in (Kind.SERVER, Kind.CLIENT):
        content += _pem(issuer)
    _write_key(key_file, key)
    _write(certificate_file, content)


def _practice_keys(directory: Path, persona_id: str) -> None:
    key_file = directory / f"practices/{persona_id}.key.pem"
    jwks_file = directory / f"practices/{persona_id}.jwks.json"
    if key_file.exists() and jwks_file.exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    _write_key(key_file, key)
    jwks = {"keys": [{**_jwk(key.public_key()), "use": "sig", "alg": "ES256"}]}
    _write(jwks_file, orjson.dumps(jwks, option=orjson.OPT_INDENT_2) + b"\n")


def _jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """A public P-256 key with its thumbprint as kid. Source: RFC 7517, RFC 7638."""
    numbers = key.public_numbers()
    members = {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64url(numbers.x.to_bytes(32, "big")),
        "y": _base64url(numbers.y.to_bytes(32, "big")),
    }
    thumbprint = hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest()
    return {**members, "kid": _base64url(thumbprint)}


def _crl(issuer: Authority, revoked: Sequence[x509.Certificate]) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(profile.NOT_BEFORE)
        .next_update(profile.NOT_AFTER)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    for certificate in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(profile.NOT_BEFORE + timedelta(days=1))
            .build()
        )
    crl = builder.sign(issuer.key, hashes.SHA256(), rsa_padding=profile.PSS)
    return crl.public_bytes(serialization.Encoding.PEM)


def _load_key(file: Path) -> PrivateKey:
    # The keys are our own, and checking a modulus takes longer than a signature with it.
    key = serialization.load_pem_private_key(
        file.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True
    )
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise OSError(f"{file.name} does not hold an RSA or EC key")
    return key


def _pem(authority: Authority) -> bytes:
    return authority.certificate.public_bytes(serialization.Encoding.PEM)


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _write_once(file: Path, content: Callable[[], bytes]) -> None:
    if not file.exists():
        _write(file, content())


def _write_key(file: Path, key: PrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(file, pem, mode=0o600)


def _write(file: Path, content: bytes, mode: int = 0o644) -> None:
    """Put a file in place whole; a stop half-way leaves only a ``.part`` file."""
    _make_directory(file.parent)
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    part.replace(file)


def _make_directory(directory: Path) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    """Hold the directory against other processes; let go by the system after a crash."""
    with file.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the infrastructure in a directory."""
    parser = argparse.ArgumentParser(prog="python -m test_doubles.pki", description=main.__doc__)
    parser.add_argument("directory", type=Path)
    made = ensure_pki(parser.parse_args(arguments).directory)
    print(made.directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
