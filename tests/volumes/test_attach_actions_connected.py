"""The older protocol of attaching with a worker: hosts are connected and let go."""

from __future__ import annotations

from django.test import override_settings

from lifecycle.models import Operation
from tests.volumes.connecting import OTHER, SERVER, ConnectedCase, worker
from volumes.models import Connection, Volume

DISK = {"mountpoint": "/dev/vdb", "instance_uuid": SERVER}


class ConnectionTests(ConnectedCase):
    WAY = {"connector": {"host": "h1"}}

    def connect(self, volume, host="h1", **kwargs):
        return self.act(volume, "os-initialize_connection", {"connector": {"host": host}}, **kwargs)

    def status(self, volume):
        return Volume.objects.get(pk=volume.pk).status

    def test_the_whole_way_there_and_back(self):
        volume = self.a_volume()
        self.ok(self.act(volume, "os-reserve"), 202)
        with worker():
            info = self.ok(self.connect(volume))["connection_info"]
            self.assertEqual((info["driver_volume_type"], info["data"]["access_mode"]), ("local", "rw"))
            self.ok(self.act(volume, "os-attach", DISK), 202)
            self.assertEqual(self.states(volume), ("in-use", ["attached"], ["connected"]))
            self.ok(self.act(volume, "os-begin_detaching"), 202)
            self.ok(self.act(volume, "os-terminate_connection", self.WAY, by="alice"), 202)
            self.assertEqual(self.states(volume), ("detaching", ["attached"], []))
            self.ok(self.act(volume, "os-detach"), 202)
        self.assertEqual(self.states(volume), ("available", [], []))
        self.assertEqual(self.violations(), [])

    def test_who_did_not_reserve_does_so_by_connecting(self):
        volume = self.a_volume()
        with worker():
            self.ok(self.connect(volume))
            self.assertEqual(self.states(volume), ("attaching", [], ["connected"]))
            self.refused(self.connect(volume, "h2"), 400, "h1", "only one may")
            again = self.ok(self.connect(volume))
            self.assertEqual(again["connection_info"]["driver_volume_type"], "local")
            self.ok(self.act(volume, "os-terminate_connection", self.WAY), 202)
        self.assertEqual(self.states(volume), ("available", [], []))
        kinds = Operation.objects.filter(resource_type="connection").order_by("created_at")
        self.assertEqual([one.action for one in kinds], ["connect", "disconnect"])

    def test_a_volume_is_free_only_when_no_host_reaches_it(self):
        volume = self.a_volume()
        with worker():
            self.ok(self.connect(volume))
        with override_settings(CONNECT_WAIT=0):
            self.ok(self.act(volume, "os-unreserve"), 202)
            self.assertEqual(self.states(volume), ("detaching", [], ["disconnecting"]))
            self.refused(self.ask("DELETE", f"/volumes/{volume.pk}"), 400, "detaching")
        with worker():
            self.wait_for(lambda: self.states(volume) == ("available", [], []))
        self.assertEqual(self.violations(), [])

    def test_a_detach_ends_what_the_client_forgot_to_disconnect(self):
        volume = self.a_volume()
        with worker():
            self.ok(self.connect(volume))
            self.ok(self.act(volume, "os-attach", DISK), 202)
            self.refused(self.act(volume, "os-detach"), 409, SERVER)  # the server may be using it
            self.ok(self.act(volume, "os-detach", by="alice"), 202)
        self.assertEqual(self.states(volume), ("available", [], []))

    def test_a_server_does_not_lose_its_host_behind_its_back(self):
        old, new = self.a_volume(), self.a_volume()
        with worker():
            self.ok(self.connect(old))
            self.ok(self.act(old, "os-attach", DISK), 202)
        self.attached(new)
        for volume in (old, new):
            before = self.states(volume)
            self.refused(self.act(volume, "os-terminate_connection", self.WAY), 409, SERVER)
            self.assertEqual(self.states(volume), before)
        self.ok(self.act(new, "os-terminate_connection", self.WAY, by="alice"), 202)
        self.assertEqual(self.states(new), ("in-use", ["attached"], ["connected"]))  # its attachment ends it

    def test_it_shares_the_connection_of_the_hosts_attachments(self):
        volume = self.a_volume()
        self.attached(volume)
        way = {"connector": {"host": "h1", "ip": "10.0.0.1", "mode": "rw"}}
        answer = self.act(volume, "os-initialize_connection", way)  # there is no worker, and none is needed
        info = self.ok(answer)["connection_info"]
        self.assertEqual(info["data"]["volume_id"], str(volume.pk))
        self.assertEqual(Connection.objects.count(), 1)

    def test_a_refused_host_is_400_and_the_reservation_is_given_back_by_disconnecting(self):
        volume = self.a_volume()
        with worker():
            self.refused(self.connect(volume, "stranger"), 400, "no local access")
            body = {"connector": {"host": "stranger"}}
            self.ok(self.act(volume, "os-terminate_connection", body), 202)
        self.assertEqual(self.states(volume), ("available", [], []))

    def test_the_same_key_brings_the_same_connection(self):
        volume = self.a_volume()
        key = {"Idempotency-Key": "k"}
        with override_settings(CONNECT_WAIT=0):
            self.refused(self.connect(volume, **key), 503)
        with worker():
            again = self.connect(volume, **key)
        self.assertEqual(again["Idempotency-Replayed"], "true")
        self.assertEqual(self.ok(again)["connection_info"]["driver_volume_type"], "local")

    def test_an_operator_forces_a_host_off_a_volume_that_failed(self):
        volume = self.a_volume()
        mine = self.attached(volume)
        Volume.objects.filter(pk=volume.pk).update(status="error")
        body = {"attachment_id": mine["id"], "connector": {"host": "h1"}}
        with worker():
            self.ok(self.act(volume, "os-force_detach", body, by="alice"), 202)
        self.assertEqual(self.states(volume), ("available", [], []))

    def test_a_reset_to_detached_ends_all_uses(self):
        volume = self.a_volume(multiattach=True)
        self.attached(volume)
        self.attached(volume, OTHER, "h2")
        with worker():
            self.ok(self.act(volume, "os-reset_status", {"attach_status": "detached"}, by="alice"), 202)
            self.wait_for(lambda: self.states(volume) == ("available", [], []))
        self.refused(
            self.act(volume, "os-reset_status", {"attach_status": "attached"}, by="alice"),
            400,
            "follows from",
        )
