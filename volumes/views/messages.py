"""/messages: why something that had been accepted failed."""

from __future__ import annotations

from typing import Final

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, sorted_pages
from api.pages import paginate_by_sort
from api.preconditions import Conditional
from api.problems import NotFound
from api.versions import Version
from volumes.actions.guarding import as_id
from volumes.documents import one, page
from volumes.documents.stored import MESSAGE
from volumes.models import Message
from volumes.serializers.messages import message_document
from volumes.views import filtering
from volumes.views.base import VolumeView
from volumes.views.filtering import Filter
from volumes.views.volumes import reader_of

SINCE: Final = Version(3, 3)
SORT_KEYS: Final = {
    "id": "pk",
    "event_id": "event_id",
    "resource_type": "resource_type",
    "resource_uuid": "resource_id",
    "request_id": "request_id",
    "message_level": "message_level",
    "created_at": "created_at",
    "guaranteed_until": "guaranteed_until",
}
FILTERS: Final = {
    "event_id": Filter(filtering.equal("event_id"), since=5),
    "resource_type": Filter(filtering.equal("resource_type"), since=5),
    "resource_uuid": Filter(filtering.identity("resource_id"), since=5),
    "request_id": Filter(filtering.equal("request_id"), since=5),
    "message_level": Filter(filtering.equal("message_level"), since=5),
    "created_at": Filter(filtering.moments("created_at"), since=60),
}


class Messages(VolumeView):
    policy = {"GET": "message:list"}
    described = {
        "GET": Does(
            {200: page("messages", MESSAGE)}, query=(*sorted_pages(SORT_KEYS), *filtering.parameters(FILTERS))
        )
    }
    since = SINCE

    def get(self, request: Request) -> Response:
        """List the project's messages."""
        there = Message.objects.filter(project_id=self.caller.project)
        found = filtering.narrow(self, there, FILTERS)
        page = paginate_by_sort(request, found, sort_keys=SORT_KEYS, markers=there)
        reader = reader_of(self)
        document: dict[str, object] = {"messages": [message_document(row, reader) for row in page.rows]}
        if page.links:
            document["messages_links"] = page.links
        return Response(document)


class MessageDetail(Conditional, VolumeView):
    policy = {"GET": "message:get", "DELETE": "message:delete"}
    described = {"GET": Does({200: one("message", MESSAGE)}), "DELETE": Does({204: None})}
    since = SINCE

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show a message."""
        message = self._find(ident)
        return self.show(message, {"message": message_document(message, reader_of(self))})

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Forget a message."""
        message = self._find(ident)
        with self.holding(message):
            message.delete()
        return Response(status=204)

    def _find(self, ident: str) -> Message:
        pk = as_id(ident)
        row = Message.objects.filter(pk=pk).first() if pk is not None else None
        if row is None or not (self.caller.is_admin or row.project_id == self.caller.project):
            raise NotFound(f"Message {ident[:255]} could not be found.")
        return row
