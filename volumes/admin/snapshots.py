"""The page of a snapshot."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from api.requests import request_id_of
from lifecycle.admin import HISTORY, LEASE, StatusFilter
from lifecycle.buttons import Button, Given, Input
from lifecycle.showing import link, pairs, rows
from volumes.actions import snapshots as actions
from volumes.admin.sharing import BackendFilter, StoredAdmin, operator
from volumes.admin.volumes import MANY, REASON, copied
from volumes.models import Snapshot, Volume
from volumes.states import CREATING, SET, SNAPSHOT


def _delete(request: HttpRequest, snapshot: Snapshot, _given: Given) -> None:
    actions.delete(operator(request, snapshot.project_id), request_id_of(request), snapshot)


def _force_delete(request: HttpRequest, snapshot: Snapshot, _given: Given) -> None:
    actions.delete(operator(request, snapshot.project_id), request_id_of(request), snapshot, force=True)


def _reset(request: HttpRequest, snapshot: Snapshot, given: Given) -> None:
    by = operator(request, snapshot.project_id)
    actions.reset(by, request_id_of(request), snapshot, given["status"], given["reason"].strip())


def _statuses(_snapshot: Snapshot) -> list[Input]:
    names = sorted({status.removeprefix(SET) for status in SNAPSHOT.changes["reset"].targets})
    return [Input("status", "Status", "select", value="available", choices=names, required=True), REASON]


BUTTONS = {
    "delete": Button(_delete, "Delete", confirm="Delete the snapshot and its data?"),
    "reset": Button(
        _reset,
        "Reset status",
        _statuses,
        confirm="Work under way is called off, and nothing is done at the storage. Set the status?",
        grave=True,
    ),
    "force_delete": Button(
        _force_delete,
        "Force delete",
        confirm="Delete the snapshot and its data, whatever its status?",
        grave=True,
    ),
}


@admin.register(Snapshot)
class SnapshotAdmin(StoredAdmin):
    list_display = ["title", "state", "gib", "of", "place", "what", "project", "created"]
    list_filter = [StatusFilter, BackendFilter]
    list_select_related = ["holder", "operation", "volume"]
    search_fields = ["name", "id", "project_id", "volume__id"]
    buttons = BUTTONS

    fieldsets = [
        (None, {"fields": [("state", "gib", "of"), "doing", "status_reason", ("place", "project"), "id"]}),
        ("In use by", {"fields": ["readers"]}),
        HISTORY,
        (
            "What was asked for",
            {"fields": ["description", ("type", "user_id", "created_at"), "metadata_table"]},
        ),
        LEASE,
    ]

    @admin.display(description="of volume")
    def of(self, snapshot: Snapshot) -> str:
        return link(Volume, snapshot.volume_id, snapshot.volume)

    def so_far(self, row: Snapshot) -> str:
        return f"{row.progress} copied" if row.status == CREATING else ""

    @admin.display(description="being read by")
    def readers(self, snapshot: Snapshot) -> str:
        found = snapshot.readers.order_by("created_at")[:MANY]
        told = ([v, link(Volume, v.pk), v.status, copied(v)] for v in found)
        return rows(["volume", "id", "status", "so far"], told, none="nobody")

    @admin.display(description="metadata")
    def metadata_table(self, snapshot: Snapshot) -> str:
        return pairs(snapshot.metadata)
