"""Who may follow events, and whether they still may: a stream outlives the check that let it begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast

from rest_framework.request import Request

from api.events import Feed
from api.problems import Problem, Unavailable
from api.versions import Service
from identity.callers import Caller, caller_of
from identity.policy import allows, enforce

ALL_PROJECTS = "event:all_projects"


class Following(Protocol):
    """An authentication that can be asked again, long after it has let a request through."""

    def authenticate_again(self, request: Request) -> tuple[Caller, object] | None:
        """Return who calls, as it is now.

        :raises Problem: nobody any more.
        :raises Unavailable: it cannot be told now.
        """


def feed_of(request: Request, service: Service, kinds: Sequence[str], *, everybody: bool) -> Feed:
    """Return what the caller may follow: events of the project's resources; of everybody's, if that is asked for.

    :raises Forbidden: only admins may follow everybody's, and a token for the whole system has no project.
    """
    caller = caller_of(request)
    rules = ["event:list"]
    if everybody:
        enforce(caller, ALL_PROJECTS)
        rules.append(ALL_PROJECTS)
    project = None if everybody else caller.project
    return Feed(service, kinds, project, caller.project_id or caller.user_id, _still(request, rules))


def _still(request: Request, rules: Sequence[str]) -> Callable[[], bool]:
    """Return what tells, whenever it is asked, whether the request would be let through now; or raises Unavailable."""

    def may_read() -> bool:
        for authenticator in request.authenticators or ():
            try:
                found = cast("Following", authenticator).authenticate_again(request)
            except Unavailable:
                raise  # it cannot be told now
            except Problem:
                return False
            if found is not None:
                caller = found[0]
                return isinstance(caller, Caller) and all(allows(caller, rule) for rule in rules)
        return False

    return may_read
