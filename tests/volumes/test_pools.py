"""What pools report, what back-ends can do, zones, extensions, and the lists that are always empty."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db.models.functions import Now

from tests import make
from tests.volumes.base import VolumesCase
from volumes.models import Pool
from volumes.serializers.pools import SILENT


class PoolTests(VolumesCase):
    def setUp(self):
        super().setUp()
        self.slow = make.pool(
            "slow", "two", availability_zone="cellar", over_provisioning=2.5, reserved_percentage=10
        )

    def pools(self, query="", **how):
        rows = self.ok(self.get(f"/scheduler-stats/get_pools{query}", **{"by": "alice", **how}))["pools"]
        return {row["name"]: row.get("capabilities") for row in rows}

    def test_it_names_pools_and_in_detail_tells_all_of_them(self):
        self.assertEqual(self.pools(), {"roadstead@fast#one": None, "roadstead@slow#two": None})
        self.a_volume(in_pool=self.slow, size=3)
        Pool.objects.filter(pk=self.slow.pk).update(reported_at=Now() - timedelta(seconds=30))
        told = self.pools("?detail=True")["roadstead@slow#two"]
        expected = {
            "volume_backend_name": "slow",
            "pool_name": "two",
            "total_capacity_gb": 1000.0,
            "free_capacity_gb": 1000.0,
            "allocated_capacity_gb": 3,
            "provisioned_capacity_gb": 0.0,
            "max_over_subscription_ratio": "2.5",
            "reserved_percentage": 10,
            "backend_state": "up",
            "thin_provisioning_support": True,
            "multiattach": True,
            "vendor_name": "unknown",
            "down_reason": None,
            "disabled": False,
            "frozen": False,
        }
        self.assertEqual({name: told[name] for name in expected}, expected)
        self.assertTrue(30 <= told["report_age_seconds"] < 60, told["report_age_seconds"])
        self.assertRegex(told["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$")

    def test_a_pool_that_is_silent_failed_or_never_reported_is_down(self):
        for values in (
            {"reported_at": Now() - timedelta(hours=1)},
            {"down_since": Now(), "down_reason": "no disk"},
            {"reported_at": None},
        ):
            with self.subTest(values=values):
                make.pool("slow", "two")
                Pool.objects.filter(pk=self.slow.pk).update(**values)
                told = self.pools("?detail=1")["roadstead@slow#two"]
                self.assertEqual(told["backend_state"], "down")
                self.assertEqual(told["down_reason"], values.get("down_reason", SILENT))
                Pool.objects.filter(pk=self.slow.pk).update(down_since=None, down_reason="")

    def test_it_filters_since_the_versions_that_know_it(self):
        name = "?name=roadstead%40slow%23two"
        self.assertEqual(set(self.pools(name)), {"roadstead@slow#two"})
        self.assertEqual(len(self.pools(name, version="3.27")), 2)
        make.volume_type("gold", extra_specs={"volume_backend_name": "fast"})
        self.assertEqual(set(self.pools("?volume_type=gold")), {"roadstead@fast#one"})
        self.assertEqual(len(self.pools("?volume_type=gold", version="3.34")), 2)
        self.refused(self.get("/scheduler-stats/get_pools?volume_type=bronze", by="alice"), 404)
        self.refused(self.get("/scheduler-stats/get_pools?detail=perhaps", by="alice"), 400)

    def test_it_tells_what_a_back_end_can_do(self):
        for host in ("roadstead@slow", "roadstead%40slow%23two", "node1@slow"):
            make.node(uuid.uuid4(), name="node1", serves=["slow"])
            told = self.ok(self.get(f"/capabilities/{host}", by="alice"))
            self.assertEqual(
                told["namespace"],
                f"OS::Storage::Capabilities::{host.replace('%40', '@').replace('%23', '#')}",
            )
            self.assertEqual((told["volume_backend_name"], told["pool_name"]), ("slow", None))
            self.assertEqual(
                told["properties"]["multiattach"],
                {"title": "multiattach", "description": "True", "type": "boolean"},
            )
        for host in ("nowhere", "node1", "roadstead@nothing"):
            self.refused(self.get(f"/capabilities/{host}", by="alice"), 404)


class ZoneTests(VolumesCase):
    def test_a_zone_is_available_while_one_of_its_pools_takes_volumes(self):
        make.pool("slow", "two", availability_zone="cellar", disabled=True)

        def zones():
            rows = self.ok(self.get("/os-availability-zone", by="carol"))["availabilityZoneInfo"]
            return {row["zoneName"]: row["zoneState"]["available"] for row in rows}

        self.assertEqual(zones(), {"nova": True, "cellar": False})
        Pool.objects.filter(backend="slow").update(disabled=False)
        self.assertEqual(zones(), {"nova": True, "cellar": True})
        Pool.objects.all().delete()
        self.assertEqual(zones(), {"nova": False})


class ExtensionTests(VolumesCase):
    def test_they_are_listed_and_shown_by_alias(self):
        listed = self.ok(self.get("/extensions"))["extensions"]
        self.assertIn("Hosts", [each["name"] for each in listed])
        for each in listed:
            self.assertEqual(set(each), {"alias", "name", "description", "updated", "links"})
            self.assertEqual(self.ok(self.get(f"/extensions/{each['alias']}")), {"extension": each})
        self.refused(self.get("/extensions/os-magic"), 404)

    def test_filters_are_told_by_resource(self):
        rows = self.ok(self.get("/resource_filters"))["resource_filters"]
        self.assertIn("volume", [row["resource"] for row in rows])
        (row,) = self.ok(self.get("/resource_filters?resource=pool"))["resource_filters"]
        self.assertEqual(row, {"resource": "pool", "filters": ["name", "volume_type"]})
        self.assertEqual(self.ok(self.get("/resource_filters?resource=x")), {"resource_filters": []})
        self.refused(self.get("/resource_filters", version="3.32"), 404)


class AbsentTests(VolumesCase):
    def test_what_is_not_here_is_an_empty_list_and_a_refusal_with_the_reason(self):
        for path, since in (
            ("backups", 0),
            ("consistencygroups", 0),
            ("cgsnapshots", 0),
            ("groups", 13),
            ("group_types", 11),
            ("group_snapshots", 14),
        ):
            with self.subTest(path=path):
                for each in (path, f"{path}/detail"):
                    self.assertEqual(self.ok(self.get(f"/{each}", by="carol")), {path: []})
                self.refused(self.post(f"/{path}", {}), 400, "not offered")
                self.refused(self.post(f"/{path}", {}, by="carol"), 403)
                self.refused(self.get(f"/{path}/{uuid.uuid4()}"), 404, "not offered")
                self.refused(self.delete(f"/{path}/x"), 404)
                self.refused(self.post(f"/{path}/x/action", {}), 404)
                if since:
                    self.refused(self.get(f"/{path}", version=f"3.{since - 1}"), 404)

    def test_what_is_there_already_is_not_managed(self):
        for path in ("os-volume-manage", "os-snapshot-manage", "manageable_volumes", "manageable_snapshots"):
            self.refused(self.post(f"/{path}", {"volume": {}}, by="alice"), 400, "not offered")
