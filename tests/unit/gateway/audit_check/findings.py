"""A whole log, and what the checker finds in it once it has been tampered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.gateway.audit_check.specimens import (
    Log,
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
