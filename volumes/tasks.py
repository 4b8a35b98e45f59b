"""The worker's side of volumes, snapshots and connections: one bell, one claim, one step, one guarded write.

A bell may stand for several rows, so whoever answers it goes on with what is due.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from celery import Task, shared_task

from lifecycle.advance import End, Step, advance, go_on
from lifecycle.models import Leased
from volumes.ends import CONNECTION_ENDS, SNAPSHOT_ENDS, VOLUME_ENDS
from volumes.models import Connection, Snapshot, Volume
from volumes.steps import connections, snapshots, volumes
from workers import bell

L = TypeVar("L", bound=Leased)
BELL: dict[str, Any] = {"acks_late": True, "reject_on_worker_lost": True, "ignore_result": True}


@shared_task(name="volumes.advance_volume", **BELL)
def advance_volume(*, pk: str, **_: object) -> None:
    """Advance the volume that the bell was rung for. What else a message carries is not looked at."""
    _advance(advance_volume, Volume, pk, volumes.STEPS, VOLUME_ENDS)


@shared_task(name="volumes.advance_snapshot", **BELL)
def advance_snapshot(*, pk: str, **_: object) -> None:
    """Advance the snapshot that the bell was rung for."""
    _advance(advance_snapshot, Snapshot, pk, snapshots.STEPS, SNAPSHOT_ENDS)


@shared_task(name="volumes.advance_connection", **BELL)
def advance_connection(*, pk: str, **_: object) -> None:
    """Advance the connection that the bell was rung for."""
    _advance(advance_connection, Connection, pk, connections.STEPS, CONNECTION_ENDS)


def _advance(
    task: Task[Any, Any],
    model: type[L],
    pk: str,
    steps: Mapping[str, Step[L]],
    ends: Mapping[str, End[L]],
) -> None:
    try:
        ident = uuid.UUID(pk)
    except (ValueError, AttributeError, TypeError):
        return  # a forged message
    ring = partial(bell.ring, task)
    began = time.monotonic()
    row = advance(model, ident, steps, ends=ends)
    if row is not None:
        ring(row)
    if not task.request.called_directly:
        go_on(model, steps, ends=ends, ring=ring, since=began)
