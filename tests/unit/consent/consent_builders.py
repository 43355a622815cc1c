"""Records for the tests: an ordinary patient, note and request, and what differs.

Keyword arguments replace fields of the record; ``at`` reads an instant.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from consent.model import (
    Guardian,
    Mandate,
    Markings,
    NoteFacts,
    Patient,
    Practice,
    Registration,
    Request,
    Sources,
)
from consent.organisations import OrganisationTree
from consent.times import instant_from_text


def at(text: str) -> datetime:
    """The instant written in ``text``, which must carry an offset."""
    instant = instant_from_text(text)
    assert instant is not None, text
    return instant


NOW = at("2027-02-10T09:00:00Z")
TREE = OrganisationTree(
    {"A": "REGION", "A1": "A", "A2": "A", "B1": "B", "P1A": "P1", "P2": None, "M1": "M"},
    {"HOSPITALS": ("A", "B"), "MUNICIPALITIES": ("M",)},
    complete=True,
)
ADULT = Patient(
    id="P-01",
    birth_date=date(1980, 5, 17),
    cpr_type="CPR",
    address_protected=False,
    incapacity_39b=False,
)
NOTE = NoteFacts(
    id="N-1",
    version=1,
    author_org="P1",
    practice=Practice(True, at("2026-12-01T00:00:00+01:00"), False),
    contact_type="consultation",
    status="final",
    created_at=at("2027-02-01T10:00:00+01:00"),
    completed_at=at("2027-02-01T10:20:00+01:00"),
)
FRESH = Sources(consent_age_s=5, custody_age_s=60, proxy_age_s=60, audit_ok=True)
DOCTOR = Request(
    role="HP",
    actor_id="HP-1",
    auth_level="SUBSTANTIAL",
    sources=FRESH,
    authorised=True,
    profession="DOCTOR",
    acting_org="A1",
    purpose="TREATMENT",
    relation="CONFIRMED",
)


def patient(**changes: Any) -> Patient:
    return replace(ADULT, **changes)


def child(birth_date: date = date(2018, 9, 3), **changes: Any) -> Patient:
    """A child with a mother who holds custody from birth."""
    guardians = (Guardian("G-MOM", at("2012-01-01T00:00:00+01:00"), None, False, True),)
    return patient(birth_date=birth_date, **{"guardians": guardians, **changes})


def note(**changes: Any) -> NoteFacts:
    """A note; the names of markings may be given as well."""
    marks = {k: changes.pop(k) for k in list(changes) if k in Markings.__slots__}
    return replace(NOTE, markings=replace(Markings(), **marks), **changes)


def request(role: str = "HP", **changes: Any) -> Request:
    """A request; the names of sources may be given as well."""
    ages = {k: changes.pop(k) for k in list(changes) if k in Sources.__slots__}
    actor = {"SELF": "P-01", "GUARDIAN": "G-MOM", "PROXY": "X-1", "LEGAL_REP": "L-1"}
    defaults = {
        "role": role,
        "actor_id": actor.get(role, "HP-1"),
        "sources": replace(FRESH, **ages),
    }
    return replace(DOCTOR, **{**defaults, **changes})


def mandate(holder: str, scope: str, **changes: Any) -> Mandate:
    given = Mandate(holder, at("2026-05-01T00:00:00+02:00"), None, None, frozenset({scope}))
    return replace(given, **changes)


def block(**changes: Any) -> Registration:
    return replace(Registration("NEGATIVE", at("2027-01-05T08:00:00Z"), id="r-neg"), **changes)


def consent(**changes: Any) -> Registration:
    given = Registration(
        "POSITIVE", at("2027-02-01T08:00:00Z"), at("2027-03-01T08:00:00Z"), id="r-pos"
    )
    return replace(given, **changes)
