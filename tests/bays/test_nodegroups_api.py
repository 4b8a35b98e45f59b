"""Node groups: shown, made, bounded, resized, upgraded, removed; every change is one of the bay's."""

from __future__ import annotations

import uuid

from bays.grouping import MOST_GROUPS
from bays.models import Bay, NodeGroup
from bays.states import BAY
from bays.tasks import ENDS
from lifecycle.models import Operation
from tests import make
from tests.bays.base import BayCase

SUMMARY = {
    *("uuid", "name", "flavor_id", "node_count", "role", "is_default", "image_id", "status", "stack_id"),
    *("min_node_count", "max_node_count"),
}
DETAIL = SUMMARY | {
    *("cluster_id", "project_id", "docker_volume_size", "labels", "node_addresses"),
    *("status_reason", "version", "created_at", "updated_at", "links"),
    *("labels_overridden", "labels_added", "labels_skipped", "nodes"),
}
ADDRESS = "https://10.0.0.1:6443"


class NodeGroupCase(BayCase):
    def headers(self, user, project=None, **more):
        return super().headers(user, project, **{"OpenStack-API-Version": "container-infra latest", **more})

    def setUp(self):
        self.model = self.a_model(labels={"a": "1"}, image_id="image-1", flavor_id="small")
        self.bay = self.a_bay(
            model=self.model, api_address=ADDRESS, node_count=2, labels={"a": "1"}, flavor_id="small"
        )
        self.path = f"/clusters/{self.bay.pk}/nodegroups"

    def now(self):
        return Bay.objects.get(pk=self.bay.pk)

    def rest(self, event="updated", status="UPDATE_COMPLETE"):
        """Put the bay at rest, as the end of its step would."""
        Bay.objects.filter(pk=self.bay.pk).update(status=status, operation=None, deadline_at=None, change={})
        Operation.objects.update(state="COMPLETE", finished_at=self.bay.created_at)
        ENDS[event](self.bay, self.now())


class ReadTests(NodeGroupCase):
    def test_every_bay_has_its_two_default_groups(self):
        listed = self.get(self.path).json()["nodegroups"]
        self.assertEqual([group["name"] for group in listed], ["default-master", "default-worker"])
        self.assertEqual([set(group) for group in listed], [SUMMARY, SUMMARY])
        for group in listed:
            self.assertTrue(group["is_default"])
            for ident in (group["uuid"], group["name"], group["uuid"].replace("-", "")):
                shown = self.get(f"{self.path}/{ident}").json()
                self.assertEqual(set(shown), DETAIL)
                self.assertEqual({key: shown[key] for key in SUMMARY}, group)
        worker = self.get(f"/clusters/{self.bay.name}/nodegroups/default-worker").json()
        self.assertEqual(
            (worker["role"], worker["node_count"], worker["min_node_count"], worker["max_node_count"]),
            ("worker", 2, 0, None),
        )
        self.assertEqual((worker["cluster_id"], worker["image_id"]), (str(self.bay.pk), "image-1"))

    def test_lists_are_narrowed_by_role_and_come_in_pages(self):
        for name in ("blue", "green", "red"):
            make.nodegroup(self.bay, name=name, role="gpu" if name == "green" else "worker")
        self.assertEqual(
            [g["name"] for g in self.get(f"{self.path}?role=gpu").json()["nodegroups"]], ["green"]
        )
        seen, path = [], f"/container-infra/v1{self.path}?limit=2&sort_key=name&sort_dir=desc"
        while path:
            page = self.get(path).json()
            seen += [group["name"] for group in page["nodegroups"]]
            path = page.get("next", "").removeprefix("http://testserver")
        self.assertEqual(seen, ["red", "green", "default-worker", "default-master", "blue"])
        self.refused(self.get(f"{self.path}?marker={uuid.uuid4()}"), 404, "marker")

    def test_it_sorts_by_whatever_it_shows_but_labels_and_addresses(self):
        make.nodegroup(self.bay, name="blue", max_node_count=9, docker_volume_size=2, role="gpu")
        unsorted = {"links", "labels", "labels_overridden", "labels_added", "labels_skipped", "nodes"}
        for key in DETAIL - unsorted - {"node_addresses", "version"}:
            for direction in ("asc", "desc"):
                answer = self.get(f"{self.path}?sort_key={key}&sort_dir={direction}")
                self.assertEqual(answer.status_code, 200, key)
                self.assertEqual(len(answer.json()["nodegroups"]), 3, key)
        for direction in ("asc", "desc"):  # what has none comes last
            path = f"{self.path}?limit=1&sort_key=max_node_count&sort_dir={direction}"
            self.assertEqual([row["name"] for row in self.get(path).json()["nodegroups"]], ["blue"])

    def test_the_bay_counts_the_nodes_of_all_groups_of_workers(self):
        make.nodegroup(self.bay, node_count=5)
        self.assertEqual(self.get(f"/clusters/{self.bay.pk}").json()["node_count"], 7)
        for path in ("/clusters", "/clusters/detail"):
            self.assertEqual(self.get(path).json()["clusters"][0]["node_count"], 7)

    def test_older_versions_do_not_know_of_groups(self):
        for version in ("1.1", "1.8"):
            header = {"OpenStack-API-Version": f"container-infra {version}"}
            self.refused(self.get(self.path, **header), 406, "from 1.9 on")

    def test_other_projects_see_none(self):
        group = make.nodegroup(self.bay)
        for method, path, body in (
            ("GET", self.path, None),
            ("POST", self.path, {"name": "green"}),
            ("GET", f"{self.path}/{group.pk}", None),
            ("PATCH", f"{self.path}/{group.pk}", [{"op": "replace", "path": "/max_node_count", "value": 9}]),
            ("DELETE", f"{self.path}/{group.pk}", None),
        ):
            self.refused(self.ask(method, path, body, user="erin"), 404, str(self.bay.pk))

    def test_a_group_of_another_bay_is_not_found(self):
        other = self.a_bay(model=self.model, name="other")
        group = make.nodegroup(other)
        self.refused(self.get(f"{self.path}/{group.pk}"), 404)
        self.refused(self.get(f"{self.path}/{uuid.uuid5(other.pk, 'default-worker')}"), 404)


class CreateTests(NodeGroupCase):
    def test_it_is_accepted_with_an_update_of_the_bay(self):
        body = {"name": "blue", "node_count": 3, "max_node_count": 5, "role": "gpu", "labels": {"b": 2}}
        answer = self.post(self.path, body)
        self.assertEqual(answer.status_code, 202, answer.content)
        shown = answer.json()
        self.assertEqual(set(shown), DETAIL)
        self.assertEqual(
            (shown["status"], shown["node_count"], shown["role"], shown["labels"], shown["image_id"]),
            ("CREATE_IN_PROGRESS", 3, "gpu", {"b": "2"}, "image-1"),
        )
        self.assertEqual((shown["labels_added"], shown["labels_skipped"]), ({"b": "2"}, {"a": "1"}))
        self.assertEqual(answer["Location"], shown["links"][0]["href"])
        bay = self.now()
        self.assertEqual(bay.status, "UPDATE_IN_PROGRESS")
        operation = Operation.objects.get(pk=bay.operation_id or uuid.UUID(int=0))
        self.assertEqual((operation.action, operation.params["nodegroup"]), ("update", "blue"))
        self.rest()
        self.assertEqual(self.get(f"{self.path}/blue").json()["status"], "CREATE_COMPLETE")

    def test_what_is_left_out_is_as_in_the_bay(self):
        shown = self.post(self.path, {"name": "blue"}).json()
        self.assertEqual(
            (shown["node_count"], shown["min_node_count"], shown["max_node_count"], shown["role"]),
            (1, 0, None, "worker"),
        )
        self.assertEqual((shown["labels"], shown["flavor_id"]), ({"a": "1"}, "small"))
        self.rest()
        body = {"name": "green", "labels": {"b": "2"}, "merge_labels": True}
        self.assertEqual(self.post(self.path, body).json()["labels"], {"a": "1", "b": "2"})

    def test_what_cannot_be_is_refused_and_nothing_is_written(self):
        make.nodegroup(self.bay, name="blue")
        before = self.rows()
        for body, status, word in (
            ({"name": "blue"}, 409, "already"),
            ({"name": "default-worker"}, 409, "already"),
            ({"name": "g", "role": "master"}, 400, "master"),
            ({"name": "g", "node_count": 5, "max_node_count": 4}, 409, "max_node_count"),
            ({"name": "g", "node_count": 1, "min_node_count": 2}, 409, "min_node_count"),
            ({"name": "g", "min_node_count": 3, "max_node_count": 2}, 409, "max_node_count"),
            ({"name": "g", "node_count": 251}, 400, "node_count"),
            ({"name": "g", "labels": {"boot_seconds": "x"}}, 400, "boot_seconds"),
            ({"name": "a/b"}, 400, "name"),
            ({"name": "a\nb"}, 400, "name"),
            ({"name": ""}, 400, "name"),
            ({}, 400, "name"),
            ({"name": "g", "status": "CREATE_COMPLETE"}, 400, "Unknown"),
            ({"name": "g", "bay": str(self.bay.pk)}, 400, "Unknown"),
            ({"name": "g", "node_count": -1}, 400, "node_count"),
        ):
            with self.subTest(body=body):
                self.refused(self.post(self.path, body), status, word)
        self.assertEqual(self.rows(), before)
        Bay.objects.update(api_address=None)
        self.refused(self.post(self.path, {"name": "green"}), 409, "address is not available")

    def test_a_bay_has_no_more_groups_than_it_may(self):
        for number in range(MOST_GROUPS - 2):
            make.nodegroup(self.bay, name=f"g{number}")
        self.refused(self.post(self.path, {"name": "green"}), 409, "may have no more")

    def test_the_bays_status_must_allow_an_update(self):
        for status in set(BAY.statuses) - BAY.requests["update"].sources:
            bay = self.a_bay(status, model=self.model, api_address=ADDRESS, name="b")
            group = make.nodegroup(bay, name="mine")
            path = f"/clusters/{bay.pk}/nodegroups"
            before = self.rows()
            for answer in (
                self.post(path, {"name": "green"}),
                self.delete(f"{path}/{group.pk}"),
                self.patch(f"{path}/{group.pk}", [{"op": "replace", "path": "/max_node_count", "value": 9}]),
                self.post(f"/clusters/{bay.pk}/actions/resize", {"node_count": 2, "nodegroup": "mine"}),
                self.post(
                    f"/clusters/{bay.pk}/actions/upgrade",
                    {"cluster_template": str(self.model.pk), "nodegroup": "mine"},
                ),
            ):
                self.refused(answer, 409, f"whose status is {status}")
            self.assertEqual(self.rows(), before)


class ChangeTests(NodeGroupCase):
    def bounds(self, ident, patch, **kwargs):
        return self.patch(f"{self.path}/{ident}", patch, **kwargs)

    def test_bounds_are_changed_at_once_and_no_node_moves(self):
        make.nodegroup(self.bay, node_count=3)
        for ident, count in (("default-worker", 2), ("blue", 3)):
            patch = [
                {"op": "replace", "path": "/max_node_count", "value": 6},
                {"op": "replace", "path": "/min_node_count", "value": count},
            ]
            answer = self.bounds(ident, patch)
            self.assertEqual(answer.status_code, 202, answer.content)
            shown = self.get(f"{self.path}/{ident}").json()
            self.assertEqual((shown["min_node_count"], shown["max_node_count"]), (count, 6))
            self.assertEqual(self.now().status, "CREATE_COMPLETE")
            body = {"node_count": 7, "nodegroup": ident}
            self.refused(self.post(f"/clusters/{self.bay.pk}/actions/resize", body), 400, "allowed range")
            self.assertEqual(
                self.bounds(ident, [{"op": "remove", "path": "/max_node_count"}]).status_code, 202
            )
            self.assertIsNone(self.get(f"{self.path}/{ident}").json()["max_node_count"])

    def test_no_other_attribute_changes(self):
        make.nodegroup(self.bay, node_count=3)
        before = self.rows()
        replace = {"op": "replace", "path": "/max_node_count", "value": 6}
        for patch, status in (
            ([], 400),
            ({}, 400),
            ([{"op": "replace", "path": "/node_count", "value": 6}], 400),
            ([{"op": "replace", "path": "/name", "value": "x"}], 400),
            ([{"op": "replace", "path": "/status", "value": "CREATE_COMPLETE"}], 400),
            ([replace, {"op": "replace", "path": "/labels/a", "value": "x"}], 400),
            ([{**replace, "value": "x"}], 400),
            ([{**replace, "value": 0}], 400),
            ([{**replace, "value": 1}], 409),
            ([{**replace, "path": "/min_node_count", "value": 4}], 409),
        ):
            for ident in ("blue", "default-worker"):
                with self.subTest(patch=patch, ident=ident):
                    self.refused(self.bounds(ident, patch), status)
        self.refused(self.bounds("default-master", [replace]), 400, "master")
        self.assertEqual(self.rows(), before)

    def test_one_group_is_resized_and_the_others_stay(self):
        row = make.nodegroup(self.bay, node_count=3)
        nodes = [{"id": str(uuid.uuid4()), "name": str(n), "address": f"10.9.0.{n}"} for n in range(3)]
        Bay.objects.update(nodes={"blue": nodes, "default-worker": []})
        body = {"node_count": 2, "nodegroup": "blue", "nodes_to_remove": [nodes[1]["id"]]}
        answer = self.post(f"/clusters/{self.bay.pk}/actions/resize", body)
        self.assertEqual((answer.status_code, answer.json()), (202, {"uuid": str(self.bay.pk)}))
        row.refresh_from_db()
        self.assertEqual((row.status, row.node_count, self.now().node_count), ("UPDATE_IN_PROGRESS", 2, 2))
        self.assertEqual(self.now().change, {"remove": {"blue": ["1"]}})
        self.rest("update_failed", "UPDATE_FAILED")
        row.refresh_from_db()
        self.assertEqual(row.status, "UPDATE_FAILED")
        body = {"node_count": 1, "nodegroup": "default-worker", "nodes_to_remove": [nodes[1]["id"]]}
        self.refused(self.post(f"/clusters/{self.bay.pk}/actions/resize", body), 400, "has no node")

    def test_a_delete_ends_with_the_update_and_the_defaults_stay(self):
        row = make.nodegroup(self.bay)
        for ident in ("default-worker", "default-master"):
            self.refused(self.delete(f"{self.path}/{ident}"), 400, "default")
        self.assertEqual(self.delete(f"{self.path}/blue").status_code, 204)
        row.refresh_from_db()
        self.assertEqual((row.status, self.now().status), ("DELETE_IN_PROGRESS", "UPDATE_IN_PROGRESS"))
        self.rest("update_failed", "UPDATE_FAILED")
        self.assertEqual(self.get(f"{self.path}/blue").json()["status"], "DELETE_FAILED")
        resize = {"node_count": 3, "nodegroup": "blue"}
        self.refused(self.post(f"/clusters/{self.bay.pk}/actions/resize", resize), 409, "being removed")
        self.assertEqual(self.delete(f"{self.path}/blue").status_code, 204)
        self.rest()
        self.refused(self.get(f"{self.path}/blue"), 404)

    def test_all_groups_go_with_their_bay(self):
        make.nodegroup(self.bay)
        self.delete(f"/clusters/{self.bay.pk}")
        self.assertEqual(self.get(f"{self.path}/blue").json()["status"], "DELETE_IN_PROGRESS")
        ENDS["deleted"](self.bay, self.bay)
        self.assertEqual(NodeGroup.objects.count(), 0)

    def test_if_match_is_heeded(self):
        make.nodegroup(self.bay)
        for ident in ("blue", "default-worker"):
            tag = self.get(f"{self.path}/{ident}")["ETag"]
            patch = [{"op": "replace", "path": "/max_node_count", "value": 6}]
            self.assertEqual(self.bounds(ident, patch, **{"If-Match": tag}).status_code, 202)
            patch[0]["value"] = 7
            self.refused(self.bounds(ident, patch, **{"If-Match": tag}), 412)
        tag = '"old"'
        self.refused(self.delete(f"{self.path}/blue", **{"If-Match": tag}), 412)
        self.assertEqual(self.now().status, "CREATE_COMPLETE")
        tag = self.get(f"{self.path}/blue")["ETag"]
        self.assertEqual(self.delete(f"{self.path}/blue", **{"If-Match": tag}).status_code, 204)

    def test_a_create_is_carried_out_once_per_key(self):
        key = {"Idempotency-Key": "k1"}
        answers = [self.post(self.path, {"name": "blue"}, **key) for _ in range(2)]
        self.assertEqual([answer.status_code for answer in answers], [202, 202])
        self.assertEqual(answers[0].json(), answers[1].json())
        self.assertEqual(NodeGroup.objects.count(), 1)
