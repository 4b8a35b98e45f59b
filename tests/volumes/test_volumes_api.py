"""/volumes: create in every form, show in every version."""

from __future__ import annotations

import uuid
from typing import Any

from django.test import override_settings

from lifecycle.models import Operation
from tests import make
from tests.volumes.base import VolumesCase
from volumes.models import Pool, Quota, Volume

BASIC = {
    *(
        "id",
        "status",
        "size",
        "availability_zone",
        "created_at",
        "updated_at",
        "attachments",
        "name",
        "links",
    ),
    *("description", "volume_type", "snapshot_id", "source_volid", "metadata", "user_id", "bootable"),
    *("encrypted", "replication_status", "consistencygroup_id", "multiattach"),
}
LATER = (
    ("3.12", "3.13", {"group_id"}),
    ("3.47", "3.48", {"shared_targets", "service_uuid"}),
    ("3.62", "3.63", {"volume_type_id"}),
    ("3.64", "3.65", {"consumes_quota"}),
)
FOR_ADMINS = {
    *("migration_status", "os-vol-host-attr:host"),
    *("os-vol-mig-status-attr:migstat", "os-vol-mig-status-attr:name_id"),
}
TENANT = "os-vol-tenant-attr:tenant_id"
OF_OSC: dict[str, object] = dict.fromkeys(
    [
        *("name", "description", "volume_type", "availability_zone", "metadata", "snapshot_id"),
        *("source_volid", "imageRef", "backup_id", "consistencygroup_id", "source_replica"),
    ]
)


class CreateTests(VolumesCase):
    def create(self, answered=202, **body):
        answer = self.post("/volumes", {"volume": body})
        return self.ok(answer, 202)["volume"] if answered == 202 else self.refused(answer, answered)

    def test_it_accepts_a_blank_volume_and_reserves_what_it_needs(self):
        made = self.create(**OF_OSC, size=3)
        self.assertEqual((made["status"], made["size"], made["name"]), ("creating", 3, None))
        self.assertEqual((made["bootable"], made["volume_type"]), ("false", "__DEFAULT__"))
        self.assertRegex(made["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$")
        self.assertIsNone(made["updated_at"])
        volume = Volume.objects.get(pk=made["id"])
        self.assertEqual((volume.project_id, volume.user_id), (self.blue.pk, self.bob.pk))
        quota = Quota.objects.get()
        self.assertEqual((quota.volumes, quota.gigabytes), (1, 3))
        self.assertEqual(Pool.objects.get().allocated_gb, 3)
        operation = Operation.objects.get(resource_id=volume.pk)
        self.assertEqual((operation.action, operation.state), ("create", "IN_PROGRESS"))

    def test_it_takes_text_for_numbers_and_passes_over_what_it_does_not_know(self):
        made = self.create(size="2", Type="misspelt", status="creating", attach_status="detached", name="a")
        self.assertEqual((made["size"], made["name"]), (2, "a"))

    def test_it_keeps_what_it_is_told(self):
        kind = make.volume_type("gold")
        text = "a-@#$%^* بحر 🚢"
        told = {
            "name": text,
            "description": text,
            "metadata": {"k": text, "e": ""},
            "availability_zone": "nova",
        }
        for named in (kind.name, str(kind.pk)):
            made = self.create(size=1, volume_type=named, **told)
            self.assertEqual({name: made[name] for name in told}, told)
            self.assertEqual((made["volume_type"], made["volume_type_id"]), ("gold", str(kind.pk)))

    def test_it_makes_copies_no_smaller_than_their_source(self):
        volume = self.a_volume(size=2, bootable=True)
        snapshot = self.a_snapshot(volume)
        for source in ({"snapshot_id": str(snapshot.pk)}, {"source_volid": str(volume.pk)}):
            made = self.create(**source)
            self.assertEqual((made["size"], made["bootable"]), (2, "true"))
            self.assertEqual({name: made[name] for name in source}, source)
            self.assertEqual(self.create(**source, size=5)["size"], 5)
            self.assertIn("smaller", self.create(400, **source, size=1))
        both = {"snapshot_id": str(snapshot.pk), "source_volid": str(volume.pk)}
        self.assertIn("not both", self.create(400, **both))

    def test_a_source_has_to_be_there_and_fit_to_be_read(self):
        theirs = make.volume(project_id=self.red.pk)
        for ident in (str(theirs.pk), str(uuid.uuid4()), "x", "a name"):
            for source in ("snapshot_id", "source_volid"):
                self.assertIn("could not be found", self.create(404, **{source: ident}, size=1))
        for status in ("creating", "error", "deleting", "reserved"):
            self.assertIn(status, self.create(400, source_volid=str(self.a_volume(status).pk)))
        snapshot = self.a_snapshot(status="error")
        self.assertIn("error", self.create(400, snapshot_id=str(snapshot.pk)))

    @override_settings(READERS=1)
    def test_a_source_has_so_many_readers_and_no_more(self):
        for source in (
            {"source_volid": str(self.a_volume().pk)},
            {"snapshot_id": str(self.a_snapshot().pk)},
        ):
            first = self.create(**source)
            self.assertIn(first["id"], self.create(409, **source))

    def test_what_is_not_offered_says_why(self):
        for name in ("imageRef", "image_id", "backup_id", "group_id", "consistencygroup_id"):
            self.assertIn(name, self.create(400, size=1, **{name: str(uuid.uuid4())}))
            self.create(size=1, **{name: ""})
        self.assertIn("by its type", self.create(400, size=1, multiattach=True))
        self.create(size=1, multiattach=False)

    def test_a_type_or_zone_that_is_not_there(self):
        make.volume_type("secret", is_public=False)
        for kind in ("secret", "x", str(uuid.uuid4())):
            self.assertIn("could not be found", self.create(404, size=1, volume_type=kind))
        self.assertIn("none offers its type, zone", self.create(400, size=1, availability_zone="mars"))

    def test_what_a_pool_can_do_is_not_known_before_it_reports(self):
        make.volume_type("slow", extra_specs={"volume_backend_name": "slow"})
        make.pool("slow", reported_at=None, capabilities={})
        self.create(503, size=1, volume_type="slow")

    def test_before_any_pool_is_told_of_it_is_to_be_asked_again(self):
        Pool.objects.all().delete()
        for _ in range(2):
            self.assertIn("none has reported yet", self.create(503, size=1))
        make.pool()
        self.create(size=1)

    @override_settings(
        VOLUME_QUOTAS={"volumes": 1, "gigabytes": 5, "snapshots": 1, "per_volume_gigabytes": -1}
    )
    def test_over_quota_is_413_in_cinders_form(self):
        answer = self.post("/volumes", {"volume": {"size": 6}})
        self.refused(answer, 413, "gigabytes", "0 of 5")
        self.assertEqual((answer.json()["overLimit"]["retryAfter"], answer["Retry-After"]), ("0", "0"))
        self.create(size=5)
        before = self.rows()
        self.assertIn("volumes", self.create(413, size=1))
        self.assertEqual(self.rows(), before)

    def test_a_pool_without_room_is_a_conflict_and_no_pool_at_all_a_503(self):
        Pool.objects.update(promisable_gb=4)
        self.assertIn("none has room for it", self.create(409, size=5))
        Pool.objects.update(down_since="2026-01-01T00:00:00Z", down_reason="unplugged")
        told = self.create(503, size=1)
        self.assertIn("take no volumes now", told)
        self.assertNotIn("unplugged", told)  # operators' words are for operators
        self.assertFalse(Quota.objects.filter(volumes__gt=0).exists())

    def test_hints_are_taken_beside_the_volume_and_within(self):
        other = make.pool("slow")
        near = self.a_volume(in_pool=other)
        for name in ("OS-SCH-HNT:scheduler_hints", "scheduler_hints"):
            for hint, told in (
                ({"same_host": str(near.pk)}, "slow"),
                ({"different_host": [str(near.pk)]}, "fast"),
            ):
                beside = {"volume": {"size": 1}, name: hint}
                within = {"volume": {"size": 1, name: hint}}
                for body in (beside, within):
                    made = self.ok(self.post("/volumes", body), 202)["volume"]
                    self.assertEqual(Volume.objects.get(pk=made["id"]).backend, told)
        refused: list[Any] = [
            "x",
            [],
            {"same_host": "x"},
            {"same_host": [1]},
            {"different_host": {}},
            {"a": "x" * 5000},
        ]
        for bad in refused:
            self.refused(
                self.post("/volumes", {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": bad}), 400
            )

    def test_the_same_key_makes_one_volume_and_gives_one_answer(self):
        body = {"volume": {"size": 1, "name": "once"}}
        first, again = (self.post("/volumes", body, **{"Idempotency-Key": "k1"}) for _ in range(2))
        self.assertEqual(self.ok(first, 202), self.ok(again, 202))
        self.assertEqual(again["Idempotency-Replayed"], "true")
        self.assertEqual((Volume.objects.count(), Quota.objects.get().volumes), (1, 1))
        body["volume"]["size"] = 2
        self.refused(self.post("/volumes", body, **{"Idempotency-Key": "k1"}), 422)
        self.refused(self.post("/volumes", {"volume": {}}, **{"Idempotency-Key": "k2"}), 400)
        self.ok(self.post("/volumes", body, **{"Idempotency-Key": "k2"}), 202)


class ShowTests(VolumesCase):
    def test_it_is_found_by_id_alone(self):
        volume = self.a_volume(name="findme")
        self.assertEqual(self.ok(self.get(f"/volumes/{volume.pk}"))["volume"]["id"], str(volume.pk))
        self.refused(self.get("/volumes/findme"), 404, "could not be found")

    def test_each_field_comes_with_its_version_and_the_hosts_for_admins(self):
        volume = self.a_volume(readonly=True, metadata={"a": "1"})
        path = f"/volumes/{volume.pk}"
        shown = self.ok(self.get(path, version=None))["volume"]
        self.assertEqual(set(shown), BASIC | {TENANT})
        self.assertEqual(shown["metadata"], {"a": "1", "readonly": "True"})
        known = BASIC | {TENANT}
        for before, since, fields in LATER:
            self.assertEqual(set(self.ok(self.get(path, version=before))["volume"]), known)
            known = known | fields
            self.assertEqual(set(self.ok(self.get(path, version=since))["volume"]), known)
        self.assertEqual(set(self.ok(self.get(path))["volume"]), known)
        for version, more in (
            ("3.20", set()),
            ("3.21", {"provider_id"}),
            ("3.61", {"provider_id", "cluster_name"}),
        ):
            seen = set(self.ok(self.get(path, by="alice", version=version))["volume"])
            self.assertEqual(seen - known, FOR_ADMINS | more)
        shown = self.ok(self.get(path, by="alice"))["volume"]
        self.assertEqual(shown["os-vol-host-attr:host"], "roadstead@fast#one")
        self.assertEqual((shown[TENANT], shown["cluster_name"]), (self.blue.pk, "roadstead@fast"))

    def test_answers_to_writes_leave_out_what_extensions_tell(self):
        made = self.ok(self.post("/volumes", {"volume": {"size": 1}}, version=None, by="alice"), 202)[
            "volume"
        ]
        self.assertEqual(set(made), BASIC | {"migration_status"})
        put = self.put(f"/volumes/{made['id']}", {"volume": {"name": "x"}}, version=None)
        self.assertEqual(set(self.ok(put)["volume"]), BASIC)

    def test_a_status_set_by_hand_is_shown_under_its_own_name(self):
        volume = self.a_volume("set-creating")
        self.assertEqual(self.ok(self.get(f"/volumes/{volume.pk}"))["volume"]["status"], "creating")

    def test_it_shows_what_is_attached_and_the_host_to_admins(self):
        volume = self.a_volume("in-use")
        owner = {"project_id": self.blue.pk, "user_id": self.bob.pk}
        server = str(uuid.uuid4())
        volume.attachments.create(status="reserved", instance_id=str(uuid.uuid4()), **owner)
        one = volume.attachments.create(
            status="attached", instance_id=server, host="node7", mountpoint="/dev/vdb", **owner
        )
        for by, host in (("bob", None), ("alice", "node7")):
            for path in (f"/volumes/{volume.pk}", "/volumes/detail"):
                document = self.ok(self.get(path, by=by))
                volume_shown = document.get("volume") or document["volumes"][0]
                (shown,) = volume_shown["attachments"]
                self.assertEqual(
                    shown,
                    {
                        "id": str(volume.pk),
                        "volume_id": str(volume.pk),
                        "attachment_id": str(one.pk),
                        "server_id": server,
                        "host_name": host,
                        "device": "/dev/vdb",
                        "attached_at": None,
                    },
                )

    def test_compute_is_told_that_no_key_is_needed(self):
        told = self.ok(self.get(f"/volumes/{self.a_volume().pk}/encryption"))
        self.assertEqual(told, {"encryption_key_id": None})
