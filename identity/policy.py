"""Who may do what. The table is the policy: what is not in it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from rest_framework.permissions import BasePermission

from api.problems import Forbidden, Unauthorized
from identity.callers import NO_PROJECT, Caller

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from api.views import ResourceView

ANYONE: Final = "anyone"  # without a token
TOKEN: Final = "token"  # any good token, a project-less one included  # noqa: S105 (no password)
SERVICE: Final = "service"  # a service, by its own token or beside a user's; or an admin

RULES: Final[dict[str, str]] = {
    # rule                      least role in the token's project
    "baymodel:list": "reader",
    "baymodel:get": "reader",
    "baymodel:create": "member",
    "baymodel:update": "member",
    "baymodel:delete": "member",
    "baymodel:publish": "admin",
    "baymodel:all_projects": "admin",
    "bay:list": "reader",
    "bay:get": "reader",
    "bay:create": "member",
    "bay:update": "member",
    "bay:resize": "member",
    "bay:upgrade": "member",
    "bay:delete": "member",
    "nodegroup:list": "reader",
    "nodegroup:get": "reader",
    "nodegroup:create": "member",
    "nodegroup:update": "member",
    "nodegroup:delete": "member",
    "bay:all_projects": "admin",
    "certificate:get": "reader",
    "certificate:create": "member",
    "certificate:rotate_ca": "member",
    "bay_quota:get": "reader",
    "bay_quota:list": "admin",
    "bay_quota:all_projects": "admin",
    "bay_quota:change": "admin",
    "stats:get": "reader",
    "stats:all_projects": "admin",
    "mservice:list": "admin",
    "federation:get": "reader",
    "federation:create": "member",
    "operation:list": "reader",
    "operation:get": "reader",
    "event:list": "reader",
    "event:all_projects": "admin",
    "identity:discover": ANYONE,
    "identity:login": ANYONE,
    "identity:known": TOKEN,  # the domain and the roles: alike in every installation
    "identity:own": TOKEN,  # one's own tokens, projects, roles and user
    "identity:all": "admin",  # everybody's
    "identity:change": "admin",  # create, update and delete projects and users, give and take roles
    "volume:detach_of_server": SERVICE,
    # volumes, snapshots and messages
    "volume:list": "reader",
    "volume:get": "reader",
    "volume:create": "member",
    "volume:update": "member",
    "volume:delete": "member",
    "volume:extend": "member",
    "volume:retype": "member",
    "volume:revert": "member",
    "volume:upload_image": "member",
    "volume:all_projects": "admin",
    "volume:hosts": "admin",  # see where volumes are stored
    "volume:force_delete": "admin",
    "volume:reset": "admin",
    "volume:migrate": "admin",
    "snapshot:list": "reader",
    "snapshot:get": "reader",
    "snapshot:create": "member",
    "snapshot:update": "member",
    "snapshot:delete": "member",
    "snapshot:force_delete": "admin",
    "snapshot:reset": "admin",
    "snapshot:manage": "admin",
    "message:list": "reader",
    "message:get": "reader",
    "message:delete": "member",
    # volumes: types, quotas, services and the other small routes
    "type:list": "reader",
    "type:get": "reader",
    "type:change": "admin",  # its extra specs, its encryption and who may use it included
    "type:get_all": "admin",  # private types, and the specs that say what the back-ends are
    "default_type:get": "admin",
    "default_type:change": "admin",
    "qos:get": "admin",
    "qos:change": "admin",
    "quota:get": "reader",
    "quota:all_projects": "admin",
    "quota:change": "admin",
    "limits:get": "reader",
    "service:list": "admin",
    "service:change": "admin",
    "pool:list": "admin",
    "zone:list": "reader",
    "extension:list": "reader",
    "absent:list": "reader",  # what Cinder has and we have not: empty lists
    "absent:ask": "member",  # and a refusal with the reason
    # end of types, quotas, services
    # attachments, the older protocol of attaching, transfers
    "attachment:list": "reader",
    "attachment:get": "reader",
    "attachment:connection_info": "member",  # how a host reaches the volume
    "attachment:create": "member",
    "attachment:update": "member",
    "attachment:complete": "member",
    "attachment:delete": "member",
    "attachment:all_projects": "admin",
    "volume:reserve": "member",
    "volume:attach": "member",
    "volume:detach": "member",
    "volume:connect": "member",
    "volume:force_detach": "admin",
    "transfer:list": "reader",
    "transfer:get": "reader",
    "transfer:create": "member",
    "transfer:accept": "member",
    "transfer:delete": "member",
    "transfer:all_projects": "admin",
    # end of attachments, transfers
}


def allows(caller: Caller | None, rule: str) -> bool:
    """Tell whether the policy lets the caller do this; an unknown rule lets nobody.

    A role in the system counts only where it is admin's: all else that a role allows, it allows in a project.
    """
    needed = RULES.get(rule)
    if needed is None:
        return False
    if needed == ANYONE or caller is None:
        return needed == ANYONE
    if needed == TOKEN:
        return True
    if caller.project_id is None and not caller.is_admin:
        return False
    return caller.is_admin or caller.is_service if needed == SERVICE else needed in caller.roles


def enforce(caller: Caller, rule: str) -> None:
    """Refuse what the policy does not allow.

    :raises Forbidden: naming the rule.
    """
    if not allows(caller, rule):
        raise Forbidden(f"You are not authorized to perform the requested action: {rule}.")


class PolicyPermission(BasePermission):
    """Ask the rule that the view names for the request's method; a method without a rule is refused."""

    def needed(self, view: ResourceView, method: str) -> str:
        """Return the least that a method of a view needs, as its description tells it."""
        return RULES[view.policy[method]]

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
        if caller.project_id is None and not caller.system:
            raise Forbidden(NO_PROJECT)
        raise Forbidden(f"You are not authorized to perform the requested action: {rule or 'unknown'}.")
