"""The outsider's checker: every kind of tampering with entries is found, and named exactly."""

from __future__ import annotations

import copy
import gc
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from gateway import audit_check
from gateway.audit_check import TrustedKey, command
from gateway.merkle import leaf_hash
from tests.unit.gateway.audit_check.findings import SIZES, first, kinds
from tests.unit.gateway.audit_check.specimens import (
    EXPORTED,
    KEY,
    OTHER_SIGNER,
    SIGNER,
    Log,
    as_line,
    body_of,
    entry_id,
    entry_line,
    heads_over,
    make_log,
)


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
