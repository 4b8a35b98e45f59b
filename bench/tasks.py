"""The raw cost beside ours: a Celery application with our settings and tasks that do nothing, in a queue of its own.

Run by workers that `bench.workers` starts. A task leaves a line in a file, which costs microseconds: a result back-end
would cost as much as the task.
"""

from __future__ import annotations

import os
import time
from functools import cache

from celery import Celery

QUEUE = "bench"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

app = Celery("bench")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_default_queue = QUEUE
app.conf.task_routes = {}


@app.task(name="bench.noop")
def noop(number: int) -> None:
    """Do nothing, and leave word that it was done."""
    _mark(number)


@app.task(name="bench.add")
def add(number: int, x: int, y: int) -> int:
    """Add two numbers, as the spike of 2011 did."""
    _mark(number)
    return x + y


def _mark(number: int) -> None:
    os.write(_file(os.getpid()), f"{number} {time.monotonic_ns()}\n".encode())


@cache
def _file(_pid: int) -> int:
    return os.open(os.environ["BENCH_MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
