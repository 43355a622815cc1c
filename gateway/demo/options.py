"""The options of ``gateway demo``, and the ports that follow from them.

Source: design.md 3.5.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.errors import ConfigurationFault

HOST: Final = "127.0.0.1"
LARGEST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Port:
    """A port the demo listens on, and the option that moves it."""

    number: int
    use: str
    option: str

    def __str__(self) -> str:
        return f"{self.number} ({self.use}; {self.option} changes it)"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The options of the command line; ``tls_port`` 0 means no TLS listener of the gateway."""

    port: int
    tls_port: int
    doubles_port: int
    doubles_tls_port: int
    data: Path
    time: datetime | None
    empty: bool

    @property
    def metrics_port(self) -> int:
        """The api's metrics."""
        return self.port + 1

    @property
    def worker_metrics_port(self) -> int:
        """The worker's metrics."""
        return self.port + 2

    @property
    def doubles_url(self) -> str:
        """Where all doubles answer."""
        return f"http://{HOST}:{self.doubles_port}"

    def ports(self) -> list[Port]:
        """Every port the demo listens on."""
        ports = [
            Port(self.port, "gateway", "--port"),
            Port(self.metrics_port, "metrics of the api, one above it", "--port"),
            Port(self.worker_metrics_port, "metrics of the worker, two above it", "--port"),
            Port(self.doubles_port, "doubles", "--doubles-port"),
            Port(self.doubles_tls_port, "doubles, TLS", "--doubles-tls-port"),
        ]
        if self.tls_port:
            ports.append(Port(self.tls_port, "gateway, TLS", "--tls-port"))
        return ports


def check_ports(ports: Iterable[Port]) -> None:
    """Return if nobody listens on any of these ports and none is used twice.

    Raises:
        ConfigurationFault: it names every port that stands in the way, what the demo
            wants it for, and the option that changes it.
    """
    ports = list(ports)
    uses = Counter(port.number for port in ports)
    faults = [
        f"port {port} {trouble}"
        for port in ports
        if (trouble := _double(port, uses) or _trouble(port.number))
    ]
    if faults:
        raise ConfigurationFault("\n  ".join(["these ports can't be used:", *faults]))


def _double(port: Port, uses: Counter[int]) -> str:
    return "is asked for twice" if uses[port.number] > 1 else ""


def _trouble(number: int) -> str:
    """Why the demo can't listen there; empty if it can."""
    if not 0 < number <= LARGEST_PORT:
        return f"is not between 1 and {LARGEST_PORT}"
    with socket.socket() as probe:
        # As the servers do: a connection that has just ended is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            return "is taken" if taken else f"can't be had: {error.strerror}"
    return ""
