"""ITI-57 Update Document Set: taking a document out of view.

The Danish service uses one operation of this transaction, the change of status
from Approved to Deprecated: a submission set and an association, no entry.

Source: IHE ITI XDS Metadata Update, 3.57; the recorded Danish message.
"""

from __future__ import annotations

from typing import Final

from nsp_client.errors import InvalidMetadata
from nsp_client.identifiers import is_urn_uuid
from nsp_client.soap.answer import open_answer
from nsp_client.soap.envelope import (
    SoapVersion,
    build_envelope,
    http_headers,
    request_addressing,
)
from nsp_client.xds.checks import require, submission_set_faults
from nsp_client.xds.ebxml import derived_ids, write_association, write_submission_set
from nsp_client.xds.iti41 import HttpRequest
from nsp_client.xds.metadata import (
    Association,
    AssociationType,
    AvailabilityStatus,
    SubmissionSet,
)
from nsp_client.xds.namespaces import LCM_NS, RIM_NS
from nsp_client.xds.registry_response import RegistryResponse, registry_response_of

ACTION: Final = "urn:ihe:iti:2010:UpdateDocumentSet"
RESPONSE_ACTION: Final = "urn:ihe:iti:2010:UpdateDocumentSetResponse"


def deprecate_request(submission_set: SubmissionSet, entry_uuid: str) -> bytes:
    """Write the payload that turns an Approved entry into a Deprecated one.

    Args:
        submission_set: a new one, of the entry's patient.
        entry_uuid: id of the entry (not of the document), as first registered.

    Raises:
        InvalidMetadata: a broken set, or a target that is no entryUUID.
    """
    require(submission_set_faults(submission_set))
    if not is_urn_uuid(entry_uuid):
        raise InvalidMetadata("entryUUID", "the target is not urn:uuid:")
    change = Association(
        association_id=derived_ids(submission_set.entry_uuid, 1)[0],
        association_type=AssociationType.UPDATE_AVAILABILITY_STATUS,
        source=submission_set.entry_uuid,
        target=entry_uuid,
        original_status=AvailabilityStatus.APPROVED,
        new_status=AvailabilityStatus.DEPRECATED,
    )
    return (
        f'<lcm:SubmitObjectsRequest xmlns:lcm="{LCM_NS}">'
        f'<rim:RegistryObjectList xmlns:rim="{RIM_NS}">'
        f"{write_submission_set(submission_set)}{write_association(change)}"
        "</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
    ).encode()


def http_request(
    payload: bytes,
    *,
    header_blocks: bytes,
    to: str,
    message_id: str,
    version: SoapVersion = SoapVersion.SOAP11,
) -> HttpRequest:
    """Put the payload into an envelope; arguments as in :func:`iti41.http_request`."""
    addressing = request_addressing(version, action=ACTION, message_id=message_id, to=to)
    return HttpRequest(
        body=build_envelope(version, header_blocks + addressing, payload),
        headers=http_headers(version, ACTION),
    )


def registry_response(content_type: str, body: bytes, status: int = 200) -> RegistryResponse:
    """Read an answer; errors as in :func:`iti41.registry_response`."""
    return registry_response_of(open_answer(status, content_type, body).envelope)
