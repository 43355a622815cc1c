"""Who goes first when the processors are all busy."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_NICENESS: Final = 19
# Linux ranks whole sessions before it ranks processes (sched(7), autogroup), and our
# supervisor gives each process a session of its own.
_SESSION_NICENESS: Final = Path("/proc/self/autogroup")


def step_back() -> None:
    """Let the other processes of this machine go first when it is busy."""
    os.nice(_NICENESS)
    if _SESSION_NICENESS.exists():
        with contextlib.suppress(OSError):  # a wish; the work is the same without it
            _SESSION_NICENESS.write_text(str(_NICENESS), encoding="ascii")
