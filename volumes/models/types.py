"""Volume types: what an operator offers, in terms of what back-ends can do."""

from __future__ import annotations

import uuid
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.db.models.query import RawQuerySet

from volumes.models.qos import QosSpecs


class TypeQuerySet(models.QuerySet["VolumeType"]):
    def kept(self) -> RawQuerySet[VolumeType]:
        """These rows, which until the end of the transaction can be neither deleted nor locked for a change.

        Any number of transactions may keep a row at once (PostgreSQL's FOR KEY SHARE, for which Django has no
        name): it is for whoever makes a row that refers to one of these.
        """
        sql, params = self.query.sql_with_params()
        return self.raw(f"{sql} FOR KEY SHARE", params)

    def visible_to(self, project_id: str) -> Self:
        """The public types, and the private ones to which the project was given access."""
        given = TypeAccess.objects.filter(type=OuterRef("pk"), project_id=project_id)
        return self.filter(Q(is_public=True) | Exists(given))


class VolumeType(models.Model):
    """A kind of volume. `extra_specs` say which back-ends can hold it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255, unique=True)
    description = models.CharField(max_length=255, null=True, blank=True)
    is_public = models.BooleanField(default=True)
    extra_specs = models.JSONField(default=dict, blank=True)
    qos = models.ForeignKey(QosSpecs, null=True, blank=True, on_delete=models.PROTECT, related_name="types")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    objects = TypeQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def multiattach(self) -> bool:
        return "<is>" in (spec := str(self.extra_specs.get("multiattach", ""))) and "true" in spec.lower()


class TypeAccess(models.Model):
    """A project's access to a private type."""

    type = models.ForeignKey(VolumeType, on_delete=models.CASCADE, related_name="access")
    project_id = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["type", "project_id"], name="access_is_given_once")]

    def __str__(self) -> str:
        return f"{self.project_id} may use {self.type}"


class Encryption(models.Model):
    """How volumes of a type are to be encrypted by whoever attaches them. Kept and told; we hold no keys."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    type = models.OneToOneField(VolumeType, on_delete=models.CASCADE, related_name="encryption")
    provider = models.CharField(max_length=255)
    control_location = models.CharField(max_length=16, default="front-end")
    cipher = models.CharField(max_length=255, null=True, blank=True)
    key_size = models.IntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.type}: {self.provider}"


class DefaultType(models.Model):
    """The type of a project's volumes for which none was asked."""

    project_id = models.CharField(max_length=64, primary_key=True)
    type = models.ForeignKey(VolumeType, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.project_id}: {self.type}"
