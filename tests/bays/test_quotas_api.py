"""/v1/quotas and /v1/stats."""

from __future__ import annotations

import uuid
from typing import Any

from django.test import override_settings

from bays.models import Quota
from tests.bays.base import BASE, BayCase
from tests.bays.test_bad_requests import BAD_PATH, BAD_QUERY, RAW

FIELDS = {"id", "project_id", "resource", "hard_limit", "created_at", "updated_at"}


@override_settings(BAY_QUOTA=20)
class QuotaCase(BayCase):
    def setUp(self):
        super().setUp()
        self.path = f"/quotas/{self.blue.pk}/Cluster"

    def give(self, limit=5, project=None):
        body = {"project_id": (project or self.blue).pk, "resource": "Cluster", "hard_limit": limit}
        return self.post("/quotas", body, user="alice")


class QuotaTests(QuotaCase):
    def test_where_a_project_has_none_of_its_own_the_default_is_shown(self):
        shown = self.get(self.path, user="carol").json()
        expected = {"id": None, "project_id": self.blue.pk, "resource": "Cluster", "hard_limit": 20}
        self.assertEqual(shown, {**expected, "created_at": None, "updated_at": None})
        dashed = str(uuid.UUID(self.blue.pk))
        self.assertEqual(self.get(f"/quotas/{dashed}/Cluster").json(), shown)
        self.assertEqual(self.get("/quotas?all_tenants=true", user="alice").json(), {"quotas": []})
        self.assertFalse(Quota.objects.exists())

    def test_its_life(self):
        answer = self.give()
        made = answer.json()
        self.assertEqual((answer.status_code, set(made), made["hard_limit"]), (201, FIELDS, 5))
        self.assertEqual(answer["Location"], f"http://testserver{BASE}{self.path}")
        self.assertGreater(made["id"], 0)
        self.assertRegex(made["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")
        self.assertEqual(self.get(self.path).json(), made)
        self.refused(self.give(), 409, "already")
        answer = self.patch(
            self.path, {"project_id": self.blue.pk, "resource": "Cluster", "hard_limit": 7}, user="alice"
        )
        self.assertEqual(
            (answer.status_code, answer.json()["hard_limit"], answer.json()["id"]), (202, 7, made["id"])
        )
        self.assertIsNotNone(answer.json()["updated_at"])
        self.assertEqual(self.delete(self.path, user="alice").status_code, 204)
        self.assertEqual(self.get(self.path).json()["hard_limit"], 20)
        self.refused(self.delete(self.path, user="alice"), 404, "of its own")
        self.refused(self.patch(self.path, {"hard_limit": 7}, user="alice"), 404, "of its own")

    def test_it_is_what_a_create_is_held_to_and_counts_what_is_there(self):
        body = {"cluster_template_id": str(self.a_model().pk)}
        self.assertEqual(self.post("/clusters", body).status_code, 202)
        self.assertEqual(self.give(2).status_code, 201)
        self.assertEqual([self.post("/clusters", body).status_code for _ in range(2)], [202, 403])
        self.patch(self.path, {"hard_limit": 0}, user="alice")
        self.refused(self.post("/clusters", body), 403, "has 2 bays and its limit is 0")
        self.delete(self.path, user="alice")
        self.assertEqual(self.post("/clusters", body).status_code, 202)
        self.assertEqual(Quota.objects.get().used, 3)

    def test_what_is_left_out_is_one(self):
        answer = self.post("/quotas", {"project_id": self.blue.pk}, user="alice")
        self.assertEqual((answer.status_code, answer.json()["hard_limit"]), (201, 1))

    def test_lists_are_the_admins_and_go_by_pages(self):
        for number in range(3):
            self.give(number, type("P", (), {"pk": f"{number:032x}"}))
        self.give(9)
        self.refused(self.get("/quotas"), 403, "bay_quota:list")
        (own,) = self.get("/quotas", user="alice").json()["quotas"]
        self.assertEqual((own["project_id"], own["hard_limit"]), (self.blue.pk, 9))
        seen, path = [], f"{BASE}/quotas?all_tenants=True&limit=3"
        for _ in range(2):
            page = self.get(path, user="alice").json()
            seen += [row["hard_limit"] for row in page["quotas"]]
            path = page.get("next", "").removeprefix("http://testserver")
        self.assertEqual((seen, path), ([0, 1, 2, 9], ""))
        page = self.get(
            "/quotas?all_tenants=1&sort_key=hard_limit&sort_dir=desc&limit=1", user="alice"
        ).json()
        self.assertEqual(page["quotas"][0]["hard_limit"], 9)
        for query in ("marker=x", "marker=0", "marker=99999999999999999999", f"marker={uuid.uuid4()}"):
            self.refused(self.get(f"/quotas?all_tenants=1&{query}", user="alice"), 404, "marker")

    def test_who_may(self):
        self.give()
        self.refused(self.get(self.path, user="erin"), 403, "another project")
        self.refused(self.get(f"/quotas/{uuid.uuid4().hex}/Cluster", user="erin"), 403, "another project")
        self.assertEqual(self.get(f"/quotas/{self.red.pk}/Cluster", user="alice").status_code, 200)
        for method, path, body in (
            ("POST", "/quotas", {"project_id": self.blue.pk}),
            ("PATCH", self.path, {"hard_limit": 99}),
            ("DELETE", self.path, None),
        ):
            self.refused(self.ask(method, path, body), 403, "bay_quota:change")
        self.assertEqual(Quota.objects.get().hard_limit, 5)

    def test_what_is_refused(self):
        self.give()
        before = self.rows()
        limits: tuple[Any, ...] = (-1, 2**31, 10**30, "x", "", 1.5, True, None, [], {})
        for limit in limits:
            self.refused(self.patch(self.path, {"hard_limit": limit}, user="alice"), 400)
            body = {"project_id": self.red.pk, "hard_limit": limit}
            self.refused(self.post("/quotas", body, user="alice"), 400)
        projects: tuple[Any, ...] = ("", None, 5, "x" * 65, "a\x00", [], {})
        for project in projects:
            self.refused(self.post("/quotas", {"project_id": project}, user="alice"), 400)
        self.refused(self.post("/quotas", {"hard_limit": 1}, user="alice"), 400, "project_id")
        others: tuple[Any, ...] = (
            {"resource": "Node"},
            {"resource": None},
            {"resource": []},
            {"used": 0},
            {"id": 1},
        )
        for over in others:
            self.refused(self.patch(self.path, {"hard_limit": 1, **over}, user="alice"), 400)
        body = {"hard_limit": 1, "project_id": self.red.pk}
        self.refused(self.patch(self.path, body, user="alice"), 400, "in the path")
        self.refused(self.patch(self.path, [], user="alice"), 400)
        for path in (f"/quotas/{self.blue.pk}/Node", f"/quotas/{self.blue.pk}/cluster"):
            self.refused(self.get(path), 404, "one of Cluster")
            self.refused(self.delete(path, user="alice"), 404, "one of Cluster")
        self.assertEqual(self.rows(), before)

    def test_bodies_that_are_none(self):
        self.give()
        before = self.rows()
        for method, path in (("POST", "/quotas"), ("PATCH", self.path)):
            for body in RAW:
                self.refused(self.ask(method, path, body, user="alice"), 400)
        self.assertEqual(self.rows(), before)

    def test_strange_queries_and_paths(self):
        for query in BAD_QUERY:
            nowhere = query.startswith("marker") and "%00" not in query
            self.refused(self.get(f"/quotas?{query}", user="alice"), 404 if nowhere else 400)
        for ident in BAD_PATH:
            for method in ("GET", "DELETE"):
                answer = self.ask(method, f"/quotas/{ident}/Cluster", user="alice")
                self.assertIn(answer.status_code, {200, 404} if method == "GET" else {404}, ident)
                self.refused(self.ask(method, f"/quotas/{self.blue.pk}/{ident}", user="alice"), 404)

    def test_it_heeds_what_its_writer_has_seen_and_not_what_is_counted(self):
        self.give()
        tag = self.get(self.path)["ETag"]
        self.a_bay()
        answer = self.patch(self.path, {"hard_limit": 6}, user="alice", **{"If-Match": tag})
        self.assertEqual(answer.status_code, 202)
        self.refused(self.patch(self.path, {"hard_limit": 7}, user="alice", **{"If-Match": tag}), 412)
        self.refused(self.delete(self.path, user="alice", **{"If-Match": tag}), 412)
        self.assertEqual(
            self.delete(self.path, user="alice", **{"If-Match": answer["ETag"]}).status_code, 204
        )

    def test_it_is_given_once_under_one_key(self):
        body = {"project_id": self.blue.pk, "hard_limit": 3}
        first, second = (
            self.post("/quotas", body, user="alice", **{"Idempotency-Key": "k"}) for _ in range(2)
        )
        self.assertEqual((first.status_code, second.json()), (201, first.json()))


class StatsTests(BayCase):
    def setUp(self):
        super().setUp()
        model = self.a_model()
        for count, masters, project in ((3, 1, self.blue), (0, 1, self.blue), (2, 3, self.red)):
            self.a_bay(model=model, node_count=count, master_count=masters, project_id=project.pk)

    def test_a_user_sees_what_its_project_has(self):
        for path in ("/stats", f"/stats?project_id={self.blue.pk}&type=cluster", "/stats?project_id="):
            self.assertEqual(self.get(path, user="carol").json(), {"clusters": 2, "nodes": 5})
        self.refused(self.get(f"/stats?project_id={self.red.pk}"), 403, "another project")
        self.refused(self.get("/stats?project_id=never"), 403, "another project")

    def test_an_admin_sees_what_all_have_and_what_each_has(self):
        self.assertEqual(self.get("/stats", user="alice").json(), {"clusters": 3, "nodes": 10})
        shown = self.get(f"/stats?project_id={self.red.pk}", user="alice").json()
        self.assertEqual(shown, {"clusters": 1, "nodes": 5})
        self.assertEqual(self.get("/stats?project_id=none", user="alice").json(), {"clusters": 0, "nodes": 0})

    def test_another_kind_is_refused(self):
        self.refused(self.get("/stats?type=volume"), 400, "type")
