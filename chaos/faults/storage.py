"""Storage: a pool's directory that is gone for a while, a file system that is full, and writes that last."""

from __future__ import annotations

import random

from chaos import tamper
from chaos.eyes import Watch
from chaos.faults.base import Kind, Nothing, Scene, only
from chaos.storage import POOLS


class Gone:
    """Takes the directory of a pool away."""

    def __init__(self, scene: Scene, pool: str) -> None:
        self._storage = scene.ground.storage
        self._pool = self._storage.root / pool
        self.watch: Watch | None = None

    def strike(self) -> str:
        """Take it."""
        self._storage.take(self._pool)
        return "gone"

    def heal(self) -> None:
        self._storage.give_back(self._pool)


class Full:
    """Leaves no room in the small file system."""

    def __init__(self, scene: Scene) -> None:
        self._storage = scene.ground.storage
        self.watch: Watch | None = None

    def strike(self) -> str:
        """Fill it.

        :raises Nothing: there is no file system of its own that could be full.
        """
        if not self._storage.can_be_full:
            raise Nothing
        self._storage.fill()
        return "full"

    def heal(self) -> None:
        self._storage.drain()


class Slow:
    """Has all that nodes write last longer."""

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        self._told = [node.told for node in scene.ground.nodes.values() if node.told is not None]
        self._more = rng.randint(20, 400)
        self.watch: Watch | None = None

    def strike(self) -> str:
        """Slow it down.

        :raises Nothing: there was no compiler for what slows it.
        """
        if not self._told:
            raise Nothing
        for told in self._told:
            tamper.put_slow(told, self._more)
        return f"each write takes {self._more} ms more"

    def heal(self) -> None:
        for told in self._told:
            tamper.put_slow(told, 0)


KINDS = [
    Kind(
        "storage-gone",
        "storage",
        POOLS,
        lambda scene, pool, _: Gone(scene, pool),
        only("storage:gone"),
        (2, 15),
        rest=8,
        weight=3,
    ),
    Kind(
        "storage-full",
        "storage",
        ("small",),
        lambda scene, _, __: Full(scene),
        only("storage:full"),
        (3, 15),
        rest=8,
    ),
    Kind(
        "storage-slow",
        "storage",
        ("all",),
        lambda scene, _, rng: Slow(scene, rng),
        only("storage:slow"),
        (5, 20),
        weight=2,
    ),
]
