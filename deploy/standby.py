"""Two embedded PostgreSQL servers, a primary and its streaming standby: fail over, lose nothing, take the old one back.

For tests and trials of what a failover manager does in production. With synchronous replication each commit is on
the standby's disk before it is answered. After a failover the old primary stays down until `take_back` has rewound
it: one that came back by itself would still believe that it is the primary.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg2

from deploy import account, postgres, ready
from deploy.progress import stage
from deploy.state import StartError, State
from deploy.supervise import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deploy.postgres import Postgres

TIMEOUT = 60.0
PAUSE = 0.02
NAMES = ("one", "two")
# A standby that lost its primary looks for it again after five seconds by default: so long no commit is answered.
# A rewind needs the log since before the failover.
SETTINGS = "\nwal_retrieve_retry_interval = 200ms\nwal_keep_size = 256MB\n"


@dataclass
class Pair:
    """Both servers; which of them is the primary changes."""

    servers: dict[str, Postgres] = field(default_factory=dict)
    supervisors: dict[str, Supervisor] = field(default_factory=dict)
    primary: str = NAMES[0]

    @property
    def standby(self) -> str:
        return next(name for name in NAMES if name != self.primary)

    def url(self, database: str) -> str:
        """Return the URL that names both servers and means whichever takes writes."""
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers.values())
        login = f"{postgres.ROLE}:{self.servers[self.primary].password}"
        return f"postgresql://{login}@{hosts}/{database}?target_session_attrs=read-write"

    def ask(self, name: str, statement: str, *values: object, database: str = "postgres") -> Any:
        """Return the first value that a server answers to a statement, which commits by itself."""
        with closing(psycopg2.connect(self.servers[name].url(database), connect_timeout=10)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def synchronous(self, *, on: bool) -> None:
        """Have commits wait for the standby, or not; return when that is so."""
        self.ask(self.primary, f"ALTER SYSTEM SET synchronous_standby_names = '{'*' if on else ''}'")
        self.ask(self.primary, "SELECT pg_reload_conf()")
        wanted = "sync" if on else "async"
        _until(lambda: self.ask(self.primary, "SELECT sync_state FROM pg_stat_replication") == wanted)

    def kill(self, name: str, number: int = signal.SIGQUIT) -> None:
        """Stop a server at once (SIGQUIT is PostgreSQL's immediate stop) and keep it down."""
        self.supervisors[name].hold(name, number)

    def start(self, name: str) -> None:
        """Start a server that is down, as what it was; return when it takes connections."""
        self.supervisors[name][name].starts = 0  # those before were asked for
        self.supervisors[name].release(name)
        ready.until(self.servers[name].is_ready, self.supervisors[name][name], TIMEOUT)

    def promote(self) -> None:
        """Make the standby the primary. Its commits wait for nobody until `synchronous` says so.

        :raises StartError: the primary still runs, so that there would be two; or the standby does not follow.
        """
        if self.supervisors[self.primary].pids():
            raise StartError(f"PostgreSQL {self.primary} still runs: stop it first.")
        if not self.ask(self.standby, f"SELECT pg_promote(true, {TIMEOUT:.0f})"):
            raise StartError(f"PostgreSQL {self.standby} could not be promoted.")
        self.primary = self.standby

    def take_back(self) -> None:
        """Rewind the old primary, which is down, to what the new one has, and start it as the standby."""
        old, new = self.servers[self.standby], self.servers[self.primary]
        self.ask(self.primary, "CHECKPOINT")  # the rewind reads in the control file that a new timeline began
        _run(
            old, "pg_rewind", "-D", str(old.data), "--write-recovery-conf", f"--source-server={_source(new)}"
        )
        self.start(self.standby)
        self._await_stream()

    def _await_stream(self) -> None:
        query = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        _until(lambda: self.ask(self.primary, query))


@contextmanager
def pair(state: State) -> Iterator[Pair]:
    """Run a primary and its synchronous standby, both made anew, for the length of the block.

    :raises StartError: one of them does not start.
    """
    found = Pair()
    with ExitStack() as stack:
        with stage(f"PostgreSQL {postgres.MAJOR}, primary and standby"):
            primary, standby = (_anew(state, name) for name in NAMES)
            one = found.servers[NAMES[0]] = postgres.prepare(primary)
            with (one.data / "postgresql.conf").open("a") as file:
                file.write(SETTINGS)
            _supervise(found, NAMES[0], one, stack)
            standby.keep("secret postgres", one.password)
            _copy(one, account.home(standby) / "data")
            _supervise(found, NAMES[1], postgres.prepare(standby), stack)
            found._await_stream()  # noqa: SLF001 - our own
            found.synchronous(on=True)
        yield found


def _anew(state: State, name: str) -> State:
    """Return an empty directory of state for one server."""
    path = state.path / f"postgres-{name}"
    if path.exists():
        account.remove_home(State(path))
        shutil.rmtree(path)
    return State(path)


def _copy(primary: Postgres, data: Path) -> None:
    """Make the standby's data directory from the running primary's."""
    data.mkdir(mode=0o700)
    if primary.user:
        os.chown(data, *primary.user)
    options = ["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync"]
    _run(primary, "pg_basebackup", "-d", _source(primary), "-D", str(data), *options)


def _source(server: Postgres) -> str:
    return f"host=127.0.0.1 port={server.port} user={postgres.ROLE} dbname=postgres"


def _run(server: Postgres, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs as the server's user, the password in its environment alone.

    :raises StartError: it failed; with what it said.
    """
    options: dict[str, Any] = {}
    if server.user:
        options = {"user": server.user[0], "group": server.user[1], "extra_groups": []}
    done = subprocess.run(
        [str(server.programs / program), *arguments],
        env={**os.environ, "PGPASSWORD": server.password},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        **options,
    )
    if done.returncode != 0:
        raise StartError(f"{program} failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")


def _supervise(found: Pair, name: str, server: Postgres, stack: ExitStack) -> None:
    child = server.child()
    child.name = name
    found.servers[name] = server
    found.supervisors[name] = stack.enter_context(Supervisor([child]))
    ready.until(server.is_ready, child, TIMEOUT)


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise StartError("The two PostgreSQL servers do not come together; see their logs.")
        time.sleep(PAUSE)
