"""The steps of a bay, taken one by one, against a real Heat."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.test import TestCase, override_settings

from bays.models import Bay
from bays.stacks import bay_tag, stack_name
from bays.states import BAY, Status
from bays.tasks import advance_bay
from chaos.heat_proxy import HeatProxy
from tests import make
from tests.clouds import PATIENCE, connect_to, heat_endpoint, settled, tiny_request


class StepCase(TestCase):
    """A bay whose steps are taken by hand, and a Heat behind a proxy that counts and spoils."""

    def setUp(self):
        self.endpoint = heat_endpoint()
        self.heat = connect_to(self.endpoint)  # past the proxy: what is asked here is not counted
        self.proxy = HeatProxy(self.endpoint)
        self.proxy.__enter__()
        self.addCleanup(self.proxy.__exit__, None, None, None)
        through = override_settings(CLOUD_VARIABLES={"OS_AUTH_TYPE": "none", "OS_ENDPOINT": self.proxy.url})
        through.enable()
        self.addCleanup(through.disable)
        self.pk = uuid.uuid4()
        self.addCleanup(self.remove_stacks)

    def remove_stacks(self):
        for stack in self.heat.find(bay_tag(Bay(id=self.pk))):
            self.heat.delete(stack.id)

    def a_bay(self, status="CREATE_IN_PROGRESS", **over) -> Any:
        labels = {"boot_seconds": "0", **over.pop("labels", {})}
        return make.bay(status, **{"id": self.pk, "labels": labels, "node_count": 0, **over})

    @property
    def bay(self) -> Any:
        return Bay.objects.get(pk=self.pk)

    def step(self) -> Any:
        """Take a step now, whatever the bay waits for; return the bay if it is still there."""
        Bay.objects.filter(pk=self.pk).update(watched=False, not_before=Now() - timedelta(seconds=1))
        advance_bay(pk=str(self.pk))
        return Bay.objects.filter(pk=self.pk).first()

    def settle(self) -> Any:
        """Take a step once the bay's stack has come to rest."""
        settled(self.heat, self.bay.stack_id)
        return self.step()

    def created(self, **over) -> Any:
        """Return a bay whose real stack the driver made."""
        self.a_bay(**over)
        self.step()
        bay = self.settle()
        self.assertEqual(bay.status, Status.CREATE_COMPLETE, bay.status_reason)
        self.proxy.calls.clear()
        return bay

    def small(self) -> Any:
        """Return a bay whose stack has one resource, which Heat makes and deletes in no time."""
        bay = self.a_bay(Status.CREATE_COMPLETE)
        stack_id = self.heat.create(replace(tiny_request(bay_tag(bay)), name=stack_name(bay)))
        settled(self.heat, stack_id)
        Bay.objects.update(stack_id=stack_id)
        return self.bay

    def live(self):
        stacks = self.heat.find(bay_tag(Bay(id=self.pk)))
        return [stack.id for stack in stacks if stack.action != "DELETE"]

    def updates(self) -> int:
        """Return how many updates Heat was asked for."""
        return self.proxy.total("PUT") + self.proxy.total("PATCH")

    def until(self, found: Any, what: str) -> Any:
        end = time.monotonic() + PATIENCE
        while not (seen := found()):
            self.assertLess(time.monotonic(), end, f"{what}: {self.bay.status} {self.bay.status_reason}")
            time.sleep(0.1)
        return seen

    def rest(self) -> Any:
        """Take a step once nothing is under way in the stack; one taken earlier only uses up a wait."""
        settled(self.heat, self.bay.stack_id)
        self.until(lambda: not self.is_at_work(), "nothing is under way in the stack")
        return self.step()

    def finished(self) -> Any:
        """Take steps until the bay is at rest."""
        self.until(lambda: self.rest().status not in BAY.busy, "the bay is at rest")
        return self.bay

    def is_at_work(self) -> bool:
        bay = self.bay
        return self.heat.is_at_work(self.heat.show(bay.stack_id).name, bay.stack_id)
