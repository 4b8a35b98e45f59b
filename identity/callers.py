"""Who is calling: the user behind a request, and what that user may be in the token's scope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.problems import Forbidden

if TYPE_CHECKING:
    from rest_framework.request import Request

NO_PROJECT = "The token has no project: ask for one that is scoped to a project."


@dataclass(frozen=True)
class Through:
    """The application credential that a token was had by."""

    credential_id: str
    name: str
    restricted: bool
    """It may not make or delete application credentials."""


@dataclass(frozen=True)
class Caller:
    """The user of a checked token.

    `roles` holds implied roles too: those in the token's project, or those in the system where the token is
    for the system. Without either (an unscoped token) it is empty. The role admin counts for the whole cloud,
    whichever project it is held in, as in OpenStack's default policies.
    """

    user_id: str
    user_name: str
    project_id: str | None
    project_name: str | None
    roles: frozenset[str]
    system: bool = False
    """The token is for the whole system; it has no project then."""
    by_service: bool = False
    """A service sent the request for the user, with a good X-Service-Token of its own."""
    through: Through | None = None
    """The user did not log in: a program did, by an application credential of theirs."""

    is_authenticated = True
    is_anonymous = False
    is_active = True

    @property
    def pk(self) -> str:
        return self.user_id

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    @property
    def is_service(self) -> bool:
        return self.by_service or "service" in self.roles

    @property
    def project(self) -> str:
        """Return the project's id.

        :raises Forbidden: the token has none; where policy lets only callers with a project through, this is
            what an admin of the system meets.
        """
        if self.project_id is None:
            raise Forbidden(NO_PROJECT)
        return self.project_id


def caller_of(request: Request) -> Caller:
    """Return the caller of a request that was authenticated.

    :raises TypeError: nobody authenticated it; the view lacks an authentication class.
    """
    caller = request.user
    if not isinstance(caller, Caller):
        raise TypeError("The request has no caller.")
    return caller
