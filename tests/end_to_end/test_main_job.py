"""A note's whole way, over real HTTP with real processes and the doubles."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from gateway.audit_check import command as audit_check
from gateway.demo.soap_reader import read_notes
from nsp_client.signing.keys import TrustAnchors
from nsp_client.signing.xades import verify_document
from tests.end_to_end.notes import coming_midnight, feed_ids, fresh_note
from tests.support.system import System, dros, move_clock, post_note, wait_until

pytestmark = pytest.mark.postgres


async def _state(client: object, note_id: str) -> dict[str, object]:
    from gateway.demo.client import DemoClient

    assert isinstance(client, DemoClient)
    reply = await client.call("GET", f"/practice/v1/notes/{note_id}", persona="practice-1")
    found: dict[str, object] = reply.require(200).json()
    return found


async def test_a_note_is_held_until_midnight_and_then_read_by_both(system: System) -> None:
    async with system.client() as client:
        note = await fresh_note(client)
        receipt = (await post_note(client, note)).require(202).json()
        note_id = receipt["note_id"]
        again = (await post_note(client, note)).require(200).json()
        assert again["receipt_id"] == receipt["receipt_id"]
        midnight = await coming_midnight(client)
        await move_clock(client, midnight - timedelta(seconds=1))
        assert note_id not in await feed_ids(client)
        before = await read_notes(client, "doctor-1", "patient-1")
        assert note["text"]["html"] not in str(before)
        await move_clock(client, midnight)
        assert (await feed_ids(client))[note_id] == 1
        after = await read_notes(client, "doctor-1", "patient-1")
        assert len(after.notes) == len(before.notes) + 1

        async def is_at_dros() -> bool:
            view = await _state(client, note_id)
            destinations = view["destinations"]
            assert isinstance(destinations, dict)
            return destinations["national"]["delivery"] == "present"

        await wait_until(is_at_dros)
        state = await dros(client)
        assert state["counts"]["stored_twice"] == []
        assert state["oddities"] == {}


async def test_every_door_serves_the_same_bytes_and_the_signature_holds(system: System) -> None:
    async with system.client() as client:
        page = (await client.call("GET", "/patient/v1/notes", persona="patient-1")).json()
        note = page["notes"][-1]
        document = await client.call("GET", note["document"]["href"], persona="patient-1")
        signature = await client.call(
            "GET", note["document"]["signature_href"], persona="patient-1"
        )
        assert hashlib.sha256(document.body).hexdigest() == note["document"]["sha256"]
        pem = (system.folder / "pki" / "gateway" / "signing.pem").read_bytes()
        verified = verify_document(
            document.body,
            signature.body,
            trust=TrustAnchors.from_pem(pinned=pem),
            at=datetime(2026, 12, 15, tzinfo=UTC),
        )
        assert verified.document == document.body
        found = await read_notes(client, "doctor-1", "patient-1")
        assert verified.document_name in {each.unique_id for each in found.notes}
        state = (await client.call("GET", "/control/state/dros")).json()
        hashes = {entry["hash"] for entry in state["entries"]}
        assert hashlib.sha1(document.body, usedforsecurity=False).hexdigest() in hashes


async def test_a_correction_waits_while_the_old_version_stays(system: System) -> None:
    async with system.client() as client:
        note = await fresh_note(client)
        note_id = (await post_note(client, note)).require(202).json()["note_id"]
        await move_clock(client, await coming_midnight(client) + timedelta(hours=9))
        completed = (await client.clock()).now() - timedelta(minutes=1)
        corrected = {
            **note,
            "version": 2,
            "completed_at": completed.isoformat(timespec="seconds"),
            "text": {"content_type": "text/html", "html": "<p>Rettet.</p>"},
        }
        (await post_note(client, corrected)).require(202)
        assert (await feed_ids(client))[note_id] == 1
        await move_clock(client, await coming_midnight(client))
        assert (await feed_ids(client))[note_id] == 2

        async def is_replaced() -> bool:
            view = await _state(client, note_id)
            return view["destinations"]["national"]["delivery"] == "present"  # type: ignore[index]

        await wait_until(is_replaced)
        counts = (await dros(client))["counts"]
        assert counts["deprecated"] >= 1
        assert counts["stored_twice"] == []


async def test_do_not_share_cancel_and_what_the_feed_says_of_them(system: System) -> None:
    async with system.client() as client:
        kept = (await post_note(client, await fresh_note(client))).require(202).json()["note_id"]
        gone = (await post_note(client, await fresh_note(client))).require(202).json()["note_id"]
        await move_clock(client, await coming_midnight(client))
        page = (await client.call("GET", "/patient/v1/notes", persona="patient-1")).json()
        assert {kept, gone} <= {note["note_id"] for note in page["notes"]}

        async def approved() -> int:
            return int((await dros(client))["counts"]["approved"])

        async def both_are_there() -> bool:
            views = [await _state(client, each) for each in (kept, gone)]
            return all(
                view["destinations"]["national"]["delivery"] == "present"  # type: ignore[index]
                for view in views
            )

        await wait_until(both_are_there)
        before = await approved()
        markings = f"/practice/v1/notes/{kept}/markings"
        stop = b'{"do_not_share": true}'
        (await client.call("PATCH", markings, body=stop, persona="practice-1")).require(200)
        cancel = f"/practice/v1/notes/{gone}/cancel"
        (await client.call("POST", cancel, persona="practice-1")).require(200)
        (await client.call("POST", cancel, persona="practice-1")).require(200)
        url = f"/patient/v1/notes?cursor={page['cursor']}"
        delta = (await client.call("GET", url, persona="patient-1")).require(200).json()
        assert {each["note_id"] for each in delta["removed"]} == {kept, gone}
        assert (
            await client.call("GET", f"/patient/v1/notes/{gone}", persona="patient-1")
        ).status == 404

        async def is_down_by_two() -> bool:
            return await approved() == before - 2

        await wait_until(is_down_by_two)
        lift = b'{"do_not_share": false}'
        (await client.call("PATCH", markings, body=lift, persona="practice-1")).require(200)
        assert kept in await feed_ids(client)

        async def is_shared_again() -> bool:
            return await approved() == before - 1

        await wait_until(is_shared_again)
        assert (await dros(client))["counts"]["stored_twice"] == []

        async def is_purged() -> bool:
            return (await _state(client, gone))["state"] == "purged"

        await wait_until(is_purged)


async def test_markings_hide_from_those_they_aim_at(system: System) -> None:
    async with system.client() as client:
        day = (await coming_midnight(client)) + timedelta(days=3)
        delayed = await fresh_note(client, markings={"delay_until": day.isoformat()})
        third = await fresh_note(client, markings={"third_party_confidential": True})
        hidden = await fresh_note(client, markings={"hide_from_professionals": True})
        ids = [
            (await post_note(client, note)).require(202).json()["note_id"]
            for note in (delayed, third, hidden)
        ]
        before = len((await read_notes(client, "doctor-1", "patient-1")).notes)
        await move_clock(client, await coming_midnight(client))
        seen = await feed_ids(client)
        assert [each in seen for each in ids] == [False, False, True]
        assert len((await read_notes(client, "doctor-1", "patient-1")).notes) == before + 2
        page = (await client.call("GET", "/patient/v1/notes", persona="patient-1")).json()
        assert ids[0] in {each["note_id"] for each in page["placeholders"]}
        assert ids[1] not in str(page)
        await move_clock(client, day)
        assert ids[0] in await feed_ids(client)


async def test_who_may_not_look_gets_nothing_and_is_written_down(system: System) -> None:
    async with system.client() as client:
        refused = await read_notes(client, "doctor-2", "patient-1")
        assert "D-NO-RELATION" in refused.refusal
        assert refused.notes == ()
        child = await client.call("GET", "/patient/v1/notes", persona="child-9")
        assert (child.status, child.json()["code"]) == (403, "D-SELF-UNDER-15")
        for persona in ("doctor-1", "compliance-1", "practice-1"):
            reply = await client.call("GET", "/patient/v1/notes", persona=persona)
            assert reply.status == 403


async def test_a_block_closes_professionals_and_never_the_patient(system: System) -> None:
    async with system.client() as client:
        now = (await client.clock()).now()
        cpr = (await client.persona("patient-1"))["cpr"]
        block = {
            "type": "NEGATIVE",
            "what": {"kind": "ALL"},
            "who": {"kind": "ALL"},
            "valid_from": (now - timedelta(hours=1)).isoformat(),
            "valid_to": None,
        }
        seed = json.dumps({"registrations": {cpr: [block]}}).encode()
        (await client.call("PUT", "/control/state/minspaerring", body=seed)).require(200, 204)
        assert (await read_notes(client, "doctor-1", "patient-1")).notes == ()
        assert await feed_ids(client)
        lift = json.dumps({"registrations": {cpr: []}}).encode()
        (await client.call("PUT", "/control/state/minspaerring", body=lift)).require(200, 204)
        assert (await read_notes(client, "doctor-1", "patient-1")).notes


async def test_with_the_consent_service_away_professionals_are_closed_and_patients_open(
    system: System,
) -> None:
    async with system.client() as client:
        fault = json.dumps({"service": "minspaerring", "operation": "*", "mode": "drop_before"})
        (await client.call("POST", "/control/faults", body=fault.encode())).require(200, 201)
        try:
            found = await read_notes(client, "doctor-1", "patient-1")
            assert "internal_error_consent" in found.refusal
            assert await feed_ids(client)
        finally:
            (await client.call("DELETE", "/control/faults")).require(200, 204)


async def test_the_log_is_whole_and_tells_no_secret(system: System) -> None:
    export = system.folder / "audit.jsonl"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "gateway.cli", "audit", "export"),
            *("--data", str(system.folder), "--out", str(export)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "entries written" in done.stdout
    arguments = [
        str(export),
        *("--anchor", str(system.settings.anchor_file)),
        *("--key", str(system.folder / "keys" / "audit.pub.pem")),
    ]
    assert audit_check.main(arguments) == 0
    text = export.read_text(encoding="utf-8")
    for action in ("RECEIVED", "MOVED", "DELIVERY", "MARKING", "CANCELLED", "CONTENT", "DENY"):
        assert f'\\"action\\":\\"{action}\\"' in text
    for secret in ("3001749995", "Journalnotat for", "alt vel"):
        assert secret not in text
