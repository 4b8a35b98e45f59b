"""How a Celery worker takes part: heartbeat, giving up a dead child's leases, draining.

Its prefork children die with it: Celery has the kernel see to that (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import os
from typing import Any

import structlog
from celery import bootsteps, current_app, signals
from django.apps import apps
from django.conf import settings

from lifecycle import local
from lifecycle.models import Leased, Node
from workers import bell
from workers.heartbeat import Heartbeat, Holder, Rows
from workers.watchdog import Watchdog, end_this_process

log = structlog.get_logger(__name__)


class LeaseKeeper(bootsteps.StartStopStep):
    """Keeps the leases of a worker for as long as anything in it may hold one."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        holder = Holder(
            models=leased_models(),
            children=lambda: [child.pid for child in getattr(worker.pool._pool, "_pool", None) or ()],  # noqa: SLF001
            given_up=_ring_again,
            forgotten=end_this_process,
        )
        self.heartbeat = Heartbeat(Node.Kind.WORKER, holder)

    def start(self, worker: Any) -> None:
        """Register before the first bell is heard."""
        self.heartbeat.begin()
        Watchdog(worker.app, leased_models(), end_this_process).start()
        # The pool is stopped after this step, with its last steps still running: end only when all is over.
        signals.worker_shutdown.connect(lambda **_: self.heartbeat.end(), weak=False)

    def close(self, worker: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Drain: steps that run may finish, nothing new is claimed."""
        local.drain()


@signals.worker_process_init.connect
def yield_to_others(**_: object) -> None:
    """Have the processes that take steps come after those that answer: what is owed is on record and can wait a little.

    Not their parent, whose heartbeat renews their leases.
    """
    os.nice(settings.WORKER_NICE)


def leased_models() -> list[type[Leased]]:
    """Return every model of a leased resource that is installed."""
    return [model for model in apps.get_models() if issubclass(model, Leased)]


def _ring_again(rows: Rows) -> None:
    for row in rows:
        bell.ring(bell_of(type(row)), row)


def bell_of(model: type[Leased]) -> Any:
    """Return the task that advances rows of a model: by convention `<app>.tasks.advance_<machine>`."""
    return current_app.tasks[f"{model._meta.app_label}.advance_{model.machine.name}"]  # noqa: SLF001
