"""/v1/clusters/{cluster}/nodegroups, and the upgrade of a cluster or of one of its groups."""

from __future__ import annotations

from typing import Final

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, pages, patch_of, texts
from api.openapi.schemas import paged
from api.pages import page_of
from api.patch import Patchable
from api.preconditions import Conditional
from api.problems import BadRequest
from api.versions import Version
from bays import actions, grouping
from bays.documents import ACCEPTED, AMBIGUOUS
from bays.groups import find_group, groups_of
from bays.nodegroup_serializers import (
    NODEGROUP,
    NODEGROUP_SUMMARY,
    BoundsInput,
    NodeGroupInput,
    UpgradeInput,
    nodegroup_detail,
    nodegroup_summary,
)
from bays.nodegroups import DEFAULT_WORKER
from bays.views.base import LendingView, validated

UPGRADES: Final = Version(1, 8)
NODEGROUPS: Final = Version(1, 9)
BOUNDS = frozenset({"min_node_count", "max_node_count"})
SORT_KEYS = {
    "id": "created_at",
    "uuid": "id",
    "name": "name",
    "role": "role",
    "node_count": "node_count",
    "status": "status",
    "is_default": "is_default",
    **{name: name for name in ("created_at", "updated_at", "status_reason", "flavor_id", "image_id")},
    **{name: name for name in ("min_node_count", "max_node_count", "docker_volume_size")},
    # Alike in all groups of a bay.
    **dict.fromkeys(("cluster_id", "project_id", "stack_id"), "created_at"),
}


class NodeGroups(LendingView):
    policy = {"GET": "nodegroup:list", "POST": "nodegroup:create"}
    described = {
        "GET": Does(
            {200: paged("nodegroups", NODEGROUP_SUMMARY)},
            query=(*pages(SORT_KEYS), *texts("role")),
            refuses=AMBIGUOUS,
        ),
        "POST": Does({202: NODEGROUP}, takes=NodeGroupInput),
    }
    dry_runs = frozenset({"POST"})
    since = NODEGROUPS

    def get(self, request: Request, ident: str) -> Response:
        """List a bay's node groups; `role` narrows the list."""
        bay = actions.find_bay(self.caller, ident)
        page = page_of(
            request,
            groups_of(bay, request.query_params.get("role")),
            sort_keys=SORT_KEYS,
            default="id",
            marker="id",
        )
        document: dict[str, object] = {"nodegroups": [nodegroup_summary(group) for group in page.rows]}
        if page.next:
            document["next"] = page.next
        return Response(document)

    def post(self, request: Request, ident: str) -> Response:
        """Accept a further node group."""
        bay = actions.find_bay(self.caller, ident)
        body = validated(NodeGroupInput(data=request.data))
        group = grouping.create_group(self.caller, self.request_id, bay, body)
        document = nodegroup_detail(group, self.base)
        return Response(document, status=202, headers={"Location": document["links"][0]["href"]})


class NodeGroupDetail(Conditional, LendingView):
    policy = {"GET": "nodegroup:get", "PATCH": "nodegroup:update", "DELETE": "nodegroup:delete"}
    described = {
        "GET": Does({200: NODEGROUP}, refuses=AMBIGUOUS),
        "PATCH": Does({202: NODEGROUP}, takes=patch_of(BoundsInput)),
        "DELETE": Does({204: None}),
    }
    dry_runs = frozenset({"PATCH", "DELETE"})
    lends = frozenset({"DELETE"})  # its bounds are our own word
    since = NODEGROUPS

    def get(self, request: Request, ident: str, group: str) -> Response:  # noqa: ARG002
        """Show a node group, by id or name."""
        found = find_group(actions.find_bay(self.caller, ident), group)
        return self.show(found.row, nodegroup_detail(found, self.base))

    def patch(self, request: Request, ident: str, group: str) -> Response:
        """Change how few and how many nodes a group may have, as a JSON patch."""
        if not isinstance(request.data, list):
            raise BadRequest("A JSON patch is a list of operations.")
        if not request.data:
            raise BadRequest("The patch is empty.")
        found = find_group(actions.find_bay(self.caller, ident), group)
        document = nodegroup_detail(found, self.base)
        patchable = Patchable(changeable=BOUNDS, internal=frozenset(document) - BOUNDS)
        body = validated(BoundsInput(data=patchable.changes(document, request.data), partial=True))
        if body:
            found = grouping.limit_group(self.caller, self.request_id, found, body, expected=self.expected)
        else:
            self.expected.check(found.row)
        return self.show(found.row, nodegroup_detail(found, self.base), status=202)

    def delete(self, request: Request, ident: str, group: str) -> Response:  # noqa: ARG002
        """Accept the end of a further node group."""
        found = find_group(actions.find_bay(self.caller, ident), group)
        grouping.delete_group(self.caller, self.request_id, found, expected=self.expected)
        return Response(status=204)


class Upgrade(Conditional, LendingView):
    policy = {"POST": "bay:upgrade"}
    described = {"POST": Does({202: ACCEPTED}, takes=UpgradeInput)}
    dry_runs = frozenset({"POST"})
    since = UPGRADES

    def post(self, request: Request, ident: str) -> Response:
        """Accept another baymodel for a bay, or for one of its node groups."""
        bay = actions.find_bay(self.caller, ident)
        body = validated(UpgradeInput(data=request.data))
        grouping.upgrade_group(
            self.caller,
            self.request_id,
            find_group(bay, body.get("nodegroup") or DEFAULT_WORKER),
            body["cluster_template"],
            max_batch_size=body.get("max_batch_size"),
            sent=body,
            expected=self.expected,
        )
        return Response({"uuid": str(bay.pk)}, status=202)
