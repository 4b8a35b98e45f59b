from __future__ import annotations

import time
from datetime import timedelta
from unittest.mock import patch

from celery.worker import state
from django.conf import settings
from django.db.models.functions import Now
from django.test import TransactionTestCase

from bays.models import Bay
from lifecycle import leases
from project import celery
from tests import make
from tests.bays.test_budgets import broker_down
from workers.watchdog import Watchdog, waiting


class WatchdogTests(TransactionTestCase):
    def setUp(self):
        self.late = Now() - timedelta(seconds=settings.STALL + 1)
        self.bay = make.bay()
        Bay.objects.update(not_before=self.late)
        self.dog = Watchdog(celery.app, [Bay], lambda: None)

    def sleep_for(self, seconds: float) -> None:
        self.dog._heard_at = time.monotonic() - seconds

    def test_a_worker_that_is_idle_while_work_waits_is_deaf(self):
        self.sleep_for(settings.STALL + 1)
        self.assertTrue(self.dog.is_deaf())

    def test_a_worker_that_heard_a_bell_lately_is_not(self):
        self.sleep_for(settings.STALL / 2)
        self.assertFalse(self.dog.is_deaf())

    def test_a_worker_that_is_busy_is_not(self):
        self.sleep_for(settings.STALL + 1)
        with patch.object(state, "active_requests", {object()}):
            self.assertFalse(self.dog.is_deaf())

    def test_while_the_broker_is_down_nobody_is(self):
        self.sleep_for(settings.STALL + 1)
        with broker_down():
            self.assertFalse(self.dog.is_deaf())

    def test_what_is_held_watched_not_long_due_or_at_rest_does_not_wait_for_a_worker(self):
        self.assertTrue(waiting(Bay))
        held = leases.claim(Bay, self.bay.pk)
        assert held is not None
        self.assertFalse(waiting(Bay), "held")
        leases.rest(held, after=timedelta(0))
        self.assertFalse(waiting(Bay), "due since a moment ago")
        Bay.objects.update(not_before=self.late, watched=True)
        self.assertFalse(waiting(Bay), "watched: no bell is rung for it")
