"""What an STS writes into the cards it issues, and with which key.

Source: nsp 1.2, 2.1 (what changes and what stays), 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from test_doubles.cards import ISSUED_EARLIER, CardData, sign_card
from test_doubles.errors import DoubleError
from test_doubles.pki import Pki, ensure_pki
from test_doubles.pki_profile import ORGANIZATION_IDENTIFIER

STS_NAME = "PROEVE-STS"
NATIONAL_ROLE = "urn:dk:healthcare:national-federation-role:code:41002:value:SundAssistR2"
NO_ROLE = "urn:dk:healthcare:no-role"
SIGNERS = ("sts", "false-sts")

# How Java prints them; anything else goes by its short name.
_JAVA_NAMES = {
    NameOID.COUNTRY_NAME: "C",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.COMMON_NAME: "CN",
    NameOID.SERIAL_NUMBER: "SERIALNUMBER",
    NameOID.GIVEN_NAME: "GIVENNAME",
    NameOID.SURNAME: "SURNAME",
    ORGANIZATION_IDENTIFIER: "OID.2.5.4.97",
}


class NoKeys(DoubleError):
    """The doubles were started without a directory for keys."""

    code = "PKI-MISSING"
    actor = "operator"
    status = 503


@dataclass(frozen=True, slots=True)
class Claims:
    """What a card shall say about its holder; see ``CardData`` for the groups."""

    data: Mapping[str, str]
    system: Mapping[str, str]
    user: Mapping[str, str] | None = None
    care_provider_format: str = "medcom:cvrnumber"


class Issuer:
    """Signs cards with the keys of a directory, read at the first use.

    Args:
        pki_dir: as made by ``ensure_pki``; made now where it is missing.
    """

    def __init__(self, pki_dir: Path | None) -> None:
        self._pki_dir = pki_dir

    @cached_property
    def pki(self) -> Pki:
        """The keys and certificates.

        Raises:
            NoKeys: no directory was given.
        """
        if self._pki_dir is None:
            raise NoKeys("the doubles were started without a directory for keys")
        return ensure_pki(self._pki_dir)

    @cached_property
    def issuing_ca(self) -> x509.Certificate:
        """The certificate below which callers' certificates have to be."""
        return self.pki.certificate("ca/issuing")

    @cached_property
    def revoked(self) -> frozenset[int]:
        """Serial numbers that are revoked."""
        return self.pki.revoked_serials()

    def issue(
        self,
        claims: Claims,
        holder: x509.Certificate,
        now: datetime,
        *,
        lifetime: timedelta = timedelta(hours=24),
        sha256: bool = False,
        signer: str = "sts",
    ) -> str:
        """Write and sign a card.

        Args:
            claims: what it says.
            holder: the certificate its holder authenticated with.
            now: the STS's own time; the card is dated five minutes back.
            lifetime: from the card's first moment to its last.
            sha256: RSA-SHA256 instead of RSA-SHA1.
            signer: ``sts``, or ``false-sts`` for a card nobody may trust.
        """
        not_before = now - ISSUED_EARLIER
        data = CardData(
            STS_NAME,
            "medcom:other",
            name_id(holder),
            not_before,
            not_before + lifetime,
            claims.data,
            claims.system,
            claims.user,
            claims.care_provider_format,
        )
        name = f"sts/{signer}"
        return sign_card(data, self.pki.certificate(name), self.pki.rsa_key(name), sha256=sha256)


def name_id(certificate: x509.Certificate) -> str:
    """NameID of an issued card. Source: nsp 1.2.2."""
    return (
        f"SubjectDN={{{distinguished_name(certificate.subject)}}},"
        f"IssuerDN={{{distinguished_name(certificate.issuer)}}},"
        f"CertSerial={{{certificate.serial_number}}}"
    )


def distinguished_name(name: x509.Name) -> str:
    """A name as Java prints it: RDNs in order, members of one RDN joined by plus."""
    return ", ".join(
        " + ".join(f"{_JAVA_NAMES.get(a.oid, a.rfc4514_attribute_name)}={a.value!s}" for a in rdn)
        for rdn in name.rdns
    )
