"""The Sundhedsjournal-style door: ITI-18 at ``/xds/registry``, ITI-43 at ``/xds/repository``.

Entries are stable ones of the latest released version, made from the note at
every query, so that a withheld note leaves no trace. A superseded, withheld or
unknown document is refused in the same words.

Source: ihe-xds 6, 7; design.md 3.3; sharing-rules 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from starlette.responses import Response
from starlette.routing import Route

from gateway.api.services import Services
from gateway.api.soap_door import DoorRequest, SoapDoor, require_open, soap_answer
from gateway.pipeline.looks import CONTENT, LIST, Judged
from gateway.service.disclose import Opened
from gateway.settings import Settings
from gateway.storage import documents
from gateway.storage.database import Connection
from mappers.xds import entry_from_note
from nsp_client.dgws.faults import dgws_fault
from nsp_client.errors import DgwsFaultCode, RegistryErrorCode
from nsp_client.identifiers import Cpr
from nsp_client.xds import iti18, iti18_request, iti43
from nsp_client.xds.metadata import DocumentEntry, patient_cx
from nsp_client.xds.stored_query import FindDocuments, StoredQueryError, select

REGISTRY_ACTION: Final = "urn:ihe:iti:2007:RegistryStoredQuery"
REGISTRY_ANSWER: Final = "urn:ihe:iti:2007:RegistryStoredQueryResponse"
NOT_FOUND: Final = "Dokumentet findes ikke / no such document"


async def answer_query(services: Services, request: DoorRequest) -> Response:
    """ITI-18: the entries this professional may know of."""
    try:
        query = iti18_request.parse_request(request.message.envelope.payload)
    except StoredQueryError as error:
        payload = iti18.write_failure([error])
        return soap_answer(services, request, REGISTRY_ANSWER, payload)
    if isinstance(query, FindDocuments) and query.patient_id != patient_cx(
        Cpr(request.subject_cpr)
    ):
        # The look was declared for another patient than the one asked about.
        raise dgws_fault(DgwsFaultCode.NOT_AUTHORIZED, "HSUID og søgning angår ikke samme patient")
    disclosure = await services.discloser.disclose(request.look)
    require_open(disclosure)
    entries = [entry_of(opened, services.settings) for opened in disclosure.opened]
    payload = iti18.write_answer(select(query, entries), query.return_type)
    return soap_answer(services, request, REGISTRY_ANSWER, payload)


def entry_of(opened: Opened, settings: Settings) -> DocumentEntry:
    """The registry's entry for a document that may be shown."""
    document = opened.document
    return entry_from_note(
        opened.content,
        unique_id=document.unique_id,
        entry_uuid=document.entry_uuid,
        assembled_at=document.assembled_at,
        sha1=document.sha1,
        size_bytes=document.size_bytes,
        media_type=document.media_type,
        repository_oid=settings.repository_oid,
        home_community_oid=settings.home_community_oid,
        name_protected=document.name_protected,
    )


async def answer_retrieve(services: Services, request: DoorRequest) -> Response:
    """ITI-43: the documents this professional may read, byte for byte."""
    wanted = iti43.parse_request(request.message.envelope.payload)
    repository = services.settings.repository_oid
    ours = [each for each in wanted if each.repository_unique_id == repository]
    places = await _places(services, request, [each.document_unique_id for each in ours])

    async def choose(connection: Connection, permitted: Sequence[Judged]) -> Sequence[Judged]:
        asked = set(places.values())
        return [
            item
            for item in permitted
            if (item.note.note_id, item.version.version, item.version.generation) in asked
        ]

    look = replace(request.look, only=frozenset(place[0] for place in places.values()))
    disclosure = await services.discloser.disclose(look, choose)
    require_open(disclosure)
    found = {opened.document.unique_id: opened.document for opened in disclosure.opened}
    answers, errors = [], []
    for each in wanted:
        document = found.get(each.document_unique_id)
        if each.repository_unique_id != repository:
            errors.append(
                iti43.document_error(
                    each, RegistryErrorCode.UNKNOWN_REPOSITORY_ID, "Ukendt repository"
                )
            )
        elif document is None:
            errors.append(
                iti43.document_error(each, RegistryErrorCode.DOCUMENT_UNIQUE_ID_ERROR, NOT_FOUND)
            )
        else:
            answers.append(iti43.RetrievedDocument(each, document.media_type, document.document))
    payload, parts = iti43.write_answer(answers, errors, packaged=request.is_packaged)
    content_type, body = iti43.http_answer(
        payload,
        parts,
        header_blocks=request.header_blocks(services, iti43.RESPONSE_ACTION),
        version=request.version,
        packaged=request.is_packaged,
    )
    return Response(body, headers={"Content-Type": content_type})


async def _places(
    services: Services, request: DoorRequest, unique_ids: Sequence[str]
) -> dict[str, tuple[UUID, int, int]]:
    """Where the documents stand; those of another patient are as unknown as any."""
    async with services.database.transaction() as connection:
        found = await documents.find_by_unique_id(connection, unique_ids)
    patient_id = UUID(request.look.subject.id)
    return {
        unique_id: (note_id, version, generation)
        for unique_id, (note_id, version, generation, patient) in found.items()
        if patient == patient_id
    }


ROUTES: Final = [
    Route(
        "/xds/registry",
        SoapDoor(action=REGISTRY_ACTION, view=LIST, answer=answer_query).serve,
        methods=["POST"],
    ),
    Route(
        "/xds/repository",
        SoapDoor(action=iti43.ACTION, view=CONTENT, answer=answer_retrieve).serve,
        methods=["POST"],
    ),
]
