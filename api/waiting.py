"""Wait for the end of an operation: a bounded time, a bounded number of requests, one look for all of them.

A request that waits holds a thread and nothing else: no transaction, and no statement of its own. One thread per
process, there only while somebody waits, asks for all of them at once which are over, a few times a second. That is
cheaper than a look per waiter, and needs no channel that a pooler would not carry (PostgreSQL's NOTIFY).

Nothing depends on the wait: who is let go early is told the present state, and may ask again.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from api.problems import NotFound
from lifecycle import local
from lifecycle.models import Operation

log = structlog.get_logger(__name__)

PAUSE: Final = 0.25  # seconds between two looks for all who wait


class Full(Exception):
    """As many requests of this process wait as may."""


class Seats:
    """So many requests of a process may wait for one kind of thing: its other threads are for those that need not."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one more that waits, until the block ends.

        :raises Full: there are as many as may be.
        """
        with self._lock:
            if self._taken >= self._most():
                raise Full
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1


class Waiters:
    """Those who wait for operations in this process, and the one thread that looks for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[uuid.UUID, list[threading.Event]] = {}
        self._looks = False

    def wait(self, ident: uuid.UUID, seconds: float) -> None:
        """Return when the operation is over, when the time is, or when this process is to end."""
        over = threading.Event()
        with self._changed:
            self._waiting.setdefault(ident, []).append(over)
            if not self._looks:
                self._looks = True
                threading.Thread(target=self._look_on, name="operations", daemon=True).start()
        try:
            over.wait(seconds)
        finally:
            with self._changed:
                self._leave(ident, over)
                self._changed.notify_all()

    def _leave(self, ident: uuid.UUID, over: threading.Event) -> None:
        events = self._waiting[ident]
        events.remove(over)
        if not events:
            del self._waiting[ident]

    def _look_on(self) -> None:
        """Look until nobody waits any more."""
        try:
            while (wanted := self._wanted()) is not None:
                for ident in wanted if local.draining() else _over(wanted):
                    self._wake(ident)
        except Exception:
            log.exception(
                "operations that are waited for are not looked at; the next to wait has it begun anew"
            )
            with self._changed:
                self._looks = False
        finally:
            connection.close()

    def _wanted(self) -> list[uuid.UUID] | None:
        """Return what is waited for, after a pause; None when nobody waits, and then this thread looks no more."""
        with self._changed:
            end = time.monotonic() + PAUSE
            while self._waiting and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            if not self._waiting:
                self._looks = False
                return None
            return list(self._waiting)

    def _wake(self, ident: uuid.UUID) -> None:
        with self._changed:
            for event in self._waiting.get(ident, []):
                event.set()


def _over(wanted: list[uuid.UUID]) -> list[uuid.UUID]:
    """Return which of the operations are over or forgotten; none while the database does not answer."""
    try:
        going_on = Operation.objects.filter(pk__in=wanted, finished_at=None).values_list("pk", flat=True)
        return list(set(wanted) - set(going_on))
    except (DatabaseError, InterfaceError) as error:
        log.warning("operations that are waited for cannot be looked at", error=str(error))
        connection.close()
        return []


waiters: Final = Waiters()
seats: Final = Seats(lambda: int(settings.OPERATION_WAITERS))


def wait_for(operation: Operation, seconds: float) -> str | None:
    """Wait until the operation is over, for so many seconds at most; return why it was not waited for any longer.

    None where it is over. The instance is brought up to date.
    """
    if operation.finished_at is not None or not seconds:
        return None
    if local.draining():
        return DRAINS
    try:
        with seats.one():
            waiters.wait(operation.pk, seconds)
    except Full:
        return CROWDED
    try:
        operation.refresh_from_db()
    except Operation.DoesNotExist:  # over, and so long ago that it is forgotten
        raise NotFound(f"The operation {operation.pk} could not be found.") from None
    if operation.finished_at is not None:
        return None
    return DRAINS if local.draining() else f"It was not over after {seconds:g} s. Ask again to wait on."


DRAINS: Final = "This process is about to end. Ask again: another one will answer."
CROWDED: Final = "Too many requests wait for operations here: this is how it stands. Ask again in a moment."
