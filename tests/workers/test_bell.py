from __future__ import annotations

import uuid
from typing import Any

from celery import current_app
from django.db import transaction
from django.test import TransactionTestCase

from bays.models import Bay
from bays.tasks import advance_bay
from tests.bays.test_budgets import broker_down
from tests.sync.base import bells
from workers import bell


class BellTests(TransactionTestCase):
    """A bell carries an id and nothing else, rings after the commit, and never fails."""

    def setUp(self):
        bells()
        self.bay = Bay(id=uuid.uuid4())

    def test_it_rings_after_the_commit_and_not_before(self):
        with transaction.atomic():
            bell.ring_on_commit(advance_bay, self.bay)
            self.assertEqual(bells(), [])
        self.assertEqual(bells(), [{"task": "bays.advance_bay", "kwargs": {"pk": str(self.bay.pk)}}])

    def test_what_is_rolled_back_does_not_ring(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            bell.ring_on_commit(advance_bay, self.bay)
            _ = 1 / 0
        self.assertEqual(bells(), [])

    def test_it_says_how_many_were_published(self):
        self.assertEqual(bell.ring_all(advance_bay, [self.bay, Bay()]), 2)
        self.assertEqual(len(bells()), 2)

    def test_without_a_broker_it_is_quiet_for_a_while_and_then_tries_again(self):
        with broker_down():
            self.assertEqual(bell.ring_all(advance_bay, [self.bay] * 3), 0)
            quiet_until = bell._quiet_until
            bell.ring(advance_bay, self.bay)
            self.assertEqual(bell._quiet_until, quiet_until)  # not even tried
        self.assertTrue(bell.ring(advance_bay, self.bay))
        self.assertEqual(len(bells()), 1)

    def test_a_connection_that_died_since_the_last_bell_costs_no_bell(self):
        """A supervisor rings rarely, and its bell is the one that counts."""
        self.assertTrue(bell.ring(advance_bay, self.bay))
        with current_app.connection_for_write() as broker:
            channel: Any = broker.default_channel
            channel.client.client_kill_filter(_type="normal", skipme=True)
        self.assertTrue(bell.ring(advance_bay, self.bay))
        self.assertEqual(len(bells()), 2)

    def test_warming_up_never_fails(self):
        bell.warm_up()
        with broker_down():
            bell.warm_up()
        self.assertTrue(bell.ring(advance_bay, self.bay))
