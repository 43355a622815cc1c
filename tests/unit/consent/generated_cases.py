"""Cases drawn at random, for properties that must hold whatever the case.

They lean towards the defaults of section 19, so that reads succeed often enough for a
property to have something to say; ``test_spec_properties`` holds them to reaching every code.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from tests.unit.consent.spec_codes import CITIZENS, NEVER

Json = dict[str, Any]
Cases = st.SearchStrategy[Json]

NOW = "2027-02-10T09:00:00Z"


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


INSTANTS = [
    "2008-04-02T07:00:00Z",
    "2026-11-30T22:59:59.999999Z",
    "2026-11-30T23:00:00Z",
    "2027-01-05T08:00:00Z",
    "2027-01-31T23:00:00Z",
    "2027-02-01T09:00:00Z",
    "2027-02-01T20:00:00Z",
    "2027-02-01T22:59:59.999999Z",
    "2027-02-01T23:00:00Z",
    "2027-02-09T14:00:00Z",
    "2027-02-10T08:59:59.999999Z",
    NOW,
    "2027-02-10T09:00:00.000001Z",
    "2027-02-11T08:00:00Z",
    "2027-03-02T23:00:00Z",
    "2027-03-28T00:59:59Z",
    "2027-10-31T00:30:00Z",
    "2037-02-11T00:00:00Z",
]
instants = st.one_of(
    st.sampled_from(INSTANTS),
    st.datetimes(datetime(2026, 11, 1), datetime(2027, 12, 1)).map(
        lambda moment: stamp(moment.replace(tzinfo=UTC))
    ),
)
optional_instants = st.one_of(st.none(), instants)

categories = st.sampled_from(["PSY", "REPRO", "HIV", "SUBST", "DV", "ABUSE", "GENE"])
MOTHER = {"id": "G-MOM", "custody_from": "2009-01-01T00:00:00+01:00"}
bases = st.sampled_from([{"basis": "SL37_4_PRE2010"}, {"basis": "OTHER"}])

NO_MARKINGS: Json = {
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
true = st.just(True)
MARKS: dict[str, st.SearchStrategy[Any]] = {
    "do_not_share": true,
    "hide_from_patient": bases,
    "hide_from_guardian": true,
    "hide_from_professionals": true,
    "third_party_confidential": true,
    "delay_until": instants,
    "sensitive": st.lists(categories, min_size=1, max_size=3, unique=True),
    "guardian_ok": true,
    "patient_confirmed_feed": true,
}
markings = st.fixed_dictionaries({}, optional=MARKS).map(lambda some: {**NO_MARKINGS, **some})

successors = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["final", "draft", "withdrawn"]),
        "completed_at": instants,
        "delay_until": optional_instants,
        "safety_correction": st.booleans(),
    }
)
guardians = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["G-MOM", "G-DAD"]),
        "custody_from": st.sampled_from(["2009-01-01T00:00:00+01:00", NOW, INSTANTS[-4]]),
        "custody_to": st.sampled_from([None, None, NOW, INSTANTS[-4]]),
        "blocked": st.booleans(),
        "same_address": st.sampled_from([True, False, None]),
    }
)
mandates = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["X-DAU", "X-SON"]),
        "from": st.sampled_from(["2026-05-01T00:00:00+02:00", NOW, INSTANTS[-4]]),
        "to": st.sampled_from([None, None, NOW, INSTANTS[-4]]),
        "revoked_at": st.sampled_from([None, None, NOW, INSTANTS[-4]]),
        "scope": st.sampled_from([["JOURNAL_NOTES", "PERSONAL"], ["JOURNAL_NOTES"], []]),
    }
)

VALID_OVERRIDES = [
    {"reason": "VITAL_INTEREST", "text": "Unconscious, history needed now"},
    {"reason": "PUBLIC_INTEREST", "text": "Outbreak of a dangerous disease"},
    {"reason": "PATIENT_CONSENT_NOW", "text": "Patient present, oral consent"},
]
INVALID_OVERRIDES = [
    {"reason": "VITAL_INTEREST", "text": "   too short    "},
    {"reason": "CURIOSITY", "text": "A text that is long enough"},
]
BIRTHS = ["1948-10-10", "2009-02-10", "2012-02-10", "2012-02-11", "2012-02-29", "2018-09-03", None]
PURPOSES = ["QUALITY", "RESEARCH", "ROUTE", "INDEX", "INTEGRITY", "PURGE"]

# What a case may differ in from the defaults: a few of these are drawn for each.
DIFFERENCES: dict[tuple[str, ...], st.SearchStrategy[Any]] = {
    ("now",): instants,
    ("patient", "birth_date"): st.sampled_from(BIRTHS),
    ("patient", "cpr_type"): st.just("ECPR"),
    ("patient", "death_date"): st.sampled_from(["2027-01-31", "2027-02-09", "2027-02-10"]),
    ("patient", "address_protected"): st.sampled_from([True, None]),
    ("patient", "incapacity_39b"): true,
    ("patient", "adoption_date"): st.sampled_from(["2027-02-01", "2027-02-02"]),
    ("patient", "guardians"): st.lists(guardians, max_size=3),
    ("patient", "proxies"): st.lists(mandates, max_size=2),
    ("patient", "legal_reps"): st.lists(mandates, max_size=2),
    ("note", "id"): st.just("N-2"),
    ("note", "author_org"): st.sampled_from(["SOR-PRAX-1A", "SOR-PRAX-2"]),
    ("note", "author_name_protected"): true,
    ("note", "practice"): st.sampled_from([{"enrolled": False}, {"share_history": True}]),
    ("note", "contact_type"): st.sampled_from(["phone", "admin"]),
    ("note", "status"): st.sampled_from(["draft", "withdrawn"]),
    ("note", "created_at"): st.sampled_from(INSTANTS[:8]),
    ("note", "completed_at"): st.sampled_from(INSTANTS[5:15]),
    ("note", "last_entry_at"): st.sampled_from(["2016-06-01T10:00:00Z", NOW]),
    ("note", "successor"): successors,
    **{("note", "markings", mark): values for mark, values in MARKS.items()},
    ("request", "actor_id"): st.sampled_from(["P-01", "AS-3", "G-DAD", "HP-7"]),
    ("request", "auth_level"): st.sampled_from(["LOW", "HIGH"]),
    ("request", "authorised"): st.just(False),
    ("request", "profession"): st.sampled_from(["NURSE", "CHIROPRACTOR"]),
    ("request", "acting_org"): st.sampled_from(["SOR-HOSP-B1", "SOR-MUN-1N"]),
    ("request", "on_behalf_of"): st.sampled_from(["HP-1", "HP-7", "P-01"]),
    ("request", "purpose"): st.sampled_from(PURPOSES),
    ("request", "relation"): st.sampled_from(["DECLARED", "NONE"]),
    ("request", "override"): st.sampled_from([*VALID_OVERRIDES, *INVALID_OVERRIDES]),
    ("request", "sources", "consent_age_s"): st.sampled_from([300, 301, None]),
    ("request", "sources", "custody_age_s"): st.sampled_from([86_400, 86_401, None]),
    ("request", "sources", "proxy_age_s"): st.sampled_from([3_600, 3_601, None]),
    ("request", "sources", "audit_ok"): st.just(False),
}
# What matters only to some readers is drawn more often for those.
OFTEN: dict[str, list[tuple[str, ...]]] = {
    "SELF": [("patient", "birth_date")],
    "HP": [
        ("request", "relation"),
        ("request", "override"),
        ("request", "sources", "consent_age_s"),
        ("request", "on_behalf_of"),
    ],
    "GUARDIAN": [
        ("patient", "guardians"),
        ("patient", "address_protected"),
        ("patient", "adoption_date"),
        ("patient", "birth_date"),
        ("note", "markings", "sensitive"),
        ("note", "markings", "hide_from_guardian"),
    ],
    "PROXY": [("patient", "proxies"), ("note", "markings", "sensitive")],
    "LEGAL_REP": [
        ("patient", "legal_reps"),
        ("note", "markings", "sensitive"),
        ("note", "markings", "hide_from_guardian"),
    ],
    "SYSTEM": [("request", "purpose")] * 20,
}

# What rare codes need, several differences at once for some of them, so that chance need not
# bring it together.
Situation = dict[tuple[str, ...], st.SearchStrategy[Any]]
VIOLENCE: Situation = {
    ("note", "markings", "sensitive"): st.sampled_from([["DV"], ["ABUSE"], ["ABUSE", "PSY"]]),
    ("note", "markings", "patient_confirmed_feed"): true,
}
FOR_ANYONE: list[Situation] = [
    {
        ("note", "markings", "hide_from_patient"): st.just({"basis": "SL37_4_PRE2010"}),
        ("note", "created_at"): st.just(INSTANTS[0]),
    },
    {("note", "markings", "delay_until"): st.just("2027-02-11T08:00:00Z")},
    {("note", "completed_at"): st.just("2027-02-10T08:59:59.999999Z")},
]
SITUATIONS: dict[str, list[Situation]] = {
    "SELF": [
        {("request", "actor_id"): st.sampled_from(["AS-3", "G-DAD"])},
        {("patient", "birth_date"): st.just("2018-09-03")},
    ],
    "GUARDIAN": [
        {
            ("patient", "address_protected"): st.sampled_from([True, None]),
            ("patient", "guardians"): st.sampled_from([False, None]).map(
                lambda same: [{**MOTHER, "same_address": same}]
            ),
        },
        {("patient", "guardians"): st.just([{**MOTHER, "blocked": True}])},
        {("patient", "adoption_date"): st.just("2027-02-09")},
        {("patient", "birth_date"): st.just("2009-02-10")},
        {("note", "markings", "hide_from_guardian"): true},
        {("request", "sources", "custody_age_s"): st.sampled_from([86_401, None])},
        VIOLENCE,
    ],
    "PROXY": [VIOLENCE],
    "LEGAL_REP": [VIOLENCE, {("note", "markings", "hide_from_guardian"): true}],
    "HP": [
        {
            ("request", "relation"): st.just("NONE"),
            ("request", "override"): st.sampled_from(VALID_OVERRIDES),
        },
        {
            ("request", "sources", "consent_age_s"): st.sampled_from([301, None]),
            ("request", "override"): st.sampled_from(VALID_OVERRIDES),
        },
        {("request", "sources", "consent_age_s"): st.sampled_from([301, None])},
        {("request", "profession"): st.just("CHIROPRACTOR")},
        {("request", "relation"): st.just("DECLARED")},
        {("request", "purpose"): st.sampled_from(PURPOSES)},
    ],
}

whats = st.one_of(
    st.just({"kind": "ALL"}),
    st.fixed_dictionaries(
        {},
        optional={
            "data_from": st.sampled_from(INSTANTS[1:8]),
            "data_to": st.sampled_from(INSTANTS[4:12]),
            "document_id": st.sampled_from(["N-1", "N-1", "N-2"]),
        },
    ).map(lambda what: what or {"kind": "ALL"}),
    st.fixed_dictionaries(
        {
            "origin_org": st.sampled_from(["SOR-PRAX-1", "SOR-PRAX-1A", "SOR-PRAX-2"]),
            "include_sub": st.booleans(),
        },
        optional={"document_id": st.just("N-1")},
    ),
)
whos = st.one_of(
    st.just({"kind": "ALL"}),
    st.fixed_dictionaries(
        {
            "kind": st.just("ORG"),
            "org": st.sampled_from(["SOR-REG-H", "SOR-HOSP-A", "SOR-HOSP-A1", "SOR-HOSP-B"]),
            "include_sub": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {"kind": st.just("PERSON"), "person": st.sampled_from(["HP-1", "AS-3", "HP-7"])}
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("GROUP"),
            "group": st.sampled_from(["GRP-HOSPITALS", "GRP-MUNICIPALITIES"]),
        }
    ),
)


@st.composite
def registrations(draw: st.DrawFn, kind: str) -> Json:
    """A registration, two times in three one that is usable and active by default."""
    registration = {
        "type": kind,
        "what": draw(whats),
        "who": draw(whos),
        "valid_from": "2027-01-05T08:00:00Z",
        "valid_to": None if kind == "NEGATIVE" else "2028-01-01T00:00:00Z",
    }
    trouble: dict[str, st.SearchStrategy[Any]] = {
        "valid_from": instants,
        "valid_to": optional_instants,
        "revoked_at": instants,
        "registered_by": st.sampled_from(["GUARDIAN", "HP", "SUPPORT_DESK"]),
        "registered_at": instants,
    }
    if draw(st.integers(0, 2)) == 0:
        registration.update(draw(st.fixed_dictionaries({}, optional=trouble)))
    return registration


any_registration = st.one_of(registrations("NEGATIVE"), registrations("POSITIVE"))

ACTORS = {"SELF": "P-01", "GUARDIAN": "G-MOM", "PROXY": "X-DAU", "LEGAL_REP": "X-DAU"}
every_role = st.sampled_from([*CITIZENS, "GUARDIAN", "HP", "HP", "HP", "SYSTEM", *NEVER, "INSURER"])


def usual_case(role: str) -> Json:
    """A case in which a reader of this role gets the note."""
    mandate = {
        "id": "X-DAU",
        "from": "2026-05-01T00:00:00+02:00",
        "to": None,
        "scope": ["JOURNAL_NOTES", "PERSONAL"],
    }
    return {
        "id": "G",
        "patient": {
            "birth_date": "2018-09-03" if role == "GUARDIAN" else "1980-05-17",
            "guardians": [dict(MOTHER)],
            "proxies": [mandate],
            "legal_reps": [mandate],
        },
        "note": {"id": "N-1", "markings": dict(NO_MARKINGS)},
        "registrations": [],
        "request": {"role": role, "actor_id": ACTORS.get(role, "HP-1"), "sources": {}},
        "now": NOW,
    }


def put(case: Json, place: tuple[str, ...], value: Any) -> None:
    for step in place[:-1]:
        case = case[step]
    case[place[-1]] = value


@st.composite
def cases(draw: st.DrawFn, roles: st.SearchStrategy[str] = every_role) -> Json:
    role = draw(roles)
    case = usual_case(role)
    if draw(st.booleans()):
        situation = draw(st.sampled_from([*FOR_ANYONE, *SITUATIONS.get(role, [])]))
        for place, value in situation.items():
            put(case, place, draw(value))
    places = st.sampled_from([*DIFFERENCES, *OFTEN.get(role, []) * 4])
    for place in draw(st.lists(places, max_size=5, unique=True)):
        put(case, place, draw(DIFFERENCES[place]))
    case["registrations"] = draw(st.lists(any_registration, max_size=2))
    return case


professional_cases = cases(st.just("HP"))


def changed(case: Json, part: str, **changes: Any) -> Json:
    """The same case with these fields of one part replaced."""
    return {**case, part: {**case[part], **changes}}


def marked(case: Json, **changes: Any) -> Json:
    return changed(case, "note", markings={**case["note"]["markings"], **changes})


def with_registration(case: Json, extra: Json) -> Json:
    return {**case, "registrations": [*case["registrations"], extra]}


def publication(answer: Json) -> Json:
    return {
        place: answer[place] for place in ("patient_feed", "professional_repository", "national")
    }


def permits(answer: Json) -> bool:
    return bool(answer["disclosure"]["decision"] == "PERMIT")
