"""Projects."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, texts, wrapped
from identity import actions, bodies
from identity.actions import missing
from identity.callers import Caller
from identity.documents import PROJECT, one, whole
from identity.models import Project
from identity.policy import allows, enforce
from identity.serializers import ProjectSerializer, read
from identity.views.base import IdentityView, elsewhere, truth

LISTED = whole("projects", PROJECT)
FILTERS = texts("name", "enabled", "domain_id", "is_domain")


class OwnProjects(IdentityView):
    """The projects that the caller may ask a token for."""

    policy = {"GET": "identity:own"}
    described = {"GET": Does({200: LISTED})}

    def get(self, request: Request) -> Response:
        """List them."""
        return _listed(projects_of(self.caller.user_id).filter(enabled=True), request)


class ProjectsOfUser(IdentityView):
    """The projects that a user is somebody in; an admin asks of anybody."""

    policy = {"GET": "identity:own"}
    described = {"GET": Does({200: LISTED}, query=FILTERS)}

    def get(self, request: Request, ident: str) -> Response:
        """List them."""
        if ident != self.caller.user_id:
            enforce(self.caller, "identity:all")
        return _listed(_filtered(projects_of(ident), request), request)


class Projects(IdentityView):
    """The caller's projects; an admin's are all."""

    policy = {"GET": "identity:own", "POST": "identity:change"}
    described = {
        "GET": Does({200: LISTED}, query=FILTERS),
        "POST": Does(
            {201: one("project", PROJECT)}, takes=wrapped("project", ProjectSerializer, strict=True)
        ),
    }

    def get(self, request: Request) -> Response:
        """List them, by `name`, `domain_id` or `enabled` if asked."""
        return _listed(_filtered(_visible(self.caller), request), request)

    def post(self, request: Request) -> Response:
        """Create one."""
        values = read(request.data, "project", ProjectSerializer)
        project = actions.create_project(self.caller, values)
        return Response({"project": bodies.project(project, request)}, status=201)


class ProjectDetail(IdentityView):
    """One project."""

    policy = {"GET": "identity:own", "PATCH": "identity:change", "DELETE": "identity:change"}
    described = {
        "GET": Does({200: one("project", PROJECT)}),
        "PATCH": Does(
            {200: one("project", PROJECT)},
            takes=wrapped("project", ProjectSerializer, strict=True, partial=True),
        ),
        "DELETE": Does({204: None}),
    }

    def get(self, request: Request, ident: str) -> Response:
        """Describe it."""
        project = _visible(self.caller).filter(pk=ident).first() or missing("project", ident)
        return Response({"project": bodies.project(project, request)})

    def patch(self, request: Request, ident: str) -> Response:
        """Change it."""
        values = read(request.data, "project", ProjectSerializer, partial=True)
        project = actions.update_project(self.caller, ident, values)
        return Response({"project": bodies.project(project, request)})

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002 (the framework's signature)
        """Delete it."""
        actions.delete_project(self.caller, ident)
        return Response(status=204)


def projects_of(user_id: str) -> QuerySet[Project]:
    """Return the projects that a user is somebody in."""
    return Project.objects.filter(assignments__user_id=user_id).distinct().order_by("name")


def _visible(caller: Caller) -> QuerySet[Project]:
    if allows(caller, "identity:all"):
        return Project.objects.order_by("name")
    return projects_of(caller.user_id)


def _filtered(found: QuerySet[Project], request: Request) -> QuerySet[Project]:
    query = request.query_params
    if "name" in query:
        found = found.filter(name=query["name"])
    if "enabled" in query:
        found = found.filter(enabled=truth(request, "enabled"))
    return found.none() if elsewhere(request) or truth(request, "is_domain") else found


def _listed(found: QuerySet[Project], request: Request) -> Response:
    return Response(bodies.whole("projects", (bodies.project(row, request) for row in found), request))
