"""A note comes in as FHIR XML and goes out as JSON and as XML, each with its signature."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from lxml import etree

from consent.times import COPENHAGEN
from gateway.demo.client import Reply
from mappers.fhir.xml_reader import read_xml
from mappers.fhir.xml_writer import write_xml
from nsp_client.signing.keys import TrustAnchors
from nsp_client.signing.xades import verify_document
from tests.support.client import NOTES, Caller, Json
from tests.support.negative_cases import skeleton
from tests.support.refusals import stored
from tests.support.system import System

pytestmark = pytest.mark.postgres

FHIR_XML = "application/fhir+xml"
MADE = datetime(2026, 12, 11, 12, 0, tzinfo=COPENHAGEN)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A system some hours after the guide's note was made."""
    with System(start=MADE) as running:
        yield running


def headers(kind: str, source_note_id: str) -> dict[str, str]:
    context = {"source_note_id": source_note_id, "version": 1, "contact_type": "consultation"}
    return {"Content-Type": kind, "Note-Context": json.dumps(context)}


def line_of(text: str, part: str) -> int:
    return 1 + text[: text.index(part)].count("\n")


def header(reply: Reply, name: str) -> str:
    (value,) = (value for key, value in reply.headers.items() if key.lower() == name.lower())
    return value


async def guides_note(client: Caller) -> Json:
    """The guide's own note, from the clinic and about the patient of the tests."""
    own = await client.note()
    bundle = copy.deepcopy(skeleton())
    text = json.dumps(bundle).replace("3001749995", own["patient"]["cpr"])
    text = text.replace("61741000016007", own["organization"]["sor"])
    made: Json = json.loads(text)
    return made


async def test_both_forms_of_a_document_are_one_note(client: Caller) -> None:
    bundle = await guides_note(client)
    name = str(uuid4())
    body = write_xml(bundle)
    sent = headers(FHIR_XML, name)
    valid = await client.call(
        "POST", f"{NOTES}:validate", body=body, headers=sent, persona="practice-1"
    )
    receipt = await client.call("POST", NOTES, body=body, headers=sent, persona="practice-1")
    assert receipt.require(202).json()["warnings"] == valid.require(200).json()["warnings"]
    again = await client.call(
        "POST",
        NOTES,
        body=json.dumps(bundle).encode(),
        headers=headers("application/fhir+json", name),
        persona="practice-1",
    )
    assert again.require(200).json() == receipt.json()


async def test_each_fault_of_xml_has_its_line_and_nothing_is_stored(
    system: System, client: Caller
) -> None:
    bundle = await guides_note(client)
    bundle["entry"][0]["resource"]["status"] = "amended"
    text = write_xml(bundle).decode().replace("<entry>", "\n<entry>")
    text = text.replace("<gender", "\n<colour value='b'/><gender")
    before = stored(system)
    reply = await client.call(
        "POST",
        NOTES,
        body=text.encode(),
        headers=headers(FHIR_XML, str(uuid4())),
        persona="practice-1",
    )
    errors = reply.require(422).json()["errors"]
    assert [(each["code"], each["line"]) for each in errors] == [
        ("PROFILE-ELEMENT-UNKNOWN", line_of(text, "<colour")),
        ("PROFILE-COMPOSITION-STATUS", line_of(text, '<status value="amended"')),
    ]
    assert stored(system) == before


@pytest.mark.parametrize(
    "body",
    [b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a>" * 10_000, "<Bundle/>".encode("utf-16")],
)
async def test_what_is_no_xml_of_ours_gets_a_clear_answer(client: Caller, body: bytes) -> None:
    sent = headers(FHIR_XML, str(uuid4()))
    reply = await client.call("POST", NOTES, body=body, headers=sent, persona="practice-1")
    assert [each["code"] for each in reply.require(422).json()["errors"]] == ["BODY-MALFORMED"]


async def test_the_reader_gets_the_form_asked_for_and_each_signature_holds(
    system: System, client: Caller
) -> None:
    midnight = await client.morning()
    note_id = await client.posted(await client.note())
    await client.until_documented(note_id)
    await client.move_clock(midnight + timedelta(minutes=1))
    href = f"/patient/v1/notes/{note_id}/document"
    as_json = await client.call("GET", href, persona="patient-1")
    accept = {"Accept": FHIR_XML}
    as_xml = await client.call("GET", href, headers=accept, persona="patient-1")
    again = await client.call("GET", f"{href}?_format=xml", persona="patient-1")
    assert as_xml.body == again.body
    assert as_xml.headers["Content-Type"].startswith(FHIR_XML)
    tags = [header(each, "ETag") for each in (as_xml, again, as_json)]
    assert tags[0] == tags[1] != tags[2]
    assert read_xml(as_xml.body).tree == as_json.json()
    canonical = etree.tostring(etree.fromstring(as_xml.body), method="c14n", exclusive=True)
    assert canonical == as_xml.body
    trust = TrustAnchors.from_pem(
        pinned=(system.folder / "pki" / "gateway" / "signing.pem").read_bytes()
    )
    for query, document, kind in (
        ("", as_json, "application/fhir+json"),
        ("?_format=xml", as_xml, FHIR_XML),
    ):
        signature = await client.call("GET", f"{href}/signature{query}", persona="patient-1")
        verified = verify_document(document.body, signature.body, trust=trust, at=midnight)
        assert (verified.document, verified.mime_type) == (document.body, kind)
    for url in (f"{href}?_format=pdf", f"{href}/signature?_format=pdf"):
        refused = await client.call("GET", url, persona="patient-1")
        assert refused.require(406).json()["code"] == "NOT-ACCEPTABLE"
