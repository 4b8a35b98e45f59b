"""What each kind of process keeps in memory, shared pages counted by share (PSS)."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from bench.machine import processor_seconds
from bench.report import Figure, Report
from deploy.stack import Stack


def measure_memory(running: Stack, report: Report) -> None:
    """Print the MiB of each role of the first node and of the servers, its children with it."""
    for role, pid in running.pids().items():
        tree = list(processor_seconds([pid])) if not role.endswith(".supervisor") else [pid]
        sizes = [size for each in tree if (size := _pss(each)) is not None]
        note = f"{sum(sizes):.0f} MiB in {len(sizes)} processes, the largest {max(sizes, default=0):.0f}"
        report.add(Figure(f"memory of {role}", note=note))


def _pss(pid: int) -> float | None:
    found: dict[str, int] = defaultdict(int)
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it ended, or belongs to another user
        return None
    for line in lines[1:]:
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0])
    return found["Pss"] / 1024
