"""The TLS listener's side of HTTP: each request tells which certificate the client showed.

The server keeps it from the application otherwise. On a listener without TLS this
class is not used, so a certificate never comes from anything but a handshake.

Source: ASGI TLS extension 0.2; design.md 3.5, 5 ("a small uvicorn protocol class").
"""

from __future__ import annotations

import asyncio
from ssl import DER_cert_to_PEM_cert

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class ClientCertificateProtocol(HttpToolsProtocol):
    """HTTP/1.1 over TLS with ``scope["extensions"]["tls"]``."""

    _tls: dict[object, object]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the certificate from the handshake that has just succeeded."""
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        certificate = connection.getpeercert(binary_form=True)
        self._tls = {
            "server_cert": None,
            "client_cert_chain": (DER_cert_to_PEM_cert(certificate),) if certificate else (),
            "client_cert_name": None,
            "client_cert_error": None,
            "tls_version": None,
            "cipher_suite": None,
        }

    def on_message_begin(self) -> None:
        """Every request of the connection says the same."""
        super().on_message_begin()
        self.scope["extensions"] = {"tls": self._tls}
