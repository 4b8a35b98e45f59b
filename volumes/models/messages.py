"""What went wrong with a request that had been accepted, told to its user."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now


class Message(models.Model):
    """One failure. Written in the transaction of the failed outcome; forgotten after `guaranteed_until`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project_id = models.CharField(max_length=64)
    request_id = models.CharField(max_length=64, blank=True)
    resource_type = models.CharField(max_length=32)
    resource_id = models.UUIDField(null=True, blank=True)
    event_id = models.CharField(max_length=64)
    detail_id = models.CharField(max_length=8, default="001")
    action_id = models.CharField(max_length=8, default="001")
    message_level = models.CharField(max_length=16, default="ERROR")
    user_message = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    guaranteed_until = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [models.Index(fields=["project_id", "created_at", "id"], name="message_by_project")]

    def __str__(self) -> str:
        return self.user_message
