"""Heat's notifications through a real RabbitMQ to a real node: a good one cuts the lag, all others do no harm.

The embedded Heat notifies nobody, so the test does in its place, in Heat's own words.
"""

from __future__ import annotations

import json
import signal
import statistics
import time
import uuid
from datetime import datetime, timedelta
from typing import ClassVar

from amqp import Message
from amqp.exceptions import NotFound
from django.db.models.functions import Now

from bays.models import Bay
from bays.states import Status
from chaos.processes import send
from deploy.rabbitmq import Rabbit
from lifecycle.models import Event
from sync.notifications import EXCHANGE, queue_name
from tests.faults.base import FaultTestCase, say
from tests.faults.brokers import RabbitMQ
from tests.faults.ground import Ground, ground, heat_ground
from tests.faults.whole import PATIENCE
from tests.sync.test_notifications import GARBAGE, notification

POLL = 10.0  # seconds between two looks at a stack
BOOT = 3  # seconds that a stack takes


class NotificationTests(FaultTestCase):
    rabbit: ClassVar[Rabbit]  # Heat's; the broker of the node is Valkey

    @classmethod
    def stand(cls) -> Ground:
        broker = ground("rabbitmq").broker
        assert isinstance(broker, RabbitMQ)
        (cls.rabbit,) = broker.nodes
        with cls.rabbit.connect() as link:
            link.channel().exchange_delete(EXCHANGE)
        return heat_ground()

    @classmethod
    def telling(cls, number: int) -> dict[str, str]:
        more = {"HEAT_NOTIFICATIONS_URL": cls.rabbit.url(), "ROADSTEAD_HEAT_POLL": str(POLL)}
        return {**super().telling(number), **more}

    def setUp(self) -> None:
        super().setUp()
        with self.rabbit.connect() as link:  # as Heat does with its first notification
            link.channel().exchange_declare(EXCHANGE, "topic", durable=False, auto_delete=False)
        self.await_(self.is_heard, "the node has bound its queue to Heat's exchange")

    def is_heard(self) -> bool:
        """Tell whether what is published comes into the node's queue, and that it reads it."""
        with self.rabbit.connect() as link:
            channel = link.channel()
            returned: list[object] = []
            channel.events["basic_return"].add(lambda *_: returned.append(1))
            try:
                channel.basic_publish(
                    Message("{}"), exchange=EXCHANGE, routing_key="notifications.info", mandatory=True
                )
                channel.queue_declare(queue_name(), passive=True)  # and back, after what was returned
            except NotFound:
                return False
        return not returned

    def listeners(self) -> int:
        """Return how many processes read the queue."""
        with self.rabbit.connect() as link:
            return int(link.channel().queue_declare(queue_name(), passive=True).consumer_count)

    def publish(self, *bodies: str | bytes, kind: str = "application/json") -> None:
        with self.rabbit.connect() as link:
            channel = link.channel()
            for body in bodies:
                message = Message(body, content_type=kind, content_encoding="utf-8")
                channel.basic_publish(message, exchange=EXCHANGE, routing_key="notifications.info")

    def tell(self, stack_id: uuid.UUID | None, event: str = "create.end") -> None:
        self.publish(json.dumps(notification(stack_id, event)))

    def lags(self, count: int, *, told: bool) -> list[float]:
        """Create bays and return how long after its stack was complete each of them was seen to be."""
        bays = self.create(count, boot_seconds=BOOT)
        self.await_(
            lambda: Bay.objects.filter(pk__in=bays, watched=True).count() == count, "all wait for Heat"
        )
        Bay.objects.filter(pk__in=bays).update(not_before=Now() + timedelta(seconds=POLL))  # just looked at
        waiting = dict(Bay.objects.filter(pk__in=bays).values_list("pk", "stack_id"))
        done: dict[uuid.UUID, datetime] = {}
        end = time.monotonic() + 2 * PATIENCE
        while waiting:
            self.assertLess(time.monotonic(), end, self.picture())
            stacks = self.ground.heat.by_ids([stack for stack in waiting.values() if stack])
            for bay, stack in list(waiting.items()):
                if stack in stacks and stacks[stack].status == "COMPLETE":
                    done[bay] = self.now()
                    del waiting[bay]
                    if told:
                        self.tell(stack)
            time.sleep(0.05)
        self.await_status(bays, Status.CREATE_COMPLETE)
        created = {event.resource_id: event.at for event in self.events("created")}
        return [(created[bay] - done[bay]).total_seconds() for bay in bays]

    def test_a_good_one_cuts_the_lag(self) -> None:
        without, told = self.lags(4, told=False), self.lags(4, told=True)
        for what, lags in (("without", without), ("with", told)):
            middle, last = statistics.median(lags), max(lags)
            say(
                f"lag behind Heat, a look each {POLL:g} s, {what} notifications: p50 {middle:.2f} s max {last:.2f} s"
            )
        self.assertLess(max(told), min(without))
        self.assert_all_is_well()

    def test_lost_early_doubled_and_forged_ones_do_no_harm(self) -> None:
        pid = self.nodes[0].pid("notifications")
        bays = self.create(2, boot_seconds=BOOT)
        self.await_(lambda: Bay.objects.filter(watched=True).count() == 2, "both wait for Heat")
        early, lost = Bay.objects.order_by("pk")
        before = self.proxy.total("GET", "stacks")
        for event in ("create.end", "create.error", "delete.end", "update.error", "create.end"):
            self.tell(early.stack_id, event)  # none is true
            self.tell(uuid.uuid4(), event)
        self.publish(*GARBAGE)
        self.publish(b"\x80\x04K\x01.", kind="application/x-python-serialize")
        self.publish("x" * 20_000_000)
        self.await_(lambda: self.proxy.total("GET", "stacks") > before, "Heat is asked, and says how it is")
        self.await_status(bays, Status.CREATE_COMPLETE)
        self.assertEqual(
            set(Event.objects.filter(resource_id=lost.pk).values_list("event", flat=True)),
            set(Event.objects.filter(resource_id=early.pk).values_list("event", flat=True)),
        )
        settled = list(Bay.objects.order_by("pk").values_list("pk", "status", "epoch", "updated_at"))
        for bay in (early, lost):
            self.tell(bay.stack_id, "delete.end")
        self.await_(lambda: not self.rabbit.waiting(queue_name()), "all were taken")
        self.tell(None)
        self.assertEqual(
            list(Bay.objects.order_by("pk").values_list("pk", "status", "epoch", "updated_at")), settled
        )
        self.assertEqual(
            self.nodes[0].pid("notifications"), pid, "none has ended the process that hears them"
        )
        self.assert_all_is_well()

    def test_each_node_listens_and_a_listener_that_is_killed_is_replaced(self) -> None:
        self.have(2)
        self.addCleanup(self.have, 1)
        self.await_(lambda: self.listeners() == 2, "both nodes listen")
        pid = self.nodes[0].pid("notifications")
        send([pid], signal.SIGKILL)
        replaced = lambda: self.nodes[0].pids().get("notifications") not in {None, pid}  # noqa: E731
        self.await_(replaced, "its node starts another")
        self.await_(lambda: self.listeners() == 2, "which listens")
        (bay,) = self.created()
        self.tell(Bay.objects.get(pk=bay).stack_id)
        self.await_(lambda: not self.rabbit.waiting(queue_name()), "what is told is taken")
        self.delete(bay)
        self.await_gone(bay)
        self.assert_all_is_well()

    def test_it_hears_again_after_heats_rabbitmq_was_restarted_and_its_exchange_gone(self) -> None:
        pid = self.nodes[0].pid("notifications")
        servers = ground("rabbitmq")
        servers.kill(self.rabbit.name)
        servers.restart(self.rabbit.name)
        self.await_(self.rabbit.is_ready, "RabbitMQ is back")
        (bay,) = self.created()  # without any notification
        with self.rabbit.connect() as link:
            link.channel().exchange_declare(EXCHANGE, "topic", durable=False, auto_delete=False)
        self.await_(self.is_heard, "it has bound its queue again")
        self.await_(lambda: not self.rabbit.waiting(queue_name()), "and reads it")
        self.assertEqual(self.nodes[0].pid("notifications"), pid)
        self.delete(bay)
        self.await_gone(bay)
        self.assert_all_is_well()
