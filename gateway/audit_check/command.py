"""The command line of the checker, and what it prints."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .check import Check
from .records import Finding, Report, TrustedKey, Unusable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments, here and for whoever offers the command elsewhere."""
    parser.add_argument("export", type=Path, help="file written by `gateway audit export`")
    parser.add_argument("--anchor", type=Path, required=True, help="file of signed heads")
    parser.add_argument("--key", type=Path, required=True, help="the log's public key (PEM)")
    parser.add_argument("--json", action="store_true", help="write the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Check and print; returns the exit code."""
    try:
        key = TrustedKey(_content(arguments.key))
        report = Check(arguments.export, arguments.anchor, key).run()
    except Unusable as error:
        if arguments.json:
            print(json.dumps({"ok": None, "error": str(error)}))
        print(f"cannot check / kan ikke efterprøves: {error}", file=sys.stderr)
        return 2
    print(as_json(report) if arguments.json else as_text(report))
    return 0 if report.holds else 1


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error


def as_json(report: Report) -> str:
    """The report as one JSON object; ``first_entry`` is the first entry that fails."""
    first = _first_entry(report)
    return json.dumps(
        {"ok": report.holds, "first_entry": asdict(first) if first else None, **asdict(report)},
        ensure_ascii=False,
        indent=1,
    )


def as_text(report: Report) -> str:
    """The report in a few lines."""
    lines = [
        f"log {report.log_id[:16]}…, exported {report.exported_at or 'at an unknown time'}",
        f"{report.entries} entries in order, {report.heads} signed heads over"
        f" {report.tree_size} leaves, {report.anchored_size} of them anchored",
        *(f"note: {note}" for note in report.notes),
    ]
    for finding in report.findings:
        place = "" if finding.leaf_index is None else f" leaf {finding.leaf_index},"
        entry = "" if finding.entry_id is None else f" entry {finding.entry_id}"
        lines.append(f"{finding.kind.upper()}:{place}{entry}: {finding.message}".replace(",:", ":"))
    if report.more_findings:
        lines.append(f"... and {report.more_findings} findings more")
    lines.append(
        "OK: the log is whole. / Loggen er hel."
        if report.holds
        else "NOT OK: the log does not hold. / Loggen holder ikke."
    )
    return "\n".join(lines)


def _first_entry(report: Report) -> Finding | None:
    return next((each for each in report.findings if each.leaf_index is not None), None)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checker; returns 0 (holds), 1 (does not) or 2 (could not be checked)."""
    parser = argparse.ArgumentParser(
        prog="audit_check", description="Checks an exported audit log as an outsider."
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))
