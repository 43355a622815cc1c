"""CPU seconds and memory of processes, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return text[text.rindex(")") + 2 :].split()


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int(_stat(int(entry.name))[1])
            except (OSError, ValueError):
                continue
            found.setdefault(parent, []).append(int(entry.name))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its living children and those that have ended."""
    children = _children()
    total = 0.0
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        try:
            fields = _stat(current)
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
        waiting.extend(children.get(current, ()))
    return total / TICKS_PER_SECOND


def resident_mb(pid: int) -> float:
    """Resident memory of one process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
