"""The outside world in the tests: practice system, citizen, professional, test operator.

Speaks only the public faces and the doubles' ``/control``. What a professional
gets is read by `tests.support.soap`, not by our own parsers.
"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from consent.times import COPENHAGEN, next_midnight
from gateway.demo.client import DemoClient, Reply
from gateway.demo.samples import note_for
from nsp_client.identifiers import Cpr
from nsp_client.soap.envelope import SoapVersion
from nsp_client.xds import iti18, iti43
from nsp_client.xds.metadata import patient_cx
from nsp_client.xds.stored_query import FindDocuments
from tests.support import soap

Json = dict[str, Any]
NOTES = "/practice/v1/notes"
FEED = "/patient/v1/notes"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"

_numbers = count(1)


async def wait_until(
    is_so: Callable[[], Awaitable[bool]], within_s: float = 20.0, *, pause_s: float = 0.05
) -> None:
    """Ask again and again until it is so; fails when the deadline passes."""
    deadline = time.monotonic() + within_s
    while not await is_so():
        assert time.monotonic() < deadline, f"not so within {within_s} s"
        await asyncio.sleep(pause_s)


class Caller(DemoClient):
    """Calls one api process and the doubles; an asynchronous context manager."""

    # Time

    async def now(self) -> datetime:
        """What the clock of all processes shows, in Copenhagen."""
        return (await self.clock()).now().astimezone(COPENHAGEN)

    async def move_clock(self, instant: datetime) -> None:
        """Move the clock of every process; returns once all have confirmed."""
        body = json.dumps({"now": instant.isoformat()}).encode()
        (await self.call("POST", "/control/clock", body=body)).require(200)

    async def morning(self) -> datetime:
        """Move the clock to nine o'clock on the next day, and return the coming midnight."""
        midnight = next_midnight(await self.now())
        await self.move_clock(midnight + timedelta(hours=9))
        return next_midnight(midnight + timedelta(hours=9)).astimezone(COPENHAGEN)

    # The practice system

    async def note(
        self, patient: str = "patient-1", practice: str = "practice-1", **more: Any
    ) -> Json:
        """An ordinary note, completed five minutes ago, with a source id of its own."""
        cast = {each["id"]: each for each in await self.personas()}
        now = await self.now()
        number = next(_numbers)
        fields: Json = {
            "source_note_id": f"e2e-{number}-{uuid4().hex[:8]}",
            "html": f"<p>Notat nummer {number}: <b>alt vel</b>.</p>",
            "created_at": (now - timedelta(minutes=30)).isoformat(timespec="seconds"),
            "completed_at": (now - timedelta(minutes=5)).isoformat(timespec="seconds"),
        }
        return note_for(cast[patient], cast[practice], **(fields | more))

    async def correction(self, note: Json, html: str, **more: Any) -> Json:
        """The next version of a note, completed a minute ago."""
        completed = (await self.now() - timedelta(minutes=1)).isoformat(timespec="seconds")
        text = {"content_type": "text/html", "html": html}
        changed = {"version": note["version"] + 1, "completed_at": completed, "text": text}
        return {**note, **changed, **more}

    async def post_note(self, note: Json, practice: str = "practice-1") -> Reply:
        """Post a plain note."""
        body = json.dumps(note, ensure_ascii=False).encode()
        return await self.call("POST", NOTES, body=body, persona=practice)

    async def posted(self, note: Json, practice: str = "practice-1") -> str:
        """Post a plain note that must be taken; returns its id."""
        return str((await self.post_note(note, practice)).require(202).json()["note_id"])

    async def view(self, note_id: str, practice: str = "practice-1") -> Json:
        """What the practice sees of its note."""
        found: Json = (
            (await self.call("GET", f"{NOTES}/{note_id}", persona=practice)).require(200).json()
        )
        return found

    async def patch_markings(
        self, note_id: str, patch: Json, practice: str = "practice-1", **headers: str
    ) -> Reply:
        """Merge into the markings; ``if_match="1"`` becomes a header."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps(patch).encode()
        url = f"{NOTES}/{note_id}/markings"
        return await self.call("PATCH", url, body=body, headers=sent, persona=practice)

    async def cancel(self, note_id: str, practice: str = "practice-1") -> Reply:
        """Withdraw a note."""
        return await self.call("POST", f"{NOTES}/{note_id}/cancel", persona=practice)

    # The citizen

    async def feed(self, persona: str, cursor: str | None = None) -> Json:
        """A page of the feed."""
        url = f"{FEED}?cursor={cursor}" if cursor else FEED
        page: Json = (await self.call("GET", url, persona=persona)).require(200).json()
        return page

    async def feed_ids(self, persona: str = "patient-1") -> dict[str, int]:
        """What a citizen sees now: note id to version."""
        return {each["note_id"]: each["version"] for each in (await self.feed(persona))["notes"]}

    # The professional

    async def _soap_header(self, persona: str, patient: str) -> tuple[bytes, str]:
        cpr = (await self.persona(patient))["cpr"]
        card = await self.id_card(persona, cpr)
        blocks = (card[each] for each in ("security_header", "medcom_header", "hsuid"))
        return "".join(blocks).encode(), cpr

    async def soap_find(self, persona: str, patient: str) -> list[soap.Entry]:
        """ITI-18 FindDocuments.

        Raises:
            soap.Fault: the door stayed closed.
        """
        header, cpr = await self._soap_header(persona, patient)
        url = f"{self.gateway_url}/xds/registry"
        query = FindDocuments(patient_id=patient_cx(Cpr(cpr)), statuses=frozenset({APPROVED}))
        request = iti18.http_request(
            iti18.find_documents_request(query),
            header_blocks=header,
            to=url,
            message_id=f"urn:uuid:{uuid4()}",
        )
        reply = await self.call("POST", url, body=request.body, headers=request.headers)
        return soap.read_entries(reply.headers.get("Content-Type", ""), reply.body)

    async def soap_fetch(
        self, persona: str, patient: str, entries: Iterable[soap.Entry]
    ) -> dict[str, bytes]:
        """ITI-43: document id to bytes, of those that were given.

        Raises:
            soap.Fault: the door stayed closed.
        """
        header, _ = await self._soap_header(persona, patient)
        url = f"{self.gateway_url}/xds/repository"
        wanted = [iti43.DocumentRequest(each.repository, each.unique_id) for each in entries]
        request = iti43.http_request(
            iti43.retrieve_request(wanted),
            header_blocks=header,
            to=url,
            message_id=f"urn:uuid:{uuid4()}",
            version=SoapVersion.SOAP11,
        )
        reply = await self.call("POST", url, body=request.body, headers=request.headers)
        return soap.read_documents(reply.headers.get("Content-Type", ""), reply.body)

    async def soap_read(self, persona: str, patient: str) -> dict[str, bytes]:
        """Search and fetch all that is found."""
        entries = await self.soap_find(persona, patient)
        return await self.soap_fetch(persona, patient, entries) if entries else {}

    # The doubles

    async def dros_state(self, *, whole: bool = False) -> Json:
        """What the national registry holds; without ``whole`` only counts."""
        url = "/control/state/dros" + ("" if whole else "?brief=1")
        state: Json = (await self.call("GET", url)).require(200).json()
        return state

    async def dros_entries(self) -> dict[str, Json]:
        """The national entries by document id."""
        return {each["unique_id"]: each for each in (await self.dros_state(whole=True))["entries"]}

    async def fault(self, service: str, mode: str, **more: Any) -> None:
        """Let something go wrong at a double."""
        body = json.dumps({"service": service, "mode": mode, **more}).encode()
        (await self.call("POST", "/control/faults", body=body)).require(201)

    async def clear_faults(self) -> None:
        """Let nothing more go wrong."""
        (await self.call("DELETE", "/control/faults")).require(204)

    async def requests(self, service: str, after: int = 0) -> list[Json]:
        """What arrived at a double, oldest first, with ``body`` as bytes."""
        url = f"/control/requests/{service}?after={after}"
        found: list[Json] = (await self.call("GET", url)).require(200).json()["requests"]
        for each in found:
            each["body"] = b64decode(each["body_base64"])
        return found

    async def seed(self, service: str, state: Json) -> None:
        """Put a state into a double."""
        body = json.dumps(state).encode()
        (await self.call("PUT", f"/control/state/{service}", body=body)).require(200)

    async def until_documented(self, note_id: str) -> None:
        """Wait until the pipeline has decided, mapped and signed a note."""

        async def is_so() -> bool:
            return bool((await self.view(note_id))["state"] == "documented")

        await wait_until(is_so)

    async def until_nationally(self, note_id: str, wanted: str, within_s: float = 20.0) -> None:
        """Wait until the newest version's national delivery is in this state."""

        async def is_so() -> bool:
            view = await self.view(note_id)
            return bool(view["destinations"]["national"]["delivery"] == wanted)

        await wait_until(is_so, within_s)
