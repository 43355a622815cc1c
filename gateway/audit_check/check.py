"""The checks, in the order in which one may trust what the one before has shown."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from .ids import SeenIds
from .records import (
    Head,
    History,
    Report,
    Shown,
    Statement,
    TrustedKey,
    Unusable,
    anchored_records,
    lines,
    parse,
    shown_entries,
    shown_heads,
)

CLOCK_SKEW: Final = timedelta(minutes=2)
PROGRESS_ENTRIES: Final = 1 << 14
PROGRESS_SECONDS: Final = 2.0
_UNSIGNED: Final = "is not signed by the log's key"


class Check:
    """One check of one export."""

    def __init__(self, export: Path, anchor: Path, key: TrustedKey) -> None:
        self._export = export
        self._anchor = anchor
        self._key = key
        self.report = Report(log_id=key.log_id)
        self._history = History(None)
        self._said_at = time.monotonic()
        self._waiting = 0

    def run(self) -> Report:
        """Check everything.

        Raises:
            Unusable: this is no export, or a file can't be read.
        """
        try:
            self._run()
        except OSError as error:
            raise Unusable(f"{error.filename or 'file'}: {error.strerror}") from error
        report = self.report
        report.tree_size, report.anchored_size = self._history.size, self._history.anchored_size
        report.heads = self._history.heads
        # What happened to an entry comes first: that is what one asks for.
        report.findings.sort(key=lambda finding: finding.leaf_index is None)
        return report

    def _run(self) -> None:
        _, first_line = next(lines(self._export), (0, b""))
        log = parse(first_line)
        if log is None or log.get("kind") != "log":
            raise Unusable("the file does not begin like an export of the audit log")
        if log.get("log_id") != self._key.log_id:
            self.report.add("log", "the export is of another log than the key")
            return
        if log.get("public_key") != self._key.pem:
            self.report.add("log", "the public key shown in the export is not the log's")
        statement = self._statement(log)
        self._history = History(statement.tree_size if statement else None)
        self._check_heads()
        if statement is not None:
            self._check_reach(statement)
        self._check_entries(statement.tree_size if statement else self._history.size)

    def _statement(self, log: dict[str, Any]) -> Statement | None:
        record = log.get("export")
        if isinstance(record, dict) and self._key.has_signed(record, "export"):
            statement = Statement.read(record)
            if statement is not None:
                self.report.exported_at = statement.exported_at.isoformat()
                return statement
        self.report.add("statement", f"how far the export reaches {_UNSIGNED}")
        return None

    # 1 and 2

    def _check_heads(self) -> None:
        """Take in the anchored heads, side by side with those of the export."""
        history, report = self._history, self.report
        shown = shown_heads(self._export)
        is_alike = True
        last: dict[str, Any] = {}
        for number, record in anchored_records(self._anchor, report):
            if record == last:
                continue  # written twice after a lost answer; says nothing new
            head = self._head(record, f"anchor file, line {number}", "anchor")
            if head is None:
                break
            last = record
            if is_alike:
                is_alike = self._is_shown(head, record, next(shown, None))
        history.anchored_size = history.size
        for number, record in shown if is_alike else ():
            head = self._head(record, f"export, line {number}", "head")
            if head is None:
                break
            history.oldest_unanchored_at = history.oldest_unanchored_at or head.at

    def _head(self, record: dict[str, Any], place: str, kind: str) -> Head | None:
        """The next head, signed and taken into the history; or a finding and None."""
        head = Head.read(record) if self._key.has_signed(record, "head") else None
        problem = _UNSIGNED if head is None else self._history.add(head)
        if problem is None:
            return head
        size = record.get("tree_size")
        named = f" of tree size {size}" if type(size) is int else ""
        self.report.add(kind, f"{place}: the head{named} {problem}")
        return None

    def _is_shown(
        self, head: Head, record: dict[str, Any], shown: tuple[int, dict[str, Any]] | None
    ) -> bool:
        """Whether the export's next head is this anchored one."""
        if shown is not None and shown[1] == record:
            return True
        mark = self._history.mark
        if shown is None and mark is not None and head.first_leaf >= mark:
            return False  # sealed after the export, or the log was set back: see 3
        place = "end" if shown is None else f"line {shown[0]}"
        self.report.add(
            "head",
            f"export, {place}: the anchored head of tree size {head.tree_size} should stand here",
        )
        return False

    # 3

    def _check_reach(self, statement: Statement) -> None:
        """Compare what the exporter stated with what the heads say."""
        history, report = self._history, self.report
        size = statement.tree_size
        if history.anchored_size < statement.anchored_size:
            report.add(
                "anchor",
                f"the anchor file ends at tree size {history.anchored_size}, but"
                f" {statement.anchored_size} leaves were anchored before the export",
            )
        if history.size < size:
            report.add(
                "head",
                f"the log had {size} leaves at the export; signed heads for the last"
                f" {size - history.size} are missing or broken",
            )
        elif history.marked_root != statement.root:
            report.add("statement", "the stated root is not the one of the signed heads")
        if history.beyond is not None:
            self._check_beyond(history.beyond, statement)
        self._check_anchoring(statement.exported_at)

    def _check_beyond(self, beyond: Head, statement: Statement) -> None:
        """Anchored leaves that the export lacks: sealed later, or has the log been set back?"""
        report, size = self.report, beyond.first_leaf
        missing = self._history.size - size
        was_known = statement.anchored_size > size
        if was_known or beyond.at < statement.exported_at - CLOCK_SKEW:
            report.add(
                "rolled_back",
                f"this entry and what follows were anchored ({missing} leaves) before the"
                f" export, which ends at {size}",
                size,
                _id_text(beyond.ids[:16]),
            )
        else:
            report.notes.append(f"{missing} leaves were sealed after the export")

    def _check_anchoring(self, exported_at: datetime) -> None:
        history = self._history
        waiting = history.size - history.anchored_size
        if not waiting or history.oldest_unanchored_at is None:
            return
        if history.oldest_unanchored_at < exported_at - CLOCK_SKEW:
            self.report.add(
                "anchor",
                f"the last {waiting} leaves are not anchored, the oldest head since"
                f" {history.oldest_unanchored_at.isoformat()}",
            )
        else:
            self.report.notes.append(f"the last {waiting} leaves are signed, not yet anchored")

    # 4 and 5

    def _signed_leaves(self) -> Iterator[tuple[bytes, bytes]]:
        """Hash and id of every leaf that the heads checked above speak of."""
        history, size = self._history, 0
        anchored = (record for _, record in anchored_records(self._anchor, Report()))
        for records, until in (
            (anchored, history.anchored_size),
            ((record for _, record in shown_heads(self._export)), history.size),
        ):
            for record in records if size < until else ():
                head = Head.read(record)
                if head is not None and head.first_leaf == size:
                    yield from head.leaves()
                    size = head.tree_size
                if size >= until:
                    break

    def _check_entries(self, stated_size: int) -> None:
        signed = self._signed_leaves()
        at = 0
        with SeenIds() as ids:
            for shown in shown_entries(self._export, self._take_unsealed):
                leaf = next(signed, None)
                if leaf is None or not self._is_entry(at, shown, leaf):
                    self._name(at, shown, leaf)
                    break
                ids.add(leaf[1], at)
                at += 1
                self._progress(at)
            else:
                self._check_end(at, stated_size, next(signed, None))
            repeated = ids.first_repeated()
        self.report.entries = at
        if repeated is not None:
            leaf_index, earlier, id_ = repeated
            self.report.add(
                "duplicate_id", f"leaf {earlier} has the same id", leaf_index, _id_text(id_)
            )
        if self._waiting:
            self.report.notes.append(f"{self._waiting} entries were not sealed yet at the export")

    def _check_end(self, at: int, stated_size: int, leaf: tuple[bytes, bytes] | None) -> None:
        if at < stated_size and leaf is not None:
            self.report.add(
                "cut_off",
                f"the export ends before this entry; {stated_size - at} are missing",
                at,
                _id_text(leaf[1]),
            )
        elif at < stated_size:
            # Its head is gone too, so its id is not known.
            self.report.add("cut_off", f"the export ends here, stated were {stated_size}", at)
        elif at > stated_size:
            self.report.add("statement", f"{at} entries are shown, but {stated_size} were stated")

    def _is_entry(self, at: int, shown: Shown, leaf: tuple[bytes, bytes]) -> bool:
        """Whether the line is this very leaf, under its own number and id."""
        return (
            shown.hash == leaf[0]
            and shown.leaf_index == at
            and shown.entry_id == _id_text(leaf[1])
            and shown.names_itself
        )

    def _name(self, at: int, shown: Shown, leaf: tuple[bytes, bytes] | None) -> None:
        """Say what happened where the line ``shown`` is not the leaf that should be there.

        Both sides are searched whole, so that any distance is found.
        """
        report, place = self.report, f"export, line {shown.line}"
        if leaf is None:
            message = f"{place}: no signed head knows of this entry"
            report.add("inserted", message, at, shown.entry_id)
            return
        id_ = _id_text(leaf[1])
        if shown.hash == leaf[0]:
            message = f"{place}: the content is right, but its number or id is not"
            report.add("altered", message, at, id_)
            return
        belongs_at = self._place_of(shown.hash)
        stands_on = self._line_of(leaf[0], after=shown.line)
        if belongs_at is not None and belongs_at > at:
            if stands_on is not None:
                message = f"stands on line {stands_on}; leaf {belongs_at} stands in its place"
                report.add("swapped", message, at, id_)
            else:
                message = f"{place}: missing; leaf {belongs_at} stands in its place"
                report.add("removed", message, at, id_)
            return
        copy = "" if belongs_at is None else f", a copy of leaf {belongs_at}"
        if stands_on is not None:
            message = f"{place}: an entry that no signed head knows{copy}, put before entry {id_}"
            report.add("inserted", message, at, shown.entry_id)
        else:
            report.add("altered", f"{place}: the content is not what was sealed{copy}", at, id_)

    def _place_of(self, hash_: bytes | None) -> int | None:
        """The leaf index that the heads give to a hash."""
        return next((at for at, leaf in enumerate(self._signed_leaves()) if leaf[0] == hash_), None)

    def _line_of(self, hash_: bytes, after: int) -> int | None:
        """The line after ``after`` on which an entry with this hash stands."""
        return next(
            (
                shown.line
                for shown in shown_entries(self._export)
                if shown.hash == hash_ and shown.line > after
            ),
            None,
        )

    def _take_unsealed(self, line: dict[str, Any]) -> None:
        id_ = line.get("entry_id")
        if line.get("waits") is True and isinstance(id_, str):
            self._waiting += 1
        elif isinstance(id_, str):
            self.report.add("unsealed", f"entry {id_} was kept from being sealed")
        else:
            self.report.add("unsealed", "an entry was removed before it was sealed")

    def _progress(self, at: int) -> None:
        if at % PROGRESS_ENTRIES == 0 and time.monotonic() - self._said_at > PROGRESS_SECONDS:
            self._said_at = time.monotonic()
            print(f"  {at} of {self._history.size} entries checked ...", file=sys.stderr)


def _id_text(id_: bytes) -> str:
    return str(UUID(bytes=id_))
