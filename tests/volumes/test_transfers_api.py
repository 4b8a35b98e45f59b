"""Transfers: offered, listed, taken over with what is counted for them, withdrawn; under both names."""

from __future__ import annotations

import uuid
from typing import Any

from lifecycle.models import Event, Operation
from tests import make
from tests.volumes.base import VolumesCase
from volumes.models import Attachment, Connection, Quota, Snapshot, Transfer, TypeQuota, Volume

LONG = "x" * 256
NEW, OLD = "/volume-transfers", "/os-volume-transfer"


class TransferCase(VolumesCase):
    def offer(self, volume, path=NEW, *, by="bob", version="3.71", **more):
        return self.ask(
            "POST", path, {"transfer": {"volume_id": str(volume.pk), **more}}, by=by, version=version
        )

    def offered(self, volume, path=NEW, **kwargs):
        return self.ok(self.offer(volume, path, **kwargs), 202)["transfer"]

    def accept(self, ident, key, path=NEW, *, by="eve", **kwargs):
        return self.post(f"{path}/{ident}/accept", {"accept": {"auth_key": key}}, by=by, **kwargs)

    def used(self, project):
        quota = Quota.objects.filter(pk=project.pk).first()
        return (quota.volumes, quota.snapshots, quota.gigabytes) if quota else (0, 0, 0)


class OfferTests(TransferCase):
    def test_an_offer_tells_its_key_once(self):
        volume = self.a_volume()
        made = self.offered(volume, name=" mine ")
        key = made.pop("auth_key")
        self.assertRegex(key, r"^[0-9a-f]{32}$")
        row = Transfer.objects.get()
        self.assertNotIn(key, (row.salt, row.key_hash))
        self.assertEqual(
            made,
            {
                "id": str(row.pk),
                "volume_id": str(volume.pk),
                "name": "mine",
                "created_at": made["created_at"],
                "no_snapshots": False,
                "source_project_id": self.blue.pk,
                "destination_project_id": None,
                "accepted": False,
                "links": [
                    {"rel": "self", "href": f"http://testserver/volume/v3{NEW}/{row.pk}"},
                    {"rel": "bookmark", "href": f"http://testserver/volume{NEW}/{row.pk}"},
                ],
            },
        )
        self.assertEqual(self.ok(self.get(f"{NEW}/{row.pk}")), {"transfer": made})
        self.assertEqual(self.ok(self.get(f"{NEW}/detail")), {"transfers": [made]})
        short = {name: made[name] for name in ("id", "volume_id", "name", "links")}
        self.assertEqual(self.ok(self.get(NEW)), {"transfers": [short]})
        self.assertEqual(Volume.objects.get().status, "awaiting-transfer")
        self.assertEqual(Operation.objects.get(action="transfer").state, "COMPLETE")

    def test_a_name_may_be_null(self):
        self.assertIsNone(self.offered(self.a_volume(), name=None)["name"])
        self.assertIsNone(self.offered(self.a_volume())["name"])

    def test_fields_come_with_their_versions(self):
        made = self.offered(self.a_volume(), OLD, version="3.0")
        base = {"id", "volume_id", "name", "created_at", "links"}
        self.assertEqual(set(made), {*base, "auth_key"})
        path = f"{OLD}/{made['id']}"
        for version, more in (
            ("3.0", set()),
            ("3.54", set()),
            ("3.55", {"no_snapshots"}),
            ("3.57", {"no_snapshots", "source_project_id", "destination_project_id", "accepted"}),
        ):
            shown = self.ok(self.get(path, version=version))["transfer"]
            self.assertEqual(set(shown), base | more)
        self.assertIn(OLD, made["links"][0]["href"])
        self.refused(self.get(f"{NEW}/{made['id']}", version="3.54"), 404)
        self.refused(self.get(NEW, version="3.54"), 404)

    def test_only_a_volume_that_nobody_uses_is_offered(self):
        self.a_volume()
        Quota.objects.update(volumes_limit=-1, gigabytes_limit=-1)
        for status in sorted(set(Volume.machine.statuses) - {"available"}):
            volume = self.a_volume(status)
            self.refused(self.offer(volume), 400, status.removeprefix("set-"))
        used = self.a_volume()
        Attachment.objects.create(volume=used, project_id=self.blue.pk, user_id=self.bob.pk)
        self.refused(self.offer(used), 400, "in use")
        read = self.a_volume()
        clone = self.a_volume("creating", reads_volume=read)
        self.refused(self.offer(read), 409, clone.pk)
        parent = self.a_volume()
        child = self.a_snapshot(parent, "error")
        self.refused(self.offer(parent), 400, child.pk)
        self.offered(parent, no_snapshots=True)
        self.assertEqual(Transfer.objects.count(), 1)

    def test_the_older_name_leaves_snapshots_no_choice(self):
        parent = self.a_volume()
        self.a_snapshot(parent, "error")
        self.refused(self.offer(parent, OLD, no_snapshots=True), 400)

    def test_bad_bodies_are_refused_and_change_nothing(self):
        volume = self.a_volume()
        offer = self.offered(self.a_volume())
        before = self.rows()
        wrong: Any
        for wrong in (
            {"volume_id": None},
            {"volume_id": 5},
            {"volume_id": LONG},
            {"name": LONG},
            {"name": 5},
            {"name": []},
            {"no_snapshots": "maybe"},
            {"no_snapshots": None},
            {"no_snapshots": 2},
        ):
            with self.subTest(wrong):
                self.refused(self.post(NEW, {"transfer": {"volume_id": str(volume.pk), **wrong}}), 400)
        body: Any
        for body in (None, [], {}, {"transfer": []}, {"transfer": {}}, b"{", b"\xff"):
            with self.subTest(body):
                self.refused(self.post(NEW, body), 400)
        key: Any
        for key in (None, "", LONG, [], {}, True, 1.5):
            with self.subTest(key=key):
                self.refused(self.accept(offer["id"], key), 400)
        for body in (None, [], {}, {"accept": None}, {"accept": {}}):
            self.refused(self.post(f"{NEW}/{offer['id']}/accept", body, by="eve"), 400)
        self.refused(self.post(NEW, {"transfer": {"volume_id": str(uuid.uuid4())}}), 404)
        self.refused(self.offer(volume, by="eve"), 404)
        self.assertEqual(self.rows(), before)

    def test_each_role_may_what_the_policy_says(self):
        offer = self.offered(self.a_volume())
        volume = self.a_volume()
        before = self.rows()
        for path in (NEW, OLD):
            one = f"{path}/{offer['id']}"
            for method, where, body, reader in (
                ("GET", path, None, 200),
                ("GET", f"{path}/detail", None, 200),
                ("GET", one, None, 200),
                ("POST", path, {"transfer": {"volume_id": str(volume.pk)}}, 403),
                ("POST", f"{one}/accept", {"accept": {"auth_key": offer["auth_key"]}}, 403),
                ("DELETE", one, None, 403),
            ):
                with self.subTest(method, where=where):
                    self.assertEqual(self.ask(method, where, body, by=None).status_code, 401)
                    self.assertEqual(self.ask(method, where, body, by="carol").status_code, reader)
        self.assertEqual(self.rows(), before)


class ListTests(TransferCase):
    def test_lists_are_narrowed_and_paged(self):
        made = [self.offered(self.a_volume(), name=f"t{n}") for n in range(4)]
        ids = [one["id"] for one in made]

        def listed(query, **kwargs):
            document = self.ok(self.get(f"{NEW}?{query}", **kwargs))
            return [one["id"] for one in document["transfers"]], "transfers_links" in document

        self.assertEqual(listed("name=t1"), ([ids[1]], False))
        self.assertEqual(listed(f"volume_id={made[2]['volume_id']}"), ([ids[2]], False))
        self.assertEqual(listed("volume_id=x"), ([], False))
        self.assertEqual(listed("limit=2&sort=created_at:asc"), (ids[:2], True))
        self.assertEqual(listed("limit=2&sort=created_at:asc", version="3.58"), (ids[:2], False))
        self.assertEqual(listed(f"marker={ids[2]}&sort_key=name&sort_dir=asc"), ([ids[3]], False))
        self.assertEqual(listed("", by="eve"), ([], False))
        self.assertEqual(listed("all_tenants=1", by="eve"), ([], False))
        self.assertEqual(len(listed("all_tenants=1", by="alice")[0]), 4)
        self.refused(self.get(f"{NEW}?limit=x"), 400)


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
        self.ok(self.ask("DELETE", f"{OLD}/{offer['id']}"), 202)
        self.assertEqual(Volume.objects.get(pk=volume.pk).status, "error")

    def test_an_offered_volume_is_not_deleted_except_by_force(self):
        volume = self.a_volume()
        offer = self.offered(volume)
        self.refused(self.ask("DELETE", f"/volumes/{volume.pk}"), 400, "awaiting-transfer")
        self.ok(self.act(volume, "os-force_delete", {}, by="alice"), 202)
        self.refused(self.accept(offer["id"], offer["auth_key"]), 404)
