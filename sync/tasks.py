"""The synchronizer's jobs as Celery tasks. A tick is never redelivered: the next one does its work.

Ticks do not expire either, for that would take clocks that agree. Where they have piled up, because no worker ran for
an hour, a process does the job once and takes the others as done.
"""

from __future__ import annotations

import time
from typing import Any

from celery import shared_task
from django.conf import settings

from lifecycle import local
from sync import history, orphans, pools, progress, stacks, storage, trusts
from sync.sweep import sweep as run_sweep
from workers.queues import NODE


def node_queue(name: str) -> str:
    """Return the queue that one node alone consumes, by its name."""
    return f"{NODE}{name}"


TICK: dict[str, Any] = {"acks_late": False, "ignore_result": True}
_begun: dict[str, float] = {}  # by job, on the monotonic clock


def _lately(job: str) -> bool:
    """Tell whether this process has just begun the job; if not, it has now."""
    now = time.monotonic()
    if now - _begun.get(job, -settings.TICK_REST) < settings.TICK_REST:
        return True
    _begun[job] = now
    return False


@shared_task(name="sync.sweep", **TICK)
def sweep(**_: object) -> None:
    """Ring for due rows that nobody holds."""
    if not _lately("sweep"):
        run_sweep()


@shared_task(name="sync.watch_stacks", **TICK)
def watch_stacks(**_: object) -> None:
    """Wake the bays whose stack has moved."""
    if local.may_claim() and settings.CLOUD_VARIABLES and not _lately("watch"):
        stacks.watch()


@shared_task(name="sync.find_missing_stacks", **TICK)
def find_missing_stacks(**_: object) -> None:
    """Wake the waiting bays whose stack is not in Heat any more."""
    if local.may_claim() and settings.CLOUD_VARIABLES and not _lately("missing"):
        stacks.find_missing()


@shared_task(name="sync.observe_progress", **TICK)
def observe_progress(**_: object) -> None:
    """Write down how many nodes of the bays that take their time are done."""
    if local.may_claim() and settings.CLOUD_VARIABLES and not _lately("progress"):
        progress.observe_progress()


@shared_task(name="sync.observe_drift", **TICK)
def observe_drift(**_: object) -> None:
    """Record the health of settled bays."""
    if local.may_claim() and settings.CLOUD_VARIABLES and not _lately("drift"):
        stacks.drift()


@shared_task(name="sync.remove_orphans", **TICK)
def remove_orphans(**_: object) -> None:
    """Delete stacks that no bay owns."""
    if local.may_claim() and settings.CLOUD_VARIABLES and not _lately("orphans"):
        orphans.remove_orphans()
        orphans.remove_orphans_of_owners()


@shared_task(name="sync.remove_trusts", **TICK)
def remove_trusts(**_: object) -> None:
    """Remove delegations that no bay keeps."""
    if local.may_claim() and settings.CLOUD_VARIABLES and not _lately("trusts"):
        trusts.remove_trusts()


@shared_task(name="sync.report_pools", **TICK)
def report_pools(*, now: object = False, **_: object) -> None:
    """Ask the back-ends that this node serves for what they have and can do; `now`, whether or not they are due."""
    at_once = now is True
    if local.may_claim() and (at_once or not _lately("pools")):
        pools.report(now=at_once)


@shared_task(name="sync.compare_storage", **TICK)
def compare_storage(**_: object) -> None:
    """Look for files without rows and rows without files."""
    if local.may_claim() and not _lately("storage"):
        storage.tell()


@shared_task(name="sync.forget_nodes", **TICK)
def forget_nodes(**_: object) -> None:
    """Delete the rows of nodes that are long gone and hold nothing."""
    history.forget_nodes()


@shared_task(name="sync.forget_history", **TICK)
def forget_history(**_: object) -> None:
    """Delete operations and events older than the retention."""
    history.forget_history()
