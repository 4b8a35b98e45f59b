"""Transfers: offered, listed, taken over with what is counted for them, withdrawn; under both names."""

from __future__ import annotations

import uuid
from typing import Any

from lifecycle.models import Operation
from tests.volumes.base import VolumesCase
from volumes.models import Attachment, Quota, Transfer, Volume

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
