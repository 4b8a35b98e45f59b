"""Offers taken over with what is counted for them, or withdrawn."""

from __future__ import annotations

import uuid

from lifecycle.models import Event
from tests import make
from tests.volumes.test_transfers_api import NEW, OLD, TransferCase
from volumes.models import Connection, Quota, Snapshot, Transfer, TypeQuota, Volume


class AcceptTests(TransferCase):
    def test_it_takes_the_volume_its_snapshots_and_what_is_counted_for_them(self):
        volume = self.a_volume(size=3)
        self.a_snapshot(volume)
        self.a_snapshot(volume)
        self.assertEqual((self.used(self.blue), self.used(self.red)), ((1, 2, 9), (0, 0, 0)))
        offer = self.offered(volume, name="gift")
        answer = self.ok(self.accept(offer["id"], offer["auth_key"]), 202)["transfer"]
        self.assertEqual(answer, {name: offer[name] for name in ("id", "volume_id", "name", "links")})
        volume.refresh_from_db()
        self.assertEqual(
            (volume.status, volume.project_id, volume.user_id), ("available", self.red.pk, self.eve.pk)
        )
        owners = set(Snapshot.objects.values_list("project_id", "user_id", "status"))
        self.assertEqual(owners, {(self.red.pk, self.eve.pk, "available")})
        self.assertEqual((self.used(self.blue), self.used(self.red)), ((0, 0, 0), (1, 2, 9)))
        self.assertFalse(Transfer.objects.exists())
        self.refused(self.get(f"/volumes/{volume.pk}"), 404)
        self.ok(self.get(f"/volumes/{volume.pk}", by="eve"))
        for by in ("bob", "eve"):
            self.refused(self.get(f"{NEW}/{offer['id']}", by=by), 404)
        self.refused(self.accept(offer["id"], offer["auth_key"]), 404)
        event = Event.objects.get(resource_id=volume.pk, event="accept_transfer")
        self.assertEqual((event.from_status, event.to_status), ("awaiting-transfer", "available"))

    def test_it_works_between_both_names(self):
        for make_by, take_by in ((OLD, NEW), (NEW, OLD)):
            offer = self.offered(self.a_volume(), make_by)
            self.ok(self.accept(offer["id"], offer["auth_key"], take_by), 202)

    def test_snapshots_stay_where_they_are_not_offered(self):
        volume = self.a_volume(size=2)
        child = self.a_snapshot(volume)
        offer = self.offered(volume, no_snapshots=True)
        self.ok(self.accept(offer["id"], offer["auth_key"]), 202)
        child.refresh_from_db()
        self.assertEqual(child.project_id, self.blue.pk)
        self.assertEqual((self.used(self.blue), self.used(self.red)), ((0, 1, 2), (1, 0, 2)))
        again = self.offered(volume, by="eve")  # to a third, or back: what was left behind does not go along
        self.ok(self.accept(again["id"], again["auth_key"], by="alice"), 202)
        child.refresh_from_db()
        self.assertEqual((child.project_id, self.used(self.red)), (self.blue.pk, (0, 0, 0)))

    def test_a_wrong_key_takes_nothing(self):
        offer = self.offered(self.a_volume())
        before = self.rows()
        for key in (
            "x",
            offer["auth_key"][:-1],
            offer["auth_key"] + "0",
            offer["auth_key"].upper() + "X",
            12345,
        ):
            self.refused(self.accept(offer["id"], key), 400, "nvalid auth key")
        self.refused(self.accept(uuid.uuid4(), offer["auth_key"]), 404)
        self.refused(self.accept("x", offer["auth_key"]), 404)
        self.assertEqual(self.rows(), before)

    def test_the_new_project_needs_room(self):
        volume = self.a_volume(size=5)
        self.a_snapshot(volume)
        offer = self.offered(volume)
        for limits in (
            {"volumes_limit": 0},
            {"snapshots_limit": 0},
            {"gigabytes_limit": 9},
            {"other_limits": {"per_volume_gigabytes": 4}},
        ):
            Quota.objects.update_or_create(pk=self.red.pk, defaults=limits)
            before = self.rows()
            answer = self.accept(offer["id"], offer["auth_key"])
            self.refused(answer, 413, "Quota exceeded")
            self.assertEqual(answer["Retry-After"], "0")
            self.assertEqual(self.rows(), before)
            Quota.objects.filter(pk=self.red.pk).delete()
        self.ok(self.accept(offer["id"], offer["auth_key"]), 202)

    def test_limits_of_the_type_move_too(self):
        kind = make.volume_type("gold")
        for project, limit in ((self.blue, 5), (self.red, 0)):
            Quota.objects.update_or_create(pk=project.pk, defaults={"typed": [str(kind.pk)]})
            TypeQuota.objects.create(project_id=project.pk, type=kind, volumes_limit=limit)
        offer = self.offered(self.a_volume(type=kind))
        self.refused(self.accept(offer["id"], offer["auth_key"]), 413, "volumes_gold")
        TypeQuota.objects.filter(project_id=self.red.pk).update(volumes_limit=1)
        self.ok(self.accept(offer["id"], offer["auth_key"]), 202)
        used = dict(TypeQuota.objects.values_list("project_id", "volumes"))
        self.assertEqual(used, {self.blue.pk: 0, self.red.pk: 1})

    def test_its_own_project_may_take_it_back_by_key_and_counts_nothing(self):
        volume = self.a_volume()
        Quota.objects.update(volumes_limit=1, gigabytes_limit=1)
        offer = self.offered(volume)
        self.ok(self.accept(offer["id"], offer["auth_key"], by="alice"), 202)
        volume.refresh_from_db()
        self.assertEqual((volume.status, volume.user_id), ("available", self.alice.pk))
        self.assertEqual(self.used(self.blue), (1, 0, 1))

    def test_what_is_used_or_read_meanwhile_is_refused(self):
        volume = self.a_volume()
        child = self.a_snapshot(volume)
        offer = self.offered(volume)
        clone = self.a_volume("creating", reads_snapshot=child)
        self.refused(self.accept(offer["id"], offer["auth_key"]), 409, clone.pk)
        Volume.objects.filter(pk=clone.pk).update(reads_snapshot=None)
        self.ok(self.ask("DELETE", f"/snapshots/{child.pk}"), 202)
        self.refused(self.accept(offer["id"], offer["auth_key"]), 400, child.pk)
        child.delete()
        way = Connection(volume=volume, host="h1", status="connected", backend="fast", pool="one")
        way.save()
        self.refused(self.accept(offer["id"], offer["auth_key"]), 400, "h1")
        way.delete()
        Volume.objects.filter(pk=volume.pk).update(status="error")
        self.refused(self.accept(offer["id"], offer["auth_key"]), 400, "error")
        self.assertTrue(Transfer.objects.exists())

    def test_an_offer_shows_nothing_to_others(self):
        offer = self.offered(self.a_volume())
        self.refused(self.get(f"{NEW}/{offer['id']}", by="eve"), 404)
        self.refused(self.ask("DELETE", f"{NEW}/{offer['id']}", by="eve"), 404)
        self.ok(self.get(f"{NEW}/{offer['id']}", by="alice"))

    def test_the_same_request_twice_is_carried_out_once(self):
        offer = self.offered(self.a_volume())
        once = {"Idempotency-Key": "take"}
        first, second = (self.accept(offer["id"], offer["auth_key"], **once) for _ in range(2))
        self.assertEqual(self.ok(second, 202), self.ok(first, 202))
        self.assertEqual(second["Idempotency-Replayed"], "true")
        self.refused(self.accept(offer["id"], offer["auth_key"]), 404)
        self.assertEqual(self.used(self.red), (1, 0, 1))


class WithdrawTests(TransferCase):
    def test_it_gives_the_volume_back(self):
        volume = self.a_volume()
        offer = self.offered(volume)
        self.ok(self.ask("DELETE", f"{NEW}/{offer['id']}"), 202)
        self.assertEqual(Volume.objects.get(pk=volume.pk).status, "available")
        self.refused(self.ask("DELETE", f"{NEW}/{offer['id']}"), 404)
        self.refused(self.accept(offer["id"], offer["auth_key"]), 404)
        self.ok(self.ask("DELETE", f"/volumes/{volume.pk}"), 202)

    def test_it_leaves_what_an_operator_has_made_of_the_volume(self):
        volume = self.a_volume()
        offer = self.offered(volume)
        self.ok(self.act(volume, "os-reset_status", {"status": "error"}, by="alice"), 202)
        self.refused(self.ask("DELETE", f"{OLD}/{offer['id']}"), 404)  # the reset has ended the offer
        self.assertEqual(Volume.objects.get(pk=volume.pk).status, "error")
        self.ok(self.act(volume, "os-reset_status", {"status": "available"}, by="alice"), 202)
        self.offered(volume)

    def test_an_offered_volume_is_not_deleted_except_by_force(self):
        volume = self.a_volume()
        offer = self.offered(volume)
        self.refused(self.ask("DELETE", f"/volumes/{volume.pk}"), 400, "awaiting-transfer")
        self.ok(self.act(volume, "os-force_delete", {}, by="alice"), 202)
        self.refused(self.accept(offer["id"], offer["auth_key"]), 404)
