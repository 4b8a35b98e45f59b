"""Wait for what only a worker can do, in the API: a bounded time, outside any transaction, by short looks at the row.

No more than CONNECT_WAITERS requests of a process wait at once: its other threads are for requests that need no worker.
Nothing depends on the wait. The work was accepted before and goes on after; who asks again joins the wait.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from api.problems import BadRequest, Conflict, Unavailable
from api.waiting import Full, Seats
from lifecycle.models import Node
from volumes.models import Connection, ServiceState
from volumes.states import CONNECTED, CONNECTION, ERROR_DISCONNECTING

FIRST: Final = 0.005  # seconds until the second look; each pause is longer than the one before
LONGEST: Final = 0.1
GROWTH: Final = 1.4
TRIES: Final = 2  # after so many in vain the back-end is silent, and waiting on would only fill the API

_seats: Final = Seats(lambda: int(settings.CONNECT_WAITERS))


def at_rest(way: QuerySet[Connection]) -> Connection | None:
    """Return the connection once no work is owed on it; None if there is none, or none any more.

    :raises Unavailable: that takes longer than CONNECT_WAIT, the back-end does not answer or no live node serves it, or
        as many wait already as may.
    """
    end = time.monotonic() + settings.CONNECT_WAIT
    row = _look(way, end)
    if row is None or row.status not in CONNECTION.busy:
        return row
    with _a_seat(row):
        if not _is_served(row.backend):
            raise _still(row, f"No node that is alive serves back-end {row.backend}.")
        pause = FIRST
        while row is not None and row.status in CONNECTION.busy:
            time.sleep(pause)
            pause = min(pause * GROWTH, LONGEST)
            row = _look(way, end)
    return row


def _look(way: QuerySet[Connection], end: float) -> Connection | None:
    """Return the connection as it is now.

    :raises Unavailable: work is owed on it, and it is not worth while to wait for that any longer.
    """
    row = way.first()
    if row is None or row.status not in CONNECTION.busy:
        return row
    if row.retries >= TRIES or time.monotonic() > end:
        raise _still(row, row.status_reason)
    return row


@contextmanager
def _a_seat(row: Connection) -> Iterator[None]:
    """Count one more that waits, until the block ends.

    :raises Unavailable: there are as many as may be.
    """
    try:
        with _seats.one():
            yield
    except Full:
        raise _still(row, "Too many requests wait for hosts to be connected.") from None


def _is_served(backend: str) -> bool:
    """Tell whether a worker that is alive takes the back-end's work."""
    told = ServiceState.objects.filter(backend=backend, disabled=True).values("node")
    workers = Node.objects.alive().filter(kind=Node.Kind.WORKER, draining=False)
    return workers.filter(serves__contains=[backend]).exclude(name__in=told).exists()


def _still(row: Connection, why: str) -> Unavailable:
    return Unavailable(f"Host {row.host} is still {row.status}; that goes on. Ask again. {why}".rstrip())


def connected(way: QuerySet[Connection]) -> Connection:
    """Return the connection once it is made.

    :raises BadRequest: it cannot be made; with the back-end's reason.
    :raises Conflict: it was ended meanwhile.
    :raises Unavailable: see `at_rest`.
    """
    row = at_rest(way)
    if row is None or row.status == ERROR_DISCONNECTING:
        raise Conflict("The host was disconnected meanwhile, by another request.")
    if row.status != CONNECTED:
        raise BadRequest(
            f"Host {row.host} cannot be connected to volume {row.volume_id}: {row.status_reason}"
        )
    return row


def disconnected(way: QuerySet[Connection]) -> None:
    """Return once the connection has ended, or once another request has taken it over.

    :raises BadRequest: it cannot be ended; with the back-end's reason.
    :raises Unavailable: see `at_rest`.
    """
    row = at_rest(way)
    if row is not None and row.status == ERROR_DISCONNECTING:
        raise BadRequest(
            f"Host {row.host} cannot be disconnected from volume {row.volume_id}: {row.status_reason}"
        )
