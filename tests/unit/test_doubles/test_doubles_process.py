"""``python -m test_doubles`` as a process: starts, serves on both ports, ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from test_doubles.pki import ensure_pki


class Running:
    def __init__(self, process: subprocess.Popen[str], ready: str) -> None:
        self.process = process
        found = re.fullmatch(r"test doubles ready: (\S+) (\S+) clock (\S+)\n", ready)
        assert found, ready
        self.plain, self.secure, self.clock = found.groups()

    def get(self, path: str) -> bytes:
        connection = HTTPConnection(urlsplit(self.plain).netloc, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def pki_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_pki(tmp_path_factory.mktemp("pki")).directory


def start(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "test_doubles", "--port", "0", "--tls-port", "0", *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/"
    )


@pytest.fixture
def running(pki_dir: Path, tmp_path: Path) -> Iterator[Running]:
    spool = str(tmp_path / "spool")
    with start(
        *("--pki", str(pki_dir), "--spool", spool, "--time", "2026-12-31T23:30:00+01:00")
    ) as process:
        assert process.stdout is not None
        yield Running(process, process.stdout.readline())
        if process.poll() is None:
            process.kill()


def test_it_serves_on_both_ports_with_the_clock_asked_for(
    running: Running, pki_dir: Path, tmp_path: Path
) -> None:
    assert running.clock.startswith("2026-12-31T22:30:")
    services = json.loads(running.get("/control/services"))["services"]
    assert set(services) == {
        *("idp", "authorization", "cpr", "mandates", "minspaerring", "brs", "pki"),
        *("sts", "dros", "idcard"),
    }
    about = json.loads(running.get("/idp/.well-known/openid-configuration"))
    assert about["issuer"] == f"{running.plain}/idp"
    context = ssl.create_default_context(cafile=str(pki_dir / "ca/bundle.pem"))
    secure = HTTPSConnection(urlsplit(running.secure).netloc, context=context, timeout=10)
    try:
        secure.request("GET", "/control/personas")
        assert len(json.loads(secure.getresponse().read())) == 23
    finally:
        secure.close()
    assert (tmp_path / "spool" / "idp.ndjson").read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_even_with_a_stream_open(
    running: Running, number: signal.Signals
) -> None:
    stream = socket.create_connection(
        (urlsplit(running.plain).hostname, urlsplit(running.plain).port)
    )
    with stream:
        stream.sendall(b"GET /control/clock/stream?name=x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in stream.recv(100)
        began = time.monotonic()
        running.process.send_signal(number)
        _, complaints = running.process.communicate(timeout=10)
    assert running.process.returncode == 0
    assert time.monotonic() - began < 3
    assert complaints == ""


def test_a_taken_port_is_named_and_ends_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        outcome = subprocess.run(
            [sys.executable, "-m", "test_doubles", "--port", port, "--tls-port", "0"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
    assert outcome.returncode == 2
    assert "cannot start" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_time_without_offset_is_refused() -> None:
    with start("--time", "2026-12-14T09:00:00") as process:
        _, complaints = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "--time" in complaints
