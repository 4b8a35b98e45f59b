"""The API as gunicorn serves it, started for a test: its processes, and requests as bytes."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.test import TransactionTestCase

from deploy.supervise import tethered
from project.env import BASE_DIR
from tests.faults.nodes import database_url

PATIENCE = 60.0


class ApiCase(TransactionTestCase):
    def serve(self, **told: str) -> int:
        """Start an API, and return its port when it answers."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = int(probe.getsockname()[1])
        told = {
            "DATABASE_URL": database_url(),
            "SECRET_KEY": settings.SECRET_KEY,
            "BROKER_URL": settings.CELERY_BROKER_URL,
            "ROADSTEAD_ENV_FILE": os.devnull,
            "API_PROCESSES": "1",
            "API_THREADS": "2",
            "API_DRAIN": "0",
            "LOG_LEVEL": "CRITICAL",
            **told,
        }
        argv = [sys.executable, "-m", "gunicorn", "-c", "python:project.gunicorn", "project.wsgi"]
        command = tethered([*argv, "-b", f"127.0.0.1:{port}"])
        gunicorn = subprocess.Popen(command, env={**os.environ, **told}, cwd=BASE_DIR)
        self.addCleanup(gunicorn.wait)
        self.addCleanup(gunicorn.kill)
        self.until(lambda: self.status(port, "/healthz") == 200, "it answers")
        return port

    def status(
        self, port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: Any
    ) -> int | None:
        """Return the status of an answer, on a connection of its own; None if there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def opened(self, port: int, *sent: bytes) -> socket.socket:
        """Return a connection on which these bytes were sent."""
        made = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.addCleanup(made.close)
        for each in sent:
            made.sendall(each)
        return made

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Return when the condition holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, f"Not within {PATIENCE:g} s: {what}")
            time.sleep(0.05)
