"""Operations of bays: found by the answer's header, awaited, expected."""

from __future__ import annotations

from datetime import timedelta

from django.test import override_settings

from lifecycle.durations import LEAST
from lifecycle.models import Operation
from tests import make
from tests.bays.base import BayCase

NAMES = "Roadstead-Operation"
KEY = {"Idempotency-Key": "order 66"}


class HeaderTests(BayCase):
    def test_every_answer_that_accepts_names_its_operation(self):
        model = self.a_model()
        for method, path, body in self.accepted(model):
            with self.subTest(method, path=path):
                answer = self.ask(method, path, body)
                self.assertIn(answer.status_code, {201, 202, 204}, answer.content)
                operation = Operation.objects.get(pk=answer[NAMES])
                self.assertEqual(operation.request_id, answer["x-openstack-request-id"])
                self.assertEqual(self.get(f"/operations/{operation.pk}").json()["id"], answer[NAMES])

    def accepted(self, model):
        """Yield a request of each kind that is accepted."""

        def bay():
            return self.a_bay(model=model, api_address="https://10.0.0.1:6443")

        yield "POST", "/clusters", {"cluster_template_id": str(model.pk)}
        yield "POST", "/bays", {"baymodel_id": str(model.pk)}
        yield "PATCH", f"/clusters/{bay().pk}", [{"op": "replace", "path": "/node_count", "value": 2}]
        yield "POST", f"/clusters/{bay().pk}/actions/resize", {"node_count": 2}
        yield "POST", f"/clusters/{bay().pk}/actions/upgrade", {"cluster_template": str(model.pk)}
        yield "DELETE", f"/clusters/{bay().pk}", None
        yield "PATCH", f"/certificates/{bay().pk}", None
        one = bay()
        group = f"/clusters/{one.pk}/nodegroups/{make.nodegroup(one).pk}"
        yield "PATCH", group, [{"op": "replace", "path": "/max_node_count", "value": 9}]
        yield "DELETE", group, None
        yield "POST", f"/clusters/{bay().pk}/nodegroups", {"name": "green"}

    def test_a_replay_names_the_same_one(self):
        body = {"cluster_template_id": str(self.a_model().pk)}
        first, second = (self.post("/clusters", body, **KEY) for _ in range(2))
        self.assertEqual((second["Idempotency-Replayed"], second[NAMES]), ("true", first[NAMES]))

    def test_what_asks_nothing_of_a_bay_names_none(self):
        model = self.a_model()
        self.assertNotIn(NAMES, self.get("/clusters"))
        self.assertNotIn(NAMES, self.delete(f"/clustertemplates/{model.pk}"))
        bay = self.a_bay("DELETE_IN_PROGRESS")
        self.assertNotIn(NAMES, self.delete(f"/clusters/{bay.pk}"))


class WaitTests(BayCase):
    def test_what_is_over_is_answered_at_once_and_what_is_not_says_so(self):
        bay = self.a_bay("CREATE_IN_PROGRESS")
        path = f"/operations/{bay.operation_id}"
        answer = self.get(f"{path}?wait=0")
        self.assertEqual((answer.json()["state"], answer.json()["hint"]), ("IN_PROGRESS", None))
        with override_settings(OPERATION_WAITERS=0):
            answer = self.get(f"{path}?wait=1")
        self.assertEqual((answer.status_code, answer["Retry-After"]), (200, "1"))
        self.assertIn("Too many", answer.json()["hint"])
        Operation.objects.update(state="COMPLETE", finished_at=bay.created_at)
        answer = self.get(f"{path}?wait=60")
        self.assertEqual((answer.json()["state"], answer.json()["hint"]), ("COMPLETE", None))
        self.assertNotIn("Retry-After", answer)

    def test_a_wait_is_a_number_of_seconds_up_to_the_most(self):
        path = f"/operations/{self.a_bay('CREATE_IN_PROGRESS').operation_id}"
        for word in ("x", "-1", "1.5", "61", "", "٣", "1e3", "99999999999999999999"):
            self.refused(self.get(f"{path}?wait={word}"), 400, "from 0 to 60")

    def test_one_that_has_been_seen_is_not_shown_again(self):
        path = f"/operations/{self.a_bay().pk}"
        path = f"/operations/{Operation.objects.get().pk}"
        tag = self.get(path)["ETag"]
        self.assertEqual(self.get(path, **{"If-None-Match": tag}).status_code, 304)

    def test_how_long_it_may_take_is_told_by_those_alike(self):
        body = {"cluster_template_id": str(self.a_model().pk), "node_count": 2}
        for _ in range(LEAST):
            ident = self.post("/clusters", body)["Roadstead-Operation"]
            operation = Operation.objects.get(pk=ident)
            operation.state, operation.finished_at = "COMPLETE", operation.created_at + timedelta(seconds=30)
            operation.save()
        ident = self.post("/clusters", body)["Roadstead-Operation"]
        shown = self.get(f"/operations/{ident}").json()
        expected = {"median": 30.0, "p90": 30.0, "samples": LEAST, "like": "create bay, demo vm, nodes 2-3"}
        self.assertEqual(shown["expected_seconds"], expected)
        begun = Operation.objects.get(pk=ident).created_at
        self.assertEqual(shown["estimated_finish"], (begun + timedelta(seconds=30)).isoformat())
        self.assertEqual(self.get("/operations").json()["operations"][-1]["expected_seconds"], expected)
        said = self.post("/clusters?dry_run=1", body).json()["dry_run"]
        self.assertEqual(said["expected_seconds"], expected)
        larger = self.post("/clusters?dry_run=1", {**body, "node_count": 9}).json()["dry_run"]
        self.assertIsNone(larger["expected_seconds"])
