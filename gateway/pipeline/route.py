"""From decisions to what a national destination is told, one operation at a time.

Pure: a delivery goes in, a delivery comes out. Wish and reality are compared;
the difference is one operation, whose ids are fixed before any byte leaves:

    wanted 2, has 1   -> SUBMIT 2, replacing 1     (ITI-41 with RPLC)
    wanted 1, has -   -> SUBMIT 1                  (ITI-41)
    wanted -, has 1   -> DEPRECATE 1               (ITI-57)

An operation whose outcome is unknown is settled first, by sending the very
same message again; only a stop may overtake it (an unsettled submission that
is no longer wanted is deprecated, whether or not it arrived). So version n+1
is never sent before n is settled, and an old version never wins.

Source: design.md section 2 (order per note); nsp 1.7, 3.9, 11.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from gateway.pipeline.records import DeliveryRecord
from gateway.states import DeliveryState, Operation, check_delivery_move

SETTLED: Final = frozenset({DeliveryState.IDLE, DeliveryState.WAITING, DeliveryState.REFUSED})


def wish(
    note_id: UUID,
    delivery: DeliveryRecord | None,
    wanted_version: int | None,
    generation: int | None,
    now: datetime,
) -> DeliveryRecord | None:
    """State what should be there; None when nothing changes.

    A wish that holds already stays as it is; a refused operation is tried again
    only when the wish is a new one.

    Args:
        generation: newest document generation of the wanted version.
    """
    if delivery is None:
        if wanted_version is None:
            return None
        delivery = DeliveryRecord(note_id, DeliveryState.IDLE)
    elif delivery.wanted_version == wanted_version:
        return None
    wished = replace(delivery, wanted_version=wanted_version, attempts=0)
    if wished.state is DeliveryState.REFUSED and _must_finish(wished):
        return _clear_away(wished, now)
    if wished.state in SETTLED:
        return _settle(wished, now, is_outdated=_is_outdated(wished, generation))
    return replace(wished, next_attempt_at=now)


def _clear_away(delivery: DeliveryRecord, now: datetime) -> DeliveryRecord:
    """Refused, but an earlier message of the submission may have got through: take it away."""
    assert delivery.operation_id is not None
    check_delivery_move(delivery.state, DeliveryState.UNKNOWN)
    if delivery.operation is not Operation.SUBMIT:
        return replace(delivery, state=DeliveryState.UNKNOWN, next_attempt_at=now)
    cleared = _deprecate_instead(delivery, uuid5(delivery.operation_id, "clear away"), now)
    return replace(cleared, state=DeliveryState.UNKNOWN, next_attempt_at=now)


def _deprecate_instead(
    delivery: DeliveryRecord, operation_id: UUID, now: datetime
) -> DeliveryRecord:
    """Take away what a submission may have brought; its entry is named by the old ids."""
    return replace(
        delivery,
        operation=Operation.DEPRECATE,
        operation_id=operation_id,
        operation_at=now,
        message_number=0,
        is_doubtful=False,
    )


def wish_again(delivery: DeliveryRecord, now: datetime) -> DeliveryRecord:
    """The document of the wanted version was made anew: what is there is outdated.

    While an operation is under way nothing changes: its success tells (``succeeded``).
    """
    if delivery.state is DeliveryState.REFUSED and _must_finish(delivery):
        return _clear_away(delivery, now)
    if delivery.state in SETTLED and delivery.wanted_version is not None:
        return _settle(delivery, now, is_outdated=True)
    return delivery


def _settle(
    delivery: DeliveryRecord, now: datetime, *, is_outdated: bool = False
) -> DeliveryRecord:
    """Compare wish and reality when nothing is under way."""
    holds = delivery.wanted_version == delivery.current_version and not is_outdated
    target = DeliveryState.IDLE if holds else DeliveryState.WAITING
    if delivery.state is not target:
        check_delivery_move(delivery.state, target)
    return replace(
        delivery,
        state=target,
        operation=None,
        operation_id=None,
        operation_version=None,
        operation_generation=None,
        operation_at=None,
        message_number=0,
        is_doubtful=False,
        next_attempt_at=None if holds else now,
    )


def _is_outdated(delivery: DeliveryRecord, generation: int | None) -> bool:
    """Is the wanted version there, but in another document than its newest?"""
    return (
        delivery.wanted_version is not None
        and delivery.wanted_version == delivery.current_version
        and delivery.current_generation != generation
    )


def is_due(delivery: DeliveryRecord, now: datetime) -> bool:
    """Is there something to send, now?"""
    return delivery.next_attempt_at is not None and delivery.next_attempt_at <= now


def begin(
    delivery: DeliveryRecord,
    *,
    operation_id: UUID,
    generation: int | None,
    now: datetime,
    lease: timedelta,
) -> DeliveryRecord:
    """Fix what is sent next; stored and committed before the first byte leaves.

    Args:
        operation_id: fresh; used only if a new operation is planned.
        generation: newest document generation of the wanted version.
        lease: how long the sender may take; when it has run out without an
            outcome, the sender is taken for dead and the state becomes UNKNOWN.

    Returns:
        The delivery in state SENDING, or in IDLE when nothing is left to do.
    """
    if delivery.state is DeliveryState.UNKNOWN:
        if _is_unwanted_submission(delivery):
            delivery = _deprecate_instead(delivery, operation_id, now)
    else:
        delivery = _plan(delivery, operation_id, generation, now)
        if delivery.operation is None:
            return delivery
    check_delivery_move(delivery.state, DeliveryState.SENDING)
    return replace(
        delivery,
        state=DeliveryState.SENDING,
        attempts=delivery.attempts + 1,
        next_attempt_at=now + lease,
    )


def _is_unwanted_submission(delivery: DeliveryRecord) -> bool:
    return delivery.operation is Operation.SUBMIT and delivery.wanted_version is None


def _plan(
    delivery: DeliveryRecord, operation_id: UUID, generation: int | None, now: datetime
) -> DeliveryRecord:
    if delivery.operation is not None:  # refused with "later": the same ids, a new message
        wanted = delivery.wanted_version
        if delivery.operation is Operation.SUBMIT and wanted == delivery.operation_version:
            return delivery
        if delivery.operation is Operation.DEPRECATE and wanted is None:
            return delivery
    if delivery.wanted_version is None:
        if delivery.current_version is None:
            return _settle(delivery, now)
        return replace(
            delivery,
            operation=Operation.DEPRECATE,
            operation_id=operation_id,
            operation_version=delivery.current_version,
            operation_generation=delivery.current_generation,
            operation_at=now,
            message_number=0,
        )
    if generation is None:  # not assembled yet: the pipeline will wish again
        return _settle(delivery, now)
    if (delivery.wanted_version, generation) == (
        delivery.current_version,
        delivery.current_generation,
    ):
        return _settle(delivery, now)
    return replace(
        delivery,
        operation=Operation.SUBMIT,
        operation_id=operation_id,
        operation_version=delivery.wanted_version,
        operation_generation=generation,
        operation_at=now,
        message_number=0,
    )


def succeeded(
    delivery: DeliveryRecord,
    *,
    entry_uuid: UUID | None,
    generation: int | None,
    now: datetime,
    code: str,
) -> DeliveryRecord:
    """The peer has done what it was asked; reality is brought up to date.

    Args:
        entry_uuid: of the submitted document; None after a deprecation.
        generation: newest document generation of the wanted version; one made
            while its forerunner was under way is submitted in place of it.
    """
    if delivery.operation is Operation.SUBMIT:
        done = replace(
            delivery,
            current_version=delivery.operation_version,
            current_generation=delivery.operation_generation,
            current_entry_uuid=entry_uuid,
        )
    elif _is_current(delivery) or delivery.current_version is None:
        done = replace(
            delivery, current_version=None, current_generation=None, current_entry_uuid=None
        )
    else:
        return _clear_away_current(delivery, now, code)
    settled = _settle(done, now, is_outdated=_is_outdated(done, generation))
    return replace(settled, attempts=0, last_code=code)


def _must_finish(delivery: DeliveryRecord) -> bool:
    """May this operation not be dropped for another?

    One of its messages went unanswered, so it may have happened; or it takes
    away a document that may have arrived unanswered.
    """
    is_clearing = delivery.operation is Operation.DEPRECATE and not _is_current(delivery)
    return delivery.is_doubtful or is_clearing


def _is_current(delivery: DeliveryRecord) -> bool:
    return (delivery.operation_version, delivery.operation_generation) == (
        delivery.current_version,
        delivery.current_generation,
    )


def _clear_away_current(delivery: DeliveryRecord, now: datetime, code: str) -> DeliveryRecord:
    """A doubtful submission is gone; whether it had replaced what was there, nobody knows.

    So that is taken away too, and what is wanted is submitted afresh.
    """
    assert delivery.operation_id is not None
    check_delivery_move(delivery.state, DeliveryState.UNKNOWN)
    operation_id = uuid5(delivery.operation_id, "and what it may have replaced")
    return replace(
        _deprecate_instead(delivery, operation_id, now),
        state=DeliveryState.UNKNOWN,
        operation_version=delivery.current_version,
        operation_generation=delivery.current_generation,
        attempts=0,
        next_attempt_at=now,
        last_code=code,
    )


def unanswered(
    delivery: DeliveryRecord, *, now: datetime, wait: timedelta, code: str
) -> DeliveryRecord:
    """No answer came: it may have happened. The same message goes out again."""
    check_delivery_move(delivery.state, DeliveryState.UNKNOWN)
    return replace(
        delivery,
        state=DeliveryState.UNKNOWN,
        is_doubtful=True,
        next_attempt_at=now + wait,
        last_code=code,
    )


def put_off(
    delivery: DeliveryRecord, *, now: datetime, wait: timedelta, code: str
) -> DeliveryRecord:
    """The peer answered "later": the same ids, but a new message (nsp 1.6).

    An operation that must be finished (see ``_must_finish``) stays unsettled.
    """
    after = DeliveryState.UNKNOWN if _must_finish(delivery) else DeliveryState.WAITING
    check_delivery_move(delivery.state, after)
    return replace(
        delivery,
        state=after,
        message_number=delivery.message_number + 1,
        next_attempt_at=now + wait,
        last_code=code,
    )


def refused(delivery: DeliveryRecord, *, code: str) -> DeliveryRecord:
    """The peer said no for good: a person must look."""
    check_delivery_move(delivery.state, DeliveryState.REFUSED)
    return replace(delivery, state=DeliveryState.REFUSED, next_attempt_at=None, last_code=code)


def is_retired(
    delivery: DeliveryRecord | None, version: int, generation: int | None, *, is_offered: bool
) -> bool:
    """Was this document's id used up? Then a new document must be made to share it again.

    Ids that the registry may know are used up once they are neither what is
    there nor what is being submitted: an entry that was replaced or deprecated
    is never revived (xds-metadata-dk 7).
    """
    if delivery is None or not is_offered:
        return False
    document = (version, generation)
    submitted = (delivery.operation_version, delivery.operation_generation)
    is_under_way = delivery.operation is Operation.SUBMIT and document == submitted
    return not is_under_way and document != (
        delivery.current_version,
        delivery.current_generation,
    )


def back_off(attempts: int, *, first_seconds: float, limit_seconds: float) -> timedelta:
    """1, 2, 4 ... times the first wait, up to a limit (nsp 11)."""
    exponent = min(max(attempts - 1, 0), 30)
    return timedelta(seconds=min(first_seconds * 2**exponent, limit_seconds))


def message_id(delivery: DeliveryRecord) -> str:
    """The MessageID of the current message: new only after an answer (nsp 1.7)."""
    assert delivery.operation_id is not None
    return f"urn:uuid:{uuid5(delivery.operation_id, f'message {delivery.message_number}')}"


def submission_set_uuid(delivery: DeliveryRecord) -> UUID:
    """entryUUID of the submission set; its unique id is derived from the same value."""
    assert delivery.operation_id is not None
    return uuid5(delivery.operation_id, "submission set")
