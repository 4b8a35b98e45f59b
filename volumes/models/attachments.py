"""Who uses a volume, and from where.

An Attachment is a server's use of a volume: a record, moved together with its volume and under that row's lock.
A Connection is the way of one host to one volume: work done at the storage, hence leased. All attachments of a host
to a volume share one Connection, and it ends with the last of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from lifecycle.models import guards, indexes
from volumes.models.volumes import InPool, Volume
from volumes.states import ATTACHMENT_STATUSES, CONNECTION, RESERVED


class Connection(InPool):
    """A host's way to a volume; `info` is what the host needs to take it (Cinder's connection_info)."""

    machine = CONNECTION
    owned_by = "(SELECT project_id FROM volumes_volume WHERE volumes_volume.id = won.volume_id)"

    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="connections")
    host = models.CharField(max_length=255)
    connector = models.JSONField(default=dict)
    read_only = models.BooleanField(default=False)
    info = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [
            *guards(CONNECTION),
            models.UniqueConstraint(fields=["volume", "host"], name="connection_is_shared_by_a_host"),
        ]
        indexes = [*indexes(CONNECTION)]

    def __str__(self) -> str:
        return f"{self.host} to {self.volume_id}"

    def gigabytes(self, event: str, values: Mapping[str, object]) -> int:  # noqa: ARG002 - no byte is moved
        """Return nothing: it takes as long whatever the volume's size."""
        return 0


class Attachment(models.Model):
    """A server's (or a host's) use of a volume."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="attachments")
    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    instance_id = models.CharField(max_length=64, null=True, blank=True)
    host = models.CharField(max_length=255, null=True, blank=True)
    mountpoint = models.CharField(max_length=255, null=True, blank=True)
    mode = models.CharField(max_length=8, null=True, blank=True)
    status = models.CharField(max_length=32, default=RESERVED)
    connector = models.JSONField(null=True, blank=True)
    connection = models.ForeignKey(
        Connection, null=True, blank=True, on_delete=models.PROTECT, related_name="attachments"
    )
    attached_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="attachment_status_is_known", condition=Q(status__in=ATTACHMENT_STATUSES)
            )
        ]
        indexes = [models.Index(fields=["project_id", "-created_at", "-id"], name="attachment_by_project")]

    def __str__(self) -> str:
        return f"{self.volume_id} in {self.instance_id or self.host}"
