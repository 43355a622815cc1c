"""Which registrations bind a request (sharing-rules 7.2, 7.3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from consent.model import NoteFacts, Patient, Registration, Request, What, Who
from consent.organisations import OrganisationTree
from consent.registrations import data_faults, evaluate, is_active
from tests.unit.consent.consent_builders import (
    NOTE,
    NOW,
    TREE,
    at,
    block,
    consent,
    note,
    patient,
    request,
)

TICK = timedelta(microseconds=1)


def state(
    *registrations: Registration,
    asked: Request | None = None,
    what: NoteFacts = NOTE,
    who: Patient | None = None,
    tree: OrganisationTree = TREE,
    now: datetime = NOW,
) -> str:
    found = evaluate(registrations, who or patient(), what, asked or request(), tree, now)
    return found.state.value


def test_nothing_registered_is_none() -> None:
    assert state() == "NONE"


def test_a_matching_positive_beats_a_block_in_any_order() -> None:
    assert state(block()) == "NEGATIVE"
    assert state(block(), consent()) == "POSITIVE"
    assert state(consent(), block()) == "POSITIVE"
    # Also over a later and narrower block (contested C6).
    narrow = block(valid_from=at("2027-02-09T00:00:00Z"), who=Who("PERSON", person="HP-1"))
    assert state(consent(), narrow) == "POSITIVE"


def test_validity_is_half_open() -> None:
    for valid_from, valid_to, counts in (
        (NOW, None, True),
        (NOW + TICK, None, False),
        (at("2027-01-01T00:00:00Z"), NOW, False),
        (at("2027-01-01T00:00:00Z"), NOW + TICK, True),
    ):
        expected = "NEGATIVE" if counts else "NONE"
        assert state(block(valid_from=valid_from, valid_to=valid_to)) == expected


def test_revocation_counts_from_its_instant() -> None:
    assert state(block(revoked_at=NOW)) == "NONE"
    assert state(block(revoked_at=NOW + TICK)) == "NEGATIVE"
    assert state(block(), consent(revoked_at=NOW)) == "NEGATIVE"


@pytest.mark.parametrize(
    ("what", "matches"),
    [
        (What("FILTER", origin_org="P1"), True),
        (What("FILTER", origin_org="P2"), False),
        (What("FILTER", origin_org="P2", include_sub=True), False),
        (What("FILTER", document_id="N-1"), True),
        (What("FILTER", document_id="N-2"), False),
        (What("FILTER", document_id="N-1", origin_org="P2"), False),
        (What("FILTER", data_from=NOTE.created_at), True),
        (What("FILTER", data_to=NOTE.created_at), False),
        (What("FILTER", data_from=at("2027-02-01T09:00:00.000001Z")), False),
        (What("FILTER", data_to=at("2027-02-01T09:00:00.000001Z")), True),
        (What("FILTER", origin_org="P1", data_to=at("2027-01-01T00:00:00Z")), False),
    ],
)
def test_what(what: What, matches: bool) -> None:
    assert state(block(what=what)) == ("NEGATIVE" if matches else "NONE")
    assert state(block(), consent(what=what)) == ("POSITIVE" if matches else "NEGATIVE")


def test_origin_below_an_organisation_needs_include_sub() -> None:
    below = note(author_org="P1A")
    assert state(block(what=What("FILTER", origin_org="P1")), what=below) == "NONE"
    wide = What("FILTER", origin_org="P1", include_sub=True)
    assert state(block(what=wide), what=below) == "NEGATIVE"


@pytest.mark.parametrize(
    ("who", "matches"),
    [
        (Who("ORG", org="A1"), True),
        (Who("ORG", org="A"), False),
        (Who("ORG", org="A", include_sub=True), True),
        (Who("ORG", org="REGION", include_sub=True), True),
        (Who("ORG", org="B", include_sub=True), False),
        (Who("PERSON", person="HP-1"), True),
        (Who("PERSON", person="HP-7"), False),
        (Who("GROUP", group="HOSPITALS"), True),
        (Who("GROUP", group="MUNICIPALITIES"), False),
    ],
)
def test_who(who: Who, matches: bool) -> None:
    assert state(block(who=who)) == ("NEGATIVE" if matches else "NONE")
    assert state(block(), consent(who=who)) == ("POSITIVE" if matches else "NEGATIVE")


def test_one_blocked_person_behind_the_request_blocks() -> None:
    assistant = request(actor_id="AS-3", on_behalf_of="HP-1")
    for person in ("AS-3", "HP-1"):
        assert state(block(who=Who("PERSON", person=person)), asked=assistant) == "NEGATIVE"
    lifted = consent(who=Who("PERSON", person="HP-1"))
    assert state(block(), lifted, asked=assistant) == "NEGATIVE"
    both = consent(who=Who("PERSON", person="AS-3"))
    assert state(block(), lifted, both, asked=assistant) == "POSITIVE"
    only_one = block(who=Who("PERSON", person="AS-3"))
    assert state(only_one, lifted, asked=assistant) == "NEGATIVE"


# --- unusable ----------


@pytest.mark.parametrize(
    "bad",
    [
        consent(valid_to=None),
        consent(valid_to=at("2027-02-01T08:00:00Z")),
        consent(valid_from=None),
        consent(valid_from=at("2027-03-01T08:00:00.000001Z")),
        consent(unreadable=frozenset({"revoked_at"})),
        consent(registered_by=None),
        consent(what=What("UNKNOWN")),
        consent(what=What("FILTER")),
        consent(who=Who("UNKNOWN")),
        consent(who=Who("ORG")),
        consent(valid_to=datetime(2027, 3, 1)),
    ],
)
def test_a_faulty_consent_opens_nothing(bad: Registration) -> None:
    asked = patient(birth_date=date(2010, 1, 1))  # 15 on the day below: a parent may not register.
    made_later = replace(bad, registered_at=at("2026-01-01T00:00:00Z"))
    assert state(block(), made_later, who=asked) == "NEGATIVE"


@pytest.mark.parametrize(
    "odd",
    [
        block(valid_from=None),
        block(valid_from=datetime(2027, 1, 1)),
        block(revoked_at=datetime(2027, 1, 6)),
        block(revoked_at=None, unreadable=frozenset({"revoked_at"})),
        block(unreadable=frozenset({"valid_to"})),
        block(what=What("UNKNOWN")),
        block(what=What("FILTER")),
        block(what=What("FILTER", data_from=datetime(2099, 1, 1))),
        block(who=Who("UNKNOWN")),
        block(who=Who("ORG")),
        block(who=Who("GROUP", group="NOBODY-KNOWS")),
        block(who=Who("ORG", org="A", include_sub=None)),
        block(registered_by=None),
        block(type=None),
        block(type="PRIVATE"),
    ],
)
def test_a_block_with_something_unknown_still_blocks(odd: Registration) -> None:
    assert state(odd) == "NEGATIVE"


def test_a_block_that_ends_before_it_starts_is_ignored_and_reported() -> None:
    bad = block(valid_to=at("2027-01-05T08:00:00Z"))
    assert state(bad) == "NONE"
    (fault,) = data_faults([bad, block(), consent()], patient())
    assert (fault.registration_id, fault.reason) == ("r-neg", "it ends before it starts")


def test_a_parent_can_not_register_from_the_15th_birthday() -> None:
    who = patient(birth_date=date(2012, 2, 10))
    birthday = at("2027-02-09T23:00:00Z")
    now = birthday + timedelta(hours=1)
    early = block(registered_by="GUARDIAN", registered_at=birthday - TICK)
    late = block(registered_by="GUARDIAN", registered_at=birthday)
    assert state(early, who=who, now=now) == "NEGATIVE"
    assert state(late, who=who, now=now) == "NONE"
    assert state(late, who=replace(who, incapacity_39b=True), now=now) == "NEGATIVE"
    assert state(replace(late, registered_by="CITIZEN"), who=who, now=now) == "NEGATIVE"
    assert state(late, who=replace(who, birth_date=None), now=now) == "NEGATIVE"
    # Without registered_at the start of validity counts.
    by_start = replace(late, registered_at=None, valid_from=birthday)
    assert state(by_start, who=who, now=now) == "NONE"
    unread = replace(by_start, unreadable=frozenset({"registered_at"}))
    assert state(unread, who=who, now=now) == "NEGATIVE"


def test_active_is_unknown_when_an_instant_is() -> None:
    assert is_active(block(), NOW) is True
    assert is_active(block(valid_from=None), NOW) is None
    assert is_active(block(valid_from=None, revoked_at=NOW), NOW) is False
    assert is_active(block(valid_from=NOW + TICK, unreadable=frozenset({"valid_to"})), NOW) is False


# --- organisations ----------


def test_an_incomplete_tree_knows_nothing_of_strangers() -> None:
    wide = Who("ORG", org="A", include_sub=True)
    stranger = request(acting_org="ELSEWHERE")
    assert state(block(who=wide), asked=stranger) == "NONE"
    unsure = OrganisationTree({"A1": "A"})
    assert state(block(who=wide), asked=stranger, tree=unsure) == "NEGATIVE"
    assert state(block(), consent(who=wide), asked=stranger, tree=unsure) == "NEGATIVE"
    assert state(block(who=Who("ORG", org="A")), asked=stranger, tree=unsure) == "NONE"
    group = Who("GROUP", group="G")
    assert OrganisationTree({}, {"G": ["A"]}).is_in_group("X", "G") is None
    assert OrganisationTree({}, {"G": ["A"]}, complete=True).is_in_group("X", "G") is False
    assert state(block(who=group), asked=request(acting_org=None)) == "NEGATIVE"


def test_a_loop_of_organisations_ends() -> None:
    loop = OrganisationTree({"X": "Y", "Y": "Z", "Z": "X"})
    assert loop.is_within("X", "Z") is True
    assert loop.is_within("X", "W") is False


def test_a_member_of_a_group_is_the_unit_or_what_lies_below() -> None:
    expected: dict[str, Any] = {"A": True, "A1": True, "REGION": False, "B1": True, "M1": False}
    for unit, answer in expected.items():
        assert TREE.is_in_group(unit, "HOSPITALS") is answer
