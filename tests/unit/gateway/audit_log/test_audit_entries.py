"""What an audit entry must hold, and its canonical form."""

from __future__ import annotations

import json
import timeit
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from gateway.api.audit_ui.words import ACTIONS
from gateway.pipeline.audit import (
    OWN_FIELDS,
    REQUIRED,
    AuditAction,
    AuditEntry,
    AuditFieldMissing,
    entry_bytes,
    policy_stamp,
)

AT = datetime(2026, 12, 14, 23, 30, tzinfo=UTC)
ID = UUID("7c0a5a58-7f1e-4f0e-9d0c-0d1a4f1f0001")


def details_for(action: AuditAction) -> dict[str, Any]:
    return {name: {"of": name} for name in REQUIRED[action]}


def test_every_action_says_what_it_demands_and_has_words() -> None:
    assert set(REQUIRED) == set(AuditAction)
    assert {action.value for action in AuditAction} == set(ACTIONS)


@pytest.mark.parametrize(
    ("action", "missing"),
    [(action, name) for action, names in REQUIRED.items() for name in sorted(names)],
)
def test_a_missing_field_is_a_developers_error(action: AuditAction, missing: str) -> None:
    details = details_for(action)
    AuditEntry(action, AT, details)
    del details[missing]
    with pytest.raises(AuditFieldMissing, match=missing) as caught:
        AuditEntry(action, AT, details)
    assert caught.value.actor == "developer"
    assert caught.value.retry == "no"


@pytest.mark.parametrize("name", sorted(OWN_FIELDS))
def test_details_never_stand_in_for_the_entrys_own_fields(name: str) -> None:
    with pytest.raises(AuditFieldMissing, match="own fields"):
        AuditEntry(AuditAction.PURGED, AT, {"note": {}, name: "forged"})


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(AuditFieldMissing, match="offset"):
        AuditEntry(AuditAction.PURGED, AT.replace(tzinfo=None), {"note": {}})


def test_the_canonical_form_does_not_depend_on_the_order_of_writing() -> None:
    def entry(details: dict[str, Any]) -> AuditEntry:
        return AuditEntry(AuditAction.PURGED, AT, details, ID, ID, "system:pipeline", ID)

    one = entry_bytes(entry({"note": {"note_id": "n", "version": 1}, "versions": [1]}))
    two = entry_bytes(entry({"versions": [1], "note": {"version": 1, "note_id": "n"}}))
    assert one == two
    assert (
        one
        == json.dumps(
            json.loads(one), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()
    )


def test_an_entry_carries_both_times_its_ids_and_the_rules_it_was_made_under() -> None:
    body = json.loads(
        entry_bytes(AuditEntry(AuditAction.PURGED, AT, {"note": {"x": "æ"}}, ID, None, "a", ID))
    )
    assert set(body) == OWN_FIELDS | {"note"}
    assert body["at"] == "2026-12-14T23:30:00+00:00"
    assert body["at_local"] == "2026-12-15T00:30:00+01:00"
    assert body["policy"] == policy_stamp()
    assert set(policy_stamp()) == {"rules_version", "rules_hash", "configuration_hash", "software"}
    assert (body["entry_id"], body["patient_id"], body["practice_id"]) == (str(ID), str(ID), None)


def test_two_entries_never_share_an_id() -> None:
    made = {AuditEntry(AuditAction.PURGED, AT, {"note": {}}).entry_id for _ in range(100)}
    assert len(made) == 100


def test_an_entry_costs_no_more_than_the_standard_librarys_json() -> None:
    """Every move and every read pays this: some ten microseconds."""
    decision = {"version": 1, "destination": "patient_feed", "decision": "HOLD", "code": "P-HOLD"}
    details = {**details_for(AuditAction.MOVED), "decisions": [decision] * 3}
    entry = AuditEntry(AuditAction.MOVED, AT, details, ID, ID, "system:pipeline", ID)
    plain = json.loads(entry_bytes(entry))
    ours = min(timeit.repeat(lambda: entry_bytes(entry), number=500, repeat=9))
    theirs = min(timeit.repeat(lambda: json.dumps(plain, sort_keys=True), number=500, repeat=9))
    assert ours < theirs
