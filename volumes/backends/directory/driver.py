"""The driver: each verb of the protocol, told in terms of pools, fences and copying."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from volumes.backends.base import (
    Finished,
    GoOn,
    NotThere,
    PoolStats,
    Progress,
    Ref,
    Refused,
    Stored,
    Unavailable,
    Underway,
)
from volumes.backends.directory import configuration, copying, inventory
from volumes.backends.directory.attempt import Attempt
from volumes.backends.directory.connect import Access
from volumes.backends.directory.copying import Pace
from volumes.backends.directory.errors import translated
from volumes.backends.directory.fence import attempt
from volumes.backends.directory.pool import FILE, VOLUMES, Pool, find, opened, published, sync
from volumes.backends.options import Options

LARGEST = 2**63 - 1
NOTE_EACH = 1.0  # seconds of copying that a killed worker may lose


class DirectoryBackend:
    """Volumes as sparse raw files in directories; each pool is one. Safe to share between threads and across forks."""

    def __init__(
        self, name: str, pools: Sequence[Pool], *, access: Access, pace: Pace, patience: float = 1.0
    ) -> None:
        """Take what the configuration says, without touching the storage."""
        self.name = name
        self._pools = {pool.name: pool for pool in pools}
        self._access = access
        self._pace = pace
        self._patience = patience

    @classmethod
    def configure(cls, name: str, options: Options, pools: Sequence[Options]) -> DirectoryBackend:
        """Make a back-end from its part of the configuration file.

        :raises ValueError: naming the key that is wrong.
        """
        access, pace = configuration.access(options), configuration.pace(options)
        patience = options.number("patience", 1.0, least=0)
        options.done()
        read = [configuration.pool(one, access.protocol) for one in pools]
        return cls(name, read, access=access, pace=pace, patience=patience)

    def pools(self) -> Sequence[str]:
        return tuple(self._pools)

    def stats(self) -> Sequence[PoolStats]:
        return [inventory.stats(pool, self.name, self._access.protocol) for pool in self._pools.values()]

    def create(self, volume: Ref, size: int, *, epoch: int) -> None:
        _check(size)
        with self._writing(volume, epoch) as mine:
            if self._is_there(mine, size):
                return
            name, part = mine.begin()
            with closing(part):
                os.ftruncate(part, size)
                os.fsync(part)
                mine.publish(name)

    def copy(self, source: Ref, target: Ref, size: int, *, epoch: int, go_on: GoOn) -> Progress:
        _check(size)
        with self._writing(target, epoch) as mine:
            if self._is_there(mine, size):
                return Finished()
            return self._fill(mine, source, size, go_on, mine.publish)

    def snapshot(self, volume: Ref, snapshot: Ref, *, epoch: int, go_on: GoOn) -> Progress:
        with self._writing(snapshot, epoch) as mine:
            if self._is_there(mine, 0):
                return Finished()
            return self._fill(mine, volume, 0, go_on, mine.publish)

    def revert(self, volume: Ref, snapshot: Ref, *, epoch: int, go_on: GoOn) -> Progress:
        with self._writing(volume, epoch) as mine:
            found = _stored(mine.root, volume.id)
            return self._fill(mine, snapshot, found.st_size, go_on, mine.replace, larger=True)

    def extend(self, volume: Ref, size: int, *, epoch: int) -> None:
        _check(size)
        with self._writing(volume, epoch) as mine:
            _stored(mine.root, volume.id)
            self._grow(mine, size)

    def delete(self, thing: Ref, *, epoch: int) -> None:
        with self._writing(thing, epoch) as mine:
            mine.remove()

    def fence(self, thing: Ref, *, epoch: int) -> None:
        with self._writing(thing, epoch) as mine:
            mine.clear()

    def connect(
        self, volume: Ref, connector: Mapping[str, Any], *, epoch: int, read_only: bool
    ) -> dict[str, Any]:
        # Nothing is written: a connect that comes late does no harm, whatever its epoch.
        del epoch
        self._access.check(connector)
        pool = self._pool(volume)
        with opened(pool) as root:
            _stored(root, volume.id)
        return self._access.info(pool, volume.id, read_only=read_only)

    def disconnect(self, volume: Ref, connector: Mapping[str, Any], *, epoch: int) -> None:
        """Do nothing: neither a local path nor an NFS share is given out by host."""

    def inventory(self) -> Iterator[Stored]:
        for pool in self._pools.values():
            yield from inventory.listed(pool)

    def prune(self, older_than: float) -> int:
        """Forget the fences of what was deleted longer ago than this many seconds; return how many.

        A writer that has been frozen for longer is no longer kept out.
        """
        return sum(inventory.prune(pool, older_than) for pool in self._pools.values())

    @contextmanager
    def _writing(self, thing: Ref, epoch: int) -> Iterator[Attempt]:
        if epoch < 1:
            raise ValueError(f"Epoch {epoch}: claims count from 1.")
        pool = self._pool(thing)
        with (
            translated(pool.name),
            opened(pool) as root,
            attempt(root, thing.id, epoch, self._patience) as mine,
        ):
            yield mine

    def _pool(self, ref: Ref) -> Pool:
        try:
            return self._pools[ref.pool]
        except KeyError:
            raise Unavailable(
                f"Back-end {self.name} has no pool {ref.pool} in this node's configuration."
            ) from None

    def _is_there(self, mine: Attempt, size: int) -> bool:
        """Tell whether an earlier call has published it, and complete what that call may not have come to."""
        found = find(mine.root, mine.thing)
        if found is None:
            return False
        mine.clear()
        if found.st_size < size:
            self._grow(mine, size)
        sync(mine.root, VOLUMES)
        return True

    def _grow(self, mine: Attempt, size: int) -> None:
        if not mine.grow(size):
            raise Refused("The file system of this pool cannot grow a file safely (it has no fallocate).")

    def _fill(
        self,
        mine: Attempt,
        source: Ref,
        size: int,
        go_on: GoOn,
        publish: Callable[[str], None],
        *,
        larger: bool = False,
    ) -> Progress:
        """Copy a source into a part, from where an earlier call stopped, and publish it."""
        with self._reading(source) as (given, total):
            size = max(size, total) if larger or not size else size
            if size < total:
                raise Refused(f"{size} bytes are too few for a copy of {total}.")
            written = os.fstat(given)
            what = {
                "source": f"{source.pool}/{source.id}",
                "stamp": [written.st_ino, written.st_mtime_ns, total],
                "size": size,
            }
            name, part, start = mine.resume(what) or (*mine.begin(), 0)
            with closing(part):
                if start == 0 and copying.share(given, part):
                    start = total
                os.ftruncate(part, size)
                noted = time.monotonic()
                for copied in copying.copy(given, part, start, total, self._pace):
                    mine.verify()
                    os.fsync(part)  # after each chunk: what piles up in memory would be waited for in one go
                    stop = copied < total and not go_on()
                    if stop or time.monotonic() - noted >= NOTE_EACH:
                        mine.note(name, what, copied)
                        noted = time.monotonic()
                    if stop:
                        return Underway(copied, total)
                os.fsync(part)
                publish(name)
        return Finished()

    @contextmanager
    def _reading(self, source: Ref) -> Iterator[tuple[int, int]]:
        pool = self._pool(source)
        with opened(pool) as root:
            size = _stored(root, source.id).st_size
            with translated(pool.name):
                try:
                    fd = os.open(published(source.id), os.O_RDONLY | FILE, dir_fd=root)
                except FileNotFoundError:
                    raise NotThere(f"{source.id} is not stored in pool {pool.name}.") from None
        with closing(fd):
            yield fd, size


@contextmanager
def closing(fd: int) -> Iterator[None]:
    """Close a descriptor at the end."""
    try:
        yield
    finally:
        os.close(fd)


def _stored(root: int, thing: uuid.UUID) -> os.stat_result:
    found = find(root, thing)
    if found is None:
        raise NotThere(f"{thing} is not stored here.")
    return found


def _check(size: int) -> None:
    if not 0 < size <= LARGEST:
        raise Refused(f"No volume can have {size} bytes.")
