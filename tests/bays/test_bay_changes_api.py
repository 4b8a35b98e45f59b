"""PATCH, resize and DELETE of bays: what is accepted, and what is refused with which words."""

from __future__ import annotations

import uuid
from typing import Any

from bays.models import Bay
from bays.states import BAY
from lifecycle.models import Event, Operation
from tests.bays.base import DIALECTS, BayCase


class ChangeTests(BayCase):
    def test_a_patch_and_a_resize_ask_for_the_same(self):
        model = self.a_model()
        for collection, _ in DIALECTS:
            for method, tail, body in (
                ("PATCH", "", [{"op": "replace", "path": "/node_count", "value": "4"}]),
                ("POST", "/actions/resize", {"node_count": 4}),
            ):
                bay = self.a_bay(model=model, name="b")
                answer = self.ask(method, f"/{collection}/{bay.pk}{tail}", body)
                self.assertEqual((answer.status_code, answer.json()), (202, {"uuid": str(bay.pk)}))
                row = Bay.objects.get(pk=bay.pk)
                self.assertEqual((row.status, row.node_count), ("UPDATE_IN_PROGRESS", 4))
                operation = Operation.objects.get(pk=row.operation_id or uuid.UUID(int=0))
                self.assertEqual((operation.action, operation.params), ("update", {"node_count": 4}))
                self.assertEqual(operation.request_id, answer["x-openstack-request-id"])
                event = Event.objects.get(resource_id=bay.pk)
                self.assertEqual((event.event, event.from_status), ("update", "CREATE_COMPLETE"))

    def test_a_failed_update_is_asked_for_again_with_the_same_number(self):
        bay = self.a_bay("UPDATE_FAILED", node_count=3)
        answer = self.patch(f"/clusters/{bay.pk}", [{"op": "replace", "path": "/node_count", "value": 3}])
        self.assertEqual(answer.status_code, 202)
        self.assertEqual(Bay.objects.get().status, "UPDATE_IN_PROGRESS")

    def test_a_delete_answers_204_and_the_row_stays_until_the_stack_is_gone(self):
        for status in ("CREATE_COMPLETE", "CREATE_IN_PROGRESS", "DELETE_FAILED"):
            bay = self.a_bay(status, name=status.lower().replace("_", "-"))
            answer = self.delete(f"/clusters/{bay.name}")
            self.assertEqual((answer.status_code, answer.content), (204, b""))
            self.assertEqual(self.get(f"/clusters/{bay.pk}").json()["status"], "DELETE_IN_PROGRESS")

    def test_what_the_status_does_not_allow_is_a_409_that_names_condition_and_status_found(self):
        """Walks the transition table: what it does not offer is refused, and nothing is written."""
        model = self.a_model()
        asked = {
            "update": lambda bay: self.post(f"/clusters/{bay.pk}/actions/resize", {"node_count": 5}),
            "delete": lambda bay: self.delete(f"/bays/{bay.pk}"),
            "upgrade": lambda bay: self.post(
                f"/clusters/{bay.pk}/actions/upgrade",
                {"cluster_template": str(model.pk)},
                **{"OpenStack-API-Version": "container-infra latest"},
            ),
        }
        for status in BAY.statuses:
            bay = self.a_bay(status, model=model, name="b")
            offered = {request.event for request in BAY.offered(status)}
            for event in asked.keys() - offered:
                with self.subTest(status=status, event=event):
                    before = self.rows()
                    answer = asked[event](bay)
                    allowed = ", ".join(s for s in BAY.statuses if s in BAY.requests[event].sources)
                    self.refused(answer, 409, f"Cannot {event} a bay", status, f"must be one of {allowed}")
                    self.assertEqual(answer.json()["errors"][0]["code"], "container-infra.state-conflict")
                    self.assertEqual(self.rows(), before)

    def test_a_delete_that_overtakes_closes_what_it_overtook(self):
        bay = self.a_bay("UPDATE_IN_PROGRESS")
        self.assertEqual(self.delete(f"/clusters/{bay.pk}").status_code, 204)
        states = dict(Operation.objects.values_list("action", "state"))
        self.assertEqual(states, {"create": "SUPERSEDED", "delete": "IN_PROGRESS"})

    def test_a_patch_changes_node_count_and_nothing_else(self):
        bay = self.a_bay(labels={"a": "1"}, stack_id=uuid.uuid4())
        before = self.rows()
        replace = {"op": "replace", "path": "/node_count", "value": 2}
        for patch, word in (
            ([], "empty"),
            ({}, "list"),
            ([{"op": "replace", "path": "/name", "value": "x"}], "name"),
            ([replace, {"op": "replace", "path": "/labels", "value": {}}], "labels"),
            ([{"op": "replace", "path": "/labels/a", "value": "2"}], "labels"),
            ([{"op": "replace", "path": "/status", "value": "CREATE_FAILED"}], "internal"),
            ([{"op": "replace", "path": "/stack_id", "value": None}], "internal"),
            ([{"op": "replace", "path": "/project_id", "value": self.red.pk}], "internal"),
            ([{"op": "remove", "path": "/master_count"}], "mandatory"),
            ([{"op": "add", "path": "/node_count", "value": 2}], "already set"),
            ([{"op": "add", "path": "/epoch", "value": 9}], "no attribute epoch"),
            ([{"op": "replace", "path": "/holder", "value": None}], "no attribute holder"),
            ([{"op": "move", "path": "/node_count", "from": "/master_count"}], "op"),
            ([{"op": "test", "path": "/node_count", "value": 1}], "op"),
            ([{"op": "replace", "path": "node_count", "value": 2}], "path"),
            ([{"op": "replace", "path": "/node_count"}], "value"),
            ([{"op": "replace", "path": "/node_count", "value": None}], "node_count"),
            ([{"op": "replace", "path": "/node_count", "value": -1}], "node_count"),
            ([{"op": "replace", "path": "/node_count", "value": {"a": 1}}], "node_count"),
            ([{"op": "replace", "path": "/node_count", "value": 251}], "node_count"),
            ([replace, 5], "object"),
        ):
            with self.subTest(patch=patch):
                self.refused(self.patch(f"/clusters/{bay.pk}", patch), 400, word)
        self.refused(self.patch(f"/clusters/{bay.pk}?rollback=perhaps", [replace]), 400, "rollback")
        self.assertEqual(self.rows(), before)

    def test_a_change_is_taken_back_where_it_fails_if_that_is_asked_for(self):
        for query, change in (("?rollback=true", {"rollback": {"node_count": 1}}), ("?rollback=False", {})):
            bay = self.a_bay()
            patch = [{"op": "replace", "path": "/node_count", "value": 2}]
            self.assertEqual(self.patch(f"/clusters/{bay.pk}{query}", patch).status_code, 202)
            bay.refresh_from_db()
            self.assertEqual((bay.node_count, bay.change), (2, change))

    def test_a_number_of_nodes_that_is_removed_is_the_default_again(self):
        for collection, _ in DIALECTS:
            bay = self.a_bay(node_count=3)
            patch = [{"op": "remove", "path": "/node_count"}]
            self.assertEqual(self.patch(f"/{collection}/{bay.pk}", patch).status_code, 202)
            bay.refresh_from_db()
            self.assertEqual((bay.node_count, bay.status), (1, "UPDATE_IN_PROGRESS"))

    def test_a_resize_of_the_default_group_by_its_name_is_one_of_the_bay(self):
        bay = self.a_bay()
        self.refused(self.post(f"/bays/{bay.pk}/actions/resize", {"node_count": 0}), 400, "node_count")
        self.refused(
            self.post(f"/bays/{bay.pk}/actions/resize", {"node_count": 2, "nodegroup": "blue"}), 404, "blue"
        )
        master = {"node_count": 3, "nodegroup": "default-master"}
        self.refused(self.post(f"/bays/{bay.pk}/actions/resize", master), 400, "master")
        body = {"node_count": 2, "nodegroup": "default-worker", "nodes_to_remove": None}
        self.assertEqual(self.post(f"/bays/{bay.pk}/actions/resize", body).status_code, 202)

    def test_nodes_to_remove_are_nodes_of_the_bay_and_are_handed_on_by_their_names(self):
        ids = [str(uuid.uuid4()) for _ in range(3)]
        nodes = [{"id": one, "name": str(n), "address": f"10.0.0.{n}"} for n, one in enumerate(ids)]
        bay = self.a_bay(node_count=3, nodes={"default-worker": nodes})
        before = self.rows()
        for remove, word in (
            ([str(uuid.uuid4())], "has no node"),
            (["0"], "has no node"),
            ([ids[0], "10.0.0.0"], "twice"),
            ("all", "nodes_to_remove"),
            ([None], "nodes_to_remove"),
            ([{}], "nodes_to_remove"),
        ):
            body: Any = {"node_count": 2, "nodes_to_remove": remove}
            with self.subTest(remove=remove):
                self.refused(self.post(f"/clusters/{bay.pk}/actions/resize", body), 400, word)
        self.assertEqual(self.rows(), before)
        body = {"node_count": 1, "nodes_to_remove": [ids[1], "10.0.0.2"]}
        self.assertEqual(self.post(f"/clusters/{bay.pk}/actions/resize", body).status_code, 202)
        row = Bay.objects.get()
        self.assertEqual((row.node_count, row.change), (1, {"remove": {"default-worker": ["1", "2"]}}))

    def test_a_number_of_nodes_outside_the_bounds_is_refused(self):
        bay = self.a_bay(node_count=3, min_node_count=2, max_node_count=4)
        before = self.rows()
        for count in (1, 5):
            detail = (
                "Resizing default-worker outside the allowed range: min_node_count = 2, max_node_count = 4."
            )
            self.refused(self.post(f"/clusters/{bay.pk}/actions/resize", {"node_count": count}), 400, detail)
            patch = [{"op": "replace", "path": "/node_count", "value": count}]
            self.refused(self.patch(f"/clusters/{bay.pk}", patch), 400, detail)
        self.assertEqual(self.rows(), before)

    def test_an_observer_may_say_how_healthy_a_bay_is(self):
        bay = self.a_bay()
        patch = [
            {"op": "replace", "path": "/health_status", "value": "UNHEALTHY"},
            {"op": "replace", "path": "/health_status_reason", "value": {"node1.Ready": "False"}},
        ]
        operations = Operation.objects.count()
        answer = self.patch(f"/clusters/{bay.pk}", patch)
        self.assertEqual((answer.status_code, answer.json()), (202, {"uuid": str(bay.pk)}))
        shown = self.get(f"/clusters/{bay.pk}").json()
        self.assertEqual((shown["health_status"], shown["status"]), ("UNHEALTHY", "CREATE_COMPLETE"))
        self.assertEqual(shown["health_status_reason"], {"node1.Ready": "False"})
        self.assertEqual(Operation.objects.count(), operations)
        wrong = [{"op": "replace", "path": "/health_status", "value": "FINE"}]
        self.refused(self.patch(f"/clusters/{bay.pk}", wrong), 400, "health_status")
        both = [*patch, {"op": "replace", "path": "/node_count", "value": 2}]
        self.assertEqual(self.patch(f"/clusters/{bay.pk}", both).status_code, 202)
        self.refused(self.patch(f"/clusters/{bay.pk}", patch), 409, "UPDATE_IN_PROGRESS")

    def test_a_bay_under_way_tells_its_progress_and_a_failed_one_what_to_do(self):
        bay = self.a_bay("UPDATE_IN_PROGRESS", node_count=3)
        told = self.get(f"/clusters/{bay.pk}").json()["progress"]
        self.assertEqual((told["nodes_done"], told["nodes"]), (None, 4))
        self.assertEqual(told["operation"], str(bay.operation_id))
        bay = self.a_bay("UPDATE_FAILED", name="two")
        Bay.objects.filter(pk=bay.pk).update(status_reason="nodes.1.boot (OS::Heat::TestResource): it broke")
        shown = self.get(f"/clusters/{bay.pk}").json()
        self.assertEqual((shown["progress"], shown["failure"]["code"]), (None, "resource-failed"))
        self.assertEqual(
            (shown["failure"]["resource"], shown["failure"]["resource_type"]),
            ("nodes.1.boot", "OS::Heat::TestResource"),
        )
        self.assertIn("ask for the update again", shown["failure"]["next"])
