"""Pools: what back-ends reported of them, and how much of each has been promised.

`allocated_gb` is the sum of the sizes of all rows that are or will be stored there. It changes in the very
transactions that accept and end them, so two schedulers cannot promise the same room twice.
"""

from __future__ import annotations

import time
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Least, Now

from lifecycle import local
from lifecycle.swap import Given, Part, Swap, rows_of

SOON = timedelta(seconds=1)
_served: tuple[float, list[str]] = (0.0, [])  # until when (monotonic), what


class PoolQuerySet(models.QuerySet["Pool"]):
    def open(self) -> PoolQuerySet:
        """Pools that take new volumes: reported lately, not down, not disabled, not frozen."""
        fresh = Now() - timedelta(seconds=settings.POOL_STALE)
        return self.filter(down_since=None, disabled=False, frozen=False, reported_at__gt=fresh)


class Pool(models.Model):
    """A named capacity of a back-end. The back-end's own state (down, disabled, frozen) is written to all its pools."""

    id = models.CharField(primary_key=True, max_length=255)  # backend#pool
    backend = models.CharField(max_length=63, db_index=True)
    name = models.CharField(max_length=63)
    availability_zone = models.CharField(max_length=255)
    # As last reported.
    total_gb = models.FloatField(default=0)
    free_gb = models.FloatField(default=0)
    provisioned_gb = models.FloatField(default=0)
    capabilities = models.JSONField(default=dict, blank=True)
    over_provisioning = models.FloatField(default=1)
    reserved_percentage = models.IntegerField(default=0)
    promisable_gb = models.BigIntegerField(db_default=0)  # what may be promised in all
    free_promisable_gb = models.BigIntegerField(
        db_default=0
    )  # what one volume may have, by what is really free
    reported_at = models.DateTimeField(null=True, blank=True)
    reported_by = models.CharField(max_length=255, blank=True)
    report_due = models.DateTimeField(db_default=Now())
    # What is promised.
    allocated_gb = models.BigIntegerField(db_default=0)
    # The state of the back-end.
    down_since = models.DateTimeField(null=True, blank=True)
    down_reason = models.TextField(blank=True, default="")
    disabled = models.BooleanField(default=False, db_default=False)
    disabled_reason = models.TextField(blank=True, default="")
    frozen = models.BooleanField(default=False, db_default=False)

    objects = PoolQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["backend", "name"], name="pool_is_named_once"),
            models.CheckConstraint(name="pool_promises_are_not_negative", condition=Q(allocated_gb__gte=0)),
        ]

    def __str__(self) -> str:
        return self.id

    @classmethod
    def reservation(cls, pk: str, size: int) -> Part:
        """Return the guarded write that promises `size` GiB of an open pool, if there is room.

        Of any number of transactions that want the last room, one gets it.
        """
        return _RESERVE.part(pk=pk, size=size, stale=timedelta(seconds=settings.POOL_STALE))

    @classmethod
    def reserve(cls, pk: str, size: int) -> Pool | None:
        """Promise `size` GiB of an open pool, inside the accepting transaction; None if there is no room."""
        rows = rows_of(cls, cls.reservation(pk, size))
        return rows[0] if rows else None

    @classmethod
    def release(cls, pk: str, size: int) -> None:
        """Take a promise back, inside the transaction that ends what it was made for."""
        _RELEASE.rows(pk=pk, size=size)

    @classmethod
    def exchange(cls, old: str, new: str, size: int) -> bool:
        """Take room in one pool instead of another; False, and to be rolled back, if the new one has none.

        In the order of their keys, so that two opposite exchanges cannot wait for each other.
        """
        if new < old and cls.reserve(new, size) is None:
            return False
        cls.release(old, size)
        return new < old or cls.reserve(new, size) is not None


_SIZE = Given("size", models.BigIntegerField())
_SOON = Least(F("report_due"), Now() + SOON)
_RESERVE = Swap(
    Pool,
    pk=Given("pk"),
    allocated_gb__lte=F("promisable_gb") - _SIZE,
    free_promisable_gb__gte=_SIZE,
    down_since=None,
    disabled=False,
    frozen=False,
    reported_at__gt=Now() - Given("stale", models.DurationField()),
    values={"allocated_gb": F("allocated_gb") + _SIZE, "report_due": _SOON},
)
_RELEASE = Swap(Pool, pk=Given("pk"), values={"allocated_gb": F("allocated_gb") - _SIZE, "report_due": _SOON})


class ServiceState(models.Model):
    """What an operator said of one node's service for one back-end: a node serves unless it is disabled here."""

    node = models.CharField(max_length=255)  # the node's name
    backend = models.CharField(max_length=63, blank=True)  # empty: the node's scheduler
    disabled = models.BooleanField(default=False)
    disabled_reason = models.CharField(max_length=255, null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "backend"], name="service_is_told_once")]

    def __str__(self) -> str:
        return f"{self.node}@{self.backend}"

    @classmethod
    def serving(cls) -> list[str]:
        """Return the back-ends whose work this process may take: those that its node reaches and was not told to leave.

        Asked at each claim, hence remembered for SERVING_CACHE seconds.
        """
        global _served  # noqa: PLW0603 - one node per process
        until, names = _served
        if not settings.SERVES or time.monotonic() < until:
            return names
        left = cls.objects.filter(node=local.node_name, disabled=True).values_list("backend", flat=True)
        names = sorted(set(settings.SERVES) - set(left))
        _served = (time.monotonic() + settings.SERVING_CACHE, names)
        return names
