"""``make bench``: prints each figure beside its limit, measured in the same run.

Five interleaved rounds, medians. CPU seconds are those of api, worker and
PostgreSQL together; the senders and the doubles are not ours and not counted.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench import mapping
from tests.bench.limits import flushed_appends_per_second, rsa_signatures_per_cpu_second
from tests.bench.system import MANY_SENDERS, BenchSystem, Measured, running_system

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
INGEST_NOTES = 2_000
INGEST_TEXT_BYTES = 2_000
COMMIT_NOTES = 2_000
LONG_TEXT_BYTES = 11_000
MEMORY_NOTES = 20_000


def _ingest(system: BenchSystem) -> tuple[float, float, Measured]:
    limit = rsa_signatures_per_cpu_second()
    measured = system.load(INGEST_NOTES, INGEST_TEXT_BYTES, MANY_SENDERS)
    return measured.notes_per_cpu_second / limit, limit, measured


def _commits(
    system: BenchSystem, folder: Path, text_bytes: int = INGEST_TEXT_BYTES
) -> tuple[float, float, float]:
    limit = flushed_appends_per_second(folder)
    measured = system.load(COMMIT_NOTES, text_bytes, doors=2)
    rate = measured.notes / measured.seconds_to_ack
    return rate / limit, limit, rate


def _line(name: str, ratios: list[float], must: float, goal: float, detail: str) -> str:
    median = statistics.median(ratios)
    verdict = "goal" if median >= goal else "must" if median >= must else "BELOW"
    spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
    return f"{name:34} {median:5.2f}  {spread:11} {must:4.2f} / {goal:4.2f}  {verdict:5}  {detail}"


def _detail(limit: float, measured: Measured) -> str:
    shares = ", ".join(f"{k} {1e3 * v / measured.notes:.2f}" for k, v in measured.cpu.items())
    return f"limit {limit:.0f}/s; {measured.notes_per_cpu_second:.0f} notes/CPU s; ms: {shares}"


def main() -> int:
    """Run everything and print the table."""
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()},"
        f" {ROUNDS} rounds",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="jng-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with (
            running_system(folder / "rsa", "signing-rsa") as rsa,
            running_system(folder / "ec", "signing") as ec,
        ):
            rsa.load(300, INGEST_TEXT_BYTES)  # warm-up, not counted
            ec.load(300, INGEST_TEXT_BYTES)
            rows_rsa, rows_ec, rows_commit, rows_long = [], [], [], []
            for number in range(ROUNDS):
                print(f"round {number + 1} of {ROUNDS} ...", file=sys.stderr, flush=True)
                rows_rsa.append(_ingest(rsa))
                rows_ec.append(_ingest(ec))
                rows_commit.append(_commits(ec, folder))
                rows_long.append(_commits(ec, folder, LONG_TEXT_BYTES))
            _print_table(rows_rsa, rows_ec, rows_commit, rows_long)
            print("\n".join(mapping.lines(ROUNDS)), flush=True)
            done = 300 + ROUNDS * (INGEST_NOTES + 2 * COMMIT_NOTES)
            if done < MEMORY_NOTES:
                ec.load(MEMORY_NOTES - done, INGEST_TEXT_BYTES)
            for process, size in ec.memory_mb().items():
                print(
                    f"memory of {process:7} after {max(done, MEMORY_NOTES)} notes: {size:.0f} MB"
                    " (at most 250)"
                )
    return 0


def _print_table(
    rsa: list[tuple[float, float, Measured]],
    ec: list[tuple[float, float, Measured]],
    commits: list[tuple[float, float, float]],
    long_commits: list[tuple[float, float, float]],
) -> None:
    print(f"{'figure':34} {'median':6} {'min-max':11} {'must / goal':12} {'':5}  last round")
    print(_line("(1) ingest, RSA-2048", [row[0] for row in rsa], 0.20, 0.35, _detail(*rsa[-1][1:])))
    print(
        _line("(1) ingest, ECDSA P-256", [row[0] for row in ec], 0.30, 0.60, _detail(*ec[-1][1:]))
    )
    for name, rows in (
        ("(3) durable commits, 32 senders", commits),
        ("    the same, notes of 11 kB", long_commits),
    ):
        detail = f"limit {rows[-1][1]:.0f}/s; {rows[-1][2]:.0f} commits/s"
        print(_line(name, [row[0] for row in rows], 0.7, 1.3, detail), flush=True)


if __name__ == "__main__":
    sys.exit(main())
