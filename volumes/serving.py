"""A worker hears the bells of those back-ends whose work it may take; operators change which as it runs."""

from __future__ import annotations

import threading
from typing import Any

import structlog
from celery import bootsteps
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from volumes.models import ServiceState
from volumes.models.volumes import queue_of

log = structlog.get_logger(__name__)

LOOK = 1.0  # seconds between two looks at what operators said


class QueueKeeper(bootsteps.StartStopStep):
    """Leaves the queue of a back-end that the node was told not to serve, and joins it again.

    A bell that comes meanwhile is answered by nobody, since the claim refuses too; the sweep rings it elsewhere.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._ended = threading.Event()

    def start(self, consumer: Any) -> None:
        """Begin to look."""
        # Of this connection to the broker: the look of an earlier one may not have ended yet.
        self._ended = threading.Event()
        look = (consumer, self._ended)
        threading.Thread(target=self._keep, args=look, name="queues", daemon=True).start()

    def stop(self, consumer: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Stop looking; the next connection to the broker begins anew."""
        self._ended.set()

    def _keep(self, consumer: Any, ended: threading.Event) -> None:
        while not ended.is_set():
            close_old_connections()
            try:
                look(consumer)
            except (DatabaseError, InterfaceError) as error:
                log.warning("operators cannot be heard; the queues stay as they are", error=str(error))
                connection.close()
            ended.wait(LOOK)
        connection.close()


def look(consumer: Any) -> None:
    """Have the consumer hear the bells of what this process may serve now, and of no other back-end."""
    # Celery's own word, since it stays away from a queue that it left even over a lost connection.
    consumed = consumer.app.amqp.queues.consume_from
    heard = {name for name in settings.SERVES if queue_of(name) in consumed}
    wanted = set(ServiceState.serving())
    for name in heard - wanted:
        log.info("told not to serve a back-end", backend=name)
        consumer.call_soon(consumer.cancel_task_queue, queue_of(name))
    for name in wanted - heard:
        log.info("told to serve a back-end again", backend=name)
        consumer.call_soon(consumer.add_task_queue, queue_of(name))
