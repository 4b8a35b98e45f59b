"""Upgrades: to which baymodel, what becomes of the bay and its groups, and what is refused."""

from __future__ import annotations

import uuid

from bays.models import Bay
from lifecycle.models import Operation
from tests import make
from tests.bays.test_nodegroups_api import NodeGroupCase


class UpgradeTests(NodeGroupCase):
    def setUp(self):
        super().setUp()
        self.newer = self.a_model(name="newer", image_id="image-2", labels={"a": "2", "kube_tag": "v1.31.0"})

    def upgrade(self, model, **over):
        ident = str(getattr(model, "pk", model))
        return self.post(f"/clusters/{self.bay.pk}/actions/upgrade", {"cluster_template": ident, **over})

    def test_a_bay_is_upgraded_to_another_baymodel(self):
        Bay.objects.update(labels={"a": "1", "own": "x"})
        answer = self.upgrade(self.newer, max_batch_size=2)
        self.assertEqual((answer.status_code, answer.json()), (202, {"uuid": str(self.bay.pk)}))
        bay = self.now()
        self.assertEqual((bay.status, bay.baymodel_id), ("UPDATE_IN_PROGRESS", self.newer.pk))
        self.assertEqual(bay.labels, {"a": "2", "own": "x", "kube_tag": "v1.31.0"})
        self.assertEqual(bay.change, {"max_batch_size": 2})
        operation = Operation.objects.get(pk=bay.operation_id or uuid.UUID(int=0))
        self.assertEqual((operation.action, operation.params["max_batch_size"]), ("upgrade", 2))
        self.refused(self.delete(f"/clustertemplates/{self.newer.pk}"), 409, "referenced")

    def test_what_it_cannot_be_upgraded_to_is_refused(self):
        hidden = self.a_model(name="hidden", project_id=self.red.pk)
        older = self.a_model(name="older", labels={"kube_tag": "v1.30.9"})
        Bay.objects.update(labels={"kube_tag": "v1.31.0"})
        other = self.a_model(name="other", coe="other")
        bm = self.a_model(name="bm", server_type="bm")
        before = self.rows()
        for model, status, word in (
            (uuid.uuid4(), 404, "could not be found"),
            (hidden, 404, "could not be found"),
            (other, 409, "coe"),
            (bm, 409, "server_type"),
            (older, 409, "cannot go back from v1.31.0 to v1.30.9"),
        ):
            with self.subTest(word=word):
                self.refused(self.upgrade(model), status, word)
        for over in ({"max_batch_size": 0}, {"max_batch_size": "x"}, {"nodegroup": 5}, {"x": 1}):
            self.refused(self.upgrade(self.newer, **over), 400)
        self.refused(self.upgrade(self.newer, nodegroup="none"), 404, "none")
        self.refused(self.post(f"/clusters/{self.bay.pk}/actions/upgrade", {}), 400, "cluster_template")
        self.assertEqual(self.rows(), before)
        header = {"OpenStack-API-Version": "container-infra 1.7"}
        answer = self.post(f"/clusters/{self.bay.pk}/actions/upgrade", {}, **header)
        self.refused(answer, 406, "from 1.8 on")

    def test_a_further_group_follows_its_bay(self):
        row = make.nodegroup(self.bay, image_id="image-1", labels={"own": "x"})
        self.refused(self.upgrade(self.newer, nodegroup="blue"), 409, "only to match its bay's baymodel")
        self.upgrade(self.newer)
        self.rest()
        row.refresh_from_db()
        self.assertEqual(row.image_id, "image-1")
        self.assertEqual(self.upgrade(self.newer, nodegroup="blue", max_batch_size=3).status_code, 202)
        row.refresh_from_db()
        self.assertEqual((row.image_id, row.status), ("image-2", "UPDATE_IN_PROGRESS"))
        self.assertEqual(row.labels, {"own": "x", "a": "2", "kube_tag": "v1.31.0"})
        self.assertEqual(self.now().change, {"max_batch_size": 3})
