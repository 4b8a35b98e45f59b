"""/os-quota-sets, /os-quota-class-sets and /limits."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, texts, truths, wrapped
from api.openapi.schemas import ANYTHING, mapping
from api.problems import BadRequest
from identity import policy
from volumes.actions import quotas
from volumes.documents import one
from volumes.documents.catalog import ABSOLUTE, QUOTA_SET
from volumes.serializers.quotas import absolute_limits, limits_of, quota_document
from volumes.views.base import VolumeView, truth, unwrapped

OF_OTHERS = 39  # since this minor version, admins see the limits of other projects
LONGEST_PROJECT, LONGEST_CLASS = 64, 255
NEW = mapping(ANYTHING, minProperties=1)


class QuotaSet(VolumeView):
    policy = {"GET": "quota:get", "PUT": "quota:change", "DELETE": "quota:change"}
    described = {
        "GET": Does({200: one("quota_set", QUOTA_SET)}, query=truths("usage")),
        "PUT": Does(
            {200: one("quota_set", QUOTA_SET)},
            takes=wrapped("quota_set", NEW),
            query=truths("skip_validation"),
        ),
        "DELETE": Does({200: None}),
    }

    def get(self, request: Request, ident: str) -> Response:
        """Show a project's limits; `usage=true` also what is used of them."""
        quotas.require_project(self.caller, ident)
        usage = truth(request, "usage")
        lines = quotas.sheet(self.caller, ident, counted=usage)
        return Response({"quota_set": {"id": ident, **quota_document(lines, usage=usage)}})

    def put(self, request: Request, ident: str) -> Response:
        """Give a project limits of its own; `skip_validation=false` refuses those below what is used already."""
        limits = limits_of(unwrapped(request, "quota_set"))
        _require_length(ident, LONGEST_PROJECT)
        quotas.set_limits(ident, limits, check=not truth(request, "skip_validation", default=True))
        return Response({"quota_set": quota_document(quotas.sheet(self.caller, ident), usage=False)})

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Have the defaults hold for a project again."""
        quotas.reset_limits(ident)
        return Response()


class QuotaDefaults(VolumeView):
    policy = {"GET": "quota:get"}
    described = {"GET": Does({200: one("quota_set", QUOTA_SET)})}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show the limits of a project that has none of its own."""
        quotas.require_project(self.caller, ident)
        return Response({"quota_set": {"id": ident, **quotas.default_limits(self.caller)}})


class QuotaClassSet(VolumeView):
    policy = {"GET": "quota:change", "PUT": "quota:change"}
    described = {
        "GET": Does({200: one("quota_class_set", QUOTA_SET)}),
        "PUT": Does({200: one("quota_class_set", QUOTA_SET)}, takes=wrapped("quota_class_set", NEW)),
    }

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show the limits of a class; those of the class `default` hold for all projects without their own."""
        return Response({"quota_class_set": {"id": ident, **quotas.default_limits(self.caller, ident)}})

    def put(self, request: Request, ident: str) -> Response:
        """Set limits of a class."""
        limits = limits_of(unwrapped(request, "quota_class_set"))
        _require_length(ident, LONGEST_CLASS)
        quotas.set_defaults(ident, limits)
        return Response({"quota_class_set": quotas.default_limits(self.caller, ident)})


class Limits(VolumeView):
    policy = {"GET": "limits:get"}
    described = {"GET": Does({200: ABSOLUTE}, query=texts("project_id", "tenant_id", since=f"3.{OF_OTHERS}"))}

    def get(self, request: Request) -> Response:
        """Show the project's limits and what it uses of them; admins see another's by `project_id`."""
        query = request.query_params
        project = query.get("project_id") or query.get("tenant_id")
        if (
            not project
            or not self.at_least(OF_OTHERS)
            or not policy.allows(self.caller, "quota:all_projects")
        ):
            project = self.caller.project
        lines = quotas.sheet(self.caller, project)
        return Response({"limits": {"rate": [], "absolute": absolute_limits(lines)}})


def _require_length(ident: str, longest: int) -> None:
    if len(ident) > longest:
        raise BadRequest(f"An id in the path is longer than {longest} characters.")
