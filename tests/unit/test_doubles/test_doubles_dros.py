"""DROS over HTTP: what is stored, what a second message finds, what a lost answer leaves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient
from lxml import etree

from test_doubles.app import build_app
from test_doubles.cards import verify_card
from test_doubles.dros import DrosDouble
from test_doubles.holdings import StoredEntry
from test_doubles.pki import Pki, ensure_pki
from test_doubles.world import World
from tests.unit.test_doubles.conftest import PlainServer
from tests.unit.test_doubles.doubles_messages import (
    DOCUMENT,
    KAREN,
    NIELS,
    SOAP12,
    Submission,
    envelope,
    header,
    iti57_body,
    new_oid,
    new_uuid,
)
from tests.unit.test_doubles.dros_calls import (
    ITI41,
    ITI57,
    MEDCOM,
    WSA,
    Client,
    dros_world,
    order,
    post,
    send,
    state,
    switch,
    system_card,
    update,
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


async def test_a_package_is_stored_byte_for_byte(client: Client, card: str) -> None:
    note = Submission.of(card)
    answer = await send(client, note)
    assert answer.success
    assert answer.codes == []
    (entry,) = (await state(client))["entries"]
    assert entry["unique_id"] == note.unique_id
    assert entry["entry_uuid"] == note.entry
    assert entry["status"] == "Approved"
    assert entry["hash"] == hashlib.sha1(DOCUMENT).hexdigest()
    assert entry["sha256"] == hashlib.sha256(DOCUMENT).hexdigest()
    assert entry["stored_count"] == 1
    async with client.get(f"/control/documents/dros/{note.entry}") as stored:
        assert await stored.read() == DOCUMENT
    assert (await state(client))["oddities"] == {}


async def test_the_answer_has_the_form_of_the_recorded_one(client: Client, card: str) -> None:
    note = Submission.of(card)
    answer = await send(client, note)
    assert answer.content_type.startswith("multipart/related;")
    assert 'start-info="text/xml"' in answer.content_type
    root = answer.root
    assert root.findtext(f".//{MEDCOM}InResponseToMessageID") == note.message_id
    assert root.findtext(f".//{MEDCOM}FlowStatus") == "flow_finalized_succesfully"
    assert root.findtext(f".//{WSA}RelatesTo") == f"urn:uuid:{note.message_id}"
    assert root.findtext(f".//{WSA}Action") == f"{ITI41}Response"
    (echoed,) = root.iter("{urn:oasis:names:tc:SAML:2.0:assertion}Assertion")
    assert verify_card(echoed).care_provider == "44000004"


async def test_soap_1_2_and_inline_base64_get_their_own_form_back(
    client: Client, card: str
) -> None:
    note = Submission.of(card)
    inline = note.body(base64.b64encode(DOCUMENT).decode())
    body = envelope(header(card, note.message_id, ITI41), inline, SOAP12)
    answer = await post(client, "/dros/iti41", {"Content-Type": "application/soap+xml"}, body)
    assert answer.success
    assert answer.content_type.startswith("application/soap+xml")
    assert answer.root.tag == f"{{{SOAP12}}}Envelope"
    assert (await state(client))["oddities"] == {"ITI-41 without MTOM": 1}


async def test_the_glued_boundary_can_be_switched_on(client: Client, card: str) -> None:
    await switch(client, glued_boundary=True)
    assert b"</soap:Envelope>--uuid:" in (await send(client, Submission.of(card))).raw
    await switch(client, glued_boundary=False)
    assert b"</soap:Envelope>\r\n--uuid:" in (await send(client, Submission.of(card))).raw


async def test_a_message_sent_again_gets_the_earlier_answer_and_is_stored_once(
    client: Client, card: str, world: World, pki: Pki
) -> None:
    note = Submission.of(card)
    first = await send(client, note)
    world.clock.move_to(world.clock.now() + timedelta(hours=3))
    # A renewed card and another boundary are still the same message.
    second = await send(client, note.again(card=system_card(pki, now=world.clock.now())))
    assert etree.tostring(second.root) == etree.tostring(first.root)
    seen = await state(client)
    assert seen["replayed"] == 1
    assert seen["counts"]["entries"] == 1
    assert seen["counts"]["stored_twice"] == []


async def test_a_message_id_for_another_body_is_refused(client: Client, card: str) -> None:
    note = Submission.of(card)
    await send(client, note)
    other = Submission.of(card, message_id=note.message_id)
    answer = await send(client, other)
    assert (answer.status, answer.fault) == (500, "processing_problem")
    changed = note.again(document=DOCUMENT + b"!")
    assert (await send(client, changed)).fault == "processing_problem"
    assert (await state(client))["counts"]["entries"] == 1


async def test_the_memory_is_per_sender(client: Client, card: str, pki: Pki) -> None:
    note = Submission.of(card)
    await send(client, note)
    answer = await send(client, note.again(card=system_card(pki, cvr="55000055")))
    assert answer.codes == ["XDSDuplicateUniqueIdInRegistry"]


async def test_the_same_submission_in_a_new_message_is_a_duplicate(
    client: Client, card: str
) -> None:
    old = Submission.of(card)
    await send(client, old)
    note = Submission.of(card, replaces=old.entry)
    assert (await send(client, note)).success
    answer = await send(client, note.again(message_id=new_uuid()))
    assert not answer.success
    assert answer.codes == ["XDSDuplicateUniqueIdInRegistry"]
    assert (await state(client))["counts"]["entries"] == 2


async def test_a_unique_id_with_other_bytes_is_refused(client: Client, card: str) -> None:
    note = Submission.of(card)
    await send(client, note)
    other = Submission.of(card, unique_id=note.unique_id, document=b"other")
    assert (await send(client, other)).codes == ["XDSNonIdenticalHash"]


async def test_the_same_document_twice_is_two_entries_and_shows(client: Client, card: str) -> None:
    note = Submission.of(card)
    await send(client, note)
    again = Submission.of(card, unique_id=note.unique_id)
    assert (await send(client, again)).success
    seen = await state(client)
    assert [e["stored_count"] for e in seen["entries"]] == [2, 2]
    assert seen["counts"]["stored_twice"] == [note.unique_id]


async def test_a_reused_entry_uuid_is_refused(client: Client, card: str) -> None:
    note = Submission.of(card)
    await send(client, note)
    other = Submission.of(card, entry=note.entry)
    assert (await send(client, other)).codes == ["XDSRegistryMetadataError"]


async def test_symbolic_ids_become_uuids(client: Client, card: str) -> None:
    note = Submission.of(card, entry="Document01", package="SubmissionSet01")
    assert (await send(client, note)).success
    (entry,) = (await state(client))["entries"]
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", entry["entry_uuid"])


async def test_rplc_makes_the_old_one_deprecated(client: Client, card: str) -> None:
    old = Submission.of(card)
    await send(client, old)
    new = Submission.of(card, replaces=old.entry)
    assert (await send(client, new)).success
    entries = {e["entry_uuid"]: e for e in (await state(client))["entries"]}
    assert entries[old.entry]["status"] == "Deprecated"
    assert entries[new.entry]["status"] == "Approved"
    assert entries[new.entry]["replaces"] == old.entry


@pytest.mark.parametrize(
    ("old_codes", "deprecated", "unknown"),
    [
        (False, "XDSRegistryDeprecatedDocumentError", "UnresolvedReferenceException"),
        (True, "XDSReplaceFailed", "XDSReplaceFailed"),
    ],
)
async def test_rplc_needs_an_approved_target(
    client: Client, card: str, old_codes: bool, deprecated: str, unknown: str
) -> None:
    await switch(client, old_replace_code=old_codes)
    old = Submission.of(card)
    await send(client, old)
    await send(client, Submission.of(card, replaces=old.entry))
    assert (await send(client, Submission.of(card, replaces=old.entry))).codes == [deprecated]
    assert (await send(client, Submission.of(card, replaces=new_uuid()))).codes == [unknown]
    assert (await state(client))["counts"]["entries"] == 2


async def test_rplc_of_another_patients_entry_is_refused(client: Client, card: str) -> None:
    old = Submission.of(card)
    await send(client, old)
    other = Submission.of(card, patient=KAREN, replaces=old.entry)
    assert (await send(client, other)).codes == ["XDSPatientIdDoesNotMatch"]


async def test_a_new_version_needs_a_new_unique_id(client: Client, card: str) -> None:
    old = Submission.of(card)
    await send(client, old)
    new = Submission.of(card, replaces=old.entry, unique_id=old.unique_id)
    assert (await send(client, new)).codes == ["XDSRegistryMetadataError"]


async def test_a_status_change_deprecates(client: Client, card: str) -> None:
    note = Submission.of(card)
    await send(client, note)
    answer = await update(client, card, note.entry, new_oid())
    assert answer.success
    assert answer.content_type.startswith("text/xml")
    (entry,) = (await state(client))["entries"]
    assert [status for _, status in entry["history"]] == ["Approved", "Deprecated"]


async def test_a_status_change_is_refused_where_it_does_not_fit(client: Client, card: str) -> None:
    note = Submission.of(card)
    await send(client, note)
    unknown = await update(client, card, new_uuid(), new_oid())
    assert unknown.codes == ["UnresolvedReferenceException"]
    other = await update(client, card, note.entry, new_oid(), patient=KAREN)
    assert other.codes == ["XDSPatientIdDoesNotMatch"]
    stale = await update(client, card, note.entry, new_oid(), original="Deprecated")
    assert "XDSMetadataUpdateError" in stale.codes
    used = new_oid()
    assert (await update(client, card, note.entry, used)).success
    assert (await update(client, card, note.entry, new_oid())).codes == ["XDSMetadataUpdateError"]
    head = header(card, "another message", ITI57)
    body = envelope(head, iti57_body(note.entry, set_unique_id=used))
    again = await post(client, "/dros/iti57", {"Content-Type": "text/xml"}, body)
    assert again.codes == ["XDSDuplicateUniqueIdInRegistry"]


async def test_busy_stores_nothing_until_it_is_over(client: Client, card: str) -> None:
    await switch(client, busy=True)
    note = Submission.of(card)
    assert (await send(client, note)).codes == ["XDSRegistryBusy"]
    await switch(client, busy=False)
    assert (await send(client, note.again(message_id=new_uuid()))).success


async def test_a_lost_answer_leaves_the_document_stored(client: Client, card: str) -> None:
    await order(client, operation="iti41", mode="drop_after_commit", times=1)
    note = Submission.of(card)
    with pytest.raises(aiohttp.ClientError):
        await send(client, note)
    assert (await state(client))["counts"]["entries"] == 1
    # 1. The same message gets the answer that was lost.
    assert (await send(client, note)).success
    # 2. A new message about it is told that it is there.
    answer = await send(client, note.again(message_id=new_uuid()))
    assert answer.codes == ["XDSDuplicateUniqueIdInRegistry"]
    assert (await state(client))["counts"]["entries"] == 1


@pytest.mark.parametrize("mode", ["drop_before", "drop_after_read"])
async def test_a_lost_request_leaves_nothing(client: Client, card: str, mode: str) -> None:
    await order(client, operation="iti41", mode=mode, times=1)
    note = Submission.of(card)
    with pytest.raises(aiohttp.ClientError):
        await send(client, note)
    assert (await state(client))["counts"]["entries"] == 0
    assert (await send(client, note)).success


async def test_refusals_come_as_fault_or_as_registry_response(client: Client, card: str) -> None:
    note = Submission.of(card)
    await order(client, mode="refuse", code="expired_idcard", times=1)
    answer = await send(client, note)
    assert (answer.status, answer.fault) == (500, "expired_idcard")
    await order(client, mode="refuse", code="XDSRegistryBusy", times=1)
    assert (await send(client, note)).codes == ["XDSRegistryBusy"]
    await order(client, mode="refuse", times=1)
    assert (await send(client, note)).fault == "processing_problem"
    assert (await send(client, note)).success


async def test_the_spool_outlives_the_double(world: World, card: str, tmp_path: Path) -> None:
    world.doubles = {"dros": DrosDouble(world, tmp_path)}
    old, new = Submission.of(card), Submission.of(card)
    new = new.again(replaces=old.entry)
    async with TestClient(PlainServer(build_app(world))) as first:
        await send(first, old)
        await send(first, new)
        assert (await update(first, card, new.entry, new_oid())).success
        before = await state(first)
    with next(tmp_path.iterdir()).open("ab") as spool:
        spool.write(b'{"set": {"uniq')  # the process died here
    world.doubles = {"dros": DrosDouble(world, tmp_path)}
    async with TestClient(PlainServer(build_app(world))) as second:
        after = await state(second)
        assert after["entries"] == before["entries"]
        assert after["submission_sets"] == before["submission_sets"]
        answer = await send(second, old.again(message_id=new_uuid()))
        assert answer.codes == ["XDSDuplicateUniqueIdInRegistry"]
        async with second.post("/control/reset") as reset:
            assert reset.status == 200
    assert DrosDouble(world, tmp_path).state()["counts"]["entries"] == 0


async def test_the_state_is_cheap_with_five_thousand_entries(
    client: Client, card: str, world: World
) -> None:
    dros = world.doubles["dros"]
    assert isinstance(dros, DrosDouble)
    now = world.clock.now()
    for _ in range(5000):
        dros.registry.held.add_entry(
            StoredEntry(
                new_uuid(),
                new_uuid(),
                NIELS,
                "x",
                "0" * 40,
                1,
                "0" * 64,
                "t",
                "s",
                history=[(now, "urn:Approved")],
            )
        )
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert len((await state(client))["entries"]) == 5000
    full = loop.time() - start
    assert full < 2
    brief = await state(client, "?brief=1")
    assert brief["counts"]["entries"] == 5000
    assert "entries" not in brief


async def test_put_state_takes_the_state_back_and_refuses_nonsense(client: Client) -> None:
    seen = await state(client)
    await switch(client, **seen)
    misfits: list[dict[str, Any]] = [
        {"validation": "MAYBE"},
        {"no_such": 1},
        {"busy": 1},
        {"codes": {"x": []}},
    ]
    for bad in misfits:
        async with client.put("/control/state/dros", json=bad) as answer:
            assert answer.status == 400
    assert await state(client) == seen
