"""One whole node: API, worker and beat under a parent that restarts what dies and gives up its leases."""

from __future__ import annotations

import os
import sys
import threading
import uuid
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from deploy.forkserver import Forkserver
from deploy.supervise import Child, Supervisor
from lifecycle import leases
from lifecycle.models import Node
from project import gunicorn
from sync.sweep import ring_anew
from sync.tasks import node_queue
from volumes.models.volumes import queue_of
from workers import bell
from workers.bootsteps import bell_of, leased_models

ROLES = ("api", "worker", "beat")
STOPPING = 5.0  # seconds that the API takes to end after its last request


class Command(BaseCommand):
    help = "Run a whole node (API, worker, beat) in the foreground; SIGTERM drains it."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--name", default=os.uname().nodename, help="the node's label (default: host name)"
        )
        parser.add_argument("--host", default="127.0.0.1", help="address of the API")
        parser.add_argument("--port", type=int, default=8000, help="port of the API")
        parser.add_argument(
            "--roles", type=_roles, default=ROLES, help="what it runs (default: api,worker,beat)"
        )
        parser.add_argument("--concurrency", type=int, default=settings.CELERY_WORKER_CONCURRENCY)
        parser.add_argument("--log-dir", type=Path, help="one log file per process (default: standard error)")
        pid_file = os.environ.get("ROADSTEAD_PID_FILE")
        parser.add_argument(
            "--pid-file",
            type=Path,
            default=Path(pid_file) if pid_file else None,
            help="where the pids of the node's processes are kept, as JSON",
        )

    def handle(self, *args: object, **options: Any) -> None:
        node = _NodeProcesses(options["name"], options["log_dir"])
        connection.close()
        children = {
            "api": node.child("api", _api(options["host"], options["port"]), Node.Kind.API),
            "worker": node.child(
                "worker", _worker(options["name"], options["concurrency"]), Node.Kind.WORKER
            ),
            "beat": node.child("beat", _beat(), Node.Kind.BEAT),
        }
        running = [children[role] for role in options["roles"]]
        if settings.HEAT_NOTIFICATIONS_URL and "worker" in options["roles"]:
            running.append(node.child("notifications", _notifications()))
        supervisor = Supervisor(
            [node.forkserver, *running],
            grace=max(settings.STEP_LIMIT, gunicorn.drain + gunicorn.graceful_timeout + STOPPING),
            pid_file=options["pid_file"],
        )
        threading.Thread(target=bell.warm_up, daemon=True).start()
        sys.exit(supervisor.run())


class _NodeProcesses:
    """The children of one node: each incarnation of each is a Node of its own."""

    def __init__(self, name: str, log_dir: Path | None) -> None:
        self._name = name
        self._log_dir = log_dir
        warm = Forkserver(["project.warm"])
        self.forkserver = Child(
            "forkserver", warm.argv, log=self._log("forkserver"), cwd=settings.BASE_DIR, serves=warm
        )

    def _log(self, role: str) -> Path | None:
        return self._log_dir / f"{self._name}.{role}.log" if self._log_dir else None

    def child(self, role: str, argv: list[str], kind: Node.Kind | None = None) -> Child:
        def environment() -> dict[str, str]:
            return {"ROADSTEAD_NODE_ID": str(uuid.uuid4()), "ROADSTEAD_NODE_NAME": self._name}

        on_death = give_up_node if kind is Node.Kind.WORKER else None
        warm = self.forkserver.serves
        return Child(
            role,
            argv,
            env=environment,
            log=self._log(role),
            on_death=on_death,
            cwd=settings.BASE_DIR,
            warm=warm,
        )


def give_up_node(child: Child, pid: int, status: int) -> None:
    """Give up what a dead worker held and ring for it. Its children died with it, so nothing of it runs."""
    node_id = uuid.UUID(child.environment["ROADSTEAD_NODE_ID"])
    try:
        for model in leased_models():
            rows = leases.give_up(model, node_id, why=f"worker {pid} ended with status {status}")
            bell.ring_all(bell_of(model), rows)
        ring_anew()
        Node.objects.filter(pk=node_id, stopped_at=None).update(stopped_at=Now())
    except DatabaseError as error:
        sys.stderr.write(f"could not give up the leases of worker {pid}; they will run out: {error}\n")
    finally:
        connection.close()


def _roles(text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(text.split(",")))
    if unknown := set(chosen) - set(ROLES):
        raise ArgumentTypeError(f"{', '.join(sorted(unknown))}: not of {', '.join(ROLES)}")
    return chosen


def _api(host: str, port: int) -> list[str]:
    bind = f"{host}:{port}"
    return [sys.executable, "-m", "gunicorn", "-c", "python:project.gunicorn", "-b", bind, "project.wsgi"]


def _worker(name: str, concurrency: int) -> list[str]:
    queues = ",".join(
        ["bells", "ticks", node_queue(name), *(queue_of(backend) for backend in settings.SERVES)]
    )
    options = ["-Q", queues, "-n", f"{name}@%h", "-c", str(concurrency), "-P", "prefork"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", settings.LOG_LEVEL]
    return [sys.executable, "-m", "celery", "-A", "project", "worker", *options, *quiet]


def _beat() -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "project", "beat", "-l", settings.LOG_LEVEL, "--pidfile="]


def _notifications() -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), "hear_heat"]
