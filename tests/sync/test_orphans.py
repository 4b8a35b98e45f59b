from __future__ import annotations

import uuid
from unittest.mock import patch

from django.db.models.functions import Now

from bays.models import Bay
from bays.stacks import OWNER_TAG
from lifecycle.models import Operation
from sync import orphans as job
from sync.models import Cursor
from sync.orphans import ORPHANS, orphans, remove_orphans
from tests.clouds import settled
from tests.sync.base import HeatSyncCase


class OrphanTests(HeatSyncCase):
    def a_former_bay(self) -> uuid.UUID:
        """A bay that was deleted the regular way: its row is gone, its finished delete is on record."""
        bay = self.a_bay("CREATE_COMPLETE")
        Operation.objects.create(
            resource_type="bay",
            resource_id=bay.pk,
            resource_name=bay.name,
            project_id=bay.project_id,
            user_id="u",
            action="delete",
            state="COMPLETE",
            finished_at=Now(),
        )
        Bay.objects.filter(pk=bay.pk).delete()
        return bay.pk

    def a_round_begins(self) -> None:
        Cursor.objects.filter(pk=ORPHANS).update(not_before=Now())

    def listed(self):
        return list(self.heat.tagged(OWNER_TAG))

    def test_it_removes_what_our_bays_left_and_nothing_else(self):
        former, twice, young = self.a_former_bay(), self.a_bay("CREATE_COMPLETE"), self.a_bay()
        own = self.a_stack(bay_id=twice.pk)
        Bay.objects.filter(pk=twice.pk).update(stack_id=own)
        ours = {self.a_stack(bay_id=former), self.a_stack(bay_id=twice.pk)}
        others = {
            own,
            self.a_stack(bay_id=young.pk),  # about to be adopted
            self.a_stack(bay_id=uuid.uuid4()),  # another installation's
            self.a_stack(OWNER_TAG),  # of no bay
            self.a_stack(OWNER_TAG, "roadstead-bay-nonsense"),
            self.a_stack("somebody-elses"),
        }
        found = {stack.id for stack in orphans(self.listed())}
        self.assertEqual((found & ours, found & others), (ours, set()))
        self.a_round_begins()
        self.assertEqual(remove_orphans(), 2)
        for stack_id in ours:
            self.assertEqual(settled(self.heat, stack_id).state, "DELETE_COMPLETE")
        for stack_id in others:
            self.assertEqual(self.heat.show(stack_id).state, "CREATE_COMPLETE")

    def test_a_missing_row_alone_proves_nothing(self):
        """A database that is half restored has Operations, and no bays."""
        bay = self.a_bay("CREATE_COMPLETE")
        stack_id = self.a_stack(bay_id=bay.pk)
        Bay.objects.filter(pk=bay.pk).delete()
        self.assertTrue(Operation.objects.filter(resource_id=bay.pk).exists())
        self.assertNotIn(stack_id, {stack.id for stack in orphans(self.listed())})

    def test_a_stack_that_took_the_place_of_a_lost_one_is_no_twin(self):
        bay = self.a_bay("CREATE_COMPLETE")
        Bay.objects.filter(pk=bay.pk).update(stack_id=uuid.uuid4())
        rescue = self.a_stack(bay_id=bay.pk)
        self.assertNotIn(rescue, {stack.id for stack in orphans(self.listed())})

    def test_so_many_orphans_at_once_are_not_believed(self):
        stacks = {self.a_stack(bay_id=self.a_former_bay()) for _ in range(2)}
        self.a_round_begins()
        with patch.object(job, "BRAKE", 2), self.assertLogs("sync.orphans", "ERROR"):
            self.assertEqual(remove_orphans(), 0)
        for stack_id in stacks:
            self.assertEqual(self.heat.show(stack_id).state, "CREATE_COMPLETE")

    def test_a_round_rests_between_its_pages(self):
        former = self.a_former_bay()
        self.a_stack(bay_id=former)
        self.a_round_begins()
        remove_orphans()
        self.assertEqual(remove_orphans(), 0)  # the page after the last one: the round is over
        self.a_stack(bay_id=former)
        self.assertEqual(remove_orphans(), 0, "the next round begins after a pause")

    def test_while_heat_is_down_nothing_is_removed(self):
        self.speak_to("http://127.0.0.1:9/v1/roadstead")
        self.a_round_begins()
        self.assertEqual(remove_orphans(), 0)
