"""``gateway audit export`` and ``gateway audit verify``.

Source: design.md 3.4; sharing-rules 11.1 (EXPORT is itself an entry).
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
from pathlib import Path

from gateway import audit_check
from gateway.audit_check import command
from gateway.settings import Settings


def add_audit_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``audit`` with its two actions; each sets ``run``."""
    audit = commands.add_parser("audit", help="write the audit log out, or check it as an outsider")
    actions = audit.add_subparsers(required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write the whole log to a file (itself an entry)")
    export.add_argument(
        "--out", type=Path, help="file to write (mode 0600); standard output if left out"
    )
    export.add_argument("--database-url", help="instead of DATABASE_URL")
    export.add_argument("--case", help="case number the export is made for")
    export.add_argument("--data", type=Path, help="folder of a running demo")
    export.set_defaults(run=export_command)
    verify = actions.add_parser(
        "verify",
        help="check an exported log",
        description=audit_check.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(verify)
    verify.set_defaults(run=verify_command)


def verify_command(arguments: argparse.Namespace) -> int:
    """Check an export; returns 0 (holds), 1 (does not) or 2 (could not be checked)."""
    return command.run(arguments)


def export_command(arguments: argparse.Namespace) -> int:
    """Write the log out; returns 0.

    Raises:
        Unavailable: the database is away.
        ConfigurationFault: a setting or the log's key is missing.
        OSError: the file can't be written.
    """
    # Here, since `verify` needs none of the service.
    from gateway.export_audit import export_audit  # noqa: PLC0415

    result = asyncio.run(export_audit(_settings(arguments), arguments.out, arguments.case))
    # Standard output may be the export itself.
    told = sys.stderr if arguments.out is None else sys.stdout
    goal = arguments.out or "standard output"
    print(f"{result.entries} entries written to {goal}", file=told)
    if result.problem is not None:
        print(f"Not sealed or not anchored / ikke forseglet: {result.problem}", file=sys.stderr)
    if not result.shows_itself:
        print(
            "The entry about this export is not sealed yet, so it is not in it."
            " / Posten om dette udtræk er ikke forseglet endnu.",
            file=sys.stderr,
        )
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    """The environment's settings, or a running demo's; ``--database-url`` goes before both."""
    if arguments.data is None:
        settings = Settings.from_environment()
    else:
        from gateway.demo.environment import read_environment  # noqa: PLC0415 (the demo's own)

        settings = Settings.from_environment(read_environment(arguments.data))
    if arguments.database_url is None:
        return settings
    return dataclasses.replace(settings, database_url=arguments.database_url)
