"""``python -m test_doubles``: all doubles on one HTTP and one HTTPS port.

Prints one line when ready and ends cleanly on SIGINT and SIGTERM. Every
option has a default; the ports are those of design 3.5.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aiohttp import web

from test_doubles.app import build_app
from test_doubles.clock import DEMO_START, Clock, iso, parse_instant
from test_doubles.faults import FaultBook
from test_doubles.personas import Personas
from test_doubles.pki import ensure_pki
from test_doubles.recorder import Recorder
from test_doubles.tls import tls_context
from test_doubles.world import World

REAL_TIME = "now"
_SHUTDOWN_SECONDS = 1.0
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. Port 0 lets the system choose."""

    host: str
    port: int
    tls_port: int
    pki_dir: Path | None
    start: datetime | None
    spool: Path | None
    schemas_dir: Path | None


def parse_options(arguments: list[str]) -> Options:
    """Read the command line; argparse ends the process on a mistake."""
    parser = argparse.ArgumentParser(
        prog="python -m test_doubles",
        description="Stand-ins for the national services, the identity provider and the registers.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8090, help="HTTP port (0: any free one)")
    parser.add_argument("--tls-port", type=int, default=8493, help="HTTPS port (0: any free one)")
    parser.add_argument(
        "--pki", type=Path, help="directory of keys and certificates; without it, throw-away ones"
    )
    parser.add_argument(
        "--time",
        default=DEMO_START,
        help=f"where the clock starts, ISO 8601 with offset, or {REAL_TIME} (default {DEMO_START})",
    )
    parser.add_argument("--spool", type=Path, help="directory to write each request to")
    parser.add_argument("--schemas", type=Path, help="directory of published schemas to judge with")
    found = parser.parse_args(arguments)
    try:
        start = None if found.time == REAL_TIME else parse_instant(found.time)
    except ValueError:
        parser.error("--time must be an ISO 8601 instant with an offset")
    return Options(
        found.host, found.port, found.tls_port, found.pki, start, found.spool, found.schemas
    )


def build_world(options: Options, pki_dir: Path, base_url: str) -> World:
    """Put together what the doubles share."""
    return World(
        clock=Clock(options.start),
        personas=Personas(),
        faults=FaultBook(),
        recorder=Recorder(options.spool),
        base_url=base_url,
        pki_dir=pki_dir,
        schemas_dir=options.schemas_dir,
        spool_dir=options.spool,
    )


async def serve(options: Options, pki_dir: Path) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        OSError: a port is taken, or a directory cannot be made.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # The sockets come first: a taken port shows before any key is made.
    plain, secure = _listen(options.host, options.port), _listen(options.host, options.tls_port)
    pki = ensure_pki(pki_dir)
    world = build_world(options, pki_dir, _url("http", options.host, plain))
    runner = web.AppRunner(build_app(world), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.SockSite(runner, plain).start()
        await web.SockSite(runner, secure, ssl_context=tls_context(pki)).start()
        print(
            f"test doubles ready: {world.base_url} {_url('https', options.host, secure)}"
            f" clock {iso(world.clock.now())}",
            flush=True,
        )
        await stop.wait()
    finally:
        await runner.cleanup()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=512)


def _url(scheme: str, host: str, listening: socket.socket) -> str:
    shown = "127.0.0.1" if host in _ANY_ADDRESS else host
    port = listening.getsockname()[1]
    return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}"


def main(arguments: list[str] | None = None) -> int:
    """Run the doubles; 0 after a signal, 2 when they could not start."""
    options = parse_options(sys.argv[1:] if arguments is None else arguments)
    with tempfile.TemporaryDirectory(prefix="test-doubles-") as throw_away:
        try:
            asyncio.run(serve(options, options.pki_dir or Path(throw_away)))
        except OSError as error:
            print(f"test doubles cannot start: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
