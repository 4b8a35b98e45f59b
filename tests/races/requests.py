"""A whole request as a racer: through the door, in the name of a member, on a session of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import Client

from identity import tokens
from identity.models import Assignment, Project, Role, User
from tests import make
from tests.races.base import PATIENCE, RaceTestCase

BASE = "/container-infra/v1"
WIDTH = 16
WAITING = """
    SELECT count(*) FROM pg_locks AS waits JOIN pg_locks AS holds USING (pid)
    JOIN pg_database ON pg_database.oid = holds.database AND datname = current_database()
    WHERE NOT waits.granted
"""  # of this database: others on the server have waits of their own


class RequestRaceTestCase(RaceTestCase):
    """Two projects, each with a member, and a baymodel that both may use."""

    def setUp(self) -> None:
        self.tokens = {}
        self.projects = {}
        for name in ("blue", "red"):
            project = self.projects[name] = Project.objects.create(name=name)
            user = User.objects.create(username=f"member of {name}", password="!")
            Assignment.objects.create(user=user, project=project, role=Role.MEMBER)
            self.tokens[name] = tokens.issue(user, project.pk)
        self.model = make.baymodel(project_id=self.projects["blue"].pk, public=True)
        self.addCleanup(tokens.forget)

    def ask(
        self, method: str, path: str, body: object = None, *, project: str = "blue", **headers: str
    ) -> HttpResponse:
        given: dict[str, Any] = {
            "X-Auth-Token": self.tokens[project],
            "OpenStack-API-Version": "container-infra latest",
            **headers,
        }
        raw = b"" if body is None else json.dumps(body).encode()
        path = path if path.startswith("/volume/") else f"{BASE}{path}"
        answer = Client().generic(method, path, raw, content_type="application/json", headers=given)
        assert isinstance(answer, HttpResponse)
        return answer

    def statuses(self, answers: list[HttpResponse | Exception]) -> list[int]:
        """Return the answers' statuses, sorted; a racer that raised fails the test."""
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return sorted(answer.status_code for answer in answers if isinstance(answer, HttpResponse))

    def in_background(self, ask: Callable[[], HttpResponse]) -> Callable[[], HttpResponse]:
        """Begin a request on another session, wait until it waits for a lock, and return how to await its answer."""
        answers: list[HttpResponse] = []

        def run() -> None:
            try:
                answers.append(ask())
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        self.await_a_waiting_session(thread)

        def answer() -> HttpResponse:
            thread.join()
            return answers[0]

        return answer

    def impatient(self, ask: Callable[[], HttpResponse]) -> Callable[[], HttpResponse]:
        """Return what asks on a session that waits for a lock as shortly as a node's does, or less."""

        def hurried() -> HttpResponse:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '300ms'")
            return ask()

        return hurried

    def await_a_waiting_session(self, thread: threading.Thread) -> None:
        """Return when a session waits for a lock, or the thread's has waited in vain already."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if not thread.is_alive():
                return
            with connection.cursor() as cursor:
                cursor.execute(WAITING)
                if cursor.fetchone()[0]:
                    return
        self.fail("nobody waits for a lock")
