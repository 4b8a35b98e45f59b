"""The sweep: ring the bell again for due rows that nobody holds.

It is what makes a lost message, a wiped broker and a dead node cost time only. It rings at most once per
RING_INTERVAL for a row, so that any number of waiting rows makes no storm.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from lifecycle import leases
from sync.registry import RESOURCES, Resource
from workers import bell

SLICE = 500
SLICES = 4  # a tick; more than a second's worth for any pool, and the next tick goes on


def sweep() -> int:
    """Ring for every due row that has not been rung for lately; return how many bells were published."""
    silent = Q(rung_at=None) | Q(rung_at__lte=Now() - timedelta(seconds=settings.RING_INTERVAL))
    total = 0
    for resource in RESOURCES:
        _wake_the_overdue(resource)
        for _ in range(SLICES):
            if not (rung := _ring(resource, silent)):
                break
            total += rung
    return total


def _wake_the_overdue(resource: Resource) -> None:
    """Make watched rows due whose deadline has passed, whether or not anybody can look at what they wait for."""
    overdue = Q(watched=True, deadline_at__lt=Now())
    values = {"watched": False, "not_before": Now(), "rung_at": None}
    leases.take_slice(resource.model, overdue, limit=SLICE, values=values)


def ring_anew() -> int:
    """Ring for a slice of due rows whenever they were last rung for; return how many bells were published.

    For when a worker has died: it took the bells with it that it had received and not yet answered.
    """
    return sum(_ring(resource, Q()) for resource in RESOURCES)


def _ring(resource: Resource, rung_for: Q) -> int:
    """Ring for one slice; 0 if there is none, or the broker takes no more."""
    rows = leases.take_slice(resource.model, leases.due() & rung_for, limit=SLICE, values={"rung_at": Now()})
    return bell.ring_all(resource.advance, (row.pk for row in rows))
