"""Markings: what was named is known, and in a merge patch null clears."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from mappers.note import MARKING_NAMES, Markings
from mappers.practice.fields import Checks
from mappers.practice.markings import read_markings

FULL = {
    "do_not_share": True,
    "hide_from_professionals": True,
    "third_party_confidential": True,
    "delay_until": "2026-12-20T08:00:00+01:00",
    "hide_from_patient": {"basis": "SL37_4_PRE2010"},
    "hide_from_guardian": True,
    "sensitive": ["PSY", "DV"],
    "guardian_ok": True,
    "patient_confirmed_feed": True,
}


def read(given: Any, *, null_clears: bool = False) -> tuple[Markings, list[tuple[str, str]]]:
    checks = Checks()
    markings = read_markings(checks, given, null_clears=null_clears)
    return markings, [(issue.code, issue.path) for issue in checks.issues]


def test_every_marking_is_read_and_named() -> None:
    markings, issues = read(FULL)
    assert issues == []
    assert markings.named == set(MARKING_NAMES) == set(FULL)
    assert {name: markings.value_of(name) for name in MARKING_NAMES} == FULL
    assert markings.delay_until == datetime(2026, 12, 20, 8, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize("name", MARKING_NAMES)
def test_one_marking_names_itself_alone(name: str) -> None:
    markings, issues = read({name: FULL[name]})
    assert issues == []
    assert markings.named == {name}
    others = [other for other in MARKING_NAMES if other != name]
    assert all(markings.value_of(other) == Markings().value_of(other) for other in others)
    assert markings.value_of(name) == FULL[name]


@pytest.mark.parametrize("name", MARKING_NAMES)
def test_null_clears_in_a_merge_patch(name: str) -> None:
    markings, issues = read({name: None}, null_clears=True)
    assert issues == []
    assert markings.named == {name}
    assert markings.value_of(name) == Markings().value_of(name)


@pytest.mark.parametrize("name", ["do_not_share", "guardian_ok", "sensitive"])
def test_null_is_no_value_in_a_posted_note(name: str) -> None:
    assert read({name: None})[1] == [("FIELD-TYPE", f"$.markings.{name}")]


def test_a_basis_that_the_law_lacks_is_kept_so_that_the_note_is_held() -> None:
    markings, issues = read({"hide_from_patient": {"basis": "OTHER"}})
    assert issues == []
    assert markings.hide_from_patient == "OTHER"


@pytest.mark.parametrize("given", [None, [], "x", 1])
def test_what_is_no_object_is_refused(given: Any) -> None:
    assert read(given)[1] == [("FIELD-TYPE", "$.markings")]
