"""`manage.py seed`: the users, projects and roles that a new installation begins with.

Where a Keystone keeps them, it is only the user of the Django admin.
"""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from identity.models import Assignment, Project, Role, User
from identity.projects import are_ours as projects_are_ours

PROJECTS: Final = ("demo", "alt")
ROLES: Final = (  # user, project (None: the whole system), role
    ("admin", None, Role.ADMIN),
    ("admin", "demo", Role.ADMIN),
    ("admin", "alt", Role.ADMIN),
    ("demo", "demo", Role.MEMBER),
    ("demo", "alt", Role.MEMBER),
    ("reader", "demo", Role.READER),
)
ADMIN: Final = "admin"


class Command(BaseCommand):
    """Create what is missing and set the passwords that are given; safe to run again, on any node."""

    help = (
        "Create projects demo and alt, users admin, demo, reader; set ROADSTEAD_<USER>_PASSWORD where given."
    )

    def handle(self, *args: object, **options: object) -> None:
        """Do it, in one transaction."""
        if not projects_are_ours():
            self._user(ADMIN)
            self.stdout.write(f"User {ADMIN}, for /admin/ only: all others are Keystone's.")
            return
        with transaction.atomic():
            projects = {name: Project.objects.get_or_create(name=name)[0] for name in PROJECTS}
            users = {name: self._user(name) for name in dict.fromkeys(user for user, _, _ in ROLES)}
            for user, project, role in ROLES:
                place = projects[project] if project else None
                Assignment.objects.get_or_create(user=users[user], project=place, role=role)
        self.stdout.write(f"Projects {', '.join(projects)}; users {', '.join(users)}.")

    def _user(self, name: str) -> User:
        """Return the user, created without a usable password if need be, with the given password set."""
        user, created = User.objects.get_or_create(
            username=name, defaults={"is_staff": name == ADMIN, "is_superuser": name == ADMIN}
        )
        password = settings.SEED_PASSWORDS.get(name)
        if created:
            user.set_unusable_password()
        if password and not user.check_password(password):
            user.set_password(password)
            self.stdout.write(f"Set the password of {name}.")
        elif not created:
            return user
        user.save(update_fields=["password"])
        return user
