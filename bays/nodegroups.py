"""The node groups of a bay beyond its two default ones: one row each.

The default groups are the bay's own row, seen as groups (decision 0023). Whoever writes a group's row has won the
bay's row in the same transaction, or holds its lease; so of any changes to a bay and its groups one goes first.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from bays.states import Status

DEFAULT_WORKER = "default-worker"
DEFAULT_MASTER = "default-master"
LEAVING = (Status.DELETE_IN_PROGRESS, Status.DELETE_FAILED)
NEW = (Status.CREATE_IN_PROGRESS, Status.CREATE_FAILED)


class NodeGroupQuerySet(models.QuerySet["NodeGroup"]):
    def staying(self) -> NodeGroupQuerySet:
        """Those that are part of what the bay should be."""
        return self.exclude(status__in=LEAVING)

    def settle(self) -> None:
        """Write down that the stack is what it should be: what was to go is gone, all others are complete."""
        self.filter(status__in=LEAVING).delete()
        done = Case(
            When(status__in=NEW, then=Value(Status.CREATE_COMPLETE)), default=Value(Status.UPDATE_COMPLETE)
        )
        unsettled = self.exclude(status__in=[Status.CREATE_COMPLETE, Status.UPDATE_COMPLETE])
        unsettled.update(status=done, status_reason="", updated_at=Now())

    def fail(self, reason: str) -> None:
        """Write down that what was being done to these groups has failed."""
        failed = Case(
            When(status=Status.CREATE_IN_PROGRESS, then=Value(Status.CREATE_FAILED)),
            When(status=Status.DELETE_IN_PROGRESS, then=Value(Status.DELETE_FAILED)),
            default=Value(Status.UPDATE_FAILED),
        )
        under_way = self.filter(status__endswith="_IN_PROGRESS")
        under_way.update(status=failed, status_reason=reason, updated_at=Now())


class NodeGroup(models.Model):
    """Nodes of one kind in a bay: a part of the bay's stack, with a count of its own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    bay = models.ForeignKey("bays.Bay", on_delete=models.CASCADE, related_name="nodegroups", db_index=False)
    name = models.CharField(max_length=255)
    role = models.CharField(max_length=255, default="worker")
    node_count = models.IntegerField(default=1)
    min_node_count = models.IntegerField(default=0)
    max_node_count = models.IntegerField(null=True, blank=True)
    flavor_id = models.CharField(max_length=255, null=True, blank=True)
    image_id = models.CharField(max_length=255, null=True, blank=True)
    docker_volume_size = models.IntegerField(null=True, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=32, default=Status.CREATE_IN_PROGRESS)
    status_reason = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    objects = NodeGroupQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bay", "name"], name="nodegroup_name_is_the_bays_only"),
            models.CheckConstraint(
                name="nodegroup_counts_are_sane",
                condition=Q(min_node_count__gte=0, node_count__gte=F("min_node_count"))
                & (Q(max_node_count=None) | Q(max_node_count__gte=F("node_count"))),
            ),
        ]

    def __str__(self) -> str:
        return self.name
