"""Heat's notifications: hints that a stack has moved, by which a watched bay is looked at sooner.

A notification never says what has happened: it is untrusted, may be lost, doubled, early or forged, and real ones are
sent before Heat has committed. So all that one can do is to bring the moment forward at which Heat is asked anyhow, and
not closer than a tick: a flood of them costs Heat no more calls than a short `HEAT_POLL` would. Each is acknowledged,
whatever it was: none can come twice.

They are read from a queue of this installation's own, shared by its nodes and bounded, so that nothing heaps up at the
cloud's RabbitMQ while nobody reads. Heat's exchange is never declared, only bound to: it is Heat's.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac
from kombu import Connection, Queue
from kombu.mixins import ConsumerMixin

from bays.models import Bay
from lifecycle.swap import swap_many

log = structlog.get_logger(__name__)

EXCHANGE = "heat"
ROUTING_KEY = "notifications.*"  # .info and .error
MOVED = re.compile(r"orchestration\.stack\.[a-z]+\.(end|error)")
SETTLE = timedelta(milliseconds=250)  # Heat commits after it has told
BIGGEST = 256 * 1024  # bytes; a real one has 2,000
BOUNDS = {
    "x-max-length": 10_000,
    "x-max-length-bytes": 16 * 1024 * 1024,
    "x-message-ttl": 60_000,  # ms; by then the bay was looked at without
    "x-expires": 24 * 3600 * 1000,
}
AT_ONCE = 100  # messages that one node has taken and not yet acknowledged
BIND_EVERY = 5.0  # seconds; the exchange is not durable, and its bindings go with it
TELL_EVERY = 60.0  # seconds between two lines in the log


class Malformed(ValueError):
    """What came is no notification."""


def stack_in(body: bytes | str) -> uuid.UUID | None:
    """Return the stack that a message says has moved; None if it is about something else.

    :raises Malformed: it is no notification of Heat's.
    """
    if len(body) > BIGGEST:
        raise Malformed(f"{len(body)} bytes")
    try:
        notification = json.loads(json.loads(body)["oslo.message"])
        event = notification["event_type"]
        if not MOVED.fullmatch(event):
            return None
        return uuid.UUID(notification["payload"]["stack_identity"])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise Malformed(f"{type(error).__name__}: {error}"[:200]) from error


def look_soon(stack_id: uuid.UUID) -> bool:
    """Have the bay of that stack looked at with the next tick if it is watched; tell whether that is sooner."""
    soon = Now() + SETTLE
    return bool(
        swap_many(Bay, stack_id=stack_id, watched=True, not_before__gt=soon, values={"not_before": soon})
    )


class Listener(ConsumerMixin):
    """Reads the queue for as long as its process lives; broker and database may come and go."""

    def __init__(self, url: str) -> None:
        self.connection = Connection(url, heartbeat=10, connect_timeout=2)
        self.heard: Counter[str] = Counter()
        self._link: Any = None
        self._bound: bool | None = None
        self._bind_at = 0.0
        self._told: Counter[str] = Counter()
        self._tell_at = time.monotonic() + TELL_EVERY

    def get_consumers(self, Consumer: Any, channel: Any) -> list[Any]:  # noqa: ARG002, N803 - kombu's signature
        """Consume the installation's queue, undecoded."""
        queue = Queue(queue_name(), durable=True, queue_arguments=BOUNDS)
        return [Consumer([queue], on_message=self.hear, prefetch_count=AT_ONCE)]

    @contextmanager
    def extra_context(  # type: ignore[override]
        self,
        connection: Any,
        channel: Any,  # noqa: ARG002 - kombu's signature
    ) -> Iterator[None]:
        """Bind as soon as there is a connection."""
        self._link, self._bind_at = connection, 0.0
        yield

    def on_iteration(self) -> None:
        """Do what is due, at least once a second."""
        close_old_connections()
        now = time.monotonic()
        if now >= self._bind_at:
            self._bind_at = now + BIND_EVERY
            self._bind()
        if now >= self._tell_at:
            self._tell_at = now + TELL_EVERY
            self.tell()

    def on_connection_error(self, exc: Exception, interval: float) -> None:
        """Say it in a line; bays are looked at all the same."""
        log.warning("Heat's notifications cannot be heard", error=str(exc), again_in=interval)

    def hear(self, message: Any) -> None:
        """Take one message in, and acknowledge it whatever it was."""
        try:
            self.heard[self._judge(message.body)] += 1
        finally:
            message.ack()

    def tell(self) -> None:
        """Log what was heard, if anything was since the last time."""
        if self.heard != self._told:
            log.info("Heat's notifications", **self.heard)
            self._told = self.heard.copy()

    def _judge(self, body: bytes | str) -> str:
        try:
            stack_id = stack_in(body)
        except Malformed as error:
            log.debug("no notification", error=str(error))
            return "malformed"
        if stack_id is None:
            return "other"
        try:
            return "sooner" if look_soon(stack_id) else "nothing_waits"
        except (DatabaseError, InterfaceError) as error:
            log.warning("a notification went unheard: the database is out of reach", error=str(error))
            connection.close()
            return "unheard"

    def _bind(self) -> None:
        channel = self._link.channel()
        try:
            channel.queue_bind(queue_name(), exchange=EXCHANGE, routing_key=ROUTING_KEY)
            bound = True
            channel.close()
        except self._link.channel_errors as error:  # and with it the channel is closed
            bound = False
            if self._bound is not False:
                log.warning("Heat has told nothing yet, its exchange is not there", error=str(error))
        if bound and not self._bound:
            log.info("Heat's notifications are heard", queue=queue_name())
        self._bound = bound


def queue_name() -> str:
    """Return the name of the queue: the same on all nodes of an installation, and no other's."""
    return f"roadstead.{salted_hmac('sync.notifications', settings.REGION).hexdigest()[:12]}"
