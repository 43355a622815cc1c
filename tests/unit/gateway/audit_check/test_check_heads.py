"""The outsider's checker: heads, the anchor file and the exporter's statement."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.audit_check import TrustedKey
from gateway.merkle import Frontier, leaf_hash
from tests.unit.gateway.audit_check.findings import SIZES, first, kinds
from tests.unit.gateway.audit_check.specimens import (
    OTHER_SIGNER,
    SIGNER,
    STARTED,
    Log,
    as_line,
    body_of,
    entry_id,
    entry_line,
    heads_over,
    make_log,
)


def rolled_back(log: Log, heads: int) -> Log:
    """The log as it was after so many heads, with the anchor file of today."""
    size = sum(SIZES[:heads])
    earlier = copy.deepcopy(log)
    earlier.lines = [
        line
        for line in log.lines
        if (line["head"]["tree_size"] if line["kind"] == "head" else line["leaf_index"] + 1) <= size
    ]
    earlier.state()
    return earlier


@pytest.mark.parametrize("heads", range(4))
def test_a_log_set_back_is_found_by_its_age(log: Log, heads: int, tmp_path: Path) -> None:
    size = sum(SIZES[:heads])
    assert first(rolled_back(log, heads), tmp_path) == ("rolled_back", size, str(entry_id(size)))


def test_a_log_set_back_is_found_at_once_by_an_exporter_who_knows_the_anchor(
    log: Log, tmp_path: Path
) -> None:
    earlier = rolled_back(log, 3)
    earlier.state(anchored_size=10, exported_at=STARTED)
    assert first(earlier, tmp_path) == ("rolled_back", 8, str(entry_id(8)))


def test_what_was_sealed_after_the_export_is_only_noted(log: Log, tmp_path: Path) -> None:
    earlier = rolled_back(log, 3)
    earlier.state(exported_at=STARTED + timedelta(minutes=2, seconds=30))
    report = earlier.check(tmp_path)
    assert report.findings == []
    assert report.notes == ["2 leaves were sealed after the export"]
    assert report.entries == 8


def test_a_log_that_went_another_way_after_being_set_back_is_found(
    log: Log, tmp_path: Path
) -> None:
    bodies = [body_of(number, "x" if number >= 8 else "read a note") for number in range(10)]
    leaves = [leaf_hash(body.encode()) for body in bodies]
    ids = [entry_id(number) for number in range(10)]
    forked = heads_over([leaves[:8], leaves[8:]], [ids[:8], ids[8:]])
    log.lines = [{"kind": "head", "head": json.loads(forked[0])}]
    log.lines += [{**entry_line(n), "body": bodies[n]} for n in range(8)]
    log.lines += [{"kind": "head", "head": json.loads(forked[1])}]
    log.lines += [{**entry_line(n), "body": bodies[n]} for n in (8, 9)]
    log.state()
    found = kinds(log, tmp_path)
    assert found[0] == "altered"
    assert {"head", "statement"} <= set(found)


def test_heads_not_anchored_yet_are_noted_when_young_and_found_when_old(tmp_path: Path) -> None:
    log = make_log(*SIZES, anchored=3)
    log.state(anchored_size=8, exported_at=STARTED + timedelta(minutes=4))
    report = log.check(tmp_path)
    assert report.findings == []
    assert report.notes == ["the last 2 leaves are signed, not yet anchored"]
    log.state(anchored_size=8)
    assert kinds(log, tmp_path) == ["anchor"]


def test_a_head_missing_from_the_anchor_file_is_found(log: Log, tmp_path: Path) -> None:
    for missing in range(len(SIZES)):
        changed = copy.deepcopy(log)
        del changed.anchor[missing]
        assert "anchor" in kinds(changed, tmp_path)


def test_heads_out_of_order_are_found_in_either_file(log: Log, tmp_path: Path) -> None:
    changed = copy.deepcopy(log)
    changed.anchor[1], changed.anchor[2] = changed.anchor[2], changed.anchor[1]
    assert "anchor" in kinds(changed, tmp_path)
    heads = [at for at, line in enumerate(log.lines) if line["kind"] == "head"]
    one, two = heads[1], heads[2]
    log.lines[one], log.lines[two] = log.lines[two], log.lines[one]
    assert "head" in kinds(log, tmp_path)


def test_a_head_missing_from_the_export_is_found(log: Log, tmp_path: Path) -> None:
    for at in [at for at, line in enumerate(log.lines) if line["kind"] == "head"]:
        changed = copy.deepcopy(log)
        del changed.lines[at]
        assert kinds(changed, tmp_path) == ["head"]


def test_a_rewritten_anchor_file_is_found_and_the_entry_still_named(
    log: Log, tmp_path: Path
) -> None:
    """Whoever holds the database and the file but not the key."""
    bodies = [body_of(number) for number in range(10)]
    bodies[5] = body_of(5, "read nothing")
    leaves = [leaf_hash(body.encode()) for body in bodies]
    ids = [entry_id(number) for number in range(10)]
    log.lines[log.at(5)]["body"] = bodies[5]
    forged = heads_over([leaves[:3], leaves[3:4], leaves[4:8]], [ids[:3], ids[3:4], ids[4:8]])
    record = json.loads(forged[2])
    record["signature"] = json.loads(log.anchor[2])["signature"]
    log.anchor[2] = as_line(record)
    report = log.check(tmp_path)
    assert [finding.kind for finding in report.findings][:2] == ["altered", "anchor"]
    assert report.findings[0].leaf_index == 5
    assert "anchor file, line 3" in report.findings[1].message


@pytest.mark.parametrize(
    "name", ["tree_size", "root", "previous_root", "at", "first_leaf", "leaf_hashes", "entry_ids"]
)
def test_every_part_of_a_head_is_signed(log: Log, name: str, tmp_path: Path) -> None:
    record = json.loads(log.anchor[2])
    other = json.loads(log.anchor[1])
    record[name] = other[name]
    log.anchor[2] = as_line(record)
    assert "anchor" in kinds(log, tmp_path)
    del record[name]
    log.anchor[2] = as_line(record)
    assert "anchor" in kinds(log, tmp_path)


def test_a_signed_head_that_contradicts_its_own_leaves_is_found(tmp_path: Path) -> None:
    """A sealer that errs, or one that was made to."""
    log = make_log(2)
    leaves = [leaf_hash(body_of(number).encode()) for number in range(2)]
    frontier = Frontier()
    frontier.extend(reversed(leaves))
    log.anchor = [
        SIGNER.head(
            tree_size=2,
            root=frontier.root(),
            previous_root=Frontier().root(),
            at=STARTED,
            first_leaf=0,
            leaf_hashes=leaves,
            entry_ids=[entry_id(0), entry_id(1)],
        )
    ]
    assert "anchor" in kinds(log, tmp_path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"first_leaf": 4, "tree_size": 6}, "begins at leaf 4, expected was 3"),
        ({"previous_root": bytes(32)}, "does not grow out of the head before it"),
    ],
)
def test_a_signed_head_that_does_not_join_the_one_before_is_found(
    log: Log, changes: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    leaves = [leaf_hash(body_of(number).encode()) for number in range(5)]
    frontier = Frontier()
    frontier.extend(leaves[:3])
    previous_root = frontier.root()
    frontier.extend(leaves[3:])
    values = {
        "tree_size": 5,
        "root": frontier.root(),
        "previous_root": previous_root,
        "at": STARTED,
        "first_leaf": 3,
        "leaf_hashes": leaves[3:],
        "entry_ids": [entry_id(3), entry_id(4)],
        **changes,
    }
    log.anchor[1:] = [SIGNER.head(**values)]
    messages = [finding.message for finding in log.check(tmp_path).findings]
    assert any(message.endswith(problem) for message in messages)


def test_a_head_signed_by_another_key_is_found(log: Log, tmp_path: Path) -> None:
    leaves = [[leaf_hash(body_of(number).encode()) for number in range(3)]]
    log.anchor[0] = heads_over(leaves, [[entry_id(n) for n in range(3)]], OTHER_SIGNER)[0]
    assert "anchor" in kinds(log, tmp_path)


def test_a_statement_can_be_neither_changed_nor_left_out(log: Log, tmp_path: Path) -> None:
    earlier = rolled_back(log, 3)
    earlier.log["export"]["exported_at"] = STARTED.isoformat()
    assert "statement" in kinds(earlier, tmp_path)
    assert "rolled_back" not in kinds(earlier, tmp_path)
    assert first(earlier, tmp_path) == ("cut_off", 8, str(entry_id(8)))
    del earlier.log["export"]
    assert first(earlier, tmp_path) == ("cut_off", 8, str(entry_id(8)))


def test_a_head_does_not_pass_for_a_statement(log: Log, tmp_path: Path) -> None:
    log.log["export"] = json.loads(log.anchor[2])
    assert "statement" in kinds(log, tmp_path)


def test_an_anchor_file_cut_since_the_export_is_found(log: Log, tmp_path: Path) -> None:
    log.anchor = log.anchor[:-1]
    assert "anchor" in kinds(log, tmp_path)
    log.anchor = []
    assert "anchor" in kinds(log, tmp_path)


def test_an_anchor_file_cut_since_the_export_is_found_by_what_the_exporter_knew(
    log: Log, tmp_path: Path
) -> None:
    log.state(exported_at=STARTED + timedelta(minutes=4))  # the heads are young
    log.anchor.pop()
    report = log.check(tmp_path)
    assert [finding.kind for finding in report.findings] == ["anchor"]
    assert "10 leaves were anchored before the export" in report.findings[0].message


def test_an_export_and_an_anchor_file_both_cut_at_a_head_are_found(
    log: Log, tmp_path: Path
) -> None:
    statement = log.log["export"]
    earlier = rolled_back(log, 3)
    earlier.log["export"] = statement
    earlier.anchor.pop()
    report = earlier.check(tmp_path)
    assert (report.findings[0].kind, report.findings[0].leaf_index) == ("cut_off", 8)
    assert {finding.kind for finding in report.findings} == {"cut_off", "anchor", "head"}


def test_a_head_taken_out_of_both_files_is_found(log: Log, tmp_path: Path) -> None:
    del log.lines[max(at for at, line in enumerate(log.lines) if line["kind"] == "head")]
    log.anchor.pop()
    report = log.check(tmp_path)
    assert report.findings[0].leaf_index == 8
    assert {finding.kind for finding in report.findings} == {"inserted", "anchor", "head"}


def test_an_export_that_shows_more_than_was_stated_is_found(log: Log, tmp_path: Path) -> None:
    log.state(
        tree_size=8,
        root=bytes.fromhex(json.loads(log.anchor[2])["root"]),
        anchored_size=8,
        exported_at=STARTED + timedelta(minutes=2, seconds=30),
    )
    assert kinds(log, tmp_path) == ["statement"]


def test_a_torn_anchor_line_is_forgiven_only_where_the_next_line_repeats_it(
    log: Log, tmp_path: Path
) -> None:
    torn = copy.deepcopy(log)
    torn.anchor[2:2] = [torn.anchor[2][:100] + b"\n", torn.anchor[2][:7] + b"\n"]
    report = torn.check(tmp_path)
    assert report.findings == []
    assert report.notes == ["anchor file: 2 torn lines, each repeated whole"]
    torn = copy.deepcopy(log)
    torn.anchor.append(b'{"at":"2026-12-14T0')
    report = torn.check(tmp_path)
    assert report.findings == []
    assert report.notes == ["anchor file, line 5: not written to its end"]
    log.anchor[2:2] = [log.anchor[1][:100] + b"x\n"]
    assert kinds(log, tmp_path) == ["anchor"]


def test_a_head_anchored_twice_in_a_row_says_nothing_new(log: Log, tmp_path: Path) -> None:
    log.anchor.insert(2, log.anchor[1])
    assert log.check(tmp_path).findings == []
    log.anchor.append(log.anchor[0])
    assert "anchor" in kinds(log, tmp_path)


def test_the_export_of_another_log_is_said_to_be_one(log: Log, tmp_path: Path) -> None:
    report = log.check(tmp_path, TrustedKey(OTHER_SIGNER.public_pem))
    assert [finding.kind for finding in report.findings] == ["log"]
