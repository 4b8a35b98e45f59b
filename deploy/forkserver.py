"""A process that has imported what a program needs, and forks warm copies of itself to run the program.

To import Django, Celery and all that they need takes longer than the rest of a take-over; a fork takes milliseconds.
`Forkserver` is the supervisor's end. Each copy becomes a child of the supervisor itself, which waits for it and with
which it dies: nothing depends on the forkserver's life. While none is warm, programs are executed as ever.

No copy runs that the supervisor does not know of. It waits at a pipe whose only writer is the supervisor, which says
go once it has been told the copy's pid; if the pipe is closed instead, the copy ends and has done nothing.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from deploy.tether import die_with, settle_orphans

BIGGEST = 256 * 1024  # bytes of a request; an environment has some thousands
WARM, GO = b"warm", b"go"
PATIENCE = 2.0  # seconds for an answer; a fork takes milliseconds


class ColdError(Exception):
    """There is no forkserver that is ready; nothing was started."""


class Copy:
    """A forked program; waited for as a Popen is."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def wait(self) -> int:
        """Reap it; return its status, negative for a signal."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Forkserver:
    """The supervisor's end: how to start a forkserver, and how to have it fork.

    Each of the modules that it imports may have a function `after_fork()`, which each copy calls when its environment
    is set.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self.argv = [sys.executable, "-m", "deploy.forkserver", *modules]
        self._channel: socket.socket | None = None
        self._warm = False

    def open(self) -> socket.socket:
        """Return the standard input of a forkserver that is about to be started; the last one's is closed."""
        settle_orphans()
        self._close()
        self._channel, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return far

    def is_importing(self) -> bool:
        """Tell whether it is being started and may be warm soon."""
        return not self._is_warm() and self._channel is not None

    def _is_warm(self) -> bool:
        if self._channel is not None and not self._warm:
            self._channel.setblocking(False)
            try:
                self._warm = self._channel.recv(len(WARM)) == WARM
            except BlockingIOError:
                return False
            except OSError:
                self._warm = False
            if not self._warm:  # it is dead
                self._close()
        return self._warm

    def _close(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel, self._warm = None, False

    def fork(
        self, argv: Sequence[str], env: Mapping[str, str], *, cwd: Path | None, output: int | None, death: int
    ) -> Copy:
        """Run `[python, "-m", module, ...]` or `[python, file, ...]` in a copy of a forkserver.

        :raises ColdError: it has not begun and never will.
        """
        if not self._is_warm():
            raise ColdError("it is not warm")
        assert self._channel is not None  # noqa: S101 -- it is warm
        job = {"argv": argv, "env": env, "cwd": cwd and str(cwd), "death": death, "parent": os.getpid()}
        at_gate, gate = os.pipe()
        try:
            self._channel.settimeout(PATIENCE)
            files = [at_gate] if output is None else [at_gate, output]
            socket.send_fds(self._channel, [json.dumps(job).encode()], files)
            copy = Copy(int(self._channel.recv(32)))
            os.write(gate, GO)
        except (OSError, ValueError) as error:  # it is dead, frozen, or could not fork
            self._close()
            raise ColdError(f"no answer: {error}") from error
        else:
            return copy
        finally:
            os.close(at_gate)
            os.close(gate)


# --- the forkserver -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Job:
    """What a copy is to become, once it is let through the gate."""

    gate: int
    output: int | None
    argv: list[str]
    env: dict[str, str]
    cwd: str | None
    death: int
    parent: int


def main(modules: Sequence[str]) -> None:
    """Import the modules, then fork a copy for each request until the supervisor is gone."""
    channel = socket.socket(fileno=os.dup(0))
    imported = [import_module(name) for name in modules]
    if threading.active_count() > 1:
        sys.exit(f"a module has started threads, which no fork can copy: {threading.enumerate()}")
    gc.collect()
    gc.freeze()  # a collection in a copy would write to all the memory that is shared
    channel.sendall(WARM)
    job = _serve(channel)
    channel.close()
    _become(job, imported)


def _serve(channel: socket.socket) -> Job:
    """Answer requests; return in a copy only."""
    while True:
        request, files, _, _ = socket.recv_fds(channel, BIGGEST, 2)
        if not request:
            sys.exit(0)
        gate, *output = files
        job = Job(gate, output[0] if output else None, **json.loads(request))
        if not (pid := _fork_away()):
            return job
        for file in files:
            os.close(file)
        channel.sendall(str(pid).encode())


def _fork_away() -> int:
    """Fork a copy that is nobody's child but the supervisor's; return its pid, in the copy 0.

    It is forked by one that ends at once, whose orphans are the supervisor's.
    """
    told, tell = os.pipe()
    between = os.fork()
    if between:
        os.close(tell)
        os.waitpid(between, 0)  # from here on the copy is the supervisor's
        answer = os.read(told, 32)
        os.close(told)
        return int(answer)
    try:
        pid = os.fork()
        if pid:
            os.write(tell, str(pid).encode())
    except BaseException:  # noqa: BLE001 -- whatever it is, this process must not go on as a second forkserver
        os._exit(1)
    if pid:
        os._exit(0)
    os.close(told)
    os.close(tell)
    return 0


def _become(job: Job, modules: Sequence[Any]) -> NoReturn:
    """Wait to be let through, then be the program."""
    if os.read(job.gate, len(GO)) != GO:
        os._exit(0)
    os.close(job.gate)
    os.setsid()
    die_with(job.parent, job.death)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if job.output is not None:
        os.dup2(job.output, 1)
        os.dup2(job.output, 2)
        os.close(job.output)
    if job.cwd is not None:
        os.chdir(job.cwd)
    os.environ.clear()
    os.environ.update(job.env)
    for module in modules:
        if hasattr(module, "after_fork"):
            module.after_fork()
    _, *words = job.argv
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
