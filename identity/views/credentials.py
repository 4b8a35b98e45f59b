"""Application credentials: one's own, or, to look at and delete, anybody's for an admin."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, texts, wrapped
from api.openapi.schemas import ANYTHING
from api.problems import Forbidden
from identity import bodies, credentials
from identity.actions import missing
from identity.documents import CREDENTIAL, NEW_CREDENTIAL, one, whole
from identity.models import ApplicationCredential
from identity.policy import enforce
from identity.serializers import CredentialSerializer, read
from identity.views.base import IdentityView


class _OfUser(IdentityView):
    """What belongs to the user of the path: that user asks for it, or an admin."""

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Refuse others, whether there is such a user or not."""
        super().initial(request, *args, **kwargs)
        if self.kwargs["user"] != self.caller.user_id:
            enforce(self.caller, "identity:change" if request.method == "DELETE" else "identity:all")


class Credentials(_OfUser):
    """The application credentials of a user."""

    policy = {"GET": "identity:own", "POST": "identity:own"}
    described = {
        "GET": Does({200: whole("application_credentials", CREDENTIAL)}, query=texts("name")),
        "POST": Does(
            {201: one("application_credential", NEW_CREDENTIAL)},
            takes=wrapped("application_credential", CredentialSerializer, strict=True),
        ),
    }
    heeds_idempotency_key = False

    def get(self, request: Request, user: str) -> Response:
        """List them, by `name` if asked."""
        found = ApplicationCredential.objects.filter(user_id=user).order_by("name")
        if "name" in request.query_params:
            found = found.filter(name=request.query_params["name"])
        documents = (bodies.credential(row, request) for row in found)
        return Response(bodies.whole("application_credentials", documents, request))

    def post(self, request: Request, user: str) -> Response:
        """Make one, and tell its secret, this once."""
        if user != self.caller.user_id:
            raise Forbidden("An application credential cannot be made for another user.")
        values = read(request.data, "application_credential", CredentialSerializer)
        row, secret = credentials.create(self.caller, values)
        document = {**bodies.credential(row, request), "secret": secret}
        return Response(
            {"application_credential": document}, status=201, headers={"Cache-Control": "no-store"}
        )


class CredentialDetail(_OfUser):
    """One application credential."""

    policy = {"GET": "identity:own", "DELETE": "identity:own"}
    described = {"GET": Does({200: one("application_credential", CREDENTIAL)}), "DELETE": Does({204: None})}

    def get(self, request: Request, user: str, ident: str) -> Response:
        """Describe it."""
        row = ApplicationCredential.objects.filter(user_id=user, pk=ident).first()
        row = row or missing("application credential", ident)
        return Response({"application_credential": bodies.credential(row, request)})

    def delete(self, request: Request, user: str, ident: str) -> Response:  # noqa: ARG002 (the framework's signature)
        """Delete it."""
        credentials.delete(self.caller, user, ident)
        return Response(status=204)


class AccessRules(_OfUser):
    """What a user's application credentials are limited to beside their roles: nothing, here."""

    policy = {"GET": "identity:own"}
    described = {"GET": Does({200: whole("access_rules", ANYTHING)})}

    def get(self, request: Request, user: str) -> Response:  # noqa: ARG002 (the route's argument)
        """List none."""
        return Response(bodies.whole("access_rules", [], request))


class AccessRuleDetail(_OfUser):
    """One of them: there is none."""

    policy = {"GET": "identity:own", "DELETE": "identity:own"}
    described = dict.fromkeys(policy, Does({}))

    def get(self, request: Request, user: str, ident: str) -> Response:  # noqa: ARG002 (the route's arguments)
        """Answer that there is none."""
        missing("access rule", ident)

    delete = get
