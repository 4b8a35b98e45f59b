"""The X-Auth-Token header of a request turned into its caller; X-Service-Token may vouch for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from rest_framework.authentication import BaseAuthentication

from api.problems import Unauthorized
from identity import tokens

if TYPE_CHECKING:
    from rest_framework.request import Request

    from identity.callers import Caller


@dataclass(frozen=True)
class Bearer:
    """The token of a request, as it was sent: for asking other services in the caller's name. Never kept."""

    text: str = field(repr=False)
    expires_at: datetime


class TokenAuthentication(BaseAuthentication):
    """`request.user` becomes the Caller, `request.auth` the Bearer; the log learns both ids."""

    def authenticate(self, request: Request) -> tuple[Caller, Bearer] | None:
        """Return the caller and the token, or None where the header is absent.

        :raises Unauthorized: the token, or the service token beside it, is not, or no longer, good.
        """
        text = request.headers.get("X-Auth-Token")
        if not text:
            return None
        checked = tokens.check(text)
        if checked is None:
            raise Unauthorized("The request you have made requires authentication.")
        caller = checked.caller
        structlog.contextvars.bind_contextvars(user_id=caller.user_id, project_id=caller.project_id)
        service_text = request.headers.get("X-Service-Token")
        if service_text:
            service = tokens.check(service_text)
            if service is None:
                raise Unauthorized("The service token beside the request's token is not, or no longer, good.")
            structlog.contextvars.bind_contextvars(service_user_id=service.caller.user_id)
            caller = replace(caller, by_service=service.caller.is_service)
        return caller, Bearer(text, checked.token.expires_at)

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge that goes with a 401."""
        return f'Keystone uri="{request.build_absolute_uri("/identity")}"'
