"""Users, projects and roles in the Django admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from identity import projects
from identity.models import Assignment, Project, User

if TYPE_CHECKING:
    from django.contrib.admin.options import InlineModelAdmin
    from django.http import HttpRequest


class Ours(admin.ModelAdmin):  # type: ignore[type-arg]
    """Pages that there are only where projects and roles are rows of ours; a Keystone has its own."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show them on the first page, or do not."""
        return projects.are_ours() and super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Show them, or do not."""
        return projects.are_ours() and super().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let them be changed, or not."""
        return projects.are_ours() and super().has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let some be added, or not."""
        return projects.are_ours() and super().has_add_permission(request)


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

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[type[InlineModelAdmin[Any, Any]]]:
        """Show the user's roles where they count."""
        del request, obj
        return [Assignments] if projects.are_ours() else []


@admin.register(Project)
class ProjectAdmin(Ours):
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
class AssignmentAdmin(Ours):
    """Who is what, and where."""

    list_display = ["user", "project", "role"]
    list_filter = ["role", "project"]
    list_select_related = ["user", "project"]
    empty_value_display = "the whole system"
    search_fields = ["user__username", "user__id", "project__name", "project__id"]
    autocomplete_fields = ["user", "project"]
