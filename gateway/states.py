"""States of a note version and of a national delivery, and every allowed move.

Rules of this file:

1. A state changes only by a move in ``VERSION_MOVES`` or ``DELIVERY_MOVES``;
   ``check_version_move`` and ``check_delivery_move`` refuse the rest.
2. A move and its audit entry are stored in one transaction.
3. Anyone may stop the process between two moves and lose nothing but time:
   each move starts from what the store holds, never from memory.

The diagrams in ``docs/architecture.md`` are drawn from these two tables.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from gateway.errors import IllegalMove


class VersionState(StrEnum):
    """Where a note version stands on its way through the pipeline."""

    RECEIVED = "received"  # valid and durable; the sender has its receipt
    DOCUMENTED = "documented"  # decided, mapped, signed and routed
    PARKED = "parked"  # could not be mapped; an operator must look
    WITHDRAWN = "withdrawn"  # cancelled by the practice; no reader gets it
    PURGED = "purged"  # the content key is destroyed


class DeliveryState(StrEnum):
    """What we know of the one operation under way at a national destination."""

    IDLE = "idle"  # the destination holds what it should
    WAITING = "waiting"  # an operation is planned
    SENDING = "sending"  # its ids are stored and the bytes may be on their way
    UNKNOWN = "unknown"  # no answer came; it may have happened
    REFUSED = "refused"  # the peer said no; a person must look


class Operation(StrEnum):
    """What is done at a national destination."""

    SUBMIT = "submit"  # ITI-41, with RPLC when an older version is there
    DEPRECATE = "deprecate"  # ITI-57, Approved to Deprecated


VERSION_MOVES: Final[frozenset[tuple[VersionState, VersionState]]] = frozenset(
    {
        (VersionState.RECEIVED, VersionState.DOCUMENTED),
        (VersionState.RECEIVED, VersionState.PARKED),
        (VersionState.RECEIVED, VersionState.WITHDRAWN),
        (VersionState.PARKED, VersionState.DOCUMENTED),
        (VersionState.PARKED, VersionState.WITHDRAWN),
        (VersionState.DOCUMENTED, VersionState.DOCUMENTED),  # new demographics, shared again
        (VersionState.DOCUMENTED, VersionState.WITHDRAWN),
        (VersionState.WITHDRAWN, VersionState.PURGED),
    }
)

DELIVERY_MOVES: Final[frozenset[tuple[DeliveryState, DeliveryState]]] = frozenset(
    {
        (DeliveryState.IDLE, DeliveryState.WAITING),
        (DeliveryState.WAITING, DeliveryState.IDLE),  # no longer wanted before it was sent
        (DeliveryState.WAITING, DeliveryState.SENDING),
        (DeliveryState.SENDING, DeliveryState.IDLE),  # done
        (DeliveryState.SENDING, DeliveryState.WAITING),  # done, and the wish has changed since
        (DeliveryState.SENDING, DeliveryState.UNKNOWN),  # no answer, or we stopped meanwhile
        (DeliveryState.SENDING, DeliveryState.REFUSED),
        (DeliveryState.UNKNOWN, DeliveryState.SENDING),  # the same message again
        (DeliveryState.REFUSED, DeliveryState.WAITING),  # an operator, or a new wish
        (DeliveryState.REFUSED, DeliveryState.UNKNOWN),  # the same, but it may be there after all
        (DeliveryState.REFUSED, DeliveryState.IDLE),  # no longer wanted
    }
)

MARKED_LIVE: Final = frozenset(
    {VersionState.RECEIVED, VersionState.DOCUMENTED, VersionState.PARKED}
)


def check_version_move(before: VersionState, after: VersionState) -> None:
    """Refuse a move of a note version that the table does not hold.

    Raises:
        IllegalMove: the pair is not in ``VERSION_MOVES``.
    """
    if (before, after) not in VERSION_MOVES:
        raise IllegalMove(f"note version: {before} -> {after}")


def check_delivery_move(before: DeliveryState, after: DeliveryState) -> None:
    """Refuse a move of a delivery that the table does not hold.

    Raises:
        IllegalMove: the pair is not in ``DELIVERY_MOVES``.
    """
    if (before, after) not in DELIVERY_MOVES:
        raise IllegalMove(f"delivery: {before} -> {after}")
