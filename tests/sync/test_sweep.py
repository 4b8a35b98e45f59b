from __future__ import annotations

from unittest.mock import patch

from django.conf import settings
from django.db.models.functions import Now

from bays.models import Bay
from lifecycle import local
from sync import sweep as sweep_module
from sync.sweep import ring_anew, sweep
from tests import make
from tests.bays.base import Statements
from tests.bays.test_budgets import broker_down
from tests.sync.base import HOUR, SECOND, SyncCase, bells
from volumes.models import ServiceState, Volume
from volumes.models import pools as pools_module


class SweepTests(SyncCase):
    def setUp(self):
        super().setUp()
        for name in ("bells", "store.fast", "store.slow"):
            bells(name)
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

    def test_nothing_due_costs_one_statement_however_many_rows_and_kinds_of_resources_there_are(self):
        for _ in range(3):
            self.a_bay("CREATE_COMPLETE")
            self.waiting()
            make.snapshot(make.volume())
        self.addCleanup(setattr, pools_module, "_served", (0.0, []))
        with self.settings(SERVES=["fast", "slow"], SERVING_CACHE=60):
            ServiceState.serving()  # asked once a second at most, whatever asks
            with Statements() as statements:
                self.assertEqual(sweep(), 0)
        self.assertEqual(len(statements.work), 1, statements.work)

    def test_it_rings_for_what_this_node_reaches_and_leaves_the_rest_to_others(self):
        there = {name: make.volume("creating", in_pool=make.pool(name)) for name in ("fast", "slow")}
        Volume.objects.update(rung_at=None)
        with self.settings(SERVES=["fast"]):
            self.assertEqual((sweep(), sweep()), (1, 0))
        self.assertEqual([bell["kwargs"] for bell in bells("store.fast")], [{"pk": str(there["fast"].pk)}])
        self.assertIsNone(Volume.objects.get(pk=there["slow"].pk).rung_at)
        with self.settings(SERVES=[]):
            self.assertEqual(sweep(), 0)
        with self.settings(SERVES=["fast", "slow"]):
            self.assertEqual(sweep(), 1)
        self.assertEqual([bell["kwargs"] for bell in bells("store.slow")], [{"pk": str(there["slow"].pk)}])

    def test_it_does_not_ring_for_a_back_end_that_the_node_was_told_to_leave(self):
        make.volume("creating", in_pool=make.pool("fast"))
        Volume.objects.update(rung_at=None)
        told = ServiceState.objects.create(node=local.node_name, backend="fast", disabled=True)
        with self.settings(SERVES=["fast"]):
            self.assertEqual(sweep(), 0)
            told.delete()
            self.assertEqual(sweep(), 1)
        self.assertEqual(len(bells("store.fast")), 1)

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
