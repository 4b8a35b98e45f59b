"""A worker on Redis whose acknowledgement fails stays able to hear.

kombu 5.7 frees the place that a message has taken (its prefetch credit) after the broker has taken the acknowledgement,
and not if the broker is away just then. With all places taken the worker hears nothing any more, though it is
connected. The bell itself comes again, by the visibility time-out or by the sweep, and finds nothing to do.
"""

from __future__ import annotations

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    """Frees the place whatever the broker says."""

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise


def install() -> None:
    """Have this process's channels to Redis, by Sentinel too, use it."""
    redis.Channel.QoS = QoS
