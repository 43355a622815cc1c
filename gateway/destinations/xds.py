"""DROS: pushes a document (ITI-41) and takes one out of view (ITI-57).

Turns the peer's answer into a verdict; what the peer does never raises here.
The message is built from the delivery's stored ids, so that sending it again
is the same message again.

    answer                                     verdict
    Success (warnings or not)                  DELIVERED
    duplicate of our own submission set        DELIVERED   an earlier try got through
    no answer, HTTP 502-504                    NO_ANSWER   same message again
    expired_idcard, invalid_signature          LATER       once, with a new card
    processing_problem, ...Busy                LATER       new message, same ids
    every other fault or error                 GIVEN_UP    a person must look

A withdrawal whose target is not there (unknown, or no longer Approved) has
nothing left to do and counts as DELIVERED.

Source: nsp 1.6, 3.8-3.10, 11; ihe-xds 4.5, 10.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from gateway.clock import Clock
from gateway.metrics import DELIVERIES
from gateway.pipeline import route
from gateway.pipeline.ports import Attempt, Verdict
from gateway.pipeline.records import DeliveryRecord, DocumentRecord
from mappers.note import JournalNote, Organization
from mappers.xds import entry_from_note, submission_set_from_note, withdrawal_set
from nsp_client.dgws.header import write_request_header
from nsp_client.dgws.id_card import IdCard
from nsp_client.dgws.sts import StsClient
from nsp_client.errors import (
    DgwsFault,
    InvalidMetadata,
    NoAnswer,
    NspError,
    RegistryErrorCode,
    RegistryRefusal,
)
from nsp_client.identifiers import Cpr
from nsp_client.soap.transport import HttpTransport
from nsp_client.xds import iti41, iti57
from nsp_client.xds.associations import Relations

_Build = Callable[[bytes, str], iti41.HttpRequest]
NOT_THERE: Final = frozenset(
    {
        RegistryErrorCode.UNRESOLVED_REFERENCE.value,
        RegistryErrorCode.METADATA_UPDATE_ERROR.value,
        RegistryErrorCode.METADATA_UPDATE_OPERATION_ERROR.value,
    }
)


class Dros:
    """The national repository and registry, behind DGWS.

    Args:
        url: base address; the transactions are at ``/iti41`` and ``/iti57``.
        send_seconds: how long an answer may take.
    """

    def __init__(
        self,
        transport: HttpTransport,
        sts: StsClient,
        clock: Clock,
        *,
        url: str,
        source_oid: str,
        home_community_oid: str,
        send_seconds: float,
    ) -> None:
        self._transport = transport
        self._sts = sts
        self._clock = clock
        self._url = url
        self._source_oid = source_oid
        self._home_community_oid = home_community_oid
        self._send_seconds = send_seconds

    async def submit(
        self,
        delivery: DeliveryRecord,
        document: DocumentRecord,
        note: JournalNote,
        replaces: UUID | None,
    ) -> Attempt:
        """Push one document; see :class:`gateway.pipeline.ports.NationalDestination`."""
        assert delivery.operation_at is not None
        try:
            submission = iti41.submit_request(
                entry_from_note(
                    note,
                    unique_id=document.unique_id,
                    entry_uuid=document.entry_uuid,
                    assembled_at=document.assembled_at,
                    sha1=document.sha1,
                    size_bytes=document.size_bytes,
                    media_type=document.media_type,
                    repository_oid=None,
                    home_community_oid=self._home_community_oid,
                    name_protected=document.name_protected,
                ),
                submission_set_from_note(
                    note,
                    set_uuid=route.submission_set_uuid(delivery),
                    submitted_at=delivery.operation_at,
                    source_oid=self._source_oid,
                    home_community_oid=self._home_community_oid,
                ),
                document.document,
                relations=Relations(replaces=f"urn:uuid:{replaces}" if replaces else None),
            )
        except InvalidMetadata as error:
            return _attempt(Verdict.GIVEN_UP, f"{error.code}:{error.attribute}")
        return await self._exchange(
            delivery,
            f"{self._url}/iti41",
            lambda header, to: iti41.http_request(
                submission,
                header_blocks=header,
                to=to,
                message_id=route.message_id(delivery),
                boundary=f"uuid:{delivery.operation_id}",
            ),
            already_done=frozenset({RegistryErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY.value}),
        )

    async def deprecate(
        self, delivery: DeliveryRecord, entry_uuid: UUID, cpr: str, organization: Organization
    ) -> Attempt:
        """Take one entry out of view; see the port."""
        assert delivery.operation_at is not None
        payload = iti57.deprecate_request(
            withdrawal_set(
                Cpr(cpr),
                organization=organization,
                set_uuid=route.submission_set_uuid(delivery),
                submitted_at=delivery.operation_at,
                source_oid=self._source_oid,
                home_community_oid=self._home_community_oid,
            ),
            f"urn:uuid:{entry_uuid}",
        )
        return await self._exchange(
            delivery,
            f"{self._url}/iti57",
            lambda header, to: iti57.http_request(
                payload, header_blocks=header, to=to, message_id=route.message_id(delivery)
            ),
            already_done=NOT_THERE | {RegistryErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY.value},
        )

    async def _exchange(
        self,
        delivery: DeliveryRecord,
        url: str,
        build: _Build,
        *,
        already_done: frozenset[str],
    ) -> Attempt:
        try:
            card = await self._sts.card()
        except NspError as error:
            # Nothing has been sent: the same operation waits for a card.
            return _attempt(Verdict.NO_ANSWER, f"STS-{error.code}")
        header = write_request_header(
            card, message_id=route.message_id(delivery), created=self._clock.now()
        )
        request = build(header, url)
        try:
            answer = await self._transport.post(
                url, request.body, request.headers, read_timeout_seconds=self._send_seconds
            )
            iti41.registry_response(
                answer.content_type, answer.body, answer.status
            ).require_success()
        except RegistryRefusal as error:
            return self._refusal(error, already_done)
        except DgwsFault as error:
            return self._fault(error, card)
        except NoAnswer as error:
            return _attempt(Verdict.NO_ANSWER, error.code)
        except NspError as error:
            return _attempt(Verdict.GIVEN_UP, error.code)
        return _attempt(Verdict.DELIVERED, "Success")

    def _refusal(self, error: RegistryRefusal, already_done: frozenset[str]) -> Attempt:
        codes = {each.code for each in error.errors}
        if codes and codes <= already_done:
            return _attempt(Verdict.DELIVERED, error.error_code)
        if error.retry == "later":
            return _attempt(Verdict.LATER, error.error_code)
        return _attempt(Verdict.GIVEN_UP, error.error_code or error.code)

    def _fault(self, error: DgwsFault, card: IdCard) -> Attempt:
        if error.retry == "after_renewal":
            self._sts.discard(card)
            return _attempt(Verdict.LATER, error.fault_code)
        if error.retry == "later":
            return _attempt(Verdict.LATER, error.fault_code)
        return _attempt(Verdict.GIVEN_UP, error.fault_code)


def _attempt(verdict: Verdict, code: str) -> Attempt:
    DELIVERIES.labels(verdict.value).inc()
    return Attempt(verdict, code)
