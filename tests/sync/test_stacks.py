"""Watching waiting bays and observing settled ones, against a real Heat."""

from __future__ import annotations

import json
import uuid
from unittest.mock import patch

from django.db.models.functions import Now

from bays.models import Bay
from chaos.heat_proxy import Fault, Spoil
from clouds.heat import IDS_PER_CALL
from sync import stacks
from sync.models import FIRST, Cursor
from sync.stacks import DRIFT, DRIFT_PAUSE, MISSING
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
        with self.settings(HEAT_POLL=3600):
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
        stacks.watch()
        self.assertEqual(self.proxy.total(), 2)

    def test_a_tick_looks_at_a_bay_once_however_soon_it_is_due_again(self):
        for _ in range(3):
            self.waiting(uuid.uuid4())
        with patch.object(stacks, "IDS_PER_CALL", 1), self.settings(HEAT_POLL=0.001):
            stacks.watch()
        self.assertEqual(self.proxy.total(), 3)

    def test_fifty_cost_one_call_and_a_handful_of_statements(self):
        for _ in range(50):
            self.waiting(uuid.uuid4())
        with Statements() as statements:
            stacks.watch()
        self.assertEqual(self.proxy.total(), 1)
        self.assertLessEqual(len(statements.work), 3, statements.work)

    def test_of_what_heat_tells_only_what_was_asked_for_is_believed(self):
        bay = self.waiting(self.a_stack(seconds=FOREVER))
        assert bay.stack_id is not None
        lies = [a_lie(bay.stack_id, "CREATE_IN_PROGRESS"), a_lie(uuid.uuid4(), "CREATE_COMPLETE")]
        body = json.dumps({"stacks": lies}).encode()
        self.proxy.faults.append(Fault("GET", "stacks", Spoil.REPLACE, status=200, body=body))
        self.assertEqual((stacks.watch(), self.woken()), (0, set()))


def a_lie(stack_id: uuid.UUID, state: str) -> dict[str, str]:
    told = {"id": str(stack_id), "stack_name": "one", "stack_status": state}
    return told | {"creation_time": "2026-01-01T00:00:00Z"}


class MissingTests(HeatSyncCase):
    def setUp(self):
        super().setUp()
        self.again()

    def again(self):
        Cursor.objects.filter(job=MISSING).update(after=FIRST, not_before=Now() - SECOND)

    def test_a_bay_whose_stack_heat_never_knew_is_woken(self):
        lost = self.waiting(uuid.uuid4())
        self.waiting(self.a_stack(seconds=FOREVER))
        self.bells()
        self.assertEqual((stacks.watch(), stacks.find_missing()), (0, 1))
        self.assertEqual([bell["kwargs"] for bell in self.bells()], [{"pk": str(lost.pk)}])
        self.assertFalse(Bay.objects.get(pk=lost.pk).watched)

    def test_where_none_is_missing_one_cheap_call_says_so_and_no_bay_is_written(self):
        deleted = self.a_stack()
        self.lose(deleted)
        for stack_id in (deleted, self.a_stack(), self.a_stack(seconds=FOREVER)):
            self.waiting(stack_id)
        with Statements() as statements:
            self.assertEqual(stacks.find_missing(), 0)
        self.assertEqual(self.proxy.total(), 1)
        self.assertEqual([sql for sql in statements.work if sql.startswith(UPDATES)], [])

    def test_a_round_rests(self):
        self.waiting(uuid.uuid4())
        stacks.find_missing()
        calls = self.proxy.total()
        self.waiting(uuid.uuid4())
        self.assertEqual((stacks.find_missing(), self.proxy.total()), (0, calls))

    def test_while_heat_cannot_be_asked_nothing_is_missing(self):
        bay = self.waiting(uuid.uuid4())
        for body in (b"busy", b'{"stacks": []}', b'{"stacks": [], "count": -1}'):
            self.again()
            self.proxy.faults.append(Fault("GET", "stacks", Spoil.REPLACE, status=200, body=body))
            self.assertEqual(stacks.find_missing(), 0)
        self.assertTrue(Bay.objects.get(pk=bay.pk).watched)

    def test_settled_bays_and_those_that_know_no_stack_are_none_of_it(self):
        self.a_bay("CREATE_COMPLETE", stack_id=uuid.uuid4())
        self.waiting(None)
        self.assertEqual((stacks.find_missing(), self.proxy.total()), (0, 0))


class DriftTests(HeatSyncCase):
    def settled_bay(self, **over) -> Bay:
        return self.a_bay("CREATE_COMPLETE", health_status="HEALTHY", **over)

    def drift(self):
        Cursor.objects.filter(job=DRIFT).update(after=FIRST, not_before=Now() - SECOND)
        return stacks.drift()

    def test_what_has_not_changed_is_not_written(self):
        for _ in range(3):
            self.settled_bay(stack_id=self.a_stack())
        self.assert_nothing_is_written()
        self.assertEqual(self.proxy.total(), 1)
        self.settled_bay(stack_id=uuid.uuid4())
        self.assertEqual(self.drift(), 1)
        self.assert_nothing_is_written()

    def assert_nothing_is_written(self):
        with Statements() as statements:
            self.assertEqual(self.drift(), 0)
        self.assertEqual([sql for sql in statements.work if sql.startswith(UPDATES)], [])

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

    def test_one_that_is_lost_among_many_is_found_and_only_then_are_all_told_of(self):
        bays = [self.settled_bay(stack_id=self.a_stack()) for _ in range(3)]
        lost = bays[1]
        self.lose(lost.stack_id)
        self.assertEqual((self.drift(), self.proxy.total("GET", "stacks")), (1, 2))
        self.assertEqual(Bay.objects.get(health_status="UNHEALTHY").pk, lost.pk)
        calls = self.proxy.total("GET", "stacks")
        self.assertEqual((self.drift(), self.proxy.total("GET", "stacks") - calls), (0, 2))

    def test_a_stack_that_someone_suspends_is_unhealthy(self):
        bay = self.settled_bay(stack_id=(stack_id := self.a_stack()))
        self.assertEqual(self.drift(), 0)
        with self.heat._asking(effect=True) as client:
            client.actions.suspend(str(stack_id))
        self.assertEqual(self.drift(), 1)
        self.assertIn("SUSPEND", Bay.objects.get(pk=bay.pk).health_status_reason["stack"])

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
