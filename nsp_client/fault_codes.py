"""Fault and error codes of the peers, and per code: does another try help, and who acts.

Closed lists as enums whose value is the wire spelling. A peer may send codes
that are not here; those are never retried.

Source: Den Gode Webservice 1.0.1, fault codes, with those of the SOSI gateway and
of DDS; WS-Trust 2005/02; IHE ITI TF-3 table 4.2.4.1-2.
"""

from __future__ import annotations

import enum
from typing import Final, Literal

Retry = Literal["no", "later", "after_renewal"]
Actor = Literal["sender", "operator", "peer", "developer"]


class DgwsFaultCode(enum.Enum):
    """Fault codes of Den Gode Webservice; the value is the wire spelling."""

    SYNTAX_ERROR = "syntax_error"
    MISSING_REQUIRED_HEADER = "missing_required_header"
    SECURITY_LEVEL_FAILED = "security_level_failed"
    INVALID_USERNAME_PASSWORD = "invalid_username_password"
    INVALID_SIGNATURE = "invalid_signature"
    INVALID_IDCARD = "invalid_idcard"
    INVALID_CERTIFICATE = "invalid_certificate"
    EXPIRED_IDCARD = "expired_idcard"
    NOT_AUTHORIZED = "not_authorized"
    ILLEGAL_HTTP_METHOD = "illegal_HTTP_method"
    NONREPUDIATION_NOT_SUPPORTED = "nonrepudiation_not_supported"
    INVALID_DATE_TIMEZONE = "invalid_date_timezone"
    SIGNATURE_NOT_SUPPORTED = "signature_not_supported"
    PROCESSING_PROBLEM = "processing_problem"
    SERVER_ERROR = "server_error"
    REQUEST_PAYLOAD_VALIDATION_ERROR = "request_payload_validation_error"
    RESPONSE_PAYLOAD_VALIDATION_ERROR = "response_payload_validation_error"
    INTERNAL_ERROR_MINLOG = "internal_error_minlog"
    INTERNAL_ERROR_TREATMENTRELATION = "internal_error_treatmentrelation"
    INTERNAL_ERROR_CONSENT = "internal_error_consent"
    SOSIGW_NO_VALID_IDCARD_IN_REQUEST = "sosigw_no_valid_idcard_in_request"
    SOSIGW_MISSING_SIGNINGINFO_IN_REQUEST = "sosigw_missing_signinginfo_in_request"
    SOSIGW_SYNTAX_ERROR_IN_REQUEST = "sosigw_syntax_error_in_request"
    SOSIGW_AWAITING_SIGNING = "sosigw_awaiting_signing"
    SOSIGW_NO_VALID_IDCARD_IN_CACHE = "sosigw_no_valid_idcard_in_cache"
    SOSIGW_ACCESS_DENIED = "sosigw_access_denied"
    SOSIGW_INTERNAL_ERROR = "sosigw_internal_error"
    SOSIGW_PROXY_ERROR = "sosigw_proxy_error"


_C = DgwsFaultCode

DGWS_FAULTS: Final[dict[DgwsFaultCode, tuple[Retry, Actor]]] = {
    _C.SYNTAX_ERROR: ("no", "developer"),
    _C.MISSING_REQUIRED_HEADER: ("no", "developer"),
    _C.SECURITY_LEVEL_FAILED: ("no", "operator"),
    _C.INVALID_USERNAME_PASSWORD: ("no", "operator"),
    # A card spoilt on the way is mended by fetching another, once.
    _C.INVALID_SIGNATURE: ("after_renewal", "operator"),
    _C.INVALID_IDCARD: ("no", "operator"),
    _C.INVALID_CERTIFICATE: ("no", "operator"),
    _C.EXPIRED_IDCARD: ("after_renewal", "peer"),
    _C.NOT_AUTHORIZED: ("no", "operator"),
    _C.ILLEGAL_HTTP_METHOD: ("no", "developer"),
    _C.NONREPUDIATION_NOT_SUPPORTED: ("no", "developer"),
    _C.INVALID_DATE_TIMEZONE: ("no", "developer"),
    _C.SIGNATURE_NOT_SUPPORTED: ("no", "operator"),
    _C.PROCESSING_PROBLEM: ("later", "peer"),
    _C.SERVER_ERROR: ("later", "peer"),
    _C.REQUEST_PAYLOAD_VALIDATION_ERROR: ("no", "developer"),
    _C.RESPONSE_PAYLOAD_VALIDATION_ERROR: ("later", "peer"),
    _C.INTERNAL_ERROR_MINLOG: ("later", "peer"),
    _C.INTERNAL_ERROR_TREATMENTRELATION: ("later", "peer"),
    _C.INTERNAL_ERROR_CONSENT: ("later", "peer"),
    _C.SOSIGW_NO_VALID_IDCARD_IN_REQUEST: ("after_renewal", "operator"),
    _C.SOSIGW_MISSING_SIGNINGINFO_IN_REQUEST: ("no", "developer"),
    _C.SOSIGW_SYNTAX_ERROR_IN_REQUEST: ("no", "developer"),
    _C.SOSIGW_AWAITING_SIGNING: ("later", "operator"),
    _C.SOSIGW_NO_VALID_IDCARD_IN_CACHE: ("after_renewal", "operator"),
    _C.SOSIGW_ACCESS_DENIED: ("no", "operator"),
    _C.SOSIGW_INTERNAL_ERROR: ("later", "peer"),
    _C.SOSIGW_PROXY_ERROR: ("later", "peer"),
}
"""Per code: when another try can help (never with the unchanged message), and who acts."""

_BY_SPELLING: Final = {code.value.lower(): code for code in DgwsFaultCode}


def dgws_fault_code(spelling: str) -> DgwsFaultCode | None:
    """Find the code for a wire spelling, in any letter case; None for an unknown one."""
    return _BY_SPELLING.get(spelling.strip().lower())


class StsFaultCode(enum.Enum):
    """Local names of the STS' fault codes."""

    FAILED_AUTHENTICATION = "FailedAuthentication"
    INVALID_REQUEST = "InvalidRequest"
    REQUEST_FAILED = "RequestFailed"


STS_RETRYABLE_TEXTS: Final = ("The specified request failed: cvrrid-cpr lookup failed",)
"""Beginnings of texts that tell of trouble behind the STS; everything else is final."""


class RegistryErrorCode(enum.Enum):
    """Error codes of the XDS registry and repository; the value is the wire spelling."""

    REGISTRY_ERROR = "XDSRegistryError"
    REPOSITORY_ERROR = "XDSRepositoryError"
    REGISTRY_BUSY = "XDSRegistryBusy"
    REPOSITORY_BUSY = "XDSRepositoryBusy"
    REGISTRY_OUT_OF_RESOURCES = "XDSRegistryOutOfResources"
    REPOSITORY_OUT_OF_RESOURCES = "XDSRepositoryOutOfResources"
    REGISTRY_NOT_AVAILABLE = "XDSRegistryNotAvailable"
    REGISTRY_METADATA_ERROR = "XDSRegistryMetadataError"
    REPOSITORY_METADATA_ERROR = "XDSRepositoryMetadataError"
    MISSING_DOCUMENT = "XDSMissingDocument"
    MISSING_DOCUMENT_METADATA = "XDSMissingDocumentMetadata"
    NON_IDENTICAL_HASH = "XDSNonIdenticalHash"
    NON_IDENTICAL_SIZE = "XDSNonIdenticalSize"
    DUPLICATE_UNIQUE_ID_IN_REGISTRY = "XDSDuplicateUniqueIdInRegistry"
    REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE = "XDSRegistryDuplicateUniqueIdInMessage"
    REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE = "XDSRepositoryDuplicateUniqueIdInMessage"
    UNKNOWN_PATIENT_ID = "XDSUnknownPatientId"
    PATIENT_ID_DOES_NOT_MATCH = "XDSPatientIdDoesNotMatch"
    REGISTRY_DEPRECATED_DOCUMENT_ERROR = "XDSRegistryDeprecatedDocumentError"
    UNRESOLVED_REFERENCE = "UnresolvedReferenceException"
    REPLACE_FAILED = "XDSReplaceFailed"
    EXTRA_METADATA_NOT_SAVED = "XDSExtraMetadataNotSaved"
    INVALID_DOCUMENT_CONTENT = "InvalidDocumentContent"
    DOCUMENT_QUEUED = "DocumentQueued"
    UNKNOWN_STORED_QUERY = "XDSUnknownStoredQuery"
    STORED_QUERY_MISSING_PARAM = "XDSStoredQueryMissingParam"
    STORED_QUERY_PARAM_NUMBER = "XDSStoredQueryParamNumber"
    RESULT_NOT_SINGLE_PATIENT = "XDSResultNotSinglePatient"
    TOO_MANY_RESULTS = "XDSTooManyResults"
    DOCUMENT_UNIQUE_ID_ERROR = "XDSDocumentUniqueIdError"
    UNKNOWN_REPOSITORY_ID = "XDSUnknownRepositoryId"
    UNKNOWN_COMMUNITY = "XDSUnknownCommunity"
    UNAVAILABLE_COMMUNITY = "XDSUnavailableCommunity"
    MISSING_HOME_COMMUNITY_ID = "XDSMissingHomeCommunityId"
    UNKNOWN_RECIPIENT = "UnknownRecipient"
    UNAVAILABLE_RECIPIENT = "UnavailableRecipient"
    METADATA_UPDATE_ERROR = "XDSMetadataUpdateError"
    METADATA_UPDATE_OPERATION_ERROR = "XDSMetadataUpdateOperationError"
    METADATA_VERSION_ERROR = "XDSMetadataVersionError"
    PATIENT_ID_RECONCILIATION_ERROR = "XDSPatientIDReconciliationError"
    METADATA_IDENTIFIER_ERROR = "XDSMetadataIdentifierError"
    UNMODIFIABLE_METADATA = "UnmodifiableMetadataError"
    REFERENCES_EXIST = "ReferencesExistException"
    UNREFERENCED_OBJECT = "XDSUnreferencedObjectException"
    METADATA_MODEL = "XDSMetadataModelException"
    REMOVE_DOCUMENTS_ERROR = "XDSRemoveDocumentsError"
    OBJECT_TYPE_ERROR = "XDSObjectTypeError"
    INVALID_REQUEST = "XDSInvalidRequestException"
    LOCAL_POLICY_RESTRICTION = "LocalPolicyRestrictionError"
    METADATA_ANNOTATION = "XDSMetadataAnnotationError"


_R = RegistryErrorCode

RETRYABLE_REGISTRY_CODES: Final[frozenset[str]] = frozenset(
    code.value
    for code in (
        _R.REGISTRY_ERROR,
        _R.REPOSITORY_ERROR,
        _R.REGISTRY_BUSY,
        _R.REPOSITORY_BUSY,
        _R.REGISTRY_OUT_OF_RESOURCES,
        _R.REPOSITORY_OUT_OF_RESOURCES,
        _R.REGISTRY_NOT_AVAILABLE,
        _R.UNAVAILABLE_COMMUNITY,
        _R.UNAVAILABLE_RECIPIENT,
    )
)
"""Codes of load and inner trouble: same ids, new MessageID, back off, bounded."""

BOUNDED_RETRY_CODES: Final[frozenset[str]] = frozenset(
    {_R.REGISTRY_ERROR.value, _R.REPOSITORY_ERROR.value}
)
"""Unclassified trouble: a few tries only, then a person."""

SEVERITY_ERROR: Final = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
SEVERITY_WARNING: Final = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"
