"""Disclosure, read off the specification: which registrations bind a request (section 7)."""

from typing import Any

import pytest

from tests.unit.consent.spec_disclosure import (
    BLOCK,
    CITIZENS,
    CONSENT,
    PERMIT_OF,
    Json,
    decide,
    hp,
    through,
)


def read_under(*registrations: Json, **request: Any) -> str:
    code: str = decide(request=hp(**request), registrations=list(registrations))["code"]
    return code


OPENED = "D-OK-TREATMENT"
BLOCKED = "D-CONSENT-NEGATIVE"


def test_a_matching_positive_beats_a_block() -> None:
    assert read_under(BLOCK, CONSENT) == OPENED
    assert read_under(CONSENT, BLOCK) == OPENED


def test_a_broad_positive_beats_a_later_and_narrower_block() -> None:
    narrow = {
        **BLOCK,
        "valid_from": "2027-02-09T08:00:00Z",
        "who": {"kind": "PERSON", "person": "HP-1"},
        "what": {"document_id": "N-1"},
    }
    assert read_under(CONSENT, narrow) == OPENED


def test_a_positive_that_does_not_match_leaves_the_block_standing() -> None:
    other = {**CONSENT, "who": {"kind": "PERSON", "person": "HP-7"}}
    assert read_under(BLOCK, other) == BLOCKED


@pytest.mark.parametrize(
    ("now", "code"),
    [
        ("2027-02-10T08:59:59.999999Z", OPENED),
        ("2027-02-10T09:00:00Z", BLOCKED),
        ("2027-02-10T09:59:59.999999Z", BLOCKED),
        ("2027-02-10T10:00:00Z", OPENED),
    ],
)
@pytest.mark.parametrize("end", ["valid_to", "revoked_at"])
def test_a_block_is_half_open_to_the_microsecond(end: str, now: str, code: str) -> None:
    block = {**BLOCK, "valid_from": "2027-02-10T09:00:00Z", end: "2027-02-10T10:00:00Z"}
    assert decide(request=hp(), registrations=[block], now=now)["code"] == code


@pytest.mark.parametrize(
    ("now", "code"),
    [
        ("2027-02-10T08:59:59.999999Z", BLOCKED),
        ("2027-02-10T09:00:00Z", OPENED),
        ("2027-02-10T09:59:59.999999Z", OPENED),
        ("2027-02-10T10:00:00Z", BLOCKED),
    ],
)
@pytest.mark.parametrize("end", ["valid_to", "revoked_at"])
def test_a_consent_is_half_open_to_the_microsecond(end: str, now: str, code: str) -> None:
    consent = {**CONSENT, "valid_from": "2027-02-10T09:00:00Z", end: "2027-02-10T10:00:00Z"}
    assert decide(request=hp(), registrations=[BLOCK, consent], now=now)["code"] == code


@pytest.mark.parametrize(
    ("created", "code"),
    [
        ("2027-01-31T22:59:59.999999Z", OPENED),
        ("2027-01-31T23:00:00Z", BLOCKED),
        ("2027-02-01T22:59:59.999999Z", BLOCKED),
        ("2027-02-01T23:00:00Z", OPENED),
    ],
)
def test_the_period_of_the_data_is_half_open_to_the_microsecond(created: str, code: str) -> None:
    one_day = {"data_from": "2027-01-31T23:00:00Z", "data_to": "2027-02-01T23:00:00Z"}
    note = {"created_at": created, "completed_at": "2027-02-05T10:00:00Z"}
    disclosure = decide(request=hp(), note=note, registrations=[{**BLOCK, "what": one_day}])
    assert disclosure["code"] == code


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"data_from": "2027-02-01T09:00:00Z"}, BLOCKED),
        ({"data_from": "2027-02-01T09:00:00.000001Z"}, OPENED),
        ({"data_to": "2027-02-01T09:00:00Z"}, OPENED),
        ({"data_to": "2027-02-01T09:00:00.000001Z"}, BLOCKED),
    ],
)
def test_the_period_of_the_data_may_be_open_at_one_end(what: Json, code: str) -> None:
    assert read_under({**BLOCK, "what": what}) == code


def test_editing_a_note_does_not_move_it_into_a_period() -> None:
    what = {"data_from": "2027-02-02T23:00:00Z", "data_to": "2027-02-28T23:00:00Z"}
    note = {"completed_at": "2027-02-05T10:00:00Z"}
    disclosure = decide(request=hp(), note=note, registrations=[{**BLOCK, "what": what}])
    assert disclosure["code"] == OPENED


@pytest.mark.parametrize(
    ("author", "origin", "include_sub", "code"),
    [
        ("SOR-PRAX-1", "SOR-PRAX-1", False, BLOCKED),
        ("SOR-PRAX-1A", "SOR-PRAX-1", False, OPENED),
        ("SOR-PRAX-1A", "SOR-PRAX-1", True, BLOCKED),
        ("SOR-PRAX-1", "SOR-PRAX-1A", True, OPENED),
        ("SOR-PRAX-1", "SOR-PRAX-2", True, OPENED),
        # the origin is the author's unit, never the reader's
        ("SOR-PRAX-1", "SOR-HOSP-A1", True, OPENED),
    ],
)
def test_the_origin_is_matched_against_the_author(
    author: str, origin: str, include_sub: bool, code: str
) -> None:
    what = {"origin_org": origin, "include_sub": include_sub}
    disclosure = decide(
        request=hp(), note={"author_org": author}, registrations=[{**BLOCK, "what": what}]
    )
    assert disclosure["code"] == code


@pytest.mark.parametrize(("document", "code"), [("N-1", BLOCKED), ("N-2", OPENED)])
def test_a_block_on_a_document_holds_for_all_its_versions(document: str, code: str) -> None:
    block = {**BLOCK, "what": {"document_id": document}}
    for version in (1, 2, 7):
        disclosure = decide(request=hp(), note={"version": version}, registrations=[block])
        assert disclosure["code"] == code


MATCHING: Json = {
    "origin_org": "SOR-PRAX-1",
    "include_sub": False,
    "data_from": "2027-01-01T00:00:00Z",
    "data_to": "2027-03-01T00:00:00Z",
    "document_id": "N-1",
}


def test_every_part_of_what_must_match() -> None:
    assert read_under({**BLOCK, "what": MATCHING}) == BLOCKED
    misses: list[Json] = [
        {"origin_org": "SOR-PRAX-2"},
        {"data_to": "2027-01-15T00:00:00Z"},
        {"document_id": "N-2"},
    ]
    for miss in misses:
        assert read_under({**BLOCK, "what": {**MATCHING, **miss}}) == OPENED


@pytest.mark.parametrize(
    ("org", "include_sub", "code"),
    [
        ("SOR-HOSP-A1", False, BLOCKED),
        ("SOR-HOSP-A", False, OPENED),
        ("SOR-HOSP-A", True, BLOCKED),
        ("SOR-REG-H", True, BLOCKED),
        ("SOR-REG-H", False, OPENED),
        ("SOR-HOSP-A2", True, OPENED),
        ("SOR-HOSP-B", True, OPENED),
        # who is the reader's unit, never the author's
        ("SOR-PRAX-1", True, OPENED),
    ],
)
def test_an_organisation_is_the_unit_itself_or_with_its_descendants(
    org: str, include_sub: bool, code: str
) -> None:
    who = {"kind": "ORG", "org": org, "include_sub": include_sub}
    assert read_under({**BLOCK, "who": who}, acting_org="SOR-HOSP-A1") == code


def test_descendants_do_not_reach_upwards() -> None:
    who = {"kind": "ORG", "org": "SOR-HOSP-A1", "include_sub": True}
    assert read_under({**BLOCK, "who": who}, acting_org="SOR-HOSP-A") == OPENED


def test_a_person_is_judged_by_the_unit_of_this_login_alone() -> None:
    who = {"kind": "ORG", "org": "SOR-HOSP-A", "include_sub": True}
    assert read_under({**BLOCK, "who": who}, acting_org="SOR-MUN-1N") == OPENED


@pytest.mark.parametrize(
    ("unit", "group", "code"),
    [
        ("SOR-HOSP-A", "GRP-HOSPITALS", BLOCKED),
        ("SOR-HOSP-A2", "GRP-HOSPITALS", BLOCKED),
        ("SOR-HOSP-B1", "GRP-HOSPITALS", BLOCKED),
        ("SOR-REG-H", "GRP-HOSPITALS", OPENED),
        ("SOR-MUN-1N", "GRP-HOSPITALS", OPENED),
        ("SOR-MUN-1N", "GRP-MUNICIPALITIES", BLOCKED),
        ("SOR-PRAX-2", "GRP-MUNICIPALITIES", OPENED),
    ],
)
def test_a_group_is_its_members_and_their_descendants(unit: str, group: str, code: str) -> None:
    who = {"kind": "GROUP", "group": group}
    assert read_under({**BLOCK, "who": who}, acting_org=unit) == code


def test_a_block_on_a_person_holds_for_that_person() -> None:
    block = {**BLOCK, "who": {"kind": "PERSON", "person": "HP-1"}}
    assert read_under(block) == BLOCKED
    assert read_under(block, actor_id="HP-2") == OPENED


def on_person(kind: Json, person: str) -> Json:
    return {**kind, "who": {"kind": "PERSON", "person": person}}


@pytest.mark.parametrize(
    ("registrations", "code"),
    [
        ([on_person(BLOCK, "HP-1")], BLOCKED),
        ([on_person(BLOCK, "AS-3")], BLOCKED),
        # the block of one is not opened by the consent to the other
        ([on_person(BLOCK, "HP-1"), on_person(CONSENT, "AS-3")], BLOCKED),
        ([on_person(BLOCK, "AS-3"), on_person(CONSENT, "HP-1")], BLOCKED),
        ([BLOCK, on_person(CONSENT, "HP-1")], BLOCKED),
        ([BLOCK, on_person(CONSENT, "HP-1"), on_person(CONSENT, "AS-3")], OPENED),
        ([on_person(BLOCK, "AS-3"), CONSENT], OPENED),
        ([on_person(CONSENT, "HP-1")], OPENED),
    ],
)
def test_an_assistant_and_the_responsible_one_must_both_be_free_of_blocks(
    registrations: list[Json], code: str
) -> None:
    assert read_under(*registrations, actor_id="AS-3", on_behalf_of="HP-1") == code


def test_a_consent_without_an_end_is_ignored() -> None:
    endless = {"type": "POSITIVE", "valid_from": "2027-01-05T08:00:00Z"}
    assert read_under(BLOCK, endless) == BLOCKED
    assert read_under(BLOCK, {**endless, "valid_to": None}) == BLOCKED


@pytest.mark.parametrize("end", ["2027-01-05T08:00:00Z", "2027-01-04T08:00:00Z"])
def test_a_registration_that_ends_no_later_than_it_begins_is_ignored(end: str) -> None:
    assert read_under({**BLOCK, "valid_to": end}) == OPENED
    assert read_under(BLOCK, {**CONSENT, "valid_to": end}) == BLOCKED


FIFTEENTH = "2027-01-31T23:00:00Z"  # of one born on 1 February 2012


def parents_block(**more: Any) -> Json:
    return {**BLOCK, "registered_by": "GUARDIAN", **more}


@pytest.mark.parametrize(
    ("registered", "code"),
    [("2027-01-31T22:59:59.999999Z", BLOCKED), (FIFTEENTH, OPENED)],
)
def test_a_block_by_a_guardian_counts_only_if_made_before_the_fifteenth_birthday(
    registered: str, code: str
) -> None:
    block = parents_block(registered_at=registered)
    disclosure = decide(patient={"birth_date": "2012-02-01"}, request=hp(), registrations=[block])
    assert disclosure["code"] == code


def test_a_missing_time_of_registration_is_the_beginning_of_its_validity() -> None:
    patient = {"birth_date": "2012-02-01"}
    late = parents_block(valid_from=FIFTEENTH)
    assert decide(patient=patient, request=hp(), registrations=[late])["code"] == OPENED
    early = parents_block(valid_from="2027-01-31T22:59:59.999999Z")
    assert decide(patient=patient, request=hp(), registrations=[early])["code"] == BLOCKED


def test_a_block_by_a_guardian_made_in_time_may_begin_after_the_birthday() -> None:
    block = parents_block(registered_at="2027-01-20T08:00:00Z", valid_from="2027-02-05T08:00:00Z")
    disclosure = decide(patient={"birth_date": "2012-02-01"}, request=hp(), registrations=[block])
    assert disclosure["code"] == BLOCKED


def test_a_late_block_by_a_guardian_counts_for_a_young_person_with_incapacity() -> None:
    patient = {"birth_date": "2012-02-01", "incapacity_39b": True}
    block = parents_block(registered_at="2027-02-05T08:00:00Z")
    assert decide(patient=patient, request=hp(), registrations=[block])["code"] == BLOCKED


def test_a_late_consent_by_a_guardian_opens_nothing() -> None:
    consent = {**CONSENT, "registered_by": "GUARDIAN", "registered_at": "2027-02-05T08:00:00Z"}
    disclosure = decide(
        patient={"birth_date": "2012-02-01"}, request=hp(), registrations=[BLOCK, consent]
    )
    assert disclosure["code"] == BLOCKED


def test_the_leap_day_child_turns_fifteen_on_the_first_of_march() -> None:
    def code(registered: str) -> str:
        block = parents_block(registered_at=registered)
        disclosure = decide(
            patient={"birth_date": "2012-02-29"},
            request=hp(),
            registrations=[block],
            now="2027-03-10T09:00:00Z",
        )
        answer: str = disclosure["code"]
        return answer

    assert code("2027-02-28T22:59:59.999999Z") == BLOCKED
    assert code("2027-02-28T23:00:00Z") == OPENED


@pytest.mark.parametrize("author", ["CITIZEN", "HP", "SUPPORT_DESK"])
def test_registrations_by_others_count_at_any_age(author: str) -> None:
    block = {**BLOCK, "registered_by": author}
    for born in ("1980-05-17", "2012-02-01", "2018-09-03"):
        disclosure = decide(patient={"birth_date": born}, request=hp(), registrations=[block])
        assert disclosure["code"] == BLOCKED


@pytest.mark.parametrize("door", CITIZENS)
@pytest.mark.parametrize("age", [5, 301, None])
def test_a_block_and_a_silent_consent_service_never_stop_a_citizen(
    door: str, age: int | None
) -> None:
    request = {"sources": {"consent_age_s": age}}
    assert through(door, request=request, registrations=[BLOCK])["code"] == PERMIT_OF[door]
