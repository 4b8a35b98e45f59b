"""Connections: asked for, made by a worker, answered in the same request; shared by a host, and ended with the last."""

from __future__ import annotations

import os
import uuid
from typing import Any

from django.test import override_settings

from lifecycle.models import Event, Operation
from tests.volumes.connecting import OTHER, SERVER, ConnectedCase, worker
from volumes.models import Attachment, Connection, Message

WAY = {"connector": {"host": "h1", "ip": "10.0.0.1"}}


class ConnectTests(ConnectedCase):
    def test_a_connector_brings_the_way_in_the_same_answer(self):
        volume = self.a_volume()
        with worker():
            shown = self.ok(self.attach(volume))["attachment"]
        self.assertEqual(self.states(volume), ("attaching", ["attaching"], ["connected"]))
        info = shown["connection_info"]
        self.assertEqual(os.path.realpath(info["device_path"]), os.path.realpath(self.file(volume)))
        expected = {
            "driver_volume_type": "local",
            "access_mode": "rw",
            "format": "raw",
            "attachment_id": shown["id"],
            "volume_id": str(volume.pk),
        }
        self.assertEqual(info, info | expected)
        self.assertNotIn("data", info)
        self.assertEqual((shown["status"], shown["attach_mode"]), ("attaching", "rw"))
        self.assertEqual(self.ok(self.get(f"/attachments/{shown['id']}"))["attachment"], shown)
        (listed,) = self.ok(self.get("/attachments/detail"))["attachments"]
        self.assertEqual(listed, {**shown, "connection_info": {}})

    def test_reserve_then_connect_then_complete(self):
        volume = self.a_volume()
        mine = self.ok(self.attach(volume, host=None))["attachment"]["id"]
        with worker():
            told = self.ok(self.put(f"/attachments/{mine}", {"attachment": WAY}))["attachment"]
        self.assertEqual(told["connection_info"]["driver_volume_type"], "local")
        body: Any
        for body in ({}, mine):  # a client sends the id, which nobody reads
            self.ok(self.post(f"/attachments/{mine}/action", {"os-complete": body}), 204)
        self.assertEqual(self.states(volume), ("in-use", ["attached"], ["connected"]))
        shown = self.ok(self.get(f"/attachments/{mine}"))["attachment"]
        self.assertRegex(shown["attached_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$")
        (seen,) = self.ok(self.get(f"/volumes/{volume.pk}"))["volume"]["attachments"]
        self.assertEqual((seen["attachment_id"], seen["server_id"]), (mine, SERVER))
        self.assertEqual(Event.objects.filter(resource_id=volume.pk, event="complete_attachment").count(), 1)

    def test_what_is_not_connected_yet_cannot_be_completed(self):
        volume = self.a_volume()
        with override_settings(CONNECT_WAIT=0):
            self.refused(self.attach(volume), 503, "connecting")
        mine = Attachment.objects.get()
        path = f"/attachments/{mine.pk}/action"
        self.refused(self.post(path, {"os-complete": {}}), 400, "attaching", "connecting")
        self.assertEqual(self.states(volume), ("attaching", ["attaching"], ["connecting"]))

    def test_asking_again_changes_nothing(self):
        volume = self.a_volume()
        mine = self.attached(volume)["id"]
        before = Event.objects.count(), Operation.objects.count()
        shown = self.ok(self.put(f"/attachments/{mine}", {"attachment": WAY}))["attachment"]
        self.assertEqual((shown["status"], shown["connection_info"]["access_mode"]), ("attached", "rw"))
        self.assertEqual((Event.objects.count(), Operation.objects.count()), before)

    def test_a_host_that_may_not_is_told_why_and_the_attachment_says_so(self):
        volume = self.a_volume()
        with worker():
            self.refused(self.attach(volume, host="stranger"), 400, "Host stranger has no local access")
        self.assertEqual(self.states(volume), ("reserved", ["error_attaching"], ["error"]))
        self.assertIn("stranger", Message.objects.get(resource_id=volume.pk).user_message)
        mine = Attachment.objects.get()
        with worker():  # another host is as good a try as any, and the old one is let go
            self.ok(self.put(f"/attachments/{mine.pk}", {"attachment": WAY}))
            self.wait_for(lambda: self.states(volume) == ("attaching", ["attaching"], ["connected"]))
        self.assertEqual(Connection.objects.get().host, "h1")
        with worker():
            self.assertEqual(self.ok(self.remove(mine.pk, by="alice")), {"attachments": []})
        self.assertEqual(self.states(volume), ("available", [], []))
        self.assertEqual(self.violations(), [])

    def test_a_server_that_failed_to_attach_keeps_its_place_and_can_be_removed(self):
        volume = self.a_volume()
        with worker():
            self.refused(self.attach(volume, host="stranger"), 400)
            mine = Attachment.objects.get()
            self.refused(self.attach(volume, OTHER), 400, mine.pk)
            self.ok(self.remove(mine.pk))  # its user may: the server was never told a way
        self.assertEqual(self.states(volume), ("available", [], []))

    def test_a_silent_storage_is_503_and_the_work_goes_on(self):
        volume = self.a_volume()
        back = self.silence()
        with worker():
            answer = self.attach(volume)
            self.refused(answer, 503, "cannot be reached", "goes on")
            self.assertEqual(answer["Retry-After"], "1")
            self.assertEqual(self.states(volume), ("attaching", ["attaching"], ["connecting"]))
            back()
            mine = Attachment.objects.get()
            self.wait_for(lambda: Connection.objects.get().status == "connected")
            shown = self.ok(self.put(f"/attachments/{mine.pk}", {"attachment": WAY}))["attachment"]
        self.assertEqual(shown["connection_info"]["access_mode"], "rw")
        self.assertEqual(self.states(volume), ("attaching", ["attaching"], ["connected"]))

    def test_a_wait_ends_and_who_asks_again_joins_it(self):
        volume = self.a_volume()
        with override_settings(CONNECT_WAIT=0):
            self.refused(self.attach(volume), 503, "connecting")
            mine = Attachment.objects.get()
            operation = Connection.objects.get().operation_id
            self.refused(self.put(f"/attachments/{mine.pk}", {"attachment": WAY}), 503)
        self.assertEqual(Connection.objects.get().operation_id, operation)
        with worker():
            self.ok(self.put(f"/attachments/{mine.pk}", {"attachment": WAY}))

    def test_the_same_key_brings_the_same_attachment_and_waits_again(self):
        volume = self.a_volume()
        body = {"attachment": {"volume_uuid": str(volume.pk), "instance_uuid": SERVER, **WAY}}
        with override_settings(CONNECT_WAIT=0):
            self.refused(self.post("/attachments", body, **{"Idempotency-Key": "k"}), 503)
        with worker():
            again = self.post("/attachments", body, **{"Idempotency-Key": "k"})
        self.assertEqual(again["Idempotency-Replayed"], "true")
        shown = self.ok(again)["attachment"]
        self.assertEqual(shown["id"], str(Attachment.objects.get().pk))
        self.assertEqual(shown["connection_info"]["driver_volume_type"], "local")

    def test_a_volume_for_reading_is_connected_for_reading(self):
        volume = self.a_volume(readonly=True)
        with worker():
            shown = self.ok(self.attach(volume))["attachment"]
        self.assertEqual((shown["attach_mode"], shown["connection_info"]["access_mode"]), ("ro", "ro"))
        self.assertTrue(Connection.objects.get().read_only)

    def test_a_connector_may_say_the_mode_and_the_attachment_has_the_last_word(self):
        volume = self.a_volume()
        connector = {"host": "h1", "mode": "ro", "mountpoint": "/dev/vdb"}
        with worker():
            shown = self.ok(self.attach(volume, connector=connector))["attachment"]
            self.assertEqual(shown["attach_mode"], "ro")
            self.ok(self.remove(shown["id"], by="alice"))
            shown = self.ok(self.attach(volume, connector=connector, mode="rw"))["attachment"]
        self.assertEqual(shown["connection_info"]["access_mode"], "rw")
        self.assertEqual(Attachment.objects.get().mountpoint, "/dev/vdb")
        self.assertEqual(Connection.objects.get().connector, {"host": "h1"})

    def test_readers_are_not_told_the_way(self):
        mine = self.attached(self.a_volume())["id"]
        self.assertEqual(
            self.ok(self.get(f"/attachments/{mine}", by="carol"))["attachment"]["connection_info"], {}
        )
        self.assertTrue(
            self.ok(self.get(f"/attachments/{mine}", by="alice"))["attachment"]["connection_info"]
        )

    def test_a_second_connected_attachment_of_a_volume_for_one_is_a_conflict(self):
        volume = self.a_volume()
        first = self.attached(volume)["id"]
        second = self.ok(self.attach(volume, host=None))["attachment"]["id"]
        way = {"attachment": {"connector": {"host": "h2"}}}
        self.refused(self.put(f"/attachments/{second}", way), 409, first)
        with worker():  # a migrating server asks for both at once, and gets them
            third = self.ok(self.attach(volume, host="h2"))["attachment"]
        self.assertEqual(third["status"], "attaching")
        self.refused(self.put(f"/attachments/{first}", way), 400, "attached")


class ShareTests(ConnectedCase):
    def test_the_attachments_of_a_host_share_its_connection_and_it_ends_with_the_last(self):
        volume = self.a_volume(multiattach=True)
        first, second = self.attached(volume), self.attached(volume, OTHER)
        self.assertEqual(self.states(volume), ("in-use", ["attached", "attached"], ["connected"]))
        rest = self.ok(self.remove(first["id"], by="alice"))["attachments"]  # no worker is needed for this
        self.assertEqual([row["id"] for row in rest], [second["id"]])
        self.assertEqual(self.states(volume), ("in-use", ["attached"], ["connected"]))
        with worker():
            self.assertEqual(self.ok(self.remove(second["id"], by="alice")), {"attachments": []})
        self.assertEqual(self.states(volume), ("available", [], []))
        self.assertEqual(self.violations(), [])

    def test_two_hosts_have_two(self):
        volume = self.a_volume(multiattach=True)
        self.attached(volume)
        second = self.attached(volume, OTHER, "h2")
        with worker():
            self.ok(self.remove(second["id"], by="alice"))
        self.assertEqual(self.states(volume), ("in-use", ["attached"], ["connected"]))
        self.assertEqual(Connection.objects.get().host, "h1")

    def test_a_host_has_one_connector(self):
        volume = self.a_volume(multiattach=True)
        self.attached(volume)
        before = self.states(volume)
        other = {"host": "h1", "ip": "10.0.0.2"}
        self.refused(self.attach(volume, OTHER, connector=other), 409, "another connector")
        self.assertEqual(self.states(volume), before)

    def test_a_host_that_reads_is_connected_anew_for_who_writes(self):
        volume = self.a_volume(multiattach=True)
        reader = self.attached(volume, mode="ro")
        self.assertTrue(Connection.objects.get().read_only)
        writer = self.attached(volume, OTHER)
        self.assertFalse(Connection.objects.get().read_only)
        for row, mode in ((reader, "ro"), (writer, "rw")):
            shown = self.ok(self.get(f"/attachments/{row['id']}"))["attachment"]
            self.assertEqual(shown["connection_info"]["access_mode"], mode)
        third = self.attached(volume, str(uuid.uuid4()), mode="ro")
        self.assertEqual(Connection.objects.get().operation_id, None)
        self.assertEqual(third["connection_info"]["access_mode"], "ro")

    def test_readers_keep_their_way_when_a_writer_does_not_get_one(self):
        volume = self.a_volume(multiattach=True)
        reader = self.attached(volume, mode="ro")["id"]
        self.file(volume).unlink()  # so that the next connect fails
        with worker():
            self.refused(self.attach(volume, OTHER), 400, "not stored")
        self.assertEqual(self.states(volume), ("in-use", ["attached", "error_attaching"], ["error"]))
        shown = self.ok(self.get(f"/attachments/{reader}"))["attachment"]
        self.assertEqual(shown["connection_info"]["access_mode"], "ro")

    def test_a_host_that_comes_back_overtakes_its_own_end(self):
        volume = self.a_volume(multiattach=True)
        first = self.attached(volume)["id"]
        with override_settings(CONNECT_WAIT=0):
            self.refused(self.remove(first, by="alice"), 503, "disconnecting")
            self.assertEqual(self.states(volume), ("detaching", ["detaching"], ["disconnecting"]))
            self.refused(self.attach(volume, OTHER), 400, "detaching")  # the volume is just ending: not yet
        second = self.ok_while_in_use(volume)
        self.assertEqual(
            self.states(volume), ("in-use", ["attached", "attaching"], ["connected", "connected"])
        )
        self.assertEqual({str(row.pk) for row in Attachment.objects.all()} - {second}, {self.stays})

    def ok_while_in_use(self, volume):
        """Have h2 use the volume too, begin to let h1 go, and have h1 come back before a worker has done so."""
        with worker():
            self.wait_for(lambda: self.states(volume)[0] == "available")
        self.stays = self.attached(volume, str(uuid.uuid4()), "h2")["id"]
        gone = self.attached(volume)["id"]
        with override_settings(CONNECT_WAIT=0):
            self.refused(self.remove(gone, by="alice"), 503)
            self.assertEqual(
                self.states(volume), ("in-use", ["attached", "detaching"], ["disconnecting", "connected"])
            )
            self.refused(self.attach(volume, OTHER), 503, "connecting")
        self.refused(self.remove(gone, by="alice"), 404)
        with worker():
            second = Attachment.objects.get(instance_id=OTHER)
            self.ok(self.put(f"/attachments/{second.pk}", {"attachment": WAY}))
        self.assertEqual(Operation.objects.filter(resource_type="connection", state="SUPERSEDED").count(), 1)
        return str(second.pk)
