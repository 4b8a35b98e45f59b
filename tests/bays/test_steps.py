"""The steps of a bay against a real Heat: look, do what is missing, say what was found; taken twice, done once."""

from __future__ import annotations

import json
import urllib.request
import uuid
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now
from django.test import TestCase, override_settings

from bays import actions
from bays.models import Bay, Quota
from bays.stacks import OPERATION_TAG, OWNER_TAG, bay_tag, request_for, stack_name
from bays.states import Status
from bays.steps import MAX_DELETES, STEPS
from bays.tasks import advance_bay
from lifecycle import leases
from lifecycle.errors import Stale
from lifecycle.models import Operation
from tests import make
from tests.clouds import connect_to, heat_endpoint, settled, tiny_request
from tests.heat_proxy import Fault, HeatProxy, Spoil


class StepTests(TestCase):
    def setUp(self):
        self.proxy = HeatProxy(heat_endpoint())
        self.proxy.__enter__()
        self.addCleanup(self.proxy.__exit__, None, None, None)
        through = override_settings(CLOUD_VARIABLES={"OS_AUTH_TYPE": "none", "OS_ENDPOINT": self.proxy.url})
        through.enable()
        self.addCleanup(through.disable)
        self.heat = connect_to(heat_endpoint())  # past the proxy: what is asked here is not counted
        self.pk = uuid.uuid4()
        self.addCleanup(self.remove_stacks)

    def remove_stacks(self):
        for stack in self.heat.find(bay_tag(Bay(id=self.pk))):
            self.heat.delete(stack.id)

    def a_bay(self, status="CREATE_IN_PROGRESS", **over) -> Bay:
        labels = {"boot_seconds": "0", **over.pop("labels", {})}
        return make.bay(status, id=self.pk, labels=labels, **over)

    @property
    def bay(self) -> Bay:
        return Bay.objects.get(pk=self.pk)

    def step(self) -> Bay | None:
        """Take a step now, whatever the bay waits for; return the bay if it is still there."""
        Bay.objects.filter(pk=self.pk).update(watched=False, not_before=Now() - timedelta(seconds=1))
        advance_bay(pk=str(self.pk))
        return Bay.objects.filter(pk=self.pk).first()

    def settle(self) -> Bay | None:
        """Take a step once the bay's stack has come to rest."""
        settled(self.heat, self.bay.stack_id)
        return self.step()

    def created(self, **over) -> Bay:
        self.a_bay(**over)
        self.step()
        bay = self.settle()
        self.assertEqual(bay.status, Status.CREATE_COMPLETE, bay.status_reason)
        self.proxy.calls.clear()
        return bay

    def live(self):
        stacks = self.heat.find(bay_tag(Bay(id=self.pk)))
        return [stack.id for stack in stacks if stack.action != "DELETE"]

    # create

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
        held = leases.claim(Bay, bay.pk)
        Bay.objects.update(epoch=held.epoch + 1)
        with self.assertRaises(Stale):
            STEPS[Status.CREATE_IN_PROGRESS](held)
        self.assertEqual((self.live(), self.proxy.total("POST")), ([], 0))
        self.assertEqual(make.node().stale_refused, 1)

    def test_the_reason_of_a_failure_is_that_of_the_first_failed_resource(self):
        self.a_bay(node_count=3, labels={"fail_node": "1"})
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
        self.assertEqual((bay.status, bay.status_reason), (
            Status.CREATE_FAILED, f"Stack {stack_id} was not found in Heat."))

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
            Fault("POST", "stacks", Spoil.STATUS, status=400, body=json.dumps(
                {"code": 400, "error": {"type": "StackValidationFailed", "message": "no such flavor"}}).encode()),
        ]
        bay = self.step()
        self.assertEqual((bay.status, bay.retries), (Status.CREATE_IN_PROGRESS, 1))
        self.assertIn("busy", bay.status_reason)
        bay = self.step()
        self.assertEqual((bay.status, bay.status_reason), (Status.CREATE_FAILED, "Heat refused: no such flavor"))

    def test_a_create_that_may_have_been_sent_is_not_sent_twice_until_it_can_come_no_more(self):
        bay = self.a_bay()
        Bay.objects.update(sent_at=Now(), sent_for=bay.operation_id, sends=1)
        self.assertEqual(self.step().stack_id, None)
        self.assertEqual(self.proxy.total("POST", "stacks"), 0)
        Bay.objects.update(sent_at=Now() - timedelta(seconds=settings.CLOUD_QUIET + 1))
        bay = self.step()
        self.assertEqual((self.live(), bay.sends), ([bay.stack_id], 2))

    # update

    def resized(self, count: int) -> Bay:
        return actions.resize(make.caller(), "", self.bay, count, sent={"node_count": count})

    def test_an_update_is_asked_once_and_known_by_its_operations_tag(self):
        self.created()
        operation = self.resized(3).operation_id
        bay = self.step()
        self.assertEqual((bay.watched, bay.sent_for, bay.sends), (True, operation, 1))
        self.assertIn(f"{OPERATION_TAG}{operation}", self.heat.show(bay.stack_id).tags)
        self.step()  # as whoever takes over would
        bay = self.settle() or bay
        self.assertEqual((bay.status, len(bay.node_addresses)), (Status.UPDATE_COMPLETE, 3))
        self.assertEqual(self.proxy.total("PUT") + self.proxy.total("PATCH"), 1)
        self.assertEqual(self.live(), [bay.stack_id])

    def test_a_second_update_is_not_taken_for_the_first(self):
        self.created()
        for count in (2, 0):
            self.resized(count)
            self.step()
            bay = self.settle()
            self.assertEqual((bay.status, len(bay.node_addresses)), (Status.UPDATE_COMPLETE, count))

    def test_an_update_whose_stack_is_gone_fails(self):
        bay = self.created()
        self.heat.delete(bay.stack_id)
        settled(self.heat, bay.stack_id)
        self.resized(2)
        bay = self.step()
        self.assertEqual(bay.status, Status.UPDATE_FAILED)
        self.assertIn("was not found in Heat", bay.status_reason)

    def test_an_update_that_fails_says_why_and_can_be_asked_for_again(self):
        self.created(labels={"fail_node": "1"})
        self.resized(2)
        self.step()
        bay = self.settle()
        self.assertEqual(bay.status, Status.UPDATE_FAILED)
        self.assertIn("Test Resource failed", bay.status_reason)
        self.resized(1)
        self.step()
        self.assertEqual(self.settle().status, Status.UPDATE_COMPLETE)

    # delete

    def test_a_delete_ends_when_the_stack_is_gone_and_gives_the_quota_back(self):
        bay = self.created()
        actions.delete(make.caller(), "", self.bay)
        self.assertTrue(self.step().watched)
        self.assertIsNone(self.settle())
        self.assertEqual((Quota.objects.get().used, self.heat.find(bay_tag(bay))), (0, []))
        self.assertEqual(Operation.objects.get(action="delete").state, "COMPLETE")
        self.assertEqual(self.proxy.total("DELETE"), 1)

    def test_a_bay_that_was_never_sent_is_gone_at_once(self):
        self.a_bay()
        actions.delete(make.caller(), "", self.bay)
        self.assertIsNone(self.step())
        self.assertEqual((self.proxy.total("DELETE"), Quota.objects.get().used), (0, 0))

    def test_a_delete_finds_the_stack_of_a_create_whose_answer_was_lost(self):
        self.a_bay()
        self.proxy.faults.append(Fault("POST", "stacks", Spoil.DROP_AFTER))
        self.step()
        actions.delete(make.caller(), "", self.bay)
        self.assertIsNotNone(self.step().stack_id)
        self.assertIsNone(self.settle())
        self.assertEqual(self.live(), [])

    def test_a_create_that_may_still_take_effect_is_waited_for(self):
        bay = self.a_bay()
        Bay.objects.update(sent_at=Now(), sent_for=bay.operation_id, sends=1)
        actions.delete(make.caller(), "", self.bay)
        bay = self.step()
        self.assertEqual((bay.status, bay.watched), (Status.DELETE_IN_PROGRESS, False))
        late = self.heat.create(request_for(bay))
        self.assertEqual(self.step().stack_id, late)
        self.assertIsNone(self.settle())
        self.assertEqual(self.live(), [])

    def test_a_create_that_did_not_take_effect_in_time_is_waited_for_no_longer(self):
        bay = self.a_bay()
        quiet = timedelta(seconds=settings.CLOUD_QUIET + 1)
        Bay.objects.update(sent_at=Now() - quiet, sent_for=bay.operation_id, sends=1)
        actions.delete(make.caller(), "", self.bay)
        self.assertIsNone(self.step())

    def test_a_delete_takes_twins_along(self):
        bay = self.created()
        twin = self.heat.create(replace(tiny_request(bay_tag(bay)), name=f"twin-{self.pk}"))
        actions.delete(make.caller(), "", self.bay)
        self.step()
        settled(self.heat, twin)
        self.assertIsNone(self.settle())
        self.assertEqual(self.heat.find(bay_tag(bay)), [])

    def test_a_delete_that_heat_fails_is_asked_for_again_and_then_given_up(self):
        bay = self.created()
        actions.delete(make.caller(), "", self.bay)
        endpoint = heat_endpoint()
        with urllib.request.urlopen(f"{endpoint}/stacks?tags_any={bay_tag(bay)}") as answer:  # noqa: S310
            listed = json.load(answer)
        listed["stacks"][0] |= {"stack_status": "DELETE_FAILED", "stack_status_reason": "a port is in use"}
        told = json.dumps(listed).encode()
        self.proxy.faults += [
            Fault("GET", "stacks", Spoil.STATUS, status=200, body=told, content_type="application/json", times=9),
            Fault("DELETE", "stack", Spoil.STATUS, status=204, body=b"", times=9),
        ]
        for sends in range(1, MAX_DELETES + 1):
            bay = self.step()
            self.assertEqual((bay.status, bay.sends), (Status.DELETE_IN_PROGRESS, sends))
        bay = self.step()
        self.assertEqual((bay.status, bay.status_reason), (Status.DELETE_FAILED, "a port is in use"))
        self.assertEqual(self.proxy.total("DELETE"), MAX_DELETES)
        self.proxy.heal()
        actions.delete(make.caller(), "", self.bay)
        self.assertEqual(self.step().sends, 1)
        self.assertIsNone(self.settle())

    def test_a_stack_deleted_behind_our_back_is_a_delete_done(self):
        bay = self.created()
        self.heat.delete(bay.stack_id)
        settled(self.heat, bay.stack_id)
        actions.delete(make.caller(), "", self.bay)
        self.assertIsNone(self.step())
