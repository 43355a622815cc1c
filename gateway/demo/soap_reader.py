"""A professional's system in miniature: searches by ITI-18 and fetches by ITI-43."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import orjson

from nsp_client.errors import SoapFault
from nsp_client.identifiers import Cpr
from nsp_client.soap.envelope import SoapVersion
from nsp_client.xds import iti18, iti43
from nsp_client.xds.metadata import AvailabilityStatus, DocumentEntry, patient_cx
from nsp_client.xds.stored_query import FindDocuments

if TYPE_CHECKING:
    from gateway.demo.client import DemoClient

_TAGS: Final = re.compile(r"<[^>]+>")
_CPR_LENGTH: Final = 10


@dataclass(frozen=True, slots=True)
class FoundNote:
    """One note as the professional sees it."""

    unique_id: str
    started_at: str
    clinic: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the two calls gave; ``refusal`` when the door stayed closed."""

    notes: tuple[FoundNote, ...]
    refusal: str = ""

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "refusal": self.refusal,
            "notes": [
                {
                    "unique_id": note.unique_id,
                    "service_start_time": note.started_at,
                    "clinic": note.clinic,
                    "text": note.text,
                }
                for note in self.notes
            ],
        }

    def to_text(self) -> str:
        """For people."""
        if self.refusal:
            return f"Refused / afvist: {self.refusal}"
        lines = [f"{len(self.notes)} notes / notater. Der kan findes oplysninger, som ikke vises."]
        for note in self.notes:
            lines += [f"- {note.started_at} {note.clinic}", f"    {note.text}"]
        return "\n".join(lines)


async def read_notes(client: DemoClient, persona: str, patient: str) -> Found:
    """Search for a patient's notes and fetch every one that is found."""
    is_number = len(patient) == _CPR_LENGTH and patient.isdigit()
    cpr = patient if is_number else (await client.persona(patient))["cpr"]
    card = await client.id_card(persona, cpr)
    header = "".join(card[each] for each in ("security_header", "medcom_header", "hsuid")).encode()
    query = FindDocuments(
        patient_id=patient_cx(Cpr(cpr)), statuses=frozenset({AvailabilityStatus.APPROVED.value})
    )
    try:
        entries = await _search(client, header, query)
        documents = await _fetch(client, header, entries) if entries else {}
    except SoapFault as fault:
        return Found((), str(fault))
    return Found(tuple(_note(entry, documents.get(entry.unique_id)) for entry in entries))


async def _search(
    client: DemoClient, header: bytes, query: FindDocuments
) -> tuple[DocumentEntry, ...]:
    url = f"{client.gateway_url}/xds/registry"
    request = iti18.http_request(
        iti18.find_documents_request(query),
        header_blocks=header,
        to=url,
        message_id=f"urn:uuid:{uuid4()}",
    )
    reply = await client.call("POST", url, body=request.body, headers=request.headers)
    answer = iti18.query_response(reply.headers.get("Content-Type", ""), reply.body, reply.status)
    return tuple(answer.objects.entries)


async def _fetch(
    client: DemoClient, header: bytes, entries: tuple[DocumentEntry, ...]
) -> dict[str, bytes]:
    url = f"{client.gateway_url}/xds/repository"
    request = iti43.http_request(
        iti43.retrieve_request(
            [
                iti43.DocumentRequest(entry.repository_unique_id or "", entry.unique_id)
                for entry in entries
            ]
        ),
        header_blocks=header,
        to=url,
        message_id=f"urn:uuid:{uuid4()}",
        version=SoapVersion.SOAP11,
    )
    reply = await client.call("POST", url, body=request.body, headers=request.headers)
    answer = iti43.retrieve_response(
        reply.headers.get("Content-Type", ""), reply.body, reply.status
    )
    return {each.request.document_unique_id: each.document for each in answer.documents}


def _note(entry: DocumentEntry, document: bytes | None) -> FoundNote:
    return FoundNote(
        unique_id=entry.unique_id,
        started_at=entry.service_start_time or "",
        clinic=entry.author_institution.name if entry.author_institution else "",
        text=_text(document) if document is not None else "(not delivered)",
    )


def _text(document: bytes) -> str:
    """The note's body as plain text, out of the FHIR document."""
    bundle = orjson.loads(document)
    for item in bundle["entry"]:
        resource = item["resource"]
        if resource["resourceType"] == "Observation":
            data = resource["extension"][0]["valueAttachment"]["data"]
            html = base64.b64decode(data).decode()
            return " ".join(unescape(_TAGS.sub(" ", html)).split())
    return ""
