"""``gateway demo`` as a stranger meets it: start, paste the tour, Ctrl-C."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support.system import free_port

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(180)]

PROGRAM: Final = (sys.executable, "-m", "gateway.cli")
LAST_LINE: Final = "Ctrl-C stops everything."
STARTED_WITHIN_S: Final = 60.0


@dataclass
class Demo:
    """A running demo. ``commands`` are those of the tour, by their number."""

    process: subprocess.Popen[bytes]
    folder: Path
    text: str

    @property
    def commands(self) -> dict[int, str]:
        """What the tour says to paste."""
        tour = self.text.partition("The tour")[2].replace("\\\n", " ")
        steps = re.split(r"^  (\d) ", tour, flags=re.MULTILINE)[1:]
        found = {}
        for number, step in zip(steps[::2], steps[1::2], strict=True):
            lines = [line.strip() for line in step.splitlines()[1:]]
            (found[int(number)],) = [
                line for line in lines if " demo-" in line or " audit " in line
            ]
        return found

    def paste(self, number: int) -> str:
        """Run one command of the tour as the shell would; returns what it printed."""
        program = re.search(r"(\S+) demo-call", self.text)
        assert program is not None
        ours = " ".join(map(shlex.quote, PROGRAM))
        command = self.commands[number].replace(f"{program[1]} ", f"{ours} ")
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder.parent,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def left_behind(self) -> list[str]:
        """Command lines of processes that still know the demo's folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(self.folder) in line and entry.name != str(os.getpid()):
                found.append(line)
        return found


def _environment() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo on ports of its own."""
    tmp_path.chmod(0o711)
    for parent in tmp_path.parents[:2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    ports = [
        *("--port", "--tls-port", "--doubles-port", "--doubles-tls-port"),
    ]
    arguments = [word for port in ports for word in (port, str(free_port()))]
    folder = tmp_path / "demo"
    output = tmp_path / "output"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [*PROGRAM, "demo", "--data", str(folder), *arguments],
            cwd=tmp_path,
            env=_environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    running = Demo(process, folder, "")
    try:
        deadline = time.monotonic() + STARTED_WITHIN_S
        while LAST_LINE not in running.text:
            assert process.poll() is None, running.text
            assert time.monotonic() < deadline, running.text
            time.sleep(0.1)
            running.text = output.read_text(encoding="utf-8")
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def test_every_command_of_the_tour_does_what_it_says(demo: Demo) -> None:
    text = "Influenzavaccine"
    assert sorted(demo.commands) == list(range(1, 9))
    assert "HTTP 202" in demo.paste(1)
    assert '"P-HOLD-MIDNIGHT"' in demo.paste(2)
    assert "HTTP 200" in demo.paste(3)
    assert text in demo.paste(4)
    assert text in demo.paste(5)
    assert '"do_not_share": true' in demo.paste(6)
    gone = demo.paste(7)
    assert "HTTP 200" in gone
    assert text not in gone
    assert "OK: the log is whole" in demo.paste(8)


def test_ctrl_c_leaves_nothing_running(demo: Demo) -> None:
    assert demo.left_behind()
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(timeout=30) in (0, 130)
    assert demo.left_behind() == []
