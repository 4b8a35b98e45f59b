"""What the operating system's errors are evidence of."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from volumes.backends.base import BackendError, NoSpace, Refused, Unavailable

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
TOO_LARGE = frozenset({errno.EFBIG, errno.EOVERFLOW})


@contextmanager
def translated(pool: str) -> Iterator[None]:
    """Have what the operating system refuses raised in the words of the protocol, without a path in it."""
    try:
        yield
    except OSError as error:
        raise _meaning(error, pool) from error


def _meaning(error: OSError, pool: str) -> BackendError:
    reason = f"Pool {pool}: {os.strerror(error.errno) if error.errno else 'an unknown error'}."
    if error.errno in FULL:
        return NoSpace(reason)
    if error.errno in TOO_LARGE:
        return Refused(f"Pool {pool}: its file system has no files that large.")
    # EROFS, EACCES, EPERM, EIO, ESTALE, a directory that is missing, and whatever else: it may work again later.
    return Unavailable(reason)
