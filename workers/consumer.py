"""A worker's consumer: Celery's own, without what declares 28 queues for a delayed delivery that we never use."""

from __future__ import annotations

from celery.worker import consumer

UNUSED = {"celery.worker.consumer.delayed_delivery:DelayedDelivery"}


class Consumer(consumer.Consumer):
    """It would declare them at every start, on each host of BROKER_URL, and wait for those that are down."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc,valid-type]
        default_steps = [step for step in consumer.Consumer.Blueprint.default_steps if step not in UNUSED]
