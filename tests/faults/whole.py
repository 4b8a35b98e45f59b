"""Whole nodes under test, whatever they work on: started once for a class, asked over HTTP, waited for, pictured.

Rows are committed and nodes live on from test to test of a class.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import ClassVar, TypeVar

import requests
from django.core.management import call_command
from django.db import connection
from django.test import TransactionTestCase, override_settings
from kombu import Connection

from lifecycle.models import Event, Leased, Node
from project.celery import app
from tests.faults.ground import Ground, ground
from tests.faults.nodes import WholeNode

T = TypeVar("T")
PASSWORD = "a-password-of-the-fault-tests"
PATIENCE = 60.0  # seconds until what should come is said not to come; nothing here is measured by it
PAUSE = 0.05
TAIL = 25  # lines of each log that a failure shows


class NodesTestCase(TransactionTestCase):
    """`node_count` nodes, told `told` on top of the common environment."""

    node_count: ClassVar[int] = 1
    told: ClassVar[dict[str, str]] = {}
    version: ClassVar[str]  # what is asked for in the header OpenStack-API-Version
    ground: ClassVar[Ground]
    nodes: ClassVar[list[WholeNode]] = []

    @classmethod
    def stand(cls) -> Ground:
        """Return what the nodes stand on."""
        return ground()

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.ground = cls.stand()
        connection.close()  # three nodes of RabbitMQ take half a minute, and a session may not outlive that
        with override_settings(SEED_PASSWORDS=dict.fromkeys(("demo", "admin"), PASSWORD)):
            call_command("seed", stdout=io.StringIO())
        cls.nodes = []
        cls.addClassCleanup(cls._end)

    @classmethod
    def _end(cls) -> None:
        for node in cls.nodes:
            node.stop()
        call_command("flush", verbosity=0, interactive=False)

    @classmethod
    def telling(cls, number: int) -> dict[str, str]:
        """Return what the node of this number, from 1 up, is told."""
        del number
        return cls.told

    @classmethod
    def have(cls, count: int) -> None:
        """Have so many nodes run, those too that a test has killed; all are ready when this returns."""
        while len(cls.nodes) > count:
            cls.nodes.pop().stop()
        for number in range(len(cls.nodes) + 1, count + 1):
            cls.nodes.append(WholeNode(f"node{number}", cls.ground, cls.telling(number)))
        for node in cls.nodes:
            node.await_ready()

    def setUp(self) -> None:
        self.have(self.node_count)
        self._sessions: dict[str, requests.Session] = {}
        self.log_in("demo")

    # --- asking the API -------------------------------------------------------------------------------------
    def log_in(self, name: str) -> requests.Session:
        """Return the session of a user, in project demo."""
        if name in self._sessions:
            return self._sessions[name]
        session = requests.Session()
        self.addCleanup(session.close)
        user = {"name": name, "password": PASSWORD, "domain": {"id": "default"}}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": "demo", "domain": {"id": "default"}}}
        url = f"{self.nodes[0].url}/identity/v3/auth/tokens"
        answer = session.post(url, json={"auth": {"identity": identity, "scope": scope}}, timeout=30)
        self.assertEqual(answer.status_code, 201, answer.text)
        session.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        session.headers["OpenStack-API-Version"] = self.version
        return self._sessions.setdefault(name, session)

    def request(
        self, method: str, path: str, body: object = None, *, node: int = 0, by: str = "demo"
    ) -> requests.Response:
        """Return what a node's API answers."""
        url = f"{self.nodes[node].url}/{path}"
        return self.log_in(by).request(method, url, json=body, timeout=30)

    # --- waiting and looking --------------------------------------------------------------------------------
    def await_(self, condition: Callable[[], T], what: str, timeout: float = PATIENCE) -> T:
        """Return what the condition returns as soon as that is true; fail with a picture if it never is."""
        end = time.monotonic() + timeout
        while not (found := condition()):
            if time.monotonic() > end:
                self.fail(f"Not within {timeout:g} s: {what}\n{self.picture()}")
            time.sleep(PAUSE)
        return found

    def events(self, event: str, since: datetime | None = None) -> list[Event]:
        found = Event.objects.filter(event=event).order_by("pk")
        return list(found.filter(at__gte=since) if since else found)

    def now(self) -> datetime:
        """Return the time by the only clock that counts, the database's."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            found: datetime = cursor.fetchone()[0]
        return found

    def say_take_overs(self, after: str, since: datetime, what: str = "bays") -> None:
        """Print how long after `since` each lost resource was taken over."""
        times = sorted((event.at - since).total_seconds() for event in self.events("take_over", since))
        self.assertTrue(times, f"nothing was taken over\n{self.picture()}")
        middle, last = statistics.median(times), times[-1]
        say(f"take-over after {after}: p50 {middle:.2f} s max {last:.2f} s ({len(times)} {what})")

    def tick(self, job: str) -> None:
        """Have a periodic job run now, on whichever node."""
        with Connection(self.ground.broker_url) as link:
            # Undeclared: this process may know another kind of broker, which declares otherwise.
            app.send_task(job, queue="ticks", connection=link, declare=[])

    def resources(self) -> Iterable[Leased]:
        """Return the rows that a picture shows."""
        return ()

    def outside(self) -> list[str]:
        """Return what a picture shows of what is outside the database."""
        return []

    def picture(self) -> str:
        """Return all that may tell why something did not come."""
        columns = ("holder_id", "lease_until", "not_before", "rung_at", "watched", "attempts", "retries")
        lines = ["resources:"]
        for row in self.resources():
            told = ", ".join(f"{name}={getattr(row, name)}" for name in columns)
            lines.append(f"{str(row.pk)[:8]} {row} {row.status} {row.epoch} {told} {row.status_reason}")
        lines += [
            "events:",
            *(
                f"{e.at:%T.%f} {str(e.resource_id)[:8]} {e} {e.epoch} {e.reason}"
                for e in Event.objects.order_by("pk")
            ),
        ]
        lines += ["nodes:", *(f"{node} {node.pid} {node.stale_refused}" for node in Node.objects.alive())]
        lines += self.outside()
        for node in self.nodes:
            for log in node.logs():
                lines += [f"{log.name}:", *log.read_text(errors="replace").splitlines()[-TAIL:]]
        return "\n".join(lines)


def say(line: str) -> None:
    """Print a figure where the log of a test run shows it."""
    sys.stderr.write(f"\n{line}\n")
    sys.stderr.flush()
