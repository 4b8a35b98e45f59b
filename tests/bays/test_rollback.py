"""An update that was asked for with rollback: where it fails, the bay is made again what it was, in a real Heat."""

from __future__ import annotations

import json
from typing import Any

from django.db.models.functions import Now

from api.problems import Conflict
from bays import changing
from bays.models import Bay
from bays.states import Status
from chaos.heat_proxy import Fault, Spoil
from lifecycle.models import Operation
from tests import make
from tests.bays.stepping import StepCase

REFUSAL = json.dumps({"error": {"type": "RequestLimitExceeded", "message": "too many resources"}}).encode()


class RollbackTests(StepCase):
    def resized(self, count: int, *, rollback: bool = True) -> Any:
        sent = {"node_count": count, "rollback": rollback}
        return changing.resize(make.caller(), "", self.bay, count, sent=sent, rollback=rollback)

    def failed(self) -> Any:
        """Return the bay of one node whose update to two has just failed, in a step's eyes."""
        self.created(node_count=1, labels={"fail_node": "1"})
        self.resized(2)
        self.step()
        bay = self.settle()
        self.assertEqual((bay.status, bay.node_count), (Status.UPDATE_IN_PROGRESS, 1), bay.status_reason)
        self.assertRegex(bay.status_reason, r"^Rolling back to 1 nodes\. nodes\.1.* Test Resource failed")
        self.assertEqual(self.updates(), 1)
        return bay

    def is_as_before(self, bay: Any) -> None:
        self.assertEqual(bay.status, Status.ROLLBACK_COMPLETE, bay.status_reason)
        self.assertEqual((bay.node_count, len(bay.nodes["default-worker"]), bay.change), (1, 1, {}))
        self.assertEqual(self.heat.show(bay.stack_id, outputs=True).parameters["node_count"], "1")
        self.assertEqual(Operation.objects.get(action="update").state, Operation.State.FAILED)

    def refuse(self, times: int) -> None:
        for method in ("PUT", "PATCH"):
            fault = Fault(method, "stack", Spoil.STATUS, status=403, body=REFUSAL, times=times)
            self.proxy.faults.append(fault)

    def test_an_update_that_fails_is_taken_back_and_says_why(self):
        self.failed()
        bay = self.finished()
        self.is_as_before(bay)
        self.assertEqual((self.updates(), self.live()), (2, [bay.stack_id]))
        self.assertRegex(bay.status_reason, r"^Rolled back to 1 nodes\. nodes\.1.* Test Resource failed")
        Bay.objects.update(labels={"boot_seconds": "0"})
        self.resized(2)
        self.step()
        self.assertEqual(self.finished().status, Status.UPDATE_COMPLETE)

    def test_one_that_succeeds_is_as_any_other(self):
        self.created(node_count=0)
        self.resized(1)
        self.step()
        bay = self.finished()
        self.assertEqual((bay.status, bay.node_count, self.updates()), (Status.UPDATE_COMPLETE, 1, 1))

    def test_one_that_heat_refuses_is_taken_back_too(self):
        self.created(node_count=1)
        self.refuse(times=1)
        self.resized(2)
        bay = self.step()
        self.assertRegex(bay.status_reason, r"^Rolling back to 1 nodes\. Heat refused: ")
        self.is_as_before(self.finished())

    def test_where_the_way_back_fails_it_says_both(self):
        self.created(node_count=1)
        self.refuse(times=2)
        self.resized(2)
        self.step()
        bay = self.step()
        self.assertEqual((bay.status, bay.node_count), (Status.UPDATE_FAILED, 1))
        self.assertRegex(bay.status_reason, r"^Rolling back failed: Heat refused: .* for: Heat refused: ")

    def test_whoever_takes_over_on_the_way_back_goes_on_and_sends_nothing_twice(self):
        bay = self.failed()
        # As a worker that died before it asked has left it.
        Bay.objects.update(sends=bay.sends + 1, sent_at=Now(), sent_for=bay.operation_id)
        self.rest()
        self.assertEqual((self.bay.status, self.updates()), (Status.UPDATE_IN_PROGRESS, 1))
        Bay.objects.update(sent_at=None)
        self.step()
        self.assertEqual(self.updates(), 2)
        self.step()  # as somebody who was not told that it has been sent
        self.is_as_before(self.finished())
        self.assertEqual(self.updates(), 2)

    def test_the_way_back_has_as_much_time_as_the_way_there(self):
        self.created(node_count=1, labels={"fail_node": "1"})
        self.resized(2)
        before = self.bay.deadline_at
        self.step()
        bay = self.settle()
        self.assertGreater(bay.deadline_at, before)
        self.assertEqual(bay.deadline_at, bay.claimed_at + bay.deadline)

    def test_what_it_goes_back_to_is_what_it_was_when_it_was_asked_for(self):
        seen = self.created(node_count=0)
        Bay.objects.update(node_count=3)
        with self.assertRaises(Conflict):
            changing.resize(make.caller(), "", seen, 1, sent={}, rollback=True)
