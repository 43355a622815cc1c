"""The outsider's checker: every kind of tampering is found, and named exactly."""

from __future__ import annotations

import ast
import copy
import gc
import json
import subprocess
import sys
import tempfile
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import audit_check, cli
from gateway.audit_check import TrustedKey, Unusable, command
from gateway.merkle import Frontier, leaf_hash
from tests.unit.gateway.audit_specimens import (
    EXPORTED,
    KEY,
    OTHER_SIGNER,
    SIGNER,
    STARTED,
    Line,
    Log,
    as_line,
    body_of,
    entry_id,
    entry_line,
    heads_over,
    make_log,
)

SIZES = (3, 1, 4, 2)  # ten leaves under heads of size 3, 4, 8 and 10


@pytest.fixture
def log() -> Log:
    return make_log(*SIZES)


def first(log: Log, folder: Path) -> tuple[str, int | None, str | None]:
    """The first finding about an entry: kind, leaf, id."""
    report = log.check(folder)
    assert not report.holds
    found = report.findings[0]
    return found.kind, found.leaf_index, found.entry_id


def kinds(log: Log, folder: Path) -> list[str]:
    return [finding.kind for finding in log.check(folder).findings]


@pytest.mark.parametrize("sizes", [(), (1,), (2,), SIZES, (1,) * 9, (64, 65)])
def test_an_untouched_log_holds(sizes: tuple[int, ...], tmp_path: Path) -> None:
    log = make_log(*sizes)
    report = log.check(tmp_path)
    assert report.findings == []
    assert report.notes == []
    assert (report.entries, report.tree_size, report.anchored_size) == (log.size,) * 3
    assert report.heads == len(sizes)
    assert report.exported_at == EXPORTED.isoformat()


# --- entries ------------------------------------------------------------------

EVERY_LEAF = pytest.mark.parametrize("leaf", range(sum(SIZES)))


@EVERY_LEAF
def test_an_altered_entry_is_named(log: Log, leaf: int, tmp_path: Path) -> None:
    log.lines[log.at(leaf)]["body"] = body_of(leaf, "read nothing")
    assert first(log, tmp_path) == ("altered", leaf, str(entry_id(leaf)))


@EVERY_LEAF
def test_an_entry_altered_together_with_its_id_is_named_by_its_true_id(
    log: Log, leaf: int, tmp_path: Path
) -> None:
    log.lines[log.at(leaf)] = {**entry_line(99), "leaf_index": leaf}
    assert first(log, tmp_path) == ("altered", leaf, str(entry_id(leaf)))


@EVERY_LEAF
@pytest.mark.parametrize("renumbered", [False, True])
def test_a_removed_entry_is_named(log: Log, leaf: int, renumbered: bool, tmp_path: Path) -> None:
    del log.lines[log.at(leaf)]
    if renumbered:
        for number, line in enumerate(log.entries()):
            line["leaf_index"] = number
    kind = "cut_off" if leaf == sum(SIZES) - 1 else "removed"
    assert first(log, tmp_path) == (kind, leaf, str(entry_id(leaf)))


def test_of_several_removed_entries_the_first_is_named(log: Log, tmp_path: Path) -> None:
    for leaf in (2, 3, 4, 5, 6):
        del log.lines[log.at(leaf)]
    assert first(log, tmp_path) == ("removed", 2, str(entry_id(2)))


@pytest.mark.parametrize(("one", "two"), [(one, two) for two in range(10) for one in range(two)])
@pytest.mark.parametrize("renumbered", [False, True])
def test_swapped_entries_are_named(
    log: Log, one: int, two: int, renumbered: bool, tmp_path: Path
) -> None:
    here, there = log.at(one), log.at(two)
    log.lines[here], log.lines[there] = log.lines[there], log.lines[here]
    if renumbered:
        log.lines[here]["leaf_index"], log.lines[there]["leaf_index"] = one, two
    assert first(log, tmp_path) == ("swapped", one, str(entry_id(one)))


@pytest.mark.parametrize("leaf", range(sum(SIZES) + 1))
def test_an_inserted_entry_is_named(log: Log, leaf: int, tmp_path: Path) -> None:
    place = log.at(leaf) if leaf < sum(SIZES) else len(log.lines)
    log.lines.insert(place, {**entry_line(99), "leaf_index": leaf})
    assert first(log, tmp_path) == ("inserted", leaf, str(entry_id(99)))


def test_an_entry_shown_a_second_time_is_an_inserted_one(log: Log, tmp_path: Path) -> None:
    log.lines.insert(log.at(6), copy.deepcopy(log.lines[log.at(2)]))
    report = log.check(tmp_path)
    assert report.findings[0].kind == "inserted"
    assert report.findings[0].leaf_index == 6
    assert "a copy of leaf 2" in report.findings[0].message


@pytest.mark.parametrize("kept", range(sum(SIZES)))
def test_a_cut_off_end_is_named(log: Log, kept: int, tmp_path: Path) -> None:
    log.lines = log.lines[: log.at(kept)]
    assert first(log, tmp_path) == ("cut_off", kept, str(entry_id(kept)))


@pytest.mark.parametrize("kept", range(sum(SIZES)))
def test_a_cut_off_end_is_found_without_any_anchored_head(kept: int, tmp_path: Path) -> None:
    log = make_log(*SIZES, anchored=0)
    log.lines = log.lines[: log.at(kept)]
    kind, leaf, _ = first(log, tmp_path)
    assert (kind, leaf) == ("cut_off", kept)


def test_a_line_torn_in_the_middle_is_an_altered_entry(log: Log, tmp_path: Path) -> None:
    last = as_line(log.lines.pop())
    log.raw_tail = last[:40]
    assert first(log, tmp_path) == ("altered", 9, str(entry_id(9)))


@pytest.mark.parametrize(
    "changes",
    [
        {"leaf_index": 7},
        {"leaf_index": True},
        {"leaf_index": "4"},
        {"leaf_index": None},
        {"entry_id": str(entry_id(7))},
        {"entry_id": 4},
        {"body": None},
        {"body": "\ud800"},
        {"body": ["x"]},
        {"kind": "entry "},
    ],
)
def test_a_line_of_another_form_is_an_altered_entry(
    log: Log, changes: dict[str, Any], tmp_path: Path
) -> None:
    log.lines[log.at(4)].update(changes)
    export, anchor = log.write(tmp_path) if changes.get("body") != "\ud800" else (None, None)
    if export is None:  # a lone surrogate has no UTF-8 form; JSON can escape it
        log.lines[log.at(4)]["body"] = "SURROGATE"
        export, anchor = log.write(tmp_path)
        export.write_bytes(export.read_bytes().replace(b"SURROGATE", b"\\ud800"))
    assert anchor is not None
    key = TrustedKey(SIGNER.public_pem)
    found = audit_check.Check(export, anchor, key).run().findings[0]
    assert (found.kind, found.leaf_index, found.entry_id) == ("altered", 4, str(entry_id(4)))


@pytest.mark.parametrize("raw", [b"\n", b"null\n", b"[" * 100_000 + b"\n", b"\xff\xfe\n", b"{}\n"])
def test_a_line_that_is_nothing_is_an_inserted_one(log: Log, raw: bytes, tmp_path: Path) -> None:
    export, anchor = log.write(tmp_path)
    whole = export.read_bytes().splitlines(keepends=True)
    export.write_bytes(b"".join([*whole[:3], raw, *whole[3:]]))
    report = audit_check.Check(export, anchor, TrustedKey(SIGNER.public_pem)).run()
    assert (report.findings[0].kind, report.findings[0].leaf_index) == ("inserted", 1)


@pytest.mark.parametrize(
    "beside",
    [
        b'"note":"nothing was read","body":',
        b'"body_base64":"RkFLRQ==","body":',
        b'"body":"nothing was read","body":',
        b'"kind":"head","body":',
    ],
)
def test_nothing_may_stand_beside_what_was_sealed(log: Log, beside: bytes, tmp_path: Path) -> None:
    """Whoever reads the export with another program would take it for true."""
    export, anchor = log.write(tmp_path)
    export.write_bytes(export.read_bytes().replace(b'"body":', beside, 1))
    found = audit_check.Check(export, anchor, KEY).run().findings[0]
    assert (found.kind, found.leaf_index, found.entry_id) == ("altered", 0, str(entry_id(0)))


def test_the_key_shown_in_the_export_is_the_logs(log: Log, tmp_path: Path) -> None:
    log.log["public_key"] = OTHER_SIGNER.public_pem.decode()
    assert kinds(log, tmp_path) == ["log"]


def test_an_id_named_deeper_in_an_entry_is_not_its_own(tmp_path: Path) -> None:
    body = json.dumps({"about": {"entry_id": str(entry_id(0))}, "entry_id": str(entry_id(5))})
    heads = heads_over([[leaf_hash(body.encode())]], [[entry_id(0)]])
    log = make_log(1)
    log.lines[0]["head"], log.lines[1]["body"] = json.loads(heads[0]), body
    log.anchor = heads
    log.state()
    assert first(log, tmp_path) == ("altered", 0, str(entry_id(0)))


def test_a_file_of_many_faults_gives_a_short_report_that_names_the_entry(
    log: Log, tmp_path: Path
) -> None:
    kept = {"kind": "unsealed", "entry_id": str(entry_id(20)), "waits": False}
    log.lines = [*[kept] * 250, *log.lines]
    log.lines[log.at(4)]["body"] = "x"
    report = log.check(tmp_path)
    assert first(log, tmp_path) == ("altered", 4, str(entry_id(4)))
    assert len(report.findings) == 101
    assert report.more_findings == 150
    assert "... and 150 findings more" in command.as_text(report)


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    def peak(batches: int) -> int:
        folder = tmp_path / str(batches)
        folder.mkdir()
        paths = make_log(*[200] * batches).write(folder)
        gc.collect()
        tracemalloc.start()
        try:
            assert audit_check.Check(*paths, KEY).run().holds
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # The ids themselves, which go to disk later: 24 bytes each of 4,000.
    assert peak(25) < peak(5) + 160_000


def test_an_entry_that_names_another_id_than_it_was_sealed_under_is_found(
    tmp_path: Path,
) -> None:
    body = body_of(5)
    heads = heads_over([[leaf_hash(body.encode())]], [[entry_id(0)]])
    log = make_log(1)
    log.lines = [
        {"kind": "head", "head": json.loads(heads[0])},
        {"kind": "entry", "leaf_index": 0, "entry_id": str(entry_id(0)), "body": body},
    ]
    log.anchor = heads
    log.state()
    assert first(log, tmp_path) == ("altered", 0, str(entry_id(0)))


def test_an_entry_sealed_under_another_id_than_its_own_is_found(tmp_path: Path) -> None:
    body = body_of(5)
    heads = heads_over([[leaf_hash(body.encode())]], [[entry_id(0)]])
    log = make_log(1)
    log.lines[0]["head"] = json.loads(heads[0])
    log.lines[1].update(body=body, entry_id=str(entry_id(5)))
    log.anchor = heads
    log.state()
    assert first(log, tmp_path) == ("altered", 0, str(entry_id(0)))


def test_an_id_sealed_twice_is_found(tmp_path: Path) -> None:
    numbers = [0, 1, 2, 3, 1]
    bodies = [body_of(number, what=str(at)) for at, number in enumerate(numbers)]
    ids = [entry_id(number) for number in numbers]
    heads = heads_over([[leaf_hash(body.encode()) for body in bodies]], [ids])
    log = make_log(1)
    log.lines = [{"kind": "head", "head": json.loads(heads[0])}]
    for at, body in enumerate(bodies):
        line = {"kind": "entry", "leaf_index": at, "entry_id": str(ids[at]), "body": body}
        log.lines.append(line)
    log.anchor = heads
    log.state()
    assert first(log, tmp_path) == ("duplicate_id", 4, str(entry_id(1)))


def test_entries_that_wait_are_noted_and_those_kept_from_sealing_are_found(
    log: Log, tmp_path: Path
) -> None:
    log.lines.append({"kind": "unsealed", "entry_id": str(entry_id(20)), "waits": True})
    report = log.check(tmp_path)
    assert report.holds
    assert report.notes == ["1 entries were not sealed yet at the export"]
    log.lines.append({"kind": "unsealed", "entry_id": str(entry_id(21)), "waits": False})
    log.lines.append({"kind": "unsealed", "entry_id": None, "waits": True})
    report = log.check(tmp_path)
    assert [finding.kind for finding in report.findings] == ["unsealed", "unsealed"]
    assert str(entry_id(21)) in report.findings[0].message


# --- heads, anchor, statement ---------------------------------------------------


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


# --- whatever is done, it is found ----------------------------------------------


def entries_of(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["kind"] == "entry"]


@st.composite
def tampered(draw: st.DrawFn) -> Log:
    """A log with one to four random changes that leave it other than it was."""
    log = make_log(*draw(st.lists(st.integers(1, 6), min_size=1, max_size=5)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(log.lines) - 1)))
        deed = draw(st.sampled_from(["drop", "swap", "move", "insert", "copy", "edit", "cut"]))
        if deed == "insert" or not log.lines:
            number = draw(st.integers(50, 60))
            log.lines.insert(at, {**entry_line(number), "leaf_index": at})
        elif deed == "drop":
            del log.lines[at]
        elif deed == "cut":
            del log.lines[at:]
        elif deed == "copy":
            log.lines.insert(at, copy.deepcopy(log.lines[at]))
        elif deed == "edit":
            line = log.lines[at]
            if line["kind"] == "entry":
                line["body"] = body_of(line["leaf_index"], draw(st.text(max_size=3)))
            else:
                line["head"]["at"] = EXPORTED.isoformat()
        else:
            there = draw(st.integers(0, len(log.lines) - 1))
            if deed == "swap":
                log.lines[at], log.lines[there] = log.lines[there], log.lines[at]
            else:
                log.lines.insert(there, log.lines.pop(at))
    return log


@settings(max_examples=300, deadline=None)
@given(tampered())
def test_random_tampering_is_always_found(log: Log) -> None:
    true = make_log(*_sizes_of(log))
    heads = [line for line in log.lines if line["kind"] == "head"]
    true_heads = [line for line in true.lines if line["kind"] == "head"]
    is_same = entries_of(log.lines) == entries_of(true.lines) and _bare(heads) == _bare(true_heads)
    with tempfile.TemporaryDirectory() as folder:
        report = log.check(Path(folder))
    # A head may stand at another place among the entries: that changes nothing.
    assert report.holds == is_same
    wrong = [
        at
        for at, (one, two) in enumerate(
            zip(entries_of(log.lines), entries_of(true.lines), strict=False)
        )
        if one != two
    ]
    about = [finding for finding in report.findings if finding.leaf_index is not None]
    if wrong:
        assert about[0].leaf_index == wrong[0]
    elif len(entries_of(log.lines)) != len(entries_of(true.lines)):
        shorter = min(len(entries_of(log.lines)), len(entries_of(true.lines)))
        assert about[0].leaf_index == shorter


def _sizes_of(log: Log) -> list[int]:
    """The batch sizes, from the anchor file, which these tests leave alone."""
    records = [json.loads(line) for line in log.anchor]
    return [record["tree_size"] - record["first_leaf"] for record in records]


def _bare(heads: list[Line]) -> list[Line]:
    """Heads without their signature, which differs each time one is made."""
    return [
        {name: value for name, value in line["head"].items() if name != "signature"}
        for line in heads
    ]


@settings(max_examples=300, deadline=None)
@given(st.booleans(), st.integers(0, 1 << 20), st.integers(1, 255))
def test_a_changed_byte_is_found_or_changes_nothing(
    in_export: bool, place: int, change: int
) -> None:
    log = make_log(2, 3)
    with tempfile.TemporaryDirectory() as name:
        export, anchor = log.write(Path(name))
        target = export if in_export else anchor
        content = bytearray(target.read_bytes())
        before = _meaning(bytes(content))
        content[place % len(content)] ^= change
        target.write_bytes(content)
        try:
            report = audit_check.Check(export, anchor, TrustedKey(SIGNER.public_pem)).run()
        except Unusable:
            return
        if report.holds:
            assert _meaning(bytes(content)) == before


def _meaning(content: bytes) -> list[Any]:
    """The values of the lines; of the first only what is relied on, of base64 the bytes."""
    import base64

    found = []
    for line in content.splitlines():
        value = json.loads(line)
        if value.get("kind") == "log":
            value = {"kind": "log", "log_id": value["log_id"], "export": value["export"]}
        for record in (value, value.get("head"), value.get("export")):
            if isinstance(record, dict):
                for name in ("signature", "leaf_hashes", "entry_ids"):
                    if name in record:
                        record[name] = base64.b64decode(record[name])
        found.append(value)
    return found


# --- the program ------------------------------------------------------------------


def test_the_checker_imports_nothing_of_the_service() -> None:
    folder = Path(audit_check.__file__).parent
    allowed = set(sys.stdlib_module_names) | {"cryptography"}
    for module in folder.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            else:
                assert not isinstance(node, ast.ImportFrom) or node.level == 1
                continue
            assert {name.split(".")[0] for name in names} <= allowed, module.name


def _paths(log: Log, folder: Path) -> list[str]:
    export, anchor = log.write(folder)
    key = folder / "log.pub.pem"
    key.write_bytes(SIGNER.public_pem)
    return [str(export), "--anchor", str(anchor), "--key", str(key)]


def test_it_runs_alone_away_from_the_service(log: Log, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(Path(audit_check.__file__).parent, tmp_path / "audit_check")
    done = subprocess.run(
        [sys.executable, "-m", "audit_check", *_paths(log, tmp_path)],
        cwd=tmp_path,
        env={"PYTHONSAFEPATH": "", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "OK: the log is whole." in done.stdout


def test_the_exit_code_tells_whole_broken_and_unusable_apart(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = _paths(log, tmp_path)
    assert audit_check.main(arguments) == 0
    log.lines[log.at(7)]["body"] = body_of(7, "other")
    assert audit_check.main(_paths(log, tmp_path)) == 1
    printed = capsys.readouterr().out
    assert f"ALTERED: leaf 7, entry {entry_id(7)}: " in printed
    for missing in (0, 2, 4):
        changed = list(arguments)
        changed[missing] = str(tmp_path / "no-such-file")
        assert audit_check.main(changed) == 2
    swapped = [arguments[2], *arguments[1:]]
    assert audit_check.main(swapped) == 2
    assert "cannot check" in capsys.readouterr().err


def test_the_report_can_be_read_by_a_program(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit_check.main([*_paths(log, tmp_path), "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["ok"] is True
    assert (whole["entries"], whole["anchored_size"], whole["first_entry"]) == (10, 10, None)
    del log.lines[log.at(3)]
    assert audit_check.main([*_paths(log, tmp_path), "--json"]) == 1
    broken = json.loads(capsys.readouterr().out)
    assert broken["ok"] is False
    assert broken["first_entry"]["kind"] == "removed"
    assert broken["first_entry"]["leaf_index"] == 3
    assert broken["first_entry"]["entry_id"] == str(entry_id(3))
    assert broken["findings"][0] == broken["first_entry"]


def test_the_gateways_own_command_line_offers_it(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["audit", "verify", *_paths(log, tmp_path)]) == 0
    log.lines.pop()
    assert cli.main(["audit", "verify", *_paths(log, tmp_path), "--json"]) == 1
    printed = capsys.readouterr().out
    assert '"kind": "cut_off"' in printed


@pytest.mark.parametrize("pem", [b"", b"no key", OTHER_SIGNER.public_pem[:-40]])
def test_a_key_that_is_none_is_refused(pem: bytes) -> None:
    with pytest.raises(Unusable):
        TrustedKey(pem)
