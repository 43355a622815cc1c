"""Cases for the tests read off the specification of publication (3, 4, 5.1, 5.2, 5.4 and 5.5).

Every case holds only what differs from the defaults of section 19: a final note created on
1 February 2027 at 10:00 and completed 10:20 local, read on 10 February 2027 at 09:00Z.
"""

from typing import Any

from consent.cases import decide_case

Json = dict[str, Any]

PF = "patient_feed"
PR = "professional_repository"
NATIONAL = "national"
BOTH = (PF, PR)

PUBLISHED = ("PUBLISH", "P-OK", None)
SAME_EVENING = "2027-02-01T20:00:00Z"
MIDNIGHT = "2027-02-01T23:00:00Z"


def decide(
    *,
    note: Json | None = None,
    patient: Json | None = None,
    marks: Json | None = None,
    practice: Json | None = None,
    now: str | None = None,
) -> Json:
    """The answer to a case that differs from the defaults in these things alone."""
    whole_note = dict(note or {})
    if marks is not None:
        whole_note["markings"] = marks
    if practice is not None:
        whole_note["practice"] = practice
    case: Json = {"id": "T", "note": whole_note, "patient": patient or {}}
    if now is not None:
        case["now"] = now
    return decide_case(case)


def at(answer: Json, destination: str) -> tuple[str, str, str | None]:
    state = answer[destination]
    return (state["decision"], state["code"], state["until"])


def codes(answer: Json) -> tuple[str, str]:
    return (answer[PF]["code"], answer[PR]["code"])


def times(created: str, completed: str | None = None) -> Json:
    return {"created_at": created, "completed_at": completed or created}


def history(created: str, **more: Any) -> Json:
    """A note from before the practice began, from a practice that shares its history."""
    return {**times(created), "practice": {"share_history": True}, **more}


FINAL_SUCCESSOR: Json = {
    "status": "final",
    "completed_at": "2027-02-05T14:00:00+01:00",
    "delay_until": None,
}


def successor(**more: Any) -> Json:
    return {"successor": {**FINAL_SUCCESSOR, **more}}


def national(answer: Json) -> tuple[str, str]:
    return (answer[NATIONAL]["decision"], answer[NATIONAL]["code"])
