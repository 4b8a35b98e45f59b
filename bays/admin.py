"""The admin of bays: browse and search; the buttons of a bay come from the transition table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from api.problems import BadRequest, Problem
from api.requests import request_id_of
from bays import actions
from bays.models import Bay, BayModel, Quota
from bays.states import BAY
from identity.callers import Caller
from lifecycle.admin import ReadOnlyAdmin, badge, events_of, moment, rows, short, tone, why
from lifecycle.errors import LifecycleError
from lifecycle.models import Event, Operation

# What each request of the table takes from the operator, and how it is made.
REQUESTS: dict[str, Callable[[Caller, str, Bay, str], object]] = {
    "update": lambda by, request_id, bay, given: actions.resize(
        by, request_id, bay, _count(given), sent={"node_count": _count(given)}
    ),
    "delete": lambda by, request_id, bay, _given: actions.delete(by, request_id, bay),
}


def _count(given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > 4:  # noqa: PLR2004 - at most 1000 nodes
        raise BadRequest("The number of nodes must be a whole number from 0 to 1000.")
    return int(given)


@admin.register(Bay)
class BayAdmin(ReadOnlyAdmin):
    list_display = ["name", "state", "health", "nodes", "baymodel", "what", "project", "created"]
    list_filter = ["status", "health_status", "baymodel__coe"]
    list_select_related = ["baymodel", "holder", "operation"]
    search_fields = ["name", "id", "project_id", "stack_id"]
    ordering = ["-created_at"]
    change_form_template = "admin/bays/bay/change_form.html"

    fieldsets = [
        (None, {"fields": [("state", "health"), "status_reason", "health_status_reason", "work", "id"]}),
        ("History", {"fields": ["operations", "events"]}),
        (
            "What was asked for",
            {
                "fields": [
                    ("baymodel", "project_id"),
                    ("node_count", "master_count", "create_timeout"),
                    "labels",
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
                    ("sent_at", "sends"),
                ]
            },
        ),
        (
            "Lease and queue",
            {
                "fields": [
                    ("holder", "holder_pid", "epoch"),
                    ("lease_until", "attempts", "retries"),
                    ("not_before", "rung_at", "watched"),
                    ("deadline_at", "operation"),
                ]
            },
        ),
    ]

    @admin.display(description="status", ordering="status")
    def state(self, bay: Bay) -> str:
        return badge(bay.status, tone(bay.status, BAY.busy))

    @admin.display(description="health", ordering="health_status")
    def health(self, bay: Bay) -> str:
        tones = {"HEALTHY": "good", "UNHEALTHY": "bad", "UNKNOWN": "quiet"}
        return badge(bay.health_status, tones[bay.health_status])

    @admin.display(description="work")
    def work(self, bay: Bay) -> str:
        """Tell who does what about the bay now."""
        if bay.status not in BAY.busy:
            return "at rest"
        if bay.holder is not None:
            return f"held by {bay.holder.name}, attempt {bay.attempts}"
        return "watched in Heat" if bay.watched else "waits for a worker"

    @admin.display(description="nodes", ordering="node_count")
    def nodes(self, bay: Bay) -> int:
        return bay.node_count

    @admin.display(description="what")
    def what(self, bay: Bay) -> str:
        """Tell what is being done, or why nothing is."""
        return (
            f"{self.work(bay)}. {bay.status_reason}".strip(". ")
            if bay.status in BAY.busy
            else why(bay.status_reason)
        )

    @admin.display(description="project", ordering="project_id")
    def project(self, bay: Bay) -> str:
        return short(bay.project_id)

    @admin.display(description="created", ordering="created_at")
    def created(self, bay: Bay) -> str:
        return moment(bay.created_at)

    @admin.display(description="operations")
    def operations(self, bay: Bay) -> str:
        asked = Operation.objects.filter(resource_id=bay.pk).order_by("-created_at")[:20]
        return rows(
            ["asked at", "action", "state", "attempts", "reason"],
            ([moment(o.created_at), o.action, o.state, o.attempts, why(o.reason)] for o in asked),
        )

    @admin.display(description="events")
    def events(self, bay: Bay) -> str:
        return events_of(Event.objects.filter(resource_id=bay.pk).order_by("-pk")[:50])

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
        bay = self.get_object(request, unquote(object_id))
        offered = [request.event for request in BAY.offered(bay.status)] if bay else []
        may = request.user.has_perm("bays.change_bay")
        context = {"offered": offered if may else [], "bay": bay, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def make_request(self, request: HttpRequest, pk: Any, event: str) -> HttpResponse:
        """Make the request that a button asks for, by the very action that the API uses."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm("bays.change_bay"):
            raise PermissionDenied
        bay = Bay.objects.select_related("baymodel").filter(pk=pk).first()
        if bay is None or event not in REQUESTS:
            messages.error(request, "There is no such bay, or no such request.")
            return HttpResponseRedirect(reverse("admin:bays_bay_changelist"))
        by = Caller(
            str(request.user.pk), request.user.get_username(), bay.project_id, None, frozenset({"admin"})
        )
        try:
            REQUESTS[event](by, request_id_of(request), bay, request.POST.get("value", ""))
        except (LifecycleError, Problem) as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, f"Accepted: {event} {bay.name}.")
        return HttpResponseRedirect(reverse("admin:bays_bay_change", args=[pk]))


@admin.register(BayModel)
class BayModelAdmin(ReadOnlyAdmin):
    list_display = [
        "name",
        "coe",
        "server_type",
        "image_id",
        "public",
        "hidden",
        "project",
        "created",
        "ident",
    ]
    list_filter = ["coe", "public", "hidden"]
    search_fields = ["name", "id", "project_id"]
    ordering = ["name"]

    @admin.display(description="project", ordering="project_id")
    def project(self, model: BayModel) -> str:
        return short(model.project_id)

    @admin.display(description="created", ordering="created_at")
    def created(self, model: BayModel) -> str:
        return moment(model.created_at)

    @admin.display(description="id", ordering="id")
    def ident(self, model: BayModel) -> str:
        return short(model.pk)


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

    def save_model(self, request: HttpRequest, obj: Quota, form: Any, change: bool) -> None:
        """Write the limit and nothing else: `used` may have changed since the page was shown."""
        obj.save(update_fields=["hard_limit"] if change else None)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Quota]:
        return super().get_queryset(request).order_by("project_id")
