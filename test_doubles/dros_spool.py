"""What DROS has stored, on disk: one line of JSON per committed submission.

With it the double keeps its registry over a restart, as the real one does,
and a long run can be reconciled afterwards. Document bytes are not in it.
The line is written before the answer leaves; there is no fsync, for a double
has to outlive its own process and not the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from test_doubles.holdings import Committed, StoredEntry, StoredSet

FILE_NAME = "dros-registry.ndjson"


class DrosSpool:
    """The file ``dros-registry.ndjson`` in a directory, made if absent."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._file = directory / FILE_NAME
        self._cut_torn_line()

    def append(self, committed: Committed) -> None:
        """Add a line."""
        line = orjson.dumps(
            {
                "set": asdict(committed.stored_set),
                "new": [asdict(entry) for entry in committed.new],
                "changed": committed.changed,
            }
        )
        with self._file.open("ab") as stream:
            stream.write(line + b"\n")

    def mark_cleared(self) -> None:
        """Note that the registry was emptied; what stands above no longer counts."""
        with self._file.open("ab") as stream:
            stream.write(b'{"cleared":true}\n')

    def read(self) -> Iterator[Committed]:
        """What counts, in order of storing."""
        if not self._file.exists():
            return
        lines = [orjson.loads(line) for line in self._file.read_bytes().splitlines()]
        cleared = [index for index, line in enumerate(lines) if "cleared" in line]
        for line in lines[cleared[-1] + 1 if cleared else 0 :]:
            yield _committed(line)

    def _cut_torn_line(self) -> None:
        """Take off what a crash left of a line; its submission was never answered."""
        if not self._file.exists():
            return
        content = self._file.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with self._file.open("r+b") as stream:
                stream.truncate(whole)


def _committed(document: dict[str, Any]) -> Committed:
    stored = document["set"]
    stored["stored_at"] = datetime.fromisoformat(stored["stored_at"])
    stored["entries"] = tuple(stored["entries"])
    entries = []
    for entry in document["new"]:
        # Only how it came in: later changes stand in later lines.
        at, status = entry["history"][0]
        entry["history"] = [(datetime.fromisoformat(at), status)]
        entry["status"] = status
        entries.append(StoredEntry(**entry))
    changed = tuple((entry_uuid, status) for entry_uuid, status in document["changed"])
    return Committed(StoredSet(**stored), tuple(entries), changed)
