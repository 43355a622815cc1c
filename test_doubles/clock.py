"""The doubles' clock: real time plus an offset, kept nowhere but in memory.

Every process of a demo follows this one clock. It is moved by
``POST /control/clock`` and handed on by ``GET /control/clock/stream``
(``control.py`` and ``clock_stream.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

DEMO_START = "2026-12-14T09:00:00+01:00"
"""Where the clock starts without ``--time``. Source: design 3.5."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """One look at the clock.

    ``now`` is aware and in UTC, ``real_unix`` the real time of the same
    moment in seconds since 1970, ``revision`` counts how often the clock was
    moved. A follower's time at real time ``t`` is ``now + (t - real_unix)``.
    """

    revision: int
    now: datetime
    real_unix: float


class Clock:
    """Real time plus an offset.

    Args:
        start: what the clock shows at this moment; None for real time.
        real: source of real time in seconds since 1970; tests pass their own.
    """

    def __init__(
        self, start: datetime | None = None, real: Callable[[], float] = time.time
    ) -> None:
        self._real = real
        self._offset_seconds = 0.0
        self._revision = 0
        if start is not None:
            self._offset_seconds = _unix(start) - real()

    @property
    def revision(self) -> int:
        """How often the clock was moved since the process started."""
        return self._revision

    def now(self) -> datetime:
        """The doubles' time, aware, in UTC."""
        return self.read().now

    def read(self) -> ClockReading:
        """Take revision, doubles' time and real time of one and the same moment."""
        real = self._real()
        now = datetime.fromtimestamp(real + self._offset_seconds, UTC)
        return ClockReading(self._revision, now, real)

    def move_to(self, instant: datetime) -> ClockReading:
        """Make the clock show ``instant`` now and run on from there.

        Args:
            instant: aware; may lie before the present reading.

        Raises:
            ValueError: the instant has no offset.
        """
        self._offset_seconds = _unix(instant) - self._real()
        self._revision += 1
        return self.read()


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant that carries its offset.

    Raises:
        ValueError: not an instant, or one without an offset.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return instant


def iso(instant: datetime) -> str:
    """Write an instant in UTC with milliseconds and ``Z``."""
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _unix(instant: datetime) -> float:
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return instant.timestamp()
