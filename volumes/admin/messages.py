"""The page of messages: what users were told of work that failed."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html

from lifecycle.showing import link, moment, short, why
from volumes.admin.sharing import WithProject
from volumes.models import Message, Snapshot, Volume

PAGES = {"VOLUME": Volume, "VOLUME_SNAPSHOT": Snapshot}


@admin.register(Message)
class MessageAdmin(WithProject):
    list_display = ["when", "told", "about", "project", "request"]
    list_filter = ["resource_type", "message_level"]
    search_fields = ["id", "resource_id", "request_id", "project_id"]
    ordering = ["-created_at"]
    fields = [
        "user_message",
        ("about", "project", "request_id"),
        ("event_id", "action_id", "detail_id"),
        ("message_level", "created_at", "guaranteed_until"),
        "id",
    ]

    @admin.display(description="at", ordering="created_at")
    def when(self, message: Message) -> str:
        return moment(message.created_at)

    @admin.display(description="message")
    def told(self, message: Message) -> str:
        return why(message.user_message)

    @admin.display(description="about")
    def about(self, message: Message) -> str:
        kind = message.resource_type.lower().replace("_", " ")
        page = PAGES.get(message.resource_type)
        ident = link(page, message.resource_id) if page else short(message.resource_id)
        return format_html("{} {}", kind, ident)

    @admin.display(description="request", ordering="request_id")
    def request(self, message: Message) -> str:
        return short(message.request_id.removeprefix("req-"))
