"""The admin of bays: browse and search; the buttons of a bay come from the transition table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from api.problems import BadRequest, Problem
from bays import actions
from bays.models import Bay, BayModel, Quota
from bays.states import BAY
from identity.callers import Caller
from lifecycle.admin import ReadOnlyAdmin, badge
from lifecycle.errors import LifecycleError
from lifecycle.models import Event, Operation

# What each request of the table takes from the operator, and how it is made.
REQUESTS: dict[str, Callable[[Caller, Bay, str], object]] = {
    "update": lambda by, bay, given: actions.resize(
        by, "", bay, _count(given), sent={"node_count": _count(given)}
    ),
    "delete": lambda by, bay, _given: actions.delete(by, "", bay),
}


def _count(given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > 4:  # noqa: PLR2004 - at most 1000 nodes
        raise BadRequest("The number of nodes must be a whole number from 0 to 1000.")
    return int(given)


def tone(status: str) -> str:
    if status in BAY.busy:
        return "busy"
    return "bad" if status.endswith("FAILED") else "good"


@admin.register(Bay)
class BayAdmin(ReadOnlyAdmin):
    list_display = [
        "name",
        "state",
        "health",
        "node_count",
        "baymodel",
        "project_id",
        "work",
        "created_at",
        "id",
    ]
    list_filter = ["status", "health_status", "baymodel__coe"]
    list_select_related = ["baymodel", "holder", "operation"]
    search_fields = ["name", "id", "project_id", "stack_id"]
    ordering = ["-created_at"]
    change_form_template = "admin/bays/bay/change_form.html"

    def get_fieldsets(self, request: HttpRequest, obj: Bay | None = None) -> Any:
        return [
            (None, {"fields": ["name", "id", "state", "status_reason", "health", "health_status_reason"]}),
            (
                "Wishes",
                {
                    "fields": [
                        "baymodel",
                        "node_count",
                        "master_count",
                        "labels",
                        "create_timeout",
                        "project_id",
                    ]
                },
            ),
            (
                "Stack",
                {
                    "fields": [
                        "stack_id",
                        "api_address",
                        "node_addresses",
                        "master_addresses",
                        "sent_for",
                        "sent_at",
                    ]
                },
            ),
            (
                "Lease",
                {"fields": ["work", "holder", "holder_pid", "epoch", "lease_until", "attempts", "retries"]},
            ),
            ("Queue", {"fields": ["watched", "not_before", "rung_at", "deadline_at", "operation"]}),
            ("History", {"fields": ["operations", "events"]}),
        ]

    @admin.display(description="status", ordering="status")
    def state(self, bay: Bay) -> str:
        return badge(bay.status, tone(bay.status))

    @admin.display(description="health", ordering="health_status")
    def health(self, bay: Bay) -> str:
        tones = {"HEALTHY": "good", "UNHEALTHY": "bad", "UNKNOWN": "quiet"}
        return badge(bay.health_status, tones[bay.health_status])

    @admin.display(description="work")
    def work(self, bay: Bay) -> str:
        """Tell who does what about the bay now."""
        if bay.status not in BAY.busy:
            return ""
        if bay.holder is not None:
            return f"{bay.operation and bay.operation.action}: {bay.holder}, attempt {bay.attempts}"
        return "watched in Heat" if bay.watched else "waits for a worker"

    @admin.display(description="operations")
    def operations(self, bay: Bay) -> str:
        rows = Operation.objects.filter(resource_id=bay.pk).order_by("-created_at")[:20]
        return _table(
            ["asked at", "action", "state", "attempts", "reason"],
            [[_when(row.created_at), row.action, row.state, row.attempts, row.reason] for row in rows],
        )

    @admin.display(description="events")
    def events(self, bay: Bay) -> str:
        rows = Event.objects.filter(resource_id=bay.pk).order_by("-pk")[:50]
        return _table(
            ["at", "event", "from", "to", "epoch", "node", "reason"],
            [
                [
                    _when(row.at),
                    row.event,
                    row.from_status,
                    row.to_status,
                    row.epoch,
                    row.node_id or "",
                    row.reason,
                ]
                for row in rows
            ],
        )

    def get_urls(self) -> list[URLPattern]:
        request = path(
            "<uuid:pk>/request/<str:event>/",
            self.admin_site.admin_view(self.make_request),
            name="bays_bay_request",
        )
        return [request, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the bay with a button for each request that its status accepts."""
        bay = Bay.objects.filter(pk=object_id).first()
        offered = [request.event for request in BAY.offered(bay.status)] if bay else []
        may = request.user.has_perm("bays.change_bay")
        context = {"offered": offered if may else [], "bay": bay, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def make_request(self, request: HttpRequest, pk: Any, event: str) -> HttpResponse:
        """Make the request that a button asks for, by the very action that the API uses."""
        bay = Bay.objects.select_related("baymodel").filter(pk=pk).first()
        back = HttpResponseRedirect(reverse("admin:bays_bay_changelist"))
        may = request.user.has_perm("bays.change_bay")
        if bay is None or event not in REQUESTS or request.method != "POST" or not may:
            messages.error(request, "There is no such bay or request, or you may not make it.")
            return back
        by = Caller(
            str(request.user.pk), request.user.get_username(), bay.project_id, None, frozenset({"admin"})
        )
        try:
            REQUESTS[event](by, bay, request.POST.get("value", ""))
        except (LifecycleError, Problem) as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, f"Accepted: {event} {bay.name}.")
        return (
            HttpResponseRedirect(reverse("admin:bays_bay_change", args=[pk])) if event != "delete" else back
        )


@admin.register(BayModel)
class BayModelAdmin(ReadOnlyAdmin):
    list_display = ["name", "coe", "server_type", "image_id", "public", "hidden", "project_id", "id"]
    list_filter = ["coe", "public", "hidden"]
    search_fields = ["name", "id", "project_id"]
    ordering = ["name"]


@admin.register(Quota)
class QuotaAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The one thing of bays that an operator edits: a project's limit."""

    list_display = ["project_id", "used", "limit", "hard_limit"]
    search_fields = ["project_id"]
    readonly_fields = ["used"]

    def get_readonly_fields(self, request: HttpRequest, obj: Quota | None = None) -> list[str]:
        return ["used"] if obj is None else ["project_id", "used"]

    def has_delete_permission(self, request: HttpRequest, obj: Quota | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Quota]:
        return super().get_queryset(request).order_by("project_id")


def _when(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _table(head: list[str], rows: list[list[object]]) -> SafeString:
    cells = [
        format_html("<tr>{}</tr>", format_html_join("", "<td>{}</td>", ((cell,) for cell in row)))
        for row in rows
    ]
    return format_html(
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>",
        format_html_join("", "<th>{}</th>", ((word,) for word in head)),
        format_html_join("", "{}", ((row,) for row in cells)),
    )
