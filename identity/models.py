"""Users, projects, the roles that join them, what programs log in with, and the tokens that were taken back.

There is one domain, `default`. A role is a word, not a row: admin implies manager, manager implies member, and
member implies reader; service stands beside them.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.db.models.signals import post_delete
from django.dispatch import receiver

DOMAIN: Final = {"id": "default", "name": "Default"}


def new_id() -> str:
    """Return a fresh id in Keystone's form: 32 hexadecimal characters, no dashes."""
    return uuid.uuid4().hex


def stable_id(kind: str, name: str) -> str:
    """Return an id that every process and every installation makes alike."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"roadstead/{kind}/{name}").hex


class Role(models.TextChoices):
    """What a user may be, in a project or in the whole system."""

    ADMIN = "admin"
    MANAGER = "manager"
    MEMBER = "member"
    READER = "reader"
    SERVICE = "service"

    @property
    def implied(self) -> frozenset[Role]:
        """Return this role and every role that it includes."""
        if self is Role.SERVICE:
            return frozenset({self})
        ladder = [role for role in Role if role is not Role.SERVICE]
        return frozenset(ladder[ladder.index(self) :])

    @property
    def uid(self) -> str:
        """Return the id that clients know the role by."""
        return stable_id("role", self.value)

    @classmethod
    def named(cls, ident: str) -> Role | None:
        """Return the role of an id or of a name."""
        return next((role for role in cls if ident in (role.uid, role.value)), None)


class User(AbstractUser):
    """A person or a service that may log in, here and in the Django admin."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    description = models.TextField(blank=True, default="", db_default="")
    default_project_id = models.CharField(
        max_length=32,
        null=True,
        blank=True,
        help_text="The project of a login that names none; where the user is nobody in it, the login has none.",
    )


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
    """A role of a user in a project, or in the whole system, which is no project."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="assignments")
    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        related_name="assignments",
        null=True,
        blank=True,
        help_text="None: the whole system.",
    )
    role = models.CharField(max_length=16, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "project", "role"], name="assignment_is_given_once"),
            models.UniqueConstraint(
                fields=["user", "role"],
                condition=models.Q(project__isnull=True),
                name="assignment_in_the_system_is_given_once",
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="assignment_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} in {self.project or 'the system'}"


class ApplicationCredential(models.Model):
    """What a program logs in with in the place of its owner: for one project, with some of the owner's roles there.

    It is made and deleted, never changed. It is good while its owner is active, holds every one of these roles and its
    project is enabled; and it ends for good with the first role that its owner loses there.
    """

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="application_credentials")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="application_credentials")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    secret = models.CharField(max_length=128)  # hashed, as passwords are
    roles = ArrayField(models.CharField(max_length=16, choices=Role.choices))  # those implied included
    unrestricted = models.BooleanField(
        default=False, help_text="It may make and delete application credentials of its owner."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"], name="application_credential_has_a_name_of_its_own"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


@receiver(post_delete, sender=Assignment)
def _end_with_the_role(instance: Assignment, **_: Any) -> None:
    """End what the user made in the project while the role was held; whichever way it was taken.

    The user is locked first, as by whoever makes a credential: one made meanwhile is seen, or is not made.
    """
    if instance.project_id is not None:
        user = User.objects.select_for_update(no_key=True).filter(pk=instance.user_id)
        list(user.values_list("pk"))
        ApplicationCredential.objects.filter(
            user_id=instance.user_id, project_id=instance.project_id
        ).delete()


class RevokedToken(models.Model):
    """A token that was taken back before its time; worth keeping only until it would have expired anyway."""

    audit_id = models.CharField(primary_key=True, max_length=32)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.audit_id
