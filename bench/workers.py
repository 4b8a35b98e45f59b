"""Celery workers for `bench.tasks`, and the marks that their tasks leave."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.stack import Stack
from deploy.state import ROOT, StartError
from deploy.supervise import Child, Supervisor

PATIENCE = 120.0
LOOK = 0.005


@dataclass(frozen=True)
class Workers:
    """Workers that run, by name, and where they leave their marks."""

    supervisor: Supervisor
    marks: Path

    def pids(self) -> list[int]:
        return list(self.supervisor.pids().values())

    def kill(self, name: str) -> None:
        """Kill -9 a worker, its children with it, and keep it down."""
        self.supervisor.hold(name)

    def begin(self) -> None:
        """Forget all marks."""
        self.marks.write_bytes(b"")

    def done(self) -> dict[int, int]:
        """Return when each task was first done (monotonic ns), by number."""
        found: dict[int, int] = {}
        for number, at in self._lines():
            found.setdefault(number, at)
        return found

    def runs(self) -> Counter[int]:
        """Return how often each task was run."""
        return Counter(number for number, _ in self._lines())

    def await_still(self, count: int, seconds: float) -> dict[int, int]:
        """Return the marks when so many different tasks are done, or none was for so many seconds."""
        found, since = self.done(), time.monotonic()
        while len(found) < count and time.monotonic() - since < seconds:
            time.sleep(LOOK)
            if len(now := self.done()) > len(found):
                found, since = now, time.monotonic()
        return found

    def await_done(self, count: int) -> dict[int, int]:
        """Return the marks when so many different tasks are done.

        :raises StartError: that lasts too long.
        """
        end = time.monotonic() + PATIENCE
        while len(found := self.done()) < count:
            if time.monotonic() > end:
                raise StartError(f"Only {len(found)} of {count} tasks were done in {PATIENCE:.0f} s.")
            time.sleep(LOOK)
        return found

    def _lines(self) -> Iterator[tuple[int, int]]:
        for line in self.marks.read_text().splitlines():
            number, at = line.split()
            yield int(number), int(at)


@contextmanager
def workers(running: Stack, count: int, *, concurrency: int) -> Iterator[Workers]:
    """Run so many workers on the stack's broker, all of them ready."""
    marks = running.state.path / "bench.marks"
    marks.write_bytes(b"")
    names = [f"bench{number}" for number in range(1, count + 1)]
    env: dict[str, str | None] = {**running.env, "BENCH_MARKS": str(marks), "PYTHONPATH": str(ROOT)}
    children = [
        Child(name, _argv(name, concurrency), env, log=running.state.log(name), cwd=ROOT) for name in names
    ]
    for name in names:
        running.state.log(name).unlink(missing_ok=True)  # what an earlier worker said is not to be waited for
    with Supervisor(children) as supervisor:
        found = Workers(supervisor, marks)
        for name in names:
            _await_ready(running.state.log(name), name)
        yield found


def publishing() -> Any:
    """Return the tasks' module, once Django's settings can be read from the environment."""
    from bench import tasks  # noqa: PLC0415 - it reads them

    return tasks


def told(running: Stack) -> None:
    """Have this process read the stack's settings from now on."""
    os.environ.update(running.env, DJANGO_SETTINGS_MODULE="project.settings", LOG_LEVEL="ERROR")


def _argv(name: str, concurrency: int) -> Sequence[str]:
    options = ["-Q", "bench", "-n", f"{name}@%h", "-c", str(concurrency), "-P", "prefork", "-l", "INFO"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return [sys.executable, "-m", "celery", "-A", "bench.tasks", "worker", *options, *quiet]


def _await_ready(log: Path, name: str) -> None:
    end = time.monotonic() + PATIENCE
    while not (log.exists() and " ready." in log.read_text(errors="replace")):
        if time.monotonic() > end:
            raise StartError(f"The worker {name} is not ready after {PATIENCE:.0f} s: see {log}")
        time.sleep(0.1)
