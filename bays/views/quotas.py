"""/v1/quotas and /v1/stats."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.fields import Integer, StrictSerializer, Text
from api.openapi.methods import Does, pages, texts, truths
from api.openapi.schemas import paged
from api.pages import paginate
from api.preconditions import Conditional
from api.problems import BadRequest, NotFound
from bays import limits
from bays.documents import QUOTA, STATS
from bays.models import Quota
from bays.serializers import moment
from bays.views.base import BayView, truth, validated
from identity import policy

RESOURCE: Final = "Cluster"
MOST: Final = 2**31 - 1
SORT_KEYS: Final = {
    "id": "number",
    "project_id": "project_id",
    "resource": "number",  # alike in all
    "hard_limit": "hard_limit",
    "created_at": "created_at",
    "updated_at": "updated_at",
}


class QuotaInput(StrictSerializer):
    """A quota that is asked for."""

    project_id = Text(max_length=64, min_length=1, required=False, allow_null=True)
    resource = serializers.ChoiceField([RESOURCE], required=False)
    hard_limit = Integer(min_value=0, max_value=MOST, required=False)


def quota_document(quota: Quota) -> dict[str, Any]:
    """Return a quota; where the setting holds it has no id."""
    return {
        "id": quota.number or None,
        "project_id": quota.project_id,
        "resource": RESOURCE,
        "hard_limit": quota.limit,
        "created_at": moment(quota.created_at),
        "updated_at": moment(quota.updated_at),
    }


class Quotas(BayView):
    policy = {"GET": "bay_quota:list", "POST": "bay_quota:change"}
    described = {
        "GET": Does({200: paged("quotas", QUOTA)}, query=(*pages(SORT_KEYS), *truths("all_tenants"))),
        "POST": Does({201: QUOTA}, takes=QuotaInput),
    }

    def get(self, request: Request) -> Response:
        """List the quotas that projects have of their own; `all_tenants=true` lists everybody's."""
        everybody = truth(request, "all_tenants")
        if everybody:
            policy.enforce(self.caller, "bay_quota:all_projects")
        found = limits.quotas(None if everybody else self.caller.project)
        page = paginate(request, found, sort_keys=SORT_KEYS, default="id", marker="number")
        document: dict[str, object] = {"quotas": [quota_document(quota) for quota in page.rows]}
        if page.next:
            document["next"] = page.next
        return Response(document)

    def post(self, request: Request) -> Response:
        """Give a project a quota of its own."""
        body = validated(QuotaInput(data=request.data))
        if not body.get("project_id"):
            raise BadRequest("project_id: this field is required.")
        quota = limits.set_quota(body["project_id"], body.get("hard_limit", 1))
        location = f"{self.base}/v1/quotas/{quota.project_id}/{RESOURCE}"
        return Response(quota_document(quota), status=201, headers={"Location": location})


class QuotaDetail(Conditional, BayView):
    policy = {"GET": "bay_quota:get", "PATCH": "bay_quota:change", "DELETE": "bay_quota:change"}
    described = {
        "GET": Does({200: QUOTA}),
        "PATCH": Does({202: QUOTA}, takes=QuotaInput),
        "DELETE": Does({204: None}),
    }

    def get(self, request: Request, project: str, resource: str) -> Response:  # noqa: ARG002
        """Show a project's quota, or the default where it has none of its own."""
        _require_known(resource)
        quota = limits.quota_of(self.caller, project)
        return self.show(quota, quota_document(quota))

    def patch(self, request: Request, project: str, resource: str) -> Response:
        """Change a project's quota: the body is a quota, not a JSON patch."""
        _require_known(resource)
        body = validated(QuotaInput(data=request.data))
        if body.get("project_id") not in {None, project}:
            raise BadRequest("project_id: it is not the one in the path.")
        if "hard_limit" not in body:
            raise BadRequest("hard_limit: this field is required.")
        quota = limits.change_quota(project, body["hard_limit"], expected=self.expected)
        return self.show(quota, quota_document(quota), status=202)

    def delete(self, request: Request, project: str, resource: str) -> Response:  # noqa: ARG002
        """Have the default hold for a project again."""
        _require_known(resource)
        limits.remove_quota(project, expected=self.expected)
        return Response(status=204)


class Stats(BayView):
    policy = {"GET": "stats:get"}
    described = {"GET": Does({200: STATS}, query=texts("type", "project_id"))}

    def get(self, request: Request) -> Response:
        """Count the clusters and nodes of a project; of all projects for admins who name none."""
        if request.query_params.get("type", "cluster").lower() != "cluster":
            raise BadRequest("type must be cluster.")
        found = limits.stats(self.caller, request.query_params.get("project_id") or None)
        return Response({"clusters": found.clusters, "nodes": found.nodes})


def _require_known(resource: str) -> None:
    if resource != RESOURCE:
        raise NotFound(f"There is no quota of {resource[:64]}; there is one of {RESOURCE}.")
