"""DROS over HTTP: what it finds wrong in headers, packages, values and structure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from test_doubles.app import build_app
from test_doubles.pki import Pki, ensure_pki
from test_doubles.world import World
from tests.unit.test_doubles.conftest import PlainServer
from tests.unit.test_doubles.doubles_messages import (
    DOCUMENT,
    KAREN,
    SOAP11,
    Submission,
    envelope,
    header,
    needs_shared,
    new_oid,
    packaged,
)
from tests.unit.test_doubles.dros_calls import (
    ITI41,
    ITI57,
    MEDCOM,
    Client,
    dros_world,
    post,
    send,
    state,
    swap,
    switch,
    system_card,
    update,
    without,
)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return ensure_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def world(pki: Pki) -> World:
    return dros_world(pki)


@pytest.fixture
def card(pki: Pki) -> str:
    return system_card(pki)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (without(r"<wsse:Security.*</wsse:Security>"), "missing_required_header"),
        (without(r"<saml:Assertion.*</saml:Assertion>"), "missing_required_header"),
        (without(r"<medcom:Header.*</medcom:Header>"), "missing_required_header"),
        (without(r"<medcom:MessageID>.*</medcom:MessageID>"), "missing_required_header"),
        (without(r"<saml:Conditions[^>]*>"), "invalid_idcard"),
        (swap("44000004", "44000005"), "invalid_signature"),
        (swap("</saml:Subject>", " </saml:Subject>"), "invalid_signature"),
        (without(r"<ds:Signature .*</ds:Signature>"), "invalid_signature"),
        (swap(' id="OCESSignature">', ' id="IDCard">'), "invalid_signature"),
        (swap("2001/10/xml-exc-c14n#", "2006/12/xml-c14n11"), "signature_not_supported"),
        (swap("SecurityLevel>3<", "SecurityLevel>4<"), "security_level_failed"),
        (swap("00Z</wsu:Created>", "00+01:00</wsu:Created>"), "invalid_date_timezone"),
        (swap(f"{ITI41}</wsa:Action>", f"{ITI57}</wsa:Action>"), "wsa:ActionNotSupported"),
        (
            without(r"<wsa:MessageID.*</wsa:MessageID>"),
            "wsa:MessageAddressingHeaderRequired",
        ),
        (
            swap("addressing/anonymous", "addressing/none"),
            "wsa:OnlyAnonymousAddressSupported",
        ),
        (
            swap(
                "</soap:Header>",
                '<x:Odd xmlns:x="urn:x" soap:mustUnderstand="1"/></soap:Header>',
            ),
            "soap:MustUnderstand",
        ),
        (swap("<?xml version", '<!DOCTYPE a [<!ENTITY b "c">]><?xml version'), "syntax_error"),
        (swap("cid:doc1%40test", "cid:doc2%40test"), "syntax_error"),
        (swap("cid:doc1%40test", "http://127.0.0.1/x"), "syntax_error"),
        (swap("lcm:SubmitObjectsRequest", "lcm:RemoveObjectsRequest"), "syntax_error"),
        (swap("<rim:Name>", "<rim:Name><a xmlns='relative'/>"), "syntax_error"),
    ],
)
async def test_a_bad_message_gets_its_fault_and_leaves_nothing(
    client: Client, card: str, change: Callable[[str], str], code: str
) -> None:
    answer = await send(client, Submission.of(card), change)
    assert (answer.status, answer.fault) == (500, code)
    assert (await state(client))["counts"]["entries"] == 0


async def test_a_fault_says_what_it_answers(client: Client, card: str) -> None:
    note = Submission.of(card)
    answer = await send(client, note, swap("SecurityLevel>3<", "SecurityLevel>4<"))
    assert answer.root.findtext(f".//{MEDCOM}InResponseToMessageID") == note.message_id


async def test_two_defects_get_the_code_that_comes_first(client: Client, card: str) -> None:
    both = Submission.of(card)
    answer = await send(
        client,
        both,
        lambda text: swap("44000004", "44000005")(
            swap("SecurityLevel>3<", "SecurityLevel>4<")(text)
        ),
    )
    assert answer.fault == "invalid_signature"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"signer": "false-sts"}, "invalid_certificate"),
        ({"version": "1.0"}, "invalid_idcard"),
        ({"level": "2"}, "security_level_failed"),
        ({"now": datetime(2026, 12, 13, 7, 59, tzinfo=UTC)}, "expired_idcard"),
        ({"now": datetime(2026, 12, 14, 8, 7, tzinfo=UTC)}, "invalid_idcard"),
    ],
)
async def test_a_card_that_does_not_do(
    client: Client, pki: Pki, options: dict[str, Any], code: str
) -> None:
    answer = await send(client, Submission.of(system_card(pki, **options)))
    assert (answer.status, answer.fault) == (500, code)


async def test_a_card_signed_with_sha256_is_taken(client: Client, pki: Pki) -> None:
    assert (await send(client, Submission.of(system_card(pki, sha256=True)))).success


async def test_age_and_cvr_list_are_the_services_own(client: Client, card: str, pki: Pki) -> None:
    await switch(client, max_card_age_minutes=5)
    assert (await send(client, Submission.of(card))).fault == "expired_idcard"
    await switch(client, max_card_age_minutes=480, allowed_cvrs=["44000004"])
    assert (await send(client, Submission.of(card))).success
    other = system_card(pki, cvr="55000055")
    assert (await send(client, Submission.of(other))).fault == "not_authorized"


async def test_a_hash_or_size_that_lies_is_refused(client: Client, card: str) -> None:
    sha1 = hashlib.sha1(DOCUMENT).hexdigest()
    wrong_hash = await send(client, Submission.of(card), swap(sha1, "0" * 40))
    assert wrong_hash.codes == ["XDSRepositoryMetadataError"]
    size = f"<rim:Value>{len(DOCUMENT)}</rim:Value>"
    wrong_size = await send(client, Submission.of(card), swap(size, "<rim:Value>1</rim:Value>"))
    assert wrong_size.codes == ["XDSRepositoryMetadataError"]
    upper = await send(client, Submission.of(card), swap(sha1, sha1.upper()))
    assert upper.success


async def test_structure_errors(client: Client, card: str) -> None:
    node = 'classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"'
    unmarked = await send(client, Submission.of(card), swap(node, 'classificationNode="urn:x"'))
    assert "XDSRegistryMetadataError" in unmarked.codes
    note = Submission.of(card)
    lost = await send(
        client, note, swap(f'<xds:Document id="{note.entry}"', '<xds:Document id="x"')
    )
    assert {"XDSMissingDocument", "XDSMissingDocumentMetadata"} <= set(lost.codes)
    mixed = await send(
        client,
        Submission.of(card),
        lambda t: re.sub(
            r'(6b5aea1a-874d-4603-a4bc-96a0a7b38446" value=")[^"]*', rf"\g<1>{KAREN}", t
        ),
    )
    assert mixed.codes == ["XDSPatientIdDoesNotMatch"]
    assert (await state(client))["counts"]["submission_sets"] == 0


@pytest.mark.parametrize(
    "change",
    [
        swap("20261211081530", "20261211091530+0100"),
        swap("20261211081530", "20261331081530"),
        swap("urn:ad:dk:medcom:ecn-v1.0:full", "urn:ad:dk:medcom:phn-v1.0:full"),
        swap('mimeType="application/fhir+json"', 'mimeType="text/xml"'),
        swap(">da-DK<", ">da<"),
        swap("^^^^^&amp;1.2.208.176.1.1", "^^^^&amp;1.2.208.176.1.1"),
        swap("3001749995^^^", "300174-9995^^^"),
        swap("PID-8|M", "PID-8|male"),
        swap("PID-8|M</rim:Value>", "PID-8|M</rim:Value><rim:Value>PID-11|Vej 1</rim:Value>"),
        swap('home="urn:oid:1.2.208.176.8.1"', 'home="1.2.208.176.8.1"'),
        without(r'<rim:Slot name="sourcePatientInfo">.*?</rim:Slot>'),
        without(r'<rim:Slot name="submissionTime">.*?</rim:Slot>'),
        swap(hashlib.sha1(DOCUMENT).hexdigest(), "2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
        lambda t: t.replace("20261210090000", "20261210100000", 1),
    ],
)
async def test_bad_values_are_refused_and_can_be_let_through(
    client: Client, card: str, change: Callable[[str], str]
) -> None:
    refused = await send(client, Submission.of(card), change)
    assert "XDSRegistryMetadataError" in refused.codes
    assert not refused.success
    assert (await state(client))["counts"]["entries"] == 0


async def test_validation_levels(client: Client, card: str) -> None:
    bad = swap(">da-DK<", ">da<")
    await switch(client, validation="WARNING")
    warned = await send(client, Submission.of(card), bad)
    assert warned.success
    assert warned.codes == ["~XDSRegistryMetadataError"]
    await switch(client, validation="LOG")
    logged = await send(client, Submission.of(card), bad)
    assert (logged.success, logged.codes) == (True, [])
    assert (await state(client))["oddities"] == {"DocumentEntry: languageCode": 2}
    await switch(client, validation="OFF")
    assert (await send(client, Submission.of(card), bad)).success


async def test_unknown_patients(client: Client, card: str) -> None:
    await switch(client, unknown_patients=["3001749995"])
    assert (await send(client, Submission.of(card))).codes == ["XDSUnknownPatientId"]
    assert (await send(client, Submission.of(card, patient=KAREN))).success
    await switch(client, patient_check="WARNING")
    warned = await send(client, Submission.of(card))
    assert (warned.success, warned.codes) == (True, ["~XDSUnknownPatientId"])


async def test_codes_may_be_widened(client: Client, card: str) -> None:
    wide = swap("urn:ad:dk:medcom:ecn-v1.0:full", "urn:ad:dk:medcom:ekg-v1.0:full")
    await switch(
        client, codes={"formatCode": [["urn:ad:dk:medcom:ekg-v1.0:full", "1.2.208.184.100.10"]]}
    )
    assert (await send(client, Submission.of(card), wide)).success


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b[: b.rindex(b"\r\n--")],
        lambda b: b.replace(b"<doc1@test>", b"<root@test>"),
        lambda b: b.replace(b"Content-ID: <doc1@test>\r\n", b""),
        lambda b: b.replace(b"<root@test>", b"<other@test>"),
    ],
)
async def test_a_broken_package_is_a_syntax_error(
    client: Client, card: str, change: Callable[[bytes], bytes]
) -> None:
    note = Submission.of(card)
    root = envelope(header(card, note.message_id, ITI41), note.body())
    headers, body = packaged(root, DOCUMENT)
    answer = await post(client, "/dros/iti41", headers, change(body))
    assert (answer.status, answer.fault) == (500, "syntax_error")


async def test_parts_in_any_order_and_binary_content(client: Client, card: str) -> None:
    document = bytes(range(256)) + b"\r\n--b\r\n\r\n"
    note = Submission.of(card, document=document)
    root = envelope(header(card, note.message_id, ITI41), note.body())
    headers, body = packaged(root, document, boundary="boundary")
    first, second = body.split(b"\r\n--boundary\r\n", 1)
    end = second.removesuffix(b"\r\n--boundary--\r\n")
    turned = b"--boundary\r\n" + end + b"\r\n" + first + b"\r\n--boundary--\r\n"
    answer = await post(client, "/dros/iti41", headers, turned)
    assert answer.success
    async with client.get(f"/control/documents/dros/{note.entry}") as stored:
        assert await stored.read() == document


async def test_published_schemas_take_part_when_they_are_there(pki: Pki, card: str) -> None:
    world = dros_world(pki, needs_shared())
    async with TestClient(PlainServer(build_app(world))) as client:
        note = Submission.of(card)
        assert (await send(client, note)).success
        assert (await update(client, card, note.entry, new_oid())).success
        unordered = await send(
            client,
            Submission.of(card),
            lambda t: re.sub(
                r"(<medcom:SecurityLevel>3</medcom:SecurityLevel>)(<medcom:Linking>.*</medcom:Linking>)",
                r"\2\1",
                t,
            ),
        )
        assert unordered.fault == "syntax_error"
        unknown = await send(
            client, Submission.of(card), swap("<rim:Name>", "<rim:Nonsense/><rim:Name>")
        )
        assert unknown.fault == "syntax_error"


def _with_card(message: bytes, card: str) -> bytes:
    pattern = b"<saml:Assertion .*</saml:Assertion>"
    return re.sub(pattern, lambda _: card.encode(), message, flags=re.DOTALL)


async def test_the_example_of_the_data_set_is_taken_once_its_card_is_signed(
    client: Client, card: str
) -> None:
    raw = (needs_shared() / "examples" / "iti41-request-rplc-mtom.http").read_bytes()
    head, _, body = raw.partition(b"\r\n\r\n")
    content_type = next(
        line.partition(b": ")[2]
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-type")
    )
    body = re.sub(
        b"<saml:Assertion .*</saml:Assertion>", lambda _: card.encode(), body, flags=re.DOTALL
    )
    old = Submission.of(
        card,
        entry="urn:uuid:2f1c3d4e-5a6b-4c7d-8e9f-000000000001",
        patient="2406799994^^^&amp;1.2.208.176.1.2&amp;ISO",
    )
    assert (await send(client, old)).success
    await switch(client, validation="OFF")
    answer = await post(client, "/dros/iti41", {"Content-Type": content_type.decode()}, body)
    # Its SecurityLevel, times and ids are its own; only the card was replaced.
    assert answer.success, answer.raw
    entries = {e["entry_uuid"]: e for e in (await state(client))["entries"]}
    assert entries[old.entry]["status"] == "Deprecated"
    assert entries["urn:uuid:2f1c3d4e-5a6b-4c7d-8e9f-000000000002"]["size"] == 86

    text = (needs_shared() / "examples" / "iti57-deprecate-request.xml").read_bytes()
    text = re.sub(
        b"<saml:Assertion .*</saml:Assertion>", lambda _: card.encode(), text, flags=re.DOTALL
    )
    text = text.replace(b"8e9f-000000000001", b"8e9f-000000000002")
    text = text.replace(b"5e7b8f80-11aa-4f27-9a41-0c5d6f7a1001", b"another-message")
    changed = await post(client, "/dros/iti57", {"Content-Type": "text/xml"}, text)
    assert changed.success, changed.raw
    assert SOAP11.encode() in changed.raw
