"""Start child processes, see them die at once, restart them, and stop them all: one `Supervisor` per group.

One thread owns the children: it starts, reaps, restarts and stops them; everything else sends it events.
(The kernel's parent-death signal fires when the *thread* that forked ends, so it lives as long as they do.)
Each child has a waiter thread that blocks in waitid(2): a death is known at once, and nothing polls.
No child outlives its supervisor, not even one killed with -9: see `deploy/tether.py`. Knows no Django.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from deploy.child import Child, tethered
from deploy.interrupts import heard

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Child", "Supervisor", "tethered"]

log = logging.getLogger(__name__)

DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0)  # before the first, second, ... restart in a row
SETTLED = 30.0  # seconds of life after which the next death counts as the first again
WARM_UP = (
    30.0  # seconds that first starts wait for a forkserver that is importing; no faster if all import at once
)
LOOK = 0.05  # seconds between two looks at it
LAST_WAIT = 5.0  # for children to vanish, and their on_death to end, after SIGKILL
ORPHANS = 1.0  # seconds after a death in which the children of the dead have died as well


class Supervisor:
    """Keeps its children alive until told to stop.

    Either `run()` in the main thread, which obeys SIGTERM, SIGINT and SIGHUP and returns an exit code; or as
    a context manager, which supervises from a background thread and leaves the signals alone.
    """

    def __init__(
        self, children: Sequence[Child], *, grace: float = 30.0, pid_file: Path | None = None
    ) -> None:
        self.children = list(children)
        self.grace = grace
        self.pid_file = pid_file
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._stop_at: float | None = None  # when patience ends and SIGKILL follows
        self._leave_at: float | None = None  # when those that even SIGKILL did not end are left behind
        self._killed = False
        self._began = 0.0
        self._reap_at: float | None = None  # when to look for orphans

    # --- for callers, from any thread -----------------------------------------------------------------------
    def run(self) -> int:
        """Supervise in this, the main thread, until a signal says stop; a second one kills at once.

        Return 0, or 1 if any child had to be killed.
        """
        with heard(self._on_signals):
            self._supervise()
        return int(self._killed)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        assert self._thread is not None  # noqa: S101 -- set by __enter__
        self._thread.join()

    def stop(self) -> None:
        """Ask for a stop: the stop signal now, SIGKILL after the grace; does not wait."""
        self._events.put(self._stop)

    def kill(self) -> None:
        """Stop at once with SIGKILL; does not wait."""
        self._events.put(self._stop)
        self._events.put(self._kill)

    def hold(self, name: str, number: int = signal.SIGKILL) -> None:
        """Take one child down with a signal and keep it down; return when it is gone."""
        child = self[name]
        self._events.put(partial(self._hold, child, number))
        with self._changed:
            self._changed.wait_for(lambda: child.held and child.pid is None)

    def release(self, name: str) -> None:
        """Start a held child again; return when it has a pid."""
        child = self[name]
        self._events.put(partial(self._release, child))
        with self._changed:
            self._changed.wait_for(lambda: child.pid is not None)

    def pids(self) -> dict[str, int]:
        """Return the pid of each child that runs, by name."""
        return {child.name: child.pid for child in self.children if child.pid is not None}

    def __getitem__(self, name: str) -> Child:
        return next(child for child in self.children if child.name == name)

    # --- the thread that owns the children ------------------------------------------------------------------
    def _supervise(self) -> None:
        self._began = time.monotonic()
        for child in self.children:
            self._start(child)
        while not self._stopping or any(child.process for child in self.children):
            try:
                event = self._events.get(timeout=self._until_next())
            except queue.Empty:
                event = self._on_time
            event()
            if self._leave_at is not None and time.monotonic() >= self._leave_at:
                log.error("left behind, not even SIGKILL ended them: %s", self.pids())
                break
        if self.pid_file is not None:
            self.pid_file.unlink(missing_ok=True)

    def _until_next(self) -> float | None:
        times = [child.restart_at for child in self.children if child.restart_at is not None]
        times += [at for at in (self._stop_at, self._leave_at, self._reap_at) if at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _on_time(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.restart_at is not None and now >= child.restart_at:
                self._start(child)
        if self._reap_at is not None and now >= self._reap_at:
            self._reap_orphans()
        if self._stop_at is not None and now >= self._stop_at:
            self._kill()

    def _start(self, child: Child) -> None:
        now = time.monotonic()
        if child.warm and not child.starts and child.warm.is_importing() and now < self._began + WARM_UP:
            child.restart_at = now + LOOK
            return
        child.restart_at = None
        child.started_at = now
        child.starts += 1
        try:
            child.pid = child.start()
        except Exception:
            log.exception("%s cannot be started", child.name)
            self._restart_later(child)
            return
        threading.Thread(target=self._wait, args=(child, child.pid), daemon=True).start()
        self._tell()

    def _wait(self, child: Child, pid: int) -> None:
        """Block until the child is dead, tell on_death, then the supervisor."""
        # WNOWAIT leaves the zombie to the supervisor's thread: until that reaps it, no other has its pid.
        info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert info is not None  # noqa: S101 -- None comes with WNOHANG only
        status = info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
        if child.on_death is not None:
            try:
                child.on_death(child, pid, status)
            except Exception:
                log.exception("on_death of %s failed", child.name)
        self._events.put(partial(self._died, child, pid, status))

    def _died(self, child: Child, pid: int, status: int) -> None:
        assert child.process is not None  # noqa: S101 -- one waiter per process
        child.process.wait()
        child.process, child.pid = None, None
        if self._stopping:
            log.info("%s (pid %d) stopped, status %d", child.name, pid, status)
        elif child.held:
            log.info("%s (pid %d) is held down", child.name, pid)
        else:
            log.warning("%s (pid %d) died, status %d", child.name, pid, status)
            self._restart_later(child)
        if any(child.warm for child in self.children):  # then this process settles orphans
            self._reap_at = time.monotonic() + ORPHANS
        self._tell()

    def _reap_orphans(self) -> None:
        """Reap those that became children of this process because their own parent died."""
        self._reap_at = None
        ours = {child.pid for child in self.children}
        with suppress(ChildProcessError):
            while info := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if info.si_pid in ours:
                    return  # it is waited for, and then it is looked again
                os.waitpid(info.si_pid, 0)

    def _restart_later(self, child: Child) -> None:
        now = time.monotonic()
        if now - child.started_at >= SETTLED:
            child.failures = 0
        delay = DELAYS[min(child.failures, len(DELAYS) - 1)]
        child.failures += 1
        if delay:
            log.warning("%s is restarted in %.1f s", child.name, delay)
        child.restart_at = now + delay

    def _hold(self, child: Child, number: int) -> None:
        child.held, child.restart_at = True, None
        if child.process is not None:
            os.kill(child.process.pid, number)
        self._tell()

    def _release(self, child: Child) -> None:
        child.held, child.failures = False, 0
        if child.process is None and not self._stopping:
            self._start(child)

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._stop_at = time.monotonic() + self.grace
        for child in self.children:
            child.restart_at = None
            if child.process is not None:
                os.kill(child.process.pid, child.stop_signal)

    def _kill(self) -> None:
        self._stop_at = None
        self._leave_at = time.monotonic() + LAST_WAIT
        for child in self.children:
            if child.process is not None:
                self._killed = True
                log.warning("%s (pid %d) is killed", child.name, child.process.pid)
                os.kill(child.process.pid, signal.SIGKILL)

    def _on_signals(self, count: int) -> None:
        self._events.put(self._stop if count == 1 else self._kill)

    def _tell(self) -> None:
        """Let those who wait for a change look again, in this process and through the pid file."""
        if self.pid_file is not None:
            draft = self.pid_file.with_suffix(".new")
            draft.write_text(json.dumps(self.pids()))
            draft.replace(self.pid_file)
        with self._changed:
            self._changed.notify_all()
