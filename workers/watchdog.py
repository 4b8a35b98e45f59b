"""The watchdog: progress is liveness.

After a blip of its broker a Celery worker can be connected, answer pings and hear no bell any more. A worker
that has been idle while work that is due waits ends itself; its supervisor starts another. Ending an idle
worker costs nothing and is more certain than to mend its consumer from outside.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from celery import Celery, signals
from celery.worker import state
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Q
from django.db.models.functions import Now

from lifecycle import local
from lifecycle.models import Leased
from workers.queues import delete_dead

log = structlog.get_logger(__name__)

LOOKS = 3  # per STALL


class Watchdog(threading.Thread):
    """Ends this worker if it hears no bell for STALL seconds while work waits for longer than that."""

    def __init__(self, app: Celery, models: Sequence[type[Leased]], end: Callable[[], None]) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._app = app
        self._models = models
        self._end = end
        self._heard_at = time.monotonic()
        signals.task_received.connect(self._hear, weak=False)

    def run(self) -> None:
        while not local.draining():
            time.sleep(settings.STALL / LOOKS)
            if self.is_deaf():
                log.error("no bell was heard while work waits; the worker ends and is started anew")
                delete_dead(self._app)
                self._end()
                return

    def is_deaf(self) -> bool:
        """Tell whether this worker is idle although work waits that it could hear of."""
        if time.monotonic() - self._heard_at < settings.STALL or state.active_requests:
            return False
        try:
            waits = any(waiting(model) for model in self._models)
        except (DatabaseError, InterfaceError):
            return False
        finally:
            connection.close()
        return waits and self._broker_answers()

    def _hear(self, request: Any, **_: object) -> None:
        if not request.name.startswith("sync."):  # ticks come from another queue
            self._heard_at = time.monotonic()

    def _broker_answers(self) -> bool:
        """While the broker is gone Celery looks for it by itself, and no bell can be heard."""
        try:
            with self._app.connection_for_read() as broker:
                broker.ensure_connection(max_retries=1, timeout=2)
        except Exception:  # noqa: BLE001 - each transport has its own errors
            return False
        return True


def waiting(model: type[Leased]) -> bool:
    """Tell whether a row has been due for longer than STALL, and nobody holds it."""
    free = Q(holder=None) | Q(lease_until__lt=Now())
    late = Q(not_before__lt=Now() - timedelta(seconds=settings.STALL))
    rows = model._default_manager.filter(free, late, watched=False, **model.within_reach())  # noqa: SLF001
    return rows.filter(status__in=list(model.machine.busy)).exists()


def end_this_process() -> None:
    """Stop as an operator would; if that hangs too, at once."""
    os.kill(os.getpid(), signal.SIGTERM)
    timer = threading.Timer(settings.STEP_LIMIT, os._exit, [1])
    timer.daemon = True
    timer.start()
