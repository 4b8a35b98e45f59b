"""Node groups, upgrades and removed nodes in a real Heat: the step hands them on, and tells what came of it."""

from __future__ import annotations

import time
from typing import Any

from bays import actions, changing, grouping
from bays.groups import find_group
from bays.models import NodeGroup
from bays.states import Status
from tests import make
from tests.bays.stepping import StepCase
from tests.clouds import PATIENCE


class NodeGroupStepTests(StepCase):
    def resized(self, count: int, group: str = "default-worker", remove: Any = ()) -> None:
        found = find_group(self.bay, group)
        grouping.resize_group(make.caller(), "", found, count, sent={"node_count": count}, remove=remove)

    def grouped(self, **values: Any) -> NodeGroup:
        group = {"name": "blue", "labels": {"boot_seconds": "0"}, **values}
        grouping.create_group(make.caller(), "", self.bay, group)
        return NodeGroup.objects.get(name=group["name"])

    def finished(self, status: str = Status.UPDATE_COMPLETE) -> Any:
        """Take steps until the bay is at rest; an update waits while another that failed is still ending."""
        end = time.monotonic() + PATIENCE
        while (bay := self.settle()).status == Status.UPDATE_IN_PROGRESS:
            self.assertLess(time.monotonic(), end, bay.status_reason)
        self.assertEqual(bay.status, status, bay.status_reason)
        return bay

    def ids(self, group: str = "default-worker") -> list[str]:
        return [node["id"] for node in self.bay.nodes[group]]

    def test_exactly_the_named_nodes_are_removed(self):
        self.created(node_count=4)
        before = self.ids()
        self.assertEqual((len(before), len(set(before))), (4, 4))
        gone = self.bay.nodes["default-worker"][2]
        self.resized(2, remove=[before[0], gone["address"]])
        self.step()
        self.step()  # as whoever takes over would
        bay = self.settle() or self.bay
        self.assertEqual(bay.status, Status.UPDATE_COMPLETE)
        self.assertEqual(self.ids(), [before[1], before[3]])
        self.assertEqual((bay.change, len(bay.node_addresses)), ({}, 2))
        self.resized(3)
        self.finished()
        after = self.ids()
        self.assertEqual((after[:2], len(after)), ([before[1], before[3]], 3))
        self.assertNotIn(after[2], before)

    def test_a_group_is_made_resized_and_removed_and_other_nodes_stay(self):
        self.created(node_count=1)
        workers = self.ids()
        self.grouped(node_count=2)
        bay = self.finished()
        self.assertEqual(NodeGroup.objects.get().status, Status.CREATE_COMPLETE)
        self.assertEqual((len(self.ids("blue")), self.ids(), len(bay.node_addresses)), (2, workers, 3))
        blue = self.ids("blue")
        self.resized(1, "blue", [blue[0]])
        self.finished()
        self.assertEqual((self.ids("blue"), self.ids()), ([blue[1]], workers))
        self.assertEqual(NodeGroup.objects.get().status, Status.UPDATE_COMPLETE)
        grouping.delete_group(make.caller(), "", find_group(self.bay, "blue"))
        bay = self.finished()
        self.assertEqual((NodeGroup.objects.count(), list(bay.nodes)), (0, ["default-worker"]))
        self.assertEqual((self.ids(), len(bay.node_addresses)), (workers, 1))

    def test_a_group_that_fails_says_so_and_is_mended_by_the_next_update(self):
        self.created()
        self.grouped(node_count=1, labels={"boot_seconds": "0", "fail_node": "0"})
        bay = self.finished(Status.UPDATE_FAILED)
        group = NodeGroup.objects.get()
        self.assertEqual((group.status, group.status_reason), (Status.CREATE_FAILED, bay.status_reason))
        self.assertIn("Test Resource failed", group.status_reason)
        NodeGroup.objects.update(labels={"boot_seconds": "0"})
        self.resized(0)
        self.finished()
        self.assertEqual(NodeGroup.objects.get().status, Status.CREATE_COMPLETE)

    def test_an_upgrade_changes_each_node_and_replaces_none(self):
        bay = self.created(node_count=2)
        before = self.ids()
        model = make.baymodel(
            name="newer", image_id="image-2", labels={"kube_tag": "v2", "boot_seconds": "0"}
        )
        ident = str(model.pk)
        changing.upgrade(make.caller(), "", self.bay, ident, max_batch_size=1, sent={})
        bay = self.finished()
        self.assertEqual((bay.baymodel_id, self.ids()), (model.pk, before))
        self.assertEqual(self.heat.show(bay.stack_id).parameters["release"], "image-2 v2")

    def test_a_bay_that_goes_takes_its_groups_along(self):
        self.created()
        self.grouped(node_count=1)
        self.step()
        actions.delete(make.caller(), "", self.bay)
        self.step()
        self.assertIsNone(self.settle())
        self.assertEqual((NodeGroup.objects.count(), self.live()), (0, []))
