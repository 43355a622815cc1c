"""Whoever has all rights on the database can change the log, and is found out."""

from __future__ import annotations

from uuid import uuid4

import pytest

from gateway.errors import AuditUnwritable
from gateway.storage.audit_signer import AnchorFile, AuditSigner
from tests.unit.gateway.audit_log.ledger import DEEDS, NOW, Log, entry, entry_ids

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("deed", DEEDS)
async def test_whoever_owns_the_database_is_found_out(sealed: Log, deed: str) -> None:
    statements, kind, leaf = DEEDS[deed]
    ids = await entry_ids(sealed)
    sealed.as_owner(*statements)
    report = await sealed.check()
    assert not report.holds
    found = report.findings[0]
    assert (found.kind, found.leaf_index, found.entry_id) == (kind, leaf, ids[leaf])


async def test_an_entry_put_in_as_a_leaf_is_found(sealed: Log) -> None:
    await sealed.append(entry())
    sealed.as_owner(
        "INSERT INTO audit_leaf SELECT 12, seq, sha256('\\x00'::bytea || body) FROM audit_entry"
        " ORDER BY seq DESC LIMIT 1",
        "DELETE FROM audit_pending",
    )
    report = await sealed.check()
    ids = await entry_ids(sealed)
    found = report.findings[0]
    assert (found.kind, found.leaf_index, found.entry_id) == ("inserted", 12, ids[12])


async def test_an_entry_kept_from_the_sealer_or_removed_before_it_is_found(sealed: Log) -> None:
    await sealed.append(entry(), entry())
    sealed.as_owner(
        "DELETE FROM audit_entry WHERE seq = (SELECT min(seq) FROM audit_pending)",
        "DELETE FROM audit_pending WHERE seq = (SELECT max(seq) FROM audit_pending)",
    )
    report = await sealed.check()
    assert [finding.kind for finding in report.findings] == ["unsealed", "unsealed"]
    assert report.entries == 12


async def test_a_broken_head_is_found_and_the_export_still_made(sealed: Log) -> None:
    sealed.as_owner("UPDATE audit_head SET body = '\\xff' WHERE tree_size = 8")
    report = await sealed.check()
    assert [finding.kind for finding in report.findings] == ["head"]


async def test_a_database_set_back_is_not_anchored_over(sealed: Log) -> None:
    """Restored from yesterday's copy, the log would go another way than is anchored."""
    sealed.as_owner(*DEEDS["set back to an earlier head"][0])
    before = sealed.anchor.path.read_bytes()
    await sealed.append(*(entry() for _ in range(8)))
    with pytest.raises(AuditUnwritable, match="tree size 12"):
        await sealed.run_sealer()
    assert sealed.anchor.path.read_bytes() == before
    report = await sealed.check()
    assert report.findings[0].leaf_index == 8


async def test_another_logs_anchor_file_is_not_written_to(log: Log, sealed: Log) -> None:
    stranger = AuditSigner.from_file(log.key_file)
    other = log.folder / "other.jsonl"
    head = stranger.head(
        tree_size=4,
        root=bytes(32),
        previous_root=bytes(32),
        at=NOW,
        first_leaf=0,
        leaf_hashes=[bytes(32)] * 4,
        entry_ids=[uuid4()] * 4,
    )
    other.write_bytes(head)
    log.anchor = AnchorFile(other)
    with pytest.raises(AuditUnwritable, match="not in the database"):
        await log.run_sealer()
    assert other.read_bytes() == head
