"""Storage for whole nodes: two directory back-ends that tests take away, fill up, write to and look into.

`fast` copies as fast as it can, `slow` so slowly that a copy lasts for seconds. All is in memory where there is any,
and in chunks, since nothing there can share blocks.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.backends.filesystems import scratch

MIB = 2**20
BLOCK = 4096
RATE = 4 * MIB  # bytes per second of each of the slow back-end's copies, unless told otherwise
FILE = """
[backends.fast]
over_provisioning = 1000.0
[[backends.fast.pools]]
name = "one"
path = "{root}/fast"

[backends.slow]
over_provisioning = 1000.0
chunk_size = 131072
copy_rate = {rate}
[[backends.slow.pools]]
name = "one"
path = "{root}/slow"
"""


@dataclass(frozen=True)
class Yard:
    """The directories of both back-ends, and the file that names them."""

    root: Path

    @property
    def file(self) -> Path:
        return self.root / "backends.toml"

    def pool(self, backend: str) -> Path:
        return self.root / backend

    def volume(self, backend: str, ident: object) -> Path:
        return self.pool(backend) / "volumes" / str(ident)

    def clear(self) -> None:
        """Forget all that is stored."""
        for backend in ("fast", "slow"):
            for name in ("volumes", "fences"):
                for left in (self.pool(backend) / name).iterdir():
                    shutil.rmtree(left) if left.is_dir() else left.unlink()

    @contextmanager
    def gone(self, backend: str) -> Iterator[None]:
        """Take the directory of a back-end away for as long as the block lasts."""
        away = self.root / "away"
        self.pool(backend).rename(away)
        try:
            yield
        finally:
            away.rename(self.pool(backend))


@contextmanager
def yard(rate: int = RATE) -> Iterator[Yard]:
    """Lend two empty back-ends, the slow one of which copies so many bytes per second."""
    found = Yard(scratch())
    try:
        for backend in ("fast", "slow"):
            prepared(found.pool(backend))
        found.file.write_text(FILE.format(root=found.root, rate=rate))
        yield found
    finally:
        shutil.rmtree(found.root)


@contextmanager
def mounted(path: Path, *options: str) -> Iterator[None]:
    """Have something mounted at a path, over what was there.

    :raises SkipTest: this machine, or its user, cannot.
    """
    if os.geteuid() != 0:
        raise unittest.SkipTest("Only root can mount.")
    done = subprocess.run(["mount", *options, str(path)], check=False, capture_output=True, text=True)
    if done.returncode:
        raise unittest.SkipTest(f"Nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        # Lazily: a worker may be looking into it at this moment.
        subprocess.run(["umount", "--lazy", str(path)], check=True, capture_output=True)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Have nothing new written below a path, as after a file system's errors; what is open may finish."""
    with mounted(path, "--bind", str(path)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(path)], check=True, capture_output=True)
        yield


def prepared(path: Path) -> None:
    """Make an empty directory a pool, once and by hand: a node never makes one where a directory is missing."""
    for name in ("volumes", "fences"):
        (path / name).mkdir(parents=True)
    (path / ".roadstead-pool").touch()


def scribble(path: Path, rng: random.Random, size: int = 6 * MIB) -> str:
    """Write random bytes all over a volume, as the server does that has it; return its content then."""
    part = size // 6
    end = path.stat().st_size
    with path.open("r+b") as file:
        for number in range(6):
            file.seek(rng.randrange(number * end // 6, (number + 1) * end // 6 - part))
            file.write(rng.randbytes(part))
    return content(path)


def content(path: Path) -> str:
    """Return what tells a file's bytes from any others, wherever it has holes and whatever zeros follow."""
    told = hashlib.sha256()
    with path.open("rb") as file:
        for position in _data(file.fileno()):
            block = os.pread(file.fileno(), BLOCK, position)
            if block.strip(b"\0"):
                told.update(position.to_bytes(8, "big") + block)
    return told.hexdigest()


def _data(fd: int) -> Iterator[int]:
    """Yield the offset of each block that is no hole."""
    end, stop = os.fstat(fd).st_size, 0
    while stop < end:
        try:
            position = os.lseek(fd, stop, os.SEEK_DATA)
        except OSError:  # nothing but a hole is left
            return
        stop = os.lseek(fd, position, os.SEEK_HOLE)
        yield from range(position // BLOCK * BLOCK, stop, BLOCK)
