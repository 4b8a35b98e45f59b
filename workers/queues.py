"""How queues are declared on RabbitMQ: replicated, bounded, and rid of what nobody comes for.

All of it follows from what a bell is: one that is dropped is rung again by the sweep. On Redis a queue is a list and
takes no arguments. RabbitMQ refuses to declare a queue anew with other arguments than it has: whoever changes them here
has operators delete the queues, which costs nothing but bells.
"""

from __future__ import annotations

from typing import Any

from celery.app import amqp
from django.conf import settings
from kombu import Queue

from workers.connection import Connection

DELIVERIES = 5  # a message that has ended as many workers is dropped
LENGTH = 100_000  # above it the oldest bell goes
NODE = "node."  # what the names of queues begin with that one node alone listens to
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
