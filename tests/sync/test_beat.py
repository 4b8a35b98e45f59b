from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.test import TestCase, TransactionTestCase, override_settings
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from project.celery import app
from sync import beat, tasks
from sync.schedule import SCHEDULE
from tests.bays.base import Statements

HOUR = timedelta(hours=1)


class Sent(beat.Scheduler):
    """Remembers what it would have sent."""

    _heap: Any

    def setup_schedule(self):
        self.sent = []

    def sync(self):
        """Beat's own closes the connection that it asks over; here it is the test's."""

    def schedule_changed(self):
        return False

    def apply_entry(self, entry, producer=None):
        self.sent.append(entry.task)


class ClockTests(TestCase):
    """Beats share the time of the last run, each by its own clock."""

    def ticks(self, scheduler, seconds):
        """Tick through so many seconds, which pass at once."""
        waited = 0.0
        while waited <= seconds:
            # Celery's beat asks for less than nothing at times, and does not sleep then. Time does not go back for it.
            pause = max(scheduler.tick(), 0.001)
            waited += pause
            self.pass_by(scheduler, pause)

    def pass_by(self, scheduler, seconds):
        scheduler._heap = [event._replace(time=event.time - seconds) for event in scheduler._heap]
        for entry in scheduler.schedule.values():
            entry.last_run_at -= timedelta(seconds=seconds)

    def test_a_job_that_another_beat_ran_in_the_future_is_run_when_its_time_has_come(self):
        PeriodicTask.objects.update(last_run_at=timezone.now() + HOUR)
        scheduler = Sent(app, producer=None)
        self.ticks(scheduler, 3)
        self.assertLessEqual({job.task for job in SCHEDULE if job.every == 1}, set(scheduler.sent))

    def test_a_clock_that_is_set_back_does_not_hold_up_what_was_planned_by_the_old_one(self):
        scheduler = Sent(app, producer=None)
        clock = {"ahead": 0.0}
        at = time.time
        with patch.object(time, "time", lambda: at() + clock["ahead"]):
            scheduler.tick()
            scheduler._heap = [event._replace(time=event.time + 3600) for event in scheduler._heap]
            clock["ahead"] = -3600.0
            scheduler.tick()
        soonest = min(event.time for event in scheduler._heap)
        self.assertLess(soonest, at() + 60)


class ChangeTests(TransactionTestCase):  # beat closes the connection that it asks over
    def test_what_an_operator_changes_is_looked_for_once_in_a_while_and_found(self):
        self.enterContext(patch.object(beat, "LOOK", 60.0))
        scheduler: Any = beat.Scheduler(app, producer=None, lazy=True)
        with Statements() as statements:
            self.assertEqual([scheduler.schedule_changed() for _ in range(5)], [False] * 5)
        self.assertEqual(len(statements.work), 1, statements.work)
        PeriodicTask.objects.get(name="sync.sweep").save()
        self.assertFalse(scheduler.schedule_changed())
        scheduler._look_at = time.monotonic()
        self.assertTrue(scheduler.schedule_changed())


@override_settings(TICK_REST=60)
class BacklogTests(TestCase):
    def setUp(self):
        self.enterContext(patch.dict(tasks._begun, clear=True))

    def test_ticks_that_have_piled_up_are_done_once(self):
        with self.assertNumQueries(1):
            for _ in range(5):
                tasks.sweep()
