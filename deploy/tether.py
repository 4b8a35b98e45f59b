"""Become another program that dies with the process that started it.

Run by `deploy/supervise.py` as `python -I -S tether.py PARENT SIGNAL UID:GID|- PROGRAM ARG...`. An exec'd
shim and not a `preexec_fn`: code between fork and exec is unsafe in a process with threads. It imports
nothing of ours, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
PR_SET_CHILD_SUBREAPER = 36


def main(arguments: list[str]) -> None:
    """Drop the user if asked, tie this process to its parent, and become the program."""
    parent, death_signal, user, *program = arguments
    # The program starts with every signal at its default, whatever Python or a background shell left behind.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if number < signal.SIGRTMIN:
            signal.signal(number, signal.SIG_DFL)
    if user != "-":
        uid, gid = (int(part) for part in user.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user: the kernel forgets the death signal when credentials change.
    die_with(int(parent), int(death_signal))
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.exit(f"cannot run {program[0]}: {error.strerror}")


def die_with(parent: int, death_signal: int) -> None:
    """Have the kernel send this process the signal when its parent dies; end now if that is dead already."""
    _prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit("the parent died before its child started")


def settle_orphans() -> None:
    """Become the parent of every descendant of this process whose own parent dies."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


if __name__ == "__main__":
    main(sys.argv[1:])
