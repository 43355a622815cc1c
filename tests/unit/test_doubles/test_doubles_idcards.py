"""Ready-made headers: signed by the STS, about the right persons, fit to be pasted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from lxml import etree

from test_doubles.cards import VerifiedCard, verify_card
from test_doubles.clock import Clock, parse_instant
from test_doubles.faults import FaultBook
from test_doubles.idcards import IdCardIssuer
from test_doubles.personas import Personas
from test_doubles.pki import Pki, ensure_pki
from test_doubles.recorder import Recorder
from test_doubles.world import World
from tests.unit.test_doubles.doubles_messages import ASSERTION, envelope, needs_shared, xmlsec

Client = TestClient[web.Request, web.Application]
HSUID = "{http://www.nsi.dk/hsuid/2016/08/hsuid-1.1.xsd}"
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return ensure_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def world(pki: Pki) -> World:
    made = World(
        clock=Clock(parse_instant("2026-12-14T08:00:00Z")),
        personas=Personas(),
        faults=FaultBook(),
        recorder=Recorder(),
        pki_dir=pki.directory,
    )
    made.doubles = {"idcard": IdCardIssuer(made)}
    return made


async def issue(client: Client, **wish: Any) -> dict[str, Any]:
    async with client.post("/control/idcard", json=wish) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


def card_of(headers: dict[str, Any]) -> VerifiedCard:
    return verify_card(etree.fromstring(headers["id_card"]))


def hsuid_of(headers: dict[str, Any]) -> dict[str, str | None]:
    return {
        a.get("Name", ""): a.findtext(f"{HSUID}AttributeValue")
        for a in etree.fromstring(headers["hsuid"]).iter(f"{HSUID}Attribute")
    }


async def test_a_doctor_gets_a_user_card_and_the_matching_hsuid(client: Client, pki: Pki) -> None:
    headers = await issue(client, persona="doctor-1", patient="patient-2")
    card = card_of(headers)
    assert card.certificate == pki.certificate("sts/sts")
    assert (card.level, card.is_user, card.version) == ("4", True, "1.0.1")
    assert card.care_provider == "55000012"
    hsuid = hsuid_of(headers)
    assert card.attributes["medcom:UserCivilRegistrationNumber"] == "1708699997"
    assert hsuid["nsi:UserType"] == "nsi:HealthcareProfessional"
    assert hsuid["nsi:ActingUserCivilRegistrationNumber"] == "1708699997"
    assert hsuid["nsi:ResponsibleUserCivilRegistrationNumber"] == "1708699997"
    assert hsuid["nsi:ResponsibleUserAuthorizationCode"] == "ZTA02"
    assert card.attributes["medcom:UserAuthorizationCode"] == "ZTA02"
    assert hsuid["nsi:OrgUsingID"] == "61811000016001"
    assert hsuid["nsi:CitizenCivilRegistrationNumber"] == "1205519996"
    assert "nsi:ConsentOverride" not in hsuid


async def test_an_override_is_said_in_hsuid(client: Client) -> None:
    hsuid = hsuid_of(await issue(client, persona="doctor-2", patient="3001749995", override=True))
    assert hsuid["nsi:ConsentOverride"] == "true"
    assert hsuid["nsi:CitizenCivilRegistrationNumber"] == "3001749995"


async def test_a_secretary_acts_for_the_doctor(client: Client) -> None:
    headers = await issue(client, persona="secretary-1")
    hsuid = hsuid_of(headers)
    assert hsuid["nsi:ActingUserCivilRegistrationNumber"] == "3103729998"
    assert hsuid["nsi:ResponsibleUserCivilRegistrationNumber"] == "1708699997"
    assert hsuid["nsi:ResponsibleUserAuthorizationCode"] == "ZTA02"
    card = card_of(headers)
    assert card.attributes["medcom:UserCivilRegistrationNumber"] == "3103729998"
    assert "medcom:UserAuthorizationCode" not in card.attributes


async def test_a_citizen_stands_behind_a_system_card(client: Client) -> None:
    own = await issue(client, persona="patient-1")
    assert (card_of(own).level, card_of(own).is_user) == ("3", False)
    hsuid = hsuid_of(own)
    assert hsuid["nsi:UserType"] == "nsi:Citizen"
    assert hsuid["nsi:CitizenUserRelation"] == "nsi:Citizen"
    assert hsuid["nsi:CitizenCivilRegistrationNumber"] == "3001749995"
    child = hsuid_of(await issue(client, persona="parent-1", patient="child-9"))
    assert child["nsi:CitizenUserRelation"] == "nsi:ChildCustodyHolder"
    assert child["nsi:ActingUserCivilRegistrationNumber"] == "1904829992"
    assert child["nsi:ResponsibleUserCivilRegistrationNumber"] == "0808179994"


async def test_a_practice_gets_a_system_card_and_no_hsuid(client: Client) -> None:
    headers = await issue(client, persona="practice-1")
    assert headers["hsuid"] is None
    assert card_of(headers).care_provider == "55000039"


async def test_the_markup_holds_wherever_it_is_pasted(
    client: Client, pki: Pki, tmp_path: Path
) -> None:
    headers = await issue(client, persona="nurse-1")
    text = envelope(
        headers["security_header"] + headers["medcom_header"] + headers["hsuid"],
        "<a xmlns='urn:x'/>",
    )
    root = etree.fromstring(text)
    (pasted,) = root.iter(f"{SAML}Assertion")
    assert verify_card(pasted).attributes["medcom:UserRole"] == "5166"
    file = tmp_path / "pasted.xml"
    file.write_bytes(text)
    judged = xmlsec(
        "--verify",
        "--pubkey-cert-pem",
        pki.certificate_file("sts/sts"),
        "--id-attr:id",
        ASSERTION,
        file,
    )
    assert judged.returncode == 0, judged.stderr


async def test_the_headers_fit_the_published_schemas(client: Client) -> None:
    from test_doubles.schemas import Schemas
    from test_doubles.soap import Message, SoapVersion

    schemas = Schemas(needs_shared())
    headers = await issue(client, persona="doctor-1")
    root = etree.fromstring(
        envelope(headers["security_header"] + headers["medcom_header"], "<a xmlns='urn:x'/>")
    )
    schemas.check_header(Message(SoapVersion.V11, root, root[0], root[1][0]))


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"persona": "compliance-1"}, 400),
        ({"persona": "doctor-1", "override": "yes"}, 400),
        ({"persona": "doctor-1", "colour": "red"}, 400),
        ({"persona": "nobody"}, 404),
        ({"persona": "doctor-1", "patient": "nobody"}, 404),
        ({}, 400),
    ],
)
async def test_what_cannot_be_had(client: Client, wish: dict[str, Any], status: int) -> None:
    async with client.post("/control/idcard", json=wish) as answer:
        assert answer.status == status


async def test_without_keys_the_answer_is_a_problem(client: Client, world: World) -> None:
    double = world.doubles["idcard"]
    assert isinstance(double, IdCardIssuer)
    double._issuer = type(double._issuer)(None)
    async with client.post("/control/idcard", json={"persona": "doctor-1"}) as answer:
        assert answer.status == 503
        assert (await answer.json())["code"] == "PKI-MISSING"
