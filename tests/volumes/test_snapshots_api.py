"""/snapshots: create, show in every version, change, delete, and the actions."""

from __future__ import annotations

import uuid

from django.test import override_settings

from lifecycle.models import Operation
from tests import make
from tests.volumes.base import VolumesCase
from volumes.models import Pool, Quota, Snapshot, Volume

BASIC = {
    *("id", "name", "description", "created_at", "updated_at", "volume_id", "status", "size", "metadata"),
}
EXTENDED = {f"os-extended-snapshot-attributes:{name}" for name in ("progress", "project_id")}
LATER = (
    ("3.13", "3.14", {"group_snapshot_id"}),
    ("3.40", "3.41", {"user_id"}),
    ("3.64", "3.65", {"consumes_quota"}),
)


class CreateTests(VolumesCase):
    def create(self, answered=202, version="3.71", **body):
        answer = self.post("/snapshots", {"snapshot": body}, version=version)
        return self.ok(answer, 202)["snapshot"] if answered == 202 else self.refused(answer, answered)

    def test_it_accepts_a_snapshot_and_reserves_what_it_needs(self):
        volume = self.a_volume(size=3)
        told = {"name": "s", "description": "d", "metadata": {"a": "1"}}
        made = self.create(volume_id=str(volume.pk), **told)
        self.assertEqual((made["status"], made["size"], made["volume_id"]), ("creating", 3, str(volume.pk)))
        self.assertEqual({name: made[name] for name in told}, told)
        quota = Quota.objects.get()
        self.assertEqual((quota.volumes, quota.snapshots, quota.gigabytes), (1, 1, 6))
        self.assertEqual(Pool.objects.get().allocated_gb, 6)
        self.assertEqual(Operation.objects.get(resource_id=made["id"]).action, "create")

    def test_a_volume_in_use_needs_force_until_3_66_and_a_pool_that_copies_in_one_moment(self):
        volume = self.a_volume("in-use")
        ident = str(volume.pk)
        self.assertIn("in one", self.create(400, volume_id=ident))
        Pool.objects.update(capabilities={"instant_copies": True})
        self.create(volume_id=ident)
        self.create(volume_id=ident, version="3.65", force=True)
        self.assertIn("in-use", self.create(400, volume_id=ident, version="3.65"))
        self.assertIn("in-use", self.create(400, volume_id=ident, version="3.65", force="false"))
        self.create(volume_id=ident, force=True)
        self.assertIn("3.66", self.create(400, volume_id=ident, force=False))

    def test_the_volume_has_to_be_there_and_fit_to_be_read(self):
        theirs = make.volume(project_id=self.red.pk)
        for ident in (str(theirs.pk), str(uuid.uuid4()), "x", "", None):
            self.assertIn("could not be found", self.create(404, volume_id=ident))
        for status in ("creating", "error", "deleting", "maintenance", "reserved"):
            self.assertIn(status, self.create(400, volume_id=str(self.a_volume(status).pk)))
        self.assertIn("volume_id", self.create(400))

    @override_settings(
        VOLUME_QUOTAS={"volumes": 5, "gigabytes": 9, "snapshots": 1, "per_volume_gigabytes": -1}
    )
    def test_limits_and_room_leave_nothing_behind(self):
        volume = self.a_volume(size=5)
        before = self.rows()
        self.assertIn("gigabytes", self.create(413, volume_id=str(volume.pk)))
        Pool.objects.update(frozen=True)
        self.assertIn("frozen", self.create(400, volume_id=str(volume.pk)))
        Pool.objects.update(frozen=False, promisable_gb=5)
        small = self.a_volume(size=1, in_pool=make.pool("slow"))
        self.create(volume_id=str(small.pk))
        self.assertIn("snapshots", self.create(413, volume_id=str(small.pk)))
        self.assertEqual(len(self.rows()["snapshots"]), len(before["snapshots"]) + 1)

    def test_the_same_key_makes_one_snapshot_and_gives_one_answer(self):
        body = {"snapshot": {"volume_id": str(self.a_volume().pk)}}
        first, again = (self.post("/snapshots", body, **{"Idempotency-Key": "k1"}) for _ in range(2))
        self.assertEqual(self.ok(first, 202), self.ok(again, 202))
        self.assertEqual((Snapshot.objects.count(), Quota.objects.get().snapshots), (1, 1))


class ShowTests(VolumesCase):
    def test_each_field_comes_with_its_version(self):
        snapshot = self.a_snapshot(progress="40%")
        path = f"/snapshots/{snapshot.pk}"
        known = BASIC | EXTENDED
        shown = self.ok(self.get(path, version=None))["snapshot"]
        self.assertEqual(set(shown), known)
        self.assertEqual(shown["os-extended-snapshot-attributes:progress"], "40%")
        self.assertEqual(shown["os-extended-snapshot-attributes:project_id"], self.blue.pk)
        for before, since, fields in LATER:
            self.assertEqual(set(self.ok(self.get(path, version=before))["snapshot"]), known)
            known = known | fields
            self.assertEqual(set(self.ok(self.get(path, version=since))["snapshot"]), known)
        self.assertEqual(set(self.ok(self.get("/snapshots/detail"))["snapshots"][0]), known)
        self.assertEqual(set(self.ok(self.get("/snapshots"))["snapshots"][0]), BASIC)

    def test_it_is_found_by_id_alone(self):
        self.a_snapshot(name="findme")
        self.refused(self.get("/snapshots/findme"), 404)


class ChangeTests(VolumesCase):
    def test_it_changes_what_the_snapshot_is_called(self):
        path = f"/snapshots/{self.a_snapshot().pk}"
        shown = self.ok(self.put(path, {"snapshot": {"name": "n", "description": "d"}}))["snapshot"]
        self.assertEqual((shown["name"], shown["description"]), ("n", "d"))
        self.refused(self.put(path, {"snapshot": {}}), 400)

    def test_a_change_counts_only_if_the_snapshot_is_what_the_writer_saw(self):
        path = f"/snapshots/{self.a_snapshot().pk}"
        seen = self.get(path)["ETag"]
        self.assertEqual(self.get(path, **{"If-None-Match": seen}).status_code, 304)
        self.ok(self.put(path, {"snapshot": {"name": "one"}}, **{"If-Match": seen}))
        self.refused(self.put(path, {"snapshot": {"name": "two"}}, **{"If-Match": seen}), 412)
        self.refused(self.delete(path, **{"If-Match": seen}), 412)
        self.assertEqual(Snapshot.objects.get().name, "one")
        self.ok(self.delete(path, **{"If-Match": self.get(path)["ETag"]}), 202)

    def test_it_accepts_the_end_unless_somebody_reads(self):
        snapshot = self.a_snapshot()
        path = f"/snapshots/{snapshot.pk}"
        reader = self.a_volume("creating", reads_snapshot=snapshot)
        self.refused(self.delete(path), 409, f"volume {reader.pk}")
        Volume.objects.filter(pk=reader.pk).update(reads_snapshot=None)
        self.ok(self.delete(path), 202)
        self.assertEqual(Snapshot.objects.get().status, "deleting")
        self.refused(self.delete(path), 400, "deleting")


class ActionTests(VolumesCase):
    def test_a_reset_sets_the_status_and_force_delete_takes_it_from_there(self):
        for status in ("creating", "deleting", "error", "error_deleting", "available"):
            snapshot = self.a_snapshot()
            body = {"status": status, "reason": "why"}
            self.ok(self.act(snapshot, "os-reset_status", body, by="alice"), 202)
            shown = self.ok(self.get(f"/snapshots/{snapshot.pk}"))["snapshot"]
            self.assertEqual(shown["status"], status)
            self.ok(self.act(snapshot, "os-force_delete", {}, by="alice"), 202)
            self.assertEqual(Snapshot.objects.get(pk=snapshot.pk).status, "deleting")
        for wrong in ("nonsense", "", None, 3, "backing-up", "set-creating"):
            self.refused(self.act(snapshot, "os-reset_status", {"status": wrong}, by="alice"), 400)

    def test_a_status_is_told_from_outside_only_where_none_of_ours_works(self):
        snapshot = self.a_snapshot(status="creating")
        told = {"status": "error", "progress": "80%"}
        self.refused(self.act(snapshot, "os-update_snapshot_status", told), 400, "nobody outside")
        self.ok(self.act(snapshot, "os-reset_status", {"status": "creating"}, by="alice"), 202)
        for progress in ("101%", "x", "5", 80):
            wrong = {"status": "creating", "progress": progress}
            self.refused(self.act(snapshot, "os-update_snapshot_status", wrong), 400, "progress")
        self.refused(self.act(snapshot, "os-update_snapshot_status", {"status": "deleting"}), 400, "one of")
        for status in ("creating", "error"):
            body = {"status": status, "progress": "80%"}
            self.ok(self.act(snapshot, "os-update_snapshot_status", body), 202)
            shown = self.ok(self.get(f"/snapshots/{snapshot.pk}"))["snapshot"]
            self.assertEqual(shown["status"], status)
            self.assertEqual(shown["os-extended-snapshot-attributes:progress"], "80%")

    def test_who_may_what(self):
        snapshot = self.a_snapshot()
        for name in ("os-reset_status", "os-force_delete", "os-unmanage"):
            self.refused(self.act(snapshot, name, {"status": "error"}), 403)
        self.refused(self.act(snapshot, "os-unmanage", {}, by="alice"), 400)
        self.refused(self.act(snapshot, "os-explode", {}), 400)
