"""ITI-41 Provide and Register Document Set-b, as document source.

A submission is one set, one entry and its document. All its ids come from the
records, so that a resend repeats them and the registry can tell it from a second
document.

Source: IHE ITI TF-2 3.41; TF-3 4.2; the Danish service's wrapping in DGWS.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final

from nsp_client.errors import InvalidMetadata, RegistryErrorCode
from nsp_client.soap.answer import open_answer
from nsp_client.soap.envelope import SoapVersion, build_envelope, request_addressing
from nsp_client.soap.mtom import MimePart, include_element, write_package
from nsp_client.xds.associations import UNRELATED, Relations, submission_associations
from nsp_client.xds.checks import (
    entry_faults,
    require,
    shared_note_faults,
    submission_faults,
)
from nsp_client.xds.ebxml import (
    write_association,
    write_document_entry,
    write_submission_set,
)
from nsp_client.xds.fingerprint import fingerprint
from nsp_client.xds.metadata import (
    DocumentEntry,
    ObjectType,
    SubmissionSet,
)
from nsp_client.xds.namespaces import LCM_NS, RIM_NS, XDS_NS
from nsp_client.xds.registry_response import (
    RegistryResponse,
    ResponseStatus,
    registry_response_of,
)

ACTION: Final = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
RESPONSE_ACTION: Final = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse"
CONTENT_ID_HOST: Final = "notegateway"


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """A submission ready for an envelope: payload of the body, and the document's part."""

    body: bytes = field(repr=False)
    part: MimePart


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What goes over HTTP: body and headers (Content-Type, and SOAPAction for SOAP 1.1)."""

    body: bytes = field(repr=False)
    headers: dict[str, str]


class SubmitOutcome(enum.Enum):
    """What a registry's answer means for a submission."""

    STORED = "stored"
    DUPLICATE_SUBMISSION_SET = "duplicate_submission_set"
    """An earlier try of ours got through: done, once the entry's hash is looked up."""
    REFUSED = "refused"


def submit_request(
    entry: DocumentEntry,
    submission_set: SubmissionSet,
    document: bytes,
    *,
    relations: Relations = UNRELATED,
    is_shared_note: bool = True,
) -> SubmitRequest:
    """Write a submission of one stable document.

    Args:
        document: the finished bytes, signed and all; they leave unchanged.
        relations: to entries already there (entryUUID, not uniqueId): which one
            this replaces, renders or signs.
        is_shared_note: False for a document of another kind, such as a signature.

    Raises:
        InvalidMetadata: a rule of the metadata is broken, or hash or size are
            not those of ``document``.
    """
    faults = entry_faults(entry) + submission_faults(entry, submission_set)
    require(faults + shared_note_faults(entry) if is_shared_note else faults)
    if entry.object_type != ObjectType.STABLE:
        raise InvalidMetadata("objectType", "only a stable entry is submitted with its bytes")
    figures = fingerprint(document)
    if (entry.hash or "").lower() != figures.hash or entry.size != figures.size_bytes:
        raise InvalidMetadata("hash", "hash or size is not that of the document")
    content_id = f"{entry.entry_uuid[9:]}@{CONTENT_ID_HOST}"
    body = (
        f'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="{XDS_NS}">'
        f"{submit_objects_request(entry, submission_set, relations)}"
        f'<xds:Document id="{entry.entry_uuid}">{include_element(content_id)}</xds:Document>'
        "</xds:ProvideAndRegisterDocumentSetRequest>"
    )
    return SubmitRequest(
        body=body.encode(),
        part=MimePart(content_id=content_id, content_type=entry.mime_type, body=document),
    )


def submit_objects_request(
    entry: DocumentEntry, submission_set: SubmissionSet, relations: Relations = UNRELATED
) -> str:
    """Write the metadata of a submission as a complete ``lcm:SubmitObjectsRequest``.

    Raises:
        InvalidMetadata: as :func:`nsp_client.xds.associations.submission_associations`.
    """
    associations = submission_associations(entry, submission_set, relations)
    return (
        f'<lcm:SubmitObjectsRequest xmlns:lcm="{LCM_NS}">'
        f'<rim:RegistryObjectList xmlns:rim="{RIM_NS}">'
        f"{write_document_entry(entry)}{write_submission_set(submission_set)}"
        f"{''.join(map(write_association, associations))}"
        "</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    )


def http_request(
    submission: SubmitRequest,
    *,
    header_blocks: bytes,
    to: str,
    message_id: str,
    version: SoapVersion = SoapVersion.SOAP11,
    boundary: str | None = None,
) -> HttpRequest:
    """Put a submission into envelope and package.

    Args:
        header_blocks: the DGWS header blocks (id card and MedCom header).
        message_id: ``urn:uuid:…`` for WS-Addressing; the same one for a resend
            after a lost answer.
        boundary: of the package; made at random when None.
    """
    addressing = request_addressing(version, action=ACTION, message_id=message_id, to=to)
    envelope = build_envelope(version, header_blocks + addressing, submission.body)
    content_type, body = write_package(
        envelope, (submission.part,), version, action=ACTION, boundary=boundary
    )
    headers = {"Content-Type": content_type, "MIME-Version": "1.0"}
    if version is SoapVersion.SOAP11:
        headers["SOAPAction"] = f'"{ACTION}"'
    return HttpRequest(body=body, headers=headers)


def registry_response(content_type: str, body: bytes, status: int = 200) -> RegistryResponse:
    """Read an answer as it came over HTTP, in a package or plain.

    Raises:
        DgwsFault, SoapFault, NoAnswer, HttpRefusal, MalformedMessage: as
            :func:`nsp_client.soap.answer.open_answer`.
    """
    return registry_response_of(open_answer(status, content_type, body).envelope)


def outcome(response: RegistryResponse) -> SubmitOutcome:
    """Tell what an answer means. Warnings do not matter; a mixed list of errors is a refusal."""
    if response.status is ResponseStatus.SUCCESS:
        return SubmitOutcome.STORED
    codes = {error.code for error in response.real_errors}
    if codes == {RegistryErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY.value}:
        return SubmitOutcome.DUPLICATE_SUBMISSION_SET
    return SubmitOutcome.REFUSED
