"""API processes without workers, and a plain client that follows events and goes on wherever it is cut off."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from deploy.supervise import tethered
from project.env import BASE_DIR
from tests.faults.nodes import database_url

PATIENCE = 60.0


class Api:
    """The API of one node, on a port that it keeps when it is started again."""

    def __init__(self, **told: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._told = told
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        told = {
            "DATABASE_URL": database_url(),
            "SECRET_KEY": settings.SECRET_KEY,
            "BROKER_URL": settings.CELERY_BROKER_URL,
            "ROADSTEAD_ENV_FILE": os.devnull,
            "API_PROCESSES": "1",
            "API_DRAIN": "0",
            "LOG_LEVEL": "CRITICAL",
            **self._told,
        }
        argv = [sys.executable, "-m", "gunicorn", "-c", "python:project.gunicorn", "project.wsgi"]
        command = tethered([*argv, "-b", f"127.0.0.1:{self.port}"])
        self.process = subprocess.Popen(command, env={**os.environ, **told}, cwd=BASE_DIR)

    def await_ready(self) -> None:
        await_(lambda: self.get("/healthz")[0] == 200, "the API answers")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, and return how it ended."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body; status 0 if nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, {}, b""
        finally:
            connection.close()


@dataclass(frozen=True)
class Told:
    """One message of a stream. A message that only has an id makes no event: `event` and `data` are empty then."""

    id: str = ""
    event: str = ""
    data: dict[str, Any] = field(default_factory=dict)


class Following:
    """One connection to a stream of events."""

    def __init__(self, port: int, path: str, headers: dict[str, str], last: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        more = {"Last-Event-ID": last} if last else {}
        try:
            self._connection.request("GET", path, headers={"Accept": "text/event-stream", **headers, **more})
            self._socket = self._connection.sock
            self.answer = self._connection.getresponse()
        except BaseException:
            self._connection.close()
            raise

    def __iter__(self) -> Iterator[Told]:
        """Yield what is told, until the stream ends in order.

        :raises OSError, HTTPException: it breaks off.
        """
        lines: dict[str, str] = {}
        while line := self.answer.readline():
            text = line.decode().rstrip("\n")
            if text:
                key, _, value = text.partition(":")
                lines[key] = value.removeprefix(" ")
                continue
            if "id" in lines or "data" in lines:
                data = json.loads(lines["data"]) if "data" in lines else {}
                yield Told(lines.get("id", ""), lines.get("event", ""), data)
            lines = {}

    def cut(self) -> None:
        """Break the connection off, as a network does: from any thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


class Follower(threading.Thread):
    """Follows events as a browser does: where it is cut off, it asks the next node to go on after the last id."""

    def __init__(self, apis: Sequence[Api], path: str, headers: dict[str, str], last: str = "") -> None:
        super().__init__(daemon=True)
        self._apis, self._path, self._headers = apis, path, headers
        self._last = last
        self._over = threading.Event()
        self._now: Following | None = None
        self.told: list[Told] = []
        self.connections = 0
        self.refused: list[int] = []

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self._follow(self._apis[self.connections % len(self._apis)].port)
            except (OSError, http.client.HTTPException, ValueError):
                pass  # broken off in the middle of a message, maybe: what was not told whole was not told
            self.connections += 1
            self._over.wait(0.02)

    def _follow(self, port: int) -> None:
        following = self._now = Following(port, self._path, self._headers, self._last)
        try:
            if following.answer.status != 200:
                self.refused.append(following.answer.status)
                return
            for told in following:
                if told.event not in {"", "end"}:
                    self.told.append(told)
                self._last = told.id or self._last
        finally:
            following.close()

    def cut(self) -> None:
        if self._now is not None:
            self._now.cut()

    def end(self) -> None:
        self._over.set()
        self.cut()
        self.join(PATIENCE)


def await_(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"Not within {PATIENCE:g} s: {what}"
        time.sleep(0.02)
