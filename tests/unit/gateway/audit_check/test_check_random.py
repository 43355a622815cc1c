"""The outsider's checker: whatever is done at random, it is found."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import audit_check
from gateway.audit_check import TrustedKey, Unusable
from tests.unit.gateway.audit_check.specimens import (
    EXPORTED,
    SIGNER,
    Line,
    Log,
    body_of,
    entry_line,
    make_log,
)


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
