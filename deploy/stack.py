"""A whole Roadstead on this machine: servers and nodes, for `make up`, the demo and tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from deploy import access, ready, storage
from deploy.progress import stage, tail
from deploy.servers import Servers, servers
from deploy.state import DEFAULT, ROOT, StartError, State, is_free
from deploy.supervise import Child, Supervisor, tethered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

FIRST_PORT = 8000
NODE_TIMEOUT = 60.0
NODE_GRACE = 75.0  # more than a node's own grace, which is the longest step that its worker may be taking
PASSED_ON = ("DATABASE_URL", "BROKER_URL", "PUBLIC_URL", "ALLOWED_HOSTS")


@dataclass(frozen=True)
class Stack:
    """What runs: where it answers, what it was told, and who is who."""

    state: State
    urls: list[str]  # of each node's API; the first is the public one unless PUBLIC_URL names another
    env: dict[str, str]  # complete: for subprocesses that speak to this stack (manage.py, clients)
    passwords: dict[str, str]  # of the users admin, demo and reader
    servers: Servers
    nodes: (
        Supervisor  # its children are node1, node2, ...; hold("node1") kills a whole node and keeps it down
    )

    def pids(self) -> dict[str, int]:
        """Return each pid by role: postgres, valkey, heat, node1.supervisor, node1.api, node1.worker, ..."""
        found = self.servers.pids()
        for name, pid in self.nodes.pids().items():
            found[f"{name}.supervisor"] = pid
            for role, child_pid in _read_pids(_pid_file(self.state, name)).items():
                found[f"{name}.{role}"] = child_pid
        return found

    def manage(self, *arguments: str) -> None:
        """Run a command of manage.py in this stack's environment, its output in the log of that name.

        :raises StartError: it failed; with the end of its log.
        """
        manage(self.state, self.env, *arguments)


@contextmanager
def stack(
    nodes: int = 1,
    *,
    state_dir: Path = DEFAULT,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    own: Iterable[str] = (),
    identity: str = "own",
    purpose: str = "make up",
) -> Iterator[Stack]:
    """Run servers and nodes for the length of the block; every API answers when the block begins.

    `env` is told to the nodes on top of all else; servers in `own` are started even if the environment names
    them. Where `identity` is keystone, users and projects are those of a real Keystone that is started too.

    :raises StartError: something does not start, or another process uses the state directory.
    """
    state = State(state_dir)
    with state.lock(purpose), servers(state, own=own, identity=identity) as running:
        ports = _ports(state, nodes, port)
        variables = _variables(state, running, ports[0]) | {"ROADSTEAD_IDENTITY": identity} | dict(env or {})
        access.write_env(state, variables)
        ours = f"{variables['PUBLIC_URL']}/identity/v3"
        access.write_logins(state, running.cloud.auth_url if running.cloud else ours)
        told = variables | {"ROADSTEAD_ENV_FILE": str(state.path / "env")}
        removed = {name for name, value in running.env.items() if value is None}
        complete = {key: value for key, value in os.environ.items() if key not in removed} | told
        with stage("Database schema"):
            manage(state, complete, "migrate", "--no-input")
        with stage("Users, projects, schedule"):
            manage(state, complete | access.seed_variables(state), "seed")
        if running.cloud:
            with stage("Services in the catalog"):
                manage(state, complete | running.cloud.login("admin", "admin"), "register")
        running.await_heat()
        state.directory("run")
        children = [_node(state, f"node{n}", port, complete) for n, port in enumerate(ports, 1)]
        with Supervisor(children, grace=NODE_GRACE) as supervisor:
            for child, node_port in zip(children, ports, strict=True):
                with stage(f"{child.name}: API, worker, beat"):
                    ready.until(partial(ready.answers, node_port, "/healthz"), child, NODE_TIMEOUT)
            urls = [f"http://127.0.0.1:{node_port}" for node_port in ports]
            yield Stack(state, urls, complete, access.passwords(state), running, supervisor)


def manage(state: State, env: Mapping[str, str], *arguments: str) -> None:
    """Run a command of manage.py with this complete environment, its output in the log of that name.

    :raises StartError: it failed; with the end of its log.
    """
    log = state.log(arguments[0])
    command = tethered([sys.executable, str(ROOT / "manage.py"), *arguments])
    with log.open("ab") as output:
        done = subprocess.run(command, env=dict(env), stdout=output, stderr=output, cwd=ROOT, check=False)
    if done.returncode != 0:
        raise StartError(f"manage.py {arguments[0]} failed with status {done.returncode}.\n{tail(log)}")


def _variables(state: State, running: Servers, first_port: int) -> dict[str, str]:
    """Return what `.state/env` says: what was started, and what the environment names instead."""
    named = {key: value for key, value in os.environ.items() if key in PASSED_ON or key.startswith("OS_")}
    named = {key: value for key, value in named.items() if key not in running.env}
    started = {key: value for key, value in running.env.items() if value is not None}
    defaults = {
        "SECRET_KEY": os.environ.get("SECRET_KEY") or state.secret("django", 32),
        "ROADSTEAD_CERTIFICATE_KEYS": os.environ.get("ROADSTEAD_CERTIFICATE_KEYS")
        or state.secret("certificates", 32),
        "PUBLIC_URL": f"http://127.0.0.1:{first_port}",
        "API_DRAIN": os.environ.get("API_DRAIN", "0"),  # no load balancer stands before it
        "ROADSTEAD_BACKENDS": os.environ.get("ROADSTEAD_BACKENDS") or storage.backends_file(state),
    }
    return defaults | named | started


def _ports(state: State, nodes: int, first: int | None) -> list[int]:
    if first is not None:
        if not is_free(first):
            raise StartError(f"Port {first} is taken: choose another with PORT=.")
        state.keep("port node1", str(first))
    return [state.port(f"node{n}", prefer=FIRST_PORT if n == 1 else None) for n in range(1, nodes + 1)]


def _node(state: State, name: str, port: int, env: Mapping[str, str]) -> Child:
    argv = [sys.executable, str(ROOT / "manage.py"), "runnode", "--name", name, "--port", str(port)]
    told: dict[str, str | None] = {key: None for key in os.environ if key not in env}
    told |= {**env, "ROADSTEAD_PID_FILE": str(_pid_file(state, name))}
    return Child(name, argv, told, log=state.log(name), cwd=ROOT)


def _pid_file(state: State, name: str) -> Path:
    return state.path / "run" / f"{name}.json"


def _read_pids(path: Path) -> dict[str, int]:
    try:
        found: dict[str, int] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found
