"""Users, projects, the roles that join them, and the tokens that were taken back.

There is one domain, `default`. A role is a word, not a row: admin implies member, and member implies reader.
"""

from __future__ import annotations

import uuid
from typing import Final

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Now

DOMAIN: Final = {"id": "default", "name": "Default"}


def new_id() -> str:
    """Return a fresh id in Keystone's form: 32 hexadecimal characters, no dashes."""
    return uuid.uuid4().hex


class Role(models.TextChoices):
    """What a user may be in a project."""

    ADMIN = "admin"
    MEMBER = "member"
    READER = "reader"

    @property
    def implied(self) -> frozenset[Role]:
        """Return this role and every role that it includes."""
        ladder = list(Role)
        return frozenset(ladder[ladder.index(self) :])


class User(AbstractUser):
    """A person or a service that may log in, here and in the Django admin."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)


class Project(models.Model):
    """The owner of resources; a disabled one gives no tokens and refuses those it gave."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    name = models.CharField(max_length=64, unique=True)
    description = models.TextField(blank=True, default="")
    enabled = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.name


class Assignment(models.Model):
    """A role of a user in a project."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="assignments")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="assignments")
    role = models.CharField(max_length=16, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "project", "role"], name="assignment_is_given_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="assignment_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} in {self.project}"


class RevokedToken(models.Model):
    """A token that was taken back before its time; worth keeping only until it would have expired anyway."""

    audit_id = models.CharField(primary_key=True, max_length=32)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.audit_id
