"""QoS specs: limits of speed that volume types refer to."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now


class QosSpecs(models.Model):
    """Named limits that any number of types share. Kept and told to whoever attaches; no back-end here obeys them."""

    class Consumer(models.TextChoices):
        FRONT_END = "front-end"
        BACK_END = "back-end"
        BOTH = "both"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255, unique=True)
    consumer = models.CharField(max_length=16, choices=Consumer.choices, default=Consumer.BACK_END)
    specs = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "qos specs"

    def __str__(self) -> str:
        return self.name
