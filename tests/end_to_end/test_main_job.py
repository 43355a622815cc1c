"""A note's whole way, over real HTTP with real processes and the doubles.

One system for the module; each test begins on a new morning with notes of its own.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from hashlib import sha1, sha256

import pytest

from nsp_client.signing.keys import TrustAnchors
from nsp_client.signing.xades import verify_document
from tests.support.client import FEED, Caller, Json, wait_until
from tests.support.soap import Fault
from tests.support.system import System

pytestmark = pytest.mark.postgres

ONE_SECOND = timedelta(seconds=1)
OWN_DOORS = ("patient_feed", "professional_repository")


def document_id(system: System, note_id: str) -> str:
    """The id under which a note's newest document is shared."""
    ((unique_id,),) = system.query(
        "SELECT unique_id FROM document WHERE note_id = %s"
        " ORDER BY version DESC, generation DESC LIMIT 1",
        note_id,
    )
    return str(unique_id)


async def test_a_note_is_held_until_midnight_and_then_read_by_both(
    system: System, client: Caller
) -> None:
    midnight = await client.morning()
    note = await client.note()
    # Completed at 23:59, as the promise has it.
    late = midnight - timedelta(minutes=1)
    note["completed_at"] = (late - ONE_SECOND).isoformat(timespec="seconds")
    await client.move_clock(late)
    reply = (await client.post_note(note)).require(202)
    receipt = reply.json()
    note_id = receipt["note_id"]
    assert reply.headers["Location"] == f"/practice/v1/notes/{note_id}"
    body = json.dumps(note, ensure_ascii=False).encode()
    assert receipt["content_sha256"] == sha256(body).hexdigest()
    again = (await client.post_note(note)).require(200).json()
    assert again | {"state": ""} == receipt | {"state": ""}

    await client.until_documented(note_id)
    destinations = (await client.view(note_id))["destinations"]
    for door in OWN_DOORS:
        held = destinations[door]
        assert (held["decision"], held["code"]) == ("HOLD", "P-HOLD-MIDNIGHT")
        assert datetime.fromisoformat(held["until"]) == midnight
        assert held["text_da"]
        assert held["text_en"]
    unique_id = document_id(system, note_id)

    await client.move_clock(midnight - ONE_SECOND)
    assert note_id not in await client.feed_ids()
    assert (await client.call("GET", f"{FEED}/{note_id}", persona="patient-1")).status == 404
    known = {each.unique_id for each in await client.soap_find("doctor-1", "patient-1")}
    assert unique_id not in known
    assert unique_id not in await client.dros_entries()

    await client.move_clock(midnight)
    assert (await client.feed_ids())[note_id] == 1
    (one,) = (
        each
        for each in await client.soap_find("doctor-1", "patient-1")
        if each.unique_id not in known
    )
    assert (one.unique_id, one.status) == (unique_id, "Approved")
    await client.until_nationally(note_id, "present")
    assert (await client.dros_entries())[unique_id]["status"] == "Approved"


async def test_both_doors_and_dros_hold_the_same_bytes_and_the_signature_holds(
    system: System, client: Caller
) -> None:
    midnight = await client.morning()
    note_id = await client.posted(await client.note(icpc2=["T90"]))
    await client.until_documented(note_id)
    await client.move_clock(midnight)
    (note,) = (
        each for each in (await client.feed("patient-1"))["notes"] if each["note_id"] == note_id
    )
    shown = note["document"]
    document = await client.call("GET", shown["href"], persona="patient-1")
    signature = await client.call("GET", shown["signature_href"], persona="patient-1")
    assert sha256(document.body).hexdigest() == shown["sha256"]
    assert document.headers["Content-Type"].startswith(shown["format"])

    unique_id = document_id(system, note_id)
    (entry,) = (
        each
        for each in await client.soap_find("doctor-1", "patient-1")
        if each.unique_id == unique_id
    )
    fetched = await client.soap_fetch("doctor-1", "patient-1", [entry])
    assert fetched == {unique_id: document.body}
    assert entry.size == len(document.body)
    assert entry.hash == sha1(document.body, usedforsecurity=False).hexdigest()

    await client.until_nationally(note_id, "present")
    national = (await client.dros_entries())[unique_id]
    assert national["sha256"] == shown["sha256"]
    assert national["stored_count"] == 1
    stored = await client.call("GET", f"/control/documents/dros/{national['entry_uuid']}")
    assert stored.body == document.body

    pem = (system.folder / "pki" / "gateway" / "signing.pem").read_bytes()
    verified = verify_document(
        document.body, signature.body, trust=TrustAnchors.from_pem(pinned=pem), at=midnight
    )
    assert (verified.document, verified.document_name) == (document.body, unique_id)


async def test_a_correction_waits_for_midnight_and_then_replaces(
    system: System, client: Caller
) -> None:
    midnight = await client.morning()
    note = await client.note()
    note_id = await client.posted(note)
    await client.until_documented(note_id)
    await client.move_clock(midnight)
    await client.until_nationally(note_id, "present")
    first_id = document_id(system, note_id)

    midnight = await client.morning()
    await client.posted(await client.correction(note, "<p>Rettet dosis: <b>2</b> tabletter.</p>"))
    await client.until_documented(note_id)
    second_id = document_id(system, note_id)
    assert second_id != first_id
    await client.move_clock(midnight - ONE_SECOND)
    assert (await client.feed_ids())[note_id] == 1
    found = {each.unique_id for each in await client.soap_find("doctor-1", "patient-1")}
    assert first_id in found
    assert second_id not in found

    await client.move_clock(midnight)
    page = await client.feed("patient-1")
    (shown,) = (each for each in page["notes"] if each["note_id"] == note_id)
    assert (shown["version"], "Rettet dosis" in shown["html"]) == (2, True)
    entries = {each.unique_id: each for each in await client.soap_find("doctor-1", "patient-1")}
    assert first_id not in entries
    # The document id that was replaced is refused like an unknown one.
    old = [type(entries[second_id])("", first_id, entries[second_id].repository, "", 0, "", "")]
    assert await client.soap_fetch("doctor-1", "patient-1", old) == {}

    await client.until_nationally(note_id, "present")
    national = await client.dros_entries()
    assert national[first_id]["status"] == "Deprecated"
    assert national[second_id]["status"] == "Approved"
    assert national[second_id]["replaces"] == national[first_id]["entry_uuid"]


async def test_do_not_share_is_obeyed_at_once_and_can_be_lifted(
    system: System, client: Caller
) -> None:
    midnight = await client.morning()
    note_id = await client.posted(await client.note())
    await client.until_documented(note_id)
    await client.move_clock(midnight)
    await client.until_nationally(note_id, "present")
    before = await client.feed("patient-1")
    first_id = document_id(system, note_id)

    revision = (await client.view(note_id))["markings_revision"]
    (await client.patch_markings(note_id, {"do_not_share": True}, if_match='"99"')).require(412)
    changed = await client.patch_markings(note_id, {"do_not_share": True}, if_match=f'"{revision}"')
    assert changed.require(200).json()["do_not_share"] is True
    assert note_id not in await client.feed_ids()
    delta = await client.feed("patient-1", before["cursor"])
    assert {"note_id": note_id} in delta["removed"]
    found = {each.unique_id for each in await client.soap_find("doctor-1", "patient-1")}
    assert first_id not in found

    async def is_taken_away() -> bool:
        return bool((await client.dros_entries())[first_id]["status"] == "Deprecated")

    await wait_until(is_taken_away)

    (await client.patch_markings(note_id, {"do_not_share": None})).require(200)
    assert note_id in await client.feed_ids()
    await client.until_nationally(note_id, "present")
    second_id = document_id(system, note_id)
    national = await client.dros_entries()
    # A deprecated entry is never revived: shared again means a new document.
    assert (national[first_id]["status"], national[second_id]["status"]) == (
        "Deprecated",
        "Approved",
    )


async def test_a_cancelled_note_is_gone_for_good(system: System, client: Caller) -> None:
    midnight = await client.morning()
    note = await client.note()
    note_id = await client.posted(note)
    await client.until_documented(note_id)
    await client.move_clock(midnight)
    await client.until_nationally(note_id, "present")
    unique_id = document_id(system, note_id)

    first = (await client.cancel(note_id)).require(200).json()
    assert (await client.cancel(note_id)).require(200).json() == first
    assert note_id not in await client.feed_ids()
    assert (await client.call("GET", f"{FEED}/{note_id}", persona="patient-1")).status == 404
    found = {each.unique_id for each in await client.soap_find("doctor-1", "patient-1")}
    assert unique_id not in found
    refused = await client.post_note(await client.correction(note, "<p>Igen.</p>"))
    assert refused.require(409).json()["code"] == "VERSION-CONFLICT"

    async def is_gone() -> bool:
        entry = (await client.dros_entries())[unique_id]
        state = (await client.view(note_id))["state"]
        return bool(entry["status"] == "Deprecated" and state == "purged")

    await wait_until(is_gone)
    left = system.query(
        "SELECT count(*) FROM note_version v LEFT JOIN document d USING (note_id, version)"
        " WHERE v.note_id = %s AND (v.sealed_note IS NOT NULL OR v.wrapped_key IS NOT NULL"
        " OR d.sealed_document IS NOT NULL OR d.sealed_signature IS NOT NULL)",
        note_id,
    )
    assert left == [(0,)]


async def test_a_delayed_note_waits_for_its_day_at_the_patient_only(
    system: System, client: Caller
) -> None:
    midnight = await client.morning()
    day = midnight + timedelta(days=3, hours=12)
    note_id = await client.posted(await client.note(markings={"delay_until": day.isoformat()}))
    await client.until_documented(note_id)
    unique_id = document_id(system, note_id)
    await client.move_clock(midnight)
    page = await client.feed("patient-1")
    assert note_id not in {each["note_id"] for each in page["notes"]}
    assert note_id in {each["note_id"] for each in page["placeholders"]}
    found = {each.unique_id for each in await client.soap_find("doctor-1", "patient-1")}
    assert unique_id in found
    national = (await client.view(note_id))["destinations"]["national"]
    assert (national["decision"], national["code"]) == ("HOLD", "P-HOLD-NATIONAL")

    await client.move_clock(day - ONE_SECOND)
    assert note_id not in await client.feed_ids()
    await client.move_clock(day)
    assert note_id in await client.feed_ids()
    await client.until_nationally(note_id, "present")


@pytest.mark.parametrize(
    ("marking", "patient_sees", "doctor_sees", "code"),
    [
        ("third_party_confidential", False, True, "P-WITHHELD-THIRD-PARTY"),
        ("hide_from_professionals", True, False, "P-WITHHELD-FROM-PROFESSIONALS"),
    ],
)
async def test_a_marking_hides_a_note_from_those_it_aims_at(
    system: System,
    client: Caller,
    marking: str,
    patient_sees: bool,
    doctor_sees: bool,
    code: str,
) -> None:
    midnight = await client.morning()
    note_id = await client.posted(await client.note(markings={marking: True}))
    await client.until_documented(note_id)
    unique_id = document_id(system, note_id)
    await client.move_clock(midnight)
    page = await client.feed("patient-1")
    assert (note_id in {each["note_id"] for each in page["notes"]}) is patient_sees
    assert (note_id in str(page)) is patient_sees
    found = {each.unique_id for each in await client.soap_find("doctor-1", "patient-1")}
    assert (unique_id in found) is doctor_sees

    async def is_decided() -> bool:
        decided = (await client.view(note_id))["destinations"]
        codes = {each["code"] for each in decided.values()}
        return codes == {code, "P-OK", "P-WITHHELD-NATIONAL"}

    await wait_until(is_decided)
    assert unique_id not in await client.dros_entries()


async def test_a_childs_note_is_shared_but_not_with_the_child(
    system: System, client: Caller
) -> None:
    midnight = await client.morning()
    note_id = await client.posted(await client.note("child-9"))
    await client.until_documented(note_id)
    await client.move_clock(midnight)
    await client.until_nationally(note_id, "present")
    assert (document_id(system, note_id)) in await client.dros_entries()
    child = await client.call("GET", FEED, persona="child-9")
    assert (child.status, child.json()["code"]) == (403, "D-SELF-UNDER-15")


async def test_who_may_not_look_gets_nothing(client: Caller) -> None:
    midnight = await client.morning()
    await client.posted(await client.note())
    await client.move_clock(midnight)
    with pytest.raises(Fault, match="D-NO-RELATION"):
        await client.soap_find("doctor-2", "patient-1")
    for persona in ("doctor-1", "compliance-1", "practice-1"):
        assert (await client.call("GET", FEED, persona=persona)).status == 403
    # Other citizens have their own feed, and nothing of it is this patient's.
    assert await client.feed_ids("patient-3") == {}


async def test_a_block_closes_professionals_and_never_the_patient(client: Caller) -> None:
    midnight = await client.morning()
    note_id = await client.posted(await client.note())
    await client.until_documented(note_id)
    await client.move_clock(midnight)
    cpr = (await client.persona("patient-1"))["cpr"]
    block: Json = {
        "type": "NEGATIVE",
        "what": {"kind": "ALL"},
        "who": {"kind": "ALL"},
        "valid_from": (midnight - timedelta(hours=1)).isoformat(),
        "valid_to": None,
    }
    assert await client.soap_find("doctor-1", "patient-1")
    await client.seed("minspaerring", {"registrations": {cpr: [block]}})
    try:
        assert await client.soap_find("doctor-1", "patient-1") == []
        assert note_id in await client.feed_ids()
    finally:
        await client.seed("minspaerring", {"registrations": {cpr: []}})
    assert await client.soap_find("doctor-1", "patient-1")


async def test_with_the_consent_service_away_doctors_are_closed_and_patients_open(
    client: Caller,
) -> None:
    midnight = await client.morning()
    note_id = await client.posted(await client.note())
    await client.until_documented(note_id)
    await client.move_clock(midnight)
    await client.fault("minspaerring", "drop_before")
    try:
        with pytest.raises(Fault, match="internal_error_consent"):
            await client.soap_find("doctor-1", "patient-1")
        assert note_id in await client.feed_ids()
    finally:
        await client.clear_faults()


async def test_the_log_is_whole_and_tells_no_secret(system: System, client: Caller) -> None:
    midnight = await client.morning()
    note_id = await client.posted(await client.note(html="<p>Fortroligt: kaktusallergi.</p>"))
    await client.until_documented(note_id)
    await client.move_clock(midnight)
    await client.until_nationally(note_id, "present")
    assert note_id in await client.feed_ids()
    assert await client.soap_read("doctor-1", "patient-1")
    (await client.patch_markings(note_id, {"do_not_share": True})).require(200)
    (await client.cancel(note_id)).require(200)

    async def is_purged() -> bool:
        return bool((await client.view(note_id))["state"] == "purged")

    await wait_until(is_purged)
    log = system.export_and_verify_audit()

    mine = [entry for entry in log.entries if note_id in json.dumps(entry)]
    actions = {entry["action"] for entry in mine}
    assert actions >= {
        *("RECEIVED", "MOVED", "DELIVERY", "MARKING", "CANCELLED", "PURGED", "LIST", "CONTENT")
    }
    # Every read of the feed and of both SOAP doors, with the decision on this note.
    reads = [entry for entry in mine if entry["action"] in ("LIST", "CONTENT")]
    assert {read["door"] for read in reads} == {"patient", "sundhedsjournal"}
    # Every move that the states allow a whole life to make, once each.
    moves = [
        (move["from"], move["to"])
        for entry in mine
        if entry["action"] == "MOVED"
        for move in entry["moves"]
    ]
    assert moves == [("received", "documented"), ("documented", "withdrawn")]

    cast = await client.personas()
    secrets = {each["cpr"] for each in cast if each["cpr"]}
    secrets |= {"Journalnotat for", "kaktusallergi", "alt vel", "Rettet dosis"}
    logged = system.logs()
    for secret in secrets:
        assert secret not in log.text
        assert secret not in logged
