"""PostgreSQL or a double goes away mid-run: nobody is lied to, and all comes back by itself."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.client import FEED, Caller, Json, wait_until
from tests.support.soap import Fault
from tests.support.system import System

pytestmark = pytest.mark.postgres

_MESSAGE_ID = re.compile(rb"<(?:\w+:)?MessageID[^>]*>\s*([^<\s]+)\s*<")
PROCESSES = ("api-0", "api-1", "worker-0")


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A system whose PostgreSQL may be stopped; keys of the identity provider are asked anew."""
    with System(apis=2, own_postgres=True) as running:
        yield running


@pytest.fixture(autouse=True)
async def no_faults_are_left(client: Caller) -> AsyncIterator[None]:
    """Whatever a test has let go wrong ends with it."""
    yield
    await client.clear_faults()


async def delivered_at_midnight(client: Caller) -> tuple[str, int]:
    """A note that goes out now; its id, and the last request number seen before."""
    midnight = await client.morning()
    note_id = await client.posted(await client.note())
    await client.until_documented(note_id)
    seen = await client.requests("dros")
    await client.move_clock(midnight)
    return note_id, max((each["sequence"] for each in seen), default=0)


async def exactly_one(client: Caller, system: System, note_id: str) -> None:
    """The note's document is stored nationally, once and approved."""
    await client.until_nationally(note_id, "present")
    ((unique_id,),) = system.query("SELECT unique_id FROM document WHERE note_id = %s", note_id)
    entry = (await client.dros_entries())[unique_id]
    assert (entry["status"], entry["stored_count"]) == ("Approved", 1)
    assert (await client.dros_state())["counts"]["stored_twice"] == []


def message_ids(request: Json) -> tuple[bytes, ...]:
    """The MessageIDs in a request: addressing's and the MedCom header's."""
    return tuple(_MESSAGE_ID.findall(request["body"]))


def content_of(request: Json) -> bytes:
    """The SOAP body and all that follows it: the document, too."""
    _, mark, rest = request["body"].partition(b":Body")
    assert mark
    return bytes(rest)


@pytest.mark.parametrize("mode", ["drop_before", "drop_after_read", "drop_after_commit"])
async def test_after_lost_answers_the_same_message_goes_out_until_it_is_known(
    system: System, client: Caller, mode: str
) -> None:
    await client.fault("dros", mode, operation="iti41", times=3)
    note_id, after = await delivered_at_midnight(client)
    await exactly_one(client, system, note_id)
    sent = await client.requests("dros", after)
    assert Counter(each["outcome"] for each in sent) == {f"dropped{mode[4:]}": 3, "answered": 1}
    arrived = [each for each in sent if each["body"]]
    assert len(arrived) == (1 if mode == "drop_before" else 4)
    assert len({message_ids(each) for each in arrived}) == 1
    assert len(message_ids(arrived[0])) == 2
    assert len({content_of(each) for each in arrived}) == 1
    assert (await client.dros_state())["replayed"] == (3 if mode == "drop_after_commit" else 0)


async def test_a_slow_answer_counts_as_lost(system: System, client: Caller) -> None:
    late_ms = int(system.settings.send_timeout_seconds * 1000) + 500
    await client.fault("dros", "delay", operation="iti41", times=1, delay_ms=late_ms)
    note_id, after = await delivered_at_midnight(client)
    await exactly_one(client, system, note_id)

    async def both_have_ended() -> bool:
        return len(await client.requests("dros", after)) == 2

    await wait_until(both_have_ended)
    sent = await client.requests("dros", after)
    assert len({message_ids(each) for each in sent if each["body"]}) == 1


async def test_told_to_come_later_it_asks_again_in_a_new_message(
    system: System, client: Caller
) -> None:
    await client.fault("dros", "refuse", operation="iti41", times=2, code="XDSRegistryBusy")
    note_id, after = await delivered_at_midnight(client)
    await exactly_one(client, system, note_id)
    sent = await client.requests("dros", after)
    assert [each["outcome"] for each in sent] == ["refused", "refused", "answered"]
    # An answered message is over: each attempt has ids of its own, for the same document.
    assert len({message_ids(each) for each in sent}) == 3


async def test_a_refusal_for_good_waits_for_a_person_and_a_new_version_goes_out(
    system: System, client: Caller
) -> None:
    await client.fault("dros", "refuse", operation="iti41", code="XDSRepositoryMetadataError")
    midnight = await client.morning()
    note = await client.note()
    note_id = await client.posted(note)
    await client.until_documented(note_id)
    await client.move_clock(midnight)
    await client.until_nationally(note_id, "refused")
    assert note_id in await client.feed_ids()  # our own doors do not wait for it
    await client.clear_faults()
    midnight = await client.morning()
    await client.posted(await client.correction(note, "<p>Rettet.</p>"))
    await client.until_documented(note_id)
    await client.move_clock(midnight)
    await client.until_nationally(note_id, "present")
    assert (await client.dros_state())["counts"]["stored_twice"] == []


async def test_a_stop_while_the_outcome_is_unknown_takes_away_what_may_have_arrived(
    system: System, client: Caller
) -> None:
    await client.fault("dros", "drop_after_commit", operation="iti41")
    note_id, _ = await delivered_at_midnight(client)
    await client.until_nationally(note_id, "unknown")
    (await client.patch_markings(note_id, {"do_not_share": True})).require(200)
    await client.clear_faults()
    ((unique_id,),) = system.query("SELECT unique_id FROM document WHERE note_id = %s", note_id)

    async def is_taken_away() -> bool:
        return bool((await client.dros_entries())[unique_id]["status"] == "Deprecated")

    await wait_until(is_taken_away)
    await client.until_nationally(note_id, "absent")


async def test_without_a_card_nothing_is_sent_and_the_note_waits(
    system: System, client: Caller
) -> None:
    # Beyond the life of the card in hand: a new one is needed.
    await client.morning()
    await client.fault("sts", "drop_before")
    note_id, after = await delivered_at_midnight(client)
    assert note_id in await client.feed_ids()

    async def was_asked() -> bool:
        return len(await client.requests("sts")) >= 2

    await wait_until(was_asked)
    assert await client.requests("dros", after) == []
    await client.clear_faults()
    await exactly_one(client, system, note_id)


async def test_with_the_civil_register_away_names_stay_hidden_until_it_is_back(
    system: System, client: Caller
) -> None:
    await client.fault("cpr", "drop_before")
    midnight = await client.morning()
    note_id = await client.posted(await client.note("teen-16"))
    await client.until_documented(note_id)
    assert system.query("SELECT name_protected FROM document WHERE note_id = %s", note_id) == [
        (True,)
    ]
    await client.clear_faults()

    async def is_made_anew() -> bool:
        statement = "SELECT name_protected FROM document WHERE note_id = %s ORDER BY generation"
        return system.query(statement, note_id) == [(True,), (False,)]

    await wait_until(is_made_anew)
    await client.move_clock(midnight)
    await client.until_nationally(note_id, "present")


async def test_a_document_made_anew_while_the_old_one_is_under_way_goes_out_after_it(
    system: System, client: Caller
) -> None:
    await client.fault("cpr", "drop_before")
    await client.fault("dros", "drop_after_commit", operation="iti41")
    midnight = await client.morning()
    note_id = await client.posted(await client.note("teen-14"))
    await client.until_documented(note_id)
    await client.move_clock(midnight)
    await client.until_nationally(note_id, "unknown")
    await client.clear_faults()
    await client.fault("dros", "drop_after_commit", operation="iti41")

    async def is_made_anew() -> bool:
        return len(await documents(system, note_id)) == 2

    await wait_until(is_made_anew)
    await client.clear_faults()
    hidden, named = await documents(system, note_id)

    async def the_new_one_has_replaced_the_old() -> bool:
        entries = await client.dros_entries()
        return named in entries and entries[hidden]["status"] == "Deprecated"

    await wait_until(the_new_one_has_replaced_the_old)
    entries = await client.dros_entries()
    assert entries[named]["status"] == "Approved"
    assert entries[named]["replaces"] == entries[hidden]["entry_uuid"]


async def documents(system: System, note_id: str) -> list[str]:
    """The ids of all documents of a note, in the order they were made."""
    found = system.query(
        "SELECT unique_id FROM document WHERE note_id = %s ORDER BY version, generation", note_id
    )
    return [each for (each,) in found]


async def test_with_the_identity_provider_away_new_tokens_wait(client: Caller) -> None:
    persona = "patient-3"
    await client.token(persona)
    await client.morning()  # the provider's keys are older than they may be
    await client.fault("idp", "drop_before")
    reply = (await client.call("GET", FEED, persona=persona)).require(503)
    assert (reply.json()["code"], reply.headers["Retry-After"]) == ("UNAVAILABLE", "5")
    await client.clear_faults()
    (await client.call("GET", FEED, persona=persona)).require(200)


async def test_without_postgres_everything_says_later_and_comes_back_by_itself(
    system: System, client: Caller
) -> None:
    midnight = await client.morning()
    kept = await client.posted(await client.note())
    await client.until_documented(kept)
    await client.move_clock(midnight)
    note = await client.note()
    await client.feed("patient-1")
    before = {name: system.pid(name) for name in PROCESSES}
    with system.without_postgres():
        replies = await asyncio.gather(
            client.post_note(note),
            client.call("GET", FEED, persona="patient-1"),
            client.call("GET", f"/practice/v1/notes/{kept}", persona="practice-1"),
            client.patch_markings(kept, {"do_not_share": True}),
            client.cancel(kept),
        )
        for reply in replies:
            assert reply.status == 503
            assert reply.json()["code"] == "UNAVAILABLE"
            assert int(reply.headers["Retry-After"]) > 0
        with pytest.raises(Fault):
            await client.soap_find("doctor-1", "patient-1")
        assert (await client.call("GET", "/health/ready")).status == 503
        assert (await client.call("GET", "/health/live")).status == 200

    async def is_taken() -> bool:
        return (await client.post_note(note)).status in (200, 202)

    await wait_until(is_taken)
    assert {name: system.pid(name) for name in PROCESSES} == before
    assert kept in await client.feed_ids()
    assert (await client.view(kept))["markings"]["do_not_share"] is False
    assert await client.soap_find("doctor-1", "patient-1")
    # The worker goes on where it was.
    midnight = await client.morning()
    later = await client.posted(await client.note())
    await client.until_documented(later)
    await client.move_clock(midnight)
    await exactly_one(client, system, later)
    system.export_and_verify_audit()
