"""/v1/clusters and /v1/bays: the same rows in two dialects."""

from __future__ import annotations

import uuid
from typing import Any

from django.test import override_settings

from bays.models import Bay, Quota
from lifecycle.models import Operation
from tests import make
from tests.bays.base import BASE, DIALECTS, BayCase

SUMMARY = {
    *("uuid", "name", "keypair", "docker_volume_size", "labels", "node_count", "master_count", "flavor_id"),
    *("master_flavor_id", "status", "health_status", "stack_id", "links"),
}
DETAIL = SUMMARY | {
    *("status_reason", "health_status_reason", "discovery_url", "api_address", "node_addresses"),
    *("master_addresses", "coe_version", "container_version", "fixed_network", "fixed_subnet"),
    *("floating_ip_enabled", "master_lb_enabled", "project_id", "user_id", "created_at", "updated_at"),
    *("labels_overridden", "labels_added", "labels_skipped"),
    *("progress", "failure"),  # ours
}
WORDS = {
    "clusters": {"cluster_template_id", "create_timeout"},
    "bays": {"baymodel_id", "bay_create_timeout"},
}
UNSORTED = {
    *("links", "labels", "labels_overridden", "labels_added", "labels_skipped", "health_status_reason"),
    *("node_addresses", "master_addresses", "progress", "failure", "cluster_id"),
}
OWN: dict[str, set[str]] = {"clusters": {"cluster_id"}, "bays": set()}  # of the detail


class CreateTests(BayCase):
    def test_it_accepts_a_bay_with_its_operation_and_its_place_in_the_quota(self):
        model = self.a_model(labels={"a": "1"}, flavor_id="m1")
        answer = self.post(
            "/clusters", {"name": "one", "cluster_template_id": str(model.pk), "node_count": 2, "keypair": ""}
        )
        self.assertEqual(answer.status_code, 202, answer.content)
        bay = Bay.objects.get()
        self.assertEqual(answer.json(), {"uuid": str(bay.pk)})
        self.assertEqual(answer["Location"], f"http://testserver{BASE}/clusters/{bay.pk}")
        self.assertEqual(
            (bay.status, bay.node_count, bay.labels, bay.flavor_id),
            ("CREATE_IN_PROGRESS", 2, {"a": "1"}, "m1"),
        )
        self.assertEqual((bay.project_id, bay.user_id, bay.keypair), (self.blue.pk, self.bob.pk, None))
        operation = Operation.objects.get()
        self.assertEqual(bay.operation_id, operation.pk)
        self.assertEqual(operation.request_id, answer["x-openstack-request-id"])
        self.assertEqual((operation.action, operation.params["node_count"]), ("create", 2))
        self.assertEqual(Quota.objects.get().used, 1)

    def test_a_template_is_named_by_id_or_name_and_an_unknown_one_is_a_bad_request(self):
        model = self.a_model()
        for collection, key in (("clusters", "cluster_template_id"), ("bays", "baymodel_id")):
            for ident in (str(model.pk), model.pk.hex, "small"):
                self.assertEqual(self.post(f"/{collection}", {key: ident}).status_code, 202)
            for ident in ("large", str(uuid.uuid4())):
                self.refused(self.post(f"/{collection}", {key: ident}), 400, ident)
        self.a_model()
        self.refused(
            self.post("/clusters", {"cluster_template_id": "small"}), 409, "More than one", "use the id"
        )

    def test_what_is_left_out_has_magnums_defaults(self):
        self.post("/bays", {"baymodel_id": str(self.a_model().pk)})
        bay = Bay.objects.get()
        self.assertRegex(bay.name, r"^[a-z]+-\d+-cluster$")
        self.assertEqual((bay.node_count, bay.master_count, bay.create_timeout), (1, 1, 60))
        body = {"baymodel_id": str(bay.baymodel_id), "name": "timeless", "bay_create_timeout": None}
        self.assertEqual(self.post("/bays", body).status_code, 202)
        self.assertEqual(Bay.objects.get(name="timeless").create_timeout, 60)

    def test_labels_replace_the_templates_or_are_merged_into_them(self):
        model = str(self.a_model(labels={"a": "1", "b": "2"}).pk)
        for labels, merge, expected in (
            ({"b": 3}, False, {"b": "3"}),
            ({"b": 3}, True, {"a": "1", "b": "3"}),
            ({}, False, {"a": "1", "b": "2"}),  # none of its own
            ({}, True, {"a": "1", "b": "2"}),
            (None, False, {"a": "1", "b": "2"}),
        ):
            body = {"cluster_template_id": model, "labels": labels, "merge_labels": merge}
            ident = self.post("/clusters", body).json()["uuid"]
            self.assertEqual(Bay.objects.get(pk=ident).labels, expected)

    def test_no_nodes_are_a_cluster_but_not_a_bay(self):
        model = str(self.a_model().pk)
        body = {"cluster_template_id": model, "node_count": 0}
        self.assertEqual(self.post("/clusters", body).status_code, 202)
        self.refused(self.post("/bays", {"baymodel_id": model, "node_count": 0}), 400, "node_count")

    def test_the_words_of_one_dialect_are_unknown_in_the_other(self):
        model = str(self.a_model().pk)
        self.refused(self.post("/bays", {"cluster_template_id": model}), 400, "cluster_template_id")
        self.refused(self.post("/clusters", {"baymodel_id": model}), 400, "baymodel_id")

    def test_a_driver_refuses_before_anything_is_written(self):
        model = str(self.a_model().pk)
        before = self.rows()
        for over, word in (
            ({"node_count": 251}, "node_count"),
            ({"labels": {"fail_node": "x"}}, "fail_node"),
        ):
            self.refused(self.post("/clusters", {"cluster_template_id": model, **over}), 400, word)
        self.assertEqual(self.rows(), before)

    @override_settings(BAY_QUOTA=2)
    def test_the_quota_is_a_403_that_says_the_limit(self):
        body = {"cluster_template_id": str(self.a_model().pk)}
        self.assertEqual([self.post("/clusters", body).status_code for _ in range(3)], [202, 202, 403])
        self.refused(self.post("/bays", {"baymodel_id": body["cluster_template_id"]}), 403, "its limit is 2")
        self.assertEqual(
            (Bay.objects.count(), Operation.objects.count(), Quota.objects.get().used), (2, 2, 2)
        )

    def test_a_published_template_of_another_project_is_usable_and_a_hidden_one_is_not(self):
        shown = self.a_model(public=True)
        hidden = self.a_model(public=True, hidden=True)
        answer = self.post("/clusters", {"cluster_template_id": str(shown.pk)}, user="erin")
        self.assertEqual(answer.status_code, 202)
        self.refused(self.post("/clusters", {"cluster_template_id": str(hidden.pk)}, user="erin"), 400)


class ReadTests(BayCase):
    def test_it_shows_exactly_these_fields_in_both_dialects(self):
        bay = self.a_bay(labels={"x": "y"})
        for collection, _ in DIALECTS:
            for ident in (str(bay.pk), bay.pk.hex, bay.name):
                shown = self.get(f"/{collection}/{ident}").json()
                self.assertEqual(set(shown), DETAIL | WORDS[collection] | OWN[collection])
                self.assertEqual((shown["uuid"], shown["labels"]), (str(bay.pk), {"x": "y"}))
                self.assertRegex(shown["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")
                here = f"http://testserver/container-infra/v1/{collection}/{bay.pk}"
                self.assertEqual(shown["links"][0], {"rel": "self", "href": here})
            (listed,) = self.get(f"/{collection}").json()[collection]
            self.assertEqual(set(listed), SUMMARY | WORDS[collection])
            (listed,) = self.get(f"/{collection}/detail").json()[collection]
            self.assertEqual(set(listed), DETAIL | WORDS[collection] | OWN[collection])

    def test_a_failed_bay_tells_its_faults(self):
        bay = self.a_bay("CREATE_FAILED")
        Bay.objects.filter(pk=bay.pk).update(status_reason="nodes.0 broke")
        shown = self.get(f"/clusters/{bay.pk}").json()
        reason = "nodes.0 broke"
        both = {"default-master": reason, "default-worker": reason}
        self.assertEqual((shown["status_reason"], shown["faults"]), (reason, both))
        make.nodegroup(bay, name="well")
        make.nodegroup(bay, name="blue", status="UPDATE_FAILED", status_reason="no room")
        self.assertEqual(self.get(f"/clusters/{bay.pk}").json()["faults"], {**both, "blue": "no room"})
        (listed,) = self.get("/bays/detail").json()["bays"]
        self.assertEqual(listed["faults"], both)
        self.assertNotIn("faults", self.get(f"/clusters/{self.a_bay().pk}").json())

    def test_a_name_that_two_bays_bear_is_a_409(self):
        model = self.a_model()
        bays = [self.a_bay(model=model, name="twin") for _ in range(2)]
        before = self.rows()
        for answer in (
            self.get("/clusters/twin"),
            self.delete("/bays/twin"),
            self.patch("/clusters/twin", [{"op": "replace", "path": "/node_count", "value": 3}]),
            self.post("/clusters/twin/actions/resize", {"node_count": 3}),
        ):
            self.refused(answer, 409, "More than one bay", "use the id")
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.get(f"/clusters/{bays[0].pk}").status_code, 200)

    def test_another_projects_bay_is_answered_like_one_that_never_was(self):
        theirs, never = self.a_bay(), uuid.uuid4()
        for method, tail, body in (
            ("GET", "", None),
            ("DELETE", "", None),
            ("PATCH", "", [{"op": "replace", "path": "/node_count", "value": 3}]),
            ("POST", "/actions/resize", {"node_count": 3}),
        ):
            answers = [
                self.ask(method, f"/clusters/{ident}{tail}", body, user="erin")
                for ident in (theirs.pk, never)
            ]
            told = [
                self.refused(answer, 404).replace(str(ident), "ID")
                for answer, ident in zip(answers, (theirs.pk, never), strict=True)
            ]
            self.assertEqual(told[0], told[1])
        self.refused(self.get(f"/clusters/{theirs.name}", user="erin"), 404)
        self.assertEqual(Bay.objects.get().status, "CREATE_COMPLETE")

    def test_an_admin_finds_any_projects_bay_by_id_and_its_own_by_name(self):
        theirs = self.a_bay(project_id=self.red.pk)
        self.assertEqual(self.get(f"/clusters/{theirs.pk}", user="alice").status_code, 200)
        self.refused(self.get(f"/clusters/{theirs.name}", user="alice"), 404)

    def test_lists_are_of_the_project_and_of_all_for_admins(self):
        model = self.a_model()
        ours, theirs = (
            self.a_bay(model=model, name="ours"),
            self.a_bay(project_id=self.red.pk, model=model, name="theirs"),
        )

        def listed(path="/clusters", **kwargs):
            return {row["name"] for row in self.get(path, **kwargs).json()["clusters"]}

        self.assertEqual(listed(), {ours.name})
        self.assertEqual(listed(user="erin"), {theirs.name})
        self.assertEqual(listed(user="alice"), {ours.name})
        self.assertEqual(listed(user="alice", path="/clusters?all_projects=True"), {ours.name, theirs.name})
        self.refused(self.get("/clusters?all_projects=true"), 403, "bay:all_projects")
        self.refused(self.get("/clusters?all_projects=perhaps", user="alice"), 400, "all_projects")

    def test_it_filters_by_status_and_name(self):
        model = self.a_model()
        for name, status in (("a", "CREATE_COMPLETE"), ("b", "CREATE_FAILED"), ("c", "DELETE_IN_PROGRESS")):
            self.a_bay(status, model=model, name=name)
        for query, expected in (
            ("status=CREATE_FAILED", ["b"]),
            ("name=c", ["c"]),
            ("status=CREATE_FAILED&name=c", []),
            ("status=NONSENSE", []),
        ):
            rows = self.get(f"/bays?{query}").json()["bays"]
            self.assertEqual([row["name"] for row in rows], expected, query)

    def test_it_pages_and_sorts_without_skipping_or_repeating(self):
        model = self.a_model()
        for number in (3, 1, 2, 5, 4):
            self.a_bay(model=model, name=f"n{number}", node_count=number // 2)
        for query, order in (
            ("sort_key=name", ["n1", "n2", "n3", "n4", "n5"]),
            ("sort_key=name&sort_dir=desc", ["n5", "n4", "n3", "n2", "n1"]),
            ("", ["n3", "n1", "n2", "n5", "n4"]),
        ):
            seen, path = [], f"{BASE}/clusters?limit=2&{query}"
            for _ in range(3):
                page = self.get(path).json()
                seen += [row["name"] for row in page["clusters"]]
                path = page.get("next", "").removeprefix("http://testserver")
            self.assertEqual((seen, path), (order, ""), query)
        self.assertEqual(len(self.get("/clusters?sort_key=node_count&limit=4").json()["clusters"]), 4)

    def test_it_sorts_by_whatever_it_shows_but_labels_and_addresses(self):
        model = self.a_model()
        unlike: tuple[dict[str, Any], ...] = ({"floating_ip_enabled": False}, {"fixed_network": "a"}, {})
        for number, over in enumerate(unlike):
            self.a_bay(model=model, name=f"n{number}", **over)
        for collection, _ in DIALECTS:
            (*_, last) = self.get(f"/{collection}/detail").json()[collection]
            for key in set(last) - UNSORTED:
                seen, path = set(), f"{BASE}/{collection}?limit=1&sort_dir=desc&sort_key={key}"
                while path:
                    page = self.get(path)
                    self.assertEqual(page.status_code, 200, key)
                    seen |= {row["name"] for row in page.json()[collection]}
                    path = page.json().get("next", "").removeprefix("http://testserver")
                self.assertEqual(seen, {"n0", "n1", "n2"}, key)
        for key in ("labels", "epoch", "holder", "pk", "baymodel__name", "-name", "?"):
            self.refused(self.get(f"/clusters?sort_key={key}"), 400, "sort_key must be one of")

    def test_another_projects_bay_is_no_marker(self):
        theirs = self.a_bay(project_id=self.red.pk)
        self.refused(self.get(f"/clusters?marker={theirs.pk}"), 404, "marker")
