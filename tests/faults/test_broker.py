"""The broker loses what it has, dies, or brings forged messages: it was only the bell."""

from __future__ import annotations

import uuid
from functools import partial

import redis
from kombu import Connection, Exchange, Producer

from bays.models import Bay
from bays.states import Status
from lifecycle.models import Event
from project.celery import app
from tests.faults.base import FaultTestCase


class BrokerTests(FaultTestCase):
    def test_bells_that_a_wiped_broker_lost_are_rung_again(self) -> None:
        with self.proxy.hold("POST", "stacks") as hold:
            bays = self.create(12)
            self.await_(lambda: hold.held >= 4, "every child works")
            self.await_(lambda: self.ground.broker.waiting("bells"), "bells wait in the broker")
            self.ground.broker.forget()
        self.await_status(bays, Status.CREATE_COMPLETE)
        self.assert_all_is_well()

    def test_requests_are_accepted_while_the_broker_is_down_and_done_when_it_is_back(self) -> None:
        with self.proxy.hold("POST", "stacks") as hold:
            bays = self.create(6)
            self.await_(lambda: hold.held >= 4, "every child works")
            for server in self.ground.broker.servers:
                self.ground.kill(server)
                self.addCleanup(self.ground.restart, server)
            bays += self.create(4)  # each is answered with 202
        self.assertEqual(Bay.objects.filter(pk__in=bays).count(), 10)
        for server in self.ground.broker.servers:
            self.ground.restart(server)
        self.await_status(bays, Status.CREATE_COMPLETE)
        self.assert_all_is_well()

    def test_forged_and_doubled_messages_do_nothing(self) -> None:
        (settled,) = self.created()
        before = list(Event.objects.values_list("pk", flat=True)), Bay.objects.get().epoch
        worker, *children = self.nodes[0].worker_tree()
        forged: list[dict[str, object]] = [
            {"pk": str(uuid.uuid4())},
            {"pk": str(settled)},
            {"pk": str(settled), "status": "DELETE_IN_PROGRESS", "node_count": 100},
            {"pk": "no uuid"},
            {"pk": None},
            {"pk": ["a", "list"]},
            {"pk": {"a": "mapping"}},
            {"pk": "x" * 100_000},
            {},
        ]
        with Connection(self.ground.broker_url) as link:
            # Undeclared: this process may know another kind of broker, which declares otherwise.
            send = partial(app.send_task, queue="bells", connection=link, declare=[])
            for kwargs in forged:
                send("bays.advance_bay", kwargs=kwargs)
            send("bays.advance_bay", args=[str(settled)])
            send("os.system", args=["touch /tmp/pwned"])
            send("sync.sweep", kwargs={"pk": 1})
            producer = Producer(link, exchange=Exchange("bells", "direct"), routing_key="bells")
            headers = {"task": "bays.advance_bay", "id": str(uuid.uuid4()), "lang": "py"}
            pickled = b"cos\nsystem\n(S'touch /tmp/pwned'\ntR."
            for body, kind in (
                (pickled, "application/x-python-serialize"),
                (b"\xff\xfe", "application/json"),
                (b"[]", "application/json"),
                (b"null", "application/json"),
                (b'[[], {"pk": 7}, null]', "application/json"),
                (b"", "text/plain"),
            ):
                for its in (headers, {}):
                    producer.publish(
                        body, content_type=kind, content_encoding="utf-8", headers=its, serializer=None
                    )
            (real,) = self.create()
            for _ in range(5):
                send("bays.advance_bay", kwargs={"pk": str(real)})
        self.await_status([real], Status.CREATE_COMPLETE)
        self.assertEqual(self.proxy.total("POST", "stacks"), 2)
        self.await_(lambda: not self.ground.broker.waiting("bells"), "all forged messages were taken")
        self.assertEqual(self.nodes[0].worker_tree(), [worker, *children])
        others = Event.objects.exclude(resource_id=real)
        self.assertEqual(
            (list(others.values_list("pk", flat=True)), Bay.objects.get(pk=settled).epoch), before
        )
        self.assert_all_is_well()


class ValkeyTests(FaultTestCase):
    def test_what_is_no_message_at_all_costs_a_worker_at_most(self) -> None:
        """Celery ends on what it cannot even unpack; the supervisor starts it again and no work is lost."""
        with self.proxy.hold("POST", "stacks") as hold:
            bays = self.create(2)
            self.await_(lambda: hold.held >= 2, "both creates are on their way to Heat")
            redis.Redis.from_url(self.ground.broker_url).lpush("bells", b"garbage", b"null")
            self.await_(lambda: not self.ground.broker.waiting("bells"), "the garbage was taken")
        self.await_status([*bays, *self.create(2)], Status.CREATE_COMPLETE)
        self.assert_all_is_well()
