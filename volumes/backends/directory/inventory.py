"""What is stored, what it comes to, and which fences nobody needs any more."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import uuid

from volumes.backends.base import PoolStats, Stored, Unavailable
from volumes.backends.directory import copying
from volumes.backends.directory.attempt import FENCE
from volumes.backends.directory.errors import FULL, translated
from volumes.backends.directory.pool import DIRECTORY, FENCES, FILE, VOLUMES, Pool, find, opened

VERSION = "1.0"
_can_share: dict[int, bool] = {}  # by device: a file system does not learn it while it is mounted


def stats(pool: Pool, backend: str, protocol: str) -> PoolStats:
    """Return what the pool reports, at the cost of one stat for each stored file: 10,000 take some 30 ms.

    :raises Unavailable: it is gone, or cannot be written.
    """
    with translated(pool.name), opened(pool) as root:
        space = os.statvfs(root)
        if space.f_flag & os.ST_RDONLY:
            raise Unavailable(f"Pool {pool.name}: its file system is mounted read-only.")
        provisioned = sum(found.st_size for found in _list(root, VOLUMES).values())
        instant = _shares(root)
    capabilities = {
        "volume_backend_name": backend,
        "vendor_name": "Roadstead",
        "driver_version": VERSION,
        "storage_protocol": protocol,
        "thin_provisioning_support": True,
        "thick_provisioning_support": False,
        "multiattach": True,
        "instant_copies": instant,
        "snapshot_in_use": instant,  # all bytes of one moment: a chunked copy would mix old ones and new
    }
    block = space.f_frsize
    return PoolStats(pool.name, space.f_blocks * block, space.f_bavail * block, provisioned, capabilities)


def listed(pool: Pool) -> list[Stored]:
    """Return all that is in the pool, whoever put it there.

    :raises Unavailable: it is gone.
    """
    with translated(pool.name), opened(pool) as root:
        things = [
            Stored(pool.name, name, _id(name) if stat.S_ISREG(found.st_mode) else None, found.st_size, False)
            for name, found in _list(root, VOLUMES).items()
        ]
        for home, kind in _list(root, FENCES).items():
            thing = _id(home.removeprefix("."))
            if thing is None or not stat.S_ISDIR(kind.st_mode):
                things.append(Stored(pool.name, f"{FENCES}/{home}", None, kind.st_size, False))
                continue
            for place in _list(root, f"{FENCES}/{home}"):
                for name, found in _list(root, f"{FENCES}/{home}/{place}").items():
                    if name != FENCE:
                        things.append(Stored(pool.name, f"{home}/{place}/{name}", thing, found.st_size, True))
        return things


def prune(pool: Pool, older_than: float) -> int:
    """Remove the fences of what is no longer stored and has not been written for so many seconds."""
    removed = 0
    with translated(pool.name), opened(pool) as root:
        with tempfile.TemporaryFile(dir=f"/proc/self/fd/{root}") as probe:
            now = os.fstat(probe.fileno()).st_mtime  # by the storage's clock, as all the others
        for name, home in _list(root, FENCES).items():
            thing = _id(name.removeprefix("."))  # with a dot: a home that was never finished
            if thing is None or home.st_mtime > now - older_than:
                continue
            if name.startswith(".") or find(root, thing) is None:
                removed += _forget(root, f"{FENCES}/{name}")
    return removed


def _forget(root: int, home: str) -> bool:
    """Remove a home, unless somebody is in it or has left an unfinished write."""
    for place in _list(root, home):
        path = f"{home}/{place}/{FENCE}"
        try:
            fence = os.open(path, os.O_RDWR | FILE, dir_fd=root)
        except FileNotFoundError:
            pass
        else:
            try:
                fcntl.flock(fence, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path, dir_fd=root)
            except (BlockingIOError, FileNotFoundError):
                return False
            finally:
                os.close(fence)
        if not _rmdir(root, f"{home}/{place}"):
            return False
    return _rmdir(root, home)


def _rmdir(root: int, path: str) -> bool:
    try:
        os.rmdir(path, dir_fd=root)
    except OSError:  # it is in use again
        return False
    return True


def _shares(root: int) -> bool:
    device = os.fstat(root).st_dev
    if device not in _can_share:
        try:
            _can_share[device] = copying.can_share(root)
        except OSError as error:
            if error.errno not in FULL:
                raise
            return False  # there is no room to try it in; the next report may tell
    return _can_share[device]


def _list(root: int, path: str) -> dict[str, os.stat_result]:
    """Return what is in a directory; what goes away meanwhile may be missing."""
    listed: dict[str, os.stat_result] = {}
    try:
        fd = os.open(path, DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
    except (FileNotFoundError, NotADirectoryError):
        if path in (VOLUMES, FENCES):
            raise
        return listed
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                try:
                    listed[entry.name] = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
    finally:
        os.close(fd)
    return listed


def _id(name: str) -> uuid.UUID | None:
    try:
        found = uuid.UUID(name)
    except ValueError:
        return None
    return found if str(found) == name else None
