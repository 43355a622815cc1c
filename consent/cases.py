"""Cases of the sharing rules as JSON: in comes a case, out come the decisions.

A case holds full objects or only what differs from the baseline below. It
needs no database and no network, so rules can be tried on the command line.

Source: sharing-rules 19 (form and baseline).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from consent.config import DEFAULT_CONFIG, RuleConfig
from consent.disclosure import decide_disclosure
from consent.facts_json import (
    JsonObject,
    note_from_json,
    patient_from_json,
    registrations_from_json,
    request_from_json,
)
from consent.model import PublicationDecision
from consent.organisations import Organisations, OrganisationTree
from consent.publication import decide_publication
from consent.times import instant_from_text, text_from_instant

BASE_PATIENT: JsonObject = MappingProxyType(
    {
        "id": "P-01",
        "birth_date": "1980-05-17",
        "cpr_type": "CPR",
        "death_date": None,
        "address_protected": False,
        "incapacity_39b": False,
        "adoption_date": None,
        "guardians": [],
        "proxies": [],
        "legal_reps": [],
    }
)
BASE_GUARDIAN: JsonObject = MappingProxyType(
    {"custody_to": None, "blocked": False, "same_address": True}
)
BASE_PRACTICE: JsonObject = MappingProxyType(
    {
        "enrolled": True,
        "sharing_start": "2026-12-01T00:00:00+01:00",
        "share_history": False,
    }
)
BASE_MARKINGS: JsonObject = MappingProxyType(
    {
        "do_not_share": False,
        "hide_from_patient": None,
        "hide_from_guardian": False,
        "hide_from_professionals": False,
        "third_party_confidential": False,
        "delay_until": None,
        "sensitive": [],
        "guardian_ok": False,
        "patient_confirmed_feed": False,
    }
)
BASE_NOTE: JsonObject = MappingProxyType(
    {
        "id": "N-1",
        "version": 1,
        "author_org": "SOR-PRAX-1",
        "practice": BASE_PRACTICE,
        "contact_type": "consultation",
        "status": "final",
        "created_at": "2027-02-01T10:00:00+01:00",
        "completed_at": "2027-02-01T10:20:00+01:00",
        "last_entry_at": None,
        "successor": None,
        "author_name_protected": False,
        "markings": BASE_MARKINGS,
    }
)
BASE_REGISTRATION: JsonObject = MappingProxyType(
    {
        "what": {"kind": "ALL"},
        "who": {"kind": "ALL"},
        "valid_to": None,
        "revoked_at": None,
        "registered_by": "CITIZEN",
    }
)
BASE_SOURCES: JsonObject = MappingProxyType(
    {"consent_age_s": 5, "custody_age_s": 60, "proxy_age_s": 60, "audit_ok": True}
)
BASE_REQUEST: JsonObject = MappingProxyType(
    {
        "role": "HP",
        "actor_id": "HP-1",
        "auth_level": "SUBSTANTIAL",
        "authorised": True,
        "profession": "DOCTOR",
        "acting_org": "SOR-HOSP-A1",
        "on_behalf_of": None,
        "purpose": "TREATMENT",
        "relation": "CONFIRMED",
        "override": None,
        "sources": BASE_SOURCES,
    }
)
BASE_NOW = "2027-02-10T09:00:00Z"

# The organisations of the worked examples; there are no others in a case.
CASE_ORGANISATIONS = OrganisationTree(
    {
        "SOR-HOSP-A": "SOR-REG-H",
        "SOR-HOSP-A1": "SOR-HOSP-A",
        "SOR-HOSP-A2": "SOR-HOSP-A",
        "SOR-HOSP-B1": "SOR-HOSP-B",
        "SOR-PRAX-1A": "SOR-PRAX-1",
        "SOR-PRAX-2": None,
        "SOR-MUN-1N": "SOR-MUN-1",
    },
    {
        "GRP-HOSPITALS": ("SOR-HOSP-A", "SOR-HOSP-B"),
        "GRP-MUNICIPALITIES": ("SOR-MUN-1",),
    },
    complete=True,
)

# Without an offset, on purpose: the rules take it for a clock that can't be trusted.
_NO_INSTANT = datetime.min  # noqa: DTZ901
_NOT_A_CASE: JsonObject = MappingProxyType(
    dict.fromkeys(("patient", "note", "registrations", "request", "now"))
)


def decide_case(
    case: object,
    organisations: Organisations = CASE_ORGANISATIONS,
    config: RuleConfig = DEFAULT_CONFIG,
) -> dict[str, Any]:
    """Decide publication and disclosure for one case.

    Args:
        case: an object with any of ``id``, ``patient``, ``note``,
            ``registrations``, ``request``, ``now``; other keys are ignored.
            What is malformed counts as unknown and never raises.
        organisations: who lies within whom; those of the worked examples.
        config: the values of section 16.

    Returns:
        ``id`` if it is a text or number; ``patient_feed``, ``professional_repository``
        and ``national`` with ``decision``, ``code``, ``until`` (UTC ending in Z, or null);
        ``disclosure`` with ``decision``, ``code``, ``detail`` and the sorted
        ``obligations``.

    Source: sharing-rules 19.
    """
    if not isinstance(case, Mapping):
        case = _NOT_A_CASE
    patient = patient_from_json(_patient(case.get("patient", {})))
    note = note_from_json(_note(case.get("note", {})))
    registrations = registrations_from_json(_registrations(case.get("registrations", [])))
    request = request_from_json(_request(case.get("request", {}), patient.id))
    now = instant_from_text(case.get("now", BASE_NOW)) or _NO_INSTANT
    publication = decide_publication(patient, note, now, config)
    disclosure = decide_disclosure(
        patient, note, registrations, request, organisations, now, config
    )
    return {
        "id": _id(case.get("id")),
        "patient_feed": _as_json(publication.patient_feed),
        "professional_repository": _as_json(publication.professional_repository),
        "national": _as_json(publication.national),
        "disclosure": {
            "decision": disclosure.decision.value,
            "code": disclosure.code,
            "detail": disclosure.detail,
            "obligations": sorted(each.value for each in disclosure.obligations),
        },
    }


def _id(value: object) -> str | float | None:
    """What a case is called; only plain values are given back."""
    return value if isinstance(value, str | int | float) else None


def _as_json(decision: PublicationDecision) -> dict[str, str | None]:
    until = decision.until
    return {
        "decision": decision.decision.value,
        "code": decision.code,
        "until": None if until is None else text_from_instant(until),
    }


def _merged(base: JsonObject, difference: object) -> dict[str, Any] | None:
    """The base with the differences laid over it; None when those are no object."""
    return {**base, **difference} if isinstance(difference, Mapping) else None


def _patient(difference: object) -> object:
    merged = _merged(BASE_PATIENT, difference)
    if merged is not None and isinstance(merged["guardians"], list | tuple):
        merged["guardians"] = [_merged(BASE_GUARDIAN, each) for each in merged["guardians"]]
    return merged


def _note(difference: object) -> object:
    merged = _merged(BASE_NOTE, difference)
    if merged is not None:
        merged["practice"] = _merged(BASE_PRACTICE, merged["practice"])
        merged["markings"] = _merged(BASE_MARKINGS, merged["markings"])
    return merged


def _registrations(difference: object) -> object:
    if not isinstance(difference, list | tuple):
        return None
    return [_merged(BASE_REGISTRATION, each) for each in difference]


def _request(difference: object, patient_id: str | None) -> object:
    merged = _merged(BASE_REQUEST, difference)
    if merged is not None and isinstance(difference, Mapping):
        merged["sources"] = _merged(BASE_SOURCES, merged["sources"])
        if merged["role"] == "SELF" and "actor_id" not in difference:
            merged["actor_id"] = patient_id
    return merged
