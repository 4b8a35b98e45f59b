"""File systems to test on: mounted from an image where this machine can do that, else a reason to skip."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 (thousands of fsyncs are tested here; on a disk each takes milliseconds)
ROOM = 512 * 2**20
MAKE = {"xfs": ["mkfs.xfs", "-q"], "btrfs": ["mkfs.btrfs", "-q"], "ext3": ["mkfs.ext3", "-q"]}


def scratch() -> Path:
    """Return a new directory, in memory if there is any."""
    return Path(tempfile.mkdtemp(prefix="roadstead-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))


@contextmanager
def directory() -> Iterator[Path]:
    """Lend a directory."""
    path = scratch()
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def loop_mounted(kind: str) -> Iterator[Path]:
    """Lend the root of a new file system of this kind."""
    if not shutil.which(MAKE[kind][0]):
        raise unittest.SkipTest(f"{MAKE[kind][0]} is not installed.")
    with directory() as path:
        image, root = path / "image", path / "root"
        root.mkdir()
        with image.open("wb") as file:
            file.truncate(ROOM)
        subprocess.run([*MAKE[kind], str(image)], check=True, capture_output=True)
        with mounted("-o", "loop", str(image), str(root)):
            yield root


@contextmanager
def mounted(*args: str) -> Iterator[None]:
    """Have something mounted; the last argument says where."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("Only root can mount.")
    done = subprocess.run(["mount", *args], check=False, capture_output=True, text=True)
    if done.returncode:
        raise unittest.SkipTest(f"Nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", args[-1]], check=True, capture_output=True)
