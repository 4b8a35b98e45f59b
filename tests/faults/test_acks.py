from __future__ import annotations

import logging
from typing import Any

from django.test import SimpleTestCase
from kombu import Connection, Queue

from tests.faults.ground import ground


class AckTests(SimpleTestCase):
    def test_an_acknowledgement_that_the_broker_did_not_take_leaves_the_worker_able_to_hear(self):
        stand = ground()
        with Connection(stand.broker_url) as connection:
            channel: Any = connection.channel()
            queue = Queue("acks")(channel)
            queue.declare()
            channel.basic_qos(0, 1, False)  # one place
            connection.Producer().publish("one", routing_key="acks")
            heard: list[Any] = []
            connection.Consumer([Queue("acks")], channel=channel, on_message=heard.append).consume()
            connection.drain_events(timeout=10)
            self.assertFalse(channel.qos.can_consume())
            stand.kill("valkey")
            try:
                heard[0].ack_log_error(
                    logging.getLogger("acks"), connection.connection_errors + connection.channel_errors
                )
            finally:
                stand.restart("valkey")
            self.assertTrue(channel.qos.can_consume())
