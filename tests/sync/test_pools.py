"""What back-ends report, who asks them, and what becomes of one that does not answer."""

from __future__ import annotations

import shutil
from datetime import timedelta
from unittest.mock import patch

from django.db import connection
from django.db.models.functions import Now
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from lifecycle import local
from sync import pools
from sync.sweep import sweep
from tests import make
from tests.races.base import RaceTestCase
from tests.volumes.storing import Stored
from volumes import storage
from volumes.actions import snapshots, volumes
from volumes.actions.volumes import Wish
from volumes.backends.base import GIB, Unavailable
from volumes.backends.directory.driver import DirectoryBackend
from volumes.models import Pool, Snapshot, Volume

MINUTE = timedelta(minutes=1)


def counting(asked: list[str]):
    """Have each real report of a directory noted in the list."""
    real = DirectoryBackend.stats

    def stats(self):
        asked.append(self.name)
        return real(self)

    return patch.object(DirectoryBackend, "stats", stats)


class ReportTests(Stored, TestCase):
    options = 'reserved_percentage = 10\ncapabilities = { tier = "ssd" }'

    def setUp(self):
        self.set_up_storage(self)
        self.asked: list[str] = []
        self.enterContext(counting(self.asked))

    def due(self, *backends):
        Pool.objects.filter(backend__in=backends).update(report_due=Now())

    def fast(self) -> Pool:
        return Pool.objects.get(pk="fast#one")

    def test_it_asks_what_is_due_and_nothing_else(self):
        self.assertEqual((pools.report(), self.asked), (0, []))
        self.due("slow")
        self.assertEqual((pools.report(), self.asked), (1, ["slow"]))
        self.assertEqual((pools.report(), self.asked), (0, ["slow"]))

    def test_who_dies_while_it_asks_is_followed_soon(self):
        self.due("slow")
        with patch.object(DirectoryBackend, "stats", side_effect=SystemExit), self.assertRaises(SystemExit):
            pools.report()
        self.assertTrue(Pool.objects.filter(backend="slow", report_due__lte=Now() + pools.AGAIN).exists())
        self.due("slow")
        pools.report()
        self.assertTrue(Pool.objects.filter(backend="slow", report_due__gt=Now() + MINUTE / 2).exists())

    def test_nothing_due_costs_at_most_two_statements(self):
        with CaptureQueriesContext(connection) as statements:
            pools.report()
        work = [q["sql"] for q in statements if q["sql"].startswith(("SELECT", "UPDATE"))]
        self.assertLessEqual(len([sql for sql in work if "servicestate" not in sql]), 2, work)

    def test_it_asks_only_what_this_node_serves(self):
        self.due("fast", "slow")
        with self.settings(SERVES=["fast"]):
            pools.report()
        self.assertEqual(self.asked, ["fast"])

    def test_a_change_is_reported_soon(self):
        soon = Pool.objects.filter(backend="fast", report_due__lt=Now() + MINUTE / 2)
        self.assertFalse(soon.exists())
        volumes.create(self.by, "", Wish(size=1))
        self.assertTrue(soon.exists())

    def test_the_numbers_are_what_is_there(self):
        self.create(3)
        self.due("fast")
        pools.report()
        space, pool = shutil.disk_usage(self.root / "fast"), self.fast()
        self.assertEqual((pool.provisioned_gb, pool.allocated_gb), (3.0, 3))
        self.assertAlmostEqual(pool.total_gb, space.total / GIB, delta=0.1)
        self.assertAlmostEqual(pool.promisable_gb, space.total * 0.9 / GIB, delta=1.1)
        self.assertAlmostEqual(pool.free_promisable_gb, (space.free - space.total * 0.1) / GIB, delta=1.5)
        self.assertEqual((pool.capabilities["tier"], pool.reserved_percentage), ("ssd", 10))
        self.assertEqual(
            (pool.reported_by, pool.capabilities["volume_backend_name"]), (local.node_name, "fast")
        )

    def test_a_pool_without_a_row_gets_one(self):
        Pool.objects.filter(pk="slow#one").delete()
        pools.seed()
        pools.report()
        self.assertIsNotNone(Pool.objects.get(pk="slow#one").reported_at)


class DownTests(Stored, TestCase):
    def setUp(self):
        self.set_up_storage(self)

    def away(self):
        shutil.move(self.root / "fast", self.root / "away")

    def back(self):
        shutil.move(self.root / "away", self.root / "fast")
        self.report()

    def report(self):
        Pool.objects.filter(backend="fast").update(report_due=Now())
        pools.report()

    def fast(self) -> Pool:
        return Pool.objects.get(pk="fast#one")

    def test_one_that_cannot_be_asked_is_down_with_the_reason_and_asked_again_soon(self):
        before = self.fast()
        self.away()
        self.report()
        down = self.fast()
        assert down.down_since is not None
        self.assertIn("No such file", down.down_reason)
        self.assertLess(down.report_due - down.down_since, 2 * pools.AGAIN)
        self.assertEqual((down.reported_at, down.total_gb), (before.reported_at, before.total_gb))
        self.report()
        self.assertEqual(self.fast().down_since, down.down_since)
        self.back()
        self.assertEqual((self.fast().down_since, self.fast().down_reason), (None, ""))

    def test_what_failed_on_it_is_done_when_it_is_back_however_long_it_was_away(self):
        volume = self.create()
        snapshot = self.snap(volume)
        self.away()
        waiting = [snapshots.delete(self.by, "", snapshot), volumes.create(self.by, "", Wish(size=1))]
        for row in waiting:
            self.work(row, times=1)
        Snapshot.objects.update(not_before=Now() + MINUTE)
        Volume.objects.filter(status="creating").update(not_before=Now() + MINUTE)
        self.assertEqual(sweep(), 0)
        self.report()
        self.assertEqual(sweep(), 0)
        self.back()
        self.assertEqual(sweep(), 2)
        self.assertIsNone(self.work(waiting[0]))
        self.assertEqual(self.work(waiting[1]).status, "available")

    def test_a_step_that_cannot_reach_it_is_evidence_too(self):
        volume = self.create()
        self.away()
        self.work(volumes.delete(self.by, "", volume), times=1)
        self.assertIsNotNone(self.fast().down_since)
        with self.assertRaisesMessage(Exception, "take no volumes now"):
            volumes.create(self.by, "", Wish(size=1))

    def test_evidence_of_one_back_end_says_nothing_of_another(self):
        storage.mark_down("fast", Unavailable("gone"))
        self.assertIsNone(Pool.objects.get(pk="slow#one").down_since)
        storage.mark_down("fast", Unavailable("still gone"))
        self.assertEqual(self.fast().down_reason, "gone")


class ElsewhereTests(Stored, TestCase):
    """A new volume whose pool fails: made elsewhere if it fits there, else it waits or fails."""

    def setUp(self):
        self.set_up_storage(self)
        self.volume = volumes.create(self.by, "", Wish(size=1))
        shutil.move(self.root / "fast", self.root / "away")

    def test_it_waits_where_others_are_open_but_cannot_hold_it(self):
        Pool.objects.filter(backend="slow").update(disabled=False, promisable_gb=0)
        waiting = self.work(self.volume, times=3)
        self.assertEqual((waiting.status, waiting.backend, waiting.tried), ("creating", "fast", []))
        shutil.move(self.root / "away", self.root / "fast")
        self.assertEqual(self.work(self.volume).status, "available")
        self.assertEqual(self.violations(), [])

    def test_it_goes_where_its_hints_allow(self):
        Pool.objects.filter(backend="slow").update(disabled=False)
        other = make.volume(in_pool=Pool.objects.get(pk="slow#one"), project_id=self.by.project)
        Volume.objects.filter(pk=self.volume.pk).update(hints={"different_host": [str(other.pk)]})
        self.assertEqual(self.work(self.volume, times=3).backend, "fast")
        Volume.objects.filter(pk=self.volume.pk).update(hints={})
        self.assertEqual(self.work(self.volume).backend, "slow")

    def test_where_the_room_elsewhere_is_taken_meanwhile_nothing_is_counted_twice(self):
        Pool.objects.filter(backend="slow").update(disabled=False)
        with patch.object(Pool, "exchange", side_effect=self.taken):
            self.assertEqual(self.work(self.volume, times=1).backend, "fast")
        self.assertEqual(dict(Pool.objects.values_list("backend", "allocated_gb")), {"fast": 1, "slow": 0})
        self.assertEqual(self.work(self.volume).backend, "slow")
        self.assertEqual(dict(Pool.objects.values_list("backend", "allocated_gb")), {"fast": 0, "slow": 1})

    def taken(self, old, new, size):
        Pool.release(old, size)
        return False


class SharedTests(Stored, RaceTestCase):
    def setUp(self):
        super().setUp()
        self.set_up_storage(self)

    def test_of_eight_nodes_that_tick_at_once_one_asks(self):
        asked: list[str] = []
        with counting(asked):
            for round_ in range(1, 6):
                Pool.objects.update(report_due=Now())
                results = self.race(*[pools.report] * 8)
                self.assertEqual(sum(n for n in results if isinstance(n, int)), 2, results)
                self.assertEqual(sorted(asked), ["fast"] * round_ + ["slow"] * round_)
