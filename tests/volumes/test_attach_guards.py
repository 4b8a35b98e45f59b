"""What an attached volume's readers and servers are kept from: writers beside them, and losing it behind their back."""

from __future__ import annotations

from django.test import override_settings

from identity import tokens
from identity.models import Assignment, Role
from sync import invariants
from sync.invariants import volumes as checks
from tests.volumes.connecting import SERVER, ConnectedCase, worker
from volumes.actions import snapshots, volumes
from volumes.actions.volumes import Wish
from volumes.models import Attachment, Connection, Pool, Volume

KEY = {"Idempotency-Key": "k"}
WAY = {"connector": {"host": "h1", "ip": "10.0.0.1"}}
MOVED = {"connector": {"host": "h1", "ip": "10.0.0.7"}}
DISK = {"mountpoint": "/dev/vdb", "instance_uuid": SERVER}


class GuardCase(ConnectedCase):
    def connect(self, volume, host="h1", *, way=None, **kwargs):
        body = {"connector": way or {"host": host, "ip": "10.0.0.1"}}
        return self.act(volume, "os-initialize_connection", body, **kwargs)

    def modes(self):
        return list(Connection.objects.order_by("host").values_list("host", "read_only"))


class ReaderTests(GuardCase):
    def test_who_connects_beside_readers_only_is_connected_for_reading(self):
        for begin in (
            lambda volume: volumes.create(self.by, "", Wish(source_volid=str(volume.pk))),
            lambda volume: snapshots.create(self.by, "", volume, name="s"),
        ):
            volume = self.a_volume(multiattach=True)
            begin(volume)
            self.attached(volume, mode="ro")
            with worker():
                for host in ("h1", "h2"):
                    info = self.ok(self.connect(volume, host))["connection_info"]
                    self.assertEqual(info["data"]["access_mode"], "ro")
            self.assertEqual({way.read_only for way in volume.connections.all()}, {True})
            self.assertEqual(self.violations(), [])

    def test_a_reader_is_not_made_a_writer_while_the_volume_is_copied(self):
        volume = self.a_volume(multiattach=True)
        self.attached(volume, mode="ro")
        Attachment.objects.update(mode=None)  # nobody has said that it only reads
        Volume.objects.filter(pk=volume.pk).update(status="available")
        clone = volumes.create(self.by, "", Wish(source_volid=str(self.a_volume().pk)))
        Volume.objects.filter(pk=clone.pk).update(reads_volume=volume)
        Volume.objects.filter(pk=volume.pk).update(status="in-use")
        for host in ("h1", "h2"):
            self.refused(self.connect(volume, host), 409, "being read", clone.pk)
        self.assertEqual(self.modes(), [("h1", True)])

    def test_a_volume_in_use_has_one_host_unless_a_service_moves_it(self):
        volume = self.a_volume()
        self.attached(volume)
        self.refused(self.connect(volume, "h2"), 400, "h1", "only one may")
        self.assertEqual(self.modes(), [("h1", False)])
        with worker():
            self.ok(self.connect(volume, "h2", by="alice"))
        self.assertEqual(self.modes(), [("h1", False), ("h2", False)])


class ReplayTests(GuardCase):
    def to_eve(self, volume):
        body = {"transfer": {"volume_id": str(volume.pk)}}
        offer = self.ok(self.post("/volume-transfers", body), 202)["transfer"]
        accept = {"accept": {"auth_key": offer["auth_key"]}}
        self.ok(self.post(f"/volume-transfers/{offer['id']}/accept", accept, by="eve"), 202)

    def demote(self):
        Assignment.objects.filter(user=self.bob).update(role=Role.READER)
        tokens.forget()

    def test_a_replay_tells_nothing_of_what_is_another_projects_now(self):
        volume = self.a_volume()
        with worker():
            self.ok(self.connect(volume, **KEY))
            self.ok(self.act(volume, "os-terminate_connection", WAY, **{"Idempotency-Key": "t"}), 202)
        self.to_eve(volume)
        with worker():
            self.ok(self.attach(volume, by="eve"))
        self.refused(self.connect(volume, **KEY), 404)
        self.refused(self.act(volume, "os-terminate_connection", WAY, **{"Idempotency-Key": "t"}), 404)

    def test_a_replay_tells_nothing_to_who_may_not_ask_any_more(self):
        volume = self.a_volume()
        with worker():
            self.ok(self.connect(volume, **KEY))
            self.assertEqual(self.connect(volume, **KEY)["Idempotency-Replayed"], "true")
        self.demote()
        self.refused(self.connect(volume, **KEY), 403)

    def test_a_replay_of_an_attachment_that_is_gone_is_404(self):
        volume = self.a_volume()
        with worker():
            made = self.ok(self.attach_keyed(volume))["attachment"]
            self.ok(self.remove(made["id"], by="alice"))
        self.refused(self.attach_keyed(volume), 404, made["id"])
        Attachment.objects.create(
            id=made["id"], volume=volume, project_id=self.red.pk, user_id=self.eve.pk, status="reserved"
        )
        self.refused(self.attach_keyed(volume), 404, made["id"])

    def attach_keyed(self, volume):
        body = {"attachment": {"volume_uuid": str(volume.pk), "instance_uuid": SERVER, **WAY}}
        return self.post("/attachments", body, **KEY)


class ServerTests(GuardCase):
    def test_its_user_cannot_change_the_connector_and_then_remove_it(self):
        volume = self.a_volume()
        mine = self.attached(volume)["id"]
        info = Connection.objects.get().info
        for _ in range(2):
            with override_settings(CONNECT_WAIT=0):
                self.refused(self.put(f"/attachments/{mine}", {"attachment": MOVED}), 409, SERVER)
                self.refused(self.connect(volume, way=MOVED["connector"]), 409, "another connector")
                self.refused(self.remove(mine), 409, SERVER)
        self.assertEqual(Connection.objects.get().info, info)
        self.assertEqual(self.states(volume), ("in-use", ["attached"], ["connected"]))

    def test_who_was_told_a_way_counts_before_it_is_complete(self):
        volume = self.a_volume()
        with worker():
            mine = self.ok(self.attach(volume))["attachment"]["id"]
        for other in (MOVED, {"connector": {"host": "h2"}}):
            self.refused(self.put(f"/attachments/{mine}", {"attachment": other}), 409, SERVER)
        self.refused(self.remove(mine), 409, SERVER)
        self.assertEqual(self.states(volume), ("attaching", ["attaching"], ["connected"]))

    def test_while_a_service_changes_the_connector_the_old_way_is_told_and_the_server_kept(self):
        volume = self.a_volume()
        mine = self.attached(volume)["id"]
        path = f"/attachments/{mine}"
        info = self.ok(self.get(path))["attachment"]["connection_info"]
        with override_settings(CONNECT_WAIT=0):
            self.refused(self.put(path, {"attachment": MOVED}, by="alice"), 503)
        self.assertEqual(self.states(volume)[2], ["connecting"])
        self.assertEqual(self.ok(self.get(path))["attachment"]["connection_info"], info)
        self.refused(self.remove(mine), 409, SERVER)
        self.refused(self.act(volume, "os-detach"), 409, SERVER)
        with worker():
            self.ok(self.put(path, {"attachment": MOVED}, by="alice"))
        self.assertEqual(Connection.objects.get().connector, MOVED["connector"])

    def test_an_older_clients_server_does_not_lose_its_way_to_another_connector(self):
        volume = self.a_volume()
        with worker():
            self.ok(self.connect(volume))
            self.ok(self.act(volume, "os-attach", DISK), 202)
        with override_settings(CONNECT_WAIT=0):
            self.refused(self.connect(volume, way=MOVED["connector"]), 409, SERVER)
            self.refused(self.connect(volume, way=MOVED["connector"], by="alice"), 503)
        self.refused(self.act(volume, "os-detach"), 409, SERVER)
        self.refused(self.act(volume, "os-terminate_connection", MOVED), 409, SERVER)
        self.assertEqual(self.states(volume), ("in-use", ["attached"], ["connecting"]))

    def test_readers_whose_own_connection_cannot_be_made_anew_are_told(self):
        volume = self.a_volume()
        with worker():
            mine = self.ok(self.attach(volume, mode="ro"))["attachment"]["id"]
        self.file(volume).unlink()
        with worker():
            self.refused(self.put(f"/attachments/{mine}", {"attachment": MOVED}, by="alice"), 400)
        self.assertEqual(self.states(volume), ("reserved", ["error_attaching"], ["error"]))


class InvariantTests(GuardCase):
    def told(self):
        return [*checks.attachments_agree_with_volumes(), *checks.nothing_written_is_read()]

    def test_a_free_volume_with_a_connection_is_told(self):
        volume = self.a_volume()
        with worker():
            self.ok(self.connect(volume))
        self.assertEqual(self.told(), [])
        Volume.objects.filter(pk=volume.pk).update(status="available")  # as no path may leave it
        (said,) = self.told()
        self.assertIn(f"volume {volume.pk} is available and host h1", said)
        self.assertIn(said, list(invariants.violations(with_heat=False)))

    def test_a_writer_beside_a_copy_in_pieces_is_told(self):
        volume = self.a_volume()
        for begin in (
            lambda: volumes.create(self.by, "", Wish(source_volid=str(volume.pk))),
            lambda: snapshots.create(self.by, "", volume, name="s"),
        ):
            Volume.objects.filter(pk=volume.pk).update(status="available")
            reader = begin()
            self.attached(volume, mode="ro")
            self.assertEqual(self.told(), [])
            Connection.objects.update(read_only=False)
            (said,) = self.told()
            self.assertIn(f"volume {volume.pk} is being copied while host h1", said)
            Pool.objects.filter(pk=volume.pool_id).update(capabilities={"instant_copies": True})
            self.assertEqual(self.told(), [])
            Pool.objects.filter(pk=volume.pool_id).update(capabilities={})
            with worker():
                self.ok(self.remove(Attachment.objects.get().pk, by="alice"))
            self.work(reader)
            self.assertEqual(self.told(), [])
