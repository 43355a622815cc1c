"""The JSON form of cases: merging, the answer's form, and rubbish of every kind."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.cases import (
    BASE_MARKINGS,
    BASE_NOTE,
    BASE_PATIENT,
    BASE_PRACTICE,
    BASE_REQUEST,
    BASE_SOURCES,
    decide_case,
)

BLOCK = {"type": "NEGATIVE", "valid_from": "2027-01-05T08:00:00Z"}
CONSENT = {
    "type": "POSITIVE",
    "valid_from": "2027-02-01T08:00:00Z",
    "valid_to": "2027-03-01T08:00:00Z",
    "who": {"kind": "ORG", "org": "SOR-HOSP-A", "include_sub": True},
}
MOTHER = {"id": "G-MOM", "custody_from": "2018-09-03T00:00:00+02:00"}
CHILD = {"birth_date": "2018-09-03", "guardians": [MOTHER]}
AS_MOTHER = {"role": "GUARDIAN", "actor_id": "G-MOM"}


def test_the_baseline_is_permitted_and_has_the_documented_form() -> None:
    assert decide_case({"id": "X"}) == {
        "id": "X",
        "patient_feed": {"decision": "PUBLISH", "code": "P-OK", "until": None},
        "professional_repository": {"decision": "PUBLISH", "code": "P-OK", "until": None},
        "national": {"decision": "PUBLISH", "code": "P-OK", "until": None},
        "disclosure": {
            "decision": "PERMIT",
            "code": "D-OK-TREATMENT",
            "detail": None,
            "obligations": ["LOG", "MINLOG"],
        },
    }


def test_until_is_written_in_utc() -> None:
    found = decide_case({"now": "2027-02-01T20:00:00Z"})
    assert found["patient_feed"]["until"] == "2027-02-01T23:00:00Z"
    assert found["national"] == {
        "decision": "HOLD",
        "code": "P-HOLD-NATIONAL",
        "until": "2027-02-01T23:00:00Z",
    }
    assert found["disclosure"]["detail"] == "P-HOLD-MIDNIGHT"


def test_markings_practice_and_sources_merge_field_by_field() -> None:
    case = {
        "note": {"practice": {"share_history": True}, "markings": {"hide_from_guardian": True}},
        "request": {"sources": {"consent_age_s": 300}},
    }
    found = decide_case(case)
    assert found["disclosure"]["code"] == "D-OK-TREATMENT"
    assert found["national"]["code"] == "P-WITHHELD-NATIONAL"


def test_for_self_the_actor_is_the_patient_unless_named() -> None:
    assert decide_case({"request": {"role": "SELF"}})["disclosure"]["code"] == "D-OK-SELF"
    renamed = {"patient": {"id": "P-77"}, "request": {"role": "SELF"}}
    assert decide_case(renamed)["disclosure"]["code"] == "D-OK-SELF"
    named = {"request": {"role": "SELF", "actor_id": "P-02"}}
    assert decide_case(named)["disclosure"]["code"] == "D-NOT-SELF"


def test_a_whole_case_gives_the_same_as_its_differences() -> None:
    whole = {
        "id": "W",
        "patient": dict(BASE_PATIENT),
        "note": {
            **BASE_NOTE,
            "practice": dict(BASE_PRACTICE),
            "markings": dict(BASE_MARKINGS),
        },
        "registrations": [BLOCK],
        "request": {**BASE_REQUEST, "sources": dict(BASE_SOURCES)},
        "now": "2027-02-10T09:00:00Z",
    }
    parsed = json.loads(json.dumps(whole))
    assert decide_case(parsed) == decide_case({"id": "W", "registrations": [BLOCK]})


def test_deciding_does_not_change_the_case() -> None:
    case = {"patient": copy.deepcopy(CHILD), "registrations": [dict(BLOCK)], "request": {}}
    before = copy.deepcopy(case)
    decide_case(case)
    assert case == before


@pytest.mark.parametrize("case", [None, [], "case", 7, True])
def test_what_is_no_case_is_rejected_and_denied(case: object) -> None:
    found = decide_case(case)
    assert found["patient_feed"]["code"] == "P-REJ-IDENTITY"
    assert found["disclosure"]["code"] == "D-AUDIT-UNAVAILABLE"


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ({"patient": None}, "D-NOT-AVAILABLE"),
        ({"note": "N-1"}, "D-NOT-AVAILABLE"),
        ({"note": {"markings": None}}, "D-NOT-AVAILABLE"),
        ({"note": {"practice": 3}}, "D-NOT-AVAILABLE"),
        ({"registrations": None}, "D-CONSENT-UNAVAILABLE"),
        ({"registrations": {}}, "D-CONSENT-UNAVAILABLE"),
        ({"registrations": [None]}, "D-CONSENT-UNAVAILABLE"),
        ({"registrations": [{}]}, "D-CONSENT-NEGATIVE"),
        ({"registrations": [{"type": "POSITIVE"}]}, "D-OK-TREATMENT"),
        ({"request": []}, "D-AUDIT-UNAVAILABLE"),
        ({"request": {"sources": None}}, "D-AUDIT-UNAVAILABLE"),
        ({"request": {"sources": {"audit_ok": 1}}}, "D-AUDIT-UNAVAILABLE"),
        ({"request": {"sources": {"consent_age_s": True}}}, "D-CONSENT-UNAVAILABLE"),
        ({"request": {"sources": {"consent_age_s": "5"}}}, "D-CONSENT-UNAVAILABLE"),
        ({"request": {"authorised": "yes"}}, "D-NO-AUTHORISATION"),
        ({"request": {"on_behalf_of": 7}}, "D-NO-AUTHORISATION"),
        ({"request": {"override": True}}, "D-BG-REASON"),
        ({"request": {"override": {}}}, "D-BG-REASON"),
        ({"now": None}, "D-AUDIT-UNAVAILABLE"),
        ({"now": "2027-02-10T09:00:00"}, "D-AUDIT-UNAVAILABLE"),
        ({"now": 1_802_250_000}, "D-AUDIT-UNAVAILABLE"),
    ],
)
def test_malformed_parts(case: dict[str, Any], code: str) -> None:
    assert decide_case(case)["disclosure"]["code"] == code


PROXY_MANDATE = {"id": "X", "from": "2026-05-01T00:00:00Z", "scope": ["JOURNAL_NOTES"]}


@pytest.mark.parametrize(
    ("change", "is_read"),
    [
        ({}, True),
        ({"custody_from": None}, False),
        ({"custody_from": "2018-09-03"}, False),
        ({"custody_to": "?"}, False),
        ({"custody_to": "2030-01-01T00:00:00Z"}, True),
        ({"id": 7}, False),
    ],
)
def test_custody_that_can_not_be_read_is_none(change: dict[str, Any], is_read: bool) -> None:
    patient = {**CHILD, "guardians": [{**MOTHER, **change}]}
    found = decide_case({"patient": patient, "request": AS_MOTHER})["disclosure"]["code"]
    assert found == ("D-OK-GUARDIAN" if is_read else "D-NO-CUSTODY")


@pytest.mark.parametrize(
    ("change", "is_read"),
    [
        ({}, True),
        ({"from": None}, False),
        ({"to": "?"}, False),
        ({"revoked_at": "?"}, False),
        ({"revoked_at": "2030-01-01T00:00:00Z"}, True),
        ({"scope": "JOURNAL_NOTES"}, False),
        ({"id": None}, False),
    ],
)
def test_a_mandate_that_can_not_be_read_is_none(change: dict[str, Any], is_read: bool) -> None:
    case = {
        "patient": {"proxies": [{**PROXY_MANDATE, **change}]},
        "request": {"role": "PROXY", "actor_id": "X"},
    }
    found = decide_case(case)["disclosure"]["code"]
    assert found == ("D-OK-PROXY" if is_read else "D-PROXY-INVALID")


@pytest.mark.parametrize(
    ("who", "is_blocked"),
    [
        ({"kind": "GROUP", "group": "GRP-HOSPITALS"}, True),
        ({"kind": "GROUP", "group": "GRP-MUNICIPALITIES"}, False),
        ({"kind": "ORG", "org": "SOR-REG-H", "include_sub": True}, True),
        ({"kind": "ORG", "org": "SOR-HOSP-B", "include_sub": True}, False),
        ({"kind": "ORG", "org": "SOR-HOSP-A"}, False),
        ({"kind": "PERSON", "person": "HP-1"}, True),
        ({"kind": "PERSON", "person": "HP-2"}, False),
        ({"kind": "PERSON"}, True),
        ({"kind": "CLAN"}, True),
        ({"kind": "ALL", "org": "SOR-HOSP-B"}, True),
        (None, True),
    ],
)
def test_whom_a_block_names(who: Any, is_blocked: bool) -> None:
    found = decide_case({"registrations": [{**BLOCK, "who": who}]})["disclosure"]["code"]
    assert found == ("D-CONSENT-NEGATIVE" if is_blocked else "D-OK-TREATMENT")


@pytest.mark.parametrize(
    ("what", "is_blocked"),
    [
        ({"document_id": "N-1"}, True),
        ({"document_id": "N-2"}, False),
        ({"data_from": "2027-02-01T09:00:00Z", "data_to": "2027-02-01T09:00:01Z"}, True),
        ({"data_to": "2027-02-01T09:00:00Z"}, False),
        ({"data_to": "yesterday"}, True),
        ({"kind": "ALL", "document_id": "N-2"}, True),
        ({"kind": "SOME", "document_id": "N-2"}, True),
        ({}, True),
    ],
)
def test_which_data_a_block_names(what: Any, is_blocked: bool) -> None:
    found = decide_case({"registrations": [{**BLOCK, "what": what}]})["disclosure"]["code"]
    assert found == ("D-CONSENT-NEGATIVE" if is_blocked else "D-OK-TREATMENT")


# Denials of every gate; each fact in turn is replaced by rubbish below.
DENIED: list[dict[str, Any]] = [
    {"request": {"sources": {"audit_ok": False}}},
    {"request": {"auth_level": "LOW"}},
    {"request": {"role": "RESEARCHER"}},
    {"request": {"role": "SYSTEM", "purpose": "TREATMENT"}},
    {"request": {"role": "SELF", "actor_id": "P-02"}},
    {"patient": CHILD, "request": {"role": "SELF"}},
    {"patient": CHILD, "request": {**AS_MOTHER, "actor_id": "G-DAD"}},
    {"patient": {**CHILD, "birth_date": "2012-02-10"}, "request": AS_MOTHER},
    {"patient": {**CHILD, "guardians": [{**MOTHER, "blocked": True}]}, "request": AS_MOTHER},
    {
        "patient": {
            **CHILD,
            "address_protected": True,
            "guardians": [{**MOTHER, "same_address": False}],
        },
        "request": AS_MOTHER,
    },
    {
        "patient": {
            "proxies": [
                {
                    "id": "X",
                    "from": "2026-05-01T00:00:00Z",
                    "to": "2027-02-01T00:00:00Z",
                    "scope": ["JOURNAL_NOTES"],
                }
            ]
        },
        "request": {"role": "PROXY", "actor_id": "X"},
    },
    {"request": {"actor_id": "P-01"}},
    {"request": {"authorised": False}},
    {"request": {"profession": "PODIATRIST"}},
    {"request": {"purpose": "QUALITY"}},
    {"request": {"override": {"reason": "VITAL_INTEREST", "text": "short"}}},
    {"request": {"relation": "NONE"}},
    {"patient": {"cpr_type": "ECPR"}},
    {"note": {"status": "draft"}},
    {"note": {"status": "withdrawn"}},
    {"note": {"markings": {"do_not_share": True}}},
    {"note": {"markings": {"hide_from_professionals": True}}},
    {"note": {"markings": {"third_party_confidential": True}}, "request": {"role": "SELF"}},
    {"note": {"markings": {"hide_from_patient": {"basis": "X"}}}, "request": {"role": "SELF"}},
    {
        "note": {"markings": {"delay_until": "2027-02-20T08:00:00Z"}},
        "request": {"role": "SELF"},
    },
    {"note": {"markings": {"sensitive": ["DV"]}}, "request": {"role": "SELF"}},
    {"note": {"contact_type": "admin"}},
    {"note": {"created_at": "2026-11-01T10:00:00Z"}},
    {"note": {"completed_at": "2027-02-10T08:00:00Z"}},
    {"note": {"successor": {"status": "final", "completed_at": "2027-02-03T08:00:00Z"}}},
    {"patient": CHILD, "note": {"markings": {"hide_from_guardian": True}}, "request": AS_MOTHER},
    {"patient": CHILD, "note": {"markings": {"sensitive": ["PSY"]}}, "request": AS_MOTHER},
    {"registrations": [BLOCK]},
    {"registrations": [{**BLOCK, "what": {"origin_org": "SOR-PRAX-1", "include_sub": True}}]},
    {"registrations": [{**BLOCK, "what": {"data_from": "2027-01-01T00:00:00Z"}}]},
    {"registrations": [{**BLOCK, "who": {"kind": "PERSON", "person": "HP-1"}}]},
    {"registrations": [{**BLOCK, "who": {"kind": "GROUP", "group": "GRP-HOSPITALS"}}]},
    {"registrations": [BLOCK, {**CONSENT, "revoked_at": "2027-02-05T08:00:00Z"}]},
    {"registrations": [BLOCK, {**CONSENT, "valid_to": "2027-02-05T08:00:00Z"}]},
    {"registrations": [BLOCK], "request": {"sources": {"consent_age_s": 301}}},
]
# Unknown means "none" for these, by the table of the inputs; the last one ends an alternative.
MAY_BE_UNKNOWN = {"death_date", "adoption_date", "last_entry_at"}
RUBBISH: list[Any] = [{"x": 1}, [[]], 3.5, "\x00", "2027-02-10T09:00:00"]


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every member, at any depth."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from _leaves(inner, (*path, key))


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    result = copy.deepcopy(value)
    place = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return result


def _whole(case: dict[str, Any]) -> dict[str, Any]:
    """The case with every fact written out."""
    note = case.get("note", {})
    request = case.get("request", {})
    actor = {"actor_id": "P-01"} if request.get("role") == "SELF" else {}
    return {
        "patient": {**BASE_PATIENT, **case.get("patient", {})},
        "note": {
            **BASE_NOTE,
            **note,
            "practice": {**BASE_PRACTICE, **note.get("practice", {})},
            "markings": {**BASE_MARKINGS, **note.get("markings", {})},
        },
        "registrations": case.get("registrations", []),
        "request": {
            **BASE_REQUEST,
            **actor,
            **request,
            "sources": {**BASE_SOURCES, **request.get("sources", {})},
        },
        "now": "2027-02-10T09:00:00Z",
    }


@pytest.mark.parametrize("case", DENIED, ids=lambda case: json.dumps(case)[:60])
def test_rubbish_in_any_fact_never_turns_a_no_into_a_yes(case: dict[str, Any]) -> None:
    whole = _whole(case)
    assert decide_case(whole)["disclosure"]["decision"] == "DENY"
    assert decide_case(whole) == decide_case(case)
    tried = 0
    for path in _leaves(whole):
        if MAY_BE_UNKNOWN & set(path):
            continue
        for rubbish in RUBBISH:
            if isinstance(rubbish, dict) and path[-1] in _MERGED:
                continue  # An object there is a difference to the baseline.
            if isinstance(rubbish, float) and str(path[-1]).endswith("_age_s"):
                continue  # A number is an age.
            if isinstance(rubbish, str) and path[-1] in _FREE_TEXTS:
                continue  # Any text is some id or code, if not the one that was there.
            found = decide_case(_replaced(whole, path, rubbish))
            assert found["disclosure"]["decision"] == "DENY", (path, rubbish, found)
            tried += 1
    assert tried > 150


_MERGED = {"patient", "note", "practice", "markings", "request", "sources"}
_FREE_TEXTS = {"id", "actor_id", "author_org", "acting_org", "on_behalf_of", "org"} | {
    "origin_org",
    "person",
    "text",
}

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["HP", "SELF", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "kind", "type", "basis", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_PATHS = sorted({path for case in DENIED for path in _leaves(_whole(case))}, key=str)


@settings(max_examples=500, deadline=None)
@given(
    case=st.sampled_from(DENIED),
    changes=st.lists(st.tuples(st.sampled_from(_PATHS), _json), max_size=4),
)
def test_no_json_makes_the_rules_raise(case: dict[str, Any], changes: list[Any]) -> None:
    whole = _whole(case)
    for path, new in changes:
        try:
            whole = _replaced(whole, path, new)
        except (KeyError, IndexError, TypeError):
            continue  # An earlier change took the place away.
    found = decide_case(whole)
    assert set(found) == {
        "id",
        "patient_feed",
        "professional_repository",
        "national",
        "disclosure",
    }
    assert found["disclosure"]["decision"] in ("PERMIT", "DENY")
    json.dumps(found["disclosure"])


@settings(max_examples=300, deadline=None)
@given(case=st.dictionaries(st.sampled_from(["patient", "note", "request", "now"]), _json))
def test_any_json_object_is_decided(case: dict[str, Any]) -> None:
    decide_case(case)
