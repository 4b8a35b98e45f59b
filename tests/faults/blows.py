"""Blows: for as long as a block lasts, processes of some nodes are killed and frozen at random moments.

Children are aimed at while they work on a row, so that steps are hit in the middle; no row is hit so often that its
work would rightly be given up. Of whole workers one at a time is out: they take seconds to start again, and nothing is
learnt while none runs.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Self

from django.db import connection

from chaos.processes import children_of, send
from lifecycle.models import Leased
from tests.faults.nodes import WholeNode

Held = Callable[[], list[Leased]]
MOST = 5  # blows at one row's holders


class Blows:
    """Strikes every `pause` seconds or so, in one of the `ways`: child, worker, freeze."""

    def __init__(
        self,
        nodes: Sequence[WholeNode],
        held: Held,
        rng: random.Random,
        *,
        ways: Sequence[str],
        pause: float,
        longest: float,
    ) -> None:
        """`held` returns the rows that are being worked on; nothing stays frozen for longer than `longest` seconds."""
        self._nodes = nodes
        self._held = held
        self._rng = random.Random(rng.random())
        self._ways = ways
        self._pause = pause
        self._longest = longest
        self._over = threading.Event()
        self._thaws: list[tuple[float, list[int]]] = []
        self._error: Exception | None = None
        self._aimed: Counter[Any] = Counter()  # by row
        self.struck: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()  # what was being done by whom a blow was aimed at

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self._thread.join()
        if self._error is not None and failure[0] is None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._over.wait(self._rng.uniform(0, 2 * self._pause)):
                self._thaw(time.monotonic())
                getattr(self, f"_{self._rng.choice(self._ways)}")()
        except Exception as error:  # noqa: BLE001 - told at the end of the block
            self._error = error
        finally:
            self._thaw(float("inf"))
            connection.close()

    def _thaw(self, now: float) -> None:
        for at, pids in [each for each in self._thaws if each[0] <= now]:
            send(pids, signal.SIGCONT)
            self._thaws.remove((at, pids))

    def _child(self) -> None:
        """Kill whoever works on a row."""
        row: Any = self._some([row for row in self._held() if self._aimed[row.pk] < MOST])
        if row is not None and row.holder_pid is not None:
            self._aimed[row.pk] += 1
            self.hit[f"{row.machine.name} {row.status}"] += 1
            self.struck["child"] += 1
            send([row.holder_pid], signal.SIGKILL)

    def _worker(self) -> None:
        """Kill a whole worker."""
        if pid := self._one_of_all():
            self.struck["worker"] += 1
            send([pid], signal.SIGKILL)

    def _freeze(self) -> None:
        """Freeze a worker with its children, for less or for more than a lease."""
        if pid := self._one_of_all():
            self.struck["freeze"] += 1
            pids = [pid, *children_of(pid)]
            send(pids, signal.SIGSTOP)
            self._thaws.append((time.monotonic() + self._rng.uniform(0.1, self._longest), pids))

    def _one_of_all(self) -> int | None:
        """Return a worker to strike, or None while one of them is out already."""
        if self._thaws or any(node.worker_node() is None for node in self._nodes):
            return None
        return self._rng.choice(list(self._nodes)).pids().get("worker")

    def _some(self, choices: Sequence[Any]) -> Any:
        return self._rng.choice(choices) if choices else None
