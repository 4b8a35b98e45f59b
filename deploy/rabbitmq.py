"""A private RabbitMQ: the programs of Debian's package, run on files, ports, a cookie and an epmd of our own.

One node, or a cluster of several on this machine. It listens on 127.0.0.1 alone, with a user, a virtual host and a
password that the state directory keeps; the package's own service, configuration and files are not touched. Erlang
nodes find each other through epmd, which has to run before the first of them and may outlive any of them: where there
is none, Erlang would start one that nobody stops.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import amqp

from deploy import rabbitmq_programs
from deploy.supervise import Child

if TYPE_CHECKING:
    from deploy.rabbitmq_programs import Programs
    from deploy.state import State

USER = VHOST = "roadstead"
CTL_TIMEOUT = 60.0
NAMES_REQUEST = 110  # of epmd's protocol: which nodes are there?
_prepared: dict[Path, Rabbit] = {}  # by home: whoever asks while it runs is told the ports that it has


@dataclass(frozen=True)
class Rabbit:
    """A prepared node: configured, not started."""

    name: str  # of its child and its log
    node: str  # Erlang's name for it
    home: Path
    port: int
    distribution_port: int
    epmd_port: int
    password: str
    log: Path
    programs: Programs

    def epmd(self) -> Child:
        """Return Erlang's port mapper, shared by the nodes of a cluster: to be run before the first of them."""
        argv = [str(self.programs.epmd), "-address", "127.0.0.1", "-port", str(self.epmd_port)]
        return Child("epmd", argv, self.programs.env, log=self.log)

    def child(self) -> Child:
        """Return what the supervisor runs: the Erlang machine itself, so that its pid is the server's."""
        return Child(self.name, [str(self.programs.server)], self._env(), log=self.log, cwd=self.home)

    def url(self) -> str:
        """Return the URL for BROKER_URL."""
        return f"amqp://{USER}:{self.password}@127.0.0.1:{self.port}/{VHOST}"

    @property
    def data(self) -> Path:
        """All that it keeps; a node that is down may have it removed."""
        return self.home / "data"

    def has_epmd(self) -> bool:
        """Tell whether epmd answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.epmd_port), timeout=2) as connection:
                connection.sendall(struct.pack("!HB", 1, NAMES_REQUEST))
                return connection.recv(4) == struct.pack("!I", self.epmd_port)
        except OSError:
            return False

    def is_ready(self) -> bool:
        """Tell whether it takes our log-in."""
        try:
            with self.connect():
                return True
        except (OSError, amqp.exceptions.AMQPError):
            return False

    def queues(self) -> list[str]:
        """Return the names of its queues."""
        return self.ctl("list_queues", "--no-table-headers", "-p", VHOST, "name").split()

    def waiting(self, queue: str) -> int:
        """Return how many messages wait in a queue; 0 if there is no such queue."""
        with self.connect() as connection:
            try:
                return int(connection.channel().queue_declare(queue, passive=True).message_count)
            except amqp.exceptions.NotFound:
                return 0

    def purge(self, *queues: str) -> int:
        """Remove the messages that wait in these queues, or in all; return how many there were."""
        total = 0
        for queue in queues or self.queues():
            with self.connect() as connection:
                try:
                    total += int(connection.channel().queue_purge(queue))
                except amqp.exceptions.NotFound:
                    continue
        return total

    def delete(self, *queues: str) -> None:
        """Delete these queues, or all, with whatever waits in them and whoever listens to them."""
        for queue in queues or self.queues():
            with self.connect() as connection:
                connection.channel().queue_delete(queue)

    def ctl(self, *arguments: str) -> str:
        """Return what rabbitmqctl prints; it takes a second to start.

        :raises RuntimeError: it failed; with what it said.
        """
        done = subprocess.run(
            [str(self.programs.ctl), "--quiet", "--node", self.node, *arguments],
            env=_environment(self._env()),
            capture_output=True,
            text=True,
            check=False,
            timeout=CTL_TIMEOUT,
        )
        if done.returncode != 0:
            raise RuntimeError(f"rabbitmqctl {arguments[0]} failed: {done.stderr.strip() or done.stdout}")
        return done.stdout

    def erase(self) -> None:
        """Remove all that a node which is down has kept. One of a cluster has to be forgotten by the others first."""
        shutil.rmtree(self.data, ignore_errors=True)

    def connect(self) -> Any:
        """Return a connection for a `with` block, which opens and closes it."""
        return amqp.Connection(
            f"127.0.0.1:{self.port}",
            userid=USER,
            password=self.password,
            virtual_host=VHOST,
            connect_timeout=2,
            read_timeout=5,
            write_timeout=5,
        )

    def _env(self) -> dict[str, str | None]:
        interface = "-kernel inet_dist_use_interface {127,0,0,1}"
        foreign = [name for name in os.environ if name.startswith(("RABBITMQ_", "ERL_"))]
        return {
            **dict.fromkeys(foreign),
            **self.programs.env,
            "HOME": str(self.home),  # where Erlang looks for its cookie
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.home / "none"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.home / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.data),
            "RABBITMQ_LOG_BASE": str(self.home),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(self.home / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": interface,
            "RABBITMQ_CTL_ERL_ARGS": interface,
            "RUNNING_UNDER_SYSTEMD": "true",  # the start script becomes the server and leaves signals to it
        }


def prepare(state: State) -> Rabbit:
    """Make one node ready to start: install the programs where they are missing, write its configuration.

    :raises StartError: the programs cannot be had here; the message says what to install.
    """
    return _prepare(state, "rabbitmq")


def cluster(state: State, size: int = 3) -> list[Rabbit]:
    """Make the nodes of a cluster ready: the first has to be up before the others start, and join it by themselves.

    :raises StartError: as for `prepare`.
    """
    names = [f"rabbitmq{number}" for number in range(1, size + 1)]
    return [_prepare(state, name, names[0]) for name in names]


def urls(nodes: list[Rabbit]) -> str:
    """Return the URL for BROKER_URL that names all nodes of a cluster."""
    return ";".join(node.url() for node in nodes)


def _prepare(state: State, name: str, first: str | None = None) -> Rabbit:
    home = state.directory("rabbitmq") / name
    if home in _prepared and _prepared[home].has_epmd():
        return _prepared[home]
    home.mkdir(mode=0o700, exist_ok=True)
    group = "rabbitmq cluster" if first else name
    rabbit = Rabbit(
        name=name,
        node=f"{name}@localhost",
        home=home,
        port=state.port(name),
        distribution_port=state.port(f"{name} distribution"),
        epmd_port=state.port(f"{group} epmd"),
        password=state.secret("rabbitmq"),
        log=state.log(name),
        programs=rabbitmq_programs.programs(state),
    )
    place = f"rabbitmq/{name}"
    state.write(f"{place}/.erlang.cookie", state.secret("rabbitmq cookie")).chmod(0o400)
    state.write(f"{place}/plugins", "[].\n")
    state.write(f"{place}/rabbitmq.conf", _configuration(rabbit, first))
    _prepared[home] = rabbit
    return rabbit


def _configuration(rabbit: Rabbit, first: str | None) -> str:
    settings = {
        "listeners.tcp.1": f"127.0.0.1:{rabbit.port}",
        "default_vhost": VHOST,
        "default_user": USER,
        "default_pass": rabbit.password,
        "default_user_tags.administrator": "true",
        "log.console": "true",
        "log.console.level": "warning",
        "vm_memory_high_watermark.absolute": "512MB",
    }
    if first is not None:
        # Two of three go on, the third waits: a bell must never be accepted by a part that is then thrown away.
        settings["cluster_partition_handling"] = "pause_minority"
        if rabbit.name != first:
            settings["cluster_formation.peer_discovery_backend"] = "classic_config"
            settings["cluster_formation.classic_config.nodes.1"] = f"{first}@localhost"
            settings["cluster_formation.classic_config.nodes.2"] = rabbit.node
    return "".join(f"{key} = {value}\n" for key, value in settings.items())


def _environment(changes: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in {**os.environ, **changes}.items() if value is not None}
