"""Bays on real nodes, a real broker and a real Heat, and the means to break each of them.

Each test ends with `assert_all_is_well`.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar

from django.test import override_settings

from bays.models import Bay, BayModel, Quota
from bays.stacks import OWNER_TAG, bay_of
from bays.states import BAY, Status
from clouds.heat import Stack
from lifecycle.models import Event, Leased, Operation
from sync import invariants
from tests.faults.ground import Ground, HeatGround, HoldingProxy, heat_ground
from tests.faults.nodes import WholeNode
from tests.faults.whole import NodesTestCase, say

__all__ = ["FaultTestCase", "say"]


class FaultTestCase(NodesTestCase):
    version = "container-infra latest"
    ground: ClassVar[HeatGround]

    @classmethod
    def stand(cls) -> Ground:
        return heat_ground()

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.enterClassContext(override_settings(CLOUD_VARIABLES=cls.ground.cloud, CLOUD_TIMEOUT=30))

    @classmethod
    def telling(cls, number: int) -> dict[str, str]:
        return {"ROADSTEAD_CLOUD_TIMEOUT": "3", "ROADSTEAD_CLOUD_QUIET": "5", **super().telling(number)}

    def setUp(self) -> None:
        self.proxy.calls.clear()
        self.ground.broker.clear("bells")
        super().setUp()
        model = self.ask("POST", "clustertemplates", {"name": "small", "coe": "tiny", "image_id": "image"})
        self.model = model["uuid"]

    def _fixture_teardown(self) -> None:
        """Forget the bays, not the nodes: those live on. What a failed test left is stopped with the nodes."""
        self.proxy.heal()
        if Bay.objects.filter(status__in=list(BAY.busy)).exists():
            self.have(0)
        for stack in self.stacks():
            self.ground.heat.delete(stack.id)
        for model in (Bay, Operation, Event, Quota, BayModel):
            model._default_manager.all().delete()

    @property
    def proxy(self) -> HoldingProxy:
        return self.ground.proxy

    # --- asking the API -------------------------------------------------------------------------------------
    def ask(self, method: str, path: str, body: object = None, *, node: int = 0) -> dict[str, Any]:
        """Ask a node's API, which must accept, and return what it answers."""
        answer = self.request(method, f"container-infra/v1/{path}", body, node=node)
        accepted = {"POST": {201, 202}, "PATCH": {202}, "DELETE": {204}, "GET": {200}}[method]
        self.assertIn(answer.status_code, accepted, answer.text)
        return answer.json() if answer.content else {}

    def create(self, count: int = 1, *, node: int = 0, boot_seconds: int = 0) -> list[uuid.UUID]:
        """Have bays accepted, as small as they can be, and return their ids."""
        body = {
            "cluster_template_id": self.model,
            "node_count": 0,
            "labels": {"boot_seconds": str(boot_seconds)},
        }
        return [
            uuid.UUID(self.ask("POST", "clusters", {"name": f"bay{number}", **body}, node=node)["uuid"])
            for number in range(count)
        ]

    def created(self, count: int = 1) -> list[uuid.UUID]:
        """Return bays that are complete."""
        bays = self.create(count)
        self.await_status(bays, Status.CREATE_COMPLETE)
        return bays

    def resize(self, bay: uuid.UUID, count: int) -> None:
        self.ask("POST", f"clusters/{bay}/actions/resize", {"node_count": count})

    def delete(self, bay: uuid.UUID) -> None:
        self.ask("DELETE", f"clusters/{bay}")

    # --- waiting and looking --------------------------------------------------------------------------------
    def await_status(self, bays: Collection[uuid.UUID], status: str) -> None:
        """Wait until all the bays are in the status; a bay at rest in another one fails at once."""

        def there() -> bool:
            found = Counter(Bay.objects.filter(pk__in=bays).values_list("status", flat=True))
            wrong = [one for one in found if one != status and one not in BAY.busy]
            if wrong or found.total() != len(bays):
                self.fail(f"{status}? {wrong}, {found.total()} of {len(bays)}\n{self.picture()}")
            return found[status] == len(bays)

        self.await_(there, f"{len(bays)} bays are {status}")

    def await_gone(self, *bays: uuid.UUID) -> None:
        self.await_(lambda: not Bay.objects.filter(pk__in=bays).exists(), "the bays are gone")

    def held_by(self, node: WholeNode) -> list[Bay]:
        """Return the bays that the node's worker holds now."""
        worker = node.worker_node()
        return list(Bay.objects.filter(holder=worker)) if worker else []

    def stacks(self) -> list[Stack]:
        """Return the stacks that Heat has for bays of this test and does not delete, asked past the proxy."""
        ours = set(Operation.objects.values_list("resource_id", flat=True))
        return [
            stack
            for stack in self.ground.heat.tagged(OWNER_TAG)
            if stack.action != "DELETE" and bay_of(stack) in ours
        ]

    def assert_all_is_well(self, *, without_stack: Sequence[uuid.UUID] = ()) -> None:
        """No bay is busy, each has one stack, no other stack of ours is there, and all invariants hold."""
        self.await_(lambda: not Bay.objects.filter(status__in=list(BAY.busy)).exists(), "no bay is busy")
        living = set(Bay.objects.values_list("pk", flat=True)) - set(without_stack)
        self.assertEqual(Counter(map(bay_of, self.stacks())), Counter(living), self.picture())
        self.assertEqual(list(invariants.violations()), [], self.picture())

    def resources(self) -> Iterable[Leased]:
        return Bay.objects.all()

    def outside(self) -> list[str]:
        try:
            return ["stacks:", *(f"{stack.name} {stack.state} {stack.tags}" for stack in self.stacks())]
        except Exception as error:  # noqa: BLE001 - Heat may be what is broken
            return [f"Heat does not say: {error}"]
