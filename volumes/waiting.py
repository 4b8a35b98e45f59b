"""Wait for what only a worker can do, in the API: a bounded time, outside any transaction, by short looks at the row.

Nothing depends on the wait. The work was accepted before and goes on after; who asks again joins the wait.
"""

from __future__ import annotations

import time
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from api.problems import BadRequest, Conflict, Unavailable
from volumes.models import Connection
from volumes.states import CONNECTED, CONNECTION, ERROR_DISCONNECTING

FIRST: Final = 0.005  # seconds until the second look; each pause is longer than the one before
LONGEST: Final = 0.1
GROWTH: Final = 1.4
TRIES: Final = 2  # after so many in vain the back-end is silent, and waiting on would only fill the API


def at_rest(way: QuerySet[Connection]) -> Connection | None:
    """Return the connection once no work is owed on it; None if there is none, or none any more.

    :raises Unavailable: that takes longer than CONNECT_WAIT, or the back-end does not answer.
    """
    end = time.monotonic() + settings.CONNECT_WAIT
    pause = FIRST
    while (row := way.first()) is not None and row.status in CONNECTION.busy:
        if row.retries >= TRIES or time.monotonic() > end:
            why = f" {row.status_reason}" if row.status_reason else ""
            raise Unavailable(f"Host {row.host} is still {row.status}; that goes on. Ask again.{why}")
        time.sleep(pause)
        pause = min(pause * GROWTH, LONGEST)
    return row


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
