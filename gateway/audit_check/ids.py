"""Finds an id that stands twice among any number of ids, with little memory."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

BUCKETS: Final = 64
BUFFER_BYTES: Final = 1 << 16
_ID_BYTES: Final = 16
_ROW_BYTES: Final = _ID_BYTES + 8


class SeenIds:
    """Ids with their leaf index, spread over files by their first byte."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._files: list[BinaryIO] = []

    def __enter__(self) -> Self:
        for _ in range(BUCKETS):
            file = tempfile.SpooledTemporaryFile(max_size=BUFFER_BYTES)
            self._files.append(cast(BinaryIO, self._stack.enter_context(file)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, id_: bytes, leaf_index: int) -> None:
        """Note an id of 16 bytes."""
        self._files[id_[0] % BUCKETS].write(id_ + leaf_index.to_bytes(8, "big"))

    def first_repeated(self) -> tuple[int, int, bytes] | None:
        """Of the leaf that first repeats an id: its index, the earlier one's, the id."""
        best: tuple[int, int, bytes] | None = None
        for file in self._files:
            file.seek(0)
            seen: dict[bytes, int] = {}
            while row := file.read(_ROW_BYTES):
                id_, leaf = row[:_ID_BYTES], int.from_bytes(row[_ID_BYTES:], "big")
                earlier = seen.setdefault(id_, leaf)
                if earlier != leaf and (best is None or leaf < best[0]):
                    best = (leaf, earlier, id_)
        return best
