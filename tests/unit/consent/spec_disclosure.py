"""Cases for the tests read off the specification of disclosure: sections 3, 4, 6, 6.1 and 7.

Every case holds only what differs from the defaults of section 19: an adult patient, a published
note, a doctor in `SOR-HOSP-A1` with a confirmed relation, 10 February 2027 at 09:00Z.
"""

from typing import Any

from consent.cases import decide_case

Json = dict[str, Any]

VITAL: Json = {"reason": "VITAL_INTEREST", "text": "Unconscious, history needed now"}
PUBLIC: Json = {"reason": "PUBLIC_INTEREST", "text": "Outbreak of a dangerous disease"}
CONSENT_NOW: Json = {"reason": "PATIENT_CONSENT_NOW", "text": "Patient present, oral consent"}
OVERRIDES = [VITAL, PUBLIC, CONSENT_NOW]

BLOCK: Json = {"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"}
CONSENT: Json = {
    "type": "POSITIVE",
    "valid_from": "2027-01-05T08:00:00Z",
    "valid_to": "2028-01-05T08:00:00Z",
}

MOTHER: Json = {"id": "G-MOM", "custody_from": "2010-01-01T00:00:00+01:00"}
CHILD: Json = {"birth_date": "2018-09-03", "guardians": [MOTHER]}
TEENAGER: Json = {"birth_date": "2011-01-01", "guardians": [MOTHER]}
DAUGHTER: Json = {
    "id": "X-DAU",
    "from": "2026-05-01T00:00:00+02:00",
    "to": None,
    "scope": ["JOURNAL_NOTES"],
}
REPRESENTATIVE: Json = {**DAUGHTER, "id": "L-REP", "scope": ["PERSONAL"]}

DOORS: dict[str, tuple[Json, Json]] = {
    "SELF": ({}, {"role": "SELF"}),
    "GUARDIAN": (CHILD, {"role": "GUARDIAN", "actor_id": "G-MOM"}),
    "PROXY": ({"proxies": [DAUGHTER]}, {"role": "PROXY", "actor_id": "X-DAU"}),
    "LEGAL_REP": ({"legal_reps": [REPRESENTATIVE]}, {"role": "LEGAL_REP", "actor_id": "L-REP"}),
    "HP": ({}, {"role": "HP"}),
}
PERMIT_OF = {
    "SELF": "D-OK-SELF",
    "GUARDIAN": "D-OK-GUARDIAN",
    "PROXY": "D-OK-PROXY",
    "LEGAL_REP": "D-OK-REP",
    "HP": "D-OK-TREATMENT",
}
CITIZENS = ["SELF", "GUARDIAN", "PROXY", "LEGAL_REP"]
EVERY_DOOR = [*CITIZENS, "HP"]


def decide(
    *,
    patient: Json | None = None,
    note: Json | None = None,
    marks: Json | None = None,
    request: Json | None = None,
    registrations: list[Json] | None = None,
    now: str | None = None,
) -> Json:
    """The disclosure of a case that differs from the defaults in these things alone."""
    whole_note = dict(note or {})
    if marks is not None:
        whole_note["markings"] = marks
    case: Json = {
        "id": "T",
        "patient": patient or {},
        "note": whole_note,
        "request": request or {},
        "registrations": registrations or [],
    }
    if now is not None:
        case["now"] = now
    disclosure: Json = decide_case(case)["disclosure"]
    return disclosure


def through(
    door: str, patient: Json | None = None, request: Json | None = None, **more: Any
) -> Json:
    """The disclosure to one who would get an ordinary note through this door."""
    door_patient, door_request = DOORS[door]
    return decide(
        patient={**door_patient, **(patient or {})},
        request={**door_request, **(request or {})},
        **more,
    )


def hp(**request: Any) -> Json:
    return {"role": "HP", **request}


def outcome(disclosure: Json) -> tuple[str, str, list[str]]:
    return (disclosure["decision"], disclosure["code"], disclosure["obligations"])


def denied(code: str, *obligations: str) -> tuple[str, str, list[str]]:
    return ("DENY", code, sorted(["LOG", *obligations]))


def permitted(code: str, *obligations: str) -> tuple[str, str, list[str]]:
    return ("PERMIT", code, sorted(["LOG", *obligations]))
