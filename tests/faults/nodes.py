"""Whole nodes as real processes against the test database, with handles to kill, freeze and thaw each part."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.db import connection

from chaos.processes import children_of, send
from deploy import ready
from deploy.supervise import Child, Supervisor
from lifecycle.models import Node
from project import env
from tests.faults.ground import Ground

TIMEOUT = 60.0
LAST_WORDS = 12  # lines of each log


def database_url() -> str:
    """Return the URL of the test database: the configured one's, under the test's name."""
    name = str(connection.settings_dict["NAME"])
    return urlsplit(env.text("DATABASE_URL"))._replace(path=f"/{quote(name, safe='')}").geturl()


class WholeNode:
    """`manage.py runnode` under a supervisor of the test, which restarts it when it dies."""

    def __init__(self, name: str, ground: Ground, told: dict[str, str]) -> None:
        self.name = name
        self.port = ground.state.port(name)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_dir = ground.state.directory("nodes")
        self.deaths: list[int] = []  # how each runnode ended
        self._pid_file = self.log_dir / f"{name}.pids"
        self._pid_file.unlink(missing_ok=True)
        for log in self.logs():
            log.unlink()
        options = ["--name", name, "--port", str(self.port), "--log-dir", str(self.log_dir)]
        argv = [sys.executable, "manage.py", "runnode", *options, "--pid-file", str(self._pid_file)]
        removed: dict[str, str | None] = {key: None for key in os.environ if key.startswith("OS_")}
        self.child = Child(
            name,
            argv,
            removed | _environment(ground) | told,
            log=self.log_dir / f"{name}.log",
            on_death=lambda _child, _pid, status: self.deaths.append(status),
            cwd=env.BASE_DIR,
        )
        self.supervisor = Supervisor([self.child])
        self.supervisor.__enter__()

    def await_ready(self) -> None:
        """Return when the API answers and the worker is registered."""
        ready.until(lambda: ready.answers(self.port, "/healthz"), self.child, TIMEOUT)
        ready.until(lambda: self.worker_node() is not None, self.child, TIMEOUT)

    def hold(self) -> None:
        """Kill -9 all that belongs to it, and keep it down."""
        pids = self.everything()
        self.supervisor.hold(self.name)
        send(pids, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)

    def release(self) -> None:
        """Start it again."""
        self.supervisor.release(self.name)

    def stop(self) -> None:
        """End it at once, with all that belongs to it."""
        self.supervisor.kill()
        self.supervisor.__exit__(None, None, None)

    def pid(self, role: str) -> int:
        """Return the pid of the api, worker or beat."""
        return int(self.pids()[role])

    def pids(self) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads(self._pid_file.read_text())
        except FileNotFoundError:
            return {}
        return found

    def worker_node(self) -> Node | None:
        """Return the Node of the worker that runs now."""
        pid = self.pids().get("worker", 0)
        return Node.objects.filter(kind=Node.Kind.WORKER, name=self.name, pid=pid, stopped_at=None).first()

    def worker_tree(self) -> list[int]:
        """Return the pid of the worker, then those of its prefork children."""
        worker = self.pid("worker")
        return [worker, *children_of(worker)]

    def everything(self) -> list[int]:
        """Return every pid of the node: the supervisor, then all that it started, and their children."""
        assert self.child.pid is not None
        parts = list(self.pids().values())
        return [self.child.pid, *parts, *(pid for part in parts for pid in children_of(part))]

    def logs(self) -> list[Path]:
        return sorted(self.log_dir.glob(f"{self.name}.*log"))

    def last_words(self) -> str:
        """Return the end of what each process of the node has logged."""
        ends = ((log.name, log.read_text(errors="replace").splitlines()[-LAST_WORDS:]) for log in self.logs())
        return "\n".join(f"{name}: {line}" for name, lines in ends for line in lines)

    def said(self, text: str) -> bool:
        """Tell whether a process of the node has logged the text."""
        return any(text in log.read_text(errors="replace") for log in self.logs())


def _environment(ground: Ground) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url(),
        **ground.told,
        "SECRET_KEY": settings.SECRET_KEY,
        "ROADSTEAD_ENV_FILE": os.devnull,
        "API_PROCESSES": "1",
        "ROADSTEAD_RATE_PROJECT": "0",
        "API_DRAIN": "0",
        "BAY_DRIVERS": "tests.faults.driver.TinyDriver",
    }
