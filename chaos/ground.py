"""The ground of a run: servers, links, a Heat that can be spoilt, storage, and nodes as real processes.

Nodes reach PostgreSQL, the broker and Heat through links only; the harness itself goes past the links. Heat has a
PostgreSQL of its own, so that what befalls ours does not befall Heat: one that loses its database leaves stacks in
progress for ever.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

from chaos import tamper
from chaos.heat_proxy import HeatProxy
from chaos.links import Switchboard
from chaos.nodes import LAYOUT, Node
from chaos.storage import Storage, storage
from deploy import access, rabbitmq, ready, valkey
from deploy.account import remove_home
from deploy.progress import stage
from deploy.servers import servers
from deploy.stack import manage
from deploy.state import ROOT, State
from deploy.supervise import Child, Supervisor

BROKERS = ("redis", "rabbitmq")
SERVERS = ("postgres", "broker", "heat")  # that a node has a link to
TOLD = {
    "API_PROCESSES": "1",
    "ROADSTEAD_RATE_PROJECT": "0",
    "WORKER_CONCURRENCY": "2",
    "ROADSTEAD_CLOUD_TIMEOUT": "3",
    "ROADSTEAD_CLOUD_QUIET": "6",
    "ROADSTEAD_POOL_REPORT": "5",
    "ROADSTEAD_COPY_SLICE": "1",
    "BAY_QUOTA": "1000",
    "VOLUME_QUOTA": "-1",
    "SNAPSHOT_QUOTA": "-1",
    "GIGABYTE_QUOTA": "-1",
}
TEMPLATE = "chaos_template"
START = 120.0  # seconds for a node to be up


@dataclass
class Ground:
    """What a run stands on. URLs and variables here lead past the links."""

    state: State
    broker: str  # redis or rabbitmq
    broker_url: str
    server: rabbitmq.Rabbit | valkey.Valkey  # the broker itself
    database_url: str
    heat_url: str
    env: dict[str, str]  # complete: for manage.py and for this process's own Django
    passwords: dict[str, str]  # of the users admin, demo and reader
    supervisors: dict[str, Supervisor]  # of postgres, broker and heat, each with one child of that name
    children: dict[str, Child]
    switchboard: Switchboard
    heat: HeatProxy
    storage: Storage
    nodes: dict[str, Node] = field(default_factory=dict)

    @property
    def urls(self) -> list[str]:
        """The APIs of all nodes that have one."""
        return [f"http://127.0.0.1:{node.port}" for node in self.nodes.values() if node.port is not None]

    def look(self) -> None:
        """Have Django set up in this process, past the links."""
        os.environ.update(self.env)
        for name in [name for name in os.environ if name.startswith("OS_") and name not in self.env]:
            del os.environ[name]
        import django  # noqa: PLC0415 - reads the environment

        django.setup()

    def manage(self, *arguments: str) -> None:
        """Run a command of manage.py past the links, its output in the log of that name.

        :raises StartError: it failed; with the end of its log.
        """
        manage(self.state, self.env, *arguments)

    def pids(self) -> dict[str, int]:
        """Return each pid by role: postgres, broker, heat, node1.supervisor, node1.api, node1.worker, ..."""
        found = {name: child.pid for name, child in self.children.items() if child.pid is not None}
        for node in self.nodes.values():
            found |= {f"{node.name}.{role}": pid for role, pid in node.pids().items()}
        return found

    @property
    def rabbit(self) -> rabbitmq.Rabbit | None:
        return self.server if isinstance(self.server, rabbitmq.Rabbit) else None

    def broker_is_up(self) -> bool:
        return self.server.is_ready()

    def is_up(self) -> bool:
        return all(node.is_up() for node in self.nodes.values())


@contextmanager
def ground(state: State, broker: str, told: Mapping[str, str] | None = None) -> Iterator[Ground]:
    """Run it all for the length of the block; every process is up when the block begins.

    :raises StartError: something does not start, or another run uses the state directory.
    """
    with ExitStack() as stack:
        stack.enter_context(state.lock("make chaos"))
        store = stack.enter_context(storage(state.directory("storage")))
        cloud = stack.enter_context(servers(_fresh(state.path / "cloud"), want={"heat"}, own={"heat"}))
        running = stack.enter_context(servers(state, want={"postgres"}, own={"postgres"}))
        endpoint, database_url = _known(cloud.env["OS_ENDPOINT"]), _known(running.env["DATABASE_URL"])
        server = rabbitmq.prepare(state) if broker == "rabbitmq" else valkey.prepare(state)
        broker_url = server.url()
        proxy = stack.enter_context(HeatProxy(endpoint))
        behind = {"postgres": database_url, "broker": broker_url, "heat": proxy.url}
        supervisors = {
            "postgres": running.supervisors["postgres"],
            "broker": _start_broker(server, stack),
            "heat": cloud.supervisors["heat"],
        }
        direct = {
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            "OS_AUTH_TYPE": "none",
            "OS_ENDPOINT": endpoint,
            "SECRET_KEY": state.secret("django", 32),
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "ROADSTEAD_ENV_FILE": os.devnull,
            "ROADSTEAD_BACKENDS": str(store.file),
            "LOG_LEVEL": "WARNING",
            **TOLD,
            **(told or {}),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        found = Ground(
            state=state,
            broker=broker,
            broker_url=broker_url,
            server=server,
            database_url=database_url,
            heat_url=endpoint,
            env=inherited | direct,
            passwords=access.passwords(state),
            supervisors=supervisors,
            children={name: supervisor.children[0] for name, supervisor in supervisors.items()},
            switchboard=Switchboard(state.path / "links.socket"),
            heat=proxy,
            storage=store,
        )
        with stage("Database schema, users"):
            _fresh_database(found)
        cloud.await_heat()
        ports = {name: {server: state.port(f"{name} to {server}") for server in SERVERS} for name in LAYOUT}
        _serve_links(found, ports, behind, stack)
        shutil.rmtree(state.directory("nodes"))  # an earlier run's logs
        library = tamper.built(state.directory("nodes"))
        for name in LAYOUT:
            to = {server: _through(behind[server], port) for server, port in ports[name].items()}
            found.nodes[name] = _node(found, name, to, library, stack)
        with stage("Nodes"):
            for node in found.nodes.values():
                ready.until(node.is_up, node.child, START)
        yield found


def _start_broker(server: rabbitmq.Rabbit | valkey.Valkey, stack: ExitStack) -> Supervisor:
    child = server.child()
    with stage(child.name):
        if isinstance(server, rabbitmq.Rabbit):
            server.erase()  # what an earlier run left
            mapper = server.epmd()
            stack.enter_context(Supervisor([mapper]))
            ready.until(server.has_epmd, mapper, START)
        supervisor = stack.enter_context(Supervisor([child]))
        ready.until(server.is_ready, child, START)
    return supervisor


def _fresh(path: Path) -> State:
    """Return the state of an earlier run without anything that was in it."""
    if path.exists():
        remove_home(State(path))
        shutil.rmtree(path)
    return State(path)


def _fresh_database(found: Ground) -> None:
    """Have a database with nothing but the schema and the users in it; both are kept as a template for the next run."""
    template = urlsplit(found.database_url)._replace(path=f"/{TEMPLATE}").geturl()
    connection = psycopg2.connect(urlsplit(found.database_url)._replace(path="/postgres").geturl())
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE])
            if not cursor.fetchone():
                cursor.execute(f"CREATE DATABASE {TEMPLATE}")
            env = found.env | access.seed_variables(found.state) | {"DATABASE_URL": template}
            manage(found.state, env, "migrate", "--no-input")
            manage(found.state, env, "seed")
            cursor.execute("DROP DATABASE roadstead WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE roadstead TEMPLATE {TEMPLATE}")
    finally:
        connection.close()


def _serve_links(
    found: Ground, ports: Mapping[str, Mapping[str, int]], behind: Mapping[str, str], stack: ExitStack
) -> None:
    links = {
        f"{node}>{server}": (port, urlsplit(behind[server]).port)
        for node, its in ports.items()
        for server, port in its.items()
    }
    control = str(found.state.path / "links.socket")
    file = found.state.write("links.json", json.dumps({"control": control, "links": links}))
    argv = [sys.executable, "-m", "chaos.links", str(file)]
    child = Child("links", argv, log=found.state.log("links"), cwd=ROOT)
    stack.enter_context(Supervisor([child]))
    ready.until(found.switchboard.is_ready, child, START)


def _node(found: Ground, name: str, to: Mapping[str, str], library: Path | None, stack: ExitStack) -> Node:
    port = found.state.port(name) if "api" in LAYOUT[name] else None
    home = found.state.directory("nodes")
    pid_file = home / f"{name}.pids"
    pid_file.unlink(missing_ok=True)
    options = ["--name", name, "--roles", LAYOUT[name], "--pid-file", str(pid_file), "--log-dir", str(home)]
    argv = [sys.executable, "manage.py", "runnode", *options, *(["--port", str(port)] if port else [])]
    told = home / f"{name}.told"
    env: dict[str, str | None] = {key: None for key in os.environ if key.startswith("OS_")}
    env |= found.env | {
        "DATABASE_URL": to["postgres"],
        "BROKER_URL": to["broker"],
        "OS_ENDPOINT": to["heat"],
        "LOG_LEVEL": "INFO",
        **(tamper.variables(library, told) if library else {}),
    }
    child = Child(name, argv, env, log=home / f"{name}.log", cwd=ROOT)
    supervisor = stack.enter_context(Supervisor([child], grace=40))
    return Node(name, port, child, supervisor, pid_file, told if library else None)


def _through(url: str, port: int) -> str:
    """Return the URL with a link's port in the place of its own."""
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}{at}127.0.0.1:{port}").geturl()


def _known(value: str | None) -> str:
    assert value is not None
    return value
