"""The senders: many practice systems posting at once. Runs as a process of its own.

python -m tests.bench.load URL[,URL...] TOKEN PATIENTS_JSON SENDERS COUNT TEXT_BYTES FIRST
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

SENTENCE = "Patienten ses til kontrol. <b>BT 138/82</b> mmHg, vægt uændret, fortsætter behandling. "


def note_body(patient: dict[str, Any], number: int, text_bytes: int, now: datetime) -> bytes:
    """One ordinary note."""
    text = SENTENCE * max(1, text_bytes // len(SENTENCE))
    note = {
        "source_note_id": f"bench-{number}",
        "version": 1,
        "status": "final",
        "patient": {
            key: patient[key] for key in ("cpr", "given", "family", "birth_date", "gender")
        },
        "organization": {
            "sor": "61741000016007",
            "provider_number": "077410",
            "name": "Lægerne Hasseris Bymidte",
        },
        "author": {
            "id": "urn:uuid:0ee2db70-d972-4497-a156-0a8109aaa771",
            "given": ["Sidsel"],
            "family": "Andersen",
            "role": "speciallaegeipraksis",
        },
        "contact_type": "consultation",
        "created_at": (now - timedelta(minutes=20)).isoformat(timespec="seconds"),
        "completed_at": (now - timedelta(minutes=5)).isoformat(timespec="seconds"),
        "text": {"content_type": "text/html", "html": f"<p>{text}</p>"},
    }
    return json.dumps(note, ensure_ascii=False).encode()


class Sender(asyncio.Protocol):
    """One connection that posts the next body as soon as its last one is answered.

    As light as it can be: on a small machine the senders share the cores with
    what is measured.
    """

    def __init__(self, waiting: Iterator[bytes], tally: Counter[int]) -> None:
        self._transport: asyncio.WriteTransport
        self._waiting = waiting
        self._tally = tally
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        if len(body) < length:
            return
        self._received = b""
        self._tally[int(head[9:12])] += 1
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("closed"))

    def _next(self) -> None:
        request = next(self._waiting, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
        else:
            self._transport.write(request)


async def send(arguments: list[str]) -> dict[str, float]:
    """Post everything; returns counts and seconds."""
    url, token, people, senders, count, text_bytes, first = arguments
    patients = json.loads(people)
    now = datetime.now(UTC).astimezone()
    places = [urlsplit(each) for each in url.split(",")]
    place = places[0]
    requests = []
    for number in range(int(first), int(first) + int(count)):
        body = note_body(patients[number % len(patients)], number, int(text_bytes), now)
        head = (
            f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    waiting = iter(requests)
    tally: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    made = [
        await loop.create_connection(
            lambda: Sender(waiting, tally), host.hostname or "127.0.0.1", host.port or 80
        )
        for _, host in zip(range(int(senders)), cycle(places), strict=False)
    ]
    await asyncio.gather(*(sender.done for _, sender in made))
    seconds = time.perf_counter() - start
    return {"sent": len(requests), "refused": len(requests) - tally[202], "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(send(sys.argv[1:]))))
