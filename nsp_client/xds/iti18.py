"""ITI-18 Registry Stored Query: requests and answers, both sides.

Asking: :func:`find_documents_request`, :func:`get_documents_request`,
:func:`query_response`. Answering: :func:`parse_request`, then
:func:`nsp_client.xds.stored_query.select`, then :func:`write_answer` or
:func:`write_failure`.

Source: IHE ITI TF-2 3.18.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from nsp_client.errors import MalformedMessage, RegistryError, RegistryErrorCode
from nsp_client.soap.answer import open_answer
from nsp_client.soap.envelope import (
    Envelope,
    SoapVersion,
    build_envelope,
    http_headers,
    request_addressing,
)
from nsp_client.xds.ebxml import write_object_refs, write_registry_object_list
from nsp_client.xds.ebxml_reading import RegistryObjects, read_registry_objects
from nsp_client.xds.iti18_request import parse_request
from nsp_client.xds.iti41 import HttpRequest
from nsp_client.xds.metadata import DocumentEntry
from nsp_client.xds.namespaces import QUERY_NS, RIM_NS
from nsp_client.xds.registry_response import (
    RegistryResponse,
    ResponseStatus,
    read_response_element,
    write_error_list,
)
from nsp_client.xds.stored_query import (
    FIND_DOCUMENTS,
    GET_DOCUMENTS,
    CodeFilter,
    FindDocuments,
    GetDocuments,
    ReturnType,
    StoredQuery,
    StoredQueryError,
    select,
)
from nsp_client.xds.stored_query_values import quote, quoted_list
from nsp_client.xml_text import text

ACTION: Final = "urn:ihe:iti:2007:RegistryStoredQuery"
RESPONSE_ACTION: Final = "urn:ihe:iti:2007:RegistryStoredQueryResponse"

_RESPONSE: Final = f"{{{QUERY_NS}}}AdhocQueryResponse"
_OBJECT_LIST: Final = f"{{{RIM_NS}}}RegistryObjectList"


@dataclass(frozen=True, slots=True)
class QueryResponse:
    """A registry's answer to a query: status with errors and warnings, and what was found."""

    response: RegistryResponse
    objects: RegistryObjects


def _slot(name: str, values: Iterable[str]) -> str:
    written = "".join(f"<rim:Value>{text(value)}</rim:Value>" for value in values)
    return f'<rim:Slot name="{name}"><rim:ValueList>{written}</rim:ValueList></rim:Slot>'


def _list_slot(name: str, values: Iterable[str]) -> str:
    written = quoted_list(values)
    return _slot(name, written) if written else ""


def _code_slot(name: str, codes: Iterable[CodeFilter]) -> str:
    return _list_slot(name, (f"{code.code}^^{code.scheme}" for code in codes))


def _request(query_id: str, return_type: ReturnType, slots: str) -> bytes:
    return (
        f'<query:AdhocQueryRequest xmlns:query="{QUERY_NS}" xmlns:rim="{RIM_NS}">'
        f'<query:ResponseOption returnType="{return_type.value}" returnComposedObjects="true"/>'
        f'<rim:AdhocQuery id="{query_id}">{slots}</rim:AdhocQuery></query:AdhocQueryRequest>'
    ).encode()


def find_documents_request(query: FindDocuments) -> bytes:
    """Write the payload of a FindDocuments query.

    The entry types are always written out: without them a registry answers with
    stable entries only, and notes kept on demand would be missed.
    """
    prefix = "$XDSDocumentEntry"
    slots = [
        _slot(f"{prefix}PatientId", (quote(query.patient_id),)),
        _list_slot(f"{prefix}Status", sorted(query.statuses)),
        _list_slot(f"{prefix}Type", sorted(query.object_types)),
        _code_slot(f"{prefix}ClassCode", query.class_codes),
        _code_slot(f"{prefix}TypeCode", query.type_codes),
        _code_slot(f"{prefix}PracticeSettingCode", query.practice_setting_codes),
        _code_slot(f"{prefix}HealthcareFacilityTypeCode", query.healthcare_facility_type_codes),
        _code_slot(f"{prefix}FormatCode", query.format_codes),
        *(_code_slot(f"{prefix}EventCodeList", group) for group in query.event_codes),
        *(
            _code_slot(f"{prefix}ConfidentialityCode", group)
            for group in query.confidentiality_codes
        ),
        _list_slot(f"{prefix}AuthorPerson", query.author_persons),
    ]
    for name, wanted in (
        ("CreationTime", query.creation_time),
        ("ServiceStartTime", query.service_start_time),
        ("ServiceStopTime", query.service_stop_time),
    ):
        if wanted.start is not None:
            slots.append(_slot(f"{prefix}{name}From", (wanted.start,)))
        if wanted.stop is not None:
            slots.append(_slot(f"{prefix}{name}To", (wanted.stop,)))
    return _request(FIND_DOCUMENTS, query.return_type, "".join(slots))


def get_documents_request(query: GetDocuments) -> bytes:
    """Write the payload of a GetDocuments query.

    Raises:
        ValueError: not exactly one kind of id is given.
    """
    if bool(query.entry_uuids) == bool(query.unique_ids):
        raise ValueError("give entry_uuids or unique_ids")
    slots = _list_slot("$XDSDocumentEntryEntryUUID", query.entry_uuids) + _list_slot(
        "$XDSDocumentEntryUniqueId", query.unique_ids
    )
    return _request(GET_DOCUMENTS, query.return_type, slots)


def http_request(
    payload: bytes,
    *,
    header_blocks: bytes,
    to: str,
    message_id: str,
    version: SoapVersion = SoapVersion.SOAP11,
) -> HttpRequest:
    """Put a query's payload into an envelope; arguments as in :func:`iti41.http_request`."""
    addressing = request_addressing(version, action=ACTION, message_id=message_id, to=to)
    return HttpRequest(
        body=build_envelope(version, header_blocks + addressing, payload),
        headers=http_headers(version, ACTION),
    )


def query_response(content_type: str, body: bytes, status: int = 200) -> QueryResponse:
    """Read an answer as it came over HTTP.

    A status of Failure is no exception here; ask ``response.require_success()``.

    Raises:
        DgwsFault, SoapFault, NoAnswer, HttpRefusal, MalformedMessage: as
            :func:`nsp_client.soap.answer.open_answer`.
    """
    return query_response_of(open_answer(status, content_type, body).envelope)


def query_response_of(envelope: Envelope) -> QueryResponse:
    """Take the body of an answer; errors as in :func:`query_response`."""
    element = envelope.payload
    if element is None or element.tag != _RESPONSE:
        raise MalformedMessage("an answer without query:AdhocQueryResponse")
    return read_query_response(element)


def read_query_response(element: etree._Element) -> QueryResponse:
    """Read a ``query:AdhocQueryResponse`` element."""
    objects = element.find(_OBJECT_LIST)
    return QueryResponse(
        response=read_response_element(element),
        objects=RegistryObjects() if objects is None else read_registry_objects(objects),
    )


def write_answer(
    entries: Sequence[DocumentEntry],
    return_type: ReturnType,
    *,
    warnings: Sequence[RegistryError] = (),
) -> bytes:
    """Write the payload of a successful answer, found anything or not.

    Raises:
        ValueError: something that is no warning among ``warnings``.
    """
    if any(not warning.is_warning for warning in warnings):
        raise ValueError("an error in an answer of success")
    objects = (
        write_registry_object_list(entries)
        if return_type is ReturnType.LEAF_CLASS
        else write_object_refs(entries)
    )
    return _answer(ResponseStatus.SUCCESS, warnings, objects)


def write_failure(errors: Sequence[RegistryError | StoredQueryError]) -> bytes:
    """Write the payload of a refused query: errors, and an empty object list for the schema."""
    listed = [
        error.as_registry_error() if isinstance(error, StoredQueryError) else error
        for error in errors
    ]
    if not any(not error.is_warning for error in listed):
        listed.append(RegistryError(code=RegistryErrorCode.REGISTRY_ERROR.value))
    return _answer(ResponseStatus.FAILURE, listed, write_object_refs(()))


def _answer(status: ResponseStatus, errors: Sequence[RegistryError], objects: str) -> bytes:
    return (
        f'<query:AdhocQueryResponse xmlns:query="{QUERY_NS}" status="{status.value}">'
        f"{write_error_list(errors)}{objects}</query:AdhocQueryResponse>"
    ).encode()


__all__ = [
    "ACTION",
    "RESPONSE_ACTION",
    "CodeFilter",
    "FindDocuments",
    "GetDocuments",
    "QueryResponse",
    "ReturnType",
    "StoredQuery",
    "StoredQueryError",
    "find_documents_request",
    "get_documents_request",
    "http_request",
    "parse_request",
    "query_response",
    "query_response_of",
    "read_query_response",
    "select",
    "write_answer",
    "write_failure",
]
