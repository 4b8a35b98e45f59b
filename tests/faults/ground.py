"""The ground of the fault tests: brokers and a Heat of their own, each started once a run, that tests may kill.

Heat stands behind a proxy that counts, spoils and holds calls; nodes know only the proxy. Who needs no Heat has none.
"""

from __future__ import annotations

import atexit
import signal
import threading
import unittest
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache

from django.test import override_settings

from bays.stacks import OWNER_TAG
from chaos.heat_proxy import Fault, HeatProxy
from clouds.heat import Heat, connect
from deploy.named import BROKERS
from deploy.servers import Servers, servers
from deploy.state import StartError, State
from project.env import BASE_DIR
from tests.faults.brokers import Broker, RabbitMQ, Valkey
from workers.queues import NODE, arguments


@dataclass
class Hold:
    """Calls of one kind, held before they have any effect."""

    method: str
    kind: str
    held: int = 0  # how many calls were ever held
    opened: threading.Event = field(default_factory=threading.Event)


@dataclass
class HoldingProxy(HeatProxy):
    """Also holds calls on their way to Heat. One whose client has died is sent all the same, late."""

    holds: list[Hold] = field(default_factory=list)

    @contextmanager
    def hold(self, method: str, kind: str) -> Iterator[Hold]:
        """Hold such calls until the block ends or the hold is opened."""
        hold = Hold(method, kind)
        self.holds.append(hold)
        try:
            yield hold
        finally:
            hold.opened.set()
            self.holds.remove(hold)

    def note(self, method: str, kind: str) -> Fault | None:
        fault = super().note(method, kind)
        for hold in list(self.holds):
            if (hold.method, hold.kind) == (method, kind):
                hold.held += 1
                hold.opened.wait()
        return fault


@dataclass(frozen=True)
class Ground:
    """The broker. Nodes look for a Heat where nothing listens."""

    state: State
    servers: Servers
    broker_url: str

    @property
    def broker(self) -> Broker:
        rabbits = self.servers.rabbits
        return RabbitMQ(rabbits) if rabbits else Valkey(self.broker_url, ["valkey"])

    @property
    def told(self) -> dict[str, str]:
        """What the environment of a node says of this ground."""
        return {
            "BROKER_URL": self.broker_url,
            "OS_AUTH_TYPE": "none",
            "OS_ENDPOINT": "http://127.0.0.1:9/v1/nowhere",
        }

    def kill(self, server: str) -> None:
        """Kill -9 the server and keep it down."""
        self.servers.supervisors[server].hold(server)

    def restart(self, server: str) -> None:
        """Start a killed server again; it may take seconds to answer."""
        self.servers.supervisors[server].release(server)


@dataclass(frozen=True)
class HeatGround(Ground):
    """The broker, and Heat behind its proxy."""

    proxy: HoldingProxy
    cloud: dict[str, str]  # the way to Heat itself, past the proxy

    @property
    def heat(self) -> Heat:
        return connect(self.cloud, timeout=30)

    @property
    def told(self) -> dict[str, str]:
        return {**super().told, "OS_ENDPOINT": self.proxy.url}


@cache
def _lasting() -> tuple[ExitStack, State]:
    """Return what ends with this process, and the directory of state that it has for itself."""
    stack = ExitStack()
    atexit.register(stack.close)
    state = State(BASE_DIR / ".state" / "faults")
    stack.enter_context(state.lock("the fault tests"))
    return stack, state


def ground(kind: str = "redis") -> Ground:
    """Return a broker of that kind, started at the first call and stopped when the process ends.

    :raises SkipTest: this machine has none, nor a way to one.
    """
    return _ground(kind)


@cache
def _ground(kind: str) -> Ground:
    stack, state = _lasting()
    want = {BROKERS[kind]}
    try:
        running = stack.enter_context(servers(state, want=want, own=want))
    except StartError as error:
        raise unittest.SkipTest(str(error)) from error
    broker_url = running.env["BROKER_URL"]
    assert broker_url is not None
    for rabbit in running.rabbits[:1]:
        rabbit.delete()  # what a run of another version has declared
    if kind == "rabbitmq":
        _age_queues(running)
    found = Ground(state, running, broker_url)
    found.broker.forget()
    return found


def _age_queues(running: Servers) -> None:
    """Have what nodes listen to be declared and safely on disk: RabbitMQ may lose a queue killed while young."""
    (rabbit,) = running.rabbits
    with override_settings(BROKER_KIND="rabbitmq"), rabbit.connect() as link:
        for name in ("bells", "ticks", f"{NODE}node1", f"{NODE}node2"):
            told = arguments(name)
            link.channel().queue_declare(name, durable=True, auto_delete=False, arguments=told)
    supervisor = running.supervisors[rabbit.name]
    supervisor.hold(rabbit.name, signal.SIGTERM)
    supervisor.release(rabbit.name)
    RabbitMQ([rabbit]).await_up()


@cache
def _heat() -> tuple[Servers, HoldingProxy, dict[str, str]]:
    stack, state = _lasting()
    running = stack.enter_context(servers(state, want={"heat"}, own={"heat"}))
    running.await_heat()
    endpoint = running.env["OS_ENDPOINT"]
    assert endpoint is not None
    proxy = stack.enter_context(HoldingProxy(endpoint))
    return running, proxy, {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": endpoint}


def heat_ground(kind: str = "redis") -> HeatGround:
    """Return a broker of that kind and a Heat, likewise."""
    return _heat_ground(kind)


@cache
def _heat_ground(kind: str) -> HeatGround:
    below, (running, proxy, cloud) = ground(kind), _heat()
    supervisors = {**below.servers.supervisors, **running.supervisors}
    both = Servers(below.servers.env | running.env, supervisors, below.servers.rabbits)
    found = HeatGround(below.state, both, below.broker_url, proxy, cloud)
    for left in found.heat.tagged(OWNER_TAG):  # by a run that failed
        found.heat.delete(left.id)
    return found
