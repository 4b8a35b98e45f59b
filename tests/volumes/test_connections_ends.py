"""The end of connections: by whom, joined, overtaken, failed and asked for again."""

from __future__ import annotations

import threading

from django.db import connection
from django.test import override_settings

from lifecycle import leases
from lifecycle.errors import Overtaken
from lifecycle.models import Event
from tests.volumes.connecting import SERVER, ConnectedCase, worker
from volumes.models import Attachment, Connection, Message, Volume


class EndTests(ConnectedCase):
    def test_a_server_does_not_lose_its_volume_behind_its_back(self):
        volume = self.a_volume()
        mine = self.attached(volume)["id"]
        before = self.states(volume)
        self.refused(self.remove(mine), 409, SERVER, "detach the volume from the server")
        self.assertEqual(self.states(volume), before)
        with worker():
            self.ok(self.remove(mine, by="alice"))
        self.assertEqual(self.states(volume), ("available", [], []))

    def test_what_no_server_uses_its_user_may_remove(self):
        volume = self.a_volume()
        mine = self.attached(volume, None)["id"]
        with worker():
            self.ok(self.remove(mine))
        self.assertEqual(self.states(volume), ("available", [], []))

    def test_a_way_that_was_told_counts_before_it_is_complete(self):
        volume = self.a_volume()
        with worker():
            mine = self.ok(self.attach(volume))["attachment"]["id"]
        self.refused(self.remove(mine), 409)

    def test_an_end_that_takes_long_is_503_goes_on_and_is_joined(self):
        volume = self.a_volume()
        mine = self.attached(volume)["id"]
        with override_settings(CONNECT_WAIT=0):
            for _ in range(2):
                self.refused(self.remove(mine, by="alice"), 503, "disconnecting")
        self.assertEqual(self.states(volume), ("detaching", ["detaching"], ["disconnecting"]))
        self.assertEqual(Event.objects.filter(resource_id=volume.pk, event="detach").count(), 1)
        with worker():
            # The worker may have been faster than the second request.
            self.assertIn(self.remove(mine, by="alice").status_code, (200, 404))
        self.assertEqual(self.states(volume), ("available", [], []))
        self.assertEqual(self.violations(), [])

    def test_an_end_overtakes_a_connect_and_who_waits_for_that_is_told(self):
        volume = self.a_volume()
        results = []

        def ask():
            try:
                results.append(self.attach(volume))
            finally:
                connection.close()

        thread = threading.Thread(target=ask)
        thread.start()
        self.wait_for(lambda: Connection.objects.filter(status="connecting").exists())
        with worker():
            # The worker may have been faster than the delete: then the server was told, and only a service may.
            self.ok(self.remove(Attachment.objects.get().pk, by="alice"))
        thread.join()
        self.assertIn(results[0].status_code, (200, 404, 409), results[0].content)
        self.assertEqual(self.states(volume), ("available", [], []))

    def test_a_worker_that_was_overtaken_writes_nothing(self):
        volume = self.a_volume()
        with override_settings(CONNECT_WAIT=0):
            self.refused(self.attach(volume), 503)
        held = leases.claim(Connection, Connection.objects.get().pk)
        assert held is not None
        with override_settings(CONNECT_WAIT=0):
            self.refused(self.remove(Attachment.objects.get().pk), 503, "disconnecting")
        with self.assertRaises(Overtaken):
            leases.move(held, "connected", fields={"info": {"late": True}})
        self.assertIsNone(Connection.objects.get().info)
        with worker():
            self.wait_for(lambda: self.states(volume) == ("available", [], []))

    def test_a_disconnect_that_fails_keeps_the_volume_and_can_be_asked_for_again(self):
        volume = self.a_volume()
        mine = self.attached(volume)["id"]
        results = []

        def ask():
            try:
                results.append(self.remove(mine, by="alice"))
            finally:
                connection.close()

        thread = threading.Thread(target=ask)
        thread.start()
        self.wait_for(lambda: Connection.objects.filter(status="disconnecting").exists())
        Connection.objects.update(deadline_at="2020-01-01T00:00Z")  # so that the next claim gives it up
        with worker():
            thread.join()
        self.refused(results[0], 400, "cannot be disconnected", "Deadline passed")
        self.assertEqual(self.states(volume), ("detaching", ["error_detaching"], ["error_disconnecting"]))
        self.assertIn("Deadline", Message.objects.get(resource_id=volume.pk).user_message)
        self.refused(self.ask("DELETE", f"/volumes/{volume.pk}"), 400)
        with worker():
            self.ok(self.remove(mine, by="alice"))
        self.assertEqual(self.states(volume), ("available", [], []))
        self.assertEqual(self.violations(), [])

    def test_the_end_of_a_connection_leaves_what_failed_alone(self):
        volume = self.a_volume()
        mine = self.attached(volume)["id"]
        Volume.objects.filter(pk=volume.pk).update(status="error_extending")
        with worker():
            self.ok(self.remove(mine, by="alice"))
        self.assertEqual(self.states(volume), ("error_extending", [], []))
