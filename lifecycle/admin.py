"""The admin of the core's rows: to be read and searched, never edited by hand."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, F, Model, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from lifecycle.models import Event, Node, Operation

admin.site.site_header = admin.site.site_title = "Roadstead"
admin.site.index_title = "Control plane"


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


def badge(text: str, tone: str) -> SafeString:
    """Return a word in a coloured pill; tones are good, bad, busy and quiet."""
    return format_html('<span class="badge {}">{}</span>', tone, text)


def tone(status: str, busy: Container[str]) -> str:
    """Return the tone of a status."""
    if status in busy:
        return "busy"
    return "bad" if status.endswith("FAILED") else "good"


def short(ident: object) -> SafeString | str:
    """Return the beginning of an id, all of it when pointed at."""
    return (
        ""
        if ident is None
        else format_html('<span class="short" title="{}">{}</span>', ident, str(ident)[:8])
    )


def moment(at: datetime | None) -> SafeString | str:
    """Return a time (UTC) to the second."""
    return "" if at is None else format_html('<span class="moment">{}</span>', f"{at:%Y-%m-%d %H:%M:%S}")


def why(reason: str) -> SafeString | str:
    """Return a reason, cut where a list would burst."""
    return reason and format_html(
        '<span class="why" title="{}">{}</span>', reason, Truncator(reason).chars(140)
    )


def rows(head: Sequence[str], body: Iterable[Sequence[object]]) -> SafeString:
    """Return a table within a page."""
    cells = (format_html_join("", "<td>{}</td>", ((cell,) for cell in row)) for row in body)
    return format_html(
        '<table class="rows"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        format_html_join("", "<th>{}</th>", ((word,) for word in head)),
        format_html_join("", "<tr>{}</tr>", ((row,) for row in cells)),
    )


def events_of(events: Iterable[Event]) -> SafeString:
    """Return what happened to a resource, as a table."""
    return rows(
        ["at", "event", "from", "to", "epoch", "node", "reason"],
        (
            [moment(e.at), e.event, e.from_status, e.to_status, e.epoch, short(e.node_id), why(e.reason)]
            for e in events
        ),
    )


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
        tones = {"IN_PROGRESS": "busy", "COMPLETE": "good", "FAILED": "bad", "SUPERSEDED": "quiet"}
        return badge(operation.state, tones[operation.state])

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
        return events_of(happened.order_by("pk")[:200])


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
