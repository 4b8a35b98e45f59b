"""What back-ends report: each minute and soon after each change, by whichever node that serves them comes first.

A back-end that cannot be asked is marked down by that evidence and asked again every few seconds until it answers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from functools import cache

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from lifecycle import leases, local
from volumes import storage
from volumes.backends.base import GIB, BackendError, PoolStats
from volumes.backends.registry import Configured
from volumes.models import Connection, Pool, ServiceState, Snapshot, Volume

log = structlog.get_logger(__name__)

AGAIN = timedelta(seconds=5)  # until a back-end that is down is asked again
SLICE = 1000  # rows that a back-end's return may set going at once; what waits besides comes by its own time


def report(*, now: bool = False) -> int:
    """Ask the back-ends whose report is due (or `now`, all) and that this node serves; return how many reported."""
    served = ServiceState.serving()
    if not served:
        return 0
    _seed_once(settings.BACKENDS_FILE)
    return sum(_ask(storage.configured()[name]) for name in (served if now else _due(served)))


def seed() -> None:
    """Have a row for each configured pool. One that is configured no more keeps its row."""
    rows = [
        Pool(id=f"{name}#{pool}", backend=name, name=pool, availability_zone=_zone(each))
        for name, each in storage.configured().items()
        for pool in each.backend.pools()
    ]
    Pool.objects.bulk_create(rows, ignore_conflicts=True)


@cache
def _seed_once(path: str) -> None:
    """Once a process is enough: the file is read when a process begins."""
    if path:
        seed()


def _due(served: Iterable[str]) -> set[str]:
    """Take the back-ends that are due, so that no other tick asks them too."""
    with transaction.atomic():
        due = Pool.objects.select_for_update(skip_locked=True).filter(
            backend__in=served, report_due__lte=Now()
        )
        taken = {pool.pk: pool.backend for pool in due}
        # Whoever dies while it asks is followed soon; the report itself puts the next one off.
        Pool.objects.filter(pk__in=taken).update(report_due=Now() + AGAIN)
    return set(taken.values())


def _ask(each: Configured) -> bool:
    try:
        stats = each.backend.stats()
    except BackendError as error:
        storage.mark_down(each.name, error)
        Pool.objects.filter(backend=each.name).update(report_due=Now() + AGAIN, down_reason=error.reason)
        return False
    was_down = Pool.objects.filter(backend=each.name, down_since__isnull=False).exists()
    for pool in stats:
        _write(each, pool)
    if was_down:
        log.info("a back-end is up again", backend=each.name)
        _go_on(each.name)
    return True


def _go_on(backend: str) -> None:
    """Make due at once what has failed on the back-end while it was down, and would wait for up to a minute more."""
    for model in (Volume, Snapshot, Connection):
        waiting = Q(backend=backend, holder=None, retries__gt=0, not_before__gt=Now())
        leases.take_slice(model, waiting, limit=SLICE, values={"not_before": Now(), "rung_at": None})


def _write(each: Configured, stats: PoolStats) -> None:
    reserved = stats.total * each.reserved_percentage // 100
    Pool.objects.filter(pk=f"{each.name}#{stats.name}").update(
        availability_zone=_zone(each),
        total_gb=stats.total / GIB,
        free_gb=stats.free / GIB,
        provisioned_gb=stats.provisioned / GIB,
        capabilities={"volume_backend_name": each.name, **stats.capabilities, **each.capabilities},
        over_provisioning=each.over_provisioning,
        reserved_percentage=each.reserved_percentage,
        promisable_gb=_promisable(stats.total - reserved, each.over_provisioning),
        free_promisable_gb=_promisable(stats.free - reserved, each.over_provisioning),
        report_due=Now() + timedelta(seconds=settings.POOL_REPORT),
        reported_at=Now(),
        reported_by=local.node_name,
        down_since=None,
        down_reason="",
    )


def _zone(each: Configured) -> str:
    return each.availability_zone or settings.AVAILABILITY_ZONE


def _promisable(left: int, ratio: float) -> int:
    return max(math.floor(left / GIB * ratio), 0)
