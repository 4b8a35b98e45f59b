"""Who may do what. The table is the policy: what is not in it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from rest_framework.permissions import BasePermission

from api.problems import Forbidden, Unauthorized
from identity.callers import Caller

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from api.views import ResourceView

ANYONE: Final = "anyone"  # without a token
TOKEN: Final = "token"  # any good token, a project-less one included  # noqa: S105 (no password)

RULES: Final[dict[str, str]] = {
    # rule                      least role in the token's project
    "baymodel:list": "reader",
    "baymodel:get": "reader",
    "baymodel:create": "member",
    "baymodel:update": "member",
    "baymodel:delete": "member",
    "baymodel:publish": "admin",
    "bay:list": "reader",
    "bay:get": "reader",
    "bay:create": "member",
    "bay:update": "member",
    "bay:resize": "member",
    "bay:delete": "member",
    "bay:all_projects": "admin",
    "operation:list": "reader",
    "operation:get": "reader",
    "identity:discover": ANYONE,
    "identity:login": ANYONE,
    "identity:own": TOKEN,  # one's own tokens, projects and user
    "identity:all": "admin",  # everybody's
}


def allows(caller: Caller | None, rule: str) -> bool:
    """Tell whether the policy lets the caller do this; an unknown rule lets nobody."""
    needed = RULES.get(rule)
    if needed is None:
        return False
    if needed == ANYONE or caller is None:
        return needed == ANYONE
    return needed == TOKEN or needed in caller.roles


def enforce(caller: Caller, rule: str) -> None:
    """Refuse what the policy does not allow.

    :raises Forbidden: naming the rule.
    """
    if not allows(caller, rule):
        raise Forbidden(f"You are not authorized to perform the requested action: {rule}.")


class PolicyPermission(BasePermission):
    """Ask the rule that the view names for the request's method; a method without a rule is refused."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return True, or raise.

        :raises Unauthorized: the rule needs a token and there is none.
        :raises Forbidden: the caller may not, or there is no rule.
        """
        method = "GET" if request.method == "HEAD" else str(request.method)
        rule = cast("ResourceView", view).policy.get(method)
        caller = request.user if isinstance(request.user, Caller) else None
        if rule is not None and allows(caller, rule):
            return True
        if caller is None:
            raise Unauthorized("The request you have made requires authentication.")
        if caller.project_id is None:
            raise Forbidden("The token has no project: ask for one that is scoped to a project.")
        raise Forbidden(f"You are not authorized to perform the requested action: {rule or 'unknown'}.")
