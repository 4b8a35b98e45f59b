"""An attempt: the place of one call, the unfinished write in it, and the four ways to change what is stored.

Each names a path inside the attempt's own place. Once it has been overtaken that path is gone, so the call fails,
however late it comes.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import uuid
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from volumes.backends.base import Fenced, Refused
from volumes.backends.directory.pool import FENCES, FILE, VOLUMES, find, names, published, sync

FENCE = "fence"
TAIL = 4096  # bytes of the journal that are read: a record is shorter by far
UNSUPPORTED = frozenset({errno.EBADF, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


@dataclass(slots=True)
class Attempt:
    """One call's right to write to one thing."""

    root: int
    thing: uuid.UUID
    epoch: int
    number: int
    fence: int = -1

    @property
    def place(self) -> str:
        return f"{FENCES}/{self.thing}/{self.epoch}.{self.number}"

    def path(self, name: str) -> str:
        return f"{self.place}/{name}"

    def verify(self) -> None:
        """Raise Fenced if another call has overtaken this one."""
        try:
            os.stat(self.place, dir_fd=self.root, follow_symlinks=False)
        except FileNotFoundError:
            raise Fenced(f"A newer call than this one of epoch {self.epoch} is at work.") from None

    def clear(self) -> None:
        """Remove unfinished writes, and what was deleted but not yet freed."""
        for name in names(self.root, self.place):
            if name != FENCE:
                with suppress(FileNotFoundError):
                    os.unlink(self.path(name), dir_fd=self.root)

    def begin(self) -> tuple[str, int]:
        """Return the name and a descriptor of a new, empty part. Its name was never used before, nor its inode."""
        self.clear()
        os.ftruncate(self.fence, 0)
        name = f"part.{self.number}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | FILE
        part = os.open(self.path(name), flags, 0o600, dir_fd=self.root)
        self._hold(part)
        return name, part

    def resume(self, what: Mapping[str, Any]) -> tuple[str, int, int] | None:
        """Return name, descriptor and bytes done of the part that an earlier call left of this very work."""
        record = self._last_record()
        if record is None or record.get("what") != what:
            return None
        name = record["part"]
        try:
            part = os.open(self.path(name), os.O_RDWR | FILE, dir_fd=self.root)
        except FileNotFoundError:
            return None
        # A second link means that it has been published: it is the volume itself.
        if os.fstat(part).st_nlink != 1 or not self._hold(part):
            os.close(part)
            return None
        return name, part, record["copied"]

    def note(self, name: str, what: Mapping[str, Any], copied: int) -> None:
        """Write down how far the part has come. Its bytes up to there must be durable."""
        record = json.dumps({"part": name, "what": what, "copied": copied}, sort_keys=True).encode()
        os.write(self.fence, b"\n%08x %s\n" % (zlib.crc32(record), record))
        os.fsync(self.fence)

    def publish(self, name: str) -> None:
        """Have the part under the thing's name, durably; never over another file."""
        self.verify()
        try:
            os.link(self.path(name), published(self.thing), src_dir_fd=self.root, dst_dir_fd=self.root)
        except FileExistsError:
            found, part = find(self.root, self.thing), os.stat(self.path(name), dir_fd=self.root)
            if found is None or not os.path.samestat(found, part):
                raise Refused(f"Another file has appeared under the name of {self.thing}.") from None
        sync(self.root, VOLUMES)
        os.unlink(self.path(name), dir_fd=self.root)

    def replace(self, name: str) -> None:
        """Have the part instead of what is stored under the thing's name, durably and all at once."""
        self.verify()
        os.rename(self.path(name), published(self.thing), src_dir_fd=self.root, dst_dir_fd=self.root)
        sync(self.root, VOLUMES)

    def remove(self) -> None:
        """Have nothing under the thing's name, durably."""
        self.clear()
        if find(self.root, self.thing) is not None:
            os.rename(published(self.thing), self.path("trash"), src_dir_fd=self.root, dst_dir_fd=self.root)
        sync(self.root, VOLUMES)
        self.clear()

    def grow(self, size: int) -> bool:
        """Have the stored thing at least this large; False if its file system has no safe way to do that.

        Not by ftruncate: one that comes late would cut off what was added since. fallocate never shrinks and changes
        no byte. O_APPEND keeps the C library from imitating it by writing zeros.
        """
        volume = os.open(published(self.thing), os.O_WRONLY | os.O_APPEND | FILE, dir_fd=self.root)
        try:
            if os.fstat(volume).st_size < size:
                self.verify()
                try:
                    os.posix_fallocate(volume, size - 1, 1)
                except OSError as error:
                    if error.errno in UNSUPPORTED:
                        return False
                    raise
            os.fsync(volume)
        finally:
            os.close(volume)
        return True

    def _hold(self, part: int) -> bool:
        # On NFS a lock that the server gave away makes what its old holder still writes fail.
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _last_record(self) -> dict[str, Any] | None:
        """Return the last record that was written whole."""
        size = os.fstat(self.fence).st_size
        for line in reversed(os.pread(self.fence, TAIL, max(0, size - TAIL)).splitlines()):
            checksum, _, record = line.partition(b" ")
            if checksum == b"%08x" % zlib.crc32(record):
                read: dict[str, Any] = json.loads(record)
                return read
        return None
