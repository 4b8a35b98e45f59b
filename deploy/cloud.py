"""A cloud of our own: the embedded Keystone, with projects, users and services in it, and the embedded Heat behind it.

Who is there, all in the domain Default, each with a made-up password:

    admin      admin of the projects admin and demo, and of the system
    manager    manager of demo          demo      member of demo and of alt
    reader     reader of demo           stranger  member of alt
    nobody     no role anywhere
    roadstead  we: service and member of the project service
    heat       Heat: service and admin of the project service
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from clouds.keystone import Keystone
from deploy import heat, keystone, ready
from deploy.access import password
from deploy.supervise import Child, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deploy.state import State

TIMEOUT = 60.0
SERVICE = "roadstead"  # our own user
SERVICES = "service"  # the project of services' users
PROJECTS = ("demo", "alt", SERVICES)
PEOPLE: Mapping[str, tuple[tuple[str, str], ...]] = {  # user: roles and where
    "admin": (("admin", "admin"), ("admin", "demo")),
    "manager": (("manager", "demo"),),
    "demo": (("member", "demo"), ("member", "alt")),
    "reader": (("reader", "demo"),),
    "stranger": (("member", "alt"),),
    "nobody": (),
    SERVICE: (("service", SERVICES), ("member", SERVICES)),
    heat.USER: (("service", SERVICES), ("admin", SERVICES)),
}


@dataclass(frozen=True)
class Cloud:
    """What runs, and how to log in there."""

    state: State
    port: int  # of Keystone
    supervisors: Mapping[str, Supervisor]  # of "keystone" and "heat": hold(name) kills it and keeps it down

    @property
    def auth_url(self) -> str:
        return keystone.auth_url(self.port)

    def login(self, user: str, project: str | None = "demo") -> dict[str, str]:
        """Return the `OS_*` variables of a user in a project, in the system without one."""
        return dict(keystone.login(self.auth_url, user, password(self.state, user), project))

    def service_login(self) -> dict[str, str]:
        """Return the `OS_*` variables of our own user, as an operator gives them to a node."""
        return self.login(SERVICE, SERVICES)

    def is_ready(self) -> bool:
        """Tell whether Keystone answers."""
        return keystone.is_ready(self.port)

    def keystone(self) -> Keystone:
        """Return Keystone's client, logged in as its first admin."""
        return Keystone(self.login(keystone.ADMIN, keystone.ADMIN))


@contextmanager
def cloud(state: State, database_url: Callable[[str], str], *, with_heat: bool = True) -> Iterator[Cloud]:
    """Run it for the length of the block, on the databases of these URLs: "keystone" and "heat", which exist.

    :raises StartError: one of them does not start.
    """
    port = state.port("keystone")
    with ExitStack() as stack:
        first = keystone.child(state, database_url("keystone"), port)
        supervisors = {"keystone": stack.enter_context(Supervisor([first]))}
        ours = Cloud(state, port, supervisors)
        if with_heat:  # it asks nothing of Keystone before somebody asks something of it
            heat_port = state.port("heat")
            second = heat_child(state, database_url("heat"), heat_port, ours.auth_url)
            supervisors["heat"] = stack.enter_context(Supervisor([second]))
        ready.until(partial(keystone.is_ready, port), first, TIMEOUT)
        populate(ours.keystone(), partial(password, state))
        if with_heat:
            offer(ours.keystone(), "orchestration", "heat", f"http://127.0.0.1:{heat_port}/v1/$(project_id)s")
            ready.until(partial(heat.is_ready, heat_port), second, TIMEOUT)
        yield ours


def heat_child(state: State, database_url: str, port: int, auth_url: str) -> Child:
    """Return the Heat to start that stands behind this Keystone."""
    behind = heat.Behind(auth_url, password(state, heat.USER), password(state, heat.DOMAIN_ADMIN))
    argv, extra = heat.command(state.path, database_url, port, behind=behind)
    return Child("heat", argv, extra, log=state.log("heat"))


def populate(there: Keystone, secret: Callable[[str], str]) -> None:
    """Make sure that all projects, users and roles are there, with these passwords."""
    default = {"domain_id": "default"}
    projects = {
        name: there.ensure("projects", {"name": name, **default})["id"]
        for name in (keystone.ADMIN, *PROJECTS)
    }
    for user, roles in PEOPLE.items():
        found = there.ensure("users", {"name": user, **default}, password=secret(user))["id"]
        for role, project in roles:
            there.grant(role, found, f"projects/{projects[project]}")
    domain = there.ensure("domains", {"name": heat.DOMAIN})["id"]
    keeper = there.ensure(
        "users", {"name": heat.DOMAIN_ADMIN, "domain_id": domain}, password=secret(heat.DOMAIN_ADMIN)
    )
    there.grant("admin", keeper["id"], f"domains/{domain}")


def offer(there: Keystone, kind: str, name: str, url: str) -> None:
    """Make sure that the catalog has this service at this URL, and nowhere else."""
    service = there.ensure("services", {"type": kind, "name": name})
    for interface in ("public", "internal", "admin"):
        where = {"service_id": service["id"], "interface": interface, "region_id": keystone.REGION}
        endpoint = there.ensure("endpoints", where, url=url)
        if endpoint.get("url") != url:
            there.change("endpoints", endpoint["id"], url=url)
