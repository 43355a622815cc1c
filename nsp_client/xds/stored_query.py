"""The stored queries we know, as records, and what they select.

The same record is written by a consumer, read by a registry and used by both to
pick entries: a consumer may not trust that a filter was applied.

Source: IHE ITI TF-2 3.18.4.1.2.3.7 (FindDocuments, GetDocuments).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from nsp_client.errors import InvalidMetadata, NspError, RegistryError, RegistryErrorCode
from nsp_client.xds.hl7 import write_xcn
from nsp_client.xds.metadata import (
    AvailabilityStatus,
    Code,
    DocumentEntry,
    ObjectType,
    padded_dtm,
)
from nsp_client.xds.stored_query_values import is_like

FIND_DOCUMENTS: Final = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
GET_DOCUMENTS: Final = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"


class ReturnType(enum.Enum):
    """Whole objects, or their ids only."""

    LEAF_CLASS = "LeafClass"
    OBJECT_REF = "ObjectRef"


class StoredQueryError(NspError):
    """A query that cannot be answered; goes back as a registry error.

    Attributes:
        error_code: what the answer carries.
        context: names the parameter, never its value.
    """

    code: str = "STORED-QUERY"
    actor = "peer"

    def __init__(self, error_code: RegistryErrorCode, context: str) -> None:
        super().__init__(f"{error_code.value}: {context}")
        self.error_code = error_code
        self.context = context

    def as_registry_error(self) -> RegistryError:
        return RegistryError(code=self.error_code.value, context=self.context)


@dataclass(frozen=True, slots=True)
class CodeFilter:
    """A code and its scheme as a query names them."""

    code: str
    scheme: str

    def fits(self, code: Code) -> bool:
        return self.code == code.code and self.scheme == code.scheme


@dataclass(frozen=True, slots=True)
class TimeRange:
    """``start <= value < stop``, both DTM of any precision; None leaves a side open."""

    start: str | None = None
    stop: str | None = None

    @property
    def is_open(self) -> bool:
        return self.start is None and self.stop is None

    def holds(self, value: str) -> bool:
        moment = padded_dtm(value)
        if self.start is not None and moment < padded_dtm(self.start):
            return False
        return self.stop is None or moment < padded_dtm(self.stop)


_ANY_TIME: Final = TimeRange()


@dataclass(frozen=True, slots=True)
class FindDocuments:
    """Documents of one patient. Empty filters do not filter.

    Attributes:
        patient_id: CX.
        object_types: as registries read it, none given means stable ones only.
        event_codes, confidentiality_codes: groups; an entry needs a hit in each.
        author_persons: LIKE patterns over the XCN.
        tolerances: names of what was let pass while reading the request.
    """

    patient_id: str = field(repr=False)
    statuses: frozenset[str] = frozenset({AvailabilityStatus.APPROVED.value})
    object_types: frozenset[str] = frozenset({ObjectType.STABLE.value})
    class_codes: tuple[CodeFilter, ...] = ()
    type_codes: tuple[CodeFilter, ...] = ()
    practice_setting_codes: tuple[CodeFilter, ...] = ()
    healthcare_facility_type_codes: tuple[CodeFilter, ...] = ()
    format_codes: tuple[CodeFilter, ...] = ()
    event_codes: tuple[tuple[CodeFilter, ...], ...] = ()
    confidentiality_codes: tuple[tuple[CodeFilter, ...], ...] = ()
    author_persons: tuple[str, ...] = field(default=(), repr=False)
    creation_time: TimeRange = _ANY_TIME
    service_start_time: TimeRange = _ANY_TIME
    service_stop_time: TimeRange = _ANY_TIME
    return_type: ReturnType = ReturnType.LEAF_CLASS
    tolerances: tuple[str, ...] = ()

    def selects(self, entry: DocumentEntry) -> bool:
        """Tell whether an entry is an answer to this query."""
        return (
            entry.patient_id == self.patient_id
            and entry.availability_status in self.statuses
            and entry.object_type in self.object_types
            and self._codes_fit(entry)
            and self._times_fit(entry)
            and self._author_fits(entry)
        )

    def _codes_fit(self, entry: DocumentEntry) -> bool:
        return (
            _any_fits(self.class_codes, (entry.class_code,))
            and _any_fits(self.type_codes, (entry.type_code,))
            and _any_fits(self.practice_setting_codes, (entry.practice_setting_code,))
            and _any_fits(
                self.healthcare_facility_type_codes, (entry.healthcare_facility_type_code,)
            )
            and _any_fits(self.format_codes, (entry.format_code,))
            and all(_any_fits(group, entry.event_codes) for group in self.event_codes)
            and all(
                _any_fits(group, entry.confidentiality_codes)
                for group in self.confidentiality_codes
            )
        )

    def _times_fit(self, entry: DocumentEntry) -> bool:
        # On-demand entries have no creation time; entries without service times
        # pass the filters on these.
        return (
            (
                self.creation_time.is_open
                or entry.is_on_demand
                or (
                    entry.creation_time is not None
                    and _time_fits(self.creation_time, entry.creation_time)
                )
            )
            and _time_fits(self.service_start_time, entry.service_start_time)
            and _time_fits(self.service_stop_time, entry.service_stop_time)
        )

    def _author_fits(self, entry: DocumentEntry) -> bool:
        if not self.author_persons:
            return True
        if entry.author_person is None:
            return False
        name = write_xcn(entry.author_person)
        return any(is_like(pattern, name) for pattern in self.author_persons)


@dataclass(frozen=True, slots=True)
class GetDocuments:
    """Entries by their ids; exactly one of the two is given. Unknown ids are just no hit."""

    entry_uuids: tuple[str, ...] = ()
    unique_ids: tuple[str, ...] = ()
    return_type: ReturnType = ReturnType.LEAF_CLASS
    tolerances: tuple[str, ...] = ()

    def selects(self, entry: DocumentEntry) -> bool:
        """Tell whether an entry is one of those asked for; UUIDs in any letter case."""
        if self.unique_ids:
            return entry.unique_id in self.unique_ids
        wanted = entry.entry_uuid.lower()
        return any(uuid.lower() == wanted for uuid in self.entry_uuids)


StoredQuery = FindDocuments | GetDocuments


def select(query: StoredQuery, entries: Iterable[DocumentEntry]) -> list[DocumentEntry]:
    """Pick the entries that answer a query, in their order.

    Raises:
        StoredQueryError: whole objects of more than one patient would be returned.
    """
    found = [entry for entry in entries if query.selects(entry)]
    if isinstance(query, GetDocuments) and query.return_type is ReturnType.LEAF_CLASS:
        require_single_patient(found)
    return found


def require_single_patient(entries: Sequence[DocumentEntry]) -> None:
    """Do nothing when all entries are of one patient.

    Raises:
        StoredQueryError: they are not.
    """
    if len({entry.patient_id for entry in entries}) > 1:
        raise StoredQueryError(
            RegistryErrorCode.RESULT_NOT_SINGLE_PATIENT, "documents of more than one patient"
        )


def _any_fits(filters: tuple[CodeFilter, ...], codes: Iterable[Code]) -> bool:
    return not filters or any(one.fits(code) for code in codes for one in filters)


def _time_fits(wanted: TimeRange, value: str | None) -> bool:
    if wanted.is_open or value is None:
        return True
    try:
        return wanted.holds(value)
    except InvalidMetadata:
        # A time that is none cannot be filtered on; it counts as not given.
        return True
