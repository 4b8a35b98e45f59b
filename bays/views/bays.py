"""/v1/clusters and /v1/bays."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from api.pages import paginate
from api.patch import Patchable
from api.preconditions import Conditional
from api.problems import BadRequest
from api.versions import Version
from bays import actions
from bays.actions import Wish
from bays.models import Bay
from bays.serializers import BAYS, BayInput, ResizeInput, bay_detail, bay_summary
from bays.views.base import BayView, truth, validated
from identity import policy

SORT_KEYS = {
    "id": "created_at",
    "uuid": "pk",
    "name": "name",
    "status": "status",
    "node_count": "node_count",
    "master_count": "master_count",
    "created_at": "created_at",
    "updated_at": "updated_at",
}
PATCHABLE = Patchable(
    changeable=frozenset({"node_count"}),
    mandatory=frozenset({"node_count", "cluster_template_id", "baymodel_id", "master_count"}),
    internal=frozenset(
        {"uuid", "links", "stack_id", "status", "status_reason", "api_address", "node_addresses"}
        | {"master_addresses", "project_id", "user_id", "created_at", "updated_at", "faults"}
    ),
)


class AcceptingView(BayView):
    """A route that accepts work on a bay."""

    def accepted(self, bay: Bay, first: int, **kwargs: Any) -> Response:
        """Answer 202 with the uuid; to a bay's users of version 1.1 with the whole bay and the status it had then."""
        if self.words == BAYS and not self.at_least(2):
            return Response(bay_detail(bay, self.words, self.base), status=first, **kwargs)
        return Response({"uuid": str(bay.pk)}, status=202, **kwargs)


class BaysInDetail(AcceptingView):
    policy = {"GET": "bay:list"}
    show = staticmethod(bay_detail)

    def get(self, request: Request) -> Response:
        """List the project's bays; `all_projects=true` lists everybody's, for admins."""
        visible = Bay.objects.all()
        if truth(request, "all_projects"):
            policy.enforce(self.caller, "bay:all_projects")
        else:
            visible = visible.of_project(self.caller.project)
        bays = visible
        for name in ("status", "name"):
            if name in request.query_params:
                bays = bays.filter(**{name: request.query_params[name]})
        page = paginate(request, bays, sort_keys=SORT_KEYS, default="id", markers=visible)
        document: dict[str, object] = {
            self.words.bays: [self.show(bay, self.words, self.base) for bay in page.rows]
        }
        if page.next:
            document["next"] = page.next
        return Response(document)


class Bays(BaysInDetail):
    policy = {"GET": "bay:list", "POST": "bay:create"}
    show = staticmethod(bay_summary)

    def post(self, request: Request) -> Response:
        """Accept a new bay."""
        body = validated(BayInput(self.words, data=request.data))
        given = {name: value for name, value in body.items() if value is not None}
        bay = actions.create(self.caller, self.request_id, Wish(**given, sent=given))
        location = f"{self.base}/v1/{self.words.bays}/{bay.pk}"
        return self.accepted(bay, 201, headers={"Location": location})


class BayDetail(Conditional, AcceptingView):
    policy = {"GET": "bay:get", "PATCH": "bay:update", "DELETE": "bay:delete"}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show a bay, by id or name."""
        bay = actions.find_bay(self.caller, ident)
        return self.show(bay, bay_detail(bay, self.words, self.base))

    def patch(self, request: Request, ident: str) -> Response:
        """Accept another node_count, as a JSON patch."""
        if not isinstance(request.data, list):
            raise BadRequest("A JSON patch is a list of operations.")
        if not request.data:
            raise BadRequest("The patch is empty.")
        if truth(request, "rollback"):
            raise BadRequest("rollback is not offered.")
        bay = actions.find_bay(self.caller, ident)
        changes = PATCHABLE.changes(bay_detail(bay, self.words, self.base), request.data)
        # The same number again is how an update that failed is asked for once more.
        body = validated(BayInput(self.words, data={"node_count": bay.node_count, **changes}, partial=True))
        won = actions.resize(
            self.caller, self.request_id, bay, body["node_count"], sent=body, expected=self.expected
        )
        return self.accepted(won, 200)

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Accept the bay's end."""
        bay = actions.find_bay(self.caller, ident)
        actions.delete(self.caller, self.request_id, bay, expected=self.expected)
        return Response(status=204)


class Resize(Conditional, BayView):
    policy = {"POST": "bay:resize"}
    since = Version(1, 7)

    def post(self, request: Request, ident: str) -> Response:
        """Accept another number of nodes."""
        body = validated(ResizeInput(self.words, data=request.data))
        if body.get("nodes_to_remove"):
            raise BadRequest("nodes_to_remove is not offered: the driver chooses the nodes.")
        if body.get("nodegroup") not in {None, "default-worker"}:
            raise BadRequest("The bay has one node group, default-worker.")
        bay = actions.find_bay(self.caller, ident)
        actions.resize(
            self.caller, self.request_id, bay, body["node_count"], sent=body, expected=self.expected
        )
        return Response({"uuid": str(bay.pk)}, status=202)
