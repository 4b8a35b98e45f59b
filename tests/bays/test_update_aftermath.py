"""An update after a failed one, in a real Heat: what that left under way spoils nothing, and hides no failure."""

from __future__ import annotations

import json
import uuid
from typing import Any

import requests
from django.db.models.functions import Now

from bays import changing, reasons
from bays.models import Bay, NodeGroup
from bays.stacks import OPERATION_TAG
from bays.states import Status
from bays.steps.bays import MAX_WAITS
from bays.steps.judging import MAX_UPDATES
from chaos.heat_proxy import Fault, Spoil
from tests import make
from tests.bays.stepping import StepCase

FOREIGN_KEY = (
    '(psycopg2.errors.ForeignKeyViolation) update or delete on table "raw_template" violates foreign key '
    'constraint "resource_current_template_id_fkey" on table "resource"'
)


class AftermathTests(StepCase):
    def resized(self, count: int) -> Any:
        return changing.resize(make.caller(), "", self.bay, count, sent={"node_count": count})

    def failed(self) -> None:
        """Have an update fail in one group while the nodes of another are still being made."""
        self.created(node_count=0)
        make.nodegroup(self.bay, node_count=1, labels={"boot_seconds": "0", "fail_node": "0"})
        Bay.objects.update(labels={"boot_seconds": "15"})
        self.resized(2)
        self.step()
        bay = self.settle()
        self.assertEqual((bay.status, self.updates()), (Status.UPDATE_FAILED, 1))
        self.assertIn("Test Resource failed", bay.status_reason)
        self.assertTrue(self.is_at_work())
        NodeGroup.objects.update(labels={"boot_seconds": "0"})
        Bay.objects.update(labels={"boot_seconds": "0"})

    def cancelled(self, send: int) -> None:
        """Have Heat cancel the update of the nodes under way, as it does itself for a later one."""
        bay = self.until(
            lambda: Bay.objects.filter(sends=send).first() if self.rest() else None, f"it is sent, {send}"
        )
        client, _ = self.heat._connection()

        def nested() -> Any:
            listed = client.resources.list(str(bay.stack_id), filters={"name": "nodes"})
            (nodes,) = (one for one in listed if one.resource_name == "nodes")
            stack = self.heat.show(uuid.UUID(nodes.physical_resource_id))
            return stack if (nodes.resource_status, stack.state) == ("UPDATE_IN_PROGRESS",) * 2 else None

        stack = self.until(nested, "the nodes are being updated")
        url = f"{self.endpoint}/stacks/{stack.name}/{stack.id}/actions"
        answer = requests.post(url, json={"cancel_without_rollback": None}, timeout=30)
        self.assertLess(answer.status_code, 300, answer.text)

    def test_it_is_sent_when_what_the_failed_one_left_has_ended(self):
        self.failed()
        self.resized(1)
        bay = self.step()
        self.assertEqual((bay.status_reason, bay.retries, self.updates()), (reasons.busy(), 1, 1))
        self.assertFalse(bay.watched)
        self.until(lambda: not self.is_at_work(), "the stack is at rest")
        self.step()
        self.assertEqual(self.updates(), 2)
        bay = self.finished()
        self.assertEqual((bay.status, len(bay.nodes["default-worker"])), (Status.UPDATE_COMPLETE, 1))
        self.assertEqual(self.updates(), 2)

    def test_what_does_not_end_is_not_waited_for_for_ever(self):
        self.failed()
        self.resized(0)
        Bay.objects.update(retries=MAX_WAITS)
        self.step()
        self.assertEqual(self.updates(), 2)

    def test_an_update_of_which_parts_were_cancelled_is_asked_for_again(self):
        self.created(node_count=0)
        Bay.objects.update(labels={"boot_seconds": "10"})
        operation = self.resized(1).operation_id
        self.cancelled(send=1)
        self.until(lambda: self.rest().sends == 2, "it is sent again")
        bay = self.bay
        self.assertEqual((bay.status, self.updates()), (Status.UPDATE_IN_PROGRESS, 2))
        self.assertIn(f"{OPERATION_TAG}{operation}-2", self.heat.show(bay.stack_id).tags)
        bay = self.finished()
        self.assertEqual((bay.status, bay.sends), (Status.UPDATE_COMPLETE, 2), bay.status_reason)
        self.assertEqual((len(bay.nodes["default-worker"]), self.live()), (1, [bay.stack_id]))

    def test_one_that_is_cancelled_again_and_again_fails_and_says_so(self):
        self.created(node_count=0)
        Bay.objects.update(labels={"boot_seconds": "10"})
        self.resized(1)
        for send in range(1, MAX_UPDATES + 1):
            self.cancelled(send)
        bay = self.finished()
        self.assertEqual((bay.status, self.updates()), (Status.UPDATE_FAILED, MAX_UPDATES))
        self.assertRegex(bay.status_reason, "Stack (UPDATE|CREATE) cancelled")

    def test_heats_own_failure_to_tidy_up_is_no_failure_of_the_update(self):
        self.created(node_count=0)
        self.resized(1)
        self.step()
        bay = self.bay
        self.until(lambda: self.heat.show(bay.stack_id).state == "UPDATE_COMPLETE", "the stack is complete")
        told = requests.get(f"{self.endpoint}/stacks/{bay.stack_id}", timeout=30).json()
        told["stack"] |= {"stack_status": "UPDATE_FAILED", "stack_status_reason": FOREIGN_KEY}
        body = json.dumps(told).encode()
        self.proxy.faults.append(Fault("GET", "stack", Spoil.STATUS, status=200, body=body, times=2))
        self.step()
        self.assertEqual((self.bay.sends, self.updates()), (2, 2))
        self.assertEqual(self.finished().status, Status.UPDATE_COMPLETE)

    def test_a_second_sending_whose_answer_was_lost_is_waited_for(self):
        self.created(node_count=0)
        operation = self.resized(1).operation_id
        self.step()
        self.until(lambda: self.heat.show(self.bay.stack_id).status == "COMPLETE", "the stack is complete")
        Bay.objects.update(sends=2, sent_at=Now())  # as a worker that died before it asked has left it
        bay = self.step()
        self.assertEqual((bay.status, bay.watched, self.updates()), (Status.UPDATE_IN_PROGRESS, False, 1))
        Bay.objects.update(sent_at=None)
        self.step()
        self.assertEqual((self.bay.sends, self.updates()), (3, 2))
        self.assertIn(f"{OPERATION_TAG}{operation}-3", self.heat.show(bay.stack_id).tags)
        self.assertEqual(self.finished().status, Status.UPDATE_COMPLETE)
