"""What stands before each call to Heat: no open transaction, and in a step a lease that is surely ours."""

from __future__ import annotations

import time

from django.conf import settings
from django.test import TransactionTestCase

from bays.models import Bay
from bays.stacks import bay_tag, heat, leased_heat
from lifecycle import local
from lifecycle.errors import LeaseLost
from tests.bays.stepping import StepCase


class InATransactionTests(StepCase):
    def test_no_call_is_sent_from_inside_a_transaction(self):
        tag = bay_tag(Bay(id=self.pk))
        with self.settings(TESTING=False):
            for client in (heat(), leased_heat(Bay())):
                with self.assertRaisesMessage(RuntimeError, "inside a transaction"):
                    client.find(tag)
        self.assertEqual(self.proxy.total(), 0)
        self.assertEqual(heat().find(tag), [])

    def test_a_step_sends_nothing_under_a_lease_that_may_be_lost(self):
        self.addCleanup(local.mark_renewed, local.last_renewed())
        local.mark_renewed(time.monotonic() - settings.LEASE)
        tag = bay_tag(Bay(id=self.pk))
        with self.assertRaises(LeaseLost):
            leased_heat(Bay()).find(tag)
        self.assertEqual(self.proxy.total(), 0)
        self.assertEqual(heat().find(tag), [], "a look that acts on nothing needs no lease")


class OutsideATransactionTests(TransactionTestCase):
    def test_a_call_is_sent_outside_of_one(self):
        with self.settings(TESTING=False):
            self.assertEqual(heat().find(bay_tag(Bay())), [])
