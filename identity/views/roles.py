"""The domain, the roles, and who holds which of them where."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, texts
from identity import actions, bodies
from identity.actions import missing
from identity.documents import ASSIGNMENT, ROLE, one, whole
from identity.documents import DOMAIN as DOMAIN_SCHEMA
from identity.models import DOMAIN, Assignment, Role
from identity.policy import allows
from identity.views.base import IdentityView, find_role, truth

ASKED = (
    *("effective", "include_names", "role.id", "user.id", "scope.project.id", "scope.system"),
    *("group.id", "scope.domain.id", "scope.OS-INHERIT:inherited_to"),
)


class Domains(IdentityView):
    """The domains: one."""

    policy = {"GET": "identity:known"}
    described = {"GET": Does({200: whole("domains", DOMAIN_SCHEMA)}, query=texts("name", "enabled"))}

    def get(self, request: Request) -> Response:
        """List it, unless another `name` is asked for."""
        known = request.query_params.get("name", DOMAIN["name"]) == DOMAIN["name"]
        enabled = request.query_params.get("enabled") is None or truth(request, "enabled")
        return Response(
            bodies.whole("domains", [bodies.domain(request)] if known and enabled else [], request)
        )


class DomainDetail(IdentityView):
    """The only domain."""

    policy = {"GET": "identity:known"}
    described = {"GET": Does({200: one("domain", DOMAIN_SCHEMA)})}

    def get(self, request: Request, ident: str) -> Response:
        """Describe it."""
        if ident != DOMAIN["id"]:
            missing("domain", ident)
        return Response({"domain": bodies.domain(request)})


class Roles(IdentityView):
    """The roles there are."""

    policy = {"GET": "identity:known"}
    described = {"GET": Does({200: whole("roles", ROLE)}, query=texts("name", "domain_id"))}

    def get(self, request: Request) -> Response:
        """List them, by `name` if asked; none belongs to a domain."""
        query = request.query_params
        found = [
            role
            for role in Role
            if query.get("name", role.value) == role.value and not query.get("domain_id")
        ]
        return Response(bodies.whole("roles", (bodies.role(role, request) for role in found), request))


class RoleDetail(IdentityView):
    """One role."""

    policy = {"GET": "identity:known"}
    described = {"GET": Does({200: one("role", ROLE)})}

    def get(self, request: Request, ident: str) -> Response:
        """Describe it."""
        return Response({"role": bodies.role(find_role(ident), request)})


class Grants(IdentityView):
    """The roles that a user was given in a project, or in the system."""

    policy = {"GET": "identity:all"}
    described = {"GET": Does({200: whole("roles", ROLE)})}

    def get(self, request: Request, user: str, project: str | None = None) -> Response:
        """List them."""
        actions.check_known(user, project)
        held = {row.role for row in Assignment.objects.filter(user_id=user, project_id=project)}
        found = (bodies.role(role, request) for role in Role if role in held)
        return Response(bodies.whole("roles", found, request))


class Grant(IdentityView):
    """One role of a user in a project, or in the system."""

    policy = {"GET": "identity:all", "PUT": "identity:change", "DELETE": "identity:change"}
    described = dict.fromkeys(policy, Does({204: None}))

    def get(self, request: Request, user: str, role: str, project: str | None = None) -> Response:  # noqa: ARG002
        """Tell whether the user was given it."""
        actions.check_known(user, project)
        found = find_role(role)
        if not Assignment.objects.filter(user_id=user, project_id=project, role=found).exists():
            missing("role assignment", found.value)
        return Response(status=204)

    def put(self, request: Request, user: str, role: str, project: str | None = None) -> Response:  # noqa: ARG002
        """Give it."""
        actions.grant(self.caller, user, find_role(role), project)
        return Response(status=204)

    def delete(self, request: Request, user: str, role: str, project: str | None = None) -> Response:  # noqa: ARG002
        """Take it."""
        actions.revoke(self.caller, user, find_role(role), project)
        return Response(status=204)


class Assignments(IdentityView):
    """Who is what, and where; those who are no admin see what they are themselves."""

    policy = {"GET": "identity:own"}
    described = {"GET": Does({200: whole("role_assignments", ASSIGNMENT)}, query=texts(*ASKED))}

    def get(self, request: Request) -> Response:
        """List the roles given; with `effective`, the roles that those imply as well."""
        query = request.query_params
        rows = _filtered(Assignment.objects.select_related("user", "project"), request)
        if not allows(self.caller, "identity:all"):
            rows = rows.filter(user_id=self.caller.user_id)
        wanted = Role.named(query["role.id"]) if "role.id" in query else None
        found = []
        for row in rows.order_by("user__username", "project__name", "pk"):
            held = Role(row.role)
            roles = sorted(held.implied, key=list(Role).index) if truth(request, "effective") else [held]
            found += [(row, role) for role in roles if "role.id" not in query or role is wanted]
        names = truth(request, "include_names")
        documents = (bodies.assignment(row, role, request, names=names) for row, role in found)
        return Response(bodies.whole("role_assignments", documents, request))


def _filtered(rows: QuerySet[Assignment], request: Request) -> QuerySet[Assignment]:
    """Return the rows that the query asks for; there are none of groups, of domains, and none inherited."""
    query = request.query_params
    if "user.id" in query:
        rows = rows.filter(user_id=query["user.id"])
    if "scope.project.id" in query:
        rows = rows.filter(project_id=query["scope.project.id"])
    if "scope.system" in query:
        rows = rows.filter(project=None)
    if query.keys() & {"group.id", "scope.domain.id", "scope.OS-INHERIT:inherited_to"}:
        rows = rows.none()
    return rows
