"""What the back-ends are, as their pools report it: up or down, in which zone, and who stores how much in them.

A back-end as a whole has the address `roadstead@<back-end>`, its pools `roadstead@<back-end>#<pool>`: all nodes that
serve it are alike, so none of them is part of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db.models import (
    BooleanField,
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
    Sum,
)
from django.db.models.functions import Now

from volumes.models import Pool, Snapshot, Volume

COLUMNS: Final = ("project_id", "count", "sum")
ANY_NODE: Final = "roadstead"  # in the place of a node's name: whichever serves the back-end


@dataclass(frozen=True, slots=True)
class BackendState:
    """A back-end as a whole. What operators say of it is written to all its pools."""

    name: str
    zone: str
    up: bool
    disabled: bool = False
    disabled_reason: str | None = None
    frozen: bool = False

    @property
    def address(self) -> str:
        return address(self.name)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a project, or all of them, stores in a back-end."""

    volumes: int = 0
    volume_gb: int = 0
    snapshots: int = 0
    snapshot_gb: int = 0


def address(backend: str, pool: str = "") -> str:
    """Return the `host` of what is stored in a back-end, or in one of its pools."""
    return f"{ANY_NODE}@{backend}#{pool}" if pool else f"{ANY_NODE}@{backend}"


def reported() -> QuerySet[Pool]:
    """Return the pools, each with `up` and, by the database's clock, the `age` of its last report."""
    fresh = Now() - timedelta(seconds=settings.POOL_STALE)
    return Pool.objects.order_by("pk").annotate(
        up=ExpressionWrapper(
            Q(down_since__isnull=True, reported_at__isnull=False, reported_at__gt=fresh), BooleanField()
        ),
        age=ExpressionWrapper(Now() - F("reported_at"), DurationField()),
    )


def backends() -> dict[str, BackendState]:
    """Return the back-ends by name."""
    pools: defaultdict[str, list[Pool]] = defaultdict(list)
    for pool in reported():
        pools[pool.backend].append(pool)
    return {name: _state(name, of_it) for name, of_it in pools.items()}


def zones() -> Mapping[str, bool]:
    """Return the availability zones, and whether any pool of each takes new volumes now."""
    found = dict.fromkeys(Pool.objects.values_list("availability_zone", flat=True).distinct(), False)
    found.setdefault(settings.AVAILABILITY_ZONE, False)
    available = Pool.objects.open().values_list("availability_zone", flat=True).distinct()
    return {**dict(sorted(found.items())), **dict.fromkeys(available, True)}


def usage_of(backend: str) -> dict[str, Usage]:
    """Return what each project stores in a back-end, by its id."""
    volumes = Volume.objects.filter(backend=backend).values("project_id").order_by("project_id")
    snapshots = Snapshot.objects.filter(backend=backend).values("project_id").order_by("project_id")
    usage: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for project, count, size in volumes.annotate(count=Count("pk"), sum=Sum("size")).values_list(*COLUMNS):
        usage[project][:2] = [count, size]
    for project, count, size in snapshots.annotate(count=Count("pk"), sum=Sum("size")).values_list(*COLUMNS):
        usage[project][2:] = [count, size]
    return {project: Usage(*numbers) for project, numbers in sorted(usage.items())}


def total(usages: Mapping[str, Usage]) -> Usage:
    """Return what all projects store together."""
    return Usage(
        sum(usage.volumes for usage in usages.values()),
        sum(usage.volume_gb for usage in usages.values()),
        sum(usage.snapshots for usage in usages.values()),
        sum(usage.snapshot_gb for usage in usages.values()),
    )


def _state(name: str, pools: list[Pool]) -> BackendState:
    told = next((pool for pool in pools if pool.disabled), None)
    return BackendState(
        name,
        zone=pools[0].availability_zone,
        up=any(getattr(pool, "up", False) for pool in pools),
        disabled=told is not None,
        disabled_reason=(told.disabled_reason or None) if told else None,
        frozen=any(pool.frozen for pool in pools),
    )
