"""Hosts and clusters: what is stored where, and back-ends with the nodes that serve them."""

from __future__ import annotations

from typing import Any

from tests.volumes.test_services import ServiceCase
from volumes.models import Pool


class HostTests(ServiceCase):
    def test_it_lists_hosts_that_are_not_disabled(self):
        self.tell("disable", host="node1", binary="cinder-scheduler")
        rows = self.ok(self.get("/os-hosts", by="alice"))["hosts"]
        hosts = {row["host_name"]: row for row in rows}
        self.assertNotIn("node1", hosts)
        row = hosts["node2@slow"]
        self.assertEqual(
            {name: row[name] for name in row if name != "last-update"},
            {
                "host_name": "node2@slow",
                "service": "cinder-volume",
                "zone": "cellar",
                "service-status": "unavailable",
                "service-state": "enabled",
            },
        )
        in_zone = self.ok(self.get("/os-hosts?zone=cellar", by="alice"))["hosts"]
        self.assertEqual({row["zone"] for row in in_zone}, {"cellar"})

    def test_it_shows_what_projects_store_in_a_back_end(self):
        slow = Pool.objects.get(pk="slow#two")
        self.a_snapshot(self.a_volume(in_pool=slow, size=3), size=3)
        self.a_volume(in_pool=slow, size=2)
        self.a_volume(in_pool=slow, size=4, project_id=self.red.pk)
        self.a_volume(in_pool=self.pool, size=9)
        for host in ("node1@slow", "roadstead@slow"):
            rows = [row["resource"] for row in self.ok(self.get(f"/os-hosts/{host}", by="alice"))["host"]]
            numbers = {
                row["project"]: (
                    row["volume_count"],
                    row["total_volume_gb"],
                    row["snapshot_count"],
                    row["total_snapshot_gb"],
                )
                for row in rows
            }
            blue, red = ("2", "5", "1", "3"), ("1", "4", "0", "0")
            self.assertEqual(numbers, {"(total)": ("3", "9", "1", "3"), self.blue.pk: blue, self.red.pk: red})
            self.assertEqual({row["host"] for row in rows}, {host})
        for host in ("nowhere", "node1", "node2@fast"):
            self.refused(self.get(f"/os-hosts/{host}", by="alice"), 404)


class ClusterTests(ServiceCase):
    def clusters(self, query="", **how):
        rows = self.ok(self.get(f"/clusters{query}", **{"by": "alice", **how}))["clusters"]
        return {row["name"]: row for row in rows}

    def test_it_lists_and_shows_back_ends_with_their_nodes_counted(self):
        brief = {"name", "binary", "state", "status"}
        self.assertEqual(set(self.clusters(version="3.7")["roadstead@slow"]), brief)
        self.assertEqual(set(self.clusters()["roadstead@slow"]), {*brief, "replication_status"})
        row = self.clusters("/detail")["roadstead@slow"]
        self.assertEqual((row["num_hosts"], row["num_down_hosts"], row["state"]), (2, 1, "up"))
        self.assertEqual((row["frozen"], row["disabled_reason"], row["created_at"]), (False, None, None))
        shown = self.ok(self.get("/clusters/roadstead@slow?binary=cinder-volume", by="alice"))["cluster"]
        self.assertEqual(shown, row)
        for path in ("/clusters/nothing", "/clusters/roadstead@slow?binary=cinder-backup"):
            self.refused(self.get(path, by="alice"), 404)
        self.refused(self.get("/clusters", by="alice", version="3.6"), 404)

    def test_it_filters(self):
        Pool.objects.filter(backend="slow").update(disabled=True)
        for query, expected in (
            ("name=roadstead@fast", {"roadstead@fast"}),
            ("disabled=True", {"roadstead@slow"}),
            ("disabled=no", {"roadstead@fast"}),
            ("is_up=true&num_hosts=2", {"roadstead@slow"}),
            ("num_down_hosts=0", {"roadstead@fast"}),
            ("binary=cinder-volume&frozen=false", {"roadstead@fast", "roadstead@slow"}),
            ("active_backend_id=x", set()),
        ):
            with self.subTest(query=query):
                self.assertEqual(set(self.clusters(f"?{query}")), expected)
        self.refused(self.get("/clusters?colour=red", by="alice"), 400, "colour")
        self.refused(self.get("/clusters?is_up=perhaps", by="alice"), 400)
        self.refused(self.get("/clusters?frozen=true", by="alice", version="3.25"), 400, "frozen")

    def test_it_disables_and_enables_the_back_end(self):
        bad: Any
        body = {"name": "roadstead@slow", "disabled_reason": "moving"}
        told = self.ok(self.put("/clusters/disable", body, by="alice"))["cluster"]
        self.assertEqual((told["status"], told["disabled_reason"]), ("disabled", "moving"))
        pools = Pool.objects.filter(disabled=True, disabled_reason="moving")
        self.assertEqual(set(pools.values_list("backend", flat=True)), {"slow"})
        told = self.ok(self.put("/clusters/enable", {"name": "roadstead@slow"}, by="alice"))["cluster"]
        self.assertEqual((told["status"], told["disabled_reason"]), ("enabled", None))
        self.assertFalse(Pool.objects.filter(disabled=True).exists())
        for bad in (
            {},
            [],
            {"name": ""},
            {"name": None},
            {"name": 5},
            {"name": "roadstead@slow", "disabled_reason": "x" * 256},
        ):
            self.refused(self.put("/clusters/disable", bad, by="alice"), 400)
        self.refused(self.put("/clusters/disable", {"name": "nothing"}, by="alice"), 404)
        self.refused(
            self.put("/clusters/disable", {"name": "roadstead@slow", "binary": "x"}, by="alice"), 404
        )

    def test_there_is_nothing_to_clean_up(self):
        told = self.ok(self.post("/workers/cleanup", {"host": "node2"}, by="alice"), 202)
        self.assertEqual(told, {"cleaning": [], "unavailable": []})
        self.refused(self.post("/workers/cleanup", [], by="alice"), 400)
