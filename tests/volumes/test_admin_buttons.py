"""The operator's buttons: out of the transition tables, by the very actions that the API uses."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client

from identity.models import User
from lifecycle import leases
from lifecycle.models import Event, Operation
from lifecycle.swap import swap
from tests import make
from tests.volumes.test_admin import BUTTON, OperatorCase
from volumes.admin import snapshots as snapshot_pages
from volumes.admin import volumes as volume_pages
from volumes.models import (
    Attachment,
    Connection,
    Quota,
    Snapshot,
    Transfer,
    Volume,
)
from volumes.states import CONNECTION, SNAPSHOT, VOLUME

# Steps that clients make, one after the other: an operator ends them all at once, by "Detach all".
CLIENTS = {
    *("reserve", "unreserve", "attach", "attach_failed", "begin_detaching", "roll_detaching", "detach"),
    *("initialize_connection", "remove_attachment", "reserve_attachment", "update_attachment"),
    *("complete_attachment", "transfer", "accept_transfer", "cancel_transfer"),
}


class VolumeButtonTests(OperatorCase):
    def test_each_move_of_the_tables_has_a_button_or_is_left_to_clients(self):
        for machine, buttons in ((VOLUME, volume_pages.BUTTONS), (SNAPSHOT, snapshot_pages.BUTTONS)):
            moves = {*machine.requests, *machine.changes}
            self.assertEqual(set(buttons), moves - CLIENTS)

    def test_the_buttons_are_what_the_status_accepts(self):
        for status in VOLUME.statuses:
            volume = make.volume(status)
            make.snapshot(volume)
            self.attachment(volume)
            offered = {move.event for move in VOLUME.offered(status)} - CLIENTS
            self.assertEqual(set(self.buttons(volume)), offered, status)
        volume = make.volume("available")
        for status in SNAPSHOT.statuses:
            snapshot = make.snapshot(volume, status)
            offered = {move.event for move in SNAPSHOT.offered(status)} - CLIENTS
            self.assertEqual(set(self.buttons(snapshot)), offered, status)
        connection = self.connection(volume)
        self.assertEqual(CONNECTION.offered(connection.status)[0].event, "connect")
        self.assertEqual(self.buttons(connection), [])

    def test_what_there_is_nothing_for_has_no_button(self):
        self.assertFalse({"revert", "force_detach"} & set(self.buttons(make.volume())))

    def test_pressing_one_makes_the_request_in_the_operators_name(self):
        volume = make.volume(size=2)
        self.assertContains(self.press(volume, "extend", new_size="5"), "Accepted: extend volume1.")
        row = Volume.objects.get()
        self.assertEqual((row.status, row.new_size), ("extending", 5))
        operation: Any = row.operation
        self.assertEqual((operation.user_id, operation.project_id), (self.root.pk, volume.project_id))
        self.assertRegex(operation.request_id, "^req-")
        self.assertEqual(Quota.objects.get().gigabytes, 5)
        self.assertEqual(Event.objects.last().reason, f"asked by user {self.root.pk}")  # type: ignore[union-attr]
        self.assertIn("extend", LogEntry.objects.get().change_message)

    def test_each_button_does_what_it_says(self):
        other = make.volume_type("other")
        volume = make.volume(name="v")
        latest = make.snapshot(volume, name="latest")
        self.press(volume, "retype", type="other")
        self.press(volume, "set_readonly")
        self.press(volume, "set_bootable")
        row = Volume.objects.get()
        self.assertEqual((row.type, row.readonly, row.bootable), (other, True, True))
        self.press(volume, "set_readonly")
        self.assertIs(Volume.objects.get().readonly, False)
        self.press(volume, "revert", snapshot=f"{latest.pk} latest")
        row = Volume.objects.get()
        self.assertEqual((row.status, row.reads_snapshot), ("reverting", latest))
        self.press(volume, "reset", status="available", reason="array maintenance")
        self.press(volume, "delete")
        self.assertEqual(Volume.objects.get().status, "available")
        self.press(volume, "delete", cascade="1")
        self.assertEqual((Volume.objects.get().status, Snapshot.objects.get().status), ("deleting",) * 2)
        stuck = make.volume("set-creating")
        self.press(stuck, "force_delete")
        self.assertEqual(Volume.objects.get(pk=stuck.pk).status, "deleting")

    def test_a_snapshots_buttons_do_what_they_say(self):
        snapshot = make.snapshot(make.volume())
        self.press(snapshot, "reset", status="error", reason="checked by hand")
        self.assertEqual(Snapshot.objects.get().status, "error")
        self.press(snapshot, "delete")
        self.assertEqual(Snapshot.objects.get().status, "deleting")
        self.press(snapshot, "reset", status="error_deleting", reason="the disk is gone")
        self.press(snapshot, "force_delete")
        self.assertEqual(Snapshot.objects.get().status, "deleting")

    def test_a_status_is_not_reset_without_a_reason(self):
        volume = make.volume("error")
        for reason in ("", "   "):
            said = self.press(volume, "reset", status="available", reason=reason)
            self.assertContains(said, "Reason must be given.")
        self.assertEqual(Volume.objects.get().status, "error")
        self.press(volume, "reset", status="available", reason="the array is mended, ticket 4711")
        row = Volume.objects.get()
        self.assertEqual(row.status, "available")
        self.assertIn("ticket 4711", row.status_reason)
        operation = Operation.objects.get(action="reset")
        self.assertEqual(operation.params["reason"], "the array is mended, ticket 4711")
        self.assertEqual((operation.params["was"], operation.user_id), ("error", self.root.pk))

    def test_a_refusal_is_told_and_nothing_is_written(self):
        volume = make.volume(size=2)
        snapshot = make.snapshot(volume)
        make.volume("creating", reads_volume=volume, name="reader")
        before = Operation.objects.count()
        for event, data, said in (
            ("delete", {}, "being read by"),
            ("extend", {"new_size": "3"}, "being read by"),
            ("extend", {"new_size": "1"}, "must be greater than current size"),
            ("extend", {"new_size": "²"}, "must be a whole number"),
            ("extend", {"new_size": "9" * 30}, "must be a whole number"),
            ("extend", {}, "GiB must be given"),
            ("retype", {"type": "no-such"}, "could not be found"),
            ("revert", {"snapshot": "x"}, "could not be found"),
            ("reset", {"status": "gone", "reason": "x"}, "must be one of"),
            ("explode", {}, "no such request"),
        ):
            with self.subTest(event=event, data=data):
                self.assertContains(self.press(volume, event, **data), said)
        self.assertContains(self.press(Volume(id=uuid.uuid4()), "delete"), "no such volume")
        self.assertEqual(Operation.objects.count(), before)
        self.assertEqual(Snapshot.objects.get(), snapshot)

    def test_who_may_only_look_gets_no_button(self):
        volume = make.volume()
        staff = User.objects.create_user("staff", password="a good password", is_staff=True)
        client = Client()
        client.force_login(staff)
        self.assertEqual(client.get(self.change(volume)).status_code, 403)
        staff.user_permissions.set(Permission.objects.filter(codename="view_volume"))
        shown = client.get(self.change(volume))
        self.assertEqual(shown.status_code, 200)
        self.assertEqual(BUTTON.findall(shown.content.decode()), [])
        self.assertEqual(self.press(volume, "delete", client).status_code, 403)
        self.assertEqual(Volume.objects.get().status, "available")

    def test_it_takes_a_post_with_its_csrf_token(self):
        volume = make.volume()
        path = self.change(volume).replace("/change/", "/request/delete/")
        self.assertEqual(self.client.get(path).status_code, 405)
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(self.root)
        self.assertEqual(strict.post(path).status_code, 403)
        self.assertEqual(Volume.objects.get().status, "available")


class UseButtonTests(OperatorCase):
    def test_an_attachment_is_ended_though_its_server_is_not_asked(self):
        volume = make.volume("in-use")
        row = self.attachment(volume, instance_id=str(uuid.uuid4()))
        self.press(row, "detach")
        self.assertFalse(Attachment.objects.exists())
        self.assertEqual(Volume.objects.get().status, "available")

    def test_a_server_that_may_be_using_the_volume_loses_its_host_too(self):
        volume = make.volume("in-use")
        way = self.connection(volume)
        swap(
            Connection,
            pk=way.pk,
            values={**leases.at_rest(Connection, "connected", ""), "info": {"data": {}}},
        )
        Operation.objects.filter(pk=way.operation_id).update(state="COMPLETE", finished_at=Now())
        row = self.attachment(volume, instance_id=str(uuid.uuid4()), connection=way)
        self.press(row, "detach")
        self.assertEqual(Attachment.objects.get().status, "detaching")
        self.assertEqual(Connection.objects.get().status, "disconnecting")
        self.assertEqual(self.buttons(row), [])

    def test_all_attachments_are_ended_at_once(self):
        volume = make.volume("in-use", multiattach=True)
        for _ in range(2):
            self.attachment(volume, instance_id=str(uuid.uuid4()))
        self.press(volume, "force_detach")
        self.assertFalse(Attachment.objects.exists())
        self.assertEqual(Volume.objects.get().status, "available")

    def test_an_offer_is_withdrawn(self):
        volume = make.volume("awaiting-transfer")
        offer = Transfer.objects.create(volume=volume, project_id=volume.project_id, name="to blue")
        self.assertContains(self.press(offer, "cancel_transfer"), "Accepted: withdraw to blue.")
        self.assertFalse(Transfer.objects.exists())
        self.assertEqual(Volume.objects.get().status, "available")
