"""The admin of bays: browse and search; the buttons of a bay come from the transition table."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from api.problems import Problem
from api.requests import request_id_of
from bays import actions, authorities, changing
from bays.models import Bay, BayModel, NodeGroup, Quota
from identity.callers import Caller
from lifecycle.admin import HISTORY, LEASE, LeasedAdmin, ReadOnlyAdmin, StatusFilter
from lifecycle.buttons import Button, Given, Input, whole
from lifecycle.showing import badge, moment, short


def _operator(request: HttpRequest, bay: Bay) -> Caller:
    user = request.user
    return Caller(str(user.pk), user.get_username(), bay.project_id, None, frozenset({"admin"}))


def _update(request: HttpRequest, bay: Bay, given: Given) -> None:
    count = whole(given, "value", "The number of nodes", 0, 1000)
    by = _operator(request, bay)
    changing.resize(by, request_id_of(request), bay, count, sent={"node_count": count})


def _upgrade(request: HttpRequest, bay: Bay, given: Given) -> None:
    ident = given.get("value", "").strip()
    by = _operator(request, bay)
    changing.upgrade(by, request_id_of(request), bay, ident, sent={"cluster_template": ident})


def _delete(request: HttpRequest, bay: Bay, _given: Given) -> None:
    actions.delete(_operator(request, bay), request_id_of(request), bay)


def _rotate_ca(request: HttpRequest, bay: Bay, _given: Given) -> None:
    authorities.rotate(_operator(request, bay), request_id_of(request), bay)


REQUESTS = {
    "update": Button(
        _update, "Update", lambda bay: [Input("value", "Nodes", "number", bay.node_count, required=True)]
    ),
    "upgrade": Button(
        _upgrade, "Upgrade", lambda bay: [Input("value", "To baymodel", value=bay.baymodel_id, required=True)]
    ),
    "delete": Button(_delete, "Delete", confirm="Delete the bay and its stack?"),
    "rotate_ca": Button(
        _rotate_ca,
        "Replace CA",
        confirm="Replace the certificate authority? What the old one signed is void.",
    ),
}


@admin.register(Bay)
class BayAdmin(LeasedAdmin):
    list_display = ["name", "state", "health", "nodes", "baymodel", "what", "project", "created"]
    list_filter = [StatusFilter, "health_status", "baymodel__coe"]
    list_select_related = ["baymodel", "holder", "operation"]
    search_fields = ["name", "id", "project_id", "stack_id"]
    buttons = REQUESTS
    refusals = (Problem,)

    fieldsets = [
        (None, {"fields": [("state", "health"), "status_reason", "health_status_reason", "work", "id"]}),
        HISTORY,
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
        LEASE,
    ]

    @admin.display(description="health", ordering="health_status")
    def health(self, bay: Bay) -> str:
        tones = {"HEALTHY": "good", "UNHEALTHY": "bad", "UNKNOWN": "quiet"}
        return badge(bay.health_status, tones[bay.health_status])

    @admin.display(description="nodes", ordering="node_count")
    def nodes(self, bay: Bay) -> int:
        return bay.node_count


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


@admin.register(NodeGroup)
class NodeGroupAdmin(ReadOnlyAdmin):
    list_display = ["name", "bay", "role", "node_count", "min_node_count", "max_node_count", "status"]
    list_select_related = ["bay"]
    search_fields = ["name", "id", "bay__id", "bay__name"]
    ordering = ["bay", "name"]


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
