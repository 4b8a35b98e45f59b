"""The page of a volume: its status and work, who uses it, what was asked, its lease, and the operator's buttons."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib import admin
from django.http import HttpRequest

from api.requests import request_id_of
from lifecycle.admin import HISTORY, LEASE, StatusFilter
from lifecycle.buttons import Button, Given, Input, whole
from lifecycle.showing import link, moment, pairs, rows, short, why
from volumes.actions import detaching
from volumes.actions import volumes as actions
from volumes.admin.sharing import BackendFilter, StoredAdmin, operator, status_badge
from volumes.backends.base import GIB
from volumes.models import Attachment, Connection, Snapshot, Volume, VolumeType
from volumes.states import CREATING, SET, VOLUME

REASON = Input("reason", "Reason", required=True)
MANY = 50  # rows of a table within the page


def _delete(request: HttpRequest, volume: Volume, given: Given) -> None:
    by, cascade = operator(request, volume.project_id), "cascade" in given
    actions.delete(by, request_id_of(request), volume, cascade=cascade)


def _force_delete(request: HttpRequest, volume: Volume, given: Given) -> None:
    by, cascade = operator(request, volume.project_id), "cascade" in given
    actions.delete(by, request_id_of(request), volume, cascade=cascade, force=True)


def _extend(request: HttpRequest, volume: Volume, given: Given) -> None:
    size = whole(given, "new_size", "The new size", 1, actions.LARGEST)
    by = operator(request, volume.project_id)
    actions.extend(by, request_id_of(request), volume, size, in_use=True)


def _revert(request: HttpRequest, volume: Volume, given: Given) -> None:
    by = operator(request, volume.project_id)
    actions.revert(by, request_id_of(request), volume, given["snapshot"].partition(" ")[0])


def _retype(request: HttpRequest, volume: Volume, given: Given) -> None:
    by = operator(request, volume.project_id)
    actions.retype(by, request_id_of(request), volume, given["type"], "never")


def _set_readonly(request: HttpRequest, volume: Volume, _given: Given) -> None:
    by = operator(request, volume.project_id)
    actions.set_readonly(by, request_id_of(request), volume, readonly=not volume.readonly)


def _set_bootable(request: HttpRequest, volume: Volume, _given: Given) -> None:
    by = operator(request, volume.project_id)
    actions.set_bootable(by, request_id_of(request), volume, bootable=not volume.bootable)


def _reset(request: HttpRequest, volume: Volume, given: Given) -> None:
    by = operator(request, volume.project_id)
    actions.reset(by, request_id_of(request), volume, given["status"], given["reason"].strip())


def _force_detach(request: HttpRequest, volume: Volume, _given: Given) -> None:
    by = operator(request, volume.project_id)
    detaching.reset_attach_status(by, request_id_of(request), volume, "detached")


def _types(volume: Volume) -> list[Input]:
    names = VolumeType.objects.exclude(pk=volume.type_id).order_by("name").values_list("name", flat=True)
    return [Input("type", "Type", "select", choices=list(names), required=True)]


def _latest(volume: Volume) -> list[Input]:
    latest = volume.snapshots.order_by("-created_at", "-pk").first()
    choices = [f"{latest.pk} {latest.name}".strip()] if latest else []
    return [Input("snapshot", "To its latest snapshot", "select", choices=choices, required=True)]


def _statuses(_volume: Volume) -> list[Input]:
    statuses = [s for s in VOLUME.statuses if s in VOLUME.changes["reset"].targets]
    names = sorted({status.removeprefix(SET) for status in statuses})
    return [Input("status", "Status", "select", value="available", choices=names, required=True), REASON]


WITH_SNAPSHOTS = Input("cascade", "with its snapshots", "checkbox")
BUTTONS = {
    "extend": Button(
        _extend,
        "Extend",
        lambda volume: [Input("new_size", "GiB", "number", volume.size + 1, required=True)],
    ),
    "retype": Button(_retype, "Retype", _types),
    "set_readonly": Button(_set_readonly, "Switch read-only"),
    "set_bootable": Button(_set_bootable, "Switch bootable"),
    "revert": Button(_revert, "Revert", _latest, confirm="What was written since that snapshot is lost."),
    "delete": Button(
        _delete, "Delete", lambda _volume: [WITH_SNAPSHOTS], confirm="Delete the volume and its data?"
    ),
    "reset": Button(
        _reset,
        "Reset status",
        _statuses,
        confirm="Work under way is called off, and nothing is done at the storage. Set the status?",
        grave=True,
    ),
    "force_detach": Button(
        _force_detach,
        "Detach all",
        confirm="Servers that still use the volume are not asked, and may lose data. End all its attachments?",
        grave=True,
    ),
    "force_delete": Button(
        _force_delete,
        "Force delete",
        lambda _volume: [WITH_SNAPSHOTS],
        confirm="Delete the volume and its data, whatever its status?",
        grave=True,
    ),
}


@admin.register(Volume)
class VolumeAdmin(StoredAdmin):
    list_display = ["title", "state", "gib", "type", "place", "what", "project", "created"]
    list_filter = [StatusFilter, BackendFilter, "type"]
    list_select_related = ["type", "holder", "operation", "reads_volume", "reads_snapshot"]
    search_fields = ["name", "id", "project_id"]
    buttons = BUTTONS

    fieldsets = [
        (None, {"fields": [("state", "gib", "type"), "doing", "status_reason", ("place", "project"), "id"]}),
        ("In use by", {"fields": ["attachments", "connections", "readers", "snapshots"]}),
        HISTORY,
        (
            "What was asked for",
            {
                "fields": [
                    "description",
                    ("availability_zone", "user_id", "created_at"),
                    ("bootable", "readonly", "multiattach"),
                    ("snapshot_id", "source_volid"),
                    ("metadata_table", "hints_table"),
                    "tried_table",
                ]
            },
        ),
        LEASE,
    ]

    def offered(self, row: Volume) -> Collection[str]:
        """Leave out what the status allows but there is nothing for."""
        missing = {
            *([] if row.snapshots.exists() else ["revert"]),
            *([] if row.attachments.exists() or row.connections.exists() else ["force_detach"]),
        }
        return [event for event in super().offered(row) if event not in missing]

    def so_far(self, row: Volume) -> str:
        return copied(row)

    @admin.display(description="attachments")
    def attachments(self, volume: Volume) -> str:
        return rows(
            ["attachment", "status", "server", "host", "mode", "at", "since"],
            (
                [
                    link(Attachment, a.pk),
                    status_badge(a.status),
                    short(a.instance_id),
                    a.host or "",
                    a.mode or "",
                    a.mountpoint or "",
                    moment(a.attached_at),
                ]
                for a in volume.attachments.order_by("created_at")[:MANY]
            ),
            none="none",
        )

    @admin.display(description="connections")
    def connections(self, volume: Volume) -> str:
        return rows(
            ["connection", "host", "status", "reason"],
            (
                [link(Connection, c.pk), c.host, status_badge(c.status), why(c.status_reason)]
                for c in volume.connections.order_by("host")[:MANY]
            ),
            none="none",
        )

    @admin.display(description="being read by")
    def readers(self, volume: Volume) -> str:
        clones = list(volume.clones.order_by("created_at")[:MANY])
        copies = list(volume.snapshots.filter(status=CREATING).order_by("created_at")[:MANY])
        told = [
            *([f"clone {clone}", link(Volume, clone.pk), copied(clone)] for clone in clones),
            *([f"snapshot {each}", link(Snapshot, each.pk), each.progress] for each in copies),
        ]
        return rows(["reader", "id", "so far"], told, none="nobody")

    @admin.display(description="snapshots")
    def snapshots(self, volume: Volume) -> str:
        return rows(
            ["snapshot", "status", "size", "made"],
            (
                [link(Snapshot, s.pk, s), status_badge(s.status), f"{s.size} GiB", moment(s.created_at)]
                for s in volume.snapshots.order_by("-created_at")[:MANY]
            ),
            none="none",
        )

    @admin.display(description="metadata")
    def metadata_table(self, volume: Volume) -> str:
        return pairs(volume.metadata)

    @admin.display(description="scheduler hints")
    def hints_table(self, volume: Volume) -> str:
        return pairs(volume.hints)

    @admin.display(description="tried before")
    def tried_table(self, volume: Volume) -> str:
        tried = ([each.get("pool"), each.get("reason")] for each in volume.tried)
        return rows(["pool", "why not"], tried, none="nowhere else")


def copied(volume: Volume) -> str:
    """Return how much of the copy under way is done."""
    source = volume.reads_volume or volume.reads_snapshot
    if source is None or not volume.copied:
        return ""
    return f"{min(100 * volume.copied // (source.size * GIB), 100)} % copied"
