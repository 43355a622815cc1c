"""What a dead PostgreSQL leaves behind, and how it is cleared before the next start.

Everything here is called with the data folder's lock in our hands, so any server
that still works there has lost the process that had started it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gateway.guarded_process import StopStep
from gateway.postgres_home import SOCKET_FOLDER_PREFIX, SOCKET_NAME, EmbeddedPostgresError

_SERVER_WITHIN_S = 20.0
_ORPHANS_WITHIN_S = 1.0


class PostgresDidNotStart(EmbeddedPostgresError):
    """The server gave up, or did not answer in time; the text ends with its log."""

    code = "POSTGRES-NOT-STARTED"


class PostgresStartCancelled(EmbeddedPostgresError):
    """Whoever asked for the start no longer wants it."""

    code = "POSTGRES-START-CANCELLED"


def leftover_processes(cluster: Path) -> list[int]:
    """Process ids of servers that still work in ``cluster``.

    PostgreSQL's processes all have the data folder as their working directory.
    """
    try:
        wanted = cluster.stat()
    except FileNotFoundError:
        return []
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):  # gone meanwhile, or another user's
                cwd = os.stat(f"/proc/{name}/cwd")
                program = Path(os.readlink(f"/proc/{name}/exe")).name
                same = (cwd.st_dev, cwd.st_ino) == (wanted.st_dev, wanted.st_ino)
                if same and program.startswith("postgres"):
                    found.append(int(name))
    return found


def end_leftovers(cluster: Path, is_cancelled: Callable[[], bool]) -> None:
    """Wait for servers of an earlier life to go, and then make them.

    We hold the folder's lock, so whatever still works there has lost its parent.
    With a postmaster among it, its guard is most likely shutting it down this very
    moment; sessions without one hold the shared memory and will never be of use.
    """
    steps = iter((StopStep(signal.SIGQUIT, 5.0), StopStep(signal.SIGKILL, 5.0)))
    deadline = time.monotonic() + _SERVER_WITHIN_S
    killing = False
    while leftovers := leftover_processes(cluster):
        if not killing and postmaster_pid(cluster) not in leftovers:
            killing = True
            steps = iter((StopStep(signal.SIGKILL, 5.0),))
            deadline = time.monotonic() + _ORPHANS_WITHIN_S
        if is_cancelled():
            raise PostgresStartCancelled("told to stop while an earlier server was ending")
        if time.monotonic() >= deadline:
            step = next(steps, None)
            if step is None:
                raise PostgresDidNotStart(f"processes {leftovers} do not let go of {cluster}")
            for pid in leftovers:
                with suppress(ProcessLookupError):
                    os.kill(pid, step.signal)
            deadline = time.monotonic() + step.wait_s
        time.sleep(0.02)


def postmaster_pid(cluster: Path) -> int | None:
    """What PostgreSQL's own lock file says; the process need not exist any more."""
    with suppress(ValueError, IndexError):
        return int(_lock_file_lines(cluster)[0])
    return None


def clear_after_dead_server(cluster: Path, keep_folder: Path | None = None) -> None:
    """Remove the lock files and the socket folder of a server that died.

    To be called with our own lock held and no server working in ``cluster``.
    PostgreSQL removes stale lock files itself, but it takes any process that has
    the number of the dead one for the dead one: a zombie that nobody collects (a
    container without an init process) or a newcomer would bar the start for good.

    Args:
        cluster: PostgreSQL's data folder.
        keep_folder: a socket folder that is still wanted, empty.
    """
    lines = _lock_file_lines(cluster)
    folder = Path(lines[4]) if len(lines) > 4 else None
    if folder is not None and folder.name.startswith(SOCKET_FOLDER_PREFIX):
        with suppress(OSError):  # never more than a socket, its lock and an empty folder
            for name in (SOCKET_NAME, SOCKET_NAME + ".lock"):
                (folder / name).unlink(missing_ok=True)
            if folder != keep_folder:
                folder.rmdir()
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def _lock_file_lines(cluster: Path) -> list[str]:
    # Line 1 is the process id, line 5 the socket's folder. Source: PostgreSQL 18,
    # src/include/utils/pidfile.h.
    try:
        return (cluster / "postmaster.pid").read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
