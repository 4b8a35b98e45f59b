"""Keystone's routes: discovery, tokens, and what a user may know of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.response import Response

from api.problems import BadRequest, Forbidden, NotFound
from api.versions import IDENTITY
from api.views import ResourceView
from identity import bodies, logins, tokens
from identity.callers import caller_of
from identity.models import DOMAIN, Project, User
from identity.policy import allows, enforce

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.request import Request

    from identity.tokens import Checked


class IdentityView(ResourceView):
    """A route under /identity."""

    service = IDENTITY


class Versions(IdentityView):
    """Which versions there are: one. Clients ask this first, without a token."""

    policy = {"GET": "identity:discover"}
    authentication_classes = []

    def get(self, request: Request) -> Response:
        """Answer 300, as Keystone does even with a single choice."""
        return Response({"versions": {"values": [bodies.version(request)]}}, status=300)


class Version(IdentityView):
    """Version 3."""

    policy = {"GET": "identity:discover"}
    authentication_classes = []

    def get(self, request: Request) -> Response:
        """Answer its description."""
        return Response({"version": bodies.version(request)})


class Tokens(IdentityView):
    """Log in; and check or take back a token, one's own or, as admin, anybody's."""

    policy = {"POST": "identity:login", "GET": "identity:own", "DELETE": "identity:own"}

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Return none for a login: a stale token beside it must not spoil it."""
        return [] if self.request.method == "POST" else super().get_authenticators()

    def post(self, request: Request) -> Response:
        """Log in."""
        login = logins.LoginSerializer(data=request.data)
        login.is_valid(raise_exception=True)
        text, checked = logins.log_in(login.validated_data["auth"])
        return self._described(text, checked, status=201)

    def get(self, request: Request) -> Response:
        """Describe the token of X-Subject-Token."""
        text, checked = self._subject(request)
        return self._described(text, checked, status=200)

    def delete(self, request: Request) -> Response:
        """Take back the token of X-Subject-Token."""
        text, checked = self._subject(request)
        tokens.revoke(text, checked.token)
        return Response(status=204)

    def _subject(self, request: Request) -> tuple[str, Checked]:
        text = request.headers.get("X-Subject-Token")
        if not text:
            raise BadRequest("The header X-Subject-Token is required.")
        checked = tokens.check(text)
        caller = caller_of(request)
        if checked is None:
            raise NotFound("Could not find token.")
        if checked.caller.user_id != caller.user_id:
            enforce(caller, "identity:all")
        return text, checked

    def _described(self, text: str, checked: Checked, *, status: int) -> Response:
        headers = {"X-Subject-Token": text, "Vary": "X-Auth-Token", "Cache-Control": "no-store"}
        return Response(bodies.token(checked, self.request), status=status, headers=headers)


class OwnProjects(IdentityView):
    """The projects that the caller may ask a token for."""

    policy = {"GET": "identity:own"}

    def get(self, request: Request) -> Response:
        """List them."""
        return Response(bodies.projects(_own_projects(request).filter(enabled=True), request))


class Catalog(IdentityView):
    """The catalog, as in a token."""

    policy = {"GET": "identity:own"}

    def get(self, request: Request) -> Response:
        """Describe it; it belongs to a project's token."""
        if caller_of(request).project_id is None:
            raise Forbidden("The token has no project: ask for one that is scoped to a project.")
        return Response({"catalog": bodies.catalog(request), "links": bodies.links(request)})


class Projects(IdentityView):
    """The caller's projects; an admin's are all."""

    policy = {"GET": "identity:own"}

    def get(self, request: Request) -> Response:
        """List them, by `name`, `domain_id` or `enabled` if asked."""
        query = request.query_params
        found = _visible_projects(request)
        if "name" in query:
            found = found.filter(name=query["name"])
        if "enabled" in query:
            found = found.filter(enabled=query["enabled"].lower() not in ("false", "0"))
        if query.get("domain_id", DOMAIN["id"]) != DOMAIN["id"]:
            found = found.none()
        return Response(bodies.projects(found, request))


class ProjectDetail(IdentityView):
    """One project."""

    policy = {"GET": "identity:own"}

    def get(self, request: Request, ident: str) -> Response:
        """Describe it."""
        found = _visible_projects(request).filter(pk=ident).first()
        if found is None:
            raise NotFound(f"Could not find project: {ident[:64]}.")
        return Response({"project": bodies.project(found, request)})


class Users(IdentityView):
    """The caller; an admin sees all."""

    policy = {"GET": "identity:own"}

    def get(self, request: Request) -> Response:
        """List them, by `name` if asked."""
        caller = caller_of(request)
        found = User.objects.order_by("username")
        if not allows(caller, "identity:all"):
            found = found.filter(pk=caller.user_id)
        if "name" in request.query_params:
            found = found.filter(username=request.query_params["name"])
        return Response(
            {"users": [bodies.user(row, request) for row in found], "links": bodies.links(request)}
        )


class UserDetail(IdentityView):
    """One user: oneself, or anybody for an admin."""

    policy = {"GET": "identity:own"}

    def get(self, request: Request, ident: str) -> Response:
        """Describe the user."""
        caller = caller_of(request)
        if ident != caller.user_id:
            enforce(caller, "identity:all")
        found = User.objects.filter(pk=ident).first()
        if found is None:
            raise NotFound(f"Could not find user: {ident[:64]}.")
        return Response({"user": bodies.user(found, request)})


def _own_projects(request: Request) -> QuerySet[Project]:
    mine = Project.objects.filter(assignments__user_id=caller_of(request).user_id)
    return mine.distinct().order_by("name")


def _visible_projects(request: Request) -> QuerySet[Project]:
    if allows(caller_of(request), "identity:all"):
        return Project.objects.order_by("name")
    return _own_projects(request)
