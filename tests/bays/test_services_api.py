"""/v1/mservices and /v1/federations."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.utils import timezone

from lifecycle.models import Node
from tests import make
from tests.bays.base import BayCase

FIELDS = {
    *("id", "host", "binary", "state", "report_count", "disabled", "disabled_reason", "forced_down"),
    *("last_seen_up", "created_at", "updated_at"),
}


class ServiceTests(BayCase):
    def listed(self):
        answer = self.get("/mservices", user="alice")
        self.assertEqual((answer.status_code, set(answer.json())), (200, {"mservices"}))
        return answer.json()["mservices"]

    def node(self, name, **over):
        return make.node(uuid.uuid4(), name=name, **over)

    def test_each_worker_is_a_conductor(self):
        now = timezone.now()
        self.node("b", started_at=now - timedelta(minutes=2), seen_at=now - timedelta(minutes=1))
        self.node("a", started_at=now - timedelta(seconds=30))
        self.node("c", draining=True)
        for kind in (Node.Kind.API, Node.Kind.BEAT):
            self.node("d", kind=kind)
        rows = self.listed()
        self.assertEqual([set(row) for row in rows], [FIELDS] * 3)
        shown = [(row["id"], row["host"], row["state"], row["disabled"]) for row in rows]
        self.assertEqual(shown, [(1, "a", "up", False), (2, "b", "down", False), (3, "c", "up", True)])
        self.assertEqual({row["binary"] for row in rows}, {"magnum-conductor"})
        self.assertGreater(rows[0]["report_count"], 20)
        self.assertGreater(min(row["report_count"] for row in rows), 0)
        self.assertIn("drained", rows[2]["disabled_reason"])

    def test_a_host_is_what_its_latest_incarnation_is(self):
        now = timezone.now()
        self.node("a", started_at=now - timedelta(hours=2), stopped_at=now - timedelta(hours=1))
        self.node("a", started_at=now - timedelta(seconds=9))
        self.node("a", started_at=now - timedelta(hours=1), seen_at=now - timedelta(minutes=5))
        (row,) = self.listed()
        self.assertEqual(row["state"], "up")
        self.assertLess(row["report_count"], 60)

    def test_only_admins_see_them(self):
        self.refused(self.get("/mservices"), 403, "mservice:list")


class FederationTests(BayCase):
    def test_there_are_none_and_none_is_made(self):
        self.assertEqual(self.get("/federations", user="carol").json(), {"federations": []})
        self.assertEqual(self.get("/federations/detail").json(), {"federations": []})
        self.refused(
            self.post("/federations", {"name": "f", "hostcluster_id": str(uuid.uuid4())}), 400, "not offered"
        )
        for method in ("GET", "PATCH", "DELETE"):
            self.refused(self.ask(method, f"/federations/{uuid.uuid4()}"), 404, "federation")
        self.refused(self.post("/federations", {}, user="carol"), 403)
