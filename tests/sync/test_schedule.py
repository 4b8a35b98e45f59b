from __future__ import annotations

from celery import current_app
from django.test import TestCase
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from sync.models import Cursor
from sync.schedule import SCHEDULE, seed


class ScheduleTests(TestCase):
    def test_it_is_there_after_the_migrations_each_job_with_its_task(self):
        current_app.loader.import_default_modules()
        for job in SCHEDULE:
            task = PeriodicTask.objects.get(name=job.task)
            self.assertIn(task.task, current_app.tasks)
            self.assertEqual(
                (task.interval.every, task.interval.period, task.queue), (job.every, "seconds", "ticks")
            )
            # By the clock of a worker that is ahead, every tick would have expired.
            self.assertIsNone(task.expire_seconds)
            self.assertFalse(current_app.tasks[task.task].acks_late)

    def test_seeding_again_adds_nothing_and_keeps_what_operators_changed(self):
        before = (PeriodicTask.objects.count(), IntervalSchedule.objects.count(), Cursor.objects.count())
        slow = IntervalSchedule.objects.create(every=7, period=IntervalSchedule.MINUTES)
        PeriodicTask.objects.filter(name="sync.observe_drift").update(enabled=False, interval=slow)
        seed()
        seed()
        task = PeriodicTask.objects.get(name="sync.observe_drift")
        self.assertEqual((task.enabled, task.interval), (False, slow))
        after = (PeriodicTask.objects.count(), IntervalSchedule.objects.count(), Cursor.objects.count())
        self.assertEqual(after, (before[0], before[1] + 1, before[2]))

    def test_an_expiry_that_an_earlier_release_seeded_goes_and_an_operators_own_stays(self):
        PeriodicTask.objects.filter(name="sync.sweep").update(expire_seconds=10)
        PeriodicTask.objects.filter(name="sync.forget_nodes").update(expire_seconds=77)
        seed()
        self.assertIsNone(PeriodicTask.objects.get(name="sync.sweep").expire_seconds)
        self.assertEqual(PeriodicTask.objects.get(name="sync.forget_nodes").expire_seconds, 77)

    def test_a_job_that_is_missing_comes_back(self):
        PeriodicTask.objects.filter(name="sync.sweep").delete()
        seed()
        self.assertTrue(PeriodicTask.objects.get(name="sync.sweep").enabled)
