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
from workers.ringer import Ringer

log = structlog.get_logger(__name__)

PATIENCE = 2.0  # seconds for one bell to be published
AT_ONCE = 0.5  # seconds; what failed sooner was a kept connection that had died, and a new one may do
QUIET = 2.0  # seconds without an attempt after the broker was out of reach; the sweep rings later
_quiet_until = 0.0


def ring(task: Task[Any, Any], row: Leased, *, queue: str | None = None) -> bool:
    """Publish the bell for one row, in its own queue or another; False if the broker cannot be reached."""
    global _quiet_until  # noqa: PLW0603 - one broker per process
    if time.monotonic() < _quiet_until:
        return False
    try:
        _publish(task, row, queue or row.queue)
    except Exception as error:  # noqa: BLE001 - each transport has its own errors, and none may reach who rings
        _quiet_until = time.monotonic() + QUIET
        log.warning("the broker is out of reach; the sweep will ring again", error=str(error))
        return False
    return True


def _publish(task: Task[Any, Any], row: Leased, queue: str) -> None:
    """Publish, over a new connection if the kept one has died; never twice where the broker does not answer.

    Celery's own retry would: a broker that hangs would then be waited for three times over.
    """
    patience: dict[str, Any] = {"timeout": PATIENCE, "confirm_timeout": PATIENCE}
    pool: Any = current_app.amqp.producer_pool
    with pool.acquire(block=True) as producer:
        for once_more in (True, False):
            began = time.monotonic()
            try:
                task.apply_async(
                    kwargs={"pk": str(row.pk)},
                    queue=queue,
                    producer=producer,
                    retry=False,
                    ignore_result=True,
                    **patience,
                )
            except Exception:
                broker = producer.connection
                broker.collect()  # without a word of farewell, which may not be answered either
                broker.maybe_switch_next()
                producer.revive(broker)
                if not once_more or time.monotonic() - began > AT_ONCE:
                    raise
            else:
                return


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


def gather_on_commit(task: Task[Any, Any], row: Leased) -> None:
    """Ring likewise, but at most once per moment for a queue: for work that is short, whose task takes further rows."""
    transaction.on_commit(lambda: ringer.ring(task, row), robust=True)


ringer = Ringer(ring)
