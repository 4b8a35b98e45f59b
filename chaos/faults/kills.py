"""Kills: SIGKILL to the processes of nodes. Workers and their children are aimed at while they hold a row.

They are stopped for the milliseconds that it takes to see what they hold, so that what is measured was really lost.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable

from chaos.eyes import Watch
from chaos.faults.base import NODES, Kind, Nothing, Scene, parts, with_role
from chaos.nodes import Node
from chaos.processes import children_of, send, tree

AIM = 3.0  # seconds to wait for a row to be held
Victims = Callable[[Node, random.Random], list[int]]


class Kill:
    """Kills the victims that are found at the moment of the blow; who supervises them starts others."""

    def __init__(
        self, scene: Scene, target: str, rng: random.Random, victims: Victims, *, aimed: bool
    ) -> None:
        self._scene = scene
        self._node = scene.ground.nodes[target]
        self._rng = rng
        self._victims = victims
        self._aimed = aimed
        self.watch: Watch | None = None

    def strike(self) -> str:
        """Kill them."""
        eyes = self._scene.eyes
        worker = self._node.pids().get("worker")
        if self._aimed and worker is not None:
            eyes.aim(tree(worker), AIM)
        victims = self._victims(self._node, self._rng)
        if not victims:
            raise Nothing
        doomed = _with_children(victims) if self._aimed else victims
        send(doomed, signal.SIGSTOP)
        rows = eyes.held(doomed) if self._aimed else []
        if not eyes.may_strike(rows):
            send(doomed, signal.SIGCONT)
            raise Nothing
        send(victims, signal.SIGKILL)
        send(doomed, signal.SIGCONT)  # who is to outlive them, for the kernel or a supervisor to deal with
        self.watch = eyes.watch(rows)
        return f"{len(victims)} killed, {len(rows)} rows held: {', '.join(row.status for row in rows)}"

    def heal(self) -> None:
        """Do nothing: its supervisor does."""


def _with_children(pids: list[int]) -> list[int]:
    return list(dict.fromkeys(pid for each in pids for pid in tree(each)))


def _role(role: str) -> Victims:
    def victims(node: Node, _: random.Random) -> list[int]:
        return [node.pids()[role]] if role in node.pids() else []

    return victims


def _child(node: Node, rng: random.Random) -> list[int]:
    """Choose a prefork child, of those of which there may be one that holds a row."""
    worker = node.pids().get("worker")
    children = children_of(worker) if worker is not None else []
    return [rng.choice(children)] if children else []


def _api(node: Node, rng: random.Random) -> list[int]:
    """Choose the parent of the API's processes, or one of these."""
    api = node.pids().get("api")
    return [rng.choice([api, *children_of(api)])] if api is not None else []


def _everything(node: Node, _: random.Random) -> list[int]:
    return node.everything()


def _kind(
    name: str,
    targets: tuple[str, ...],
    victims: Victims,
    *roles: str,
    rest: float,
    weight: int,
    aimed: bool = False,
) -> Kind:
    def blow(scene: Scene, target: str, rng: random.Random) -> Kill:
        return Kill(scene, target, rng, victims, aimed=aimed)

    return Kind(name, "kill", targets, blow, parts(*roles), rest=rest, weight=weight)


KINDS = [
    _kind("kill-child", NODES, _child, "child", rest=1, weight=8, aimed=True),
    _kind("kill-worker", NODES, _role("worker"), "worker", rest=8, weight=12, aimed=True),
    _kind("kill-api", with_role("api"), _api, "api", rest=6, weight=6),
    _kind("kill-beat", with_role("beat"), _role("beat"), "beat", rest=6, weight=4),
    _kind("kill-forkserver", NODES, _role("forkserver"), "forkserver", rest=6, weight=2),
    _kind(
        "kill-supervisor",
        NODES,
        _role("supervisor"),
        "worker",
        "api",
        "beat",
        rest=15,
        weight=2,
        aimed=True,
    ),
    _kind("kill-node", NODES, _everything, "worker", "api", "beat", rest=15, weight=3, aimed=True),
]
