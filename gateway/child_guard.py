"""The guard program: stands between us and one long-lived child.

It exists because a child must never outlive us, however we end. The guard runs
in a session of its own (a Ctrl-C at the terminal reaches neither it nor the
child), starts one child, and stops it in order when we ask, when we die by any
signal, and when the guard itself is told to end:

* *we die*: the guard sees the end of the control socket, and of the parent's
  pidfd in case a forked process still holds a copy of that socket;
* *the guard dies* by SIGKILL: the kernel sends the child its death signal. The
  guard has a single thread, which matters because that signal is tied to the
  thread that forked and not to the process;
* *the child dies* and leaves children of its own: the guard is their subreaper
  and ends them, so that the next start finds the field clear.

`gateway.guarded_process.GuardedProcess` is the handle our side holds. Over the
socket goes one line each way: ``started PID`` or ``failed REASON`` from the
guard, ``S`` (stop) or ``K`` (kill) to it. Only the standard library is imported
here, so that the program starts in a few hundredths of a second.

Source: prctl(2) PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER; pidfd_open(2).
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
KILL_WITHIN_S = 5.0


def pidfd_or_none(pid: int) -> int | None:
    """A descriptor that turns readable when ``pid`` ends; None where there is none."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel or a filter; the control socket alone must do
        return None


class _Guard:
    """One child, watched from a single thread."""

    def __init__(self, spec: Mapping[str, object], control: socket.socket) -> None:
        self._spec = spec
        self._control = control
        self._steps = _stop_steps(spec["stop_steps"])
        self._child_pid = 0
        self._exit_code: int | None = None
        self._deadline: float | None = None
        self._stop_asked = False

    def run(self) -> int:
        """Start the child, watch it to its end, and clear up behind it."""
        wakeup, wakeup_writer = os.pipe()
        os.set_blocking(wakeup, False)
        os.set_blocking(wakeup_writer, False)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the parent's may block some
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _take_note)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        parent = int(str(self._spec["parent"]))
        parent_pidfd = pidfd_or_none(parent)
        try:
            self._child_pid = _spawn(self._spec)
        except (OSError, subprocess.SubprocessError) as problem:
            self._say(f"failed {problem}")
            return 127
        self._say(f"started {self._child_pid}")
        if os.getppid() != parent:
            self._begin_stop()
        self._watch(wakeup, parent_pidfd)
        _end_orphans()
        if self._stop_asked:
            for path in _texts(self._spec["remove_after"]):
                shutil.rmtree(path, ignore_errors=True)
        return self._shell_code()

    def _say(self, line: str) -> None:
        with suppress(OSError):  # the parent died meanwhile; the loop finds out
            self._control.sendall(line.replace("\n", " ").encode() + b"\n")

    def _watch(self, wakeup: int, parent_pidfd: int | None) -> None:
        poller = select.poll()
        poller.register(wakeup, select.POLLIN)
        poller.register(self._control, select.POLLIN)
        if parent_pidfd is not None:
            poller.register(parent_pidfd, select.POLLIN)
        while not self._reap():
            for descriptor, _event in poller.poll(self._patience_ms()):
                if descriptor == wakeup:
                    if set(os.read(wakeup, 512)) - {int(signal.SIGCHLD)}:
                        self._begin_stop()
                elif descriptor == parent_pidfd:
                    poller.unregister(descriptor)
                    self._begin_stop()
                elif not self._hear():
                    poller.unregister(descriptor)
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._next_step()

    def _hear(self) -> bool:
        """Take what came over the control socket; False at its end."""
        try:
            message = self._control.recv(64)
        except OSError:  # reset by a parent that died with our line unread
            message = b""
        if b"K" in message and not self._reap():
            self._stop_asked = True
            self._steps = []
            self._next_step()
        else:
            self._begin_stop()
        return bool(message)

    def _begin_stop(self) -> None:
        # A child that ended by itself was not stopped: what it used stays for the next.
        if not self._stop_asked and not self._reap():
            self._stop_asked = True
            self._next_step()

    def _next_step(self) -> None:
        number, wait_s = self._steps.pop(0) if self._steps else (int(signal.SIGKILL), KILL_WITHIN_S)
        self._deadline = time.monotonic() + wait_s
        with suppress(ProcessLookupError):
            os.kill(self._child_pid, number)

    def _patience_ms(self) -> int | None:
        if self._deadline is None:
            return None
        return max(0, int((self._deadline - time.monotonic()) * 1000)) + 1

    def _reap(self) -> bool:
        """Collect everything that has ended; True once the child is among it."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid == self._child_pid:
                self._exit_code = os.waitstatus_to_exitcode(status)
        return self._exit_code is not None

    def _shell_code(self) -> int:
        code = self._exit_code or 0
        return code if code >= 0 else 128 - code


def _take_note(_number: int, _frame: object) -> None:
    """Do nothing: the wakeup descriptor has told the loop already."""


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, Iterable) else []


def _stop_steps(value: object) -> list[tuple[int, float]]:
    if not isinstance(value, list):
        raise TypeError("stop_steps is a list of [signal, seconds]")
    return [(int(number), float(wait_s)) for number, wait_s in value]


def _spawn(spec: Mapping[str, object]) -> int:
    """Execute the child and return its process id."""
    run_as = spec["run_as"]
    uid, gid = run_as if isinstance(run_as, list) else (None, None)
    # Popen sets user and group before it calls this, and the kernel forgets the
    # death signal when they change: the order is what makes it stick.
    prepare = _tie_to_guard(os.getpid(), int(str(spec["death_signal"])))
    child = subprocess.Popen(
        _texts(spec["argv"]),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        user=uid,
        group=gid,
        extra_groups=None if uid is None else [],
        preexec_fn=prepare,  # noqa: PLW1509 - the guard has one thread
    )
    child.returncode = 0  # we reap it ourselves, with all the others
    return child.pid


def _tie_to_guard(guard_pid: int, death_signal: int) -> Callable[[], None]:
    def prepare() -> None:
        _prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != guard_pid:  # it died before the tie was made
            os._exit(127)

    return prepare


def _prctl(option: int, value: int) -> None:
    """Call prctl(2); without effect on systems that lack it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _end_orphans() -> None:
    """Kill what the child left behind, generation by generation, and reap it."""
    deadline = time.monotonic() + KILL_WITHIN_S
    while time.monotonic() < deadline:
        for pid in _children_of(os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def _children_of(parent: int) -> list[int]:
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdigit():
            with suppress(OSError):
                stat = Path("/proc", name, "stat").read_text("utf-8", "replace")
                # The second field may hold blanks and brackets: read after the last one.
                if int(stat.rpartition(")")[2].split()[1]) == parent:
                    found.append(int(name))
    return found


def main() -> int:
    """Run the guard: ``child_guard.py NAME SPEC`` with the control socket as input."""
    spec = json.loads(sys.argv[2])
    with socket.socket(fileno=os.dup(0)) as control:
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)
        return _Guard(spec, control).run()


if __name__ == "__main__":
    sys.exit(main())
