"""/v1/clusters and /v1/bays."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from api.dryrun import NotRehearsed
from api.expected import expectations
from api.openapi.methods import Does, pages, texts, truths
from api.pages import paginate
from api.patch import Patchable
from api.preconditions import Conditional
from api.problems import BadRequest
from api.versions import Version
from bays import actions, changing, grouping, lending
from bays.actions import Wish
from bays.documents import ACCEPTED, AMBIGUOUS, changed_bay, detail, new_bay, one_bay, summary
from bays.documents import bays as page_of
from bays.groups import find_group, groups_of
from bays.models import Bay
from bays.nodegroups import DEFAULT_WORKER
from bays.serializers import BAYS, BayInput, HealthInput, ResizeInput, bay_detail, bay_summary
from bays.views.base import LendingView, token_of, truth, validated
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
SORT_KEYS |= {
    name: name
    for name in (
        *(
            "keypair",
            "flavor_id",
            "master_flavor_id",
            "docker_volume_size",
            "create_timeout",
            "discovery_url",
        ),
        *("stack_id", "api_address", "coe_version", "container_version", "health_status", "status_reason"),
        *("fixed_network", "fixed_subnet", "floating_ip_enabled", "master_lb_enabled"),
        *("project_id", "user_id"),
    )
}
SORT_KEYS |= {"bay_create_timeout": "create_timeout"}
SORT_KEYS |= dict.fromkeys(("cluster_template_id", "baymodel_id"), "baymodel_id")
HEALTH = ("health_status", "health_status_reason")
PATCHABLE = Patchable(
    changeable=frozenset({"node_count", *HEALTH}),
    mandatory=frozenset({"cluster_template_id", "baymodel_id", "master_count"}),
    defaults={"node_count": 1},
    internal=frozenset(
        {
            "uuid",
            "links",
            "stack_id",
            "cluster_id",
            "status",
            "status_reason",
            "api_address",
            "node_addresses",
        }
        | {"master_addresses", "project_id", "user_id", "created_at", "updated_at", "faults"}
        | {"progress", "failure", "labels_overridden", "labels_added", "labels_skipped"}
    ),
)


LISTED = (*pages(SORT_KEYS), *texts("status", "name"), *truths("all_projects"))


class AcceptingView(LendingView):
    """A route that accepts work on a bay."""

    def accepted(self, bay: Bay, first: int, **kwargs: Any) -> Response:
        """Answer 202 with the uuid; to a bay's users of version 1.1 with the whole bay and the status it had then."""
        if self.words == BAYS and not self.at_least(2):
            return Response(bay_detail(bay, self.words, self.base), status=first, **kwargs)
        return Response({"uuid": str(bay.pk)}, status=202, **kwargs)


class BaysInDetail(AcceptingView):
    policy = {"GET": "bay:list"}
    described = {"GET": Does({200: page_of(detail)}, query=LISTED)}
    show = staticmethod(bay_detail)

    def get(self, request: Request) -> Response:
        """List the project's bays; `all_projects=true` lists everybody's, for admins."""
        visible = Bay.objects.counted()
        if self.show is bay_detail:
            visible = visible.select_related("baymodel")
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
    described = {
        "GET": Does({200: page_of(summary)}, query=LISTED),
        "POST": Does({202: ACCEPTED, 201: one_bay}, takes=new_bay),
    }
    dry_runs = frozenset({"POST"})
    show = staticmethod(bay_summary)

    def prepare(self, request: Request) -> None:
        """Take a delegation for the new bay, of a request that can be understood."""
        validated(BayInput(self.words, data=request.data))
        self._by = lending.lent_for_new(self.caller, token_of(request))

    def post(self, request: Request) -> Response:
        """Accept a new bay."""
        body = validated(BayInput(self.words, data=request.data))
        given = {name: value for name, value in body.items() if value is not None}
        bay = actions.create(self.caller, self.request_id, Wish(**given, sent=given))
        location = f"{self.base}/v1/{self.words.bays}/{bay.pk}"
        return self.accepted(bay, 201, headers={"Location": location})


class BayDetail(Conditional, AcceptingView):
    policy = {"GET": "bay:get", "PATCH": "bay:update", "DELETE": "bay:delete"}
    described = {
        "GET": Does({200: one_bay}, refuses=AMBIGUOUS),
        "PATCH": Does({202: ACCEPTED, 200: one_bay}, takes=changed_bay, query=truths("rollback")),
        "DELETE": Does({204: None}),
    }
    dry_runs = frozenset({"PATCH", "DELETE"})

    def needs_preparation(self, request: Request) -> bool:
        """Tell whether the stack is changed: what an observer says of a bay's health does not."""
        return super().needs_preparation(request) and not (
            request.method == "PATCH" and _says_health_only(request.data)
        )

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show a bay, by id or name."""
        bay = actions.find_bay(self.caller, ident, counted=True)
        document = bay_detail(bay, self.words, self.base)
        if document["progress"] is not None:
            document["progress"] |= expectations(bay.operation)
        if "faults" in document:
            failed = [group for group in groups_of(bay) if group.status.endswith("_FAILED")]
            document["faults"] = {group.name: group.status_reason for group in failed}
        return self.show(bay, document)

    def patch(self, request: Request, ident: str) -> Response:
        """Accept another node_count, or what an observer says of the bay's health, as a JSON patch."""
        if not isinstance(request.data, list):
            raise BadRequest("A JSON patch is a list of operations.")
        if not request.data:
            raise BadRequest("The patch is empty.")
        rollback = truth(request, "rollback")
        bay = actions.find_bay(self.caller, ident)
        document = bay_detail(bay, self.words, self.base)
        changes = PATCHABLE.changes(document, request.data)
        asked = {item["path"].split("/")[1] for item in request.data}
        said = {key: changes.pop(key, document[key]) for key in HEALTH if key in asked}
        health = validated(HealthInput(data=said))
        if asked <= set(HEALTH):
            if self.is_dry_run:
                raise NotRehearsed("dry_run is not offered for what an observer says of a bay's health.")
            changing.report_health(bay, health, expected=self.expected)
            return self.accepted(actions.find_bay(self.caller, str(bay.pk), counted=True), 200)
        # The same number again is how an update that failed is asked for once more.
        body = validated(BayInput(self.words, data={"node_count": bay.node_count, **changes}, partial=True))
        won = changing.resize(
            self.caller,
            self.request_id,
            bay,
            body["node_count"],
            sent={**body, "rollback": True} if rollback else body,
            health=health,
            rollback=rollback,
            expected=self.expected,
        )
        return self.accepted(won, 200)

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Accept the bay's end."""
        bay = actions.find_bay(self.caller, ident)
        actions.delete(self.caller, self.request_id, bay, expected=self.expected)
        return Response(status=204)


class Resize(Conditional, LendingView):
    policy = {"POST": "bay:resize"}
    described = {"POST": Does({202: ACCEPTED}, takes=lambda view: ResizeInput(view.words))}
    dry_runs = frozenset({"POST"})
    since = Version(1, 7)

    def post(self, request: Request, ident: str) -> Response:
        """Accept another number of nodes."""
        body = validated(ResizeInput(self.words, data=request.data))
        bay = actions.find_bay(self.caller, ident)
        grouping.resize_group(
            self.caller,
            self.request_id,
            find_group(bay, body.get("nodegroup") or DEFAULT_WORKER),
            body["node_count"],
            sent=body,
            remove=body.get("nodes_to_remove") or (),
            expected=self.expected,
        )
        return Response({"uuid": str(bay.pk)}, status=202)


def _says_health_only(patch: object) -> bool:
    if not isinstance(patch, list):
        return False
    paths = {item.get("path") for item in patch if isinstance(item, dict)}
    return bool(paths) and paths <= {f"/{name}" for name in HEALTH}
