"""The supervisor and the guard below it, with real processes and real signals."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from gateway.embedded_postgres import EmbeddedPostgres
from gateway.guarded_process import ChildDidNotStart, GuardedProcess, StopStep, log_tail
from gateway.supervisor import (
    ChildNotReady,
    ChildSpec,
    RestartPolicy,
    StopRequested,
    Supervisor,
    http_answers,
    tcp_listens,
)

REPOSITORY = Path(__file__).parents[3]

WAITS = "import time\nwhile True: time.sleep(60)"
IGNORES_TERM = (
    "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n"
)
QUICK = RestartPolicy(first_delay_s=0.05, longest_delay_s=0.2)


def python(source: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", source)


def is_running(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.01)


def by(within_s: float, condition: Callable[[], bool]) -> Callable[[], bool]:
    """An ``until`` for `Supervisor.run` that fails rather than waits for ever."""
    deadline = time.monotonic() + within_s

    def is_over() -> bool:
        assert time.monotonic() < deadline, f"not within {within_s} s"
        return condition()

    return is_over


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "log") as made:
        yield made


# --- the guard ----------------------------------------------------------------------


def test_a_guarded_child_gives_its_exit_code() -> None:
    process = GuardedProcess.start("child", python("raise SystemExit(7)"))
    assert process.wait(20) == 7
    assert not process.is_alive


def test_death_by_signal_is_told_as_128_and_the_number() -> None:
    process = GuardedProcess.start("child", python(WAITS))
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(20) == 128 + 9


def test_a_program_that_is_missing_is_an_error_of_ours() -> None:
    with pytest.raises(ChildDidNotStart, match="no-such-program"):
        GuardedProcess.start("child", ["/no-such-program"])


def test_stop_goes_through_its_steps_and_ends_with_kill(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = GuardedProcess.start(
        "child",
        python(IGNORES_TERM + WAITS),
        log_path=log,
        stop_steps=(StopStep(signal.SIGTERM, 0.2), StopStep(signal.SIGTERM, 0.2)),
    )
    wait_until(lambda: log.read_text() == "up\n")
    started = time.monotonic()
    assert process.stop() == 128 + 9
    assert 0.4 <= time.monotonic() - started < 4.0


def test_a_guard_that_does_not_listen_is_overruled() -> None:
    process = GuardedProcess.start("child", python(WAITS), stop_steps=())
    os.kill(process.guard_pid, signal.SIGSTOP)
    process.stop(within_s=0.1)
    assert not is_running(process.guard_pid)
    wait_until(lambda: not is_running(process.pid))


def test_grandchildren_go_with_the_child(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    source = (
        "import os, subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', {WAITS!r}], start_new_session=True)\n"
        f"open({str(note)!r} + '.new', 'w').write(str(p.pid))\n"
        f"os.rename({str(note)!r} + '.new', {str(note)!r})\n" + WAITS
    )
    process = GuardedProcess.start("child", python(source))
    wait_until(note.exists)
    grandchild = int(note.read_text())
    assert is_running(grandchild)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(20) == 128 + 9
    assert not is_running(grandchild)


def test_a_forked_copy_of_us_does_not_keep_the_child_alive() -> None:
    """The fork holds the control socket open; the pidfd tells of our death all the same."""
    source = f"""
import os, sys, time
sys.path[:0] = {sys.path!r}
from gateway.guarded_process import GuardedProcess
p = GuardedProcess.start("child", [sys.executable, "-c", {WAITS!r}])
fork = os.fork()
if fork == 0:
    time.sleep(120)
print(p.pid, fork, flush=True)
time.sleep(120)
"""
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as parent:
        assert parent.stdout is not None
        child, fork = map(int, parent.stdout.readline().split())
        parent.kill()
        try:
            wait_until(lambda: not is_running(child))
            assert is_running(fork)
        finally:
            os.kill(fork, signal.SIGKILL)


def test_a_thread_that_ends_does_not_take_its_child_along() -> None:
    made: list[GuardedProcess] = []
    thread = threading.Thread(
        target=lambda: made.append(GuardedProcess.start("child", python(WAITS)))
    )
    thread.start()
    thread.join()
    assert made[0].wait(0.3) is None
    assert made[0].is_alive
    made[0].stop()


def test_a_log_tail_shows_the_end_and_no_cpr_number(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n" + "".join(f"line {n}\n" for n in range(50)) + "cpr 300174-9995\n")
    tail = log_tail(log, lines=3)
    assert tail == "line 48\nline 49\ncpr [CPR]"
    assert log_tail(tmp_path / "missing") == ""


# --- the supervisor -----------------------------------------------------------------


def test_children_start_and_their_output_goes_to_files(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    env = {"WORD": "hej"}
    source = "import os; print(os.environ['WORD'], sorted(os.environ)[-1], flush=True)\n" + WAITS
    log = tmp_path / "log" / "one.log"
    spec = ChildSpec(
        name="one", argv=python(source), env=env, is_ready=lambda: "hej" in log.read_text()
    )
    supervisor.start(spec)
    assert log.read_text() == "hej WORD\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_killed_child_is_started_again(
    supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.start(ChildSpec(name="one", argv=python(WAITS), restart=QUICK))
    first = supervisor.pid_of("one")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    with caplog.at_level(logging.WARNING, logger="gateway.supervisor"):
        supervisor.run(until=by(20, lambda: supervisor.pid_of("one") not in {None, first}))
    assert "one ended with exit code 137; starting it again" in caplog.text


def test_a_killed_guard_counts_as_a_dead_child(supervisor: Supervisor) -> None:
    supervisor.start(ChildSpec(name="one", argv=python(WAITS), restart=QUICK))
    first = supervisor.pid_of("one")
    assert first is not None
    parent = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    supervisor.run(until=by(20, lambda: supervisor.pid_of("one") not in {None, first}))
    wait_until(lambda: not is_running(first))


def test_a_child_that_may_end_stays_down(supervisor: Supervisor) -> None:
    supervisor.start(ChildSpec(name="once", argv=python(WAITS), restart=None))
    pid = supervisor.pid_of("once")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: supervisor.pid_of("once") is None)
    over = time.monotonic() + 0.5
    supervisor.run(until=lambda: time.monotonic() > over)
    assert supervisor.pid_of("once") is None


def test_the_delay_between_starts_doubles_up_to_its_bound() -> None:
    policy = RestartPolicy(first_delay_s=0.5, longest_delay_s=3.0)
    assert [policy.delay_s(n) for n in (1, 2, 3, 4, 5000)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_child_that_keeps_failing_is_tried_with_growing_pauses(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    flag = tmp_path / "flag"
    source = f"open({str(count)!r}, 'a').write('x')\nimport os\n"
    source += f"if os.path.exists({str(flag)!r}): raise SystemExit(1)\n" + WAITS
    policy = RestartPolicy(first_delay_s=0.1, longest_delay_s=0.4)
    supervisor.start(
        ChildSpec(name="bad", argv=python(source), is_ready=count.exists, restart=policy)
    )
    flag.touch()
    pid = supervisor.pid_of("bad")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    supervisor.run(until=by(20, lambda: count.read_text() == "xxxxx"))
    assert time.monotonic() - began >= 0.1 + 0.2 + 0.4 + 0.4


def test_a_failed_ready_check_shows_the_log_tail(supervisor: Supervisor) -> None:
    source = "print('the port is taken', flush=True)\n" + WAITS
    spec = ChildSpec(name="deaf", argv=python(source), is_ready=lambda: False, ready_within_s=0.5)
    with pytest.raises(ChildNotReady, match=r"(?s)deaf was not ready after.*the port is taken"):
        supervisor.start(spec)


def test_a_child_that_ends_while_starting_is_reported_at_once(supervisor: Supervisor) -> None:
    source = "print('old words')\nraise SystemExit('no such database')"
    spec = ChildSpec(name="short", argv=python(source), is_ready=lambda: False)
    began = time.monotonic()
    with pytest.raises(ChildNotReady, match=r"(?s)short ended with exit code 1.*no such database"):
        supervisor.start(spec)
    assert time.monotonic() - began < spec.ready_within_s / 2


def test_a_missing_program_is_a_child_that_is_not_ready(supervisor: Supervisor) -> None:
    with pytest.raises(ChildNotReady, match="no-such-program"):
        supervisor.start(ChildSpec(name="none", argv=("/no-such-program",)))


def test_children_stop_in_reverse_order(tmp_path: Path) -> None:
    order = tmp_path / "order"

    def spec(name: str) -> ChildSpec:
        source = (
            "import signal, sys\n"
            f"def end(*_): open({str(order)!r}, 'a').write({name!r}); sys.exit()\n"
            "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\n" + WAITS
        )
        log = tmp_path / "log" / f"{name}.log"
        return ChildSpec(name=name, argv=python(source), is_ready=lambda: "up" in log.read_text())

    with Supervisor(tmp_path / "log") as supervisor:
        supervisor.start(spec("a"), spec("b"))
        supervisor.start(spec("c"))
    assert order.read_text() == "cba"


def test_the_stop_of_many_stubborn_children_is_bounded(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "log", stop_within_s=1.0) as supervisor:
        for name in ("a", "b", "c"):
            log = tmp_path / "log" / f"{name}.log"
            supervisor.start(
                ChildSpec(
                    name=name,
                    argv=python(IGNORES_TERM + WAITS),
                    is_ready=lambda log=log: "up" in log.read_text(),  # type: ignore[misc]
                )
            )
        began = time.monotonic()
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_the_run_and_handlers_are_put_back(
    tmp_path: Path, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    with Supervisor(tmp_path / "log") as supervisor:
        supervisor.start(ChildSpec(name="one", argv=python(WAITS)))
        pid = supervisor.pid_of("one")
        assert pid is not None
        threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
        supervisor.run(until=by(20, lambda: False))
        assert supervisor.stop_requested
    assert not is_running(pid)
    assert signal.getsignal(number) == before


def test_a_signal_while_children_start_ends_the_start(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "log") as supervisor:
        threading.Timer(0.1, supervisor.request_stop).start()
        with pytest.raises(StopRequested):
            supervisor.start(ChildSpec(name="slow", argv=python(WAITS), is_ready=lambda: False))
        pid = supervisor.pid_of("slow")
        assert pid is not None
    assert not is_running(pid)


def test_two_children_of_one_name_are_refused(supervisor: Supervisor) -> None:
    supervisor.start(ChildSpec(name="one", argv=python(WAITS)))
    with pytest.raises(ValueError, match="one"):
        supervisor.start(ChildSpec(name="one", argv=python(WAITS)))


def test_the_ready_checks_tell_an_open_port_and_an_answer(supervisor: Supervisor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert tcp_listens("127.0.0.1", port)()
    assert not tcp_listens("127.0.0.1", port)()
    url = f"http://127.0.0.1:{port}/"
    assert not http_answers(url)()
    argv = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    supervisor.start(ChildSpec(name="web", argv=argv, is_ready=http_answers(url)))
    assert not http_answers(url + "missing")()
    assert http_answers(url + "missing", status=404)()


@pytest.fixture
def base() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="jng-test-"))
    folder.chmod(0o711)
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.postgres
def test_a_killed_postgres_is_started_again_and_stopped_last(
    base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    postgres = EmbeddedPostgres(base / "postgres")
    with Supervisor(base / "log") as supervisor:
        supervisor.start_postgres(postgres)
        supervisor.start(ChildSpec(name="one", argv=python(WAITS)))
        with psycopg.connect(postgres.url) as connection:
            connection.execute("CREATE TABLE note AS SELECT 7 AS id")
        first = postgres.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        with caplog.at_level(logging.INFO, logger="gateway.supervisor"):
            supervisor.run(until=by(30, lambda: postgres.pid not in {None, first}))
            with psycopg.connect(postgres.url) as connection:
                assert connection.execute("SELECT id FROM note").fetchone() == (7,)
            supervisor.stop()
        assert "PostgreSQL runs again" in caplog.text
        assert not postgres.is_alive


@pytest.mark.postgres
@pytest.mark.parametrize("how", ["ctrl-c", "kill -9"])
def test_however_the_supervisor_ends_nothing_of_it_stays(base: Path, how: str) -> None:
    source = f"""
import sys
from pathlib import Path
from gateway.embedded_postgres import EmbeddedPostgres
from gateway.supervisor import ChildSpec, Supervisor
base = Path({str(base)!r})
postgres = EmbeddedPostgres(base / "postgres")
with Supervisor(base / "log") as supervisor:
    supervisor.start_postgres(postgres)
    supervisor.start(ChildSpec(name="one", argv=(sys.executable, "-c", {WAITS!r})))
    print(postgres.pid, postgres.guard_pid, supervisor.pid_of("one"), flush=True)
    supervisor.run()
"""
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-c", source],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 3
        assert all(is_running(pid) for pid in pids)
        if how == "ctrl-c":
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(30) == 0
            assert not any(is_running(pid) for pid in pids)
        else:
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_ctrl_c_stops_the_children_in_order_and_not_all_at_once(tmp_path: Path) -> None:
    order = tmp_path / "order"
    slow = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(float(sys.argv[2]))\n"
        f"    open({str(order)!r}, 'a').write(sys.argv[1])\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"open({str(order)!r} + sys.argv[1], 'w').close()\n" + WAITS
    )
    source = f"""
import sys
from pathlib import Path
from gateway.supervisor import ChildSpec, Supervisor
order = {str(order)!r}
with Supervisor(Path({str(tmp_path / "log")!r})) as supervisor:
    for name, pause in (("a", "0"), ("b", "0.5")):
        supervisor.start(ChildSpec(name=name, argv=(sys.executable, "-c", {slow!r}, name, pause),
                                   is_ready=Path(order + name).exists))
    print("up", flush=True)
    supervisor.run()
"""
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-c", source],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
    assert order.read_text() == "ba"
