"""The national delivery's state machine: wish, reality, one operation at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import IllegalMove
from gateway.pipeline import route
from gateway.pipeline.records import DeliveryRecord
from gateway.states import (
    DELIVERY_MOVES,
    VERSION_MOVES,
    DeliveryState,
    Operation,
    VersionState,
    check_delivery_move,
    check_version_move,
)

NOW = datetime(2026, 12, 15, tzinfo=UTC)
NOTE = uuid4()
LEASE = timedelta(seconds=10)


def _wished(version: int | None, delivery: DeliveryRecord | None = None) -> DeliveryRecord:
    found = route.wish(NOTE, delivery, version, 0, NOW)
    assert found is not None
    return found


def _begun(delivery: DeliveryRecord, generation: int | None = 0) -> DeliveryRecord:
    return route.begin(delivery, operation_id=uuid4(), generation=generation, now=NOW, lease=LEASE)


def _delivered(version: int = 1) -> DeliveryRecord:
    return _succeeded(_begun(_wished(version)))


def _succeeded(begun: DeliveryRecord, generation: int | None = 0) -> DeliveryRecord:
    entry = uuid4() if begun.operation is Operation.SUBMIT else None
    return route.succeeded(begun, entry_uuid=entry, generation=generation, now=NOW, code="Success")


def test_a_note_never_wanted_has_no_delivery() -> None:
    assert route.wish(NOTE, None, None, None, NOW) is None


def test_a_wish_that_holds_changes_nothing() -> None:
    assert route.wish(NOTE, _delivered(1), 1, 0, NOW) is None


def test_a_first_version_is_submitted_and_then_idle() -> None:
    begun = _begun(_wished(1))
    assert (begun.state, begun.operation) == (DeliveryState.SENDING, Operation.SUBMIT)
    done = _succeeded(begun)
    assert (done.state, done.current_version, done.operation) == (DeliveryState.IDLE, 1, None)
    assert done.next_attempt_at is None


def test_a_second_version_waits_until_the_first_is_settled() -> None:
    sending = _begun(_wished(1))
    wished = _wished(2, sending)
    assert (wished.state, wished.operation_version) == (DeliveryState.SENDING, 1)
    settled = _succeeded(wished)
    assert settled.state is DeliveryState.WAITING
    assert _begun(settled).operation_version == 2


def test_a_lost_answer_sends_the_very_same_message_again() -> None:
    begun = _begun(_wished(1))
    lost = route.unanswered(begun, now=NOW, wait=timedelta(seconds=1), code="NO-ANSWER")
    again = _begun(lost)
    assert route.message_id(again) == route.message_id(begun)
    assert route.submission_set_uuid(again) == route.submission_set_uuid(begun)
    assert again.attempts == begun.attempts + 1


def test_an_answer_of_later_keeps_the_ids_and_makes_a_new_message() -> None:
    begun = _begun(_wished(1))
    later = route.put_off(begun, now=NOW, wait=timedelta(seconds=1), code="XDSRegistryBusy")
    again = _begun(later)
    assert route.message_id(again) != route.message_id(begun)
    assert route.submission_set_uuid(again) == route.submission_set_uuid(begun)


def test_a_stop_deprecates_what_is_there() -> None:
    stopped = _begun(_wished(None, _delivered(1)))
    assert (stopped.operation, stopped.operation_version) == (Operation.DEPRECATE, 1)
    done = _succeeded(stopped)
    assert (done.state, done.current_version) == (DeliveryState.IDLE, None)
    assert route.is_retired(done, 1, 0, is_offered=True)
    assert not route.is_retired(done, 1, 1, is_offered=False)


def test_a_stop_before_anything_was_sent_sends_nothing() -> None:
    assert _wished(None, _wished(1)).state is DeliveryState.IDLE


def test_a_stop_overtakes_a_submission_whose_outcome_is_unknown() -> None:
    lost = route.unanswered(_begun(_wished(1)), now=NOW, wait=LEASE, code="NO-ANSWER")
    stopping = _begun(_wished(None, lost))
    assert (stopping.operation, stopping.operation_version) == (Operation.DEPRECATE, 1)
    assert route.submission_set_uuid(stopping) != route.submission_set_uuid(lost)


def test_a_refusal_waits_for_a_new_wish() -> None:
    refused = route.refused(_begun(_wished(1)), code="XDSRegistryMetadataError")
    assert refused.next_attempt_at is None
    assert _wished(2, refused).state is DeliveryState.WAITING


def test_a_document_made_anew_is_submitted_in_place_of_the_old() -> None:
    waiting = route.wish_again(_delivered(1), NOW)
    begun = _begun(waiting, generation=1)
    assert (begun.operation_generation, begun.current_entry_uuid is not None) == (1, True)


def test_a_document_made_anew_meanwhile_is_submitted_after_its_forerunner() -> None:
    begun = _begun(_wished(1))
    assert route.wish_again(begun, NOW) == begun
    waiting = _succeeded(begun, generation=1)
    assert waiting.state is DeliveryState.WAITING
    again = _begun(waiting, generation=1)
    assert (again.operation_generation, again.current_entry_uuid is not None) == (1, True)


def test_a_document_made_anew_after_a_refusal_that_is_in_doubt_clears_away_first() -> None:
    lost = route.unanswered(_begun(_wished(1)), now=NOW, wait=LEASE, code="x")
    refused = route.refused(_begun(lost), code="x")
    cleared = _begun(route.wish_again(refused, NOW), generation=1)
    assert (cleared.operation, cleared.operation_generation) == (Operation.DEPRECATE, 0)


def test_waits_double_up_to_the_limit() -> None:
    waits = [
        route.back_off(n, first_seconds=1, limit_seconds=3600).total_seconds()
        for n in (1, 2, 3, 4, 40)
    ]
    assert waits == [1, 2, 4, 8, 3600]


def test_moves_outside_the_tables_are_refused() -> None:
    with pytest.raises(IllegalMove):
        check_delivery_move(DeliveryState.IDLE, DeliveryState.SENDING)
    with pytest.raises(IllegalMove):
        check_version_move(VersionState.PURGED, VersionState.DOCUMENTED)


def test_every_state_can_be_left_but_purged() -> None:
    assert {before for before, _ in VERSION_MOVES} == set(VersionState) - {VersionState.PURGED}
    assert {before for before, _ in DELIVERY_MOVES} == set(DeliveryState)


class _Peer:
    """What a destination holds, by the rules of the wire."""

    def __init__(self) -> None:
        self.approved: dict[UUID, tuple[int, int]] = {}
        self.sets: set[UUID] = set()
        self.stored: list[tuple[int, int]] = []

    def take(self, delivery: DeliveryRecord, entry: UUID) -> None:
        key = route.submission_set_uuid(delivery)
        if key in self.sets:
            return
        self.sets.add(key)
        if delivery.operation is Operation.SUBMIT:
            assert delivery.operation_version is not None
            if delivery.current_entry_uuid is not None:
                self.approved.pop(delivery.current_entry_uuid, None)
            document = (delivery.operation_version, delivery.operation_generation or 0)
            self.approved[entry] = document
            self.stored.append(document)
        else:
            self.approved.pop(entry, None)


EVENTS = st.lists(
    st.sampled_from(
        [
            *("want 1", "want 2", "want 3", "want none", "anew"),
            *("ok", "lost", "lost late", "later", "refused"),
        ]
    ),
    max_size=25,
)


@settings(max_examples=400, deadline=None)
@given(EVENTS)
def test_whatever_happens_the_peer_ends_with_what_is_wanted_and_nothing_twice(
    events: list[str],
) -> None:
    peer = _Peer()
    entries: dict[tuple[int, int], UUID] = {}
    delivery: DeliveryRecord | None = None
    generations: dict[int, int] = {}
    offered: set[tuple[int, int]] = set()

    def entry_of(record: DeliveryRecord) -> UUID:
        key = (record.operation_version or 0, record.operation_generation or 0)
        return entries.setdefault(key, uuid4())

    def attempt(record: DeliveryRecord, how: str) -> DeliveryRecord:
        wanted = record.wanted_version
        if record.state not in (DeliveryState.WAITING, DeliveryState.UNKNOWN):
            return record
        generation = None if wanted is None else generations.setdefault(wanted, 0)
        if wanted is not None and generation is not None:
            is_offered = (wanted, generation) in offered
            if record.state is DeliveryState.WAITING and route.is_retired(
                record, wanted, generation, is_offered=is_offered
            ):
                generations[wanted] = generation = generation + 1
        begun = _begun(record, generation)
        if begun.state is not DeliveryState.SENDING:
            return begun
        if begun.operation is Operation.SUBMIT:
            offered.add((begun.operation_version or 0, begun.operation_generation or 0))
        if how == "refused":
            return route.refused(begun, code="x")
        if how == "lost":
            return route.unanswered(begun, now=NOW, wait=LEASE, code="x")
        if how == "later":
            return route.put_off(begun, now=NOW, wait=LEASE, code="x")
        peer.take(begun, entry_of(begun))
        if how == "lost late":
            return route.unanswered(begun, now=NOW, wait=LEASE, code="x")
        is_submit = begun.operation is Operation.SUBMIT
        return route.succeeded(
            begun,
            entry_uuid=entry_of(begun) if is_submit else None,
            generation=None if wanted is None else generations.get(wanted),
            now=NOW,
            code="ok",
        )

    for event in events:
        if event.startswith("want"):
            word = event.split()[1]
            wanted = None if word == "none" else int(word)
            generation = None if wanted is None else generations.get(wanted, 0)
            delivery = route.wish(NOTE, delivery, wanted, generation, NOW) or delivery
        elif delivery is not None and event == "anew":
            # The pipeline has made a new document of the version that is wanted.
            if delivery.wanted_version in generations:
                generations[delivery.wanted_version] += 1
                delivery = route.wish_again(delivery, NOW)
        elif delivery is not None:
            delivery = attempt(delivery, event)
    for _ in range(6):
        if delivery is not None:
            delivery = attempt(delivery, "ok")
    if delivery is not None and delivery.state is not DeliveryState.REFUSED:
        assert delivery.state is DeliveryState.IDLE
        wanted = delivery.wanted_version
        expected = [] if wanted is None else [(wanted, generations[wanted])]
        assert list(peer.approved.values()) == expected
        assert len(peer.stored) == len(set(peer.stored))


def test_a_delivery_with_a_later_time_is_not_due() -> None:
    waiting = replace(_wished(1), next_attempt_at=NOW + LEASE)
    assert not route.is_due(waiting, NOW)
    assert route.is_due(waiting, NOW + LEASE)
