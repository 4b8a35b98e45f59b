"""Clocks: the time of day of one node's processes leaps by an hour, forth or back, and returns."""

from __future__ import annotations

import random

from chaos import tamper
from chaos.eyes import Watch
from chaos.faults.base import NODES, Kind, Nothing, Scene, only

HOUR = 3600


class Wrong:
    """Sets the clock of a node."""

    def __init__(self, scene: Scene, target: str, rng: random.Random) -> None:
        self._told = scene.ground.nodes[target].told
        self._seconds = rng.choice([HOUR, -HOUR])
        self.watch: Watch | None = None

    def strike(self) -> str:
        """Set it.

        :raises Nothing: there was no compiler for what moves clocks.
        """
        if self._told is None:
            raise Nothing
        tamper.put_clock(self._told, self._seconds)
        return f"{self._seconds:+d} s"

    def heal(self) -> None:
        if self._told is not None:
            tamper.put_clock(self._told, 0)


KINDS = [Kind("clock-off", "clock", NODES, Wrong, only("clock:one"), (5, 30), rest=1, weight=3)]
