"""How queues are declared on RabbitMQ: replicated, bounded, and rid of what nobody comes for.

All of it follows from what a bell is: one that is dropped is rung again by the sweep. On Redis a queue is a list and
takes no arguments. RabbitMQ refuses to declare a queue anew with other arguments than it has: whoever changes them here
has operators delete the queues, which costs nothing but bells.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery import Celery
from celery.app import amqp
from django.conf import settings
from kombu import Queue

from workers.connection import Connection

log = structlog.get_logger(__name__)

DELIVERIES = 5  # a message that has ended as many workers is dropped
LENGTH = 100_000  # above it the oldest bell goes
NODE = "node."  # what the names of queues begin with that one node alone listens to
PROBE = "sync.sweep"  # a message that does no harm wherever it comes
PATIENCE = 2.0  # seconds for a queue to take one, or to be deleted
DAY = 24 * 3600 * 1000  # ms after which such a queue goes if its node does not come back


def arguments(name: str) -> dict[str, Any] | None:
    """Return what RabbitMQ is told of a queue; None on Redis."""
    if settings.BROKER_KIND != "rabbitmq":
        return None
    found: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERIES,
        "x-max-length": LENGTH,
        "x-overflow": "drop-head",
    }
    # Not for all: kombu would declare a queue that may expire anew with each bell, three round trips more.
    return found | {"x-expires": DAY} if name.startswith(NODE) else found


class Queues(amqp.Queues):
    """Every queue is declared alike, whatever its name."""

    def __setitem__(self, name: str, queue: Queue) -> None:
        queue.queue_arguments = arguments(name)
        super().__setitem__(name, queue)


class AMQP(amqp.AMQP):
    """What `Celery(amqp=...)` takes."""

    queues_cls = Queues
    Connection = Connection


def delete_dead(app: Celery) -> list[str]:
    """Delete those queues of this worker that RabbitMQ has and that take no message; return their names.

    A quorum queue that was declared seconds before its only node lost its power is there and dead ever after. Deleted,
    it is declared anew by the next worker that starts; what is lost with one that lives is bells.
    """
    if settings.BROKER_KIND != "rabbitmq":
        return []
    dead = [name for name in app.amqp.queues.consume_from if not _takes(app, name)]
    for name in dead:
        log.error("the queue takes no message; it is deleted, to be declared anew", queue=name)
        deletion = threading.Thread(target=_delete, args=(app, name), daemon=True)
        deletion.start()
        deletion.join(PATIENCE)  # no longer: RabbitMQ may not answer for a queue that has no majority
    return dead


def _takes(app: Celery, name: str) -> bool:
    with _link(app) as broker:
        try:
            app.send_task(
                PROBE,
                queue=name,
                producer=app.amqp.Producer(broker),
                retry=False,
                ignore_result=True,
                confirm_timeout=PATIENCE,
            )
        except Exception:  # noqa: BLE001 - each transport has its own errors
            return False
    return True


def _delete(app: Celery, name: str) -> None:
    with _link(app) as broker:
        channel: Any = broker.default_channel
        channel.queue_delete(name)


@contextmanager
def _link(app: Celery) -> Iterator[Any]:
    """Lend a connection that is left without a farewell: none is answered after a word to a dead queue."""
    broker: Any = app.connection_for_write()
    try:
        yield broker
    finally:
        broker.collect()
