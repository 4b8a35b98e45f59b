"""Two tenants and one of each thing: bob's, of project blue; eve is of red and wants to know."""

from __future__ import annotations

import json
from typing import Any

from bays.models import Bay, BayModel
from tests import make
from tests.volumes.base import VolumesCase

BAYS = "/container-infra/v1"
VOLUMES = "/volume/v3"
NEWEST = {"OpenStack-API-Version": "container-infra latest, volume 3.71"}


class AbuseCase(VolumesCase):
    model: BayModel
    bay: Bay

    def setUp(self) -> None:
        super().setUp()
        own: dict[str, Any] = {"project_id": self.blue.pk, "user_id": self.bob.pk}
        self.model = make.baymodel(**own)
        self.bay = make.bay("CREATE_COMPLETE", model=self.model, **own)
        self.volume = self.a_volume()
        self.snapshot = self.a_snapshot(self.a_volume())

    def send(self, method: str, path: str, body: Any = None, *, by: Any = "bob", **headers: str) -> Any:
        """Return the answer to a request with the whole path; by None without a token."""
        who = getattr(self, by) if isinstance(by, str) else by
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        told = {**NEWEST, **headers}
        if who is not None:
            told = self.as_user(who, self.red if who == self.eve else self.blue, **told)
        answer = self.client.generic(method, path, raw, content_type="application/json", headers=told)
        self.assertLess(answer.status_code, 500, (method, path, answer.content[:300]))
        return answer

    def things(self) -> dict[str, Any]:
        """Return the path of everything that is bob's, with a place for its id, and the row."""
        return {
            f"{BAYS}/clusters/{{}}": self.bay,
            f"{BAYS}/bays/{{}}": self.bay,
            f"{BAYS}/clustertemplates/{{}}": self.model,
            f"{BAYS}/clusters/{{}}/nodegroups": self.bay,
            f"{BAYS}/certificates/{{}}": self.bay,
            f"{VOLUMES}/volumes/{{}}": self.volume,
            f"{VOLUMES}/volumes/{{}}/metadata": self.volume,
            f"{VOLUMES}/snapshots/{{}}": self.snapshot,
        }
