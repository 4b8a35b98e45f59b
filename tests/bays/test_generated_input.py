"""Generated JSON at each POST and PATCH: a 2xx, or a 4xx in the right shape that has written nothing."""

from __future__ import annotations

from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from bays.models import Bay, BayModel
from bays.serializers import MODEL_FIELDS
from tests import make
from tests.bays.base import BayCase

NAMES = (
    *("name", "cluster_template_id", "baymodel_id", "keypair", "node_count", "master_count", "labels"),
    *("create_timeout", "bay_create_timeout", "discovery_url", "flavor_id", "docker_volume_size"),
    *(
        "merge_labels",
        "nodes_to_remove",
        "nodegroup",
        "status",
        "project_id",
        "floating_ip_enabled",
        *MODEL_FIELDS,
    ),
)
WORDS = (
    "",
    "demo",
    "vm",
    "true",
    "False",
    "1",
    "small",
    "a\x00b",
    "\ud800",
    "\u202e",
    "1e3",
    "flannel",
    "cinder",
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-5, 300)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=20)
)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
bodies = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), documents, max_size=6)
paths = st.sampled_from(NAMES).map(lambda name: f"/{name}") | st.text(max_size=12) | documents
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "replace", "remove", "move", "test"]) | documents, "path": paths},
    optional={"value": documents, "from": paths},
)
patches = st.lists(operations | documents, max_size=4)
budget = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


class GeneratedInputTests(HypothesisTestCase, BayCase):
    model: BayModel
    bay: Bay

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        owner = {"project_id": cls.blue.pk, "user_id": cls.bob.pk}
        cls.model = make.baymodel(labels={"a": "1"}, **owner)
        cls.bay = make.bay("CREATE_COMPLETE", model=cls.model, **owner)

    def throw(self, method, path, body):
        """Ask, check, and take back what was accepted."""
        self.client.raise_request_exception = False  # a fault of ours is to be seen as its 500
        before = self.rows()
        with transaction.atomic():
            answer = self.ask(method, path, body)
            if answer.status_code >= 300:
                self.assertIn(answer.status_code, {400, 403, 404, 409}, (body, answer.content))
                self.refused(answer, answer.status_code)
                self.assertEqual(self.rows(), before, body)
            transaction.set_rollback(True)

    @budget
    @given(bodies)
    def test_new_bays(self, body):
        self.throw("POST", "/clusters", body)
        self.throw("POST", "/clusters", {**body, "cluster_template_id": str(self.model.pk)})
        self.throw("POST", "/bays", {**body, "baymodel_id": "small"})

    @budget
    @given(bodies)
    def test_new_baymodels(self, body):
        self.throw("POST", "/clustertemplates", body)
        self.throw("POST", "/baymodels", {**body, "coe": "demo", "image_id": "i"})

    @budget
    @given(bodies, documents)
    def test_resizes(self, body, count):
        self.throw("POST", f"/clusters/{self.bay.pk}/actions/resize", {**body, "node_count": count})
        self.throw("POST", f"/bays/{self.bay.pk}/actions/resize", {"node_count": count})

    @budget
    @given(patches | documents)
    def test_patches(self, patch):
        for path in (f"/clusters/{self.bay.pk}", f"/baymodels/{self.model.pk}"):
            self.throw("PATCH", path, patch)

    @budget
    @given(st.sampled_from(MODEL_FIELDS), documents)
    def test_replaced_attributes(self, name, value):
        self.throw(
            "PATCH",
            f"/clustertemplates/{self.model.pk}",
            [{"op": "replace", "path": f"/{name}", "value": value}],
        )
        self.throw(
            "PATCH", f"/bays/{self.bay.pk}", [{"op": "replace", "path": "/node_count", "value": value}]
        )
