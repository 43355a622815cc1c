"""Our handle on a child under guard, and what is needed to read its log.

The guard is a process of its own (`gateway.child_guard`, which tells how it
keeps children from outliving us); this module starts it and talks to it.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway import child_guard
from gateway.child_guard import KILL_WITHIN_S, pidfd_or_none
from gateway.errors import GatewayError

_START_WITHIN_S = 20.0
_LOG_ROTATES_AT_BYTES = 20_000_000
_CPR_LIKE = re.compile(r"\b\d{6}-?\d{4}\b")


@dataclass(frozen=True, slots=True)
class StopStep:
    """One step of an orderly stop: a signal, and how long to wait for it to work."""

    signal: signal.Signals
    wait_s: float


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user and group a child runs as; only root may choose."""

    uid: int
    gid: int


class ChildDidNotStart(GatewayError):
    """The program could not be executed; the text says why."""

    code = "CHILD-NOT-STARTED"


POLITE_STOP = (StopStep(signal.SIGTERM, 10.0),)
"""SIGTERM and ten seconds; SIGKILL always follows the last step."""


class GuardedProcess:
    """Our handle on a guarded child.

    Made by `start`. Safe to drop at any time: losing the handle closes the
    control socket, and that stops the child. Not for use by two threads at once.
    """

    def __init__(
        self, guard: subprocess.Popen[bytes], control: socket.socket, pid: int, stop_for_s: float
    ) -> None:
        self.pid = pid
        self._guard = guard
        self._control = control
        self._stop_for_s = stop_for_s
        self._pidfd = pidfd_or_none(pid)

    @classmethod
    def start(
        cls,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log_path: Path | None = None,
        run_as: RunAs | None = None,
        stop_steps: Sequence[StopStep] = POLITE_STOP,
        death_signal: signal.Signals = signal.SIGKILL,
        remove_after: Sequence[Path] = (),
    ) -> GuardedProcess:
        """Start ``argv`` under a guard and return once it has been executed.

        Args:
            name: shown in the process list beside the guard.
            argv: program and arguments. They show in the process list: no secrets.
            env: the child's whole environment; None passes ours on.
            cwd: working directory, which ``run_as`` must be able to enter.
            log_path: file to append the child's output to; None shares ours.
            run_as: user to become before the program is executed.
            stop_steps: what to send on a stop; SIGKILL follows the last.
            death_signal: what the kernel sends the child should the guard be killed.
            remove_after: folders the guard deletes once an asked-for stop is done,
                so that nothing of ours lies about after we were killed.

        Raises:
            ChildDidNotStart: the program is missing or may not be executed, or the
                guard gave no answer.
        """
        spec = {
            "argv": list(argv),
            "parent": os.getpid(),
            "run_as": None if run_as is None else [run_as.uid, run_as.gid],
            "stop_steps": [[int(step.signal), step.wait_s] for step in stop_steps],
            "death_signal": int(death_signal),
            "remove_after": [str(path) for path in remove_after],
        }
        with ExitStack() as stack:
            ours, theirs = socket.socketpair()
            stack.callback(ours.close)
            with theirs:
                guard = _start_guard(name, spec, theirs, env=env, cwd=cwd, log_path=log_path)
            # Undone in reverse: closing the socket ends the guard, then we collect it.
            stack.callback(guard.wait)
            stack.callback(ours.close)
            pid = _read_start_message(name, ours)
            process = cls(guard, ours, pid, sum(step.wait_s for step in stop_steps))
            stack.pop_all()
        return process

    @property
    def guard_pid(self) -> int:
        """Process id of the guard itself."""
        return self._guard.pid

    @property
    def is_alive(self) -> bool:
        """Whether the child itself still runs (an instant answer, no waiting)."""
        if self._guard.poll() is not None:
            return False
        if self._pidfd is None:
            return True
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        return not poller.poll(0)

    def fileno(self) -> int:
        """The control socket; it turns readable when the guard ends."""
        return self._control.fileno()

    def poll(self) -> int | None:
        """Exit code of the child once it and all it left behind are gone.

        Returns:
            None while anything still runs; 128 + n for death by signal n; a
            negative number if the guard itself was killed.
        """
        code = self._guard.poll()
        if code is not None:
            self._close()
        return code

    def wait(self, timeout_s: float) -> int | None:
        """Like `poll`, but wait up to ``timeout_s`` seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._guard.wait(timeout_s)
        return self.poll()

    def request_stop(self) -> None:
        """Ask for an orderly stop and return at once."""
        self._tell(b"S")

    def stop(self, within_s: float | None = None) -> int:
        """Stop the child in order and wait until it is gone.

        Args:
            within_s: seconds to give the orderly stop before SIGKILL; None for
                as long as the stop steps allow.

        Returns:
            The exit code as in `poll`.
        """
        allowed_s = self._stop_for_s + KILL_WITHIN_S if within_s is None else within_s
        self.request_stop()
        code = self.wait(allowed_s)
        if code is None:
            self._tell(b"K")
            code = self.wait(KILL_WITHIN_S)
        if code is None:
            # The guard does not listen (stopped by SIGSTOP, say): the kernel's
            # death signal takes the child along, and SIGKILL makes it certain.
            if self.is_alive:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
            self._guard.kill()
            self._guard.wait()
            code = self._guard.returncode
        self._close()
        return code

    def _tell(self, message: bytes) -> None:
        with suppress(OSError):  # the guard is gone: there is nobody left to tell
            self._control.send(message)

    def _close(self) -> None:
        self._control.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def log_tail(path: Path, lines: int = 20, start: int = 0) -> str:
    """Return the last lines of a log for an error text, CPR-like numbers masked.

    Args:
        path: the log; a missing one gives the empty text.
        lines: how many lines at most, taken from the last 16 kB.
        start: offset in bytes before which nothing is shown.
    """
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(start, size - 16_384) if start <= size else 0)
            text = log.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return _CPR_LIKE.sub("[CPR]", "\n".join(text.splitlines()[-lines:]))


def rotate_log(path: Path) -> None:
    """Put a log over 20 MB aside as ``NAME.1`` before a child starts writing to it."""
    with suppress(FileNotFoundError):
        if path.stat().st_size > _LOG_ROTATES_AT_BYTES:
            path.replace(path.with_name(path.name + ".1"))


def _start_guard(
    name: str,
    spec: Mapping[str, object],
    control: socket.socket,
    *,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    log_path: Path | None,
) -> subprocess.Popen[bytes]:
    with ExitStack() as stack:
        log: int | None = None
        if log_path is not None:
            rotate_log(log_path)
            log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            stack.callback(os.close, log)
        return subprocess.Popen(
            [sys.executable, "-I", "-S", child_guard.__file__, name, json.dumps(spec)],
            stdin=control.fileno(),
            stdout=log,
            stderr=log,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )


def _read_start_message(name: str, control: socket.socket) -> int:
    """Read ``started PID`` or raise with what the guard said instead."""
    control.settimeout(_START_WITHIN_S)
    message = b""
    try:
        while not message.endswith(b"\n"):
            part = control.recv(4096)
            if not part:
                break
            message += part
    except TimeoutError as slow:
        raise ChildDidNotStart(f"{name}: the guard gave no sign of life") from slow
    control.settimeout(None)
    word, _, rest = message.decode("utf-8", "replace").strip().partition(" ")
    if word != "started":
        raise ChildDidNotStart(f"{name}: {rest or 'the guard ended at once'}")
    return int(rest)
