"""The pages of what uses volumes: attachments, connections and transfers."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib import admin
from django.http import HttpRequest

from api.problems import Problem
from api.requests import request_id_of
from lifecycle.admin import HISTORY, LEASE, StatusFilter
from lifecycle.buttons import Button, Given, WithButtons
from lifecycle.showing import link, moment, pairs, rows, short
from volumes.actions import detaching, transfers
from volumes.admin.sharing import BackendFilter, StoredAdmin, WithProject, operator, status_badge
from volumes.models import Attachment, Connection, Transfer, Volume


def _detach(request: HttpRequest, attachment: Attachment, _given: Given) -> None:
    detaching.delete(operator(request, attachment.project_id), request_id_of(request), attachment)


def _withdraw(request: HttpRequest, transfer: Transfer, _given: Given) -> None:
    transfers.delete(operator(request, transfer.project_id), request_id_of(request), transfer)


@admin.register(Attachment)
class AttachmentAdmin(WithButtons, WithProject):
    list_display = ["ident", "state", "of", "server", "host", "mode", "mountpoint", "project", "since"]
    list_filter = ["status", "mode"]
    list_select_related = ["volume"]
    search_fields = ["id", "volume__id", "instance_id", "host", "project_id"]
    ordering = ["-created_at"]
    refusals = (Problem,)
    buttons = {
        "detach": Button(
            _detach,
            "Detach",
            confirm="A server that still uses the volume is not asked, and may lose data. End the attachment?",
            grave=True,
        )
    }
    fields = [
        ("state", "of", "project"),
        ("instance_id", "host", "mountpoint"),
        ("mode", "attached_at", "way"),
        "connector_table",
        ("id", "user_id", "created_at"),
    ]

    def offered(self, row: Attachment) -> Collection[str]:
        return [] if row.status == "detaching" else list(self.buttons)

    @admin.display(description="attachment", ordering="id")
    def ident(self, attachment: Attachment) -> str:
        return short(attachment.pk)

    @admin.display(description="status", ordering="status")
    def state(self, attachment: Attachment) -> str:
        return status_badge(attachment.status)

    @admin.display(description="volume")
    def of(self, attachment: Attachment) -> str:
        return link(Volume, attachment.volume_id, attachment.volume)

    @admin.display(description="server", ordering="instance_id")
    def server(self, attachment: Attachment) -> str:
        return short(attachment.instance_id)

    @admin.display(description="since", ordering="attached_at")
    def since(self, attachment: Attachment) -> str:
        return moment(attachment.attached_at)

    @admin.display(description="connection")
    def way(self, attachment: Attachment) -> str:
        return link(Connection, attachment.connection_id) or "none"

    @admin.display(description="connector")
    def connector_table(self, attachment: Attachment) -> str:
        return pairs(attachment.connector or {})


@admin.register(Connection)
class ConnectionAdmin(StoredAdmin):
    """Made and ended with the attachments that use them: they have no buttons."""

    list_display = ["host", "state", "of", "read_only", "place", "what", "project", "created"]
    list_filter = [StatusFilter, BackendFilter, "read_only"]
    list_select_related = ["holder", "operation", "volume"]
    search_fields = ["id", "host", "volume__id"]
    project_field = "volume__project_id"
    fieldsets = [
        (None, {"fields": [("state", "host", "of"), "doing", "status_reason", ("place", "project"), "id"]}),
        ("In use by", {"fields": ["attachments"]}),
        HISTORY,
        (
            "The way",
            {"fields": [("read_only", "created_at", "updated_at"), "connector_table", "info_table"]},
        ),
        LEASE,
    ]

    @admin.display(description="volume")
    def of(self, connection: Connection) -> str:
        return link(Volume, connection.volume_id, connection.volume)

    @admin.display(description="attachments")
    def attachments(self, connection: Connection) -> str:
        told = (
            [link(Attachment, a.pk), status_badge(a.status), short(a.instance_id), a.mode or ""]
            for a in connection.attachments.order_by("created_at")
        )
        return rows(
            ["attachment", "status", "server", "mode"], told, none="none: an older client asked for it"
        )

    @admin.display(description="connector")
    def connector_table(self, connection: Connection) -> str:
        return pairs(connection.connector)

    @admin.display(description="what the host was told")
    def info_table(self, connection: Connection) -> str:
        info = connection.info or {}
        data = info.get("data", {})
        return pairs({"protocol": info.get("driver_volume_type"), **data}) if info else "nothing yet"


@admin.register(Transfer)
class TransferAdmin(WithButtons, WithProject):
    """Offers of volumes. Of the key only a hash is kept, and even that is not shown."""

    list_display = ["__str__", "of", "project", "no_snapshots", "made"]
    list_select_related = ["volume"]
    search_fields = ["name", "id", "volume__id", "project_id"]
    ordering = ["-created_at"]
    fields = ["id", "name", ("of", "project"), "no_snapshots", "created_at"]
    refusals = (Problem,)
    buttons = {"cancel_transfer": Button(_withdraw, "Withdraw", confirm="Withdraw the offer?")}

    def offered(self, row: Transfer) -> Collection[str]:
        del row
        return list(self.buttons)

    @admin.display(description="volume")
    def of(self, transfer: Transfer) -> str:
        return link(Volume, transfer.volume_id, transfer.volume)

    @admin.display(description="offered", ordering="created_at")
    def made(self, transfer: Transfer) -> str:
        return moment(transfer.created_at)
