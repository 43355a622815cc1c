"""ITI-43 Retrieve Document Set: requests and answers, both sides.

Documents travel as parts of an MTOM package or inline as base64; which one a
server uses follows the request ("same form back"). A document that is missing,
withheld or unknown is one error each, with the id as its location.

Source: IHE ITI TF-2 3.43; the On-Demand Documents supplement.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from nsp_client.errors import (
    InvalidMetadata,
    MalformedMessage,
    RegistryError,
    RegistryErrorCode,
)
from nsp_client.soap.answer import SoapMessage, open_answer
from nsp_client.soap.envelope import (
    SoapVersion,
    build_envelope,
    http_headers,
    request_addressing,
)
from nsp_client.soap.mtom import MimePart, include_element, write_package
from nsp_client.soap.xml import trimmed
from nsp_client.xds.iti41 import CONTENT_ID_HOST, HttpRequest
from nsp_client.xds.namespaces import BINARY_ELEMENTS, RS_NS, XDS_DOCUMENT, XDS_NS
from nsp_client.xds.registry_response import (
    RegistryResponse,
    ResponseStatus,
    read_response_element,
    write_registry_response,
)
from nsp_client.xml_text import text

ACTION: Final = "urn:ihe:iti:2007:RetrieveDocumentSet"
RESPONSE_ACTION: Final = "urn:ihe:iti:2007:RetrieveDocumentSetResponse"
MAX_DOCUMENTS: Final = 50
"""Documents of one request; beyond that it is refused as malformed."""

_REQUEST: Final = f"{{{XDS_NS}}}RetrieveDocumentSetRequest"
_DOCUMENT_REQUEST: Final = f"{{{XDS_NS}}}DocumentRequest"
_RESPONSE: Final = f"{{{XDS_NS}}}RetrieveDocumentSetResponse"
_DOCUMENT_RESPONSE: Final = f"{{{XDS_NS}}}DocumentResponse"
_REGISTRY_RESPONSE: Final = f"{{{RS_NS}}}RegistryResponse"


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """One document asked for; asked twice it is answered twice."""

    repository_unique_id: str
    document_unique_id: str
    home_community_id: str | None = None


@dataclass(frozen=True, slots=True)
class RetrievedDocument:
    """One document with what it was asked for by.

    Attributes:
        new_document_unique_id: of the document made on demand; never the one asked for.
        new_repository_unique_id: given when the made document is kept.
    """

    request: DocumentRequest
    mime_type: str
    document: bytes = field(repr=False)
    new_document_unique_id: str | None = None
    new_repository_unique_id: str | None = None


@dataclass(frozen=True, slots=True)
class RetrieveResponse:
    """A repository's answer, as read."""

    response: RegistryResponse
    documents: tuple[RetrievedDocument, ...]

    def unanswered(self, requests: Sequence[DocumentRequest]) -> list[DocumentRequest]:
        """Requests with neither a document nor an error that names them: failures too."""
        missing = Counter(request.document_unique_id for request in requests)
        missing.subtract(document.request.document_unique_id for document in self.documents)
        reported = {error.location for error in self.response.real_errors}
        left: list[DocumentRequest] = []
        for request in requests:
            unique_id = request.document_unique_id
            if missing[unique_id] > 0 and unique_id not in reported:
                missing[unique_id] -= 1
                left.append(request)
        return left


def retrieve_request(requests: Sequence[DocumentRequest]) -> bytes:
    """Write the payload of a request.

    Raises:
        ValueError: nothing is asked for.
    """
    if not requests:
        raise ValueError("a retrieve asks for at least one document")
    written = "".join(
        f"<xds:DocumentRequest>{_ids(request)}</xds:DocumentRequest>" for request in requests
    )
    return (
        f'<xds:RetrieveDocumentSetRequest xmlns:xds="{XDS_NS}">{written}'
        "</xds:RetrieveDocumentSetRequest>"
    ).encode()


def _ids(request: DocumentRequest) -> str:
    home = ""
    if request.home_community_id is not None:
        home = f"<xds:HomeCommunityId>{text(request.home_community_id)}</xds:HomeCommunityId>"
    return (
        f"{home}<xds:RepositoryUniqueId>{text(request.repository_unique_id)}"
        "</xds:RepositoryUniqueId>"
        f"<xds:DocumentUniqueId>{text(request.document_unique_id)}</xds:DocumentUniqueId>"
    )


def http_request(
    payload: bytes,
    *,
    header_blocks: bytes,
    to: str,
    message_id: str,
    version: SoapVersion = SoapVersion.SOAP11,
    packaged: bool = True,
) -> HttpRequest:
    """Put a request's payload into an envelope, and that into a package unless told not to."""
    addressing = request_addressing(version, action=ACTION, message_id=message_id, to=to)
    envelope = build_envelope(version, header_blocks + addressing, payload)
    headers = http_headers(version, ACTION)
    if not packaged:
        return HttpRequest(body=envelope, headers=headers)
    content_type, body = write_package(envelope, (), version, action=ACTION)
    return HttpRequest(
        body=body, headers=headers | {"Content-Type": content_type, "MIME-Version": "1.0"}
    )


def retrieve_response(content_type: str, body: bytes, status: int = 200) -> RetrieveResponse:
    """Read an answer as it came over HTTP, in a package or with inline base64.

    A status of Failure is no exception here.

    Raises:
        DgwsFault, SoapFault, NoAnswer, HttpRefusal, MalformedMessage: as
            :func:`nsp_client.soap.answer.open_answer`.
    """
    return retrieve_response_of(
        open_answer(status, content_type, body, binary_elements=BINARY_ELEMENTS)
    )


def retrieve_response_of(message: SoapMessage) -> RetrieveResponse:
    """Take the body of an answer; errors as in :func:`retrieve_response`."""
    element = message.envelope.payload
    if element is None or element.tag != _RESPONSE:
        raise MalformedMessage("an answer without xds:RetrieveDocumentSetResponse")
    registry = element.find(_REGISTRY_RESPONSE)
    if registry is None:
        raise MalformedMessage("an answer without rs:RegistryResponse")
    return RetrieveResponse(
        response=read_response_element(registry),
        documents=tuple(
            _read_document(child, message) for child in element.iterchildren(_DOCUMENT_RESPONSE)
        ),
    )


def _read_document(element: etree._Element, message: SoapMessage) -> RetrievedDocument:
    document = element.find(XDS_DOCUMENT)
    if document is None:
        raise MalformedMessage("a DocumentResponse without Document")
    return RetrievedDocument(
        request=_read_ids(element),
        mime_type=_child(element, "mimeType"),
        document=message.binary_of(document),
        new_document_unique_id=_child(element, "NewDocumentUniqueId") or None,
        new_repository_unique_id=_child(element, "NewRepositoryUniqueId") or None,
    )


def _child(element: etree._Element, name: str) -> str:
    return trimmed(element.find(f"{{{XDS_NS}}}{name}"))


def _read_ids(element: etree._Element) -> DocumentRequest:
    repository, document = (
        _child(element, "RepositoryUniqueId"),
        _child(element, "DocumentUniqueId"),
    )
    if not (repository and document):
        raise MalformedMessage("a document without RepositoryUniqueId or DocumentUniqueId")
    return DocumentRequest(
        repository_unique_id=repository,
        document_unique_id=document,
        home_community_id=_child(element, "HomeCommunityId") or None,
    )


def parse_request(
    element: etree._Element | None, *, max_documents: int = MAX_DOCUMENTS
) -> tuple[DocumentRequest, ...]:
    """Read the payload of a request, as a repository.

    Args:
        element: the first element of the SOAP body.

    Raises:
        MalformedMessage: no such payload, nothing or too much asked for, an id
            missing; answer with a SOAP fault.
    """
    if element is None or element.tag != _REQUEST:
        raise MalformedMessage("a body without xds:RetrieveDocumentSetRequest")
    requests = tuple(_read_ids(child) for child in element.iterchildren(_DOCUMENT_REQUEST))
    if not 1 <= len(requests) <= max_documents:
        raise MalformedMessage(f"not 1 to {max_documents} documents asked for")
    return requests


def document_error(
    request: DocumentRequest, code: RegistryErrorCode, context: str
) -> RegistryError:
    """Make the error for one document that is not delivered; its id is the location."""
    return RegistryError(code=code.value, context=context, location=request.document_unique_id)


def write_answer(
    documents: Sequence[RetrievedDocument],
    errors: Sequence[RegistryError],
    *,
    packaged: bool,
) -> tuple[bytes, tuple[MimePart, ...]]:
    """Write the payload of an answer, and its parts.

    The status follows from what is given: documents and no error is Success, both
    is PartialSuccess, errors alone is Failure.

    Raises:
        InvalidMetadata: a made document keeps the id that was asked for.
        ValueError: neither documents nor errors.
    """
    failed = any(not error.is_warning for error in errors)
    if not documents and not failed:
        raise ValueError("an answer needs a document or an error")
    status = ResponseStatus.SUCCESS
    if failed:
        status = ResponseStatus.PARTIAL_SUCCESS if documents else ResponseStatus.FAILURE
    parts: list[MimePart] = []
    pieces = [
        f'<xds:RetrieveDocumentSetResponse xmlns:xds="{XDS_NS}">'
        f"{write_registry_response(RegistryResponse(status, tuple(errors)))}"
    ]
    for number, document in enumerate(documents, start=1):
        if packaged:
            part = MimePart(
                content_id=f"document-{number}@{CONTENT_ID_HOST}",
                content_type=document.mime_type,
                body=document.document,
            )
            parts.append(part)
            content = include_element(part.content_id)
        else:
            content = base64.b64encode(document.document).decode("ascii")
        pieces.append(_written_document(document, content))
    pieces.append("</xds:RetrieveDocumentSetResponse>")
    return "".join(pieces).encode(), tuple(parts)


def _written_document(document: RetrievedDocument, content: str) -> str:
    if document.new_document_unique_id == document.request.document_unique_id:
        raise InvalidMetadata("NewDocumentUniqueId", "equal to the id asked for")
    new = ""
    if document.new_repository_unique_id is not None:
        new += (
            f"<xds:NewRepositoryUniqueId>{text(document.new_repository_unique_id)}"
            "</xds:NewRepositoryUniqueId>"
        )
    if document.new_document_unique_id is not None:
        new += (
            f"<xds:NewDocumentUniqueId>{text(document.new_document_unique_id)}"
            "</xds:NewDocumentUniqueId>"
        )
    return (
        f"<xds:DocumentResponse>{_ids(document.request)}{new}"
        f"<xds:mimeType>{text(document.mime_type)}</xds:mimeType>"
        f"<xds:Document>{content}</xds:Document></xds:DocumentResponse>"
    )


def http_answer(
    payload: bytes,
    parts: Sequence[MimePart],
    *,
    header_blocks: bytes,
    version: SoapVersion,
    packaged: bool,
) -> tuple[str, bytes]:
    """Put an answer into envelope and, if asked for, package.

    Returns:
        The Content-Type header and the body.
    """
    envelope = build_envelope(version, header_blocks, payload)
    if packaged:
        return write_package(envelope, parts, version, action=RESPONSE_ACTION)
    if parts:
        raise ValueError("parts in a plain answer")
    return http_headers(version, RESPONSE_ACTION)["Content-Type"], envelope
