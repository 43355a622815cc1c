"""What the CA publishes is found where its certificates say."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography import x509

from test_doubles.app import build_app
from test_doubles.certificates import PublishedCertificates
from test_doubles.pki import Pki, ensure_pki
from test_doubles.world import World


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return ensure_pki(tmp_path_factory.mktemp("pki"))


async def test_the_revoked_certificate_leads_to_the_list_that_names_it(
    world: World, pki: Pki
) -> None:
    world.pki_dir = pki.directory
    world.doubles = {"pki": PublishedCertificates(world)}
    revoked = pki.certificate("odd/revoked")
    points = revoked.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    names = points[0].full_name
    assert names is not None
    access = revoked.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    async with TestClient(TestServer(build_app(world))) as client:
        answer = await client.get(urlsplit(names[0].value).path)
        assert answer.content_type == "application/pkix-crl"
        published = x509.load_der_x509_crl(await answer.read())
        answer = await client.get(urlsplit(access[0].access_location.value).path)
        issuing = x509.load_der_x509_certificate(await answer.read())
        state = await (await client.get("/control/state/pki")).json()
        assert (await client.put("/control/state/pki", json={})).status == 400
    assert issuing == pki.certificate("ca/issuing")
    found = published.get_revoked_certificate_by_serial_number(revoked.serial_number)
    assert found is not None
    assert state == {"revoked": [str(revoked.serial_number)]}
    good = pki.certificate("gateway/system")
    assert published.get_revoked_certificate_by_serial_number(good.serial_number) is None


async def test_without_a_key_directory_there_is_nothing_to_publish(world: World) -> None:
    world.doubles = {"pki": PublishedCertificates(world)}
    async with TestClient(TestServer(build_app(world))) as client:
        assert (await client.get("/pki/issuing.crl")).status == 404
        assert await (await client.get("/control/state/pki")).json() == {"revoked": []}
