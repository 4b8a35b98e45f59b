"""The bell: a Celery message that carries a row's id and nothing else.

A bell is a hint. A lost one costs the time until the sweep rings again, a doubled one costs one query, a
forged one finds nothing due. So ringing never fails, and never holds up who rings.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import Any

import structlog
from celery import Task, current_app
from django.db import transaction

from lifecycle.models import Leased

log = structlog.get_logger(__name__)

PATIENCE = 2.0  # seconds for one bell to be published
ONCE_MORE = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
}  # a kept connection may have died since
QUIET = 2.0  # seconds without an attempt after the broker was out of reach; the sweep rings later
_quiet_until = 0.0


def ring(task: Task[Any, Any], row: Leased, *, queue: str | None = None) -> bool:
    """Publish the bell for one row, in its own queue or another; False if the broker cannot be reached."""
    global _quiet_until  # noqa: PLW0603 - one broker per process
    if time.monotonic() < _quiet_until:
        return False
    try:
        patience: dict[str, Any] = {"timeout": PATIENCE, "confirm_timeout": PATIENCE}
        task.apply_async(
            kwargs={"pk": str(row.pk)},
            queue=queue or row.queue,
            retry=True,
            retry_policy=ONCE_MORE,
            ignore_result=True,
            **patience,
        )
    except Exception as error:  # noqa: BLE001 - each transport has its own errors, and none may reach who rings
        _quiet_until = time.monotonic() + QUIET
        log.warning("the broker is out of reach; the sweep will ring again", error=str(error))
        return False
    return True


def warm_up() -> None:
    """Do beforehand what would hold up the first bell of a process: load the transport and connect.

    For a supervisor, whose first bell is the one that counts: it takes a third of a second, the next a millisecond.
    """
    pool: Any = current_app.amqp.producer_pool
    with contextlib.suppress(Exception), pool.acquire(block=True) as producer:
        producer.connection.ensure_connection(max_retries=1, timeout=PATIENCE)
        producer.channel  # noqa: B018 - opens it


def ring_all(task: Task[Any, Any], rows: Iterable[Leased], *, queue: str | None = None) -> int:
    """Ring for each row and return for how many the bell was published."""
    return sum(ring(task, row, queue=queue) for row in rows)


def ring_on_commit(task: Task[Any, Any], row: Leased) -> None:
    """Ring after the transaction that owes the work has committed, and not if it does not."""
    transaction.on_commit(lambda: ring(task, row), robust=True)
