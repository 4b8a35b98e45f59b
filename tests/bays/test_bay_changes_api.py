"""PATCH, resize and DELETE of bays: what is accepted, and what is refused with which words."""

from __future__ import annotations

import uuid

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
            ([{"op": "remove", "path": "/node_count"}], "mandatory"),
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
        query = f"/clusters/{bay.pk}?rollback=true"
        self.refused(self.patch(query, [replace]), 400, "rollback")
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.patch(f"/clusters/{bay.pk}?rollback=False", [replace]).status_code, 202)

    def test_a_resize_offers_one_node_group_and_chooses_the_nodes(self):
        bay = self.a_bay()
        for over, word in (
            ({"nodegroup": "blue"}, "default-worker"),
            ({"nodes_to_remove": ["x"]}, "chooses"),
        ):
            answer = self.post(f"/clusters/{bay.pk}/actions/resize", {"node_count": 2, **over})
            self.refused(answer, 400, word)
        self.refused(self.post(f"/bays/{bay.pk}/actions/resize", {"node_count": 0}), 400, "node_count")
        body = {"node_count": 2, "nodegroup": "default-worker", "nodes_to_remove": None}
        self.assertEqual(self.post(f"/bays/{bay.pk}/actions/resize", body).status_code, 202)
