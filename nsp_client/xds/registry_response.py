"""``rs:RegistryResponse`` and its error list, as every XDS transaction answers with.

Success with a list of warnings is success: the severity of each line decides, not
the mere presence of a list.

Source: OASIS ebRS 3.0; IHE ITI TF-3 4.2.4.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lxml import etree

from nsp_client.errors import (
    SEVERITY_ERROR,
    SEVERITY_WARNING,
    MalformedMessage,
    RegistryError,
    RegistryRefusal,
)
from nsp_client.soap.envelope import Envelope
from nsp_client.xds.namespaces import RS_NS
from nsp_client.xml_text import attribute

_RESPONSE: Final = f"{{{RS_NS}}}RegistryResponse"
_ERROR_LIST: Final = f"{{{RS_NS}}}RegistryErrorList"
_ERROR: Final = f"{{{RS_NS}}}RegistryError"


class ResponseStatus(enum.Enum):
    """Outcome of a transaction; the value is the wire spelling."""

    SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
    PARTIAL_SUCCESS = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
    FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"


_STATUSES: Final = {status.value: status for status in ResponseStatus} | {
    # Written by some in the wrong name space; it can mean only one thing.
    "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:PartialSuccess": (
        ResponseStatus.PARTIAL_SUCCESS
    )
}


@dataclass(frozen=True, slots=True)
class RegistryResponse:
    """A registry's or repository's answer.

    Attributes:
        errors: the whole list in its order, warnings too.
    """

    status: ResponseStatus
    errors: tuple[RegistryError, ...] = ()

    @property
    def warnings(self) -> tuple[RegistryError, ...]:
        return tuple(error for error in self.errors if error.is_warning)

    @property
    def real_errors(self) -> tuple[RegistryError, ...]:
        return tuple(error for error in self.errors if not error.is_warning)

    def require_success(self) -> RegistryResponse:
        """Return self when the status is Success.

        Raises:
            RegistryRefusal: any other status.
        """
        if self.status is not ResponseStatus.SUCCESS:
            raise RegistryRefusal(self.errors)
        return self


def read_response_element(element: etree._Element) -> RegistryResponse:
    """Read status and error list of a RegistryResponse or of an element of that kind.

    Raises:
        MalformedMessage: no status, or one that does not exist.
    """
    status = _STATUSES.get((element.get("status") or "").strip())
    if status is None:
        raise MalformedMessage("a registry answer without a known status")
    listed = element.find(_ERROR_LIST)
    errors: tuple[RegistryError, ...] = ()
    if listed is not None:
        errors = tuple(_read_error(error) for error in listed.iterchildren(_ERROR))
    return RegistryResponse(status=status, errors=errors)


def _read_error(element: etree._Element) -> RegistryError:
    return RegistryError(
        code=(element.get("errorCode") or "").strip(),
        context=element.get("codeContext") or "",
        location=element.get("location"),
        # Absent means error; anything but the very warning URI counts as one.
        is_warning=(element.get("severity") or "").strip() == SEVERITY_WARNING,
    )


def registry_response_of(envelope: Envelope) -> RegistryResponse:
    """Take the body of an ITI-41, 42, 57, 61 or 62 answer.

    Raises:
        MalformedMessage: the body holds something else.
    """
    element = envelope.payload
    if element is None or element.tag != _RESPONSE:
        raise MalformedMessage("an answer without rs:RegistryResponse")
    return read_response_element(element)


def write_error_list(errors: Iterable[RegistryError]) -> str:
    """Write ``rs:RegistryErrorList``, or nothing for no errors; binds its own prefix."""
    listed = list(errors)
    if not listed:
        return ""
    highest = SEVERITY_WARNING if all(error.is_warning for error in listed) else SEVERITY_ERROR
    lines = "".join(
        f'<rs:RegistryError errorCode="{attribute(error.code)}"'
        f' codeContext="{attribute(error.context)}"'
        + ("" if error.location is None else f' location="{attribute(error.location)}"')
        + f' severity="{SEVERITY_WARNING if error.is_warning else SEVERITY_ERROR}"/>'
        for error in listed
    )
    return (
        f'<rs:RegistryErrorList xmlns:rs="{RS_NS}" highestSeverity="{highest}">'
        f"{lines}</rs:RegistryErrorList>"
    )


def write_registry_response(response: RegistryResponse) -> str:
    """Write a complete ``rs:RegistryResponse``."""
    return (
        f'<rs:RegistryResponse xmlns:rs="{RS_NS}" status="{response.status.value}">'
        f"{write_error_list(response.errors)}</rs:RegistryResponse>"
    )
