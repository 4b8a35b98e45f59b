"""Services: which nodes serve which back-ends, and what operators say of them."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from structlog.testing import capture_logs

from lifecycle.models import Node
from tests import make
from tests.volumes.base import VolumesCase
from volumes.models import Pool, ServiceState

BASIC = {"binary", "host", "zone", "status", "state", "updated_at", "disabled_reason"}
OF_STORAGE = {"replication_status", "active_backend_id", "frozen"}


class ServiceCase(VolumesCase):
    """Two nodes: one serves both back-ends, the other only the slow one, and is gone."""

    def setUp(self):
        super().setUp()
        make.pool("slow", "one", availability_zone="cellar")
        make.pool("slow", "two", availability_zone="cellar")
        self.node("node1", "fast", "slow")
        self.node("node2", "slow", lost=True)

    def node(self, name, *serves, lost=False, **over):
        row = make.node(uuid.uuid4(), name=name, serves=list(serves), **over)
        if lost:
            Node.objects.filter(pk=row.pk).update(seen_at=Now() - timedelta(minutes=1))
        return row

    def services(self, query="", **how):
        rows = self.ok(self.get(f"/os-services{query}", **{"by": "alice", **how}))["services"]
        return {(row["binary"], row["host"]): row for row in rows}

    def tell(self, verb, status=200, by="alice", version="3.71", **body):
        answer = self.put(f"/os-services/{verb}", body, by=by, version=version)
        return self.ok(answer, status) if status < 400 else self.refused(answer, status)


class ListTests(ServiceCase):
    def test_it_lists_each_node_each_back_end_of_it_and_each_back_end_as_a_whole(self):
        states = {key: row["state"] for key, row in self.services().items()}
        self.assertEqual(
            states,
            {
                ("cinder-scheduler", "node1"): "up",
                ("cinder-scheduler", "node2"): "down",
                ("cinder-volume", "node1@fast"): "up",
                ("cinder-volume", "node1@slow"): "up",
                ("cinder-volume", "node2@slow"): "down",
                ("cinder-volume", "roadstead@fast"): "up",
                ("cinder-volume", "roadstead@slow"): "up",
            },
        )

    def test_it_tells_what_the_version_knows(self):
        storage, scheduler = ("cinder-volume", "node1@slow"), ("cinder-scheduler", "node1")
        for version, more, of_storage in (
            ("3.0", set(), set()),
            ("3.7", {"cluster"}, set()),
            ("3.49", {"cluster"}, {"backend_state"}),
        ):
            rows = self.services(version=version)
            self.assertEqual(set(rows[scheduler]), BASIC | more)
            self.assertEqual(set(rows[storage]), BASIC | OF_STORAGE | more | of_storage)
        row = rows[storage]
        self.assertEqual(
            (row["zone"], row["cluster"], row["backend_state"]), ("cellar", "roadstead@slow", "up")
        )
        self.assertEqual(rows[scheduler]["cluster"], None)
        self.assertRegex(row["updated_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$")

    def test_it_filters_by_host_with_or_without_its_back_end_and_by_binary(self):
        self.assertEqual(len(self.services("?host=node1")), 3)
        self.assertEqual(set(self.services("?host=node1@slow")), {("cinder-volume", "node1@slow")})
        self.assertEqual(len(self.services("?host=roadstead&binary=cinder-volume")), 2)
        self.assertEqual(
            set(self.services("?binary=cinder-scheduler&host=node2")), {("cinder-scheduler", "node2")}
        )
        self.assertEqual(self.services("?host=nowhere"), {})

    def test_the_processes_of_a_node_are_one_and_its_restart_is_no_new_one(self):
        self.node("node3", "fast", lost=True)
        self.node("node3", "fast", stopped_at=Now())
        self.node("node3", "fast")
        self.node("node3", "slow")
        self.node("node3", kind=Node.Kind.API)
        rows = self.services("?host=node3")
        self.assertEqual(
            {key[1]: row["state"] for key, row in rows.items()},
            {"node3": "up", "node3@fast": "up", "node3@slow": "up"},
        )

    def test_a_back_end_that_no_live_node_serves_is_down_and_one_that_is_silent_shows_it(self):
        Node.objects.update(seen_at=Now() - timedelta(minutes=1))
        Pool.objects.filter(backend="slow").update(reported_at=Now() - timedelta(hours=1))
        rows = self.services()
        self.assertEqual(rows["cinder-volume", "roadstead@fast"]["state"], "down")
        self.assertEqual(rows["cinder-volume", "roadstead@fast"]["backend_state"], "up")
        self.assertEqual(rows["cinder-volume", "node1@slow"]["backend_state"], "down")
        Pool.objects.filter(backend="fast").update(down_since=Now())
        self.assertEqual(self.services()["cinder-volume", "roadstead@fast"]["backend_state"], "down")


class TellTests(ServiceCase):
    def test_a_node_is_told_to_leave_one_back_end_and_to_come_back(self):
        told = self.tell(
            "disable-log-reason", host="node1@slow", binary="cinder-volume", disabled_reason=" disks "
        )
        expected = {"host": "node1@slow", "binary": "cinder-volume", "service": "", "status": "disabled"}
        self.assertEqual(told, {**expected, "disabled": True, "disabled_reason": "disks"})
        row = self.services()["cinder-volume", "node1@slow"]
        self.assertEqual((row["status"], row["disabled_reason"]), ("disabled", "disks"))
        state = ServiceState.objects.get()
        self.assertEqual((state.node, state.backend, state.disabled), ("node1", "slow", True))
        told = self.tell("enable", host="node1@slow", binary="cinder-volume")
        self.assertEqual(
            (told["status"], told["disabled"], told["disabled_reason"]), ("enabled", False, None)
        )
        row = self.services()["cinder-volume", "node1@slow"]
        self.assertEqual((row["status"], row["disabled_reason"]), ("enabled", None))
        self.assertFalse(Pool.objects.filter(disabled=True).exists())

    def test_a_scheduler_is_told_by_the_older_word_too(self):
        told = self.tell("disable", host="node1", service="cinder-scheduler")
        self.assertEqual((told["service"], told["binary"]), ("cinder-scheduler", ""))
        self.assertNotIn("disabled_reason", told)
        state = ServiceState.objects.get()
        self.assertEqual((state.node, state.backend, state.disabled), ("node1", "", True))

    def test_a_back_end_as_a_whole_takes_no_new_volumes_and_takes_them_again(self):
        body = {"volume": {"size": 1, "availability_zone": "nova"}}
        self.tell("disable-log-reason", host="roadstead@fast", binary="cinder-volume", disabled_reason="full")
        self.assertEqual(self.services()["cinder-volume", "roadstead@fast"]["disabled_reason"], "full")
        self.assertEqual(self.services()["cinder-volume", "node1@fast"]["status"], "enabled")
        self.refused(self.post("/volumes", body), 503, "take no volumes now")
        self.tell("enable", host="roadstead@fast", binary="cinder-volume")
        self.ok(self.post("/volumes", body), 202)

    def test_a_back_end_is_frozen_by_any_of_its_names(self):
        for how in ({"host": "node1@slow"}, {"cluster": "roadstead@slow"}, {"host": "roadstead@slow#two"}):
            self.tell("freeze", **how)
            self.assertEqual(
                set(Pool.objects.filter(frozen=True).values_list("pk", flat=True)), {"slow#one", "slow#two"}
            )
            self.assertTrue(self.services()["cinder-volume", "node2@slow"]["frozen"])
            self.tell("thaw", **how)
            self.assertFalse(Pool.objects.filter(frozen=True).exists())

    def test_each_is_told_to_the_log_with_who_and_why(self):
        with capture_logs() as lines:
            self.tell(
                "disable-log-reason", host="node1@slow", binary="cinder-volume", disabled_reason="disks"
            )
            self.tell("freeze", host="node1@slow")
        disabled, frozen = (line for line in lines if "by" in line)
        self.assertEqual(
            (disabled["by"], disabled["reason"], disabled["host"]), ("alice", "disks", "node1@slow")
        )
        self.assertEqual(
            (frozen["event"], frozen["host"], frozen["by"]), ("back-end frozen", "roadstead@slow", "alice")
        )
        logging.disable(logging.NOTSET)

    def test_it_refuses_what_names_no_service(self):
        bad: Any
        reason: Any
        good = {"host": "node1", "binary": "cinder-scheduler"}
        for verb in ("enable", "disable"):
            self.tell(verb, 404, **{**good, "host": "nowhere"})
            self.tell(verb, 404, **{**good, "binary": "nothing"})
            self.tell(verb, 404, host="node1", binary="cinder-volume")
            for bad in (
                {},
                {"host": "node1"},
                {"binary": "x"},
                {"host": None, "binary": "x"},
                {"host": 5, "binary": "x"},
            ):
                self.tell(verb, 400, **bad)
            for host in ("", "x" * 256, ["x"]):
                self.tell(verb, 400, **{**good, "host": host})
        for reason in (None, "", "  ", "x" * 256, 5, []):
            self.tell("disable-log-reason", 400, **good, disabled_reason=reason)
        self.tell("disable-log-reason", 400, **good)
        for verb in ("freeze", "thaw"):
            for bad in (
                {"host": "nowhere"},
                {"cluster": "roadstead@nothing"},
                {},
                {"host": 5},
                {"host": "node1"},
            ):
                self.tell(verb, 400, **bad)
            self.tell(verb, 400, host="node1@slow", cluster="roadstead@slow")
            self.tell(verb, 400, cluster="roadstead@slow", version="3.25")
            self.refused(self.put(f"/os-services/{verb}", [], by="alice"), 400)
        self.assertFalse(ServiceState.objects.exists())
        self.assertFalse(Pool.objects.filter(frozen=True).exists())

    def test_fail_over_is_not_offered(self):
        self.assertIn("not offered", self.tell("failover_host", 400, host="node1@slow"))
        self.assertIn("not offered", self.tell("failover", 400, cluster="roadstead@slow"))
        self.tell("failover", 404, cluster="roadstead@slow", version="3.25")

    def test_log_levels_are_told_but_not_set(self):
        told = self.tell("get-log", binary="cinder-scheduler", server="node1", prefix="volumes")
        ((row),) = told["log_levels"]
        self.assertEqual(
            (row["host"], row["binary"], list(row["levels"])), ("node1", "cinder-scheduler", ["volumes"])
        )
        self.assertEqual(len(self.tell("get-log")["log_levels"]), 3)
        self.assertIn("LOG_LEVEL", self.tell("set-log", 400, binary="*", level="DEBUG"))
        self.tell("get-log", 400, binary=5)
        self.tell("get-log", 404, version="3.31")
