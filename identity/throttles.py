"""How often a project may ask. What a request counts against is its token's project, whatever it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.throttling import BaseThrottle

from api import floods, rates
from api.problems import TooManyRequests
from identity.callers import Caller
from identity.models import Role

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class ProjectThrottle(BaseThrottle):
    """One limit for all that a project asks of all services, so that its flood is not another's.

    An admin who looks is not held up, nor is a service, which acts for everybody.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request.

        :raises TooManyRequests: the project has asked too often.
        """
        del view
        caller = request.user
        if not isinstance(caller, Caller) or _is_free(caller, str(request.method)):
            return True  # one without a token has been counted by its address
        wait = rates.PROJECTS.take(caller.project_id or caller.user_id)
        if wait:
            floods.held.hold(request.headers.get("X-Auth-Token", ""), wait)
            raise TooManyRequests(wait)
        return True


def _is_free(caller: Caller, method: str) -> bool:
    return Role.SERVICE in caller.roles or (caller.is_admin and method in ("GET", "HEAD"))
