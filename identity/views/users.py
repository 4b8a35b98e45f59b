"""Users."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, texts, wrapped
from identity import actions, bodies
from identity.actions import missing
from identity.documents import USER, one, whole
from identity.models import User
from identity.policy import allows, enforce
from identity.serializers import PasswordSerializer, UserSerializer, read
from identity.views.base import IdentityView, elsewhere, truth


class Users(IdentityView):
    """The caller; an admin sees all."""

    policy = {"GET": "identity:own", "POST": "identity:change"}
    described = {
        "GET": Does({200: whole("users", USER)}, query=texts("name", "enabled", "domain_id")),
        "POST": Does({201: one("user", USER)}, takes=wrapped("user", UserSerializer, strict=True)),
    }

    def get(self, request: Request) -> Response:
        """List them, by `name`, `domain_id` or `enabled` if asked."""
        query, found = request.query_params, User.objects.order_by("username")
        if not allows(self.caller, "identity:all"):
            found = found.filter(pk=self.caller.user_id)
        if "name" in query:
            found = found.filter(username=query["name"])
        if "enabled" in query:
            found = found.filter(is_active=truth(request, "enabled"))
        if elsewhere(request):
            found = found.none()
        return Response(bodies.whole("users", (bodies.user(row, request) for row in found), request))

    def post(self, request: Request) -> Response:
        """Create one."""
        user = actions.create_user(self.caller, read(request.data, "user", UserSerializer))
        return Response({"user": bodies.user(user, request)}, status=201)


class UserDetail(IdentityView):
    """One user: oneself, or anybody for an admin."""

    policy = {"GET": "identity:own", "PATCH": "identity:change", "DELETE": "identity:change"}
    described = {
        "GET": Does({200: one("user", USER)}),
        "PATCH": Does(
            {200: one("user", USER)}, takes=wrapped("user", UserSerializer, strict=True, partial=True)
        ),
        "DELETE": Does({204: None}),
    }

    def get(self, request: Request, ident: str) -> Response:
        """Describe the user."""
        if ident != self.caller.user_id:
            enforce(self.caller, "identity:all")
        user = User.objects.filter(pk=ident).first() or missing("user", ident)
        return Response({"user": bodies.user(user, request)})

    def patch(self, request: Request, ident: str) -> Response:
        """Change the user."""
        values = read(request.data, "user", UserSerializer, partial=True)
        user = actions.update_user(self.caller, ident, values)
        return Response({"user": bodies.user(user, request)})

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002 (the framework's signature)
        """Delete the user."""
        actions.delete_user(self.caller, ident)
        return Response(status=204)


class OwnPassword(IdentityView):
    """The caller's password."""

    policy = {"POST": "identity:own"}
    described = {"POST": Does({204: None}, takes=wrapped("user", PasswordSerializer, strict=True))}

    def post(self, request: Request, ident: str) -> Response:
        """Change it, given the one that it replaces."""
        given = read(request.data, "user", PasswordSerializer)
        actions.change_password(self.caller, ident, given["original_password"], given["password"])
        return Response(status=204)
