"""Discovery, tokens, and what a bearer may ask of them."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from api import rates
from api.openapi.methods import Does, texts
from api.openapi.schemas import array, obj
from api.problems import BadRequest, Forbidden, NotFound, TooManyRequests
from api.rates import network_of
from identity import bodies, guesses, logins, tokens
from identity.callers import NO_PROJECT
from identity.documents import SERVICE, SUBJECT, TOKEN, VERSION, one, whole
from identity.policy import enforce
from identity.tokens import Checked
from identity.views.base import IdentityView


class Versions(IdentityView):
    """Which versions there are: one. Clients ask this first, without a token."""

    policy = {"GET": "identity:discover"}
    described = {"GET": Does({300: obj({"versions": obj({"values": array(VERSION)})})})}
    authentication_classes = []

    def get(self, request: Request) -> Response:
        """Answer 300, as Keystone does even with a single choice."""
        return Response({"versions": {"values": [bodies.version(request)]}}, status=300)


class Version(IdentityView):
    """Version 3."""

    policy = {"GET": "identity:discover"}
    described = {"GET": Does({200: one("version", VERSION)})}
    authentication_classes = []

    def get(self, request: Request) -> Response:
        """Answer its description."""
        return Response({"version": bodies.version(request)})


class Tokens(IdentityView):
    """Log in; and check or take back a token, one's own or, as admin, anybody's."""

    policy = {"POST": "identity:login", "GET": "identity:own", "DELETE": "identity:own"}
    described = {
        "POST": Does(
            {201: one("token", TOKEN)},
            takes=logins.LoginSerializer,
            query=texts("nocatalog"),
            refuses=(401, 429),
        ),
        "GET": Does({200: one("token", TOKEN)}, query=texts("nocatalog"), headers=(SUBJECT,), refuses=(404,)),
        "DELETE": Does({204: None}, headers=(SUBJECT,), refuses=(404,)),
    }

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Return none for a login: a stale token beside it must not spoil it."""
        return [] if self.request.method == "POST" else super().get_authenticators()

    def post(self, request: Request) -> Response:
        """Log in."""
        address = network_of(request.META.get("REMOTE_ADDR", ""))
        if wait := rates.LOGINS.take(address):
            raise TooManyRequests(wait)
        login = logins.LoginSerializer(data=request.data)
        login.is_valid(raise_exception=True)
        with guesses.counted(logins.who(login.validated_data["auth"]), address):
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
        if checked is None:
            raise NotFound("Could not find token.")
        if checked.caller.user_id != self.caller.user_id:
            enforce(self.caller, "identity:all")
        return text, checked

    def _described(self, text: str, checked: Checked, *, status: int) -> Response:
        headers = {"X-Subject-Token": text, "Vary": "X-Auth-Token", "Cache-Control": "no-store"}
        return Response(bodies.token(checked, self.request), status=status, headers=headers)


class Catalog(IdentityView):
    """The catalog, as in a token."""

    policy = {"GET": "identity:own"}
    described = {"GET": Does({200: whole("catalog", SERVICE)})}

    def get(self, request: Request) -> Response:
        """Describe it; it belongs to a token with a scope."""
        if self.caller.project_id is None and not self.caller.system:
            raise Forbidden(NO_PROJECT)
        return Response(bodies.whole("catalog", bodies.catalog(request), request))
