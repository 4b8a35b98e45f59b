"""A program to keep alive, and how it is started: forked from a warm forkserver, or executed. Knows no Django."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from deploy.forkserver import ColdError, Copy, Forkserver

log = logging.getLogger(__name__)

TETHER = Path(__file__).with_name("tether.py")

Words = Sequence[str]
Variables = Mapping[str, str | None]
Process = subprocess.Popen[bytes] | Copy


@dataclass(eq=False)
class Child:
    """A program to keep alive. `argv` and `env` may be callables: they are asked anew at each start.

    `env` goes on top of this process's own environment; a value of None removes the variable.
    `on_death(child, pid, status)` is called in a thread of its own, at once and before the restart, with the
    status as subprocess has it (-9: killed by signal 9); `child.environment` is still that of the dead one.
    """

    name: str
    argv: Words | Callable[[], Words]
    env: Variables | Callable[[], Variables] = field(default_factory=dict)
    log: Path | None = None  # None: writes where this process writes
    on_death: Callable[[Child, int, int], None] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # what it gets when its supervisor dies
    user: tuple[int, int] | None = None  # uid and gid to run as
    cwd: Path | None = None
    warm: Forkserver | None = None  # what it is forked from while that is warm, instead of being executed
    serves: Forkserver | None = None  # what this one is the process of

    # Kept by the supervisor, for others to read.
    pid: int | None = None
    environment: dict[str, str] = field(default_factory=dict)
    starts: int = 0

    # The supervisor's own.
    process: Process | None = field(default=None, repr=False)
    started_at: float = 0.0
    failures: int = 0
    restart_at: float | None = None
    held: bool = False

    def start(self) -> int:
        """Start it as `process` with a new `environment`; return its pid.

        :raises Exception: it cannot be started, or its callables failed.
        """
        argv = self.argv() if callable(self.argv) else self.argv
        extra = self.env() if callable(self.env) else self.env
        merged = {**os.environ, **extra}
        self.environment = {key: value for key, value in merged.items() if value is not None}
        output = self.log.open("ab") if self.log else None
        try:
            self.process = self._forked(argv, output) or self._executed(argv, output)
        finally:
            if output:
                output.close()
        return self.process.pid

    def _forked(self, argv: Words, output: IO[bytes] | None) -> Copy | None:
        if self.warm is None:
            return None
        try:
            return self.warm.fork(
                argv,
                self.environment,
                cwd=self.cwd,
                output=output.fileno() if output else None,
                death=self.death_signal,
            )
        except ColdError as error:
            log.info("%s is executed, not forked: %s", self.name, error)
            return None

    def _executed(self, argv: Words, output: IO[bytes] | None) -> subprocess.Popen[bytes]:
        channel = self.serves.open() if self.serves else None
        try:
            return subprocess.Popen(
                tethered(argv, self.death_signal, self.user),
                env=self.environment,
                cwd=self.cwd,
                stdin=channel.fileno() if channel else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,  # a terminal's Ctrl-C is for the supervisor to pass on
            )
        finally:
            if channel:
                channel.close()


def tethered(
    argv: Words, death_signal: int = signal.SIGKILL, user: tuple[int, int] | None = None
) -> list[str]:
    """Return the argv that runs this one as a child which dies with the process that starts it."""
    who = f"{user[0]}:{user[1]}" if user else "-"
    return [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), str(int(death_signal)), who, *argv]
