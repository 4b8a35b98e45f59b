"""Generated JSON at each POST and PUT: a 2xx, or a 4xx in Cinder's shape that has written nothing."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from tests import make
from tests.volumes.base import VolumesCase
from volumes.models import Snapshot, Volume
from volumes.views.snapshots import ACTIONS as SNAPSHOT_ACTIONS
from volumes.views.volume_actions import ACTIONS as VOLUME_ACTIONS

NAMES = (
    *(
        "size",
        "name",
        "description",
        "metadata",
        "volume_type",
        "availability_zone",
        "snapshot_id",
        "volume_id",
    ),
    *("source_volid", "imageRef", "backup_id", "multiattach", "OS-SCH-HNT:scheduler_hints", "force"),
    *(
        "new_size",
        "new_type",
        "migration_policy",
        "readonly",
        "bootable",
        "status",
        "attach_status",
        "progress",
    ),
    *("migration_status", "reason", "same_host", "different_host", "status", "project_id"),
)
WORDS = (
    "",
    "nova",
    "__DEFAULT__",
    "true",
    "False",
    "1",
    "error",
    "available",
    "none",
    "a\x00b",
    "\ud800",
    "1e3",
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
budget = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


class GeneratedInputTests(HypothesisTestCase, VolumesCase):
    volume: Volume
    snapshot: Snapshot

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        owner: dict[str, Any] = {"project_id": cls.blue.pk, "user_id": cls.bob.pk}
        cls.volume = make.volume(**owner)
        cls.snapshot = make.snapshot(make.volume(**owner))

    def throw(self, method, path, body):
        """Ask as an admin, who gets furthest; check; and take back what was accepted."""
        self.client.raise_request_exception = False  # a fault of ours is to be seen as its 500
        before = self.rows()
        with transaction.atomic():
            answer = self.ask(method, path, body, by="alice")
            if answer.status_code >= 300:
                self.assertIn(answer.status_code, {400, 403, 404, 409, 413}, (body, answer.content))
                self.refused(answer, answer.status_code)
                self.assertEqual(self.rows(), before, body)
            transaction.set_rollback(True)

    @budget
    @given(bodies, documents)
    def test_new_volumes(self, body, hints):
        self.throw("POST", "/volumes", {"volume": body})
        self.throw("POST", "/volumes", {"volume": {**body, "size": 1}, "OS-SCH-HNT:scheduler_hints": hints})
        self.throw("POST", "/volumes", {"volume": {"size": 1}, "scheduler_hints": body})

    @budget
    @given(bodies)
    def test_new_snapshots(self, body):
        self.throw("POST", "/snapshots", {"snapshot": body})
        self.throw("POST", "/snapshots", {"snapshot": {**body, "volume_id": str(self.volume.pk)}})

    @budget
    @given(bodies, documents)
    def test_changes(self, body, document):
        for kind, row in (("volume", self.volume), ("snapshot", self.snapshot)):
            path = f"/{kind}s/{row.pk}"
            self.throw("PUT", path, {kind: body})
            self.throw("PUT", path, document)
            for method in ("POST", "PUT"):
                self.throw(method, f"{path}/metadata", {"metadata": document})
            self.throw("PUT", f"{path}/metadata/k", {"meta": {"k": document}})

    @budget
    @given(st.sampled_from(sorted(VOLUME_ACTIONS)), bodies | documents)
    def test_actions_on_volumes(self, name, body):
        if VOLUME_ACTIONS[name].finish is None:  # those that wait for a worker have tests of their own
            self.throw("POST", f"/volumes/{self.volume.pk}/action", {name: body})

    @budget
    @given(st.sampled_from(sorted(SNAPSHOT_ACTIONS)), bodies | documents)
    def test_actions_on_snapshots(self, name, body):
        self.throw("POST", f"/snapshots/{self.snapshot.pk}/action", {name: body})

    @budget
    @given(
        st.sampled_from(("os-extend", "os-set_bootable", "os-reset_status", "os-retype", "revert")), bodies
    )
    def test_bodies_that_are_nearly_right(self, name, body):
        good = {"new_size": 2, "bootable": True, "status": "error", "new_type": "__DEFAULT__"}
        self.throw("POST", f"/volumes/{self.volume.pk}/action", {name: {**good, **body}})
        self.throw("POST", f"/volumes/{self.volume.pk}/action", {name: {**body, **good}})
