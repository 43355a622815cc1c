"""Calls to the DROS double and what comes back, for its tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
from lxml import etree

from test_doubles.clock import Clock, parse_instant
from test_doubles.dros import DrosDouble
from test_doubles.faults import FaultBook
from test_doubles.personas import Personas
from test_doubles.pki import Pki
from test_doubles.recorder import Recorder
from test_doubles.sts_issuing import Claims, Issuer
from test_doubles.world import World
from tests.unit.test_doubles.doubles_messages import (
    Submission,
    envelope,
    header,
    iti57_body,
    packaged,
)

Client = TestClient[web.Request, web.Application]
ITI41 = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
ITI57 = "urn:ihe:iti:2010:UpdateDocumentSet"
RS = "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}"
MEDCOM = "{http://www.medcom.dk/dgws/2006/04/dgws-1.0.xsd}"
WSA = "{http://www.w3.org/2005/08/addressing}"
START = "2026-12-14T08:00:00+00:00"


def dros_world(pki: Pki, schemas_dir: Path | None = None) -> World:
    """A world with DROS alone, at 9 o'clock Danish time."""
    made = World(
        clock=Clock(parse_instant(START)),
        personas=Personas(),
        faults=FaultBook(),
        recorder=Recorder(),
        pki_dir=pki.directory,
        schemas_dir=schemas_dir,
    )
    made.doubles = {"dros": DrosDouble(made)}
    return made


def system_card(
    pki: Pki,
    *,
    now: datetime | None = None,
    signer: str = "sts",
    sha256: bool = False,
    **changed: str,
) -> str:
    """A system card of the gateway from the STS; ``changed`` values by name without prefix."""
    data = {
        "sosi:IDCardID": "q83vASNFZ4mrze8BI0VniQ==",
        "sosi:IDCardVersion": changed.get("version", "1.0.1"),
        "sosi:IDCardType": "system",
        "sosi:AuthenticationLevel": changed.get("level", "3"),
    }
    system = {
        "medcom:ITSystemName": "Journaldeling",
        "medcom:CareProviderID": changed.get("cvr", "44000004"),
    }
    return Issuer(pki.directory).issue(
        Claims(data, system),
        pki.certificate("gateway/system"),
        now or parse_instant(START),
        signer=signer,
        sha256=sha256,
    )


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    raw: bytes

    @property
    def root(self) -> etree._Element:
        text = self.raw
        if self.content_type.startswith("multipart/"):
            start = text.index(b"<soap:Envelope")
            text = text[start : text.index(b"</soap:Envelope>") + len(b"</soap:Envelope>")]
        return etree.fromstring(text)

    @property
    def codes(self) -> list[str]:
        """Error codes of a RegistryResponse, warnings with a tilde in front."""
        return [
            ("~" if e.get("severity", "").endswith(":Warning") else "") + e.get("errorCode", "")
            for e in self.root.iter(f"{RS}RegistryError")
        ]

    @property
    def success(self) -> bool:
        (response,) = self.root.iter(f"{RS}RegistryResponse")
        assert self.status == 200
        return response.get("status", "").endswith(":Success")

    @property
    def fault(self) -> str | None:
        """medcom:FaultCode, or faultcode for faults of SOAP itself."""
        for tag in (f"{MEDCOM}FaultCode", "faultcode"):
            for found in self.root.iter(tag):
                return found.text
        return None


async def post(client: Client, path: str, headers: dict[str, str], body: bytes) -> Answer:
    async with client.post(path, data=body, headers=headers) as answer:
        return Answer(answer.status, answer.headers["Content-Type"], await answer.read())


async def send(
    client: Client, submission: Submission, change: Callable[[str], str] | None = None
) -> Answer:
    head = header(submission.card, submission.message_id, ITI41)
    text = envelope(head, submission.body()).decode()
    headers, body = packaged((change(text) if change else text).encode(), submission.document)
    return await post(client, "/dros/iti41", headers, body)


async def update(
    client: Client, card: str, target: str, set_unique_id: str, **options: str
) -> Answer:
    head = header(card, set_unique_id, ITI57)
    body = envelope(head, iti57_body(target, set_unique_id=set_unique_id, **options))
    return await post(
        client,
        "/dros/iti57",
        {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": ITI57},
        body,
    )


async def state(client: Client, query: str = "") -> dict[str, Any]:
    async with client.get(f"/control/state/dros{query}") as answer:
        assert answer.status == 200
        return dict(await answer.json())


async def switch(client: Client, **members: Any) -> None:
    async with client.put("/control/state/dros", json=members) as answer:
        assert answer.status == 200, await answer.text()


async def order(client: Client, **rule: Any) -> None:
    async with client.post("/control/faults", json={"service": "dros", **rule}) as answer:
        assert answer.status == 201


def without(pattern: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        changed, count = re.subn(pattern, "", text, flags=re.DOTALL)
        assert count >= 1
        return changed

    return change


def swap(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change
