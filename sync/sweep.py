"""The sweep: ring the bell again for due rows that nobody holds.

It is what makes a lost message, a wiped broker and a dead node cost time only. It rings at most once per
RING_INTERVAL for a row, so that any number of waiting rows makes no storm.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Q, Value
from django.db.models.functions import Now

from lifecycle import leases
from lifecycle.models import BELLS
from sync.registry import RESOURCES, Resource
from workers import bell

SLICE = 500
OVERDUE = Q(deadline_at__lt=Now())  # rung where every worker hears it: to fail it needs no storage
SLICES = 4  # a tick; more than a second's worth for any pool, and the next tick goes on


def sweep() -> int:
    """Ring for every due row that has not been rung for lately; return how many bells were published."""
    silent = Q(rung_at=None) | Q(rung_at__lte=Now() - timedelta(seconds=settings.RING_INTERVAL))
    total = 0
    for resource in _with_work(silent):
        _wake_the_overdue(resource)
        for wanted, queue in ((silent & _in_reach(resource), None), (silent & OVERDUE, BELLS)):
            for _ in range(SLICES):
                if not (rung := _ring(resource, wanted, queue)):
                    break
                total += rung
    return total


def _with_work(silent: Q) -> list[Resource]:
    """Return the resources of which any row is to be seen to, in one statement: most ticks have nothing to do."""
    first, *more = (
        resource.model._default_manager.filter(  # noqa: SLF001
            (OVERDUE & Q(watched=True)) | (leases.due() & silent & leases.claimable(resource.model)),
            status__in=list(resource.model.machine.busy),
        )
        .annotate(which=Value(number))
        .order_by()
        .values_list("which", flat=True)[:1]
        for number, resource in enumerate(RESOURCES)
    )
    return [RESOURCES[number] for number in first.union(*more, all=True)]


def _in_reach(resource: Resource) -> Q:
    """Rows whose work this node can do; for the others, those nodes sweep that can."""
    return Q(**resource.model.within_reach())


def _wake_the_overdue(resource: Resource) -> None:
    """Make watched rows due whose deadline has passed, whether or not anybody can look at what they wait for."""
    values = {"watched": False, "not_before": Now(), "rung_at": None}
    leases.take_slice(resource.model, OVERDUE & Q(watched=True), limit=SLICE, values=values)


def ring_anew() -> int:
    """Ring for a slice of due rows whenever they were last rung for; return how many bells were published.

    For when a worker has died: it took the bells with it that it had received and not yet answered.
    """
    return sum(_ring(resource, _in_reach(resource)) for resource in RESOURCES)


def _ring(resource: Resource, wanted: Q, queue: str | None = None) -> int:
    """Ring for one slice; 0 if there is none, or the broker takes no more."""
    rows = leases.take_slice(resource.model, leases.due() & wanted, limit=SLICE, values={"rung_at": Now()})
    return bell.ring_all(resource.advance, rows, queue=queue)
