"""One bell for many: while requests come fast, a queue's bell is rung once per moment and not once per row.

Each message costs a worker's parent more than the claim and the move of its row cost the database. So the first row
rings at once; those that come within GAP seconds after it share the next bell, which is rung when they have all been
committed. The task that answers takes further rows that are due (see `lifecycle.advance.go_on`). Rows whose bell was
still to be rung when the process died are found by the sweep, like any whose message was lost.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from celery import Task

from lifecycle.models import Leased

GAP = 0.03  # seconds

Ring = Callable[[Task[Any, Any], Leased], object]
Key = tuple[str, str]  # task, queue


class Ringer:
    """Rings for rows of a process, gathering those that come fast. Safe to share between threads and across forks."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        os.register_at_fork(after_in_child=self._begin)
        self._begin()

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._quiet_until: dict[Key, float] = {}
        self._waiting: dict[Key, tuple[Task[Any, Any], Leased]] = {}
        self._thread: threading.Thread | None = None

    def ring(self, task: Task[Any, Any], row: Leased) -> None:
        """Ring now, or with others in a moment."""
        key = (str(task.name), row.queue)
        now = time.monotonic()
        with self._changed:
            if now < self._quiet_until.get(key, 0.0):
                self._waiting[key] = (task, row)  # whichever is named: the others are taken after it
                self._wake()
                return
            self._quiet_until[key] = now + GAP
        self._ring(task, row)

    def flush(self) -> None:
        """Ring now for all that still wait."""
        with self._changed:
            waiting, self._waiting = self._waiting, {}
        for task, row in waiting.values():
            self._ring(task, row)

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                now = time.monotonic()
                first = min(self._quiet_until[key] for key in self._waiting)
                if now < first:
                    self._changed.wait(first - now)
                    continue
                due = [key for key in self._waiting if self._quiet_until[key] <= now]
                ready = [self._waiting.pop(key) for key in due]
                self._quiet_until.update(dict.fromkeys(due, now + GAP))
            for task, row in ready:
                self._ring(task, row)
