from __future__ import annotations

from typing import Any

from tests import make
from tests.volumes.base import VolumesCase
from volumes.models import Quota, QuotaClass, TypeQuota
from volumes.models.quotas import Amounts

NAMES = {
    "volumes",
    "snapshots",
    "gigabytes",
    "per_volume_gigabytes",
    "backups",
    "backup_gigabytes",
    "groups",
    "volumes___DEFAULT__",
    "snapshots___DEFAULT__",
    "gigabytes___DEFAULT__",
}


class QuotaCase(VolumesCase):
    def setUp(self):
        super().setUp()
        self.path = f"/os-quota-sets/{self.blue.pk}"

    def quota(self, query="", **who):
        return self.ok(self.get(f"{self.path}{query}", **who))["quota_set"]

    def set(self, query="", **limits):
        return self.put(f"{self.path}{query}", {"quota_set": limits}, by="alice")

    def set_defaults(self, **limits):
        return self.ok(self.put("/os-quota-class-sets/default", {"quota_class_set": limits}, by="alice"))

    def create(self, status=202, **body):
        answer = self.post("/volumes", {"volume": {"size": 1, **body}})
        return self.ok(answer, status) if status == 202 else self.refused(answer, status)


class ShowTests(QuotaCase):
    def test_it_shows_the_defaults_to_a_project_without_limits_of_its_own(self):
        shown = self.quota(by="carol")
        self.assertEqual(set(shown), {"id", *NAMES})
        self.assertEqual(
            (shown["id"], shown["volumes"], shown["per_volume_gigabytes"]), (self.blue.pk, 10, -1)
        )
        self.assertEqual(self.ok(self.get(f"{self.path}/defaults"))["quota_set"], shown)
        self.assertFalse(Quota.objects.exists())

    def test_usage_counts_what_is_there_by_type_too(self):
        gold = make.volume_type("gold")
        self.a_volume(size=3, type=gold)
        self.a_snapshot(self.a_volume(size=2), size=2)
        self.a_volume("extending", size=1, new_size=None)
        usage = self.quota("?usage=True")
        in_use = {name: line["in_use"] for name, line in usage.items() if name != "id" and line["in_use"]}
        expected = {"volumes": 3, "snapshots": 1, "gigabytes": 8, "volumes_gold": 1, "gigabytes_gold": 3}
        default = {"volumes___DEFAULT__": 2, "snapshots___DEFAULT__": 1, "gigabytes___DEFAULT__": 5}
        self.assertEqual(in_use, expected | default)
        self.assertEqual(usage["volumes"], {"limit": 10, "in_use": 3, "reserved": 0})

    def test_the_names_of_private_types_are_not_told_to_others(self):
        make.volume_type("private", is_public=False)
        self.assertNotIn("volumes_private", self.quota())
        self.assertIn("volumes_private", self.quota(by="alice"))

    def test_another_projects_quota_is_for_admins_only(self):
        told = {self.refused(self.get(f"/os-quota-sets/{other}"), 403) for other in (self.red.pk, "nowhere")}
        self.assertEqual(len(told), 1)
        self.refused(self.get(f"/os-quota-sets/{self.red.pk}/defaults"), 403)
        self.ok(self.get(f"/os-quota-sets/{self.red.pk}", by="alice"))


class SetTests(QuotaCase):
    def test_it_sets_each_limit(self):
        limits = {
            "volumes": 11,
            "snapshots": 12,
            "gigabytes": 1009,
            "backups": 13,
            "backup_gigabytes": 14,
            "per_volume_gigabytes": 15,
            "groups": -1,
            "volumes___DEFAULT__": 5,
        }
        told = self.ok(self.set(**limits))["quota_set"]
        self.assertNotIn("id", told)
        self.assertEqual({name: told[name] for name in limits}, limits)
        shown = self.quota()
        self.assertEqual({name: shown[name] for name in limits}, limits)
        self.assertEqual(shown["gigabytes___DEFAULT__"], -1)
        self.assertEqual(self.ok(self.get(f"{self.path}/defaults"))["quota_set"]["volumes"], 10)

    def test_it_takes_numbers_as_text_and_passes_over_ids(self):
        self.ok(self.set(volumes="7", tenant_id="x", id="y"))
        self.assertEqual(self.quota()["volumes"], 7)

    def test_it_refuses_what_is_no_limit_and_then_sets_none(self):
        body: Any
        limits: Any
        for limits in (
            {"colours": 1},
            {"volumes_bronze": 1},
            {"per_volume_gigabytes_gold": 1},
            {"volumes": -2},
            {"volumes": 2**31},
            {"volumes": "many"},
            {"volumes": None},
            {"volumes": 1.5},
            {"volumes": True},
            {"volumes": []},
            {"snapshots": 1, "volumes": 10**18},
            {},
            {f"n{number}": 1 for number in range(1001)},
        ):
            with self.subTest(limits=str(limits)[:60]):
                self.refused(self.set(**limits), 400)
        for body in ({}, [], {"quota_set": []}, None, {"quota_set": "x"}):
            self.refused(self.put(self.path, body, by="alice"), 400)
        self.refused(self.put(f"/os-quota-sets/{'x' * 65}", {"quota_set": {"volumes": 1}}, by="alice"), 400)
        self.assertEqual(self.quota()["snapshots"], 10)

    def test_it_may_be_less_than_what_is_there_unless_asked_to_check(self):
        for _ in range(2):
            self.a_volume(size=2)
        strict = "?skip_validation=False"
        self.refused(self.set(strict, volumes=1), 400, "Current usage is 2")
        self.refused(self.set(strict, gigabytes___DEFAULT__=3), 400, "Current usage is 4")
        self.ok(self.set(strict, volumes=-1, gigabytes=4, per_volume_gigabytes=1))
        self.ok(self.set(volumes=1))
        self.create(413)

    def test_a_reset_brings_the_defaults_back_and_goes_on_counting(self):
        self.a_volume(size=2)
        self.ok(self.set(volumes=1, per_volume_gigabytes=1, volumes___DEFAULT__=1))
        self.ok(self.delete(self.path, by="alice"))
        shown = self.quota("?usage=true")
        self.assertEqual(
            {shown[name]["limit"] for name in ("per_volume_gigabytes", "volumes___DEFAULT__")}, {-1}
        )
        self.assertEqual(shown["volumes"], {"limit": 10, "in_use": 1, "reserved": 0})
        self.assertEqual(TypeQuota.objects.get().volumes, 1)
        self.ok(self.delete(f"/os-quota-sets/{self.red.pk}", by="alice"))


class HoldTests(QuotaCase):
    """What is set is what holds."""

    def test_limits_of_a_type_hold_from_what_is_there_on(self):
        gold = make.volume_type("gold")
        self.a_volume(size=2, type=gold)
        extended = self.a_volume("extending", type=gold, size=1)
        Quota.reserve(self.blue.pk, gold.pk, Amounts(gigabytes=4))
        type(extended).objects.filter(pk=extended.pk).update(new_size=5)
        self.ok(self.set(volumes_gold=3, gigabytes_gold=9))
        row = TypeQuota.objects.get()
        self.assertEqual((row.volumes, row.snapshots, row.gigabytes), (2, 0, 7))
        self.assertIn("gigabytes_gold", self.create(413, volume_type="gold", size=3))
        self.create(volume_type="gold", size=2)
        self.assertIn("volumes_gold", self.create(413, volume_type="gold"))
        self.create()
        row.refresh_from_db()
        self.assertEqual((row.volumes, row.gigabytes), (3, 9))
        self.ok(self.set(volumes_gold=-1, gigabytes_gold=-1))
        self.create(volume_type="gold")

    def test_a_limit_of_a_type_by_default_holds_for_all_projects(self):
        gold = make.volume_type("gold")
        self.a_volume(size=2, type=gold)
        self.set_defaults(volumes_gold=2)
        self.assertEqual(self.quota()["volumes_gold"], 2)
        self.create(volume_type="gold")
        self.assertIn("volumes_gold", self.create(413, volume_type="gold"))
        row = TypeQuota.objects.get(project_id=self.blue.pk)
        self.assertEqual((row.volumes, row.gigabytes), (2, 3))
        self.ok(self.set(volumes_gold=3))
        self.create(volume_type="gold")

    def test_a_default_holds_for_the_first_extend_too(self):
        """What an extend asks for is in its row already when it is counted by type for the first time."""
        volume = self.a_volume(size=1)
        self.set_defaults(gigabytes___DEFAULT__=4)
        self.refused(self.act(volume, "os-extend", {"new_size": 5}), 413, "gigabytes___DEFAULT__")
        self.assertFalse(TypeQuota.objects.exists())
        self.ok(self.act(volume, "os-extend", {"new_size": 4}), 202)
        row = TypeQuota.objects.get()
        self.assertEqual((row.volumes, row.gigabytes), (1, 4))

    def test_a_type_keeps_its_limits_when_it_is_renamed(self):
        gold = make.volume_type("gold")
        self.set_defaults(volumes_gold=2)
        self.ok(self.put(f"/types/{gold.pk}", {"volume_type": {"name": "platinum"}}, by="alice"))
        self.assertEqual(self.quota()["volumes_platinum"], 2)

    def test_a_retype_is_counted_where_it_goes(self):
        gold = make.volume_type("gold")
        self.set_defaults(volumes_gold=1)
        volumes = [self.a_volume(size=2), self.a_volume(size=3)]
        self.ok(self.act(volumes[0], "os-retype", {"new_type": "gold", "migration_policy": "never"}), 202)
        self.refused(self.act(volumes[1], "os-retype", {"new_type": "gold"}), 413, "volumes_gold")
        row = TypeQuota.objects.get(type=gold)
        self.assertEqual((row.volumes, row.gigabytes), (1, 2))


class QuotaClassTests(QuotaCase):
    def test_the_default_class_holds_for_projects_without_their_own(self):
        self.ok(self.set(snapshots=1))
        told = self.set_defaults(volumes=3, snapshots=4, per_volume_gigabytes=2)["quota_class_set"]
        self.assertEqual((told["volumes"], told["backups"]), (3, 10))
        shown = self.ok(self.get("/os-quota-class-sets/default", by="alice"))["quota_class_set"]
        self.assertEqual(shown, {**told, "id": "default"})
        quota = self.quota()
        self.assertEqual((quota["volumes"], quota["snapshots"]), (3, 1))
        self.assertIn("per_volume_gigabytes", self.create(413, size=3))

    def test_another_class_changes_nothing_for_anybody(self):
        path = "/os-quota-class-sets/special"
        self.ok(self.put(path, {"quota_class_set": {"volumes": 1}}, by="alice"))
        self.assertEqual(self.ok(self.get(path, by="alice"))["quota_class_set"]["volumes"], 1)
        self.assertEqual(self.quota()["volumes"], 10)

    def test_it_refuses_what_is_no_limit(self):
        limits: Any
        path = "/os-quota-class-sets/default"
        for limits in (
            {},
            {"colours": 1},
            {"volumes": -2},
            {"volumes": "x"},
            [],
            {"volumes": None},
            {"volumes_x": 1},
        ):
            with self.subTest(limits=limits):
                self.refused(self.put(path, {"quota_class_set": limits}, by="alice"), 400)
        long = f"/os-quota-class-sets/{'x' * 256}"
        self.refused(self.put(long, {"quota_class_set": {"volumes": 1}}, by="alice"), 400)
        self.assertFalse(QuotaClass.objects.filter(limits__has_key="volumes").exists())


class LimitsTests(QuotaCase):
    def limits(self, query="", **who):
        limits = self.ok(self.get(f"/limits{query}", **who))["limits"]
        self.assertEqual(limits["rate"], [])
        return limits["absolute"]

    def test_it_tells_limits_and_use_in_their_own_words(self):
        self.a_snapshot(self.a_volume(size=2), size=2)
        self.ok(self.set(volumes=-1))
        self.assertEqual(
            self.limits(by="carol"),
            {
                "maxTotalVolumes": -1,
                "totalVolumesUsed": 1,
                "maxTotalSnapshots": 10,
                "totalSnapshotsUsed": 1,
                "maxTotalVolumeGigabytes": 1000,
                "totalGigabytesUsed": 4,
                "maxTotalBackups": 10,
                "totalBackupsUsed": 0,
                "maxTotalBackupGigabytes": 1000,
                "totalBackupGigabytesUsed": 0,
            },
        )

    def test_admins_may_ask_for_another_project_since_its_version(self):
        self.ok(self.set(volumes=7))
        query = f"?project_id={self.blue.pk}"
        self.assertEqual(self.limits(query, by="alice")["maxTotalVolumes"], 7)
        red = f"?project_id={self.red.pk}"
        self.assertEqual(self.limits(red, by="alice")["maxTotalVolumes"], 10)
        self.assertEqual(self.limits(f"?tenant_id={self.red.pk}", by="alice")["maxTotalVolumes"], 10)
        self.assertEqual(self.limits(red, by="alice", version="3.38")["maxTotalVolumes"], 7)
        self.assertEqual(self.limits(red)["maxTotalVolumes"], 7)
