"""Reading a stored query as a registry: from ``query:AdhocQueryRequest`` to a record.

What is wrong with the query becomes a :class:`StoredQueryError` with the code the
standard names for it. Tolerances are named one by one in the record, so that they
can be counted.

Source: IHE ITI TF-2 3.18.4.1.2.3 and 3.18.4.1.3.
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from nsp_client.errors import InvalidMetadata, MalformedMessage, RegistryErrorCode
from nsp_client.xds.metadata import AvailabilityStatus, ObjectType, padded_dtm
from nsp_client.xds.namespaces import QUERY_NS, RIM_NS
from nsp_client.xds.stored_query import (
    FIND_DOCUMENTS,
    GET_DOCUMENTS,
    CodeFilter,
    FindDocuments,
    GetDocuments,
    ReturnType,
    StoredQuery,
    StoredQueryError,
    TimeRange,
)
from nsp_client.xds.stored_query_values import Token, ValueSyntaxError, tokens_of

MAX_ITEMS: Final = 1_000
"""Items of one parameter; beyond that a query is refused."""

_REQUEST: Final = f"{{{QUERY_NS}}}AdhocQueryRequest"
_OPTION: Final = f"{{{QUERY_NS}}}ResponseOption"
_QUERY: Final = f"{{{RIM_NS}}}AdhocQuery"
_SLOT: Final = f"{{{RIM_NS}}}Slot"
_VALUE: Final = f"{{{RIM_NS}}}ValueList/{{{RIM_NS}}}Value"

_PREFIX: Final = "$XDSDocumentEntry"
_STATUSES: Final = frozenset(status.value for status in AvailabilityStatus)
_ERROR: Final = RegistryErrorCode.REGISTRY_ERROR
_NUMBER: Final = RegistryErrorCode.STORED_QUERY_PARAM_NUMBER
_MISSING: Final = RegistryErrorCode.STORED_QUERY_MISSING_PARAM

UNQUOTED_PATIENT_ID: Final = "unquoted_patient_id"
UNQUOTED_TEXT: Final = "unquoted_text"
QUOTED_NUMBER: Final = "quoted_number"


class _Parameters:
    """Parameters by name, one group of tokens per slot; read on demand, so that what
    a query does not know is passed over whatever its form."""

    def __init__(self, query: etree._Element) -> None:
        self._slots: dict[str, list[etree._Element]] = {}
        for slot in query.iterchildren(_SLOT):
            self._slots.setdefault((slot.get("name") or "").strip(), []).append(slot)
        self.tolerances: list[str] = []

    def groups(self, name: str) -> list[list[Token]]:
        """All groups of a parameter; several ``rim:Value`` of one slot are one group."""
        groups: list[list[Token]] = []
        total = 0
        for slot in self._slots.get(name, ()):
            group: list[Token] = []
            for value in slot.iterfind(_VALUE):
                try:
                    group += tokens_of(value.text or "")
                except ValueSyntaxError as error:
                    raise StoredQueryError(_ERROR, f"{name}: {error}") from error
                if total + len(group) > MAX_ITEMS:
                    raise StoredQueryError(_NUMBER, f"{name}: too many items")
            total += len(group)
            if group:
                groups.append(group)
        return groups

    def texts(self, name: str) -> tuple[str, ...]:
        """Items of a parameter that may stand in one slot only."""
        groups = self.groups(name)
        if len(groups) > 1:
            raise StoredQueryError(_NUMBER, f"{name}: given more than once")
        return self._texts(groups[0]) if groups else ()

    def single(self, name: str, *, tolerance: str = UNQUOTED_TEXT) -> str | None:
        """The one value of a parameter, or None."""
        groups = self.groups(name)
        if not groups:
            return None
        if len(groups) > 1 or len(groups[0]) > 1:
            raise StoredQueryError(_NUMBER, f"{name}: more than one value")
        return self._texts(groups[0], tolerance)[0]

    def time(self, name: str) -> str | None:
        """A time, in quotes or bare."""
        groups = self.groups(name)
        if not groups:
            return None
        if len(groups) > 1 or len(groups[0]) > 1:
            raise StoredQueryError(_NUMBER, f"{name}: more than one value")
        token = groups[0][0]
        if token.quoted:
            self.tolerances.append(QUOTED_NUMBER)
        try:
            padded_dtm(token.text)
        except InvalidMetadata as error:
            raise StoredQueryError(_ERROR, f"{name}: {error.reason}") from error
        return token.text

    def range(self, name: str) -> TimeRange:
        return TimeRange(self.time(f"{name}From"), self.time(f"{name}To"))

    def codes(self, name: str) -> tuple[CodeFilter, ...]:
        return tuple(_code(name, value) for value in self.texts(name))

    def code_groups(self, name: str) -> tuple[tuple[CodeFilter, ...], ...]:
        """Codes of a parameter whose slots are joined by AND."""
        return tuple(
            tuple(_code(name, value) for value in self._texts(group)) for group in self.groups(name)
        )

    def _texts(self, group: list[Token], tolerance: str = UNQUOTED_TEXT) -> tuple[str, ...]:
        if any(not token.quoted for token in group):
            self.tolerances.append(tolerance)
        return tuple(token.text for token in group)


def _code(name: str, value: str) -> CodeFilter:
    code, separator, scheme = value.partition("^^")
    if not (separator and code and scheme) or "^" in code or "^" in scheme:
        raise StoredQueryError(_ERROR, f"{name}: a code needs the form code^^scheme")
    return CodeFilter(code, scheme)


def parse_request(element: etree._Element | None) -> StoredQuery:
    """Read the payload of a query.

    Args:
        element: the first element of the SOAP body.

    Raises:
        MalformedMessage: not a query at all; answer with a SOAP fault.
        StoredQueryError: a query that cannot be answered; answer with its code.
    """
    if element is None or element.tag != _REQUEST:
        raise MalformedMessage("a body without query:AdhocQueryRequest")
    option, query = element.find(_OPTION), element.find(_QUERY)
    if option is None or query is None:
        raise MalformedMessage("a query without ResponseOption or AdhocQuery")
    return_type = _return_type(option)
    query_id = (query.get("id") or "").strip().lower()
    parameters = _Parameters(query)
    if query_id == FIND_DOCUMENTS:
        return _find_documents(parameters, return_type)
    if query_id == GET_DOCUMENTS:
        return _get_documents(parameters, return_type)
    raise StoredQueryError(RegistryErrorCode.UNKNOWN_STORED_QUERY, "the id of the query")


def _return_type(option: etree._Element) -> ReturnType:
    wanted = (option.get("returnType") or "").strip()
    for return_type in ReturnType:
        if return_type.value == wanted:
            return return_type
    raise StoredQueryError(_ERROR, "returnType: LeafClass or ObjectRef")


def _find_documents(parameters: _Parameters, return_type: ReturnType) -> FindDocuments:
    patient_id = parameters.single(f"{_PREFIX}PatientId", tolerance=UNQUOTED_PATIENT_ID)
    if not patient_id:
        raise StoredQueryError(_MISSING, f"{_PREFIX}PatientId")
    # Unknown words are passed over; a query with nothing else has no status.
    statuses = frozenset(parameters.texts(f"{_PREFIX}Status")) & _STATUSES
    if not statuses:
        raise StoredQueryError(_MISSING, f"{_PREFIX}Status")
    types = frozenset(value.lower() for value in parameters.texts(f"{_PREFIX}Type"))
    return FindDocuments(
        patient_id=patient_id,
        statuses=statuses,
        object_types=types or frozenset({ObjectType.STABLE.value}),
        class_codes=parameters.codes(f"{_PREFIX}ClassCode"),
        type_codes=parameters.codes(f"{_PREFIX}TypeCode"),
        practice_setting_codes=parameters.codes(f"{_PREFIX}PracticeSettingCode"),
        healthcare_facility_type_codes=parameters.codes(f"{_PREFIX}HealthcareFacilityTypeCode"),
        format_codes=parameters.codes(f"{_PREFIX}FormatCode"),
        event_codes=parameters.code_groups(f"{_PREFIX}EventCodeList"),
        confidentiality_codes=parameters.code_groups(f"{_PREFIX}ConfidentialityCode"),
        author_persons=parameters.texts(f"{_PREFIX}AuthorPerson"),
        creation_time=parameters.range(f"{_PREFIX}CreationTime"),
        service_start_time=parameters.range(f"{_PREFIX}ServiceStartTime"),
        service_stop_time=parameters.range(f"{_PREFIX}ServiceStopTime"),
        return_type=return_type,
        tolerances=tuple(dict.fromkeys(parameters.tolerances)),
    )


def _get_documents(parameters: _Parameters, return_type: ReturnType) -> GetDocuments:
    entry_uuids = parameters.texts(f"{_PREFIX}EntryUUID")
    unique_ids = parameters.texts(f"{_PREFIX}UniqueId")
    if entry_uuids and unique_ids:
        raise StoredQueryError(_NUMBER, f"{_PREFIX}EntryUUID and {_PREFIX}UniqueId")
    if not (entry_uuids or unique_ids):
        raise StoredQueryError(_MISSING, f"{_PREFIX}EntryUUID or {_PREFIX}UniqueId")
    return GetDocuments(
        entry_uuids=entry_uuids,
        unique_ids=unique_ids,
        return_type=return_type,
        tolerances=tuple(dict.fromkeys(parameters.tolerances)),
    )
