"""The rows of the core: Node, Operation, Event, and the columns that every leased resource has.

Who writes what: the API swaps a resource to a busy state and inserts its Operation; the holder of a row's
lease moves it and inserts the Event; a node writes its own Node row. Nobody else writes any of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Cast, Now

from lifecycle.machine import Machine

BELLS = "bells"  # the queue of work that every node can do


class NodeQuerySet(models.QuerySet["Node"]):
    def alive(self) -> NodeQuerySet:
        """Nodes that have been heard of within their ttl, by the database's clock."""
        return self.filter(stopped_at=None, seen_at__gt=Now() - F("ttl"))

    def lost(self) -> NodeQuerySet:
        """Nodes that went silent without saying goodbye."""
        return self.filter(stopped_at=None, seen_at__lte=Now() - F("ttl"))

    def settled_before(self, age: timedelta) -> NodeQuerySet:
        """Nodes, stopped or lost, that were last heard of longer ago than `age`."""
        return self.filter(seen_at__lt=Now() - age)


class Node(models.Model):
    """One process incarnation. A restarted process is another node; the host's name is only a label."""

    class Kind(models.TextChoices):
        WORKER = "worker"
        BEAT = "beat"
        API = "api"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    name = models.CharField(max_length=255)
    hostname = models.CharField(max_length=255)
    pid = models.IntegerField()
    ttl = models.DurationField()
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True, blank=True)
    draining = models.BooleanField(db_default=False)
    serves = models.JSONField(default=list, blank=True)
    """The names of the storage back-ends that this process reaches and does work for."""
    stale_refused = models.BigIntegerField(db_default=0)
    """How many stale writes of this node were refused: each one is a double that did not happen."""

    objects = NodeQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} {self.kind} {str(self.pk)[:8]}"


class Operation(models.Model):
    """The record of one request: who asked what of which resource, and what became of it.

    It outlives its resource, so it names it by id and holds no foreign key to it.
    """

    class State(models.TextChoices):
        IN_PROGRESS = "IN_PROGRESS"
        COMPLETE = "COMPLETE"
        FAILED = "FAILED"
        SUPERSEDED = "SUPERSEDED"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    resource_type = models.CharField(max_length=32)
    resource_id = models.UUIDField()
    resource_name = models.CharField(max_length=255)
    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    request_id = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=32)
    params = models.JSONField(default=dict)
    alike = models.CharField(max_length=255, blank=True, default="", db_default="")
    """What takes about as long, if it is done to the same kind of resource: see `Leased.alike`."""
    state = models.CharField(max_length=16, choices=State.choices, default=State.IN_PROGRESS)
    reason = models.TextField(blank=True)
    accepted_epoch = models.BigIntegerField(default=0)
    attempts = models.IntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["resource_id"], condition=Q(finished_at=None), name="one_open_operation_per_resource"
            ),
            models.CheckConstraint(
                name="operation_is_finished_or_in_progress",
                condition=Q(state="IN_PROGRESS", finished_at=None)
                | (~Q(state="IN_PROGRESS") & Q(finished_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(fields=["project_id", "-created_at", "id"], name="operation_by_project"),
            models.Index(fields=["resource_id", "-created_at"], name="operation_by_resource"),
            models.Index(fields=["finished_at"], name="operation_by_age"),
            models.Index(
                fields=["resource_type", "action", "alike", "-finished_at"],
                name="operation_alike",
                condition=Q(state="COMPLETE", alike__gt=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.resource_type} {self.resource_name}"


class Event(models.Model):
    """One row per move of a resource, per lost lease and per retry, in the transaction that made it.

    Events are told in the order of `turn` and `id` (see `lifecycle.feed`). Of one resource they are numbered by `id` in
    the order in which they happened.
    """

    id = models.BigAutoField(primary_key=True)
    turn = models.BigIntegerField(
        db_default=Cast(
            Cast(Func(function="pg_current_xact_id"), models.TextField()), models.BigIntegerField()
        )
    )
    """The number of its transaction, or that of an earlier event of the resource, whichever is greater. From before
    there were turns, and from another installation: 0."""
    project_id = models.CharField(max_length=64, null=True)
    """Whose the resource was; unknown only of what a node of an earlier release wrote."""
    at = models.DateTimeField(db_default=Now(), db_index=True)
    resource_type = models.CharField(max_length=32)
    resource_id = models.UUIDField()
    operation_id = models.UUIDField(null=True)
    event = models.CharField(max_length=32)
    from_status = models.CharField(max_length=32)
    to_status = models.CharField(max_length=32)
    epoch = models.BigIntegerField()
    node_id = models.UUIDField(null=True)
    reason = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["resource_id", "id"], name="event_by_resource"),
            models.Index(fields=["project_id", "resource_type", "turn", "id"], name="event_by_project"),
            models.Index(fields=["resource_type", "turn", "id"], name="event_in_turn"),
        ]

    def __str__(self) -> str:
        return f"{self.resource_type} {self.event}: {self.from_status} -> {self.to_status}"


class Leased(models.Model):
    """A resource whose row is its own queue, lock and truth.

    `machine` is the transition table of `status`. All columns below are written through `lifecycle.leases`
    and `lifecycle.requests` only, each write one guarded UPDATE.
    """

    machine: ClassVar[Machine]
    resting: ClassVar[Mapping[str, object]] = {}
    """What further columns are whenever the row comes to rest: those that belong to work under way."""
    owned_by: ClassVar[str] = "won.project_id"
    """Whose the row is, as SQL, of a row that was written as `won`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(max_length=32)
    status_reason = models.TextField(blank=True, default="")
    operation = models.ForeignKey(
        Operation, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # The lease. PROTECT: the database refuses to forget a node that still holds work.
    holder = models.ForeignKey(
        Node, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    holder_pid = models.IntegerField(null=True, blank=True)
    epoch = models.BigIntegerField(db_default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    taken_from = models.UUIDField(null=True, blank=True)  # the holder that was lost, until the work goes on
    # The queue.
    not_before = models.DateTimeField(db_default=Now())
    rung_at = models.DateTimeField(null=True, blank=True)
    watched = models.BooleanField(db_default=False)  # waits for an observation, not for work
    deadline_at = models.DateTimeField(null=True, blank=True)
    attempts = models.IntegerField(db_default=0)  # claims since a step last ended; counted before the work
    retries = models.IntegerField(db_default=0)  # Retry outcomes in a row; makes them come slower
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def queue(self) -> str:
        """The Celery queue in which this row's bell is rung: that of the workers that can do its work."""
        return BELLS

    def alike(self, event: str, values: Mapping[str, object], size: int | None) -> str:  # noqa: ARG002 - for overriding
        """Return what else is asked of such rows that takes about as long, by where it is done and how large it is.

        Asked before the request's `values` are written; `size` is how much work it is, where the request says so.
        """
        return ""

    @classmethod
    def within_reach(cls) -> dict[str, object]:
        """Return the conditions, on own columns, that tell the rows whose work this node can do."""
        return {}


def guards(machine: Machine) -> list[models.BaseConstraint]:
    """Return the CHECK constraints that a leased model's table must have, derived from its machine."""
    name = machine.name
    busy = Q(status__in=list(machine.busy))
    held = Q(holder__isnull=False)
    return [
        models.CheckConstraint(
            name=f"{name}_status_is_known", condition=Q(status__in=list(machine.statuses))
        ),
        models.CheckConstraint(
            name=f"{name}_is_held_if_leased",
            condition=Q(held, lease_until__isnull=False, holder_pid__isnull=False)
            | Q(holder=None, lease_until=None, holder_pid=None),
        ),
        models.CheckConstraint(name=f"{name}_is_busy_if_held", condition=Q(holder=None) | busy),
        models.CheckConstraint(
            name=f"{name}_is_owed_if_busy",
            condition=(busy & Q(deadline_at__isnull=False, operation__isnull=False))
            | (~busy & Q(deadline_at=None, operation=None, watched=False)),
        ),
    ]


def indexes(machine: Machine) -> list[models.Index]:
    """Return the partial indexes that keep the sweep's and the heartbeat's cost at that of the busy rows."""
    return [
        models.Index(
            fields=["watched", "not_before"],
            name=f"{machine.name}_due",
            condition=Q(status__in=list(machine.busy)),
        ),
        models.Index(fields=["holder"], name=f"{machine.name}_held", condition=Q(holder__isnull=False)),
        # Without it, deleting an old Operation would scan the table for rows that refer to it.
        models.Index(
            fields=["operation"], name=f"{machine.name}_operation", condition=Q(operation__isnull=False)
        ),
    ]
