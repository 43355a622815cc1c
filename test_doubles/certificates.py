"""What the test CA publishes: its certificate and its revocation list, in DER.

These are the addresses that the certificates of ``pki.py`` name. Sources: nsp
9.2 (CRL addresses that the doubles serve), RFC 5280, 4.2.1.13 and 4.2.2.1.
"""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from test_doubles.errors import BadRequest, UnknownName
from test_doubles.world import JsonObject, Route, World, json_refusal

ISSUING_CERTIFICATE = Path("ca/issuing.pem")
REVOCATION_LIST = Path("ca/issuing.crl")


class PublishedCertificates:
    """The addresses under ``/pki``. They read the key directory at each request."""

    name = "pki"

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """See ``Double``."""
        return [
            Route("GET", "/pki/issuing.cer", "issuing", self.issuing),
            Route("GET", "/pki/issuing.crl", "crl", self.revocation_list),
        ]

    def state(self) -> JsonObject:
        """Serial numbers on the revocation list, as decimal text."""
        if self._world.pki_dir is None:
            return {"revoked": []}
        return {"revoked": sorted(str(entry.serial_number) for entry in self._list())}

    def put_state(self, state: JsonObject) -> None:
        """See ``Double``. The list is signed when the keys are made, so nothing can be set."""
        raise BadRequest("the revocation list is made with the keys and cannot be set")

    def reset(self) -> None:
        """See ``Double``. There is nothing to go back to."""

    def refusal(self, operation: str, code: str | None) -> web.StreamResponse:
        """See ``Double``."""
        return json_refusal(code)

    async def issuing(self, _request: web.Request) -> web.Response:
        """The issuing CA's certificate."""
        certificate = x509.load_pem_x509_certificate(self._read(ISSUING_CERTIFICATE))
        return web.Response(
            body=certificate.public_bytes(Encoding.DER), content_type="application/pkix-cert"
        )

    async def revocation_list(self, _request: web.Request) -> web.Response:
        """Its revocation list."""
        return web.Response(
            body=self._list().public_bytes(Encoding.DER), content_type="application/pkix-crl"
        )

    def _list(self) -> x509.CertificateRevocationList:
        return x509.load_pem_x509_crl(self._read(REVOCATION_LIST))

    def _read(self, name: Path) -> bytes:
        if self._world.pki_dir is None:
            raise UnknownName("these doubles have no key directory")
        return (self._world.pki_dir / name).read_bytes()
