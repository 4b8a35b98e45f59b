"""Past its deadline a bay fails, unless Heat says that its work has ended: all of us may have been down meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.db.models.functions import Now

from bays import actions, changing
from bays.models import Bay
from bays.states import Status
from bays.steps import judging, last_looks
from chaos.heat_proxy import Fault, Spoil
from lifecycle.advance import LAST_TRIES
from lifecycle.models import Operation
from tests import make
from tests.bays.stepping import StepCase
from tests.clouds import settled

LATE = r"^Deadline passed: "
CHANGES = ("POST", "PUT", "PATCH", "DELETE")


class LastLookTests(StepCase):
    def setUp(self):
        super().setUp()
        self.enterContext(self.spared_no_longer())

    def spared_no_longer(self) -> Any:
        return patch.object(last_looks, "_spared_until", 0.0)

    def too_late(self) -> Any:
        """Take the step that finds the deadline passed, and return the bay if it is still there."""
        self.proxy.calls.clear()
        Bay.objects.update(deadline_at=Now() - timedelta(hours=1))
        bay = self.step()
        self.assertEqual([self.proxy.total(method) for method in CHANGES], [0] * len(CHANGES))
        return bay

    def resized(self, count: int, **how: Any) -> None:
        changing.resize(make.caller(), "", self.bay, count, sent={"node_count": count, **how}, **how)

    def deleting(self) -> Any:
        """Return a bay whose delete Heat has been asked for."""
        bay = self.small()
        actions.delete(make.caller(), "", bay)
        return self.step()

    def test_a_stack_that_is_complete_makes_the_bay_complete(self):
        self.a_bay(node_count=1)
        stack_id = self.step().stack_id
        settled(self.heat, stack_id)
        bay = self.too_late()
        self.assertEqual(
            (bay.status, len(bay.node_addresses)), (Status.CREATE_COMPLETE, 1), bay.status_reason
        )

    def test_so_does_one_whose_making_was_not_heard_of(self):
        self.a_bay()
        stack_id = self.step().stack_id
        settled(self.heat, stack_id)
        Bay.objects.update(stack_id=None)
        bay = self.too_late()
        self.assertEqual((bay.status, bay.stack_id), (Status.CREATE_COMPLETE, stack_id), bay.status_reason)

    def test_a_stack_that_failed_says_why(self):
        self.a_bay(node_count=1, labels={"fail_node": "0"})
        settled(self.heat, self.step().stack_id)
        bay = self.too_late()
        self.assertEqual(bay.status, Status.CREATE_FAILED)
        self.assertRegex(bay.status_reason, r"^nodes.* Test Resource failed")

    def test_a_stack_that_is_not_done_or_is_not_there_is_too_late(self):
        self.a_bay(node_count=1, labels={"boot_seconds": "60"})
        self.step()
        bay = self.too_late()
        self.assertEqual(bay.status, Status.CREATE_FAILED)
        self.assertRegex(bay.status_reason, LATE)

    def test_a_bay_for_which_heat_was_never_asked_is_too_late(self):
        self.a_bay()
        bay = self.too_late()
        self.assertEqual((bay.status, self.live()), (Status.CREATE_FAILED, []))
        self.assertRegex(bay.status_reason, LATE)

    def away(self) -> None:
        self.proxy.faults.append(Fault(None, None, Spoil.DROP_BEFORE, times=100))

    def test_a_heat_that_does_not_answer_is_asked_a_few_times(self):
        self.a_bay()
        settled(self.heat, self.step().stack_id)
        self.away()
        self.assertEqual(self.too_late().status, Status.CREATE_IN_PROGRESS)
        self.proxy.faults.clear()
        with self.spared_no_longer():
            self.assertEqual(self.too_late().status, Status.CREATE_COMPLETE)

    def test_and_no_longer(self):
        self.a_bay()
        self.step()
        self.away()
        Bay.objects.update(retries=LAST_TRIES)
        bay = self.too_late()
        self.assertEqual(bay.status, Status.CREATE_FAILED)
        self.assertRegex(bay.status_reason, LATE)

    def test_of_many_that_are_late_one_finds_out_that_heat_does_not_answer(self):
        self.a_bay()
        self.step()
        self.away()
        self.too_late()
        asked = self.proxy.total()
        self.assertGreater(asked, 0)
        bay = self.too_late()
        self.assertEqual((self.proxy.total(), bay.status), (0, Status.CREATE_IN_PROGRESS))
        self.assertIn("did not answer lately", bay.status_reason)

    def test_a_stack_that_is_gone_says_so(self):
        bay = self.created()
        self.resized(1)
        self.heat.delete(bay.stack_id)
        settled(self.heat, bay.stack_id)
        bay = self.too_late()
        self.assertEqual(bay.status, Status.UPDATE_FAILED)
        self.assertRegex(bay.status_reason, r"^Stack .* was not found in Heat")

    def test_an_update_that_has_come_to_its_end_counts(self):
        self.created()
        self.resized(1)
        settled(self.heat, self.step().stack_id)
        bay = self.too_late()
        self.assertEqual((bay.status, bay.node_count), (Status.UPDATE_COMPLETE, 1), bay.status_reason)

    def test_an_update_that_was_never_sent_is_too_late(self):
        self.created()
        self.resized(1)
        bay = self.too_late()
        self.assertEqual(bay.status, Status.UPDATE_FAILED)
        self.assertRegex(bay.status_reason, LATE)

    def test_an_update_that_failed_is_taken_back_all_the_same(self):
        self.created(node_count=1, labels={"fail_node": "1"})
        self.resized(2, rollback=True)
        settled(self.heat, self.step().stack_id)
        bay = self.too_late()
        self.assertRegex(bay.status_reason, r"^Rolling back to 1 nodes\. ")
        self.assertGreater(bay.deadline_at, bay.claimed_at)
        self.assertEqual(self.finished().status, Status.ROLLBACK_COMPLETE)

    def test_so_is_one_that_would_have_been_sent_once_more(self):
        self.created(node_count=1, labels={"fail_node": "1"})
        self.resized(2, rollback=True)
        settled(self.heat, self.step().stack_id)
        with patch.object(judging, "cause_of", lambda *_: judging.Cause("called off", is_aftermath=True)):
            bay = self.too_late()
        self.assertEqual(bay.status_reason, "Rolling back to 1 nodes. called off")

    def test_a_bay_of_which_nothing_is_left_is_gone(self):
        settled(self.heat, self.deleting().stack_id)
        self.assertIsNone(self.too_late())
        self.assertEqual(Operation.objects.get(action="delete").state, Operation.State.COMPLETE)

    def test_a_delete_that_has_not_begun_is_too_late(self):
        bay = self.small()
        actions.delete(make.caller(), "", bay)
        bay = self.too_late()
        self.assertEqual((bay.status, self.live()), (Status.DELETE_FAILED, [bay.stack_id]))
        self.assertRegex(bay.status_reason, LATE)

    def test_a_create_that_may_still_come_keeps_the_bay(self):
        """Its worker died between saying that it was about to ask and asking."""
        bay = self.a_bay()
        Bay.objects.update(sent_at=Now(), sent_for=bay.operation_id, sends=1)
        actions.delete(make.caller(), "", self.bay)
        bay = self.too_late()
        self.assertEqual(bay.status, Status.DELETE_FAILED)
