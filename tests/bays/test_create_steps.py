"""Create: look, do what is missing, say what was found; taken twice, done once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from bays.models import Bay
from bays.stacks import OPERATION_TAG, OWNER_TAG, bay_tag, request_for, stack_name
from bays.states import Status
from bays.steps.bays import STEPS
from chaos.heat_proxy import Fault, Spoil
from lifecycle import leases
from lifecycle.errors import Stale
from lifecycle.models import Operation
from tests import make
from tests.bays.stepping import StepCase
from tests.clouds import settled, tiny_request


class CreateStepTests(StepCase):
    def test_a_create_makes_one_stack_and_ends_with_what_it_says(self):
        operation = self.a_bay(node_count=2).operation_id
        bay = self.step()
        self.assertEqual((bay.status, bay.watched, bay.holder), (Status.CREATE_IN_PROGRESS, True, None))
        self.assertEqual((bay.sent_for, bay.sends), (operation, 1))
        self.assertIsNotNone(bay.sent_at)
        self.assertEqual(self.live(), [bay.stack_id])
        stack = self.heat.show(bay.stack_id)
        self.assertEqual(stack.name, stack_name(bay))
        self.assertEqual(set(stack.tags), {OWNER_TAG, bay_tag(bay), f"{OPERATION_TAG}{operation}"})
        bay = self.settle()
        self.assertEqual((bay.status, bay.health_status), (Status.CREATE_COMPLETE, "HEALTHY"))
        self.assertEqual((len(bay.node_addresses), len(bay.master_addresses)), (2, 1))
        self.assertRegex(bay.api_address, r"^https://10\.")
        self.assertEqual(bay.coe_version, "demo-1")
        self.assertEqual(self.proxy.total("POST", "stacks"), 1)

    def test_a_create_whose_worker_died_after_its_call_is_adopted(self):
        self.a_bay()
        stack_id = self.step().stack_id
        Bay.objects.update(stack_id=None)
        bay = self.step()
        self.assertEqual((bay.stack_id, bay.sends), (stack_id, 1))
        self.assertEqual((self.live(), self.proxy.total("POST", "stacks")), ([stack_id], 1))

    def test_a_create_whose_answer_was_lost_is_adopted(self):
        self.a_bay()
        self.proxy.faults.append(Fault("POST", "stacks", Spoil.DROP_AFTER))
        bay = self.step()
        self.assertEqual((bay.stack_id, bay.retries, bay.status), (None, 1, Status.CREATE_IN_PROGRESS))
        self.assertIn("connection", bay.status_reason)
        bay = self.step()
        self.assertEqual((self.live(), self.proxy.total("POST", "stacks")), ([bay.stack_id], 1))

    def test_of_twins_the_oldest_is_kept(self):
        self.a_bay()
        bay = self.step()
        twin = self.heat.create(replace(tiny_request(bay_tag(bay)), name=f"twin-{self.pk}"))
        Bay.objects.update(stack_id=None)
        self.assertEqual(self.step().stack_id, bay.stack_id)
        self.assertEqual(self.live(), [bay.stack_id])
        self.assertEqual(settled(self.heat, twin).state, "DELETE_COMPLETE")

    def test_a_stack_whose_making_was_cut_short_before_its_tags_is_adopted_by_its_name(self):
        bay = self.a_bay()
        stack_id = self.heat.create(replace(request_for(bay), tags=()))
        self.addCleanup(self.heat.delete, stack_id)
        self.step()
        self.step()
        self.assertEqual(self.bay.stack_id, stack_id, self.bay.status_reason)

    def test_a_worker_that_was_overtaken_asks_nothing_of_heat(self):
        bay = self.a_bay()
        held: Any = leases.claim(Bay, bay.pk)
        Bay.objects.update(epoch=held.epoch + 1)
        with self.assertRaises(Stale):
            STEPS[Status.CREATE_IN_PROGRESS](held)
        self.assertEqual((self.live(), self.proxy.total("POST")), ([], 0))
        self.assertEqual(make.node().stale_refused, 1)

    def test_the_reason_of_a_failure_is_that_of_the_first_failed_resource(self):
        self.a_bay(node_count=2, labels={"fail_node": "1"})
        self.step()
        bay = self.settle()
        self.assertEqual(bay.status, Status.CREATE_FAILED)
        self.assertIn("nodes.1.boot (OS::Heat::TestResource)", bay.status_reason)
        self.assertIn("Test Resource failed", bay.status_reason)
        self.assertEqual(Operation.objects.get().reason, bay.status_reason)

    def test_a_stack_deleted_behind_our_back_fails_the_create(self):
        self.a_bay(labels={"boot_seconds": "600"})
        stack_id = self.step().stack_id
        self.heat.delete(stack_id)
        settled(self.heat, stack_id)
        bay = self.step()
        self.assertEqual(
            (bay.status, bay.status_reason),
            (Status.CREATE_FAILED, f"Stack {stack_id} was not found in Heat."),
        )

    def test_outputs_that_the_driver_does_not_promise_fail_the_bay(self):
        bay = self.a_bay()
        stack_id = self.heat.create(replace(tiny_request(bay_tag(bay)), name=f"odd-{self.pk}"))
        self.step()
        bay = self.settle()
        self.assertEqual((bay.stack_id, bay.status), (stack_id, Status.CREATE_FAILED))
        self.assertIn("api_address", bay.status_reason)

    def test_what_the_driver_refuses_in_a_row_fails_the_bay_without_a_call(self):
        self.a_bay(labels={"boot_seconds": "soon"})
        bay = self.step()
        self.assertEqual(bay.status, Status.CREATE_FAILED)
        self.assertIn("boot_seconds", bay.status_reason)
        self.assertEqual(self.proxy.total("POST"), 0)

    def test_a_refusal_fails_and_silence_is_tried_again(self):
        self.a_bay()
        self.proxy.faults += [
            Fault("GET", "stacks", Spoil.STATUS, status=503, body=b"busy"),
            Fault(
                "POST",
                "stacks",
                Spoil.STATUS,
                status=400,
                body=json.dumps(
                    {"code": 400, "error": {"type": "StackValidationFailed", "message": "no such flavor"}}
                ).encode(),
            ),
        ]
        bay = self.step()
        self.assertEqual((bay.status, bay.retries), (Status.CREATE_IN_PROGRESS, 1))
        self.assertIn("busy", bay.status_reason)
        bay = self.step()
        self.assertEqual(
            (bay.status, bay.status_reason), (Status.CREATE_FAILED, "Heat refused: no such flavor")
        )

    def test_a_create_that_may_have_been_sent_is_not_sent_twice_until_it_can_come_no_more(self):
        bay = self.a_bay()
        Bay.objects.update(sent_at=Now(), sent_for=bay.operation_id, sends=1)
        self.assertEqual(self.step().stack_id, None)
        self.assertEqual(self.proxy.total("POST", "stacks"), 0)
        Bay.objects.update(sent_at=Now() - timedelta(seconds=settings.CLOUD_QUIET + 1))
        bay = self.step()
        self.assertEqual((self.live(), bay.sends), ([bay.stack_id], 2))
