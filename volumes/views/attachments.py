"""/attachments: list, create, show, connect (update), complete, delete.

Who asks for a connection gets it in the answer: the request is accepted and committed, and then the worker is awaited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from api.idempotency import REPLAYED
from api.openapi.methods import Does, sorted_pages, wrapped
from api.openapi.schemas import listed
from api.pages import paginate_by_sort
from api.preconditions import Conditional
from api.problems import BadRequest
from api.versions import Version
from identity import policy
from volumes import waiting
from volumes.actions import attachments as actions
from volumes.actions import detaching
from volumes.actions.guarding import find_volume
from volumes.documents import one, page
from volumes.documents.stored import ALL_TENANTS, ATTACHMENT, ATTACHMENT_SUMMARY
from volumes.models import Attachment, Connection
from volumes.serializers.attachments import (
    AttachmentChange,
    AttachmentInput,
    attachment_document,
    attachment_summary,
)
from volumes.states import ATTACHING, ERROR_ATTACHING
from volumes.views import filtering
from volumes.views.acting import Action, ActionView, Values, described
from volumes.views.base import VolumeView, truth, unwrapped, validated
from volumes.views.filtering import Filter

SINCE: Final = Version(3, 27)
MODE: Final = 54  # minor version
SORT_KEYS: Final = {
    "id": "pk",
    "status": "status",
    "attach_status": "status",
    "volume_id": "volume_id",
    "instance_id": "instance_id",
    "instance_uuid": "instance_id",
    "created_at": "created_at",
    "updated_at": "updated_at",
}
FILTERS: Final = {
    "id": Filter(filtering.identity("pk")),
    "status": Filter(filtering.equal("status")),
    "attach_status": Filter(filtering.equal("status")),
    "volume_id": Filter(filtering.identity("volume_id")),
    "instance_id": Filter(filtering.equal("instance_id")),
    "instance_uuid": Filter(filtering.equal("instance_id")),
}
LISTED: Final = (*sorted_pages(SORT_KEYS), *filtering.parameters(FILTERS), *ALL_TENANTS)
ONE: Final = one("attachment", ATTACHMENT)


def visible(view: VolumeView) -> QuerySet[Attachment]:
    """Return the project's attachments, or everybody's, for admins who ask so."""
    may = policy.allows(view.caller, "attachment:all_projects")
    return actions.visible(view.caller, everybodys=may and truth(view.request, "all_tenants"))


Show = Callable[[Attachment], dict[str, Any]]


class AttachmentsInDetail(VolumeView):
    policy = {"GET": "attachment:list"}
    described = {"GET": Does({200: page("attachments", ATTACHMENT)}, query=LISTED)}
    since = SINCE
    show: Show = staticmethod(attachment_document)

    def get(self, request: Request) -> Response:
        """List the attachments."""
        there = visible(self)
        found = filtering.narrow(self, there, FILTERS)
        page = paginate_by_sort(request, found, sort_keys=SORT_KEYS, markers=there)
        document: dict[str, Any] = {"attachments": [self.show(row) for row in page.rows]}
        if page.links:
            document["attachments_links"] = page.links
        return Response(document)


class Attachments(AttachmentsInDetail):
    policy = {"GET": "attachment:list", "POST": "attachment:create"}
    described = {
        "GET": Does({200: page("attachments", ATTACHMENT_SUMMARY)}, query=LISTED),
        "POST": Does({200: ONE}, takes=wrapped("attachment", AttachmentInput)),
    }
    show = staticmethod(attachment_summary)

    def post(self, request: Request) -> Response:
        """Accept an attachment, and with a connector its connection."""
        body = validated(AttachmentInput(data=unwrapped(request, "attachment")))
        volume = find_volume(self.caller, body["volume_uuid"])
        attachment = actions.create(
            self.caller,
            self.request_id,
            volume,
            instance=body.get("instance_uuid"),
            connector=body.get("connector"),
            mode=body.get("mode") if self.at_least(MODE) else None,
        )
        return Response({"attachment": attachment_document(attachment)})

    def finish(self, request: Request, response: Response) -> Response:
        """Await the connection that was asked for.

        :raises NotFound: in a replay: the attachment is gone, or is another project's now.
        """
        if request.method == "POST":
            accepted: Mapping[str, Any] = response.data["attachment"]
            if accepted["status"] == ATTACHING:
                if REPLAYED in response:
                    actions.find_attachment(self.caller, accepted["id"])
                response.data = {"attachment": connected(self, accepted["id"])}
        return response


class AttachmentDetail(Conditional, VolumeView):
    policy = {"GET": "attachment:get", "PUT": "attachment:update", "DELETE": "attachment:delete"}
    described = {
        "GET": Does({200: ONE}),
        "PUT": Does({200: ONE}, takes=wrapped("attachment", AttachmentChange)),
        "DELETE": Does({200: listed("attachments", ATTACHMENT_SUMMARY)}),
    }
    since = SINCE

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show an attachment; how its host reaches the volume, to those who may attach."""
        attachment = actions.find_attachment(self.caller, ident)
        may = policy.allows(self.caller, "attachment:connection_info")
        return self.show(attachment, {"attachment": attachment_document(attachment, tells_way=may)})

    def put(self, request: Request, ident: str) -> Response:
        """Accept the connection of the attachment's host."""
        body = validated(AttachmentChange(data=unwrapped(request, "attachment")))
        attachment = actions.find_attachment(self.caller, ident)
        with self.holding(attachment, attachment.volume):
            actions.update(self.caller, self.request_id, attachment, body["connector"])
        return Response(None)

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Accept the end of the attachment, and of its connection if it is the last."""
        attachment = actions.find_attachment(self.caller, ident)
        with self.holding(attachment, attachment.volume):
            detaching.delete(self.caller, self.request_id, attachment)
        return Response(str(attachment.volume_id))

    def finish(self, request: Request, response: Response) -> Response:
        """Await the worker; a delete answers with the attachments that remain."""
        ident = str(self.kwargs["ident"])
        if request.method == "PUT":
            response.data = {"attachment": connected(self, ident)}
        elif request.method == "DELETE":
            waiting.disconnected(Connection.objects.filter(attachments__pk=ident))
            rest = Attachment.objects.filter(volume=response.data).order_by("created_at", "pk")
            response.data = {"attachments": [attachment_summary(row) for row in rest]}
        return response


def _complete(view: ActionView[Attachment], attachment: Attachment, values: Values) -> None:
    del values
    actions.complete(view.caller, view.request_id, attachment)


class AttachmentActions(ActionView[Attachment]):
    policy = {"POST": "attachment:get"}
    since = SINCE
    actions = {"os-complete": Action("attachment:complete", _complete, since=44, status=204)}
    described = {"POST": described(actions)}

    def find(self, ident: str) -> Attachment:
        return actions.find_attachment(self.caller, ident)

    def above(self, row: Attachment) -> tuple[Model, ...]:
        return (row.volume,)


def connected(view: VolumeView, ident: str) -> dict[str, Any]:
    """Return the document of an attachment once its host is connected.

    :raises BadRequest: the host cannot be connected; with the back-end's reason.
    :raises Conflict: the attachment was ended meanwhile.
    :raises Unavailable: it takes longer; the work goes on.
    """
    waiting.connected(Connection.objects.filter(attachments__pk=ident))
    attachment = actions.find_attachment(view.caller, ident)
    if attachment.status == ERROR_ATTACHING:
        raise BadRequest(f"Attachment {ident} could not be connected; ask for it again or delete it.")
    return attachment_document(attachment, tells_way=True)
