"""The admin of the core's rows: to be read and searched, never edited by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, F, Model, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html

from lifecycle.models import Event, Node, Operation


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that only the system writes."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def badge(text: str, tone: str) -> str:
    """Return a word in a coloured pill; tones are good, bad, busy and quiet."""
    colours = {"good": "#2e7d32", "bad": "#c62828", "busy": "#1565c0", "quiet": "#757575"}
    style = f"background:{colours[tone]};color:#fff;border-radius:9px;padding:1px 9px;white-space:nowrap"
    return format_html('<span style="{}">{}</span>', style, text)


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = [
        "name",
        "kind",
        "state",
        "hostname",
        "pid",
        "started_at",
        "seen_at",
        "stale_refused",
        "id",
    ]
    list_filter = ["kind", "draining", "name"]
    search_fields = ["name", "hostname", "id"]
    ordering = ["-seen_at"]

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


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        "action",
        "resource_type",
        "resource_name",
        "outcome",
        "took",
        "attempts",
        "reason",
    ]
    list_filter = ["state", "action", "resource_type"]
    search_fields = ["resource_name", "resource_id", "project_id", "request_id", "id"]
    ordering = ["-created_at"]

    @admin.display(description="state", ordering="state")
    def outcome(self, operation: Operation) -> str:
        tones = {"IN_PROGRESS": "busy", "COMPLETE": "good", "FAILED": "bad", "SUPERSEDED": "quiet"}
        return badge(operation.state, tones[operation.state])

    @admin.display(description="took")
    def took(self, operation: Operation) -> str:
        if operation.finished_at is None:
            return ""
        return f"{(operation.finished_at - operation.created_at).total_seconds():.1f} s"


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = [
        "at",
        "resource_type",
        "resource_id",
        "event",
        "from_status",
        "to_status",
        "epoch",
        "node_id",
        "reason",
    ]
    list_filter = ["event", "resource_type"]
    search_fields = ["resource_id", "operation_id", "node_id"]
    ordering = ["-id"]
