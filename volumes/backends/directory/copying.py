"""How bytes get from one file into another: shared at once where the file system can, else chunk by chunk."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

FICLONE = (
    0x40049409  # _IOW(0x94, 9, int) as x86, Arm, RISC-V and s390 encode it; elsewhere copies are chunked
)
UNSUPPORTED = frozenset(
    {errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EBADF, errno.ETXTBSY}
)
BUFFER = 2**20


@dataclass(frozen=True)
class Pace:
    """How much between two looks around, and how fast: bytes, and bytes per second."""

    chunk: int = 64 * 2**20
    rate: int | None = None

    @property
    def step(self) -> int:
        """About a second's worth where there is a rate: nobody is made to wait longer for an answer."""
        return self.chunk if self.rate is None else max(1, min(self.chunk, self.rate))


def share(source: int, target: int) -> bool:
    """Have an empty file hold the same blocks as another; False if these two files cannot share."""
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return False
        raise
    return True


def can_share(root: int) -> bool:
    """Try whether files in a directory can share blocks."""
    place = f"/proc/self/fd/{root}"
    with tempfile.TemporaryFile(dir=place) as source, tempfile.TemporaryFile(dir=place) as target:
        source.write(bytes(BUFFER))
        source.flush()
        return share(source.fileno(), target.fileno())


def copy(source: int, target: int, start: int, end: int, pace: Pace) -> Iterator[int]:
    """Copy what is data from `start` to `end`; yield after each chunk how far it has come.

    The target holds zeros there, and nothing is written where the source has a hole.
    """
    position = start
    while position < end:
        began = time.monotonic()
        position, moved = _chunk(source, target, position, end, pace.step)
        if pace.rate is not None:
            time.sleep(max(0.0, moved / pace.rate - (time.monotonic() - began)))
        yield position


def _chunk(source: int, target: int, position: int, end: int, budget: int) -> tuple[int, int]:
    moved = 0
    while position < end and moved < budget:
        try:
            position = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole is left
                return end, moved
            raise
        stop = min(os.lseek(source, position, os.SEEK_HOLE), end)
        while position < stop and moved < budget:
            done = _move(source, target, position, min(stop - position, budget - moved))
            position += done
            moved += done
    return min(position, end), moved


def _move(source: int, target: int, position: int, length: int) -> int:
    try:
        if done := os.copy_file_range(source, target, length, position, position):
            return done
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    data = os.pread(source, min(length, BUFFER), position)
    if not data:
        raise OSError(errno.EIO, "the source has become shorter")
    return os.pwrite(target, data, position)
