"""Update and delete: known by the operation's tag, asked once, and over only when nothing can still come."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import requests
from django.conf import settings
from django.db.models.functions import Now

from bays import actions, changing
from bays.models import Bay, Quota
from bays.stacks import OPERATION_TAG, bay_tag, stack_name
from bays.states import Status
from bays.steps.bays import MAX_DELETES
from chaos.heat_proxy import Fault, Spoil
from lifecycle.models import Operation
from tests import make
from tests.bays.stepping import StepCase
from tests.clouds import settled, tiny_request


class ChangeStepTests(StepCase):
    def resized(self, count: int) -> Any:
        return changing.resize(make.caller(), "", self.bay, count, sent={"node_count": count})

    def test_an_update_is_asked_once_and_known_by_its_operations_tag(self):
        self.created()
        operation = self.resized(3).operation_id
        bay = self.step()
        self.assertEqual((bay.watched, bay.sent_for, bay.sends), (True, operation, 1))
        self.assertIn(f"{OPERATION_TAG}{operation}", self.heat.show(bay.stack_id).tags)
        self.step()  # as whoever takes over would
        bay = self.settle() or bay
        self.assertEqual((bay.status, len(bay.node_addresses)), (Status.UPDATE_COMPLETE, 3))
        self.assertEqual(self.updates(), 1)
        self.resized(0)  # and a second one is not taken for the first
        self.step()
        bay = self.settle()
        self.assertEqual((bay.status, bay.node_addresses, self.updates()), (Status.UPDATE_COMPLETE, [], 2))
        self.assertEqual(self.live(), [bay.stack_id])

    def test_an_update_whose_stack_is_gone_fails(self):
        bay = self.small()
        self.heat.delete(bay.stack_id)
        settled(self.heat, bay.stack_id)
        self.resized(2)
        bay = self.step()
        self.assertEqual(bay.status, Status.UPDATE_FAILED)
        self.assertIn("was not found in Heat", bay.status_reason)

    def test_an_update_that_fails_says_why(self):
        self.created(node_count=0, labels={"fail_node": "1"})
        self.resized(2)
        self.step()
        bay = self.settle()
        self.assertEqual(bay.status, Status.UPDATE_FAILED)
        self.assertIn("Test Resource failed", bay.status_reason)

    def test_a_delete_ends_when_the_stack_is_gone_and_gives_the_quota_back(self):
        bay = self.small()
        actions.delete(make.caller(), "", self.bay)
        waiting = self.step()
        self.assertEqual((waiting.watched, waiting.sends), (True, 1))
        self.assertIsNone(self.settle())
        self.assertEqual((Quota.objects.get().used, self.heat.find(bay_tag(bay))), (0, []))
        self.assertEqual(Operation.objects.get(action="delete").state, "COMPLETE")

    def test_a_bay_that_was_never_sent_is_gone_at_once(self):
        self.a_bay()
        actions.delete(make.caller(), "", self.bay)
        self.assertIsNone(self.step())
        self.assertEqual((self.proxy.total("DELETE"), Quota.objects.get().used), (0, 0))

    def test_a_create_that_may_still_take_effect_is_waited_for(self):
        bay = self.a_bay()
        Bay.objects.update(sent_at=Now(), sent_for=bay.operation_id, sends=1)
        actions.delete(make.caller(), "", self.bay)
        bay = self.step()
        self.assertEqual((bay.status, bay.watched), (Status.DELETE_IN_PROGRESS, False))
        late = self.heat.create(replace(tiny_request(bay_tag(bay)), name=stack_name(bay)))
        settled(self.heat, late)
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
        bay = self.small()
        twin = self.heat.create(replace(tiny_request(bay_tag(bay)), name=f"twin-{self.pk}"))
        actions.delete(make.caller(), "", self.bay)
        self.step()
        settled(self.heat, twin)
        self.assertIsNone(self.settle())
        self.assertEqual(self.heat.find(bay_tag(bay)), [])

    def test_a_delete_that_heat_fails_is_asked_for_again_and_then_given_up(self):
        bay = self.small()
        actions.delete(make.caller(), "", self.bay)
        listed = requests.get(f"{self.endpoint}/stacks", {"tags_any": bay_tag(bay)}, timeout=30).json()
        listed["stacks"][0] |= {"stack_status": "DELETE_FAILED", "stack_status_reason": "a port is in use"}
        told = json.dumps(listed).encode()
        self.proxy.faults += [
            Fault(
                "GET", "stacks", Spoil.STATUS, status=200, body=told, content_type="application/json", times=9
            ),
            Fault("DELETE", "stack", Spoil.STATUS, status=204, body=b"", times=9),
        ]
        for sends in range(1, MAX_DELETES + 1):
            bay = self.step()
            self.assertEqual((bay.status, bay.sends), (Status.DELETE_IN_PROGRESS, sends))
        bay = self.step()
        self.assertEqual(
            (bay.status, bay.status_reason),
            (Status.DELETE_FAILED, "The stack is DELETE_FAILED: a port is in use"),
        )
        self.assertEqual(self.proxy.total("DELETE"), MAX_DELETES)
        self.proxy.heal()
        actions.delete(make.caller(), "", self.bay)
        self.assertEqual(self.step().sends, 1)
        self.assertIsNone(self.settle())

    def test_a_stack_deleted_behind_our_back_is_a_delete_done(self):
        bay = self.small()
        self.heat.delete(bay.stack_id)
        settled(self.heat, bay.stack_id)
        actions.delete(make.caller(), "", self.bay)
        self.assertIsNone(self.step())
