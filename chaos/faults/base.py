"""What every kind of fault says of itself: what it may strike, for how long, and what is out of action meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chaos.eyes import Eyes, Watch
from chaos.ground import Ground
from chaos.nodes import LAYOUT

NODES = tuple(LAYOUT)
Taken = frozenset[str]


class Nothing(Exception):
    """There is nothing to strike now."""


@dataclass
class Scene:
    """What a blow is struck at, and by what it sees."""

    ground: Ground
    eyes: Eyes


class Blow(Protocol):
    """One fault as it happens. `watch` is of the rows that were held by what was struck."""

    watch: Watch | None

    def strike(self) -> str:
        """Do it and return what was hit.

        :raises Nothing: there is nothing to strike now.
        """

    def heal(self) -> None:
        """Undo it, if it does not end by itself."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    `takes` names what is out of action from the strike until `rest` seconds after the healing, as `worker:node1`; the
    plan keeps enough of each sort in action, and strikes nothing that is out already.
    """

    name: str
    group: str
    targets: tuple[str, ...]
    blow: Callable[[Scene, str, random.Random], Blow]
    takes: Callable[[str], Taken] = lambda _: frozenset()
    lasts: tuple[float, float] = (0.0, 0.0)  # seconds, from and to
    rest: float = 0.0
    weight: int = 1


def parts(*roles: str) -> Callable[[str], Taken]:
    """Return what says that these processes of the node are out, as far as it has them."""
    return lambda node: frozenset(f"{role}:{node}" for role in roles if role in LAYOUT[node].split(","))


def with_role(role: str) -> tuple[str, ...]:
    """Return the nodes that have such a process."""
    return tuple(name for name in NODES if role in LAYOUT[name].split(","))


def only(*taken: str) -> Callable[[str], Taken]:
    """Return what says that these are out, whatever the target."""
    return lambda _: frozenset(taken)
