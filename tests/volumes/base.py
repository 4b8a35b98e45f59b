"""The API of volumes as its users meet it.

alice administers, bob is a member, carol reads; eve is of another project.
"""

from __future__ import annotations

import json
from typing import Any

from django.test import override_settings

from identity.models import Assignment, Role, User
from lifecycle.models import Event, Operation
from tests import make
from tests.identity.base import DoorCase
from volumes.models import Attachment, Message, Pool, Quota, Snapshot, Volume

BASE = "/volume/v3"
LATEST = "3.71"
FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    412: "preconditionFailed",
    413: "overLimit",
    415: "badMediaType",
    422: "unprocessableEntity",
    503: "serviceUnavailable",
}


@override_settings(ROOT_URLCONF="project.urls")
class VolumesCase(DoorCase):
    """Two projects, blue and red, one pool with room, and what is asked in the name of one of the users."""

    eve: User
    pool: Pool

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.eve = User.objects.create(username="eve", password=cls.alice.password)
        Assignment.objects.create(user=cls.eve, project=cls.red, role=Role.MEMBER)
        cls.pool = make.pool()
        make.volume_type()

    def headers(self, by, version=LATEST, **more):
        """Return the headers of a request: by a user in the user's project; by None without a token."""
        told = {"OpenStack-API-Version": f"volume {version}"} if version else {}
        if by is None:
            return {**told, **more}
        return self.as_user(by, self.red if by == self.eve else self.blue, **told, **more)

    def ask(self, method, path, body=None, *, by="bob", version=LATEST, **headers):
        """Return the answer to a request: by bob unless said otherwise; None is nobody."""
        who = getattr(self, by) if isinstance(by, str) else by
        path = path if path.startswith("/volume/") or path == "/volume" else f"{BASE}{path}"
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(
            method, path, raw, content_type="application/json", headers=self.headers(who, version, **headers)
        )

    def get(self, path, **kwargs):
        return self.ask("GET", path, **kwargs)

    def post(self, path, body, **kwargs):
        return self.ask("POST", path, body, **kwargs)

    def put(self, path, body, **kwargs):
        return self.ask("PUT", path, body, **kwargs)

    def delete(self, path, **kwargs):
        return self.ask("DELETE", path, **kwargs)

    def act(self, row, name, body=None, **kwargs):
        """Return the answer to an action on a volume or a snapshot."""
        kind = "snapshots" if isinstance(row, Snapshot) else "volumes"
        return self.ask("POST", f"/{kind}/{row.pk}/action", {name: body}, **kwargs)

    def a_volume(self, status="available", **over) -> Volume:
        """Return a volume of bob's."""
        row: Volume = make.volume(status, **{"project_id": self.blue.pk, "user_id": self.bob.pk, **over})
        return row

    def a_snapshot(self, of=None, status="available", **over) -> Snapshot:
        """Return a snapshot of bob's, of a volume of bob's unless said otherwise."""
        row: Snapshot = make.snapshot(of or self.a_volume(), status, **{"user_id": self.bob.pk, **over})
        return row

    def ok(self, answer, status=200) -> Any:
        """Check that the answer has the status and return its document."""
        self.assertEqual(answer.status_code, status, answer.content[:500])
        return answer.json() if answer.content else None

    def refused(self, answer, status, *parts) -> str:
        """Check that the answer is an error in Cinder's shape and return its text."""
        self.assertEqual(answer.status_code, status, answer.content[:500])
        ((name, error),) = answer.json().items()
        self.assertEqual(name, FAULTS[status])
        self.assertEqual(error["code"], status)
        self.assertLessEqual(set(error), {"code", "message", "retryAfter"})
        for part in parts:
            self.assertIn(str(part), error["message"])
        return str(error["message"])

    def rows(self) -> dict[str, Any]:
        """Return what a refused request must leave as it was."""
        return {
            "volumes": list(Volume.objects.order_by("pk").values()),
            "snapshots": list(Snapshot.objects.order_by("pk").values()),
            "attachments": list(Attachment.objects.order_by("pk").values()),
            "quotas": list(Quota.objects.order_by("pk").values()),
            "allocated": list(Pool.objects.order_by("pk").values_list("pk", "allocated_gb")),
            "messages": Message.objects.count(),
            "operations": Operation.objects.count(),
            "events": Event.objects.count(),
        }
