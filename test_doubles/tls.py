"""The TLS side of the doubles' HTTPS port: a certificate from the key directory."""

from __future__ import annotations

import ssl

from test_doubles.pki import Pki

SERVER_NAME = "doubles/server"
CA_BUNDLE = "ca/bundle.pem"


def tls_context(pki: Pki) -> ssl.SSLContext:
    """A server context.

    A client may show a certificate; one that is shown must come from our CA
    and be in date, or the handshake fails.

    Raises:
        OSError: a file is missing or unusable (``ssl.SSLError`` is one of these).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki.certificate_file(SERVER_NAME), pki.key_file(SERVER_NAME))
    context.load_verify_locations(pki.directory / CA_BUNDLE)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
