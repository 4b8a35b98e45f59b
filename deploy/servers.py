"""The servers that a node needs and the environment does not name: started, supervised, stopped again.

The embedded Heat keeps its rows in the embedded PostgreSQL.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from deploy import heat, postgres, rabbitmq, ready, valkey
from deploy.named import BROKERS, EVERYTHING, unnamed
from deploy.progress import stage
from deploy.state import StartError
from deploy.supervise import Child, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deploy.cloud import Cloud
    from deploy.rabbitmq import Rabbit
    from deploy.state import State

TIMEOUT = 60.0


@dataclass
class Servers:
    """What runs, and the variables that tell a node of it (None: a variable to remove)."""

    env: dict[str, str | None] = field(default_factory=dict)
    supervisors: dict[str, Supervisor] = field(default_factory=dict)  # by the server's name
    rabbits: list[Rabbit] = field(default_factory=list)
    cloud: Cloud | None = None  # the Keystone and its people, where one was started
    await_heat: Callable[[], None] = lambda: None  # Heat needs seconds: call this before the first use of it

    def pids(self) -> dict[str, int]:
        """Return the pid of each server that runs, by name."""
        return {
            name: pid for supervisor in self.supervisors.values() for name, pid in supervisor.pids().items()
        }


@contextmanager
def servers(
    state: State, want: Iterable[str] = EVERYTHING, own: Iterable[str] = (), identity: str = "own"
) -> Iterator[Servers]:
    """Run those of the wanted servers that the environment does not name, for the length of the block.

    Those in `own` are started even so: tests that kill a server want one of their own. Where `identity` is keystone,
    one is started before the Heat, which stands behind it.

    :raises StartError: one of them does not start.
    """
    missing = set(want) & _missing(set(own))
    if identity == "keystone" and "heat" not in missing:
        raise StartError(
            "The environment names a cloud (OS_AUTH_URL, OS_CLOUD or OS_ENDPOINT): take that out to have a Keystone\n"
            "started, or run nodes before the Keystone that it names: docs/operations.md says how."
        )
    running = Servers()
    with ExitStack() as stack:
        # One supervisor each, stopped in reverse: Heat goes before the database it writes to.
        database = _start_postgres(state, running, stack) if missing & {"postgres", "heat"} else None
        if database and "postgres" in missing:
            running.env["DATABASE_URL"] = database.url("roadstead")
        if broker := missing & STARTERS.keys():
            running.env["BROKER_URL"] = STARTERS[broker.pop()](state, running, stack)
        if database and identity == "keystone":
            _start_cloud(state, database, running, stack)
        elif database and "heat" in missing:
            _start_heat(state, database.url("heat"), running, stack)
        yield running


def _missing(own: set[str]) -> set[str]:
    brokers = set(BROKERS.values())
    return (unnamed() - brokers if own & brokers else unnamed()) | own


def _start_postgres(state: State, running: Servers, stack: ExitStack) -> postgres.Postgres:
    with stage(f"PostgreSQL {postgres.MAJOR}"):
        database = postgres.prepare(state)
        ready.until(database.is_ready, _supervise(database.child(), running, stack), TIMEOUT)
        database.create("roadstead", "heat")
    return database


def _start_valkey(state: State, running: Servers, stack: ExitStack) -> str:
    broker = valkey.prepare(state)
    with stage("Valkey"):
        ready.until(broker.is_ready, _supervise(broker.child(), running, stack), TIMEOUT)
    return broker.url()


def _start_rabbitmq(state: State, running: Servers, stack: ExitStack) -> str:
    broker = rabbitmq.prepare(state)
    running.rabbits.append(broker)
    with stage("RabbitMQ"):
        ready.until(broker.has_epmd, _supervise(broker.epmd(), running, stack), TIMEOUT)
        ready.until(broker.is_ready, _supervise(broker.child(), running, stack), TIMEOUT)
    return broker.url()


def _start_cluster(state: State, running: Servers, stack: ExitStack) -> str:
    """Start the first node before the others when they are to join it, and all at once when they know each other."""
    nodes = rabbitmq.cluster(state)
    running.rabbits.extend(nodes)
    fresh = not nodes[0].data.exists()
    with stage(f"RabbitMQ, a cluster of {len(nodes)}"):
        ready.until(nodes[0].has_epmd, _supervise(nodes[0].epmd(), running, stack), TIMEOUT)
        children = []
        for node in nodes:
            children.append(_supervise(node.child(), running, stack))
            if fresh:
                ready.until(node.is_ready, children[-1], TIMEOUT)
        for node, child in zip(nodes, children, strict=True):
            ready.until(node.is_ready, child, TIMEOUT)
    return rabbitmq.urls(nodes)


def _start_heat(state: State, database_url: str, running: Servers, stack: ExitStack) -> None:
    port = state.port("heat")
    argv, extra = heat.command(state.path, database_url, port)
    child = _supervise(Child("heat", argv, extra, log=state.log("heat")), running, stack)
    running.env.update({name: None for name in os.environ if name.startswith("OS_")})
    running.env.update({"OS_AUTH_TYPE": "none", "OS_ENDPOINT": heat.endpoint(port)})

    def await_heat() -> None:
        with stage("Heat 27"):
            ready.until(partial(heat.is_ready, port), child, TIMEOUT)
        running.await_heat = lambda: None

    running.await_heat = await_heat


def _start_cloud(state: State, database: postgres.Postgres, running: Servers, stack: ExitStack) -> None:
    from deploy.cloud import cloud  # noqa: PLC0415 - half a second that only those wait who want it

    database.create("keystone")
    with stage("Keystone 30, Heat 27"):
        running.cloud = stack.enter_context(cloud(state, database.url))
    running.supervisors.update(running.cloud.supervisors)
    running.env.update({name: None for name in os.environ if name.startswith("OS_")})
    running.env.update(running.cloud.service_login())


def _supervise(child: Child, running: Servers, stack: ExitStack) -> Child:
    running.supervisors[child.name] = stack.enter_context(Supervisor([child]))
    return child


STARTERS: dict[str, Callable[[State, Servers, ExitStack], str]] = {
    "valkey": _start_valkey,
    "rabbitmq": _start_rabbitmq,
    "rabbitmq-cluster": _start_cluster,
}  # each returns the BROKER_URL
