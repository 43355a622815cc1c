"""The token endpoint for practice systems: ``client_credentials`` by mutual TLS.

The handshake has proved that the client holds the private key, and that the
certificate comes from an authority we trust. Here it must also be the very
certificate that was given at enrolment for the practice in ``client_id``.

Source: RFC 8705, 2 (``client_id`` is required; a certificate registered with the
client); design.md 3.1, 3.5 (taken from the connection, never from a header).
"""

from __future__ import annotations

from ssl import PEM_cert_to_DER_cert

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from starlette.types import Scope

from gateway.api.client_assertions import AssertionRefused
from gateway.client_keys import certificate_of_key, is_valid_at
from gateway.clock import Clock
from gateway.pipeline.records import PracticeRecord
from gateway.storage import practices
from gateway.storage.database import Database


def certificate_of_connection(scope: Scope) -> bytes | None:
    """The client's certificate (DER), as the TLS listener took it from the handshake.

    None on a connection without one. Nothing a client sends can set it: headers
    are not looked at.

    Source: ASGI TLS extension 0.2 (``client_cert_chain``: PEM, the client's own first).
    """
    chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", ())
    for certificate in chain:
        return PEM_cert_to_DER_cert(certificate)
    return None


async def authenticate(
    client_id: str | None, certificate: bytes, database: Database, clock: Clock
) -> PracticeRecord:
    """The practice behind a token request on a connection with this certificate (DER).

    Args:
        client_id: the SOR code, as the request body has it.

    Raises:
        AssertionRefused: with ``invalid_request`` or ``invalid_client`` (RFC 6749, 5.2).
        Unavailable: the database is away.
    """
    if not client_id:
        raise AssertionRefused("invalid_request", "client_id, the SOR code, is missing")
    async with database.transaction() as connection:
        practice = await practices.by_sor_code(connection, client_id)
    if practice is None or not _is_enrolled(practice, certificate):
        raise AssertionRefused("invalid_client", "not the certificate of this client")
    if not is_valid_at(load_der_x509_certificate(certificate), clock.now()):
        raise AssertionRefused("invalid_client", "the certificate is out of date")
    return practice


def _is_enrolled(practice: PracticeRecord, presented: bytes) -> bool:
    enrolled = (certificate_of_key(key) for key in practice.jwks.get("keys", []))
    return any(each.public_bytes(Encoding.DER) == presented for each in enrolled if each)
