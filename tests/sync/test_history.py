from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.db.models import ProtectedError
from django.db.models.functions import Now

from api.models import IdempotencyKey
from lifecycle.models import Event, Node, Operation
from sync.history import BATCH, NODE_AGE, forget_history, forget_nodes
from tests import make
from tests.sync.base import HOUR, SECOND, SyncCase


class NodeTests(SyncCase):
    def a_node(self, age, **over):
        node = make.node(uuid.uuid4())
        Node.objects.filter(pk=node.pk).update(seen_at=Now() - age, **over)
        return node

    def test_it_forgets_what_is_long_gone_and_holds_nothing(self):
        old = [self.a_node(NODE_AGE + HOUR), self.a_node(NODE_AGE + HOUR, stopped_at=Now())]
        young = [self.a_node(NODE_AGE - HOUR), self.a_node(SECOND * 0)]
        self.assertEqual((forget_nodes(), forget_nodes()), (len(old), 0))
        self.assertEqual(Node.objects.filter(pk__in=[node.pk for node in old]).count(), 0)
        self.assertEqual(Node.objects.filter(pk__in=[node.pk for node in young]).count(), 2)

    def test_it_refuses_to_forget_a_holder_and_so_does_the_database(self):
        holder = self.a_node(NODE_AGE * 30)
        self.a_bay(after_birth={"holder": holder, "holder_pid": 1, "lease_until": Now() - HOUR})
        self.assertEqual(forget_nodes(), 0)
        with self.assertRaises(ProtectedError):
            holder.delete()


class HistoryTests(SyncCase):
    def test_it_forgets_what_is_over_and_older_than_the_retention(self):
        old, young = (Now() - timedelta(days=settings.HISTORY_DAYS) + hours for hours in (-HOUR, HOUR))
        bays = [self.a_bay("CREATE_COMPLETE") for _ in range(2)]
        for bay, at in zip(bays, (old, young), strict=True):
            Operation.objects.filter(resource_id=bay.pk).update(created_at=at, finished_at=at)
            event = Event.objects.create(
                resource_type="bay",
                resource_id=bay.pk,
                event="created",
                from_status="CREATE_IN_PROGRESS",
                to_status="CREATE_COMPLETE",
                epoch=1,
            )
            Event.objects.filter(pk=event.pk).update(at=at)
        open_still = self.a_bay()
        Operation.objects.filter(resource_id=open_still.pk).update(created_at=old)
        self.assertEqual((forget_history(), forget_history()), (2, 0))
        kept = set(Operation.objects.values_list("resource_id", flat=True))
        self.assertEqual(kept, {bays[1].pk, open_still.pk})
        self.assertEqual(set(Event.objects.values_list("resource_id", flat=True)), {bays[1].pk})

    def test_it_forgets_answers_that_nobody_will_ask_for_again(self):
        old, young = (Now() - timedelta(hours=settings.IDEMPOTENCY_HOURS) + hours for hours in (-HOUR, HOUR))
        for key, at in (("old", old), ("young", young)):
            IdempotencyKey.objects.create(owner="p", key=key, fingerprint="f", request_id="r", created_at=at)
        self.assertEqual((forget_history(), forget_history()), (1, 0))
        self.assertEqual(IdempotencyKey.objects.get().key, "young")

    def test_a_tick_takes_batch_after_batch(self):
        self.assertLessEqual(BATCH, 1000)
        old = Now() - timedelta(days=settings.HISTORY_DAYS + 1)
        Event.objects.bulk_create(
            Event(
                resource_type="bay",
                resource_id=uuid.uuid4(),
                event="retry",
                from_status="",
                to_status="",
                epoch=0,
                at=old,
            )
            for _ in range(BATCH + 2)
        )
        latest = Event.objects.latest("pk")
        self.assertEqual((forget_history(), forget_history()), (BATCH + 1, 0))
        self.assertEqual(Event.objects.get(), latest, "the last is kept: it is where who follows has come to")
