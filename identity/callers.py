"""Who is calling: the user behind a request, and what that user may be in the token's project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rest_framework.request import Request


@dataclass(frozen=True)
class Caller:
    """The user of a checked token.

    `roles` holds implied roles too. Without a project (an unscoped token) it is empty. The role admin counts
    for the whole cloud, whichever project it is held in, as in OpenStack's default policies.
    """

    user_id: str
    user_name: str
    project_id: str | None
    project_name: str | None
    roles: frozenset[str]

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
    def project(self) -> str:
        """Return the project's id, where policy has already refused callers without one.

        :raises TypeError: the token has no project; a view let it through that should not have.
        """
        if self.project_id is None:
            raise TypeError("The caller's token has no project.")
        return self.project_id


def caller_of(request: Request) -> Caller:
    """Return the caller of a request that was authenticated.

    :raises TypeError: nobody authenticated it; the view lacks an authentication class.
    """
    caller = request.user
    if not isinstance(caller, Caller):
        raise TypeError("The request has no caller.")
    return caller
