"""The API of bays as its users meet it: alice administers, bob is a member, carol reads; erin is of another project."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from bays.models import Bay, BayModel, NodeGroup, Quota
from identity.models import Assignment, Role, User
from lifecycle.models import Event, Operation
from tests import make
from tests.identity.base import DoorCase

BASE = "/container-infra/v1"
HEADER, LATEST = "OpenStack-API-Version", "container-infra latest"
DIALECTS = (("clusters", "clustertemplates"), ("bays", "baymodels"))
TRANSACTION_WORDS = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")


@override_settings(ROOT_URLCONF="project.urls")
class BayCase(DoorCase):
    """Two projects, blue and red, and what is asked of the API in the name of one of the users."""

    erin: User

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.erin = User.objects.create(username="erin", password=cls.alice.password)
        Assignment.objects.create(user=cls.erin, project=cls.red, role=Role.MEMBER)

    def headers(self, user, project=None, **more):
        """Return a request's headers, in the newest microversion; None is no header."""
        more = {HEADER: LATEST, **more}
        more = {name: value for name, value in more.items() if value is not None}
        if user is None:
            return more
        return self.as_user(user, project or (self.red if user == self.erin else self.blue), **more)

    def ask(self, method, path, body=None, *, user="bob", **headers):
        """Return the answer to a request of this user, by name; None is nobody."""
        who = getattr(self, user) if user else None
        path = path if path.startswith("/container-infra") else f"{BASE}{path}"
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(
            method, path, raw, content_type="application/json", headers=self.headers(who, **headers)
        )

    def get(self, path, **kwargs):
        return self.ask("GET", path, **kwargs)

    def post(self, path, body, **kwargs):
        return self.ask("POST", path, body, **kwargs)

    def patch(self, path, body, **kwargs):
        return self.ask("PATCH", path, body, **kwargs)

    def delete(self, path, **kwargs):
        return self.ask("DELETE", path, **kwargs)

    def a_model(self, **over) -> BayModel:
        return make.baymodel(**{"project_id": self.blue.pk, "user_id": self.bob.pk, **over})

    def a_bay(self, status="CREATE_COMPLETE", **over) -> Bay:
        model = over.pop("model", None) or self.a_model()
        return make.bay(status, model=model, **{"project_id": self.blue.pk, "user_id": self.bob.pk, **over})

    def refused(self, answer, status, *parts) -> str:
        """Check that the answer is an error in the service's own shape and return its text."""
        self.assertEqual(answer.status_code, status, answer.content[:500])
        (error,) = answer.json()["errors"]
        needed = {"status", "code", "title", "detail", "links", "request_id"}
        self.assertLessEqual(needed, set(error))
        self.assertEqual(error["status"], status)
        self.assertEqual(error["request_id"], answer["x-openstack-request-id"])
        for part in parts:
            self.assertIn(part, error["detail"])
        return str(error["detail"])

    def rows(self) -> dict[str, Any]:
        """Return what a refused request must leave as it was."""
        return {
            "bays": list(
                Bay.objects.order_by("pk").values("pk", "status", "node_count", "operation", "epoch")
            ),
            "groups": list(NodeGroup.objects.order_by("pk").values()),
            "models": list(BayModel.objects.order_by("pk").values()),
            "quotas": list(Quota.objects.order_by("pk").values()),
            "operations": Operation.objects.count(),
            "events": Event.objects.count(),
        }


class Statements(CaptureQueriesContext):
    """The statements of a block; those that only open and close transactions are counted apart."""

    def __init__(self) -> None:
        super().__init__(connection)

    @property
    def work(self) -> list[str]:
        return [q["sql"] for q in self.captured_queries if not q["sql"].startswith(TRANSACTION_WORDS)]

    @property
    def marks(self) -> list[str]:
        return [q["sql"] for q in self.captured_queries if q["sql"].startswith(TRANSACTION_WORDS)]
