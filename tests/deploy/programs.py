"""Tiny programs for the supervisor's tests to run, and the means to wait for what they do."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 20.0


def python(program: str) -> list[str]:
    """Return the argv of a Python that runs this program."""
    return [sys.executable, "-I", "-S", "-c", program]


def eventually(condition: Callable[[], object]) -> bool:
    """Tell whether the condition comes true in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def runs(pid: int) -> bool:
    """Tell whether the process exists and is more than a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


SLEEP = python("import signal; signal.pause()")
STUBBORN = python(
    "import signal\nsignal.signal(15, lambda *_: None)\nprint('deaf', flush=True)\nwhile True: signal.pause()"
)
