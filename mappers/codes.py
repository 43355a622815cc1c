"""Code tables, each with its source, version and date.

Practitioner roles come from two code systems of MedCom; a role of the same code
in both is taken from the administrative one, which is the wider. Some codes are
misspelt twins of others in the source: read, never written.

Source: named above each table; medcom-shared-notes 7 (gender), 10 (roles);
sharing-rules 3.2 (contact types, statuses), 3.3 (sensitive categories).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mappers.errors import UnknownCode

CONTACT_TYPES: Final = (
    "consultation",
    "e_consultation",
    "phone",
    "video",
    "home_visit",
    "out_of_hours",
    "result_comment",
    "admin",
)
"""Kinds of contact. Source: sharing-rules 3.2, 2026; own list."""

STATUSES: Final = ("draft", "final")
"""What a sender may post; a withdrawal is a call of its own. Source: design.md 4, 2026."""

GENDERS: Final = ("male", "female", "other", "unknown")
"""Source: HL7 FHIR R4 (4.0.1, 2019-10-30), code system administrative-gender."""

SENSITIVE_CATEGORIES: Final = ("PSY", "REPRO", "HIV", "SUBST", "DV", "ABUSE", "GENE")
"""Categories of especially sensitive content. Source: sharing-rules 3.3, 2026; own list."""

SKS_ROLES_SYSTEM: Final = (
    "http://medcomfhir.dk/ig/terminology/CodeSystem/medcom-core-PractitionerRolesSKSadministrativ"
)
SKS_ROLES_VERSION: Final = "2.0.0"
"""As in package medcom.fhir.dk.terminology 2.0.2."""

SKS_ROLES: Final = (
    ("speciallaege", "Speciallæge"),
    ("speciallaegeipraksis", "Speciallæge i praksis"),
    ("cheflaege", "Cheflæge"),
    ("overlaege", "Overlæge"),
    ("afdelingslaege", "Afdelingslæge"),
    ("sygehuslaege", "Sygehuslæge"),
    ("sygeplejerske", "Sygeplejerske"),
    ("sundhedsplejerske", "Sundhedsplejerske"),
    ("socialogsundhedsassistent", "Social- og sundhedsassistent"),
    ("socialogsundhedsmedhjaelper", "Social- og sundhedsmedhjælper"),
    ("sygehjaelper", "Sygehjælper"),
    ("plejer", "Plejer"),
    ("plejehjemsassistent", "Plejehjemsassistent"),
    ("tandlaege", "Tandlæge"),
    ("klinisktandtekniker", "Klinisk tandtekniker"),
    ("tandplejer", "Tandplejer"),
    ("farmaceut", "Farmaceut"),
    ("apoteker", "Apoteker"),
    ("psykolog", "Psykolog"),
    ("jordemoder", "Jordemoder"),
    ("fysioterapeut", "Fysioterapeut"),
    ("ergoterapeut", "Ergoterapeut"),
    ("bioanalytiker", "Bioanalytiker"),
    ("radiograf", "Radiograf"),
    ("diaetist", "Diætist"),
    ("diaetistassistent", "Diætistassistent"),
    ("audilogiassistent", "Audilogiassistent"),
    ("neurofysiologassistent", "Neurofysiologassistent"),
    ("kiropraktor", "Kiropraktor"),
    ("zoneterapeut", "Zoneterapeut"),
    ("psykoterapeut", "Psykoterapeut"),
    ("audiologopaed", "Audiologopæd"),
    ("laegesekretaer", "Lægesekretær"),
    ("ledendelaegesekretaer", "Ledende lægesekretær"),
    ("sygeplejesekretaer", "Sygeplejesekretær"),
    ("fodterapeut", "Fodterapeut"),
    ("socialraadgiver", "Socialrådgiver"),
    ("ledendesocialraadgiver", "Ledende socialrådgiver"),
    ("laerer", "Lærer"),
    ("paedagog", "Pædagog"),
    ("beskaeftigelsesvejleder", "Beskæftigelsesvejleder"),
    ("bandagist", "Bandagist"),
    ("skomager", "Skomager"),
    ("optiker", "Optiker"),
)
"""Administrative roles, code and display. Source: :data:`SKS_ROLES_SYSTEM`."""

REGISTER_ROLES_SYSTEM: Final = (
    "http://medcomfhir.dk/ig/terminology/CodeSystem/"
    "medcom-core-PractitionerRolesAutorisationsregistret"
)
REGISTER_ROLES_VERSION: Final = "1.8.1"
"""As in package medcom.fhir.dk.terminology 2.0.2."""

REGISTER_ROLES: Final = (
    ("ambulancebehandler", "Ambulancebehandler"),
    ("bandagist", "Bandagist"),
    ("behandlerfarmaceut", "Behandlerfarmaceut"),
    ("bioanalytiker", "Bioanalytiker"),
    ("ergoterapeut", "Ergoterapeut"),
    ("fodterapeut", "Fodterapeut"),
    ("fysioterapeut", "Fysioterapeut"),
    ("jordemoder", "Jordemoder"),
    ("kiropraktor", "Kiropraktor"),
    ("kliniskdiaetist", "Kliniskdiætist"),
    ("klinisktandtekniker", "Klinisktandkliniker"),
    ("laege", "Læge"),
    ("optikerogoptometrist", "Optiker og Optometrist"),
    ("osteopat", "Osteopat"),
    ("radiograf", "Radiograf"),
    ("socialogsundhedsassistent", "Social- og sundhedsassistent"),
    ("sygeplejerske", "Sygeplejerske"),
    ("tandlaege", "Tandlæge"),
    ("tandplejer", "Tandplejer"),
)
"""Roles of the authorisation register. Source: :data:`REGISTER_ROLES_SYSTEM`."""

MISSPELT_ROLES: Final = MappingProxyType(
    {
        "pyskolog": "psykolog",
        "socialogsundhedsmehjaelper": "socialogsundhedsmedhjaelper",
        "sygeplejesekretear": "sygeplejesekretaer",
    }
)
"""Misspelt administrative codes and the right ones. Source: medcom-shared-notes 10."""


@dataclass(frozen=True, slots=True)
class RoleCode:
    """One practitioner role as a FHIR coding."""

    system: str
    code: str
    display: str


_ROLES: Final = MappingProxyType(
    {code: RoleCode(REGISTER_ROLES_SYSTEM, code, display) for code, display in REGISTER_ROLES}
    | {code: RoleCode(SKS_ROLES_SYSTEM, code, display) for code, display in SKS_ROLES}
)
_IN_SYSTEM: Final = MappingProxyType(
    {
        SKS_ROLES_SYSTEM: frozenset(code for code, _ in SKS_ROLES),
        REGISTER_ROLES_SYSTEM: frozenset(code for code, _ in REGISTER_ROLES),
    }
)

ROLE_CODES: Final = frozenset(_ROLES)
"""Every role code we write, of both systems."""


def normal_role(code: str) -> str | None:
    """Give the code to keep for ``code`` (its right spelling), or None for an unknown one."""
    if code in _ROLES:
        return code
    return MISSPELT_ROLES.get(code)


def normal_role_in(system: str, code: str) -> str | None:
    """As :func:`normal_role`, for a coding that names its code system."""
    right = MISSPELT_ROLES.get(code, code)
    return right if right in _IN_SYSTEM.get(system, frozenset()) else None


def role_code(code: str) -> RoleCode:
    """Give the coding to write for a role of a note.

    Raises:
        UnknownCode: neither code system has it.
    """
    found = _ROLES.get(MISSPELT_ROLES.get(code, code))
    if found is None:
        raise UnknownCode("$.author.role", "in neither practitioner role code system")
    return found
