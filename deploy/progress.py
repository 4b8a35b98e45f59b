"""What the user sees while things install, start and run: one line a stage, with the seconds it took."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WIDTH = 44


@contextmanager
def stage(label: str) -> Iterator[None]:
    """Print the label, and when the block ends the seconds it took, or that it failed."""
    print(f"  {label} ".ljust(WIDTH, "."), end=" ", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(f"failed after {time.monotonic() - started:.1f} s", flush=True)
        raise
    print(f"{time.monotonic() - started:.1f} s", flush=True)


def tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a log, indented, under its name."""
    try:
        found = path.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        found = []
    return "\n".join([f"The end of {path}:", *(f"    {line}" for line in found or ["(empty)"])])


def say(line: str) -> None:
    """Print a line, over the progress line if there is one."""
    print(f"\r\033[K{line}" if sys.stdout.isatty() else line, flush=True)


def progress(line: str) -> None:
    """Show a line that the next one replaces; nothing where it could not be replaced."""
    if sys.stdout.isatty():
        print(f"\r\033[K{line}", end="", flush=True)
