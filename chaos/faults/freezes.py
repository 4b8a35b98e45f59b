"""Freezes: SIGSTOP for longer than a lease, then SIGCONT, and the sleeper goes on as if nothing had been."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable

from chaos.eyes import Watch
from chaos.faults.base import NODES, Kind, Nothing, Scene, Taken, only, parts, with_role
from chaos.ground import Ground
from chaos.processes import children_of, send, tree

AIM = 1.0
LONGER = (6.0, 12.0)  # seconds; a lease is five
Victims = Callable[[Ground, str, random.Random], list[int]]


class Freeze:
    """Stops the victims that are found at the moment of the blow."""

    def __init__(
        self, scene: Scene, target: str, rng: random.Random, victims: Victims, *, aimed: bool
    ) -> None:
        self._scene = scene
        self._target = target
        self._rng = rng
        self._victims = victims
        self._aimed = aimed
        self._frozen: list[int] = []
        self.watch: Watch | None = None

    def strike(self) -> str:
        """Stop them."""
        ground, eyes = self._scene.ground, self._scene.eyes
        if self._aimed and (worker := ground.nodes[self._target].pids().get("worker")) is not None:
            eyes.aim(tree(worker), AIM)
        self._frozen = self._victims(ground, self._target, self._rng)
        if not self._frozen:
            raise Nothing
        send(self._frozen, signal.SIGSTOP)
        self.watch = eyes.watch(eyes.held(self._frozen) if self._aimed else [])
        return f"{len(self._frozen)} frozen, {len(self.watch.rows)} rows held"

    def heal(self) -> None:
        """Let them go on."""
        send(self._frozen, signal.SIGCONT)


def _role(role: str, *, whole: bool = False) -> Victims:
    def victims(ground: Ground, target: str, _: random.Random) -> list[int]:
        pid = ground.nodes[target].pids().get(role)
        if pid is None:
            return []
        return tree(pid) if whole else [pid]

    return victims


def _child(ground: Ground, target: str, rng: random.Random) -> list[int]:
    worker = ground.nodes[target].pids().get("worker")
    children = children_of(worker) if worker is not None else []
    return [rng.choice(children)] if children else []


def _server(ground: Ground, target: str, _: random.Random) -> list[int]:
    pid = ground.children[target].pid
    return tree(pid) if pid is not None else []


def _sessions(ground: Ground, target: str, rng: random.Random) -> list[int]:
    """Choose some of the processes below PostgreSQL's: sessions of anybody, and now and then one of its own."""
    pid = ground.children[target].pid
    below = children_of(pid) if pid is not None else []
    return rng.sample(below, min(3, len(below)))


def _kind(
    name: str,
    targets: tuple[str, ...],
    victims: Victims,
    takes: Callable[[str], Taken],
    *,
    lasts: tuple[float, float] = LONGER,
    aimed: bool = False,
    weight: int = 2,
) -> Kind:
    def blow(scene: Scene, target: str, rng: random.Random) -> Freeze:
        return Freeze(scene, target, rng, victims, aimed=aimed)

    return Kind(name, "freeze", targets, blow, takes, lasts, rest=4, weight=weight)


KINDS = [
    _kind("freeze-child", NODES, _child, parts("child"), aimed=True, weight=3),
    _kind("freeze-parent", NODES, _role("worker"), parts("worker"), aimed=True),
    _kind("freeze-worker", NODES, _role("worker", whole=True), parts("worker"), aimed=True, weight=4),
    _kind("freeze-api", with_role("api"), _role("api", whole=True), parts("api")),
    _kind("freeze-beat", with_role("beat"), _role("beat"), parts("beat"), weight=1),
    _kind("freeze-forkserver", NODES, _role("forkserver"), parts("forkserver"), weight=1),
    _kind(
        "freeze-node",
        NODES,
        _role("supervisor", whole=True),
        parts("worker", "api", "beat"),
        aimed=True,
    ),
    _kind("freeze-broker", ("broker",), _server, only("outage:broker"), lasts=(2, 12), weight=1),
    _kind("freeze-sessions", ("postgres",), _sessions, only("outage:postgres"), lasts=(2, 8), weight=1),
]
