"""A log in memory, written out as the service writes it, for tests of the checker.

Lines are kept as Python values so that a test can tamper with them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.audit_check import Check, Report, TrustedKey
from gateway.merkle import EMPTY_ROOT, Frontier, leaf_hash
from gateway.storage.audit_signer import AuditSigner

STARTED = datetime(2026, 12, 14, 9, 0, tzinfo=UTC)
EXPORTED = STARTED + timedelta(hours=1)
NAMESPACE = UUID("3f0e7c62-7f0e-4d0e-9a35-5b6f3d1f2a10")
SIGNER = AuditSigner(ec.generate_private_key(ec.SECP256R1()))
OTHER_SIGNER = AuditSigner(ec.generate_private_key(ec.SECP256R1()))
KEY = TrustedKey(SIGNER.public_pem)

Line = dict[str, Any]


def entry_id(number: int) -> UUID:
    return uuid5(NAMESPACE, str(number))


def body_of(number: int, what: str = "read a note") -> str:
    return json.dumps(
        {"action": "CONTENT", "entry_id": str(entry_id(number)), "what": what},
        sort_keys=True,
        separators=(",", ":"),
    )


def entry_line(number: int, what: str = "read a note") -> Line:
    return {
        "kind": "entry",
        "leaf_index": number,
        "entry_id": str(entry_id(number)),
        "body": body_of(number, what),
    }


def as_line(value: Line) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def heads_over(
    batches: list[list[bytes]],
    ids: list[list[UUID]],
    signer: AuditSigner = SIGNER,
    at: datetime = STARTED,
) -> list[bytes]:
    """The signed heads over batches of leaf hashes, a minute apart."""
    frontier, heads = Frontier(), []
    for number, batch in enumerate(batches):
        first, previous_root = frontier.size, frontier.root()
        frontier.extend(batch)
        heads.append(
            signer.head(
                tree_size=frontier.size,
                root=frontier.root(),
                previous_root=previous_root,
                at=at + number * timedelta(minutes=1),
                first_leaf=first,
                leaf_hashes=batch,
                entry_ids=ids[number],
            )
        )
    return heads


@dataclass
class Log:
    """An export (``log``, then ``lines``) and the anchor file's lines."""

    log: Line
    lines: list[Line]
    anchor: list[bytes]
    raw_tail: bytes = b""
    size: int = field(default=0)

    def at(self, leaf: int) -> int:
        """Where in ``lines`` the entry of a leaf stands."""
        return next(
            number
            for number, line in enumerate(self.lines)
            if line["kind"] == "entry" and line["leaf_index"] == leaf
        )

    def state(self, **changes: Any) -> None:
        """Sign another statement, as an exporter with another view would."""
        frontier = Frontier()
        frontier.extend(leaf_hash(line["body"].encode()) for line in self.entries())
        values = {
            "tree_size": frontier.size,
            "root": frontier.root(),
            "anchored_size": frontier.size,
            "exported_at": EXPORTED,
            **changes,
        }
        self.log["export"] = json.loads(SIGNER.export_statement(**values))

    def entries(self) -> list[Line]:
        return [line for line in self.lines if line["kind"] == "entry"]

    def write(self, folder: Path) -> tuple[Path, Path]:
        export, anchor = folder / "export.jsonl", folder / "anchor.jsonl"
        export.write_bytes(b"".join(map(as_line, [self.log, *self.lines])) + self.raw_tail)
        anchor.write_bytes(b"".join(self.anchor))
        return export, anchor

    def check(self, folder: Path, key: TrustedKey = KEY) -> Report:
        return Check(*self.write(folder), key).run()


def make_log(*sizes: int, anchored: int | None = None) -> Log:
    """A log sealed in batches of these sizes; ``anchored``: how many heads are."""
    numbers: list[list[int]] = []
    for size in sizes:
        start = sum(map(len, numbers))
        numbers.append(list(range(start, start + size)))
    heads = heads_over(
        [[leaf_hash(body_of(number).encode()) for number in batch] for batch in numbers],
        [[entry_id(number) for number in batch] for batch in numbers],
    )
    lines: list[Line] = []
    for head, batch in zip(heads, numbers, strict=True):
        lines.append({"kind": "head", "head": json.loads(head)})
        lines.extend(entry_line(number) for number in batch)
    anchors = heads if anchored is None else heads[:anchored]
    newest: Line = json.loads(anchors[-1]) if anchors else {"tree_size": 0}
    last: Line = json.loads(heads[-1]) if heads else {"tree_size": 0, "root": EMPTY_ROOT.hex()}
    statement = SIGNER.export_statement(
        tree_size=last["tree_size"],
        root=bytes.fromhex(last["root"]),
        anchored_size=newest["tree_size"],
        exported_at=EXPORTED,
    )
    log = {
        "kind": "log",
        "log_id": SIGNER.log_id,
        "public_key": SIGNER.public_pem.decode(),
        "hash": "RFC 6962, SHA-256",
        "export": json.loads(statement),
    }
    return Log(log, lines, list(anchors), size=sum(sizes))
