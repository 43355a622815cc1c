"""The properties 1 to 10 of section 17, over generated cases.

The generator leans towards the defaults of section 19, so that reads succeed often enough for a
property to have something to say; the last test holds it to that.
"""

import copy
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, event, given, seed, settings
from hypothesis import strategies as st

from consent.cases import decide_case

Json = dict[str, Any]
Cases = st.SearchStrategy[Json]

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
NOW = "2027-02-10T09:00:00Z"

generated = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

# ---------------------------------------------------------------------------- what codes there are

PUBLICATION = {
    "P-OK": "PUBLISH",
    "P-HOLD-DRAFT": "HOLD",
    "P-HOLD-MIDNIGHT": "HOLD",
    "P-HOLD-DELAYED": "HOLD",
    "P-HOLD-BASIS-MISSING": "HOLD",
    "P-HOLD-NATIONAL": "HOLD",
    "P-WITHHELD-NATIONAL": "WITHHOLD",
    "P-WITHHELD-DO-NOT-SHARE": "WITHHOLD",
    "P-WITHHELD-FROM-PATIENT": "WITHHOLD",
    "P-WITHHELD-THIRD-PARTY": "WITHHOLD",
    "P-WITHHELD-SAFETY": "WITHHOLD",
    "P-WITHHELD-FROM-PROFESSIONALS": "WITHHOLD",
    "P-SCOPE-ADMIN": "WITHHOLD",
    "P-SCOPE-BEFORE-START": "WITHHOLD",
    "P-DECEASED": "WITHHOLD",
    "P-REMOVED-WITHDRAWN": "REMOVE",
    "P-REMOVED-SUPERSEDED": "REMOVE",
    "P-REMOVED-EXPIRED": "REMOVE",
    "P-REJ-IDENTITY": "REJECT",
    "P-REJ-INVALID": "REJECT",
    "P-REJ-NOT-ENROLLED": "REJECT",
}
NATIONAL_ONLY = {"P-HOLD-NATIONAL", "P-WITHHELD-NATIONAL"}
PERMITS = {
    "D-OK-SELF",
    "D-OK-GUARDIAN",
    "D-OK-PROXY",
    "D-OK-REP",
    "D-OK-TREATMENT",
    "D-OK-TREATMENT-FOLLOWUP",
    "D-OK-CONSENT-NOW",
    "D-OK-BREAK-GLASS",
    "D-SYSTEM-TECH",
}
DENIALS = {
    "D-HELD",
    "D-WITHHELD",
    "D-REMOVED",
    "D-NOT-AVAILABLE",
    "D-CONSENT-NEGATIVE",
    "D-CONSENT-UNAVAILABLE",
    "D-NOT-SELF",
    "D-SELF-UNDER-15",
    "D-NO-CUSTODY",
    "D-GUARDIAN-BLOCKED",
    "D-GUARDIAN-ADDRESS-PROTECTED",
    "D-RELATION-UNAVAILABLE",
    "D-GUARDIAN-15-PLUS",
    "D-GUARDIAN-HIDDEN-NOTE",
    "D-GUARDIAN-SENSITIVE",
    "D-GUARDIAN-PRE-ADOPTION",
    "D-PROXY-SENSITIVE",
    "D-REP-HIDDEN-NOTE",
    "D-REP-SENSITIVE",
    "D-PROXY-INVALID",
    "D-REP-INVALID",
    "D-DECEASED",
    "D-NO-RELATION",
    "D-NO-AUTHORISATION",
    "D-PROFESSION",
    "D-PURPOSE",
    "D-HP-OWN-RECORD",
    "D-BG-ROLE",
    "D-BG-REASON",
    "D-AUTH-LEVEL",
    "D-ROLE-NOT-ALLOWED",
    "D-RESEARCH-NEVER",
    "D-ADMIN-NO-CONTENT",
    "D-COMPLIANCE-METADATA-ONLY",
    "D-AUDIT-UNAVAILABLE",
}
OBLIGATIONS = {
    "LOG",
    "MINLOG",
    "NEUTRAL",
    "ALERT",
    "FOLLOW_UP_RELATION",
    "NOTIFY_PATIENT",
    "NOTIFY_DEFERRED",
    "REVIEW_MANDATORY",
    "REVIEW_SAMPLE",
    "REDACT_CONTACT",
    "REDACT_AUTHOR_NAME",
}
CITIZENS = ["SELF", "GUARDIAN", "PROXY", "LEGAL_REP"]
NEVER = ["RESEARCHER", "ADMIN", "COMPLIANCE"]
KNOWN_ROLES = {*CITIZENS, "HP", *NEVER, "SYSTEM"}

# ----------------------------------------------------------------------------------- the generator


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
VIOLENCE = {
    ("note", "markings", "sensitive"): st.sampled_from([["DV"], ["ABUSE"], ["ABUSE", "PSY"]]),
    ("note", "markings", "patient_confirmed_feed"): true,
}
MOTHER = {"id": "G-MOM", "custody_from": "2009-01-01T00:00:00+01:00"}
Situation = dict[tuple[str, ...], st.SearchStrategy[Any]]
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
            "guardians": [{"id": "G-MOM", "custody_from": "2009-01-01T00:00:00+01:00"}],
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


# ------------------------------------------------------------------------------------- property 1


@generated
@given(cases())
def test_1_every_case_gets_exactly_one_known_decision_and_code(case: Json) -> None:
    answer = decide_case(case)
    for place, state in publication(answer).items():
        assert PUBLICATION[state["code"]] == state["decision"]
        assert place == "national" or state["code"] not in NATIONAL_ONLY
        assert state["until"] is None or state["decision"] == "HOLD"
    disclosure = answer["disclosure"]
    event(disclosure["code"])
    known = PERMITS if disclosure["decision"] == "PERMIT" else DENIALS
    assert disclosure["decision"] in {"PERMIT", "DENY"}
    assert disclosure["code"] in known
    assert disclosure["obligations"] == sorted(set(disclosure["obligations"]))
    assert set(disclosure["obligations"]) <= OBLIGATIONS


@generated
@given(cases())
def test_1_the_same_case_gets_the_same_answer(case: Json) -> None:
    before = copy.deepcopy(case)
    first = decide_case(case)
    assert case == before
    assert decide_case(copy.deepcopy(case)) == first


@generated
@given(cases())
def test_1_a_hold_ends_in_the_future_when_it_ends_at_all(case: Json) -> None:
    answer = decide_case(case)
    for state in publication(answer).values():
        if state["until"] is not None:
            until = datetime.fromisoformat(state["until"])
            assert until > datetime.fromisoformat(case["now"])


# ------------------------------------------------------------------------------------- property 2


@generated
@given(cases(st.sampled_from(["HP", "HP", "HP", *CITIZENS])), registrations("NEGATIVE"))
def test_2_one_more_block_never_opens_a_door(case: Json, block: Json) -> None:
    assert permits(decide_case(case)) or not permits(decide_case(with_registration(case, block)))


@generated
@given(cases(st.sampled_from(["HP", "HP", "HP", *CITIZENS])), registrations("POSITIVE"))
def test_2_one_more_consent_never_shuts_a_door(case: Json, consent: Json) -> None:
    assert not permits(decide_case(case)) or permits(decide_case(with_registration(case, consent)))


# ------------------------------------------------------------------------------------- property 3


@generated
@given(cases(), st.lists(any_registration, max_size=4))
def test_3_registrations_never_change_a_publication_decision(
    case: Json, others: list[Json]
) -> None:
    answer, other = decide_case(case), decide_case({**case, "registrations": others})
    assert publication(answer) == publication(other)


@generated
@given(cases(st.sampled_from(CITIZENS)), st.lists(any_registration, max_size=4))
def test_3_registrations_never_change_a_decision_for_a_citizen(
    case: Json, others: list[Json]
) -> None:
    assert decide_case(case) == decide_case({**case, "registrations": others})


# ------------------------------------------------------------------------------------- property 4


@st.composite
def restricted(draw: st.DrawFn) -> tuple[Json, Json]:
    """A case and the same one with one more restrictive marking."""
    case = draw(cases())
    marks = case["note"]["markings"]
    flag = draw(
        st.sampled_from(
            [
                "do_not_share",
                "hide_from_guardian",
                "hide_from_professionals",
                "third_party_confidential",
                "hide_from_patient",
                "delay_until",
                "sensitive",
            ]
        )
    )
    if flag == "hide_from_patient":
        return case, marked(case, hide_from_patient=marks[flag] or draw(bases))
    if flag == "delay_until":
        later = [draw(instants), *([marks[flag]] if marks[flag] else [])]
        return case, marked(case, delay_until=max(later, key=datetime.fromisoformat))
    if flag == "sensitive":
        return case, marked(case, sensitive=sorted({*marks[flag], draw(categories)}))
    return case, marked(case, **{flag: True})


@generated
@given(restricted())
def test_4_one_more_restrictive_marking_never_opens_a_door(pair: tuple[Json, Json]) -> None:
    plain, marked_more = (decide_case(case) for case in pair)
    assert permits(plain) or not permits(marked_more)


@generated
@given(restricted())
def test_4_one_more_restrictive_marking_never_publishes_anywhere(pair: tuple[Json, Json]) -> None:
    plain, marked_more = (publication(decide_case(case)) for case in pair)
    for place, state in plain.items():
        if state["decision"] != "PUBLISH":
            assert marked_more[place]["decision"] != "PUBLISH"


# ------------------------------------------------------------------------------------- property 5


@generated
@given(cases(), markings)
def test_5_the_markings_for_the_patient_never_change_the_repository(
    case: Json, others: Json
) -> None:
    fields = ("hide_from_patient", "third_party_confidential", "delay_until", "sensitive")
    other = marked(case, **{field: others[field] for field in fields})
    assert (
        decide_case(case)["professional_repository"]
        == decide_case(other)["professional_repository"]
    )


@generated
@given(cases(), st.booleans())
def test_5_the_objection_against_professionals_never_changes_the_feed(
    case: Json, hidden: bool
) -> None:
    other = marked(case, hide_from_professionals=hidden)
    assert decide_case(case)["patient_feed"] == decide_case(other)["patient_feed"]


@generated
@given(cases(), st.booleans())
def test_5_the_guardian_marking_changes_neither_destination(case: Json, hidden: bool) -> None:
    answer, other = decide_case(case), decide_case(marked(case, hide_from_guardian=hidden))
    for place in ("patient_feed", "professional_repository"):
        assert answer[place] == other[place]


# ------------------------------------------------------------------------------------- property 6


@generated
@given(cases(st.sampled_from(["HP", "HP", *CITIZENS])))
def test_6_what_a_person_may_see_is_published_where_that_person_looks(case: Json) -> None:
    answer = decide_case(case)
    assume(permits(answer))
    professional = case["request"]["role"] == "HP"
    place = "professional_repository" if professional else "patient_feed"
    assert answer[place] == {"decision": "PUBLISH", "code": "P-OK", "until": None}


# ------------------------------------------------------------------------------------- property 7


@generated
@given(professional_cases, st.sampled_from(VALID_OVERRIDES))
def test_7_without_its_valid_override_no_refused_read_is_permitted(
    case: Json, override: Json
) -> None:
    with_it = changed(case, "request", override=override, on_behalf_of=None)
    without = changed(with_it, "request", override=None)
    assert permits(decide_case(with_it)) or not permits(decide_case(without))


# ------------------------------------------------------------------------------------- property 8


def birthday(born: date, years: int) -> datetime:
    """Local midnight of that birthday; the first of March for one born on a leap day."""
    try:
        day = born.replace(year=born.year + years)
    except ValueError:
        day = date(born.year + years, 3, 1)
    return datetime.combine(day, time(0), COPENHAGEN)


@st.composite
def minors(draw: st.DrawFn) -> tuple[str, str]:
    """A birth date and an instant before the eighteenth birthday, often close to the fifteenth."""
    born = draw(
        st.one_of(
            st.dates(date(2000, 1, 1), date(2030, 12, 31)),
            st.sampled_from([date(2012, 2, 29), date(2016, 2, 29), date(2012, 3, 28)]),
            st.sampled_from([date(2010, 10, 31), date(2012, 3, 25), date(2012, 10, 31)]),
        )
    )
    start, end = birthday(born, 0).astimezone(UTC), birthday(born, 18).astimezone(UTC)
    fifteen = birthday(born, 15).astimezone(UTC)
    microsecond, day = timedelta(microseconds=1), timedelta(days=1)
    near = st.one_of(
        st.sampled_from([-microsecond, timedelta(0), microsecond]),
        st.timedeltas(-day, day),
    ).map(lambda offset: fifteen + offset)
    anywhere = st.timedeltas(timedelta(0), end - start - microsecond).map(
        lambda offset: start + offset
    )
    return born.isoformat(), stamp(draw(st.one_of(near, anywhere)))


@generated
@given(minors())
def test_8_at_every_instant_exactly_one_of_patient_and_guardian_has_the_age(
    minor: tuple[str, str],
) -> None:
    born, now = minor
    mother = {"id": "G-MOM", "custody_from": "1999-01-01T00:00:00+01:00"}
    patient = {"birth_date": born, "guardians": [mother]}

    def code(**request: str) -> str:
        case = {"id": "G", "patient": patient, "request": request, "now": now}
        answer: str = decide_case(case)["disclosure"]["code"]
        return answer

    child_may = code(role="SELF") != "D-SELF-UNDER-15"
    guardian = code(role="GUARDIAN", actor_id="G-MOM")
    guardian_may = guardian != "D-GUARDIAN-15-PLUS"
    assert guardian != "D-NO-CUSTODY"
    assert child_may is not guardian_may
    assert child_may is (datetime.fromisoformat(now) >= birthday(date.fromisoformat(born), 15))


# ------------------------------------------------------------------------------------- property 9


@generated
@given(
    professional_cases,
    st.sampled_from(VALID_OVERRIDES),
    st.sampled_from(["2018-09-03", "2012-02-10", "2012-02-11", "1980-05-17"]),
)
def test_9_every_opened_block_is_told_or_the_telling_is_deferred(
    case: Json, override: Json, born: str
) -> None:
    block = {"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"}
    asked = changed(case, "request", override=override)
    opened = with_registration(changed(asked, "patient", birth_date=born), block)
    disclosure = decide_case(opened)["disclosure"]
    told = {duty for duty in disclosure["obligations"] if duty.startswith("NOTIFY")}
    event(f"{disclosure['code']} {sorted(told)}")
    if disclosure["code"] in {"D-OK-BREAK-GLASS", "D-OK-CONSENT-NOW"}:
        assert told in ({"NOTIFY_PATIENT"}, {"NOTIFY_DEFERRED"})
    else:
        assert told == set()


# ------------------------------------------------------------------------------------ property 10


@generated
@given(
    cases(
        st.one_of(
            st.sampled_from([*NEVER, "INSURER", "POLICE", "NEXT_OF_KIN", "self", "hp", "DOCTOR"]),
            st.text(max_size=12).filter(lambda role: role not in KNOWN_ROLES),
        )
    )
)
def test_10_researchers_administrators_compliance_and_unknown_roles_never_read(case: Json) -> None:
    assert not permits(decide_case(case))


# ------------------------------------------------------------------ the generator has enough to say


ROUNDS = 20
CASES_A_ROUND = 1000


def codes_missed_by(generator: Cases, rounds: int = ROUNDS) -> set[str]:
    """The codes that no case of this generator gets, in so many rounds at most.

    Each round has a seed of its own and the next one is made only while something is
    missing. What Hypothesis draws differs a little from clone to clone, even with a seed,
    since it takes constants from the code that happens to be loaded; after a few
    rounds that no longer matters, and a code that cannot be reached is missing after all.
    """
    missed = PERMITS | DENIALS | set(PUBLICATION)

    def gather(case: Json) -> None:
        answer = decide_case(case)
        missed.discard(answer["disclosure"]["code"])
        missed.difference_update(state["code"] for state in publication(answer).values())

    one_round = settings(generated, max_examples=CASES_A_ROUND, derandomize=False)
    for number in range(rounds):
        if missed:
            seed(number)(one_round(given(generator)(gather)))()
    return missed


def test_the_generator_reaches_every_code() -> None:
    assert codes_missed_by(cases()) == set()


def test_a_code_out_of_reach_is_missed() -> None:
    living = cases().filter(lambda case: not case["patient"].get("death_date"))
    assert codes_missed_by(living, rounds=2) >= {"D-DECEASED", "P-DECEASED"}
