"""How a bell is answered: it is the broker's until the step is over, and nothing it brings is believed or executed."""

from __future__ import annotations

import pickle
import uuid
from typing import Any

from celery import current_app, signals
from celery.worker.request import Request
from django.test import TransactionTestCase
from kombu.exceptions import ContentDisallowed

from bays.models import Bay
from bays.states import Status
from bays.tasks import advance_bay
from tests import make
from workers import bell
from workers.bootsteps import bell_of, leased_models


class AnswerTests(TransactionTestCase):
    def setUp(self):
        with current_app.connection_for_write() as broker:
            broker.SimpleQueue("bells").clear()

    def answer(self) -> list[bool]:
        """Answer the next bell as a worker's process does; return if it was acknowledged before, after, at last."""
        acknowledged: list[bool] = []
        with current_app.connection_for_read() as broker:
            queue = broker.SimpleQueue("bells")
            message = queue.get(timeout=10)
            name = message.headers["task"]
            request = Request(
                message,
                app=current_app,
                task=current_app.tasks[name],
                on_ack=lambda *_: message.ack(),
                hostname="here",
            )

            def look(**_: Any) -> None:
                acknowledged.append(message.acknowledged)

            for moment in (signals.task_prerun, signals.task_postrun):
                moment.connect(look)
                self.addCleanup(moment.disconnect, look)
            request.execute()
            acknowledged.append(message.acknowledged)
            queue.close()
        return acknowledged

    def test_a_bell_is_acknowledged_when_its_step_is_over(self):
        for model in leased_models():
            with self.subTest(model.__name__):
                self.assertTrue(bell.ring(bell_of(model), model(id=uuid.uuid4()), queue="bells"))
                self.assertEqual(self.answer(), [False, False, True])
                self.assertTrue(bell_of(model).reject_on_worker_lost, "a killed child's bell rings again")

    def test_what_else_a_message_carries_is_not_looked_at(self):
        bay = make.bay(Status.CREATE_COMPLETE)
        before = Bay.objects.values().get()
        task: Any = advance_bay
        task(pk=str(bay.pk), node_count=100, name="forged")
        self.assertEqual(Bay.objects.values().get(), before)

    def test_a_pickle_is_refused_unread(self):
        evil = pickle.dumps(([], {"pk": str(uuid.uuid4())}, {}))
        kind: dict[str, Any] = {
            "content_type": "application/x-python-serialize",
            "content_encoding": "binary",
        }
        with current_app.connection_for_write() as broker:
            queue = broker.SimpleQueue("bells")
            broker.Producer().publish(evil, exchange="bells", routing_key="bells", **kind)
            message: Any = queue.queue.get(accept=current_app.conf.accept_content)
            message.ack()
            with self.assertRaises(ContentDisallowed):
                message.decode()
            queue.close()
