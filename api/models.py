"""The answers kept for those who ask twice. Written by `api.idempotency`, forgotten by the synchronizer."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class IdempotencyKey(models.Model):
    """A request that named an Idempotency-Key and was accepted, and the answer that it got.

    It is written in the transaction of what was accepted: there is never one without the other. The answer is kept
    as it was given, secrets that are told once included, until the setting IDEMPOTENCY_HOURS has passed.
    """

    owner = models.CharField(max_length=64)  # the project; the user where the token has none
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)  # of what was asked, and by whom
    status = models.SmallIntegerField(null=True)  # null only inside the transaction that accepts
    headers = models.JSONField(default=dict, db_default={})
    body = models.TextField(null=True)  # as it was rendered: a JSON column would order it anew
    request_id = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="one_request_per_key")]

    def __str__(self) -> str:
        return f"{self.key} of {self.owner}"
