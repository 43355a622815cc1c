"""``gateway decide``: the sharing rules tried on cases from a file, without a database.

Cases come as a JSON list, as JSON Lines or as one object; each holds full
objects or only what differs from the baseline. What is malformed inside a case
counts as unknown to the rules; what is no JSON is told with its line, in Danish
and English, and the other cases are decided all the same.

Source: sharing-rules 19; design.md 3.4.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from consent.cases import decide_case
from mappers.issues import Issue
from mappers.practice.strict_json import parse_json

STANDARD_INPUT: Final = "-"


def add_decide_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``decide``; it sets ``run``."""
    decide = commands.add_parser(
        "decide",
        help="what the sharing rules say of cases in a file; needs no database",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    decide.add_argument(
        "--cases",
        required=True,
        metavar="FILE",
        help="JSON list or JSON Lines; - reads standard input",
    )
    decide.set_defaults(run=decide_command)


def decide_command(arguments: argparse.Namespace) -> int:
    """Print one line of JSON per case.

    Returns:
        0; 1 when something in the file was no JSON.

    Raises:
        OSError: the file can't be read.
    """
    name = arguments.cases
    body = sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
    has_faults = False
    for line, case in cases_of(body):
        if isinstance(case, Issue):
            has_faults = True
            place = f"{name}:{line}"
            print(f"{place}: {case.message_da}\n{place}: {case.message_en}", file=sys.stderr)
        else:
            print(orjson.dumps(decide_case(case)).decode())
    return 1 if has_faults else 0


def cases_of(body: bytes) -> Iterator[tuple[int, Any | Issue]]:
    """Take a file apart into its cases.

    Args:
        body: UTF-8, with or without a byte order mark.

    Yields:
        The number of the line on which a case stands (1 for each of a list), and
        the case as parsed or the issue that it is no JSON.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    whole = parse_json(body) if body.lstrip()[:1] in (b"[", b"{") else None
    if isinstance(whole, list):
        yield from ((1, case) for case in whole)
    elif isinstance(whole, dict) or (isinstance(whole, Issue) and body.lstrip()[:1] == b"["):
        yield 1, whole
    else:
        for number, line in enumerate(body.splitlines(), 1):
            if line.strip():
                yield number, parse_json(line)
