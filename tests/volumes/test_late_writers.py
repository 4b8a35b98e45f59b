"""Work that was called off may still be under way somewhere: it changes nothing that others have since been given."""

from __future__ import annotations

import socket

from django.db.models.functions import Now
from django.test import TestCase

from lifecycle import leases, local
from lifecycle.errors import LeaseLost
from lifecycle.leases import Held
from tests.volumes.storing import Stored
from volumes import storage
from volumes.actions import attachments, volumes
from volumes.actions.volumes import Wish
from volumes.backends.base import Fenced, Underway
from volumes.models import Connection, Volume
from volumes.steps.asking import a_while

CONNECTOR = {"host": socket.gethostname(), "ip": "127.0.0.1"}


class LateWriterTests(Stored, TestCase):
    options = "chunk_size = 65536"

    def setUp(self):
        self.set_up_storage(self)
        self.volume = self.create()
        self.write(self.volume, b"old" * 65536)
        self.snapshot = self.snap(self.volume)
        self.write(self.volume, b"new" * 65536)

    def reverting(self) -> Held[Volume]:
        volumes.revert(self.by, "", self.volume, str(self.snapshot.pk))
        held = leases.claim(Volume, self.volume.pk)
        assert held is not None
        return held

    def attach(self):
        attachments.create(self.by, "", Volume.objects.get(pk=self.volume.pk), connector=CONNECTOR)
        self.assertEqual(self.work(Connection.objects.get()).status, "connected")

    def revert(self, held, go_on):
        return storage.backend("fast").revert(held.row.ref, self.snapshot.ref, epoch=held.epoch, go_on=go_on)

    def test_a_revert_that_an_operator_called_off_does_not_come_over_what_a_server_writes(self):
        held = self.reverting()
        volumes.reset(self.by, "", held.row, "available", "")
        self.attached = False

        def meanwhile() -> bool:
            if not self.attached:
                self.attached = True
                self.attach()
                self.write(self.volume, b"the server's")
            return True

        with self.assertRaises(Fenced):
            self.revert(held, meanwhile)
        self.assertTrue(self.attached)
        self.assertEqual(self.read(self.volume, 12), b"the server's")
        self.assertEqual(self.parts(), [])

    def test_a_revert_that_ran_out_of_time_does_not_either(self):
        held = self.reverting()
        self.assertIsInstance(self.revert(held, lambda: False), Underway)
        Volume.objects.filter(pk=held.row.pk).update(
            lease_until=Now() - leases.lease(), deadline_at=Now() - leases.lease()
        )
        failed = self.work(held.row)
        self.assertEqual(failed.status, "error")
        volumes.reset(self.by, "", failed, "available", "")
        self.attach()
        self.write(self.volume, b"the server's")
        with self.assertRaises(Fenced):
            self.revert(held, lambda: True)
        self.assertEqual(self.read(self.volume, 12), b"the server's")

    def test_connecting_a_second_host_disturbs_no_newer_work_and_no_stored_byte(self):
        self.attach()
        newer = Volume.objects.get(pk=self.volume.pk)
        storage.backend("fast").extend(newer.ref, 2 << 30, epoch=newer.epoch + 1)
        Connection.objects.all().update(
            status="connecting", operation=self.reopened(), deadline_at=Now() + leases.lease()
        )
        self.assertEqual(self.work(Connection.objects.get()).status, "connected")
        self.assertEqual(self.read(self.volume, 3), b"new")

    def reopened(self):
        from lifecycle.models import Operation  # noqa: PLC0415

        return Operation.objects.create(
            resource_type="connection",
            resource_id=Connection.objects.get().pk,
            resource_name="x",
            action="connect",
        ).pk


class LeaseTests(Stored, TestCase):
    options = "chunk_size = 65536"

    def setUp(self):
        self.set_up_storage(self)

    def test_a_copy_stops_between_two_chunks_once_the_lease_may_be_lost(self):
        volume = self.create()
        self.write(volume, b"data" * 65536)
        clone = volumes.create(self.by, "", Wish(source_volid=str(volume.pk)))
        renewed = local.last_renewed()
        self.addCleanup(local.mark_renewed, renewed)
        go_on = a_while()
        self.assertTrue(go_on())
        local.mark_renewed(0.0)
        with self.assertRaises(LeaseLost):
            storage.backend("fast").copy(volume.ref, clone.ref, 1 << 30, epoch=1, go_on=go_on)
        self.assertFalse(self.file(clone).exists())
        local.mark_renewed(renewed)
        self.assertEqual(self.read(self.work(clone), 4), b"data")
        self.assertEqual(self.parts(), [])
