"""The synchronizer against a real Heat and a real broker, with everything that is asked of Heat counted."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

from celery import current_app
from django.db.models.functions import Now
from django.test import TestCase, override_settings

from bays.models import Bay
from bays.stacks import BAY_TAG, OWNER_TAG
from chaos.heat_proxy import HeatProxy
from tests import make
from tests.clouds import connect_to, heat_endpoint, settled, tiny_request

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
FOREVER = 600  # seconds that a resource takes which is still being made when the test is over


def bells(name: str = "bells") -> list[dict[str, Any]]:
    """Return what each bell in a queue of the broker carries, and silence them."""
    rung = []
    with current_app.connection_for_read() as broker:
        queue = broker.SimpleQueue(name)
        while message := queue.queue.get():
            rung.append({"task": message.headers["task"], "kwargs": json.loads(message.body or "")[1]})
            message.ack()
        queue.close()
    return rung


class SyncCase(TestCase):
    def setUp(self):
        bells()  # those of an earlier test are none of this one's
        self.model = make.baymodel()

    def a_bay(self, status="CREATE_IN_PROGRESS", *, after_birth: dict[str, Any] | None = None, **over) -> Bay:
        """Return a bay; `after_birth` is written to its row as something that has happened since."""
        bay = make.bay(status, model=self.model, **over)
        Bay.objects.filter(pk=bay.pk).update(**(after_birth or {}))
        return Bay.objects.get(pk=bay.pk)

    def waiting(self, stack_id=None, **over) -> Bay:
        """Return a bay that is watched and due to be looked at."""
        since = {"watched": True, "not_before": Now() - SECOND, "stack_id": stack_id, **over}
        return self.a_bay(after_birth=since)

    def bells(self) -> list[dict[str, Any]]:
        return bells()


class HeatSyncCase(SyncCase):
    def setUp(self):
        super().setUp()
        endpoint = heat_endpoint()
        self.heat = connect_to(endpoint)  # past the proxy: not counted
        self.proxy = HeatProxy(endpoint)
        self.proxy.__enter__()
        self.addCleanup(self.proxy.__exit__, None, None, None)
        self.speak_to(self.proxy.url)

    def speak_to(self, url):
        other = override_settings(CLOUD_VARIABLES={"OS_AUTH_TYPE": "none", "OS_ENDPOINT": url})
        other.enable()
        self.addCleanup(other.disable)

    def a_stack(self, *tags, bay_id=None, seconds=0) -> uuid.UUID:
        """Have Heat make a stack of one resource; one of ours, and of the bay, if it is given."""
        ours = (OWNER_TAG, f"{BAY_TAG}{bay_id}") if bay_id else ()
        request = tiny_request(*tags, *ours, action_wait_secs={"create": seconds})
        stack_id = self.heat.create(replace(request, name=f"sync-{request.name}"))
        self.addCleanup(self.heat.delete, stack_id)
        if not seconds:
            settled(self.heat, stack_id)
        return stack_id

    def lose(self, stack_id):
        """Delete the stack behind everybody's back."""
        self.heat.delete(stack_id)
        settled(self.heat, stack_id)
