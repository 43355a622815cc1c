"""Starts our processes, keeps them running, and stops them all in order.

Used by ``gateway demo`` and by tests that need several processes. Each child
has a guard of its own (`gateway.child_guard`), so none is left behind however
this process ends. Ctrl-C reaches this process only; the children are stopped
one after another, the last started first and PostgreSQL last of all.

One thread, one loop: it sleeps until a child ends, a signal comes or a time is due.
"""

from __future__ import annotations

import http.client
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from gateway.embedded_postgres import EmbeddedPostgres
from gateway.errors import GatewayError
from gateway.guarded_process import ChildDidNotStart, GuardedProcess, StopStep, log_tail
from gateway.postgres_home import EmbeddedPostgresError, make_folders

_log = logging.getLogger(__name__)

_TICK_S = 0.05
_IDLE_S = 1.0


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How a child that ended unexpectedly is started again.

    The delay begins at ``first_delay_s`` and doubles up to ``longest_delay_s``; it
    begins anew once a child has been ready for ``steady_after_s``. All in seconds.
    """

    first_delay_s: float = 0.2
    longest_delay_s: float = 10.0
    steady_after_s: float = 30.0

    def delay_s(self, failures_in_a_row: int) -> float:
        """Seconds to wait after that many failures, one or more."""
        return min(self.longest_delay_s, self.first_delay_s * 2.0 ** min(failures_in_a_row - 1, 20))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One process to run.

    Attributes:
        name: unique; the log is ``<name>.log``.
        argv: program and arguments; they show in the process list, so no secrets.
        env: the whole environment of the child; None passes ours on.
        is_ready: asked again and again until true; None counts as ready at once.
        ready_within_s: seconds until a child that is not ready counts as failed.
        stop_signal: what asks it to end.
        stop_within_s: seconds it has for that before SIGKILL.
        restart: None lets it stay down once it has ended.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    is_ready: Callable[[], bool] | None = None
    ready_within_s: float = 20.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 10.0
    restart: RestartPolicy | None = RestartPolicy()


class ChildNotReady(GatewayError):
    """A child ended or stayed silent while it was to get ready; ends with its log."""

    code = "CHILD-NOT-READY"


class StopRequested(GatewayError):
    """A signal or `Supervisor.request_stop` came while children were being started."""

    code = "STOP-REQUESTED"


@dataclass(slots=True)
class _Child:
    """A child's spec and how it is doing. ``process`` is None while it is down."""

    spec: ChildSpec
    log_path: Path
    process: GuardedProcess | None = None
    is_ready: bool = False
    started_at: float = 0.0
    failures: int = 0
    start_again_at: float | None = None
    log_start: int = field(default=0)

    def start(self) -> None:
        with suppress(FileNotFoundError):
            self.log_start = self.log_path.stat().st_size
        self.start_again_at = None
        self.is_ready = False
        self.started_at = time.monotonic()
        self.process = GuardedProcess.start(
            self.spec.name,
            self.spec.argv,
            env=self.spec.env,
            log_path=self.log_path,
            stop_steps=(StopStep(self.spec.stop_signal, self.spec.stop_within_s),),
        )

    def tail(self) -> str:
        return log_tail(self.log_path, start=self.log_start)


class Supervisor:
    """Runs children until told to stop. Use as a context manager, in the main thread.

    Inside the ``with`` block SIGINT, SIGTERM and SIGHUP ask for a stop; at its end
    everything is stopped, whatever the reason for leaving it.

    Args:
        log_dir: folder for the children's logs, made if missing.
        stop_within_s: seconds for stopping all children together (PostgreSQL has
            its own 25 s after that).
    """

    def __init__(self, log_dir: Path, *, stop_within_s: float = 30.0) -> None:
        self._log_dir = log_dir
        self._stop_within_s = stop_within_s
        self._children: list[_Child] = []
        self._postgres: EmbeddedPostgres | None = None
        self._postgres_failures = 0
        self._postgres_again_at = 0.0
        self._stop_requested = False
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)
        self._old_handlers: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> Supervisor:
        make_folders(self._log_dir, 0o700)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._old_handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            for number, handler in self._old_handlers.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
            self._old_handlers.clear()
            os.close(self._wake)
            os.close(self._waker)
            self._wake = self._waker = -1  # the numbers may be another file's by now

    @property
    def stop_requested(self) -> bool:
        """Whether a signal or `request_stop` asked us to end."""
        return self._stop_requested

    def request_stop(self) -> None:
        """Ask for a stop; callable from a signal handler and from any thread."""
        self._stop_requested = True
        with suppress(OSError):  # full or closed: the loop is awake, or over
            os.write(self._waker, b".")

    def pid_of(self, name: str) -> int | None:
        """Process id of a child, None while it is down.

        Raises:
            KeyError: no child of that name.
        """
        child = {child.spec.name: child for child in self._children}[name]
        process = child.process
        return process.pid if process is not None and process.is_alive else None

    def log_path(self, name: str) -> Path:
        """Where a child's output goes."""
        return self._log_dir / f"{name}.log"

    def start_postgres(self, postgres: EmbeddedPostgres, *, timeout_s: float = 60.0) -> None:
        """Start the embedded PostgreSQL and keep it running from now on.

        Raises:
            StopRequested: told to stop meanwhile.
            EmbeddedPostgresError: see `EmbeddedPostgres.start`.
        """
        self._postgres = postgres
        with self._stop_is_cancel():
            postgres.start(timeout_s=timeout_s, is_cancelled=lambda: self._stop_requested)

    def start(self, *specs: ChildSpec) -> None:
        """Start children side by side and return once all of them are ready.

        Children started by later calls are stopped before these.

        Raises:
            ChildNotReady: one ended, could not be executed or was not ready in time.
            StopRequested: told to stop meanwhile.
        """
        new = []
        for spec in specs:
            if any(child.spec.name == spec.name for child in self._children):
                raise ValueError(f"there is a child named {spec.name} already")
            child = _Child(spec, self.log_path(spec.name))
            self._children.append(child)
            new.append(child)
            try:
                child.start()
            except ChildDidNotStart as problem:
                raise ChildNotReady(str(problem)) from problem
        while not all(child.is_ready for child in new):
            if self._stop_requested:
                raise StopRequested("told to stop while children were starting")
            for child in new:
                self._look_at_starting(child)
            self._sleep(_TICK_S)

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Keep everything running until a stop is asked for or ``until`` says so.

        ``until`` is asked at least once a second.
        """
        while not self._stop_requested and not (until is not None and until()):
            now = time.monotonic()
            self._look_after_postgres(now)
            for child in self._children:
                self._look_after(child, now)
            self._sleep(self._patience_s())

    def stop(self) -> None:
        """Stop all children, the last started first, then PostgreSQL. Bounded in time."""
        deadline = time.monotonic() + self._stop_within_s
        for child in reversed(self._children):
            if child.process is not None:
                allowed_s = max(0.0, min(child.spec.stop_within_s, deadline - time.monotonic()))
                code = child.process.stop(within_s=allowed_s)
                _log.info("%s stopped with exit code %s", child.spec.name, code)
                child.process = None
        self._children.clear()
        if self._postgres is not None:
            self._postgres.stop()
            self._postgres = None

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.request_stop()

    @contextmanager
    def _stop_is_cancel(self) -> Iterator[None]:
        try:
            yield
        except EmbeddedPostgresError as problem:
            if self._stop_requested:
                raise StopRequested("told to stop while PostgreSQL was starting") from problem
            raise

    def _look_at_starting(self, child: _Child) -> None:
        """One look at a child that is to become ready for the first time."""
        if child.is_ready or child.process is None:
            return
        name = child.spec.name
        code = child.process.poll()
        if code is not None:
            raise ChildNotReady(f"{name} ended with exit code {code}:\n{child.tail()}")
        child.is_ready = child.spec.is_ready is None or child.spec.is_ready()
        waited_s = time.monotonic() - child.started_at
        if not child.is_ready and waited_s > child.spec.ready_within_s:
            raise ChildNotReady(f"{name} was not ready after {waited_s:.1f} s:\n{child.tail()}")

    def _look_after(self, child: _Child, now: float) -> None:
        """Start a child that is down and due, and notice one that went down."""
        if child.process is None:
            if child.start_again_at is not None and now >= child.start_again_at:
                self._start_again(child)
            return
        code = child.process.poll()
        if code is not None:
            self._went_down(child, f"ended with exit code {code}")
        elif not child.is_ready:
            child.is_ready = child.spec.is_ready is None or child.spec.is_ready()
            if child.is_ready:
                _log.warning("%s is ready again, pid %s", child.spec.name, child.process.pid)
            elif now - child.started_at > child.spec.ready_within_s:
                child.process.stop(within_s=child.spec.stop_within_s)
                self._went_down(child, "did not get ready in time")

    def _start_again(self, child: _Child) -> None:
        try:
            child.start()
        except (ChildDidNotStart, OSError) as problem:
            self._went_down(child, str(problem))

    def _went_down(self, child: _Child, how: str) -> None:
        child.process = None
        policy = child.spec.restart
        if policy is None:
            _log.warning("%s %s and stays down", child.spec.name, how)
            return
        now = time.monotonic()
        steady = child.is_ready and now - child.started_at >= policy.steady_after_s
        child.failures = 1 if steady else child.failures + 1
        delay_s = policy.delay_s(child.failures)
        child.start_again_at = now + delay_s
        _log.warning("%s %s; starting it again in %.1f s", child.spec.name, how, delay_s)

    def _look_after_postgres(self, now: float) -> None:
        if self._postgres is None or now < self._postgres_again_at:
            return
        try:
            if self._postgres.restart_if_dead(is_cancelled=lambda: self._stop_requested):
                _log.warning("PostgreSQL runs again, pid %s", self._postgres.pid)
                self._postgres_failures = 0
        except EmbeddedPostgresError as problem:
            self._postgres_failures += 1
            delay_s = RestartPolicy().delay_s(self._postgres_failures)
            self._postgres_again_at = time.monotonic() + delay_s
            _log.error("%s; trying again in %.1f s", problem, delay_s)

    def _patience_s(self) -> float:
        """How long the loop may sleep when nothing happens."""
        if any(child.process is not None and not child.is_ready for child in self._children):
            return _TICK_S
        now = time.monotonic()
        due = [child.start_again_at for child in self._children if child.start_again_at]
        return max(0.0, min([_IDLE_S, *(moment - now for moment in due)]))

    def _sleep(self, longest_s: float) -> None:
        """Sleep until something happens: a signal, a child that ends, or the time is up."""
        sources: list[int] = [self._wake]
        sources += [child.process.fileno() for child in self._children if child.process is not None]
        if self._postgres is not None and self._postgres.watch_fd is not None:
            sources.append(self._postgres.watch_fd)
        poller = select.poll()
        for source in sources:
            poller.register(source, select.POLLIN)
        # Rounded up: a sleep that ends too early would turn the loop round for nothing.
        if any(source == self._wake for source, _ in poller.poll(longest_s * 1000.0 + 1.0)):
            with suppress(BlockingIOError):
                os.read(self._wake, 4096)


_Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


def tcp_listens(host: str, port: int) -> Callable[[], bool]:
    """A ready check: something accepts connections on that port."""

    def is_ready() -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=1.0)
        try:
            connection.connect()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    return is_ready


def http_answers(url: str, status: int = 200) -> Callable[[], bool]:
    """A ready check: GET on a plain ``http`` address answers with that status."""
    parts = urlsplit(url)

    def is_ready() -> bool:
        connection = http.client.HTTPConnection(parts.netloc, timeout=2.0)
        try:
            connection.request("GET", parts.path or "/")
            return connection.getresponse().status == status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return is_ready
