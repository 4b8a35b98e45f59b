"""/v1/operations, discovery and versions."""

from __future__ import annotations

import uuid

from bays.models import Bay
from bays.states import Status
from lifecycle.advance import advance
from lifecycle.leases import Held
from lifecycle.models import Operation
from lifecycle.outcome import Done, Retry, StepOutcome
from tests.bays.base import BayCase

FIELDS = {
    *("id", "resource_type", "resource_id", "resource_name", "action", "params", "state", "reason"),
    *("attempts", "request_id", "user_id", "project_id", "created_at", "finished_at"),
    *("failure", "expected_seconds", "estimated_finish"),
}


class OperationTests(BayCase):
    def test_it_tells_what_became_of_a_request_attempt_by_attempt(self):
        body = {"cluster_template_id": str(self.a_model().pk), "name": "one", "node_count": 2}
        accepted = self.post("/clusters", body)
        bay_id = accepted.json()["uuid"]
        (listed,) = self.get(f"/operations?resource_id={bay_id}").json()["operations"]
        self.assertEqual(set(listed), FIELDS)
        self.assertEqual(
            (listed["state"], listed["action"], listed["attempts"]), ("IN_PROGRESS", "create", None)
        )
        self.assertEqual(listed["request_id"], accepted["x-openstack-request-id"])
        self.assertEqual((listed["resource_name"], listed["params"]["node_count"]), ("one", 2))
        outcomes: list[StepOutcome] = [Retry("Heat: no answer"), Done("created", reason="All there.")]

        def step(_held: Held[Bay]) -> StepOutcome:
            return outcomes.pop(0)

        for _ in range(2):
            Bay.objects.update(not_before=Bay.objects.get().created_at)
            advance(Bay, uuid.UUID(bay_id), {Status.CREATE_IN_PROGRESS: step})
        shown = self.get(f"/operations/{listed['id']}").json()
        self.assertEqual(set(shown), FIELDS | {"events", "progress"})
        self.assertEqual((shown["state"], shown["attempts"], shown["reason"]), ("COMPLETE", 2, "All there."))
        self.assertEqual([event["event"] for event in shown["events"]], ["retry", "created"])
        self.assertEqual(shown["events"][0]["reason"], "Heat: no answer")
        self.assertEqual(shown["events"][1]["to"], "CREATE_COMPLETE")

    def test_it_tells_how_far_it_is_and_after_a_failure_what_to_do(self):
        bay = self.a_bay("UPDATE_IN_PROGRESS", node_count=2, nodes_done=1)
        shown = self.get(f"/operations/{bay.operation_id}").json()
        self.assertEqual((shown["progress"], shown["failure"]), ({"nodes_done": 1, "nodes": 3}, None))
        reason = "nodes.1.boot (OS::Heat::TestResource): it broke"
        Operation.objects.update(state="FAILED", reason=reason, finished_at=bay.created_at)
        shown = self.get(f"/operations/{bay.operation_id}").json()
        self.assertEqual((shown["progress"], shown["failure"]["resource"]), (None, "nodes.1.boot"))
        (listed,) = self.get("/operations").json()["operations"]
        self.assertEqual(listed["failure"]["code"], "resource-failed")

    def test_it_outlives_its_bay(self):
        bay = self.a_bay()
        operation = Operation.objects.get()
        Bay.objects.filter(pk=bay.pk).delete()
        self.assertEqual(self.get(f"/operations/{operation.pk}").json()["resource_id"], str(bay.pk))

    def test_it_filters_pages_and_sorts(self):
        model = self.a_model()
        self.a_bay(model=model, name="a")
        self.a_bay("CREATE_IN_PROGRESS", model=model, name="b")

        def names(query):
            return [row["resource_name"] for row in self.get(f"/operations?{query}").json()["operations"]]

        self.assertEqual(names(""), ["a", "b"])
        self.assertEqual(names("state=IN_PROGRESS"), ["b"])
        self.assertEqual(names("sort_key=created_at&sort_dir=desc&limit=1"), ["b"])
        self.assertEqual(names("sort_key=finished_at"), ["a", "b"])
        self.refused(self.get("/operations?resource_id=x"), 400, "not an id")
        self.refused(self.get("/operations?sort_key=params"), 400, "sort_key")
        self.refused(self.get("/operations/x"), 400, "not an id")

    def test_another_projects_operations_are_not_there_but_for_admins(self):
        self.a_bay()
        operation = Operation.objects.get()
        self.assertEqual(self.get("/operations", user="erin").json()["operations"], [])
        self.refused(self.get(f"/operations/{operation.pk}", user="erin"), 404)
        self.refused(self.get(f"/operations/{uuid.uuid4()}", user="erin"), 404)
        self.assertEqual(self.get(f"/operations/{operation.pk}", user="alice").status_code, 200)


class DiscoveryTests(BayCase):
    def test_versions_and_contents_are_for_anybody_whatever_token_they_send(self):
        for path in ("/container-infra", "/container-infra/"):
            for token in ("", "stale"):
                answer = self.client.get(path, headers={"X-Auth-Token": token})
                self.assertEqual(answer.status_code, 200)
                (version,) = answer.json()["versions"]
                self.assertEqual((version["id"], version["status"]), ("v1", "CURRENT"))
                self.assertEqual((version["min_version"], version["max_version"]), ("1.1", "1.10"))
                self.assertEqual(
                    version["links"], [{"rel": "self", "href": "http://testserver/container-infra/v1/"}]
                )
        for path in ("/container-infra/v1", "/container-infra/v1/"):
            contents = self.client.get(path, headers={"X-Auth-Token": "stale"}).json()
            self.assertEqual(contents["id"], "v1")
            for name in ("bays", "baymodels", "clusters", "clustertemplates", "operations"):
                self.assertEqual(contents[name][0]["href"], f"http://testserver/container-infra/v1/{name}/")

    def test_microversions_are_negotiated_and_told(self):
        for asked, told in (
            (None, "1.1"),
            ("container-infra 1.7", "1.7"),
            ("container-infra latest", "1.10"),
            ("container-infrastructure-management 1.10", "1.10"),
            ("container-infrastructure 1.2", "1.2"),
            ("volume 3.71, container-infra 1.3", "1.3"),
        ):
            answer = self.get("/clusters", **{"OpenStack-API-Version": asked})
            self.assertEqual(answer.status_code, 200)
            self.assertEqual(answer["OpenStack-API-Version"], f"container-infra {told}")
            self.assertEqual(answer["OpenStack-API-Minimum-Version"], "container-infra 1.1")
            self.assertEqual(answer["OpenStack-API-Maximum-Version"], "container-infra 1.10")
            self.assertIn("OpenStack-API-Version", answer["Vary"])
            self.assertRegex(answer["x-openstack-request-id"], r"^req-[0-9a-f-]{36}$")

    def test_a_version_that_is_not_there_is_a_406_that_says_which_are(self):
        for asked in (
            "container-infra 1.11",
            "container-infra 2.0",
            "container-infra 1.0",
            "container-infra x",
            "volume 3.71",
            "1.7",
            "",
            "container-infra 1.7 1.8",
            "container-infra -1.7",
            "container-infra \u0661.\u0667",
        ):
            with self.subTest(asked):
                answer = self.get("/clusters", **{"OpenStack-API-Version": asked})
                self.refused(answer, 406)
                (error,) = answer.json()["errors"]
                self.assertEqual((error["min_version"], error["max_version"]), ("1.1", "1.10"))
                self.assertEqual(error["code"], "magnum.microversion-unsupported")
                self.assertEqual(error["title"], "Requested microversion is unsupported")
                self.assertEqual([link["rel"] for link in error["links"]], ["help"])
                self.assertEqual(answer["OpenStack-API-Maximum-Version"], "container-infra 1.10")
