"""HL7 v2 data types inside XDS metadata: XON, XCN, XPN, CX, and their escapes.

Text from people is escaped before it becomes a component, so that a clinic named
``Bagge & Holm`` does not turn into two sub-components; the XML layer escapes once
more. The ``&`` that joins given names and that of ``&ISO`` are separators.

Source: IHE ITI TF-3 table 4.2.3.1.7-2; HL7 2.5 chapter 2.7; the Danish profile's
forms of XON (name, SOR) and XCN (names only).
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from nsp_client.errors import InvalidIdentifier
from nsp_client.identifiers import CPR_OID, SOR_OID, Cpr
from nsp_client.xds.metadata import AuthorInstitution, AuthorPerson, PatientInfo

MAX_SLOT_VALUE: Final = 256
"""Characters of one slot value, escapes included."""

_ESCAPES: Final = str.maketrans(
    {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
)
_SPECIAL: Final = re.compile(r"[\\|^&~]")
_ESCAPED: Final = re.compile(r"\\([EFSTR])\\")
_UNESCAPES: Final = {"E": "\\", "F": "|", "S": "^", "T": "&", "R": "~"}


def escape(text: str) -> str:
    """Escape the five separators of HL7 v2; white space of any kind becomes one blank."""
    if not text.isprintable():
        text = " ".join(text.split())
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


def unescape(text: str) -> str:
    """Undo :func:`escape`; an unknown escape stays as it is."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda match: _UNESCAPES[match.group(1)], text)


def _fitted(text: str, room: int) -> str:
    """Escape as much of ``text`` from its start as fits, never half an escape."""
    escaped = escape(text)
    while len(escaped) > room:
        text = text[: len(text) - max(1, (len(escaped) - room) // 3)]
        escaped = escape(text)
    return escaped


def write_xon(institution: AuthorInstitution) -> str:
    """Write name and SOR code; a name too long for a slot value is cut at its end."""
    tail = f"^^^^^&{SOR_OID}&ISO^^^^{escape(institution.sor_code)}"
    return _fitted(institution.name, MAX_SLOT_VALUE - len(tail)) + tail


def read_xon(value: str) -> AuthorInstitution:
    """Read name (component 1) and id (component 10, else none)."""
    parts = value.split("^")
    code = parts[9] if len(parts) > 9 else ""
    return AuthorInstitution(name=unescape(parts[0]).strip(), sor_code=unescape(code).strip())


def _write_name(family: str, given: tuple[str, ...], room: int) -> str:
    """Family, first given, further given joined by ``&``; the last ones go when too long."""
    names = list(given)
    while True:
        components = [escape(family)]
        if names:
            components.append(escape(names[0]))
        if len(names) > 1:
            components.append("&".join(map(escape, names[1:])))
        written = "^".join(components)
        if len(written) <= room:
            return written
        if not names:
            return _fitted(family, room)
        names.pop()


def _read_name(components: list[str]) -> tuple[str, tuple[str, ...]]:
    family = unescape(components[0]).strip() if components else ""
    given: list[str] = []
    for component in components[1:3]:
        given.extend(unescape(part).strip() for part in component.split("&"))
    return family, tuple(name for name in given if name)


def write_xcn(person: AuthorPerson) -> str:
    """Write a name with an empty id: ``^Andersen^Anders^Frederik&Ingolf``."""
    return "^" + _write_name(person.family, person.given, MAX_SLOT_VALUE - 1)


def read_xcn(value: str) -> AuthorPerson:
    """Read the names; id and the stray ``&ISO`` of Danish samples are passed over."""
    family, given = _read_name(value.split("^")[1:4])
    return AuthorPerson(family=family, given=given)


def write_patient_info(info: PatientInfo, source_patient_id: str) -> list[str]:
    """Write the values of ``sourcePatientInfo``: PID-3, 5, 7, 8; an address never."""
    values = [
        f"PID-3|{source_patient_id}",
        "PID-5|" + _write_name(info.family, info.given, MAX_SLOT_VALUE - 6),
    ]
    if info.birth_date is not None:
        day = info.birth_date
        values.append(f"PID-7|{day.year:04d}{day.month:02d}{day.day:02d}")
    if info.gender is not None:
        values.append(f"PID-8|{info.gender}")
    return values


def read_patient_info(values: list[str]) -> PatientInfo | None:
    """Read PID-5, 7 and 8 from slot values; None when none of them is there."""
    fields = {key.strip(): rest for key, bar, rest in (v.partition("|") for v in values) if bar}
    if not fields.keys() & {"PID-5", "PID-7", "PID-8"}:
        return None
    family, given = _read_name(fields.get("PID-5", "").split("^"))
    return PatientInfo(
        family=family,
        given=given,
        birth_date=_read_date(fields.get("PID-7", "").strip()),
        gender=fields.get("PID-8", "").strip() or None,
    )


def _read_date(text: str) -> date | None:
    """A birth date of eight digits or more; anything else is not known."""
    if len(text) < 8 or not text[:8].isdecimal() or not text.isascii():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def cpr_of_cx(value: str) -> Cpr | None:
    """Read the CPR number out of a CX; None unless it is exactly id and CPR authority."""
    number, separator, rest = value.partition("^^^&")
    if not separator or rest != f"{CPR_OID}&ISO":
        return None
    try:
        return Cpr(number)
    except InvalidIdentifier:
        return None
