"""The command line: ``gateway COMMAND``. Reads arguments, calls one function, exits.

Source: design.md 3.4, 3.5.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from gateway.errors import ConfigurationFault, GatewayError
from gateway.settings import Settings

Command = Callable[[argparse.Namespace], int]


def _settings(arguments: argparse.Namespace) -> Settings:
    """The settings of the environment, or those of a running demo."""
    data: Path | None = getattr(arguments, "data", None)
    if data is None:
        return Settings.from_environment()
    from gateway.demo.environment import read_environment

    return Settings.from_environment(read_environment(data))


def _run_process(kind: str) -> Command:
    def command(arguments: argparse.Namespace) -> int:
        from gateway.serve import run

        return run(kind, _settings(arguments))

    return command


def _migrate(arguments: argparse.Namespace) -> int:
    from gateway.storage.migrate import migrate

    settings = _settings(arguments)
    print(f"revision {migrate(settings.migration_database_url or settings.database_url)}")
    return 0


def _practice_add(arguments: argparse.Namespace) -> int:
    from gateway.client_keys import read_certificate, read_key_set
    from gateway.enrol import Enrolment, enrol

    if not arguments.jwks and not arguments.cert:
        raise ConfigurationFault(
            "give the practice's keys (--jwks), a certificate (--cert) or both"
        )
    result = asyncio.run(
        enrol(
            _settings(arguments),
            Enrolment(
                sor_code=arguments.sor,
                provider_number=arguments.provider_number,
                name=arguments.name,
                jwks=read_key_set(arguments.jwks) if arguments.jwks else {},
                certificates=[read_certificate(file) for file in arguments.cert],
                sharing_start=arguments.sharing_start,
                share_history=arguments.share_history,
                enrolled=not arguments.leave,
            ),
        )
    )
    print(result)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from gateway.demo.options import DemoOptions
    from gateway.demo.run import run_demo

    return run_demo(
        DemoOptions(
            port=arguments.port,
            tls_port=arguments.tls_port,
            doubles_port=arguments.doubles_port,
            doubles_tls_port=arguments.doubles_tls_port,
            data=arguments.data,
            time=arguments.time,
            empty=arguments.empty,
        )
    )


def _demo_call(function: str) -> Command:
    def command(arguments: argparse.Namespace) -> int:
        from gateway.demo import client

        return int(getattr(client, function)(arguments))

    return command


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError("write the offset too, for instance +01:00")
    return instant


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gateway", description="Shares GP journal notes with patients and professionals."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for kind in ("api", "worker"):
        process = commands.add_parser(kind, help=f"run one {kind} process")
        process.set_defaults(run=_run_process(kind))
    migrate = commands.add_parser("migrate", help="bring the database to the newest revision")
    migrate.set_defaults(run=_migrate)
    _add_practice(commands)
    _add_demo(commands)
    from gateway.cli_audit import add_audit_parser
    from gateway.cli_decide import add_decide_parser

    add_audit_parser(commands)
    add_decide_parser(commands)
    return parser


def _add_practice(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    practice = commands.add_parser("practice", help="enrol practices")
    actions = practice.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", help="enrol a practice, or change its terms")
    add.add_argument("--sor", required=True, help="SOR code of the clinic")
    add.add_argument("--provider-number", required=True, help="ydernummer, leading zeros kept")
    add.add_argument("--name", required=True)
    add.add_argument(
        "--jwks", type=Path, help="file with the practice system's public keys (JWK set)"
    )
    add.add_argument(
        "--cert",
        action="append",
        default=[],
        type=Path,
        help="file with its certificate (PEM); repeat it while a new one takes over",
    )
    add.add_argument(
        "--sharing-start", required=True, type=_instant, help="notes from here on are shared"
    )
    add.add_argument("--share-history", action="store_true", help="share older notes too")
    add.add_argument("--leave", action="store_true", help="the practice leaves: nothing is shared")
    add.add_argument("--data", type=Path, help="folder of a running demo")
    add.set_defaults(run=_practice_add)


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser("demo", help="run everything on this machine with sample notes")
    demo.add_argument("--port", type=int, default=8080)
    demo.add_argument("--tls-port", type=int, default=8443)
    demo.add_argument("--doubles-port", type=int, default=8090)
    demo.add_argument("--doubles-tls-port", type=int, default=8493)
    demo.add_argument("--data", type=Path, default=Path(".demo"))
    demo.add_argument("--time", type=_instant, help="where the clock starts")
    demo.add_argument("--empty", action="store_true", help="without sample notes")
    demo.set_defaults(run=_demo)
    for name, function, text in (
        ("demo-token", "print_token", "a bearer token for a persona"),
        ("demo-idcard", "print_id_card", "an id card and HSUID header for a persona"),
        ("demo-personas", "print_personas", "who takes part in the demo"),
        ("demo-read", "read_as_professional", "read a patient's notes as a professional (SOAP)"),
    ):
        call = commands.add_parser(name, help=text)
        if name != "demo-personas":
            call.add_argument("persona")
        if name in ("demo-idcard", "demo-read"):
            call.add_argument("--patient", default="patient-1", help="persona or CPR number")
        call.add_argument("--json", action="store_true")
        call.add_argument("--data", type=Path, default=Path(".demo"))
        call.set_defaults(run=_demo_call(function))
    call = commands.add_parser("demo-call", help="one HTTP call as a persona, shown in full")
    call.add_argument("--as", dest="persona", help="whose token goes along")
    call.add_argument("--data", type=Path, default=Path(".demo"))
    call.add_argument("method")
    call.add_argument("path")
    call.add_argument("body", nargs="?", help="JSON, or @file")
    call.set_defaults(run=_demo_call("make_call"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    run: Command = arguments.run
    try:
        return run(arguments)
    except (GatewayError, ValueError, OSError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
