"""What the routes of /container-infra share: service, URL of the service, validated bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from api.fields import FALSE, TRUE
from api.problems import BadRequest, Problem, VersionNotAcceptable
from api.rehearsing import Facts, Rehearsed
from api.requests import url_of
from api.versions import CONTAINER_INFRA, Version
from bays import actions, delegations, lending, rehearsing
from bays.models import Bay
from bays.serializers import CLUSTERS, Dialect
from identity.authentication import Bearer
from identity.callers import Caller, caller_of
from lifecycle.accepted import Accepted
from lifecycle.models import Leased


class BayView(Rehearsed):
    """A route of /container-infra."""

    service = CONTAINER_INFRA
    words: Dialect = CLUSTERS

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)

    def at_least(self, minor: int) -> bool:
        """Tell whether the request's microversion is 1.`minor` or later."""
        return self.version >= Version(1, minor)

    def too_old(self, since: Version) -> Problem:
        """Return what Magnum answers to a version older than the route: 406, with those that have it."""
        return VersionNotAcceptable(
            f"Version {self.version} was requested but the requested API is there from {since} on.",
            str(since),
            str(self.service.maximum),
        )

    def facts(self, row: Model) -> Facts:
        """Return what a dry run tells of a row."""
        return rehearsing.facts(row, self.words)

    def counts(self, changes: Sequence[Accepted]) -> Mapping[str, Facts]:
        """Return the quota of bays."""
        return rehearsing.counts(changes, self.caller.project)

    def end(self, event: str, row: Leased) -> None:
        """Make what ends with a bay."""
        assert isinstance(row, Bay)  # noqa: S101 - the one leased row of this service
        rehearsing.end(event, row)

    @property
    def base(self) -> str:
        """The service's URL as the client named it."""
        return url_of(self.request, self.service.prefix)


class LendingView(BayView):
    """A route that accepts work on a bay's stack: with an outside Keystone, its caller lends us a delegation for it."""

    lends: frozenset[str] = frozenset({"POST", "PATCH", "DELETE"})
    _by: Caller | None = None

    @property
    def caller(self) -> Caller:
        return self._by or super().caller

    def needs_preparation(self, request: Request) -> bool:
        """Tell whether the request needs a delegation."""
        return delegations.needed() and request.method in self.lends

    def prepare(self, request: Request) -> None:
        """Make sure of the bay's delegation."""
        bay = actions.find_bay(self.caller, self.kwargs["ident"])
        self._by = lending.lent_for(self.caller, token_of(request), bay)

    def withdraw(self) -> None:
        """Give the delegation back that the request lent."""
        lending.give_back(self.caller)


def token_of(request: Request) -> str:
    """Return the caller's own token."""
    bearer = request.auth
    assert isinstance(bearer, Bearer)  # noqa: S101 - who is authenticated has brought one
    return bearer.text


def validated(serializer: BaseSerializer[Any]) -> dict[str, Any]:
    """Return the validated body.

    :raises ValidationError: naming the fields that are wrong.
    """
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def truth(request: Request, name: str) -> bool:
    """Return a query parameter as a truth value; absent is false.

    :raises BadRequest: it is neither true nor false.
    """
    word = request.query_params.get(name, "false").strip().lower()
    if word == "" or word in TRUE:
        return True
    if word in FALSE:
        return False
    raise BadRequest(f"{name} must be true or false.")
