"""The admin of the core's rows, to be read and never edited by hand, and what the pages of all leased rows share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import BooleanField, ExpressionWrapper, F, Model, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from lifecycle.buttons import WithButtons
from lifecycle.models import Event, Leased, Node, Operation
from lifecycle.showing import (
    OPERATIONS,
    badge,
    event_rows,
    events_of,
    failed,
    moment,
    operations_of,
    short,
    tone,
    why,
)

admin.site.site_header = admin.site.site_title = "Roadstead"
admin.site.index_title = "Control plane"

Section = tuple[str, Any]  # of a page: its heading and its fields
LEASE: Section = (
    "Lease and queue",
    {
        "fields": [
            ("holder", "holder_pid", "epoch"),
            ("lease_until", "attempts", "retries"),
            ("not_before", "rung_at", "watched"),
            ("deadline_at", "operation"),
        ]
    },
)
HISTORY: Section = ("History", {"fields": ["operations", "events"]})


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that only the system writes."""

    list_per_page = 50
    show_full_result_count = False

    class Media:
        css = {"all": ["lifecycle/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class StatusFilter(SimpleListFilter):
    """By status, out of the transition table: no look through all rows for what statuses there are."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        self._groups: Mapping[str, Collection[str]] = model_admin.groups()
        groups = [(name, f"all {name}") for name, statuses in self._groups.items() if statuses]
        return [*groups, *((status, status) for status in model_admin.singly())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Leased]) -> QuerySet[Leased]:
        wanted = self.value()
        if wanted is None:
            return queryset
        return queryset.filter(status__in=self._groups.get(wanted, [wanted]))


class LeasedAdmin(WithButtons, ReadOnlyAdmin):
    """A leased resource: what it is, what is being done about it and by whom, what happened to it."""

    list_select_related = ["holder", "operation"]
    ordering = ["-created_at"]

    def offered(self, row: Any) -> Collection[str]:
        return [move.event for move in row.machine.offered(row.status)]

    def groups(self) -> dict[str, Collection[str]]:
        """Return the groups of statuses to filter by."""
        machine = self.model.machine
        return {"busy": list(machine.busy), "failed": [s for s in machine.statuses if failed(s)]}

    def singly(self) -> Collection[str]:
        """Return the statuses to filter by one at a time."""
        return tuple(self.model.machine.statuses)

    @admin.display(description="status", ordering="status")
    def state(self, row: Any) -> str:
        return badge(row.status, tone(row.status, row.machine.busy))

    @admin.display(description="work")
    def work(self, row: Any) -> str:
        """Tell who does what about the resource now."""
        if row.status not in row.machine.busy:
            return "at rest"
        if row.holder is not None:
            return f"held by {row.holder.name}, attempt {row.attempts}"
        return "watched in Heat" if row.watched else "waits for a worker"

    @admin.display(description="what")
    def what(self, row: Any) -> str:
        """Tell what is being done, or why nothing is."""
        if row.status not in row.machine.busy:
            return why(row.status_reason)
        return f"{self.work(row)}. {row.status_reason}".strip(". ")

    @admin.display(description="created", ordering="created_at")
    def created(self, row: Any) -> str:
        return moment(row.created_at)

    @admin.display(description="project", ordering="project_id")
    def project(self, row: Any) -> str:
        return short(row.project_id)

    @admin.display(description="operations")
    def operations(self, row: Any) -> str:
        return operations_of(row.pk)

    @admin.display(description="events")
    def events(self, row: Any) -> str:
        return events_of(row.pk)


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = ["name", "kind", "state", "hostname", "pid", "started", "seen", "refused", "ident"]
    list_filter = ["kind", "draining", "name"]
    search_fields = ["name", "hostname", "id"]
    ordering = ["-seen_at"]
    fields = [
        "name",
        "id",
        "kind",
        "state",
        "hostname",
        "pid",
        "ttl",
        "started",
        "seen",
        "stopped_at",
        "draining",
        "refused",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        """Let the database, whose clock alone counts, say which nodes are alive."""
        alive = Q(stopped_at=None, seen_at__gt=Now() - F("ttl"))
        nodes: QuerySet[Node] = super().get_queryset(request)
        return nodes.annotate(is_alive=ExpressionWrapper(alive, BooleanField()))

    @admin.display(description="state")
    def state(self, node: Any) -> str:
        if node.stopped_at is not None:
            return badge("stopped", "quiet")
        if not node.is_alive:
            return badge("lost", "bad")
        return badge("draining", "busy") if node.draining else badge("alive", "good")

    @admin.display(description="started", ordering="started_at")
    def started(self, node: Node) -> str:
        return moment(node.started_at)

    @admin.display(description="last seen", ordering="seen_at")
    def seen(self, node: Node) -> str:
        return moment(node.seen_at)

    @admin.display(description="doubles prevented", ordering="stale_refused")
    def refused(self, node: Node) -> int:
        return node.stale_refused

    @admin.display(description="id", ordering="id")
    def ident(self, node: Node) -> str:
        return short(node.pk)


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    list_display = [
        "asked",
        "action",
        "resource_type",
        "resource_name",
        "outcome",
        "took",
        "attempts",
        "said",
    ]
    list_filter = ["state", "action", "resource_type"]
    search_fields = ["resource_name", "resource_id", "project_id", "request_id", "id"]
    ordering = ["-created_at"]
    fields = [
        "id",
        "action",
        "resource_type",
        "resource_name",
        "resource_id",
        "outcome",
        "reason",
        "params",
        "attempts",
        "asked",
        "finished_at",
        "took",
        "user_id",
        "project_id",
        "request_id",
        "events",
    ]

    @admin.display(description="asked at", ordering="created_at")
    def asked(self, operation: Operation) -> str:
        return moment(operation.created_at)

    @admin.display(description="state", ordering="state")
    def outcome(self, operation: Operation) -> str:
        return badge(operation.state, OPERATIONS[operation.state])

    @admin.display(description="took")
    def took(self, operation: Operation) -> str:
        if operation.finished_at is None:
            return ""
        return f"{(operation.finished_at - operation.created_at).total_seconds():.1f} s"

    @admin.display(description="reason")
    def said(self, operation: Operation) -> str:
        return why(operation.reason)

    @admin.display(description="events")
    def events(self, operation: Operation) -> str:
        happened = Event.objects.filter(resource_id=operation.resource_id, operation_id=operation.pk)
        return event_rows(happened.order_by("pk")[:200])


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["when", "resource", "event", "moved", "epoch", "node", "said"]
    list_filter = ["event", "resource_type"]
    search_fields = ["resource_id", "operation_id", "node_id"]
    ordering = ["-id"]

    @admin.display(description="at", ordering="at")
    def when(self, event: Event) -> str:
        return moment(event.at)

    @admin.display(description="resource", ordering="resource_id")
    def resource(self, event: Event) -> str:
        return short(event.resource_id)

    @admin.display(description="move")
    def moved(self, event: Event) -> str:
        if event.from_status == event.to_status:  # a lease was lost, or the outside did not answer
            return badge(event.event, "quiet" if event.event == "retry" else "bad")
        return f"{event.from_status or '·'} → {event.to_status}"

    @admin.display(description="node")
    def node(self, event: Event) -> str:
        return short(event.node_id)

    @admin.display(description="reason")
    def said(self, event: Event) -> str:
        return why(event.reason)
