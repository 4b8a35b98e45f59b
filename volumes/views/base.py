"""What the routes of /volume share: service, caller, project in the path, query parameters, links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from api.problems import BadRequest
from api.rehearsing import Facts, Rehearsed
from api.requests import url_of
from api.versions import BLOCK_STORAGE, Version
from identity import policy
from identity.callers import Caller, caller_of
from lifecycle.accepted import Accepted
from lifecycle.models import Leased
from volumes import rehearsing

TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
FALSE = frozenset({"0", "f", "false", "off", "n", "no", ""})


class VolumeView(Rehearsed):
    """A route of /volume/v3, with or without the project's id in its path."""

    service = BLOCK_STORAGE

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)

    @property
    def base(self) -> str:
        """The URL of version 3 as the client named it, without the project."""
        return url_of(self.request, f"{self.service.prefix}/v3")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a path that names another project than the token's.

        :raises BadRequest: it does (400, so it is in Cinder).
        """
        super().initial(request, *args, **kwargs)
        named = self.kwargs.pop("project", None)
        kwargs.pop("project", None)
        if named is not None and isinstance(request.user, Caller):
            own = request.user.project_id
            if own is not None and named.replace("-", "") != own.replace("-", ""):
                raise BadRequest("Malformed request url: the path names another project than the token.")

    def facts(self, row: Model) -> Facts:
        """Return what a dry run tells of a row; where it is stored to those who may know."""
        return rehearsing.facts(row, hosts=policy.allows(self.caller, "volume:hosts"))

    def counts(self, changes: Sequence[Accepted]) -> Mapping[str, Facts]:
        """Return the quotas of the project, and what its pool has to those who may know."""
        hosts = policy.allows(self.caller, "volume:hosts")
        return rehearsing.counts(changes, self.caller.project, hosts=hosts)

    def end(self, event: str, row: Leased) -> None:
        """Make what ends with a volume or a snapshot."""
        rehearsing.end(event, row)

    def at_least(self, minor: int) -> bool:
        """Tell whether the request's microversion is 3.`minor` or later."""
        return self.version >= Version(3, minor)


def validated(serializer: BaseSerializer[Any]) -> dict[str, Any]:
    """Return the validated body.

    :raises ValidationError: naming the fields that are wrong.
    """
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def unwrapped(request: Request, key: str) -> dict[str, Any]:
    """Return the object that a body wraps in `key`, as OpenStack's bodies do.

    :raises BadRequest: the body is no such object.
    """
    body = request.data
    if not isinstance(body, dict) or not isinstance(body.get(key), dict):
        raise BadRequest(f"Invalid request body: expected an object with the key {key}.")
    inner: dict[str, Any] = body[key]
    return inner


def truth(request: Request, name: str, *, default: bool = False) -> bool:
    """Return a query parameter as a truth value; clients send Python's words too.

    :raises BadRequest: it is none.
    """
    word = request.query_params.get(name)
    if word is None:
        return default
    if word.strip().lower() in TRUE:
        return True
    if word.strip().lower() in FALSE:
        return False
    raise BadRequest(f"{name} must be true or false.")
