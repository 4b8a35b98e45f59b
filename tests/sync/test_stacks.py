"""Watching waiting bays and observing settled ones, against a real Heat."""

from __future__ import annotations

import uuid

from django.db.models.functions import Now

from bays.models import Bay
from chaos.heat_proxy import Fault, Spoil
from clouds.heat import IDS_PER_CALL
from sync import stacks
from sync.models import FIRST, Cursor
from sync.stacks import DRIFT, DRIFT_PAUSE
from tests import make
from tests.bays.base import Statements
from tests.races.base import RaceTestCase
from tests.sync.base import FOREVER, SECOND, HeatSyncCase

UPDATES = 'UPDATE "bays_bay"'


class WatchTests(HeatSyncCase):
    def woken(self):
        return set(Bay.objects.filter(watched=False).values_list("pk", flat=True))

    def test_it_wakes_only_what_moved_and_asks_once_for_all(self):
        lost = self.a_stack()
        self.lose(lost)
        moved = {
            "complete": self.waiting(self.a_stack()),
            "deleted": self.waiting(lost),
            "never was": self.waiting(uuid.uuid4()),
            "unknown": self.waiting(None),
        }
        still = self.waiting(self.a_stack(seconds=FOREVER))
        self.bells()
        self.assertEqual(stacks.watch(), len(moved))
        self.assertEqual(self.woken(), {bay.pk for bay in moved.values()})
        self.assertEqual({bell["kwargs"]["pk"] for bell in self.bells()}, {str(pk) for pk in self.woken()})
        self.assertEqual(self.proxy.total(), 1)
        row = Bay.objects.get(pk=still.pk)
        self.assertEqual((row.watched, row.status, row.epoch), (True, "CREATE_IN_PROGRESS", still.epoch))
        self.assertGreater(row.not_before, still.not_before)

    def test_what_was_just_looked_at_is_not_due_again_and_a_tick_over_nothing_is_cheap(self):
        self.waiting(self.a_stack(seconds=FOREVER))
        self.assertEqual((stacks.watch(), stacks.watch()), (0, 0))
        self.assertEqual(self.proxy.total(), 1)
        with Statements() as statements:
            stacks.watch()
        self.assertLessEqual(len(statements.work), 2, statements.work)

    def test_while_heat_is_down_nothing_is_lost(self):
        bay = self.waiting(self.a_stack())
        self.proxy.faults.append(Fault("GET", "stacks", Spoil.STATUS, status=503, body=b"busy"))
        self.assertEqual((stacks.watch(), self.woken()), (0, set()))
        Bay.objects.update(not_before=Now() - SECOND)
        self.speak_to("http://127.0.0.1:9/v1/roadstead")
        self.assertEqual((stacks.watch(), self.woken()), (0, set()))
        Bay.objects.update(not_before=Now() - SECOND)
        self.speak_to(self.proxy.url)
        self.assertEqual((stacks.watch(), self.woken()), (1, {bay.pk}))

    def test_many_bays_are_asked_for_in_few_calls(self):
        for _ in range(IDS_PER_CALL + 10):
            self.waiting(uuid.uuid4())
        self.assertEqual(stacks.watch(), IDS_PER_CALL + 10)
        self.assertEqual(self.proxy.total(), 2)


class DriftTests(HeatSyncCase):
    def settled_bay(self, **over) -> Bay:
        return self.a_bay("CREATE_COMPLETE", health_status="HEALTHY", **over)

    def drift(self):
        Cursor.objects.filter(job=DRIFT).update(after=FIRST, not_before=Now() - SECOND)
        return stacks.drift()

    def test_what_has_not_changed_is_not_written(self):
        for _ in range(3):
            self.settled_bay(stack_id=self.a_stack())
        with Statements() as statements:
            self.assertEqual(self.drift(), 0)
        self.assertEqual([sql for sql in statements.work if sql.startswith(UPDATES)], [])
        self.assertEqual(self.proxy.total(), 1)

    def test_a_lost_stack_is_told_as_health_once_and_the_status_stays(self):
        lost = self.a_stack()
        bays = [self.settled_bay(stack_id=lost), self.settled_bay(stack_id=uuid.uuid4())]
        self.lose(lost)
        self.assertEqual(self.drift(), 2)
        for bay in bays:
            row = Bay.objects.get(pk=bay.pk)
            self.assertEqual((row.health_status, row.status, row.epoch), ("UNHEALTHY", bay.status, bay.epoch))
            self.assertIn("stack", row.health_status_reason)
            self.assertIsNotNone(row.observed_at)
        self.assertEqual(self.drift(), 0)

    def test_a_bay_that_recovers_is_healthy_again(self):
        bay = self.settled_bay(stack_id=self.a_stack())
        Bay.objects.update(health_status="UNHEALTHY", health_status_reason={"stack": "gone"})
        self.assertEqual(self.drift(), 1)
        row = Bay.objects.get(pk=bay.pk)
        self.assertEqual((row.health_status, row.health_status_reason), ("HEALTHY", {}))

    def test_while_heat_is_down_nothing_is_said_of_health(self):
        self.settled_bay(stack_id=self.a_stack())
        self.speak_to("http://127.0.0.1:9/v1/roadstead")
        self.assertEqual(self.drift(), 0)
        self.assertEqual(Bay.objects.get().health_status, "HEALTHY")

    def test_bays_in_progress_are_not_looked_at_and_a_resting_round_asks_nothing(self):
        self.a_bay("UPDATE_IN_PROGRESS", stack_id=uuid.uuid4())
        self.assertEqual((self.drift(), self.proxy.total()), (0, 0))
        with Statements() as statements:
            self.assertEqual(stacks.drift(), 0)
        self.assertLessEqual(len(statements.work), 2, statements.work)


class CursorTests(HeatSyncCase):
    def test_a_round_takes_each_row_once_and_then_rests(self):
        bays = {self.a_bay("CREATE_COMPLETE").pk for _ in range(5)}
        taken: list[uuid.UUID] = []
        sizes = []
        for _ in range(5):
            rows = Cursor.take(DRIFT, Bay.objects.all(), limit=2, pause=DRIFT_PAUSE)
            sizes.append(len(rows))
            taken += [row.pk for row in rows]
        self.assertEqual((sizes, taken), ([2, 2, 1, 0, 0], sorted(bays)))
        self.assertTrue(Cursor.objects.filter(job=DRIFT, not_before__gt=Now(), after=FIRST).exists())
        Cursor.objects.update(not_before=Now() - SECOND)
        self.assertEqual(len(Cursor.take(DRIFT, Bay.objects.all(), limit=2, pause=DRIFT_PAUSE)), 2)

    def test_a_round_that_ends_with_a_full_slice_ends_with_an_empty_one(self):
        for _ in range(2):
            self.a_bay("CREATE_COMPLETE")
        sizes = [len(Cursor.take(DRIFT, Bay.objects.all(), limit=2, pause=DRIFT_PAUSE)) for _ in range(3)]
        self.assertEqual(sizes, [2, 0, 0])

    def test_a_job_without_a_cursor_takes_nothing(self):
        self.assertEqual(Cursor.take("unknown", Bay.objects.all(), limit=2, pause=DRIFT_PAUSE), [])


class CursorRaceTests(RaceTestCase):
    def test_ticks_at_the_same_moment_take_different_slices(self):
        Cursor.objects.update_or_create(job=DRIFT, defaults={"after": FIRST, "not_before": Now()})
        model = make.baymodel()
        bays = {make.bay("CREATE_COMPLETE", model=model).pk for _ in range(8)}

        def take():
            return [row.pk for row in Cursor.take(DRIFT, Bay.objects.all(), limit=2, pause=DRIFT_PAUSE)]

        results = self.race(*[take] * 4)
        taken = [pk for rows in results for pk in rows]  # type: ignore[union-attr]
        self.assertEqual(len(taken), len(set(taken)), results)
        self.assertLessEqual(set(taken), bays)
        self.assertGreaterEqual(len(taken), 2)
