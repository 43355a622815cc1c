"""What arrived: each request as bytes, with what became of it.

Records are kept in memory up to a budget, newest last, and written to a
spool directory as lines of JSON when one is given. Source: nsp 10 ("every
double records each request as bytes"), design 3.5.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from test_doubles.clock import iso

MEMORY_BUDGET_BYTES = 64 * 1024 * 1024
"""Bodies and headers kept before the oldest records are let go."""

_RECORD_OVERHEAD_BYTES = 1024


class Outcome(StrEnum):
    """What became of a request."""

    ANSWERED = "answered"
    REFUSED = "refused"
    DROPPED_BEFORE = "dropped_before"
    DROPPED_AFTER_READ = "dropped_after_read"
    DROPPED_AFTER_COMMIT = "dropped_after_commit"
    BROKEN = "broken"
    """The caller went away, or the double itself failed."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as it came.

    ``at`` is the doubles' time of arrival, ``headers`` in the order of the
    wire, ``body`` the bytes read (empty when the connection was cut before),
    ``status`` of the answer or None when there was none.
    """

    sequence: int
    at: datetime
    service: str
    operation: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    outcome: Outcome
    status: int | None

    def as_json(self, *, with_body: bool = True) -> dict[str, Any]:
        """The record for ``GET /control/requests``; the body in base64."""
        record: dict[str, Any] = {
            "sequence": self.sequence,
            "at": iso(self.at),
            "service": self.service,
            "operation": self.operation,
            "method": self.method,
            "path": self.path,
            "headers": [list(pair) for pair in self.headers],
            "size_bytes": len(self.body),
            "outcome": self.outcome.value,
            "status": self.status,
        }
        if with_body:
            record["body_base64"] = base64.b64encode(self.body).decode("ascii")
        return record


class Recorder:
    """Keeps the requests of all doubles.

    Args:
        spool: directory for ``SERVICE.ndjson`` files; made if absent. None
            keeps the records in memory only.
        budget_bytes: memory for records; the oldest go first.
    """

    def __init__(self, spool: Path | None = None, budget_bytes: int = MEMORY_BUDGET_BYTES) -> None:
        self._records: deque[RecordedRequest] = deque()
        self._bytes = 0
        self._budget_bytes = budget_bytes
        self._sequence = 0
        self._spool = spool
        if spool is not None:
            spool.mkdir(parents=True, exist_ok=True)

    def record(
        self,
        *,
        at: datetime,
        service: str,
        operation: str,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        outcome: Outcome,
        status: int | None,
    ) -> RecordedRequest:
        """Keep a request, and spool it, under the next sequence number."""
        self._sequence += 1
        record = RecordedRequest(
            self._sequence,
            at,
            service,
            operation,
            method,
            path,
            tuple(headers),
            body,
            outcome,
            status,
        )
        self._records.append(record)
        self._bytes += _weight(record)
        while self._bytes > self._budget_bytes and len(self._records) > 1:
            self._bytes -= _weight(self._records.popleft())
        if self._spool is not None:
            with (self._spool / f"{service}.ndjson").open("ab") as file:
                file.write(orjson.dumps(record.as_json()) + b"\n")
        return record

    def requests(
        self, service: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> list[RecordedRequest]:
        """Records of a service (None: all), oldest first.

        Args:
            service: name of a double.
            after: only records with a higher sequence number.
            limit: at most so many, the newest.
        """
        found = [
            r
            for r in self._records
            if r.sequence > after and (service is None or r.service == service)
        ]
        if limit is None:
            return found
        return found[-limit:] if limit > 0 else []

    def clear(self, service: str | None = None) -> None:
        """Forget the records in memory, all or those of one service; the spool stays."""
        self._records = deque(
            r for r in self._records if service is not None and r.service != service
        )
        self._bytes = sum(_weight(r) for r in self._records)


def _weight(record: RecordedRequest) -> int:
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.body) + headers + _RECORD_OVERHEAD_BYTES
