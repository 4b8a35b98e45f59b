"""The ground of the fault tests: a broker and a Heat of their own, each started once a run, that tests may kill.

Heat stands behind a proxy that counts, spoils and holds calls; nodes know only the proxy. Who needs no Heat has none.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache

import redis

from bays.stacks import OWNER_TAG
from clouds.heat import Heat, connect
from deploy.servers import Servers, servers
from deploy.state import State
from project.env import BASE_DIR
from tests.heat_proxy import Fault, HeatProxy


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

    def _note(self, method: str, kind: str) -> Fault | None:
        fault = super()._note(method, kind)
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
    def broker(self) -> redis.Redis:
        return redis.Redis.from_url(self.broker_url)

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


@cache
def ground() -> Ground:
    """Return the broker, started at the first call and stopped when the process ends."""
    stack, state = _lasting()
    running = stack.enter_context(servers(state, want={"valkey"}, own={"valkey"}))
    broker = running.env["BROKER_URL"]
    assert broker is not None
    found = Ground(state, running, broker)
    found.broker.flushall()
    return found


@cache
def heat_ground() -> HeatGround:
    """Return the broker and a Heat, likewise."""
    stack, state = _lasting()
    below = ground()
    running = stack.enter_context(servers(state, want={"heat"}, own={"heat"}))
    running.await_heat()
    endpoint = running.env["OS_ENDPOINT"]
    assert endpoint is not None
    supervisors = {**below.servers.supervisors, **running.supervisors}
    both = Servers(below.servers.env | running.env, supervisors)
    proxy = stack.enter_context(HoldingProxy(endpoint))
    cloud = {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": endpoint}
    found = HeatGround(state, both, below.broker_url, proxy, cloud)
    for left in found.heat.tagged(OWNER_TAG):  # by a run that failed
        found.heat.delete(left.id)
    return found
