"""What a request has accepted, for whoever answers it: each row that it wrote, before and after, and the Operation.

Who accepts tells nobody in particular (`note`); who answers listens (`noted`). What a request takes back, to try it
anew, it writes within an `attempt`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db.models import Model

from lifecycle.models import Operation


@dataclass(frozen=True, slots=True)
class Accepted:
    """One row that a request wrote. `was` is None where the request made it, `now` where it took it away."""

    was: Model | None
    now: Model | None
    operation: Operation | None = None
    """Of a leased row; what is written along with one has none of its own."""


_noted: ContextVar[list[Accepted] | None] = ContextVar("accepted", default=None)


@contextmanager
def noted() -> Iterator[list[Accepted]]:
    """Collect what is accepted until the block ends."""
    changes: list[Accepted] = []
    token = _noted.set(changes)
    try:
        yield changes
    finally:
        _noted.reset(token)


def note(was: Model | None, now: Model | None, operation: Operation | None = None) -> None:
    """Tell whoever listens that a row was written."""
    listening = _noted.get()
    if listening is not None:
        listening.append(Accepted(was, now, operation))


@contextmanager
def attempt() -> Iterator[None]:
    """Have nothing noted of a block that fails: for who takes back what was written, and tries anew."""
    listening = _noted.get()
    before = len(listening or ())
    try:
        yield
    except BaseException:
        if listening is not None:
            del listening[before:]
        raise


def principal(changes: Iterable[Accepted]) -> Operation | None:
    """Return the operation to wait for: the last one that owes work, as what hangs on a resource goes before it.

    Where all was over at once it is the last one; None where nothing was asked of a leased resource.
    """
    operations = [change.operation for change in changes if change.operation is not None]
    owed = [operation for operation in operations if operation.state == Operation.State.IN_PROGRESS]
    found = owed or operations
    return found[-1] if found else None
