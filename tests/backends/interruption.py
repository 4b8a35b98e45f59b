"""Run a verb in a child that dies or freezes just before its n-th system call.

What counts as a system call is every call of a built-in function of the modules `os` and `fcntl`: all that a driver in
Python does to files, unless it calls C itself. Covered so: a process that ends, or is frozen for any length of time,
between any two of them; a frozen one makes its next call late. Not covered: a call that is cut in two, and a power
failure, which forgets what was not synced: no kill can show a missing fsync.
"""

from __future__ import annotations

import fcntl
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import BuiltinFunctionType, ModuleType
from typing import Any

from volumes.backends.base import BackendError, Fenced

FINISHED, FENCED, FAILED, BROKEN = 0, 40, 41, 42
MODULES: tuple[ModuleType, ...] = (os, fcntl)
NO_CALLS = {"fspath", "strerror", "getpid", "urandom"}
_exit, _fork, _getpid, _kill, _waitpid = os._exit, os.fork, os.getpid, os.kill, os.waitpid


@dataclass
class Child:
    """A child that has run into its interruption, or has ended."""

    pid: int
    status: int

    @property
    def interrupted(self) -> bool:
        return os.WIFSIGNALED(self.status) or os.WIFSTOPPED(self.status)

    def thaw(self) -> int:
        """Let a frozen child go on, and return how it ended."""
        _kill(self.pid, signal.SIGCONT)
        return os.waitstatus_to_exitcode(_waitpid(self.pid, 0)[1])

    def kill(self) -> None:
        """End a frozen child."""
        _kill(self.pid, signal.SIGKILL)
        _waitpid(self.pid, 0)


def interrupt(work: Callable[[], object], *, before: int, by: signal.Signals, of: str = "") -> Child:
    """Run `work` in a child up to its n-th call, or n-th call of one function.

    Return once it is dead, frozen, or done because there were fewer.
    """
    pid = _fork()
    if pid == 0:
        _exit(_run(work, before, by, of))
    return Child(pid, _waitpid(pid, os.WUNTRACED)[1])


def _run(work: Callable[[], object], before: int, by: signal.Signals, of: str) -> int:
    try:
        _set_trap(before, by, of)
        work()
    except Fenced:
        return FENCED
    except BackendError:
        return FAILED
    except BaseException:  # noqa: BLE001 (it must not get out: this is a copy of the test runner)
        traceback.print_exc()
        return BROKEN
    return FINISHED


def _set_trap(before: int, by: signal.Signals, of: str) -> None:
    left = before

    def trapped(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                _kill(_getpid(), by)
            return function(*args, **kwargs)

        return call

    for module in MODULES:
        for name, function in vars(module).copy().items():
            counted = name == of if of else name not in NO_CALLS and name[:1] != "W"
            if isinstance(function, BuiltinFunctionType) and counted:
                setattr(module, name, trapped(function))
