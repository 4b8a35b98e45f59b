"""A pool: a directory that says by its marker that it is one, and what is where in it.

All paths are relative to a descriptor of the directory, which is opened and checked once for each verb: a file system
that is unmounted meanwhile is never confused with the empty directory under it. All paths are made of uuids and
numbers:

    .roadstead-pool                        the marker
    volumes/<uuid>                         what is stored: volumes and snapshots, raw
    fences/<uuid>/<epoch>.<n>/fence        who may write to it (see fence.py)
    fences/<uuid>/<epoch>.<n>/part.<n>     an unfinished write
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from volumes.backends.base import Refused, Unavailable
from volumes.backends.directory.errors import translated

MARKER = ".roadstead-pool"
VOLUMES = "volumes"
FENCES = "fences"
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
FILE = os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Pool:
    """What the configuration says about a pool."""

    name: str
    path: str
    export: str | None = None  # what NFS clients mount it by: server:/path


def prepare(path: str) -> None:
    """Make the directory a pool, unless it is one. Its file system must be mounted by now.

    :raises OSError: also where the directory holds other things: that may be a wrong path.
    """
    directory = Path(path)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (directory / MARKER).exists():
        return
    others = {entry.name for entry in directory.iterdir()} - {VOLUMES, FENCES, "lost+found"}
    if others:
        raise FileExistsError(f"{path} is no pool and holds other things: {', '.join(sorted(others)[:3])}")
    for name in (VOLUMES, FENCES):
        (directory / name).mkdir(mode=0o700, exist_ok=True)
    (directory / MARKER).touch(mode=0o600)
    root = os.open(directory, DIRECTORY)
    try:
        os.fsync(root)
    finally:
        os.close(root)


@contextmanager
def opened(pool: Pool) -> Iterator[int]:
    """Lend a descriptor of the pool's directory.

    :raises Unavailable: it is not there, or no pool: an empty mount point, say.
    """
    with translated(pool.name):
        root = os.open(pool.path, DIRECTORY)
        try:
            if not _is_pool(root):
                raise Unavailable(f"Pool {pool.name}: its marker is missing; not mounted, or never prepared.")
            yield root
        finally:
            os.close(root)


def published(thing: uuid.UUID) -> str:
    """Return where a finished volume or snapshot is."""
    return f"{VOLUMES}/{thing}"


def find(root: int, thing: uuid.UUID) -> os.stat_result | None:
    """Return what is stored under this id, if anything."""
    try:
        found = os.stat(published(thing), dir_fd=root, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{thing} is stored as something that is no regular file.")
    return found


def names(root: int, path: str) -> list[str]:
    """Return the names in a directory."""
    fd = os.open(path, DIRECTORY, dir_fd=root)
    try:
        return os.listdir(fd)  # noqa: PTH208 (Path knows no descriptors)
    finally:
        os.close(fd)


def sync(root: int, path: str) -> None:
    """Make what was named or unnamed in a directory durable."""
    fd = os.open(path, DIRECTORY, dir_fd=root)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _is_pool(root: int) -> bool:
    try:
        os.stat(MARKER, dir_fd=root, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
