"""Danish and international identifiers: checked when made, masked when printed.

Each is a frozen, hashable record around ``value``; making one from a wrong form
raises :class:`~nsp_client.errors.InvalidIdentifier`, which never repeats the value.

Source: CPR form as in dk-core's ``cpr`` constraint (a day valid for the month,
six digits more, no modulus 11 test: numbers without it are issued since 2007);
replacement numbers as in dk-core's ``x-ecpr`` and ``d-ecpr``; OID form ISO/IEC
8824; document unique ids IHE ITI TF-3 4.2.3.2.26 and RFC 4122.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from nsp_client.errors import InvalidIdentifier

CPR_OID: Final = "1.2.208.176.1.2"
"""Assigning authority of civil registration numbers."""

SOR_OID: Final = "1.2.208.176.1.1"
"""Assigning authority of the organisation register (SOR)."""

_DAY_AND_MONTH: Final = (
    r"(?:(?:0[1-9]|[12][0-9]|3[01])(?:0[13578]|1[02])"
    r"|(?:0[1-9]|[12][0-9]|30)(?:0[469]|11)"
    r"|(?:0[1-9]|[12][0-9])02)"
)
_CPR: Final = re.compile(_DAY_AND_MONTH + r"[0-9]{6}")
_ECPR: Final = re.compile(_DAY_AND_MONTH + r"[0-9]{2}[01567][A-Z]{2}[0-9]")
_DAY_PLUS_60: Final = re.compile(r"(?:6[1-9]|[78][0-9]|9[01])(?:0[1-9]|1[0-2])[0-9]{6}")
_LETTERS: Final = re.compile(r"[0-9]{6}(?=[0-9A-Z]*[A-Z])[0-9A-Z]{4}")
_SOR: Final = re.compile(r"[1-9][0-9]{10,17}")
_PROVIDER: Final = re.compile(r"[0-9]{6}")
_OID: Final = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
_UNIQUE_ID: Final = re.compile(r"[!-~]{1,128}")
_URN_UUID: Final = re.compile(
    r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)
_BARE_UUID: Final = re.compile(_URN_UUID.pattern.removeprefix("urn:uuid:"), re.IGNORECASE)


def is_replacement_cpr(value: str) -> bool:
    """Tell a replacement number (national or regional eCPR, day + 60, letters) from others.

    A dash after the sixth character is looked past. True means that the value
    has the form of a replacement number, not that it was ever issued.
    """
    bare = value[:6] + value[7:] if len(value) == 11 and value[6] == "-" else value
    return any(form.fullmatch(bare) is not None for form in (_ECPR, _DAY_PLUS_60, _LETTERS))


@dataclass(frozen=True, slots=True, repr=False)
class Cpr:
    """A civil registration number: ten digits beginning with a possible day and month.

    ``value`` is the raw number; ``str()`` and ``repr()`` give ``300174****``.
    """

    value: str

    def __post_init__(self) -> None:
        if _CPR.fullmatch(self.value) is None:
            reason = (
                "a replacement number"
                if is_replacement_cpr(self.value)
                else "not ten digits beginning with a day and a month"
            )
            raise InvalidIdentifier("CPR", reason)

    def __str__(self) -> str:
        return f"{self.value[:6]}****"

    def __repr__(self) -> str:
        return f"Cpr({self.value[:6]}****)"

    @property
    def cx(self) -> str:
        """HL7 CX with the assigning authority, as XDS metadata wants it."""
        return f"{self.value}^^^&{CPR_OID}&ISO"


@dataclass(frozen=True, slots=True)
class SorCode:
    """Id of an organisation in SOR: eleven digits or more. A provider number is none."""

    value: str

    def __post_init__(self) -> None:
        if _SOR.fullmatch(self.value) is None:
            raise InvalidIdentifier("SOR", "not 11 to 18 digits")

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class ProviderNumber:
    """Ydernummer: six digits, kept as text because leading zeros count."""

    value: str

    def __post_init__(self) -> None:
        if _PROVIDER.fullmatch(self.value) is None:
            raise InvalidIdentifier("provider number", "not six digits")

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Oid:
    """A bare OID of at most 64 characters; ``urn`` gives the URN form."""

    value: str

    def __post_init__(self) -> None:
        if not is_oid(self.value):
            raise InvalidIdentifier("OID", "not a bare OID of at most 64 characters")

    def __str__(self) -> str:
        return self.value

    @property
    def urn(self) -> str:
        return f"urn:oid:{self.value}"


def is_oid(value: str) -> bool:
    """Tell whether ``value`` is a bare OID: no leading zeros, first arc 0-2, at most 64."""
    return len(value) <= 64 and _OID.fullmatch(value) is not None


def is_urn_uuid(value: str) -> bool:
    """Tell whether ``value`` is ``urn:uuid:`` and a UUID, in any letter case."""
    return _URN_UUID.fullmatch(value) is not None


def oid_from_uuid(uuid: UUID) -> Oid:
    """Turn a UUID into an OID under ``2.25`` (ITU-T X.667), as submission sets carry."""
    return Oid(f"2.25.{uuid.int}")


@dataclass(frozen=True, slots=True)
class DocumentUniqueId:
    """A document's ``unique_id``: opaque, printable ASCII, no blank, at most 128 characters.

    Two ids are equal when their characters are; :attr:`comparable` is for
    finding a note by either of the two forms in use.
    """

    value: str

    def __post_init__(self) -> None:
        if _UNIQUE_ID.fullmatch(self.value) is None:
            raise InvalidIdentifier(
                "document unique id", "not 1 to 128 printable characters without blanks"
            )

    def __str__(self) -> str:
        return self.value

    @classmethod
    def from_uuid(cls, uuid: UUID) -> DocumentUniqueId:
        """The default form, ``urn:uuid:`` in lower case."""
        return cls(f"urn:uuid:{uuid}")

    @classmethod
    def oid_caret(cls, root: Oid, uuid: UUID) -> DocumentUniqueId:
        """The form of CDA, ``root^extension``, for a registry that insists on it."""
        return cls(f"{root.value}^{uuid}")

    @property
    def comparable(self) -> str:
        """The UUID in lower case for both forms, else the value itself."""
        return comparable_unique_id(self.value)


def comparable_unique_id(value: str) -> str:
    """Reduce ``urn:uuid:<uuid>`` and ``<oid>^<uuid>`` to the UUID; leave all else alone."""
    if _URN_UUID.fullmatch(value) is not None:
        return value[9:].lower()
    root, caret, extension = value.partition("^")
    if caret and _BARE_UUID.fullmatch(extension) is not None and is_oid(root):
        return extension.lower()
    return value
