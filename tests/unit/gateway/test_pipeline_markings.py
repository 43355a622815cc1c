"""Markings: merging, checking, and what narrows access."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.pipeline.markings import DEFAULT_MARKINGS, check_patch, merge_markings, narrows


def test_an_absent_key_is_unchanged_and_null_clears() -> None:
    current = {**DEFAULT_MARKINGS, "do_not_share": True, "sensitive": ["HIV"]}
    merged = merge_markings(current, {"sensitive": None, "guardian_ok": True})
    assert merged["do_not_share"] is True
    assert merged["sensitive"] == []
    assert merged["guardian_ok"] is True


def test_the_delay_belongs_to_the_version_and_is_not_merged_into_the_note() -> None:
    merged = merge_markings(DEFAULT_MARKINGS, {"delay_until": "2026-12-20T00:00:00+01:00"})
    assert "delay_until" not in merged


@pytest.mark.parametrize(
    ("patch", "code", "path"),
    [
        ({"do_not_share": "yes"}, "FIELD-TYPE", "$.do_not_share"),
        ({"nonsense": True}, "FIELD-UNKNOWN", "$.nonsense"),
        ({"sensitive": ["XYZ"]}, "FIELD-TYPE", "$.sensitive"),
        ({"hide_from_patient": {"basis": "BECAUSE"}}, "FIELD-TYPE", "$.hide_from_patient"),
        ({"delay_until": "2026-12-20T00:00:00"}, "TIME-NO-OFFSET", "$.delay_until"),
        ({"delay_until": "tomorrow"}, "FIELD-TYPE", "$.delay_until"),
        ([], "FIELD-TYPE", "$"),
    ],
)
def test_a_fault_names_its_place_and_a_remedy_in_both_languages(
    patch: Any, code: str, path: str
) -> None:
    (issue,) = check_patch(patch)
    assert (issue.code, issue.path) == (code, path)
    assert issue.message_da
    assert issue.message_en
    assert issue.message_da != issue.message_en


def test_all_faults_come_at_once() -> None:
    assert len(check_patch({"do_not_share": 1, "x": 1, "sensitive": "HIV"})) == 3


def test_null_is_always_allowed() -> None:
    assert check_patch(dict.fromkeys((*DEFAULT_MARKINGS, "delay_until"))) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"do_not_share": False}, {"do_not_share": True}, True),
        ({"do_not_share": True}, {"do_not_share": False}, False),
        ({"guardian_ok": True}, {"guardian_ok": False}, True),
        ({"sensitive": []}, {"sensitive": ["DV"]}, True),
        ({}, {}, False),
    ],
)
def test_what_takes_a_note_away_goes_by_the_stop_lane(
    before: dict[str, Any], after: dict[str, Any], *, expected: bool
) -> None:
    assert narrows({**DEFAULT_MARKINGS, **before}, {**DEFAULT_MARKINGS, **after}) is expected
