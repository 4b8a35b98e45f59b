"""A Valkey with a replica and three sentinels that fail over: the embedded server in five roles.

For tests and trials of what an operator runs on three machines. Servers and sentinels each have a password. The
sentinels think a server dead after a second; nothing is written to disk but what the sentinels remember.
"""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy import ready, valkey
from deploy.progress import stage
from deploy.state import State
from deploy.supervise import Child, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.valkey import Valkey

MASTER = "roadstead"
SERVERS = ("one", "two")
SENTINELS = ("first", "second", "third")
QUORUM = 2
TIMEOUT = 30.0
ONCE = Retry(NoBackoff(), 0)  # the client would try a dead server for seconds
CONFIG = """\
bind 127.0.0.1
port {port}
dir "{home}"
daemonize no
requirepass {password}
sentinel sentinel-pass {password}
sentinel monitor {master} 127.0.0.1 {primary} {quorum}
sentinel auth-pass {master} {server_password}
sentinel down-after-milliseconds {master} 1000
sentinel failover-timeout {master} 5000
"""


@dataclass
class Watched:
    """What runs: servers by name, one of them the primary, and the sentinels that watch them."""

    servers: dict[str, Valkey] = field(default_factory=dict)
    sentinels: dict[str, Valkey] = field(default_factory=dict)
    supervisors: dict[str, Supervisor] = field(default_factory=dict)  # by the server's or sentinel's name

    @property
    def env(self) -> dict[str, str]:
        """What the environment of a node says of it."""
        password = self.servers[SERVERS[0]].password
        urls = [f"sentinel://:{password}@127.0.0.1:{one.port}/0" for one in self.sentinels.values()]
        return {
            "BROKER_URL": ";".join(urls),
            "BROKER_SENTINEL_MASTER": MASTER,
            "BROKER_SENTINEL_PASSWORD": self.sentinels[SENTINELS[0]].password,
        }

    def primary(self) -> str | None:
        """Return the name of the server that most sentinels say is the primary; None while they disagree."""
        told = [self._told(sentinel) for sentinel in self.sentinels.values()]
        for name, server in self.servers.items():
            if told.count(server.port) >= QUORUM:
                return name
        return None

    def server(self, name: str) -> redis.Redis:
        return redis.Redis.from_url(self.servers[name].url(), retry=ONCE)

    def is_whole(self) -> bool:
        """Tell whether the replica follows and every sentinel sees it and the others: a failover can succeed."""
        try:
            for sentinel in self.sentinels.values():
                with _sentinel(sentinel) as asked:
                    told = asked.sentinel_master(MASTER)
                if (told["num-slaves"], told["num-other-sentinels"]) != (1, len(SENTINELS) - 1):
                    return False
            links = [self.server(name).info("replication").get("master_link_status") for name in SERVERS]
        except redis.RedisError:
            return False
        return "up" in links

    def kill(self, *names: str, number: int = signal.SIGKILL) -> None:
        """Kill servers or sentinels and keep them down."""
        for name in names:
            self.supervisors[name].hold(name, number)

    def start(self, *names: str) -> None:
        """Start again what is down; return when it answers."""
        for name in names:
            child = self.supervisors[name][name]
            child.starts = 0  # those before were asked for
            self.supervisors[name].release(name)
            ready.until({**self.servers, **self.sentinels}[name].is_ready, child, TIMEOUT)

    def _told(self, sentinel: Valkey) -> int | None:
        try:
            with _sentinel(sentinel) as asked:
                return int(asked.sentinel_get_master_addr_by_name(MASTER)[1])
        except redis.RedisError:
            return None


@contextmanager
def watched(state: State) -> Iterator[Watched]:
    """Run them all for the length of the block, made anew.

    :raises StartError: one of them does not start.
    """
    found = Watched()
    with ExitStack() as stack:
        with stage("Valkey, a replica, three sentinels"):
            for name in SERVERS:
                found.servers[name] = _server(state, name, found)
                _supervise(found, name, found.servers[name], stack)
            for name in SENTINELS:
                found.sentinels[name] = _watcher(state, name, found)
                _supervise(found, name, found.sentinels[name], stack, "--sentinel")
        yield found


def _server(state: State, name: str, found: Watched) -> Valkey:
    own = State(state.path / f"valkey-{name}")
    if found.servers:
        own.keep("secret valkey", found.servers[SERVERS[0]].password)
    server = valkey.prepare(own)
    lines = [f"masterauth {server.password}"]
    if found.servers:
        lines.append(f"replicaof 127.0.0.1 {found.servers[SERVERS[0]].port}")
    with server.config.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)
    return server


def _watcher(state: State, name: str, found: Watched) -> Valkey:
    own = State(state.path / f"sentinel-{name}")
    if SENTINELS[0] in found.sentinels:
        own.keep("secret valkey", found.sentinels[SENTINELS[0]].password)
    sentinel, primary = valkey.prepare(own), found.servers[SERVERS[0]]
    text = CONFIG.format(
        port=sentinel.port,
        home=own.directory("valkey"),
        password=sentinel.password,
        master=MASTER,
        primary=primary.port,
        quorum=QUORUM,
        server_password=primary.password,
    )
    own.write("valkey/valkey.conf", text)
    return sentinel


def _supervise(found: Watched, name: str, server: Valkey, stack: ExitStack, *options: str) -> None:
    child = Child(name, [str(server.program), str(server.config), *options], log=server.log)
    found.supervisors[name] = stack.enter_context(Supervisor([child]))
    ready.until(server.is_ready, child, TIMEOUT)


def _sentinel(sentinel: Valkey) -> redis.Redis:
    return redis.Redis(port=sentinel.port, password=sentinel.password, retry=ONCE, socket_timeout=1)
