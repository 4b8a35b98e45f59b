"""Real nodes, a real broker and a real Heat, and the means to break each of them.

Rows are committed and nodes live on from test to test of a class. Each test ends with `assert_all_is_well`.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import requests
from django.core.management import call_command
from django.db import connection
from django.test import TransactionTestCase, override_settings
from kombu import Connection

from bays.models import Bay, BayModel, Quota
from bays.stacks import OWNER_TAG, bay_of
from bays.states import BAY, Status
from clouds.heat import Stack
from lifecycle.models import Event, Node, Operation
from project.celery import app
from sync import invariants
from tests.faults.ground import Ground, HoldingProxy, ground
from tests.faults.nodes import WholeNode

T = TypeVar("T")
PASSWORD = "a-password-of-the-fault-tests"
PATIENCE = 60.0  # seconds until what should come is said not to come; nothing here is measured by it
PAUSE = 0.05
TAIL = 25  # lines of each log that a failure shows


class FaultTestCase(TransactionTestCase):
    """`node_count` nodes, told `told` on top of the common environment."""

    node_count: ClassVar[int] = 1
    told: ClassVar[dict[str, str]] = {}
    ground: ClassVar[Ground]
    nodes: ClassVar[list[WholeNode]] = []

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.ground = ground()
        cls.enterClassContext(override_settings(CLOUD_VARIABLES=cls.ground.cloud, CLOUD_TIMEOUT=30))
        with override_settings(SEED_PASSWORDS={"demo": PASSWORD}):
            call_command("seed", stdout=io.StringIO())
        cls.nodes = []
        cls.addClassCleanup(cls._end)

    @classmethod
    def _end(cls) -> None:
        for node in cls.nodes:
            node.stop()
        call_command("flush", verbosity=0, interactive=False)

    @classmethod
    def have(cls, count: int) -> None:
        """Have so many nodes run, those too that a test has killed; all are ready when this returns."""
        while len(cls.nodes) > count:
            cls.nodes.pop().stop()
        told = {"ROADSTEAD_CLOUD_TIMEOUT": "3", "ROADSTEAD_CLOUD_QUIET": "5", **cls.told}
        for number in range(len(cls.nodes) + 1, count + 1):
            cls.nodes.append(WholeNode(f"node{number}", cls.ground, told))
        for node in cls.nodes:
            node.await_ready()

    def setUp(self) -> None:
        self.proxy.calls.clear()
        self.ground.broker.delete("bells")
        self.have(self.node_count)
        self._session = requests.Session()
        self.addCleanup(self._session.close)
        self.log_in()
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
    def log_in(self) -> None:
        user = {"name": "demo", "password": PASSWORD, "domain": {"id": "default"}}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": "demo", "domain": {"id": "default"}}}
        url = f"{self.nodes[0].url}/identity/v3/auth/tokens"
        answer = self._session.post(url, json={"auth": {"identity": identity, "scope": scope}}, timeout=30)
        self.assertEqual(answer.status_code, 201, answer.text)
        self._session.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        self._session.headers["OpenStack-API-Version"] = "container-infra latest"

    def ask(self, method: str, path: str, body: object = None, *, node: int = 0) -> dict[str, Any]:
        """Ask a node's API, which must accept, and return what it answers."""
        url = f"{self.nodes[node].url}/container-infra/v1/{path}"
        answer = self._session.request(method, url, json=body, timeout=30)
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
    def await_(self, condition: Callable[[], T], what: str, timeout: float = PATIENCE) -> T:
        """Return what the condition returns as soon as that is true; fail with a picture if it never is."""
        end = time.monotonic() + timeout
        while not (found := condition()):
            if time.monotonic() > end:
                self.fail(f"Not within {timeout:g} s: {what}\n{self.picture()}")
            time.sleep(PAUSE)
        return found

    def await_status(self, bays: Collection[uuid.UUID], status: str) -> None:
        """Wait until all the bays are in the status; a bay at rest in another one fails at once."""

        def there() -> bool:
            found = Counter(Bay.objects.filter(pk__in=bays).values_list("status", flat=True))
            wrong = [one for one in found if one != status and one not in BAY.busy]
            self.assertEqual((wrong, found.total()), ([], len(bays)), f"{status}?\n{self.picture()}")
            return found[status] == len(bays)

        self.await_(there, f"{len(bays)} bays are {status}")

    def await_gone(self, *bays: uuid.UUID) -> None:
        self.await_(lambda: not Bay.objects.filter(pk__in=bays).exists(), "the bays are gone")

    def held_by(self, node: WholeNode) -> list[Bay]:
        """Return the bays that the node's worker holds now."""
        worker = node.worker_node()
        return list(Bay.objects.filter(holder=worker)) if worker else []

    def events(self, event: str, since: datetime | None = None) -> list[Event]:
        found = Event.objects.filter(event=event).order_by("pk")
        return list(found.filter(at__gte=since) if since else found)

    def now(self) -> datetime:
        """Return the time by the only clock that counts, the database's."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            found: datetime = cursor.fetchone()[0]
        return found

    def say_take_overs(self, after: str, since: datetime) -> None:
        """Print how long after `since` each lost bay was taken over."""
        times = sorted((event.at - since).total_seconds() for event in self.events("take_over", since))
        self.assertTrue(times, f"nothing was taken over\n{self.picture()}")
        middle, last = statistics.median(times), times[-1]
        say(f"take-over after {after}: p50 {middle:.2f} s max {last:.2f} s ({len(times)} bays)")

    def stacks(self) -> list[Stack]:
        """Return the stacks that Heat has for bays of this test and does not delete, asked past the proxy."""
        ours = set(Operation.objects.values_list("resource_id", flat=True))
        return [
            stack
            for stack in self.ground.heat.tagged(OWNER_TAG)
            if stack.action != "DELETE" and bay_of(stack) in ours
        ]

    def tick(self, job: str) -> None:
        """Have a periodic job run now, on whichever node."""
        with Connection(self.ground.broker_url) as link:
            app.send_task(job, queue="ticks", connection=link)

    def assert_all_is_well(self, *, without_stack: Sequence[uuid.UUID] = ()) -> None:
        """No bay is busy, each has one stack, no other stack of ours is there, and all invariants hold."""
        self.await_(lambda: not Bay.objects.filter(status__in=list(BAY.busy)).exists(), "no bay is busy")
        living = set(Bay.objects.values_list("pk", flat=True)) - set(without_stack)
        self.assertEqual(Counter(map(bay_of, self.stacks())), Counter(living), self.picture())
        self.assertEqual(list(invariants.violations()), [], self.picture())

    def picture(self) -> str:
        """Return all that may tell why something did not come."""
        fields = ("name", "status", "epoch", "holder", "lease_until", "not_before", "watched", "attempts")
        lines = ["bays:", *map(str, Bay.objects.values_list(*fields, "retries", "stack_id", "status_reason"))]
        lines += [
            "events:",
            *(f"{e.at:%T.%f} {str(e.resource_id)[:8]} {e} {e.epoch} {e.reason}" for e in Event.objects.all()),
        ]
        lines += ["nodes:", *(f"{node} {node.pid} {node.stale_refused}" for node in Node.objects.alive())]
        try:
            lines += ["stacks:", *(f"{stack.name} {stack.state} {stack.tags}" for stack in self.stacks())]
        except Exception as error:  # noqa: BLE001 - Heat may be what is broken
            lines += [f"Heat does not say: {error}"]
        for node in self.nodes:
            for log in node.logs():
                lines += [f"{log.name}:", *log.read_text(errors="replace").splitlines()[-TAIL:]]
        return "\n".join(lines)


def say(line: str) -> None:
    """Print a figure where the log of a test run shows it."""
    sys.stderr.write(f"\n{line}\n")
    sys.stderr.flush()
