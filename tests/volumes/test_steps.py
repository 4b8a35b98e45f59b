"""Whole lives of volumes and snapshots on real storage, each step called as a bell would."""

from __future__ import annotations

import os
import shutil

from django.test import TestCase

from api.problems import BadRequest, WrongState
from lifecycle.models import Event, Operation
from sync import pools
from tests.volumes.storing import Stored, gib
from volumes.actions import snapshots, volumes
from volumes.actions.volumes import Wish
from volumes.models import Message, Pool, Quota, Snapshot, Volume


class LifeTests(Stored, TestCase):
    def setUp(self):
        self.set_up_storage(self)

    def tearDown(self):
        self.assertEqual(self.violations(), [])
        self.assertEqual(self.parts(), [])

    def test_a_volume_is_made_and_removed(self):
        volume = self.create(2, name="first")
        self.assertEqual((volume.status, self.file(volume).stat().st_size), ("available", gib(2)))
        self.assertEqual(self.file(volume).stat().st_blocks, 0)
        self.assertIsNone(self.work(volumes.delete(self.by, "", volume)))
        self.assertEqual((self.files(), Quota.objects.get().gigabytes), ([], 0))
        self.assertEqual(Pool.objects.get(pk="fast#one").allocated_gb, 0)

    def test_a_snapshot_and_its_clone_have_the_bytes_of_their_moment(self):
        volume = self.create()
        self.write(volume, b"before")
        snapshot = self.snap(volume)
        self.write(volume, b"after!")
        clone = self.create(2, snapshot_id=str(snapshot.pk))
        self.assertEqual((self.read(snapshot, 6), self.read(clone, 6)), (b"before", b"before"))
        self.assertEqual((self.file(clone).stat().st_size, clone.reads_snapshot), (gib(2), None))
        twin = self.create(None, source_volid=str(volume.pk))
        self.assertEqual((self.read(twin, 6), twin.size), (b"after!", 1))

    def test_an_extend_adds_zeros_and_counts_them(self):
        volume = self.create()
        self.write(volume, b"kept")
        volumes.extend(self.by, "", volume, 3, in_use=True)
        volume = self.work(volume)
        self.assertEqual((volume.status, volume.size, volume.new_size), ("available", 3, None))
        self.assertEqual((self.read(volume, 4), self.read(volume, 4, at=gib(3) - 4)), (b"kept", bytes(4)))
        self.assertEqual(Quota.objects.get().gigabytes, 3)

    def test_an_extend_that_fails_gives_back_what_it_had_reserved_and_says_why(self):
        volume = self.create()
        self.file(volume).unlink()
        volumes.extend(self.by, "", volume, 5, in_use=True)
        volume = self.work(volume)
        self.assertEqual((volume.status, volume.size), ("error_extending", 1))
        self.assertEqual(Quota.objects.get().gigabytes, 1)
        self.assertIn("extend volume", Message.objects.get().user_message)

    def test_an_extend_that_the_storage_refused_is_over_and_one_that_was_given_up_is_not(self):
        volume = self.create()
        data = self.file(volume)
        data.rename(self.root / "aside")
        volumes.extend(self.by, "", volume, 5, in_use=True)
        volume = self.work(volume)
        (self.root / "aside").rename(data)
        self.assertEqual(volumes.reset(self.by, "", volume, "available", "").status, "available")
        volumes.extend(self.by, "", volume, 5, in_use=True)
        Volume.objects.update(deadline_at="2020-01-01T00:00Z")  # so that the next claim gives it up
        volume = self.work(volume)
        self.assertEqual((volume.status, volume.may_grow_to), ("error_extending", 5))
        with self.assertRaisesMessage(WrongState, "may still take effect"):
            volumes.reset(self.by, "", volume, "available", "")
        with self.assertRaisesMessage(BadRequest, "at least that"):
            volumes.extend(self.by, "", volume, 4, in_use=True)
        volume = self.work(volumes.extend(self.by, "", volume, 5, in_use=True))
        self.assertEqual((volume.status, volume.size, volume.may_grow_to), ("available", 5, None))

    def test_a_revert_brings_the_old_bytes_back(self):
        volume = self.create()
        self.write(volume, b"old")
        snapshot = self.snap(volume)
        self.write(volume, b"new")
        volumes.revert(self.by, "", volume, str(snapshot.pk))
        volume = self.work(volume)
        self.assertEqual(
            (volume.status, self.read(volume, 3), volume.reads_snapshot), ("available", b"old", None)
        )

    def test_a_cascade_takes_the_snapshots_first(self):
        volume = self.create()
        kept = [self.snap(volume) for _ in range(3)]
        volumes.delete(self.by, "", volume, cascade=True)
        self.assertEqual(self.work(volume, times=1).status, "deleting")
        for snapshot in kept:
            self.assertIsNone(self.work(snapshot))
        self.assertIsNone(self.work(volume))
        self.assertEqual(self.files(), [])

    def test_a_cascade_ends_in_error_where_a_snapshot_stays(self):
        volume = self.create()
        snapshot = self.snap(volume)
        volumes.delete(self.by, "", volume, cascade=True)
        snapshots.reset(self.by, "", Snapshot.objects.get(), "error")
        volume = self.work(volume)
        self.assertEqual(volume.status, "error_deleting")
        self.assertIn(str(snapshot.pk), volume.status_reason)

    def test_each_life_is_on_record(self):
        volume = self.create()
        self.work(volumes.delete(self.by, "req-1", volume))
        told = list(Operation.objects.order_by("created_at").values_list("action", "state"))
        self.assertEqual(told, [("create", "COMPLETE"), ("delete", "COMPLETE")])
        events = list(
            Event.objects.filter(resource_id=volume.pk).order_by("pk").values_list("event", flat=True)
        )
        self.assertEqual(events, ["created", "delete", "deleted"])


class TroubleTests(Stored, TestCase):
    def setUp(self):
        self.set_up_storage(self)

    def test_a_volume_whose_pool_is_gone_is_made_elsewhere(self):
        volume = volumes.create(self.by, "", Wish(size=1))
        Pool.objects.update(disabled=False)
        shutil.move(self.root / "fast", self.root / "away")
        volume = self.work(volume)
        self.assertEqual((volume.status, volume.backend), ("available", "slow"))
        self.assertEqual([each["pool"] for each in volume.tried], ["fast#one"])
        fast, slow = Pool.objects.order_by("pk")
        self.assertEqual((fast.allocated_gb, slow.allocated_gb), (0, 1))
        self.assertIsNotNone(fast.down_since)
        shutil.move(self.root / "away", self.root / "fast")
        self.assertEqual(self.violations(), [])

    def test_with_nowhere_else_to_go_it_waits_for_its_pool(self):
        volume = volumes.create(self.by, "", Wish(size=1))
        shutil.move(self.root / "fast", self.root / "away")
        waiting = self.work(volume, times=3)
        self.assertEqual(waiting.status, "creating")
        self.assertIn("cannot be reached", waiting.status_reason)
        shutil.move(self.root / "away", self.root / "fast")
        self.assertEqual(self.work(volume).status, "available")
        self.assertEqual(self.violations(), [])

    def test_a_back_end_that_failed_gets_nothing_until_it_reports_well(self):
        shutil.move(self.root / "fast", self.root / "away")
        Pool.objects.filter(backend="fast").update(report_due="2020-01-01T00:00Z")
        pools.report()
        self.assertIsNotNone(Pool.objects.get(pk="fast#one").down_since)
        with self.assertRaisesMessage(Exception, "take no volumes now"):
            volumes.create(self.by, "", Wish(size=1))
        shutil.move(self.root / "away", self.root / "fast")
        Pool.objects.filter(backend="fast").update(report_due="2020-01-01T00:00Z")
        pools.report()
        self.assertEqual(self.create().status, "available")

    def test_a_clone_whose_source_is_not_stored_fails_and_says_so(self):
        volume = self.create()
        self.file(volume).unlink()
        clone = self.create(None, source_volid=str(volume.pk))
        self.assertEqual((clone.status, clone.reads_volume), ("error", None))
        self.assertEqual(Message.objects.get().resource_id, clone.pk)

    def test_a_node_leaves_alone_what_it_does_not_serve(self):
        volume = volumes.create(self.by, "", Wish(size=1))
        with self.settings(SERVES=["slow"]):
            self.assertEqual(self.work(volume, times=3).epoch, 0)
        self.assertEqual(self.work(volume).status, "available")


class SlowCopyTests(Stored, TestCase):
    options = "copy_rate = 8388608\nchunk_size = 1048576"

    def setUp(self):
        self.set_up_storage(self)

    def test_a_copy_is_many_short_steps_with_progress(self):
        volume = self.create()
        data = os.urandom(1 << 20)
        for number in range(6):
            self.write(volume, data, at=number * (100 << 20))
        with self.settings(COPY_SLICE=0.2):
            clone = volumes.create(self.by, "", Wish(source_volid=str(volume.pk)))
            halfway = self.work(clone, times=2)
            self.assertEqual((halfway.status, halfway.reads_volume_id), ("creating", volume.pk))
            self.assertGreater(halfway.copied, 0)
            clone = self.work(clone, times=500)
        self.assertEqual((clone.status, clone.copied), ("available", 0))
        self.assertTrue(all(self.read(clone, 1 << 20, at=n * (100 << 20)) == data for n in range(6)))
        self.assertGreater(Volume.objects.get(pk=clone.pk).epoch, 2)
        self.assertEqual((self.parts(), self.violations()), ([], []))
