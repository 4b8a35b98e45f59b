"""How many nodes of a bay are done, as seen in a real Heat."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from bays.models import Bay
from bays.stacks import stack_name
from sync import progress
from sync.models import FIRST, Cursor
from sync.progress import BAYS_PER_TICK, PROGRESS
from tests.bays.base import Statements
from tests.clouds import make_request, make_spec, settled
from tests.sync.base import FOREVER, HeatSyncCase

AGO = timedelta(seconds=60)


class ProgressTests(HeatSyncCase):
    def setUp(self):
        super().setUp()
        Cursor.objects.get_or_create(job=PROGRESS)

    def look(self) -> int:
        Cursor.objects.filter(pk=PROGRESS).update(after=FIRST, not_before=Now())
        return progress.observe_progress()

    def waiting_for_nodes(self, **over) -> Any:
        """Return a bay that waits for a stack of the driver's."""
        bay = self.waiting(None, sent_at=Now() - AGO)
        stack_id = self.heat.create(replace(make_request(make_spec(**over)), name=stack_name(bay)))
        self.addCleanup(self.heat.delete, stack_id)
        Bay.objects.filter(pk=bay.pk).update(stack_id=stack_id)
        return Bay.objects.select_related("baymodel").get(pk=bay.pk)

    def test_it_counts_the_nodes_that_are_done_and_writes_only_what_changed(self):
        bay = self.waiting_for_nodes(node_count=2)
        settled(self.heat, bay.stack_id)
        self.assertEqual((self.look(), self.look()), (1, 0))
        row = Bay.objects.get(pk=bay.pk)
        self.assertEqual((row.nodes_done, row.epoch, row.watched), (3, bay.epoch, True))
        self.assertEqual(self.proxy.total(), 2)

    def test_nodes_that_are_being_made_are_not_done(self):
        bay = self.waiting_for_nodes(node_count=2, labels={"boot_seconds": str(FOREVER)})
        self.look()
        self.assertEqual(Bay.objects.get(pk=bay.pk).nodes_done, 0)

    def test_what_is_over_in_a_moment_or_at_rest_costs_heat_nothing(self):
        self.waiting(uuid.uuid4(), sent_at=Now())
        self.waiting(None)
        self.a_bay("CREATE_COMPLETE", after_birth={"stack_id": uuid.uuid4(), "sent_at": Now() - AGO})
        with Statements() as statements:
            self.assertEqual(self.look(), 0)
        self.assertEqual(self.proxy.total(), 0)
        self.assertLessEqual(len(statements.work), 4)

    def test_an_idle_tick_writes_nothing(self):
        self.a_bay("CREATE_COMPLETE", after_birth={"stack_id": uuid.uuid4(), "sent_at": Now() - AGO})
        Cursor.objects.filter(pk=PROGRESS).update(after=FIRST, not_before=Now())
        before = Cursor.objects.values().get(pk=PROGRESS)
        with Statements() as statements:
            progress.observe_progress()
        self.assertEqual(len(statements.work), 1)
        self.assertEqual(Cursor.objects.values().get(pk=PROGRESS), before)

    def test_a_tick_asks_for_a_few_and_a_stack_that_is_gone_is_passed_over(self):
        for _ in range(BAYS_PER_TICK + 2):
            self.waiting(uuid.uuid4(), sent_at=Now() - AGO)
        self.assertEqual((self.look(), self.proxy.total()), (0, BAYS_PER_TICK))

    def test_nothing_is_said_of_an_operation_that_came_meanwhile(self):
        was = self.waiting_for_nodes(node_count=0)
        settled(self.heat, was.stack_id)
        was.operation_id = uuid.uuid4()
        self.assertFalse(progress._observe(was))
        self.assertIsNone(Bay.objects.get(pk=was.pk).nodes_done)
