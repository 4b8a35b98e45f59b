"""Who may write: a fence for each volume and snapshot, on the storage itself.

`fences/<uuid>` holds one directory, named by the highest epoch and a number that each call raises. A call *overtakes*:
it renames that directory to its own epoch and the next number. From that moment on every path that the one before it
may still use is gone, and it uses no other means to change a name: it publishes by a link out of its directory and
deletes by a rename into it. Then the call locks `fence` in the directory. Who has the lock knows that nobody else is
inside, and may go on with the unfinished write it finds. Who does not get it in time (the holder is frozen or hung)
takes a new fence and new files, so that what the other still writes goes into files that have no name.

Never keep a descriptor of the directory: it would follow the rename. docs/decisions/0010 has the whole argument.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from volumes.backends.base import BackendError, Fenced, Refused, Unavailable
from volumes.backends.directory.attempt import FENCE, Attempt
from volumes.backends.directory.errors import FULL, TOO_LARGE
from volumes.backends.directory.pool import FENCES, FILE, names, sync

TRIES = 1000  # each lost race is another call's success
LOOK_AGAIN = 0.01  # seconds; flock has no timed wait
TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY})


@contextmanager
def attempt(root: int, thing: uuid.UUID, epoch: int, patience: float) -> Iterator[Attempt]:
    """Lend the right to write to a thing, until another call with this epoch or a higher one overtakes.

    :raises Fenced: a writer with a higher epoch has been here, or comes while this one works.
    """
    mine = _overtake(root, thing, epoch)
    try:
        lock = _lock(mine, patience)
        try:
            mine.verify()
            yield mine
        finally:
            os.close(lock)
    except (OSError, BackendError) as error:
        # What is gone because this call was overtaken is no failure of the storage.
        mine.verify()
        if isinstance(error, OSError) and error.errno in FULL | TOO_LARGE:
            with suppress(OSError):
                mine.clear()
        raise


def places(root: int, thing: uuid.UUID) -> list[tuple[int, int]]:
    """Return epoch and number of what is in a thing's home, highest last: one, or none if nobody wrote to it yet."""
    try:
        return sorted(_read(name) for name in names(root, f"{FENCES}/{thing}"))
    except FileNotFoundError:
        return []


def _overtake(root: int, thing: uuid.UUID, epoch: int) -> Attempt:
    home = f"{FENCES}/{thing}"
    for _ in range(TRIES):
        found = places(root, thing)
        if not found:
            _found_home(root, thing)
            continue
        highest, number = found[-1]
        if highest > epoch:
            raise Fenced(f"A writer with epoch {highest} was here before epoch {epoch}.")
        mine = Attempt(root, thing, epoch, number + 1)
        try:
            os.rename(f"{home}/{highest}.{number}", mine.place, src_dir_fd=root, dst_dir_fd=root)
        except FileNotFoundError:
            continue
        sync(root, home)
        return mine
    raise Unavailable(f"{thing} has no lasting fence: its file system shows old names.")


def _found_home(root: int, thing: uuid.UUID) -> None:
    """Have a home with its first place in it, both at once: a place must never be made where another one was."""
    home, staging = f"{FENCES}/{thing}", f"{FENCES}/.{thing}"
    try:
        with suppress(FileExistsError):
            os.mkdir(staging, 0o700, dir_fd=root)
        with suppress(FileExistsError):
            os.mkdir(f"{staging}/0.0", 0o700, dir_fd=root)
        os.rename(staging, home, src_dir_fd=root, dst_dir_fd=root)
        sync(root, FENCES)
    except FileNotFoundError:
        return  # another call's rename came between: look again
    except OSError as error:
        if error.errno not in TAKEN:
            raise
        for leftover in (f"{staging}/0.0", staging):
            with suppress(OSError):  # gone, or in use by another first call
                os.rmdir(leftover, dir_fd=root)


def _lock(mine: Attempt, patience: float) -> int:
    """Return a locked descriptor of the fence; what it then finds beside it nobody else writes to."""
    deadline = time.monotonic() + patience
    while True:
        fence = os.open(
            mine.path(FENCE), os.O_RDWR | os.O_CREAT | os.O_APPEND | FILE, 0o600, dir_fd=mine.root
        )
        try:
            while not _locked(fence):
                if time.monotonic() > deadline:
                    break
                mine.verify()
                time.sleep(LOOK_AGAIN)
            else:
                mine.fence = fence
                return fence
        except BaseException:
            os.close(fence)
            raise
        os.close(fence)
        mine.clear()
        os.unlink(mine.path(FENCE), dir_fd=mine.root)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(name: str) -> tuple[int, int]:
    epoch, _, number = name.partition(".")
    try:
        return int(epoch), int(number)
    except ValueError:
        raise Refused(f"A fence holds what is none of ours: {name!r}.") from None
