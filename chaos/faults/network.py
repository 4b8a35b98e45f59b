"""Links between a node and a server: cut, refused, late, and black-holed, one way or both."""

from __future__ import annotations

import random
from collections.abc import Callable

from chaos.eyes import Watch
from chaos.faults.base import NODES, Kind, Scene, Taken
from chaos.ground import SERVERS
from chaos.links import Condition, Mode, Ways
from chaos.nodes import LAYOUT

LINKS = tuple(f"{node}>{server}" for node in NODES for server in SERVERS)


class Spoilt:
    """Has a link be in some condition."""

    def __init__(self, scene: Scene, link: str, condition: Condition) -> None:
        self._switchboard = scene.ground.switchboard
        self._link = link
        self._condition = condition
        self.watch: Watch | None = None

    def strike(self) -> str:
        """Spoil it."""
        self._switchboard.put(self._link, self._condition)
        how = self._condition
        late = f" {how.delay * 1000:.0f} to {(how.delay + how.jitter) * 1000:.0f} ms" if how.delay else ""
        return f"{how.mode}, {how.ways}{late}"

    def heal(self) -> None:
        self._switchboard.heal(self._link)


def _useless(link: str) -> Taken:
    """Return what is out while nothing passes: without PostgreSQL all of a node, without a broker the most of it."""
    node, _, server = link.partition(">")
    idle = {"postgres": ("worker", "api", "beat"), "broker": ("worker", "beat"), "heat": ()}[server]
    its = {f"{role}:{node}" for role in idle if role in LAYOUT[node].split(",")}
    return frozenset({f"link:{link}", *its})


def _slow(link: str) -> Taken:
    return frozenset({f"link:{link}"})


def _kind(
    name: str,
    how: Callable[[random.Random], Condition],
    takes: Callable[[str], Taken],
    lasts: tuple[float, float],
    weight: int,
) -> Kind:
    def blow(scene: Scene, target: str, rng: random.Random) -> Spoilt:
        return Spoilt(scene, target, how(rng))

    return Kind(name, "link", LINKS, blow, takes, lasts, rest=5, weight=weight)


def _delay(rng: random.Random) -> Condition:
    return Condition(Mode.DELAY, rng.choice(list(Ways)), rng.uniform(0.005, 0.1), rng.uniform(0, 0.1))


def _black_hole(*ways: Ways) -> Callable[[random.Random], Condition]:
    return lambda rng: Condition(Mode.BLACK_HOLE, rng.choice(ways))


KINDS = [
    _kind("cut", lambda _: Condition(Mode.CUT), _useless, (0.1, 10), 4),
    _kind("refuse", lambda _: Condition(Mode.REFUSE), _useless, (2, 10), 2),
    _kind("delay", _delay, _slow, (3, 15), 3),
    _kind("black-hole", _black_hole(Ways.BOTH), _useless, (3, 12), 3),
    _kind("black-hole-one-way", _black_hole(Ways.TO, Ways.FROM), _useless, (3, 12), 3),
]
