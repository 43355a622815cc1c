"""The demo's ports are looked at before anything is started."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import cli
from gateway.demo.options import DemoOptions, check_ports
from gateway.errors import ConfigurationFault
from tests.support.system import free_ports

OPTIONS = ("--port", "--tls-port", "--doubles-port", "--doubles-tls-port")
USES = {
    "gateway": (0, "--port"),
    "metrics of the api": (1, "--port"),
    "metrics of the worker": (2, "--port"),
    "gateway, TLS": (3, "--tls-port"),
    "doubles": (4, "--doubles-port"),
    "doubles, TLS": (5, "--doubles-tls-port"),
}


@pytest.fixture
def options(tmp_path: Path) -> DemoOptions:
    first = free_ports(6)
    numbers = (first, first + 3, first + 4, first + 5)
    return DemoOptions(*numbers, data=tmp_path / "demo", time=None, empty=True)


@contextmanager
def listener(port: int) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


def test_free_ports_will_do(options: DemoOptions) -> None:
    check_ports(options.ports())


@pytest.mark.parametrize("use", USES)
def test_a_taken_port_is_named_with_its_use_and_its_option(use: str, options: DemoOptions) -> None:
    step, option = USES[use]
    with listener(options.port + step), pytest.raises(ConfigurationFault) as refused:
        check_ports(options.ports())
    (line,) = str(refused.value).splitlines()[1:]
    assert line.strip().startswith(f"port {options.port + step} ({use}")
    assert line.endswith(f"; {option} changes it) is taken")


def test_every_taken_port_is_named_at_once_and_nothing_is_started(
    options: DemoOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = (options.port, options.tls_port, options.doubles_port, options.doubles_tls_port)
    words = [
        word for name, number in zip(OPTIONS, numbers, strict=True) for word in (name, str(number))
    ]
    with listener(options.port + 1), listener(options.doubles_port):
        assert cli.main(["demo", "--data", str(options.data), *words]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("gateway: these ports can't be used:\n")
    assert all(
        f"port {number} (" in told.err for number in (options.port + 1, options.doubles_port)
    )
    assert told.err.count(" is taken\n") == 2
    assert told.out == ""
    assert not options.data.exists()


def test_a_port_asked_for_twice_or_out_of_range_is_named(tmp_path: Path) -> None:
    port = free_ports(3)
    options = DemoOptions(port, 70_000, port + 2, 0, data=tmp_path, time=None, empty=True)
    with pytest.raises(ConfigurationFault) as refused:
        check_ports(options.ports())
    told = str(refused.value)
    assert told.count(f"port {port + 2} (") == told.count(" is asked for twice") == 2
    assert told.count(" is not between 1 and 65535") == 2


def test_without_a_tls_listener_its_port_is_of_no_concern(options: DemoOptions) -> None:
    without = replace(options, tls_port=0)
    assert {port.number for port in options.ports()} - {
        port.number for port in without.ports()
    } == {options.tls_port}
    check_ports(without.ports())
