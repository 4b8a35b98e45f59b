"""The API told to stop: it says so to load balancers first, answers on, and only then shuts the door."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase

from api.waiting import DRAINS
from chaos.processes import children_of, runs, send
from deploy.supervise import tethered
from identity import tokens
from identity.models import Assignment, Project, Role, User
from project.env import BASE_DIR
from tests import make
from tests.faults.nodes import database_url

PATIENCE = 60.0


class GunicornCase(TransactionTestCase):
    """The API as it is served, told how long to drain."""

    drain = "600"

    def setUp(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        told = {
            "DATABASE_URL": database_url(),
            "SECRET_KEY": settings.SECRET_KEY,
            "BROKER_URL": settings.CELERY_BROKER_URL,
            "ROADSTEAD_ENV_FILE": os.devnull,
            "API_PROCESSES": "2",
            "API_DRAIN": self.drain,
            "LOG_LEVEL": "CRITICAL",
        }
        argv = [sys.executable, "-m", "gunicorn", "-c", "python:project.gunicorn", "project.wsgi"]
        command = tethered([*argv, "-b", f"127.0.0.1:{self.port}"])
        self.gunicorn = subprocess.Popen(command, env={**os.environ, **told}, cwd=BASE_DIR)
        self.addCleanup(self.gunicorn.wait)
        self.addCleanup(self.gunicorn.kill)
        self.await_(lambda: self.health() == 200, "it answers")

    def ask(self, connection: http.client.HTTPConnection) -> tuple[int, str | None]:
        """Return the status of a page that needs nobody's login, and whether the connection is closed after it."""
        connection.request("GET", "/volume/")
        answer = connection.getresponse()
        answer.read()
        told = answer.getheader("Connection")
        return (200 if answer.status < 400 else answer.status), told if told == "close" else None

    def health(self) -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def await_(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, f"Not within {PATIENCE:g} s: {what}")
            time.sleep(0.05)

    def let_go(self) -> None:
        """Check that a request that waits is answered, and by no time-out, once the API is told to stop."""
        project = Project.objects.create(name="blue")
        bob = User.objects.create(username="bob", password="!")
        Assignment.objects.create(user=bob, project=project, role=Role.READER)
        operation = make.bay("CREATE_IN_PROGRESS", project_id=project.pk).operation_id
        waiting = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self.addCleanup(waiting.close)
        path = f"/container-infra/v1/operations/{operation}?wait=60"
        waiting.request("GET", path, headers={"X-Auth-Token": tokens.issue(bob, project.pk)})
        self.await_(self.somebody_looks, "the API looks for what is waited for")
        self.gunicorn.send_signal(signal.SIGTERM)
        answer = waiting.getresponse()
        document = json.loads(answer.read())
        self.assertEqual((answer.status, document["hint"], document["state"]), (200, DRAINS, "IN_PROGRESS"))

    def somebody_looks(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND query LIKE '%finished_at\" IS NULL%'"
            )
            return bool(cursor.fetchone()[0])


class DrainTests(GunicornCase):
    def test_its_processes_die_with_it_even_frozen_ones(self) -> None:
        processes = children_of(self.gunicorn.pid)
        self.assertTrue(processes)
        send(processes, signal.SIGSTOP)
        self.addCleanup(send, processes, signal.SIGKILL)
        self.gunicorn.kill()
        self.gunicorn.wait()
        self.await_(lambda: not any(map(runs, processes)), "they are gone, and the port is free")

    def test_it_answers_on_says_that_it_drains_and_keeps_no_connection_until_told_again(self) -> None:
        kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.addCleanup(kept.close)
        self.assertEqual(self.ask(kept), (200, None))
        self.gunicorn.send_signal(signal.SIGTERM)
        self.await_(
            lambda: {self.health() for _ in range(10)} == {503}, "all its processes say that they drain"
        )
        status, connection = self.ask(kept)
        self.assertEqual(
            (status, connection), (200, "close"), "a request on a kept connection is answered, the last"
        )
        fresh = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.assertEqual(self.ask(fresh), (200, "close"))
        self.gunicorn.send_signal(signal.SIGTERM)
        self.assertEqual(self.gunicorn.wait(PATIENCE), 0)

    def test_who_waits_for_an_operation_is_let_go(self) -> None:
        self.let_go()


class AtOnceTests(GunicornCase):
    drain = "0"

    def test_who_waits_for_an_operation_is_let_go(self) -> None:
        self.let_go()
