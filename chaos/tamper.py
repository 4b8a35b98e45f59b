"""Clocks that are wrong and storage that is slow: a small library between chosen processes and the kernel.

It moves their time of day, while they run and back again, and makes each of their writes to a file last longer.
libfaketime, as Debian has it, makes `time.sleep` fail in a Python whose monotonic clock it is told to leave alone; so
this is our own (tamper.c), compiled for the run. Where there is no C compiler none of it happens, and the run says so.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("tamper.c")
OFFSET, SLOW = 0, 8  # where in the file each number is


def built(home: Path) -> Path | None:
    """Compile the library into a directory; None where there is nothing to compile it with."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    made = home / "tamper.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(SOURCE)]
    done = subprocess.run(command, check=False, capture_output=True)
    return made if done.returncode == 0 else None


def variables(found: Path, told: Path) -> dict[str, str]:
    """Return what makes a process, and those it starts, obey a file."""
    told.write_bytes(bytes(16))
    return {"LD_PRELOAD": str(found), "CHAOS_TAMPER": str(told)}


def put_clock(told: Path, seconds: int) -> None:
    """Have the clocks of those who obey the file be off by so many seconds from now on."""
    _put(told, OFFSET, seconds)


def put_slow(told: Path, milliseconds: int) -> None:
    """Have each of their calls to the storage take so much longer from now on."""
    _put(told, SLOW, milliseconds)


def _put(told: Path, place: int, number: int) -> None:
    with told.open("r+b") as file:  # in place: it is mapped
        file.seek(place)
        file.write(struct.pack("<q", number))
