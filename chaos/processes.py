"""Processes as the kernel knows them: who is whose child, who still runs, and signals to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def children_of(*parents: int) -> list[int]:
    """Return the pids of the processes' living children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) in parents and state != "Z":
                found.append(int(stat.parent.name))
    return found


def tree(root: int) -> list[int]:
    """Return a process and all below it, parents first."""
    found, edge = [root], [root]
    while edge:
        edge = children_of(*edge)
        found += edge
    return found


def runs(pid: int) -> bool:
    """Tell whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def send(pids: Iterable[int], number: signal.Signals) -> int:
    """Send the signal to each that still runs, in their order; return how many there were."""
    sent = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            sent += 1
    return sent
