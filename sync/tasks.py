"""The synchronizer's jobs as Celery tasks. A tick is never redelivered: the next one does its work."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.conf import settings

from lifecycle import local
from sync import history, orphans, pools, stacks, storage
from sync.sweep import sweep as run_sweep


def node_queue(name: str) -> str:
    """Return the queue that one node alone consumes, by its name."""
    return f"node.{name}"


TICK: dict[str, Any] = {"acks_late": False, "ignore_result": True}


@shared_task(name="sync.sweep", **TICK)
def sweep(**_: object) -> None:
    """Ring for due rows that nobody holds."""
    run_sweep()


@shared_task(name="sync.watch_stacks", **TICK)
def watch_stacks(**_: object) -> None:
    """Wake the bays whose stack has moved."""
    if local.may_claim() and settings.CLOUD_VARIABLES:
        stacks.watch()


@shared_task(name="sync.observe_drift", **TICK)
def observe_drift(**_: object) -> None:
    """Record the health of settled bays."""
    if local.may_claim() and settings.CLOUD_VARIABLES:
        stacks.drift()


@shared_task(name="sync.remove_orphans", **TICK)
def remove_orphans(**_: object) -> None:
    """Delete stacks that no bay owns."""
    if local.may_claim() and settings.CLOUD_VARIABLES:
        orphans.remove_orphans()


@shared_task(name="sync.report_pools", **TICK)
def report_pools(*, now: object = False, **_: object) -> None:
    """Ask the back-ends that this node serves for what they have and can do; `now`, whether or not they are due."""
    if local.may_claim():
        pools.report(now=now is True)


@shared_task(name="sync.compare_storage", **TICK)
def compare_storage(**_: object) -> None:
    """Look for files without rows and rows without files."""
    if local.may_claim():
        storage.tell()


@shared_task(name="sync.forget_nodes", **TICK)
def forget_nodes(**_: object) -> None:
    """Delete the rows of nodes that are long gone and hold nothing."""
    history.forget_nodes()


@shared_task(name="sync.forget_history", **TICK)
def forget_history(**_: object) -> None:
    """Delete operations and events older than the retention."""
    history.forget_history()
