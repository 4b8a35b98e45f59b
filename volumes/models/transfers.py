"""Volumes on their way to another project."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now

from volumes.models.volumes import Volume


class Transfer(models.Model):
    """An offer of a volume to whoever shows the key. The key itself is told once and kept only as a salted hash."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    volume = models.OneToOneField(Volume, on_delete=models.PROTECT, related_name="transfer")
    name = models.CharField(max_length=255, blank=True, default="")
    project_id = models.CharField(max_length=64)
    salt = models.CharField(max_length=64)
    key_hash = models.CharField(max_length=128)
    no_snapshots = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["project_id", "-created_at", "-id"], name="transfer_by_project")]

    def __str__(self) -> str:
        return self.name or str(self.pk)
