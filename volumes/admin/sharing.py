"""What the pages of volumes share: the operator as the caller, projects by name, statuses as clients know them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib import admin
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html

from api.problems import Problem
from identity import projects
from identity.callers import Caller
from identity.models import Project
from lifecycle.admin import LeasedAdmin, ReadOnlyAdmin
from lifecycle.showing import badge, failed, link, short, why
from volumes.models import Pool
from volumes.states import SET, shown

TONES = {"available": "good", "in-use": "good", "attached": "good", "connected": "good", "reserved": "quiet"}


def operator(request: HttpRequest, project_id: str | None = None) -> Caller:
    """Return who presses the button, as an admin in the project whose row it is."""
    user = request.user
    return Caller(
        str(user.pk), user.get_username(), project_id, None, frozenset({"admin", "member", "reader"})
    )


def status_badge(status: str) -> str:
    """Return a status that is no work of ours: of an attachment, or of a resource at rest."""
    if status.startswith(SET):
        return badge(f"{shown(status)}, set by hand", "quiet")
    return badge(status, "bad" if failed(status) else TONES.get(status, "busy"))


def told(project_id: str, name: str | None) -> str:
    """Return whose something is, by name with a link where projects are ours, else by id."""
    if not projects.are_ours():
        return short(project_id)
    return link(Project, project_id, name) if name else format_html("{} (no such project)", short(project_id))


class WithProject(ReadOnlyAdmin):
    """Rows of projects, which are told by name, all in the one statement that reads the rows."""

    project_field = "project_id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        named = Project.objects.filter(pk=OuterRef(self.project_field)).values("name")[:1]
        found: QuerySet[Any] = super().get_queryset(request)
        named_rows: QuerySet[Any] = found.annotate(
            project_name=Subquery(named), project_ident=F(self.project_field)
        )
        return named_rows

    @admin.display(description="project", ordering="project_ident")
    def project(self, row: Any) -> str:
        """Tell whose it is; a project that was deleted is told by its id."""
        return told(row.project_ident, row.project_name)


class StoredAdmin(WithProject, LeasedAdmin):
    """A leased resource that is stored in a pool."""

    refusals = (Problem,)

    def groups(self) -> dict[str, Collection[str]]:
        return {
            **super().groups(),
            "set by hand": [s for s in self.model.machine.statuses if s.startswith(SET)],
        }

    def singly(self) -> Collection[str]:
        return [status for status in self.model.machine.statuses if not status.startswith(SET)]

    @admin.display(description="status", ordering="status")
    def state(self, row: Any) -> str:
        busy = row.status in row.machine.busy
        return badge(row.status, "busy") if busy else status_badge(row.status)

    @admin.display(description="name", ordering="name")
    def title(self, row: Any) -> str:
        return row.name or "(no name)"

    @admin.display(description="size", ordering="size")
    def gib(self, row: Any) -> str:
        more = f" → {row.new_size}" if getattr(row, "new_size", None) is not None else ""
        return format_html('<span class="moment">{}{} GiB</span>', row.size, more)

    @admin.display(description="place", ordering="backend")
    def place(self, row: Any) -> str:
        return link(Pool, row.pool_id, row.pool_id)

    @admin.display(description="what")
    def what(self, row: Any) -> str:
        return self.doing(row) if row.status in row.machine.busy else why(row.status_reason)

    @admin.display(description="work")
    def doing(self, row: Any) -> str:
        """Tell what is being done, by whom, how far it is, and what came in between."""
        if row.status not in row.machine.busy:
            return "at rest"
        action = row.operation.action if row.operation else row.status
        told = ", ".join(filter(None, [f"{action}: {self.work(row)}", self.so_far(row)]))
        return f"{told}. {row.status_reason}".strip(". ")

    def so_far(self, row: Any) -> str:
        """Return how much of the work under way is done, where that is known."""
        del row
        return ""


class BackendFilter(admin.SimpleListFilter):
    """By back-end, out of the pools."""

    title = "back-end"
    parameter_name = "backend"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        del request, model_admin
        names = Pool.objects.order_by("backend").values_list("backend", flat=True).distinct()
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        del request
        return queryset.filter(backend=self.value()) if self.value() else queryset
