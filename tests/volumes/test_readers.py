"""Readers and writers: the four rules, and that a reader's place ends with its holder, however that ends.

Readers are clones and snapshots under way, and a revert reads its snapshot. Writers are delete, extend and revert.
"""

from __future__ import annotations

import os
from datetime import timedelta

from django.db.models.functions import Now
from django.test import TestCase

from api.problems import Busy
from lifecycle import leases
from lifecycle.errors import StateConflict
from sync.sweep import sweep
from tests import make
from tests.volumes.storing import Stored
from volumes.actions import snapshots, volumes
from volumes.actions.volumes import Wish
from volumes.models import Snapshot, Volume

LATER = timedelta(hours=1)


class ReaderCase(Stored, TestCase):
    options = "chunk_size = 65536"

    def setUp(self):
        self.set_up_storage(self)
        self.volume = self.create()
        self.write(self.volume, os.urandom(1 << 18))

    def clone(self, source=None) -> Volume:
        source = source or self.volume
        of_snapshot = isinstance(source, Snapshot)
        wish = Wish(snapshot_id=str(source.pk)) if of_snapshot else Wish(source_volid=str(source.pk))
        return volumes.create(self.by, "", wish)

    def writers(self):
        """Yield each way to write to the volume."""
        fresh = Volume.objects.get(pk=self.volume.pk)
        yield "delete", lambda: volumes.delete(self.by, "", fresh)
        yield "delete with its snapshots", lambda: volumes.delete(self.by, "", fresh, cascade=True)
        yield "force_delete", lambda: volumes.delete(self.by, "", fresh, force=True)
        yield "extend", lambda: volumes.extend(self.by, "", fresh, 2, in_use=True)

    def assert_free(self):
        """A writer is accepted: nobody reads the volume any more."""
        self.assertEqual(volumes.extend(self.by, "", self.volume, 2, in_use=True).status, "extending")


class RuleTests(ReaderCase):
    def test_readers_share_with_readers(self):
        readers = [self.clone(), self.clone(), snapshots.create(self.by, "", self.volume)]
        self.assertEqual([self.work(reader).status for reader in readers], ["available"] * 3)

    def test_a_writer_is_refused_at_once_while_there_are_readers_and_told_who_they_are(self):
        readers = [self.clone(), snapshots.create(self.by, "", self.volume)]
        for name, write in self.writers():
            with self.subTest(name), self.assertRaises(Busy) as refused:
                write()
            for reader in readers:
                self.assertIn(f"{reader.machine.name} {reader.pk}", str(refused.exception))
        self.assertEqual(Volume.objects.get(pk=self.volume.pk).status, "available")

    def test_a_snapshot_that_is_read_cannot_be_deleted_nor_its_volume_with_it(self):
        snapshot = self.snap(self.volume)
        reader = self.clone(snapshot)
        with self.assertRaisesMessage(Busy, str(reader.pk)):
            snapshots.delete(self.by, "", snapshot)
        with self.assertRaisesMessage(Busy, str(reader.pk)):
            volumes.delete(self.by, "", self.volume, cascade=True)
        self.work(reader)
        self.assertEqual(snapshots.delete(self.by, "", snapshot).status, "deleting")

    def test_a_revert_reads_its_snapshot_and_waits_for_no_reader_of_its_volume(self):
        snapshot = self.snap(self.volume)
        reader = self.clone()
        with self.assertRaisesMessage(Busy, str(reader.pk)):
            volumes.revert(self.by, "", self.volume, str(snapshot.pk))
        self.work(reader)
        volumes.revert(self.by, "", self.volume, str(snapshot.pk))
        with self.assertRaisesMessage(Busy, str(self.volume.pk)):
            snapshots.delete(self.by, "", snapshot)
        self.assertEqual(self.clone(snapshot).reads_snapshot_id, snapshot.pk)  # reads beside it

    def test_of_two_writers_the_second_is_refused(self):
        volumes.extend(self.by, "", self.volume, 2, in_use=True)
        for name, write in self.writers():
            if name != "force_delete":  # an operator's: it overtakes
                with self.subTest(name), self.assertRaisesMessage(Exception, "extending"):
                    write()

    def test_a_reader_is_refused_while_there_is_a_writer(self):
        volumes.delete(self.by, "", self.volume)
        for begin in (self.clone, lambda: snapshots.create(self.by, "", self.volume)):
            with self.assertRaisesMessage(Exception, "deleting"):
                begin()
        self.assertEqual(Volume.objects.count(), 1)

    def test_no_more_may_read_at_once_than_the_limit(self):
        with self.settings(READERS=2):
            first, second = self.clone(), snapshots.create(self.by, "", self.volume)
            for begin in (self.clone, lambda: snapshots.create(self.by, "", self.volume)):
                with self.assertRaisesMessage(Busy, "no more than 2"):
                    begin()
            self.work(second)
            self.assertEqual(self.clone().reads_volume_id, self.volume.pk)
            with self.assertRaisesMessage(Busy, str(first.pk)):
                self.clone()


class EndTests(ReaderCase):
    """Each way in which a reader may end."""

    def setUp(self):
        super().setUp()
        self.reader = self.clone()
        with self.assertRaises(Busy):
            volumes.extend(self.by, "", self.volume, 2, in_use=True)

    def tearDown(self):
        self.assert_free()
        self.assertEqual(self.violations(), [])

    def late(self, **columns):
        Volume.objects.filter(pk=self.reader.pk).update(**columns)

    def test_done(self):
        self.assertEqual(self.work(self.reader).status, "available")

    def test_failed(self):
        self.file(self.volume).rename(self.root / "aside")
        self.assertEqual(self.work(self.reader).status, "error")
        (self.root / "aside").rename(self.file(self.volume))

    def test_out_of_time(self):
        self.late(deadline_at=Now() - LATER)
        failed = self.work(self.reader)
        self.assertEqual(failed.status, "error")
        self.assertIn("Deadline passed", failed.status_reason)

    def test_given_up_after_too_many_attempts(self):
        self.late(attempts=10**6)
        self.assertEqual(self.work(self.reader).status, "error")

    def test_reset_by_an_operator(self):
        volumes.reset(self.by, "", self.reader, "error", "")

    def test_reset_by_an_operator_to_the_status_that_it_had(self):
        volumes.reset(self.by, "", self.reader, "creating", "")

    def test_deleted_by_force(self):
        volumes.delete(self.by, "", self.reader, force=True)
        self.assertIsNone(self.work(self.reader))

    def test_taken_over_from_a_worker_that_was_killed(self):
        held = leases.claim(Volume, self.reader.pk)
        self.assertIsNotNone(held)
        with self.assertRaises(Busy):  # a dead reader keeps its place until somebody has finished its work
            volumes.extend(self.by, "", self.volume, 2, in_use=True)
        leases.give_up(Volume, make.node().pk, why="killed")
        self.assertEqual(self.work(self.reader).status, "available")

    def test_taken_over_from_a_worker_that_was_lost(self):
        leases.claim(Volume, self.reader.pk)
        self.late(lease_until=Now() - LATER)
        sweep()
        self.assertEqual(self.work(self.reader).status, "available")


class SnapshotEndTests(ReaderCase):
    """The same of a snapshot, which reads its volume until it is made."""

    def setUp(self):
        super().setUp()
        self.reader = snapshots.create(self.by, "", self.volume)
        with self.assertRaises(Busy):
            volumes.extend(self.by, "", self.volume, 2, in_use=True)

    def tearDown(self):
        self.assert_free()
        self.assertEqual(self.violations(), [])

    def test_done(self):
        self.assertEqual(self.work(self.reader).status, "available")

    def test_out_of_time(self):
        Snapshot.objects.update(deadline_at=Now() - LATER)
        self.assertEqual(self.work(self.reader).status, "error")

    def test_reset_by_an_operator(self):
        snapshots.reset(self.by, "", self.reader, "error")

    def test_deleted_by_force(self):
        snapshots.delete(self.by, "", self.reader, force=True)
        self.assertIsNone(self.work(self.reader))


class RevertEndTests(ReaderCase):
    """And of a revert, which reads its snapshot."""

    def setUp(self):
        super().setUp()
        self.snapshot = self.snap(self.volume)
        volumes.revert(self.by, "", self.volume, str(self.snapshot.pk))
        with self.assertRaises(Busy):
            snapshots.delete(self.by, "", self.snapshot)

    def tearDown(self):
        self.assertEqual(snapshots.delete(self.by, "", self.snapshot).status, "deleting")

    def test_done(self):
        self.assertEqual(self.work(self.volume).status, "available")

    def test_out_of_time(self):
        Volume.objects.update(deadline_at=Now() - LATER)
        self.assertEqual(self.work(self.volume).status, "error")

    def test_reset_by_an_operator(self):
        volumes.reset(self.by, "", self.volume, "available", "")

    def test_it_is_no_work_that_could_be_asked_for_twice(self):
        with self.assertRaisesMessage(Exception, "reverting"):
            volumes.extend(self.by, "", self.volume, 2, in_use=True)
        with self.assertRaises(StateConflict):
            volumes.set_readonly(self.by, "", self.volume, readonly=True)
        self.work(self.volume)
