"""Users, projects and roles in the Django admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from identity.models import ApplicationCredential, Assignment, Project, User

if TYPE_CHECKING:
    from django.http import HttpRequest


class Assignments(admin.TabularInline):  # type: ignore[type-arg]
    """The roles of one user, on the user's own page."""

    model = Assignment
    extra = 0
    autocomplete_fields = ["project"]


@admin.register(User)
class RoadsteadUserAdmin(UserAdmin):  # type: ignore[type-arg]
    """Django's own page for users, with roles in projects and in the system."""

    list_display = ["username", "id", "email", "is_active", "is_staff", "last_login"]
    search_fields = ["username", "id", "email"]
    readonly_fields = ["id", "last_login", "date_joined"]
    inlines = [Assignments]


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Projects. They are disabled here, not deleted: what they own would be left without an owner.

    The API does delete them, as Keystone does; what they own stays, and an admin still sees it.
    """

    list_display = ["name", "id", "description", "enabled", "created_at"]
    list_filter = ["enabled"]
    search_fields = ["name", "id", "description"]
    readonly_fields = ["id", "created_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        """Refuse."""
        return False


@admin.register(Assignment)
class AssignmentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who is what, and where."""

    list_display = ["user", "project", "role"]
    list_filter = ["role", "project"]
    list_select_related = ["user", "project"]
    empty_value_display = "the whole system"
    search_fields = ["user__username", "user__id", "project__name", "project__id"]
    autocomplete_fields = ["user", "project"]


@admin.register(ApplicationCredential)
class ApplicationCredentialAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What programs log in with: to be looked at and deleted. Their owners make them, through the API."""

    list_display = ["name", "id", "user", "project", "roles", "unrestricted", "expires_at", "created_at"]
    list_filter = ["unrestricted", "project"]
    list_select_related = ["user", "project"]
    search_fields = ["name", "id", "user__username", "user__id", "project__name", "project__id"]
    exclude = ["secret"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApplicationCredential | None = None) -> bool:
        """Refuse."""
        return False
