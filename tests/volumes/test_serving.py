"""A worker hears the back-ends that it serves: operators change which while it runs."""

from __future__ import annotations

import time
import uuid
from unittest.mock import patch

from celery import Celery
from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from lifecycle import local
from tests import make
from volumes import serving
from volumes.models import ServiceState, Volume
from volumes.models import pools as pools_module
from volumes.models.volumes import queue_of
from volumes.tasks import advance_volume


class Ears:
    """What a consumer of Celery's is to who tells it which queues to hear, at once; the queues are Celery's own."""

    def __init__(self, *backends: str) -> None:
        self.app = Celery("ears", set_as_current=False)
        self.app.amqp.queues.select(["bells", *map(queue_of, backends)])
        self.told: list[str] = []

    @property
    def hears(self) -> set[str]:
        return set(self.app.amqp.queues.consume_from)

    def call_soon(self, act, queue):
        self.told.append(queue)
        act(queue)

    def cancel_task_queue(self, queue):
        self.app.amqp.queues.deselect(queue)

    def add_task_queue(self, queue):
        self.app.amqp.queues.select_add(queue)


class ServingCase(TestCase):
    def setUp(self):
        self.enterContext(self.settings(SERVES=["fast", "slow"]))

    def tell(self, backend="fast", *, disabled=True, node=None):
        where = {"node": node or local.node_name, "backend": backend}
        ServiceState.objects.update_or_create(**where, defaults={"disabled": disabled})


class QueueTests(ServingCase):
    def setUp(self):
        super().setUp()
        self.ears = Ears("fast", "slow")

    def look(self):
        serving.look(self.ears)
        return self.ears.hears

    def test_it_leaves_the_queue_of_a_back_end_that_it_was_told_to_leave_and_joins_it_again(self):
        self.assertEqual(self.look(), {"bells", "store.fast", "store.slow"})
        self.tell()
        self.assertEqual(self.look(), {"bells", "store.slow"})
        self.tell(disabled=False)
        self.assertEqual(self.look(), {"bells", "store.fast", "store.slow"})

    def test_it_tells_celery_only_what_changes(self):
        for _ in range(3):
            self.look()
        self.assertEqual(self.ears.told, [])
        self.tell()
        for _ in range(3):
            self.look()
        self.assertEqual(self.ears.told, ["store.fast"])

    def test_what_was_told_while_the_broker_was_away_is_heard_afterwards(self):
        """Celery stays away from a queue that it left, over any number of connections: only it knows what it hears."""
        self.tell()
        self.look()
        self.tell(disabled=False)  # and a new connection begins to look
        self.assertIn("store.fast", self.look())

    def test_what_other_nodes_were_told_does_not_concern_it(self):
        self.tell(node="another")
        self.assertIn("store.fast", self.look())


class ReachTests(ServingCase):
    def setUp(self):
        super().setUp()
        make.node()
        self.pool = make.pool("fast")

    def test_it_claims_nothing_of_a_back_end_that_it_was_told_to_leave_or_does_not_reach(self):
        volume = make.volume("deleting", in_pool=self.pool)
        self.tell()
        advance_volume(pk=str(volume.pk))
        self.assertEqual(Volume.objects.get().epoch, 0)
        self.tell(disabled=False)
        for serves in ([], ["slow"]):
            with self.settings(SERVES=serves):
                advance_volume(pk=str(volume.pk))
                self.assertEqual(Volume.objects.get().epoch, 0)

    def test_the_answer_is_remembered_for_a_while_and_no_longer(self):
        self.addCleanup(setattr, pools_module, "_served", (0.0, []))
        with self.settings(SERVING_CACHE=60):
            self.assertEqual(ServiceState.serving(), ["fast", "slow"])
            self.tell()
            with CaptureQueriesContext(connection) as asked:
                self.assertEqual(ServiceState.serving(), ["fast", "slow"])
            self.assertEqual(len(asked), 0)
            later = time.monotonic() + 61
            with patch.object(time, "monotonic", lambda: later):
                self.assertEqual(ServiceState.serving(), ["slow"])

    def test_a_node_that_serves_nothing_asks_nothing(self):
        with self.settings(SERVES=[]), CaptureQueriesContext(connection) as asked:
            ServiceState.serving()
            advance_volume(pk=str(uuid.uuid4()))
        self.assertEqual([q["sql"] for q in asked if "servicestate" in q["sql"]], [])
