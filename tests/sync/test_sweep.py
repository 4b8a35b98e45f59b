from __future__ import annotations

from unittest.mock import patch

from django.conf import settings
from django.db.models.functions import Now

from bays.models import Bay
from sync import sweep as sweep_module
from sync.sweep import ring_anew, sweep
from tests import make
from tests.bays.base import Statements
from tests.bays.test_budgets import broker_down
from tests.sync.base import HOUR, SECOND, SyncCase


class SweepTests(SyncCase):
    def setUp(self):
        super().setUp()
        self.bells()
        self.long_ago = Now() - SECOND * (settings.RING_INTERVAL + 1)

    def test_it_rings_for_a_due_row_once_per_interval_and_says_its_id_only(self):
        bay = self.a_bay(after_birth={"rung_at": None})
        self.assertEqual((sweep(), sweep()), (1, 0))
        self.assertEqual(self.bells(), [{"task": "bays.advance_bay", "kwargs": {"pk": str(bay.pk)}}])
        Bay.objects.update(rung_at=self.long_ago)
        self.assertEqual((sweep(), sweep()), (1, 0))

    def test_a_watched_bay_past_its_deadline_is_woken_though_nobody_could_look_at_its_stack(self):
        late = self.waiting(deadline_at=Now() - SECOND)
        self.waiting(deadline_at=Now() + HOUR)
        self.assertEqual(sweep(), 1)
        self.assertEqual([bell["kwargs"] for bell in self.bells()], [{"pk": str(late.pk)}])

    def test_a_tick_ends_however_many_rows_are_due(self):
        for _ in range(5):
            self.a_bay(after_birth={"rung_at": None})
        with patch.object(sweep_module, "SLICE", 1), patch.object(sweep_module, "SLICES", 3):
            self.assertEqual((sweep(), sweep()), (3, 2))

    def test_it_leaves_alone_what_was_just_rung_for_is_not_due_is_watched_held_or_at_rest(self):
        lease = {"holder": make.node(), "holder_pid": 1, "rung_at": None}
        for status, row, due in (
            ("CREATE_IN_PROGRESS", {"rung_at": Now()}, 0),
            ("CREATE_IN_PROGRESS", {"rung_at": None, "not_before": Now() + HOUR}, 0),
            ("CREATE_IN_PROGRESS", {"rung_at": None, "watched": True}, 0),
            ("CREATE_IN_PROGRESS", {**lease, "lease_until": Now() + HOUR}, 0),
            ("CREATE_COMPLETE", {"rung_at": None}, 0),
            ("DELETE_IN_PROGRESS", {"rung_at": None}, 1),
            ("UPDATE_IN_PROGRESS", {**lease, "lease_until": Now() - SECOND}, 1),  # its holder was lost
        ):
            with self.subTest(status=status, row=str(row)):
                Bay.objects.all().delete()
                self.a_bay(status, after_birth=row)
                self.assertEqual(sweep(), due)

    def test_ringing_anew_does_not_mind_when_it_was_last_rung(self):
        self.a_bay(after_birth={"rung_at": Now()})
        self.assertEqual((sweep(), ring_anew(), ring_anew()), (0, 1, 1))

    def test_nothing_due_costs_at_most_two_statements_however_many_rows_there_are(self):
        for _ in range(3):
            self.a_bay("CREATE_COMPLETE")
            self.waiting()
        with Statements() as statements:
            self.assertEqual(sweep(), 0)
        self.assertLessEqual(len(statements.work), 2, statements.work)

    def test_more_than_a_slice_is_rung_in_one_tick(self):
        for _ in range(5):
            self.a_bay(after_birth={"rung_at": None})
        with patch.object(sweep_module, "SLICE", 2):
            self.assertEqual(sweep(), 5)
        self.assertEqual(len({bell["kwargs"]["pk"] for bell in self.bells()}), 5)

    def test_without_a_broker_nothing_is_lost(self):
        bay = self.a_bay(after_birth={"rung_at": None})
        with broker_down():
            self.assertEqual(sweep(), 0)
        Bay.objects.update(rung_at=self.long_ago)
        self.assertEqual(sweep(), 1)
        self.assertEqual(self.bells()[0]["kwargs"], {"pk": str(bay.pk)})
