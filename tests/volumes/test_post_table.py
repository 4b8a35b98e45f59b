"""What a worker does with a job whose resource is queued, under way or at rest: the table of the 2015 post, row by row.

The post ("A Cinder road to Active/Active HA") has queued jobs that carry what is to be done, a lock for each
resource, and a status for each stage. Here a job is a bell, which says "look at this row" and nothing else; a row is
*queued* when it is busy and unheld, *under way* when it is held under a lease that runs, *at rest* when nothing is
owed. Which operation is meant is never asked of the message: the row says it.
"""

from __future__ import annotations

import os
import uuid
from typing import Any

from django.db.models.functions import Now
from django.test import TestCase

from api.problems import Busy
from lifecycle import leases
from lifecycle.errors import Overtaken, Stale
from lifecycle.models import Event, Node, Operation
from tests import make
from tests.volumes.storing import Stored
from volumes.actions import snapshots, volumes
from volumes.actions.volumes import Wish
from volumes.models import Volume
from volumes.tasks import advance_volume


class TableCase(Stored, TestCase):
    options = "chunk_size = 65536\ncopy_rate = 1048576"

    def setUp(self):
        self.set_up_storage(self)
        self.volume = self.create()

    def tearDown(self):
        self.assertEqual(self.violations(), [])

    def bell(self, row) -> Any:
        """Ring once for the row and return it as it is then."""
        advance_volume(pk=str(row.pk))
        return Volume.objects.filter(pk=row.pk).first()

    def clone(self) -> Volume:
        return volumes.create(self.by, "", Wish(source_volid=str(self.volume.pk)))

    def held_elsewhere(self, row):
        """Claim the row as a worker of another node does, and return its claim."""
        held = leases.claim(Volume, row.pk)
        other = make.node(uuid.uuid4(), name="elsewhere")
        Volume.objects.filter(pk=row.pk).update(holder=other)
        assert held is not None
        return leases.Held(held.row, other.pk, held.epoch)

    def lose(self, row):
        """Let the lease on the row run out."""
        Volume.objects.filter(pk=row.pk).update(lease_until=Now() - leases.lease())


class QueuedTests(TableCase):
    def test_for_the_same_operation_the_worker_goes_ahead(self):
        """Post: go ahead, since it was never begun and cannot be queued twice. Here: the claim decides, by one UPDATE.

        Whether the bell is the first, a doubled one or one that a dead node had received makes no difference.
        """
        volumes.extend(self.by, "", self.volume, 2, in_use=True)
        with self.assertRaisesMessage(Exception, "extending"):
            volumes.extend(self.by, "", self.volume, 3, in_use=True)
        self.assertEqual((self.bell(self.volume).status, self.bell(self.volume).size), ("available", 2))
        self.assertEqual(Event.objects.filter(resource_id=self.volume.pk, event="extended").count(), 1)

    def test_for_writing_and_this_one_reads_the_reader_is_not_accepted_at_all(self):
        """Post: the reader goes ahead, and the writer waits for its lock. Here nobody waits for a lock.

        A reader that was accepted first goes ahead and the writer was refused; after a writer none is accepted.
        """
        reader = self.clone()
        with self.assertRaises(Busy):
            volumes.delete(self.by, "", self.volume)
        self.assertEqual(self.work(reader).status, "available")
        volumes.delete(self.by, "", self.volume)
        with self.assertRaisesMessage(Exception, "deleting"):
            self.clone()
        self.assertIsNone(self.bell(self.volume))

    def test_for_another_operation_the_old_job_is_not_done(self):
        """Post: ignore the current operation, it was done by another node. Here: there is no job of an old operation.

        An old bell does what the row owes now; and who still believes in the old operation is refused its outcome.
        """
        old = self.held_elsewhere(volumes.create(self.by, "", Wish(size=1)))
        volumes.delete(self.by, "", old.row, force=True)
        with self.assertRaises(Overtaken):
            leases.move(old, "created")
        self.assertEqual(Volume.objects.get(pk=old.row.pk).status, "deleting")
        self.assertIsNone(self.bell(old.row))
        actions = Operation.objects.filter(resource_id=old.row.pk).order_by("created_at")
        self.assertEqual(
            list(actions.values_list("action", "state")),
            [("create", "SUPERSEDED"), ("force_delete", "COMPLETE")],
        )


class UnderWayTests(TableCase):
    def test_a_bell_for_work_that_somebody_does_is_answered_by_nobody_else(self):
        """Post: the lock would block the second worker. Here it finds a lease that runs, and is done."""
        volumes.delete(self.by, "", self.volume)
        held = self.held_elsewhere(self.volume)
        found = self.bell(self.volume)
        self.assertEqual((found.status, found.holder_id, found.epoch), ("deleting", held.node_id, held.epoch))
        self.assertTrue(self.file(self.volume).exists())
        self.lose(self.volume)
        self.assertIsNone(self.bell(self.volume))

    def test_deleting_whose_worker_was_lost_is_deleted(self):
        """Post: perform the deletion. Here: taken over like any other work, and the late worker changes nothing."""
        volumes.delete(self.by, "", self.volume)
        held = self.held_elsewhere(self.volume)
        self.lose(self.volume)
        self.assertIsNone(self.bell(self.volume))
        taken = Event.objects.get(event="take_over")
        self.assertEqual((taken.from_status, taken.epoch), ("deleting", held.epoch + 1))
        with self.assertRaises(Stale):
            leases.move(held, "deleted")
        self.assertEqual(Node.objects.get(pk=held.node_id).stale_refused, 1)

    def test_deleting_refuses_every_other_operation(self):
        """Post: fail in any other method. Here: at the door, in words, and not in the worker."""
        volumes.delete(self.by, "", self.volume)
        self.held_elsewhere(self.volume)
        for ask in (
            self.clone,
            lambda: snapshots.create(self.by, "", self.volume),
            lambda: volumes.extend(self.by, "", self.volume, 2, in_use=True),
            lambda: volumes.delete(self.by, "", self.volume),
        ):
            with self.assertRaisesMessage(Exception, "deleting"):
                ask()
        self.lose(self.volume)
        self.assertIsNone(self.bell(self.volume))

    def test_any_other_work_whose_worker_was_lost_is_gone_on_with_and_nothing_is_set_to_error(self):
        """Post: set the volume to error and go ahead if we can. Here: go on where the lost worker stopped."""
        data = os.urandom(1 << 18)
        self.write(self.volume, data)
        with self.settings(COPY_SLICE=0.1):
            clone = self.clone()
            self.bell(clone)
            copied = Volume.objects.get(pk=clone.pk).copied
            held = self.held_elsewhere(clone)
            self.assertEqual(self.bell(clone).holder_id, held.node_id)
            self.lose(clone)
            self.assertGreater(self.bell(clone).copied, copied)
            self.assertGreater(copied, 0)
            self.assertEqual(self.work(clone).status, "available")
        self.assertEqual(self.read(clone, len(data)), data)
        told = Event.objects.filter(resource_id=clone.pk).order_by("pk").values_list("event", flat=True)
        self.assertEqual(list(told), ["take_over", "created"])


class AtRestTests(TableCase):
    def test_a_job_that_would_write_is_dropped(self):
        """Post: abort, it is a duplicate. Here: a bell for a row at rest finds nothing owed, and writes nothing."""
        before = Volume.objects.filter(pk=self.volume.pk).values().get()
        self.bell(self.volume)
        self.assertEqual(Volume.objects.filter(pk=self.volume.pk).values().get(), before)

    def test_a_job_for_what_is_gone_is_dropped(self):
        """The post's duplicate may come after the end as well."""
        self.work(volumes.delete(self.by, "", self.volume))
        self.assertIsNone(self.bell(self.volume))
        self.assertEqual(self.files(), [])

    def test_a_job_that_reads_goes_ahead_and_leaves_what_it_reads_alone(self):
        """Post: proceed normally. Here: the reader's row is the one that is claimed; its source is not even written."""
        self.write(self.volume, b"bytes")
        before = Volume.objects.filter(pk=self.volume.pk).values().get()
        clone = self.work(self.clone())
        self.assertEqual((clone.status, self.read(clone, 5)), ("available", b"bytes"))
        self.assertEqual(Volume.objects.filter(pk=self.volume.pk).values().get(), before)
