"""The cast of the demo: invented persons and organizations.

Every CPR number has a day that its month knows, a century digit that agrees
with the birth date and a last digit that agrees with the gender; all carry
999 as test numbers do. Ids and family ties as in design 3.5; who has custody,
mandates, authorizations and relations is seeded from here by the registers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from test_doubles.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Organization:
    """An invented organization. ``cvr`` fails the official check digit on purpose."""

    organization_id: str
    sor: str
    name: str
    cvr: str
    provider_number: str | None = None


@dataclass(frozen=True, slots=True)
class Persona:
    """One of the cast.

    ``role`` is ``practice``, ``citizen``, ``professional``, ``assistant``,
    ``compliance`` or ``operator``. ``loa`` is the NSIS level of the login.
    ``on_behalf_of`` is the persona an assistant acts for.
    """

    persona_id: str
    role: str
    cpr: str | None = None
    given: tuple[str, ...] = ()
    family: str | None = None
    gender: str | None = None
    birth_date: date | None = None
    organization: Organization | None = None
    authorization_id: str | None = None
    profession: str | None = None
    education_code: str | None = None
    on_behalf_of: str | None = None
    loa: str = "SUBSTANTIAL"

    @property
    def name(self) -> str:
        """How the persona is called on a page."""
        if self.family is not None:
            return " ".join((*self.given, self.family))
        return self.organization.name if self.organization else self.persona_id

    def as_json(self) -> dict[str, Any]:
        """The wire form of ``gateway demo-personas --json`` with some keys more."""
        unit = self.organization
        return {
            "id": self.persona_id,
            "role": self.role,
            "cpr": self.cpr,
            "birth_date": self.birth_date.isoformat() if self.birth_date else None,
            "given": list(self.given),
            "family": self.family,
            "gender": self.gender,
            "sor": unit.sor if unit else None,
            "authorization_id": self.authorization_id,
            "provider_number": unit.provider_number if unit else None,
            "profession": self.profession,
            "education_code": self.education_code,
            "organization_name": unit.name if unit else None,
            "cvr": unit.cvr if unit else None,
            "on_behalf_of": self.on_behalf_of,
            "loa": self.loa,
            "name": self.name,
        }


PRACTICE_1 = Organization(
    "practice-1", "61741000016007", "Lægerne Hasseris Bymidte", "55000039", "077410"
)
PRACTICE_2 = Organization(
    "practice-2", "72851000016003", "Lægehuset ved Prøveåen", "55000047", "081523"
)
HOSPITAL_1 = Organization(
    "hospital-1", "61811000016001", "Prøvehospital Nord, Medicinsk Afdeling", "55000012"
)
HOSPITAL_2 = Organization(
    "hospital-2", "61822000016004", "Prøvehospital Syd, Akutmodtagelsen", "55000020"
)
ORGANIZATIONS = (PRACTICE_1, PRACTICE_2, HOSPITAL_1, HOSPITAL_2)


def _person(
    role: str,
    persona_id: str,
    cpr: str,
    name: str,
    birth_date: str,
    *,
    organization: Organization | None = None,
    authorization_id: str | None = None,
    profession: str | None = None,
    on_behalf_of: str | None = None,
) -> Persona:
    """A person whose family name is the last word of ``name``."""
    *given, family = name.split()
    return Persona(
        persona_id,
        role,
        cpr=cpr,
        given=tuple(given),
        family=family,
        # An odd last digit is a man's number.
        gender="male" if int(cpr[-1]) % 2 else "female",
        birth_date=date.fromisoformat(birth_date),
        organization=organization,
        authorization_id=authorization_id,
        profession=profession,
        education_code=EDUCATION_CODES[profession] if profession else None,
        on_behalf_of=on_behalf_of,
    )


EDUCATION_CODES = {"DOCTOR": "7170", "NURSE": "5166"}
"""Education codes of the authorization register. Source: nsp 8.1."""

CAST: tuple[Persona, ...] = (
    Persona("practice-1", "practice", organization=PRACTICE_1),
    Persona("practice-2", "practice", organization=PRACTICE_2),
    _person("citizen", "patient-1", "3001749995", "Niels Test Vendelboe", "1974-01-30"),
    _person("citizen", "patient-2", "1205519996", "Karen Test Mølgård", "1951-05-12"),
    _person("citizen", "patient-3", "0309889993", "Torben Test Skovsen", "1988-09-03"),
    _person("citizen", "teen-14", "1512119998", "Alma Test Lindholt", "2011-12-15"),
    _person("citizen", "teen-16", "2203109997", "Emil Test Lindholt", "2010-03-22"),
    _person("citizen", "child-9", "0808179994", "Clara Test Lindholt", "2017-08-08"),
    _person("citizen", "parent-1", "1904829992", "Mette Test Lindholt", "1982-04-19"),
    _person("citizen", "parent-2", "0211809991", "Rasmus Test Bakke", "1980-11-02"),
    _person("citizen", "parent-3", "2507799995", "Kasper Test Holt", "1979-07-25"),
    _person("citizen", "proxy-1", "1402789990", "Louise Test Mølgård", "1978-02-14"),
    _person("citizen", "ward-1", "1010959993", "Simon Test Krogsen", "1995-10-10"),
    _person("citizen", "legalrep-1", "0606639996", "Birthe Test Krogsen", "1963-06-06"),
    _person(
        "professional",
        "doctor-1",
        "1708699997",
        "Henrik Test Overby",
        "1969-08-17",
        organization=HOSPITAL_1,
        authorization_id="ZTA02",
        profession="DOCTOR",
    ),
    _person(
        "professional",
        "doctor-2",
        "2301859994",
        "Ida Test Brandtoft",
        "1985-01-23",
        organization=HOSPITAL_1,
        authorization_id="ZTA03",
        profession="DOCTOR",
    ),
    _person(
        "professional",
        "doctor-3",
        "0912779991",
        "Omar Test Lassby",
        "1977-12-09",
        organization=HOSPITAL_2,
        authorization_id="ZTA04",
        profession="DOCTOR",
    ),
    _person(
        "professional",
        "nurse-1",
        "2805909996",
        "Pia Test Frandsby",
        "1990-05-28",
        organization=HOSPITAL_1,
        authorization_id="ZTA05",
        profession="NURSE",
    ),
    _person(
        "assistant",
        "secretary-1",
        "3103729998",
        "Gitte Test Riisholt",
        "1972-03-31",
        organization=HOSPITAL_1,
        on_behalf_of="doctor-1",
    ),
    _person("compliance", "compliance-1", "0705849994", "Vibeke Test Tolv", "1984-05-07"),
    _person("compliance", "compliance-2", "2110769993", "Jakob Test Elleve", "1976-10-21"),
    _person("operator", "operator-1", "1306919995", "Anders Test Driftsen", "1991-06-13"),
    _person("operator", "operator-2", "0101899992", "Signe Test Vagtsen", "1989-01-01"),
)


class Personas:
    """Look-up in the cast, by id, CPR number or authorization id."""

    def __init__(self, cast: tuple[Persona, ...] = CAST) -> None:
        self._by_id = {p.persona_id: p for p in cast}
        self._by_cpr = {p.cpr: p for p in cast if p.cpr is not None}

    def __iter__(self) -> Iterator[Persona]:
        return iter(self._by_id.values())

    def get(self, persona_id: str) -> Persona:
        """The persona of that id.

        Raises:
            UnknownName: there is none.
        """
        found = self._by_id.get(persona_id)
        if found is None:
            raise UnknownName("no persona of that id", known=sorted(self._by_id))
        return found

    def cpr_of(self, persona_id: str) -> str:
        """The CPR number of a persona that is a person.

        Raises:
            UnknownName: no such persona, or it is an organization.
        """
        cpr = self.get(persona_id).cpr
        if cpr is None:
            raise UnknownName("the persona is no person")
        return cpr

    def by_cpr(self, cpr: str) -> Persona | None:
        """The persona with that number, if any."""
        return self._by_cpr.get(cpr)
