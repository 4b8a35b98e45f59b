"""Figures as a table for people and as JSON lines for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. `cpu_ms` is processor time of all server processes together, per operation."""

    what: str
    rate: float | None = None  # per second
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_ms: float | None = None
    note: str = ""  # what else was measured, or what a peer does


class Report:
    """Collects figures and shows each as it comes."""

    def __init__(self, machine: str, json_path: str | None) -> None:
        self._machine = machine
        self._json = Path(json_path) if json_path else None
        self._figures: list[Figure] = []

    def add(self, figure: Figure) -> None:
        """Keep a figure and print it."""
        self._figures.append(figure)
        print(_row(figure), flush=True)
        if self._json:
            with self._json.open("a") as file:
                file.write(json.dumps({"machine": self._machine, **asdict(figure)}) + "\n")

    def cpu_of(self, what: str) -> float | None:
        """Return the processor time of the figure of that name, if it was measured."""
        return next((figure.cpu_ms for figure in self._figures if figure.what == what), None)

    def print(self) -> None:
        """Print the whole table."""
        print(f"\n{self._machine}\n")
        print(_line("", "per s", "p50 ms", "p99 ms", "CPU ms", "beside it"))
        for figure in self._figures:
            print(_row(figure))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of them stayed within."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _row(figure: Figure) -> str:
    numbers = (figure.rate, figure.p50_ms, figure.p99_ms, figure.cpu_ms)
    return _line(figure.what, *("" if number is None else f"{number:.1f}" for number in numbers), figure.note)


def _line(what: str, *cells: str) -> str:
    *numbers, note = cells
    return f"  {what:46}" + "".join(f"{number:>9}" for number in numbers) + f"   {note}"
