"""The record of a run: every call with its answer, every fault with its times, one JSON object a line.

A line is in the file before `record` or `note` returns, so that a run that is broken off leaves all it knew. Times are
nanoseconds of the machine's monotonic clock, the same in every process.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Call:
    """One request and what came of it.

    Several calls with one `key` are one request sent again. `resource` is the id that the call was about or, after a
    create, the one that the answer named. `ended` is when the client had its answer or gave up; None: the run ended
    before.
    """

    client: int
    number: int
    action: str
    resource: str | None
    args: dict[str, Any]
    key: str | None  # its Idempotency-Key
    begun: int
    ended: int | None
    status: int | None  # None: the outcome is unknown, the connection broke or timed out
    answer: dict[str, Any] | None = None
    error: str = ""

    @property
    def accepted(self) -> bool:
        return self.status is not None and self.status < 300  # noqa: PLR2004 - HTTP's 2xx

    @property
    def unknown(self) -> bool:
        """Whether it may have been carried out although nobody was told: no answer, or a server's error."""
        return self.status is None or self.status >= 500  # noqa: PLR2004 - HTTP's 5xx


@dataclass(frozen=True, slots=True)
class Fault:
    """One blow and its healing. `ended` is `begun` for what is over at once, and None for what was never healed."""

    kind: str
    target: str
    begun: int
    ended: int | None
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class Recorder:
    """Appends lines to a file, from any thread, each flushed before it returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def append(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, separators=(",", ":"), default=str)
        with self._lock:
            self._file.write(text + "\n")
            self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class History(Recorder):
    """The calls of all clients."""

    def record(self, call: Call) -> None:
        self.append(asdict(call))


class Faults(Recorder):
    """The faults of a run."""

    def note(
        self, kind: str, target: str, begun: int, ended: int | None, note: str = "", **details: object
    ) -> None:
        """Record a fault once it is healed, or at once where nothing is to be healed."""
        self.append(asdict(Fault(kind, target, begun, ended, note, details)))


def read_calls(path: Path) -> list[Call]:
    """Return the calls of a history, in the order in which they were recorded."""
    return [Call(**line) for line in _lines(path)]


def read_faults(path: Path) -> list[Fault]:
    return [Fault(**line) for line in _lines(path)]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file; a last line that was broken off is left out.

    :raises ValueError: a line before the last is no JSON.
    """
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.endswith("\n"):
                return
            yield json.loads(line)
