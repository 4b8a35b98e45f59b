"""What the routes under /identity share."""

from __future__ import annotations

from rest_framework.request import Request

from api.versions import IDENTITY
from api.views import ResourceView
from identity.actions import missing
from identity.callers import Caller, caller_of
from identity.models import DOMAIN, Role

FALSE = ("false", "0")


class IdentityView(ResourceView):
    """A route under /identity."""

    service = IDENTITY

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)


def truth(request: Request, name: str) -> bool:
    """Return a query parameter as Keystone reads it: there, and not a word for false."""
    return request.query_params.get(name, "false").lower() not in FALSE


def elsewhere(request: Request) -> bool:
    """Tell whether the query asks for another domain than the only one."""
    return request.query_params.get("domain_id", DOMAIN["id"]) != DOMAIN["id"]


def find_role(ident: str) -> Role:
    """Return the role of an id or a name.

    :raises NotFound: there is none.
    """
    return Role.named(ident) or missing("role", ident)
