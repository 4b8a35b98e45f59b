"""Requests that wait for a worker: committed rows, real storage, and a worker that takes every step that is owed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase, override_settings

from identity import tokens
from identity.models import Assignment, Project, Role, User
from lifecycle import local
from tests import make
from tests.volumes.base import VolumesCase
from tests.volumes.storing import Stored
from volumes.models import Attachment, Connection, Volume
from volumes.tasks import advance_connection

SERVER = "0bdf6ea3-4a27-43e3-8e8f-7c1d7f6c2f11"
OTHER = "5d4b6f1c-53f1-4d0e-93d2-1f0bb6e0a3c2"


@contextmanager
def worker() -> Iterator[None]:
    """Have a worker answer the bells of connections, in a session of its own, until the block ends."""
    ended = threading.Event()

    def work() -> None:
        try:
            while not ended.wait(0.002):
                for pk in Connection.objects.filter(status__in=Connection.machine.busy).values_list(
                    "pk", flat=True
                ):
                    advance_connection(pk=str(pk))
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@override_settings(ROOT_URLCONF="project.urls", CONNECT_WAIT=20)
class ConnectedCase(Stored, TransactionTestCase):
    """The people of VolumesCase, a volume of bob's that is really stored, and two hosts that may reach it."""

    options = 'hosts = ["h1", "h2"]'
    alice: User
    bob: User
    carol: User
    eve: User
    nova: User

    headers: Any = VolumesCase.headers
    ask: Any = VolumesCase.ask
    get: Any = VolumesCase.get
    post: Any = VolumesCase.post
    put: Any = VolumesCase.put
    act: Any = VolumesCase.act
    ok: Any = VolumesCase.ok
    refused: Any = VolumesCase.refused

    def setUp(self):
        self.set_up_storage(self)
        make.node(serves=settings.SERVES, ttl=timedelta(hours=1))  # as its heartbeat would say
        self.blue, self.red = (Project.objects.create(name=name) for name in ("blue", "red"))
        people = {"alice": Role.ADMIN, "bob": Role.MEMBER, "carol": Role.READER, "eve": Role.MEMBER}
        for name, role in people.items():
            user = User.objects.create(username=name, password="!")
            project = self.red if name == "eve" else self.blue
            Assignment.objects.create(user=user, project=project, role=role)
            setattr(self, name, user)
        self.by = make.caller(project=self.blue.pk, user=self.bob.pk)
        tokens.forget()
        self.addCleanup(tokens.forget)
        self.assertTrue(local.may_claim())

    def as_user(self, user, project, **more):
        return {"X-Auth-Token": tokens.issue(user, project.pk), **more}

    def a_volume(self, **over) -> Volume:
        """Return a stored volume of bob's."""
        volume = self.create()
        Volume.objects.filter(pk=volume.pk).update(**over)
        return Volume.objects.get(pk=volume.pk)

    def attach(
        self, volume, server: str | None = SERVER, host: str | None = "h1", *, by="bob", **more
    ) -> Any:
        """Return the answer to a request for an attachment; with a host, for its connection too."""
        way = {"connector": {"host": host, "ip": "10.0.0.1"}} if host else {}
        body = {"volume_uuid": str(volume.pk), "instance_uuid": server, **way, **more}
        return self.post("/attachments", {"attachment": body}, by=by)

    def attached(self, volume, server: str | None = SERVER, host: str = "h1", **more) -> Any:
        """Return an attachment that is complete."""
        with worker():
            made = self.ok(self.attach(volume, server, host, **more))["attachment"]
        self.ok(self.post(f"/attachments/{made['id']}/action", {"os-complete": {}}), 204)
        return made

    def remove(self, ident, **kwargs):
        return self.ask("DELETE", f"/attachments/{ident}", **kwargs)

    def states(self, volume) -> tuple[str, list[str], list[str]]:
        """Return the statuses of a volume, of its attachments and of its connections."""
        rows = Attachment.objects.filter(volume=volume).order_by("created_at", "pk")
        ways = Connection.objects.filter(volume=volume).order_by("host")
        return (
            Volume.objects.get(pk=volume.pk).status,
            list(rows.values_list("status", flat=True)),
            list(ways.values_list("status", flat=True)),
        )

    def wait_for(self, condition):
        end = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), end, "it never came true")
            time.sleep(0.005)

    def silence(self):
        """Take the storage away, and return what brings it back."""
        here, away = self.root / "fast", self.root / "away"
        here.rename(away)
        return lambda: away.rename(here)
