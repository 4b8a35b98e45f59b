"""The base of every view: authentication, policy, version, problems and headers, once.

A view says which service it belongs to, which policy rule each of its methods needs, and what each takes and answers; a
method without a rule is refused. Who calls and what a rule means is decided by the classes in DRF's settings.

A POST with an Idempotency-Key runs inside one transaction (see `api.idempotency`). So a method accepts a request and
returns; it waits for nothing outside. What it needs from outside is had before, in `prepare`; what has to be waited
for after the commit is waited for in `finish`.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework.views import APIView

from api import dryrun, idempotency
from api.problems import BadRequest, MethodNotAllowed, NotFound, Problem, translate
from api.requests import request_id_of
from api.versions import HEADER, Service, Version
from lifecycle import accepted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rest_framework.request import Request
    from rest_framework.response import Response

    from api.openapi.methods import Does


class ResourceView(APIView):
    """A route of a service."""

    service: ClassVar[Service]
    policy: ClassVar[Mapping[str, str]] = {}
    described: ClassVar[Mapping[str, Does]] = {}
    """What each method takes and answers, as the OpenAPI description tells it and the tests hold it to."""
    since: ClassVar[Version | None] = None
    """The microversion that brought the route; older requests do not see it."""
    heeds_if_match: ClassVar[bool] = False
    """Whether the route is `api.preconditions.Conditional`: others refuse If-Match instead of passing it over."""
    heeds_idempotency_key: ClassVar[bool] = True
    """Whether an answer may be kept for who asks twice: not one that tells a secret which is not kept itself."""

    dry_runs: ClassVar[frozenset[str]] = frozenset()
    """The methods that can be tried (see `api.rehearsing`): others refuse dry_run instead of being carried out."""

    http_method_names = ["get", "post", "put", "patch", "delete", "head"]

    is_dry_run = False
    _version: Version | None = None
    _is_accepted = False
    _only_replays = False

    @property
    def version(self) -> Version:
        """Return the microversion of this request."""
        return self._version or self.service.minimum

    @property
    def request_id(self) -> str:
        return request_id_of(self.request)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Check all that can be checked before the method runs; the routes' own words first."""
        if "\x00" in request.path_info:
            raise NotFound("The resource could not be found.")
        if any("\x00" in text for key, values in request.query_params.lists() for text in (key, *values)):
            raise BadRequest("The query holds a NUL character.")
        super().initial(request, *args, **kwargs)
        if "If-Match" in request.headers and not self.heeds_if_match:
            raise BadRequest("If-Match is not heeded here, so the request was not carried out.")
        self.is_dry_run = dryrun.is_asked_for(request)
        if self.is_dry_run and request.method not in self.dry_runs:
            raise dryrun.NotRehearsed("dry_run is not offered here, so the request was not carried out.")
        if "Idempotency-Key" in request.headers and not self.heeds_idempotency_key:
            raise BadRequest("Idempotency-Key is not heeded here, so the request was not carried out.")
        method = str(request.method).lower()
        setattr(self, method, partial(self._carry_out, getattr(self, method)))  # DRF looks it up after this

    def _carry_out(
        self, handler: Callable[..., Response], request: Request, *args: object, **kwargs: object
    ) -> Response:
        key = idempotency.key_of(request)
        bare = partial(handler, request, *args, **kwargs)
        if self.is_dry_run:
            return self.rehearse(bare)
        handle = partial(_told, bare)
        with self._prepared(key):
            response = self._once(key, request, handle)
            self._is_accepted = response.status_code < 400 and idempotency.REPLAYED not in response  # noqa: PLR2004
        try:
            return self.finish(request, response)
        except Problem as problem:  # it was accepted all the same, and its operation can be awaited
            if idempotency.OPERATION in response:
                operation = {idempotency.OPERATION: response[idempotency.OPERATION]}
                problem.headers = {**problem.headers, **operation}
            raise

    def _once(self, key: str | None, request: Request, handle: Callable[[], Response]) -> Response:
        if key is None:
            return handle()
        if self._only_replays:  # its key may be forgotten at this moment, and nothing was prepared
            return idempotency.again(key, request, self._version)
        return idempotency.once(key, request, self._version, handle)

    def rehearse(self, handle: Callable[[], Response]) -> Response:
        """Answer with what would come of the request, and leave everything as it is.

        Of a route that offers dry runs: see `api.rehearsing.Rehearsed`.
        """
        raise NotImplementedError

    @contextmanager
    def _prepared(self, key: str | None) -> Iterator[None]:
        """Have prepared what is to be carried out, and withdrawn what surely was not."""
        request = self.request
        needs = self.needs_preparation(request)
        self._only_replays = needs and key is not None and idempotency.is_known(key, request)
        if not needs or self._only_replays:
            yield
            return
        self.prepare(request)
        try:
            yield
        except Exception as error:
            problem = translate(error)
            if problem is not None and problem.is_refusal:  # else nobody knows what came of it
                self.withdraw()
            raise
        if not self._is_accepted:
            self.withdraw()

    def needs_preparation(self, request: Request) -> bool:  # noqa: ARG002 - for overriding
        """Tell whether something outside must be had before the method runs."""
        return False

    def prepare(self, request: Request) -> None:
        """Get from outside what the method needs to accept the request, outside any transaction.

        A replay under the same Idempotency-Key needs nothing, and is not prepared.
        """

    def withdraw(self) -> None:
        """Give back what was prepared for a request that was refused, or was carried out before under its key."""

    def finish(self, request: Request, response: Response) -> Response:  # noqa: ARG002 - for overriding
        """Return the answer to give after what the method accepted is committed.

        Override it where clients expect an answer that only a worker can give (a connection's particulars): await
        the worker here, by what `response` and `self.kwargs` name, and put what it found into the answer. It is
        called outside any transaction, once per answer: after the method, and after each replay of it under the
        same Idempotency-Key, with the answer as the method returned it. So it reads, and accepts nothing.
        """
        return response

    def perform_authentication(self, request: Request) -> None:
        """Find out who calls, and refuse those who call too often, whatever else would be said to them."""
        super().perform_authentication(request)
        super().check_throttles(request)

    def check_throttles(self, request: Request) -> None:
        """Do nothing: it was done as soon as it was known who calls."""

    def determine_version(self, request: Request, *args: object, **kwargs: object) -> tuple[Any, Any]:
        """Return the microversion, in DRF's form."""
        del args, kwargs
        if self.service.history:
            self._version = self.service.negotiate(request.headers.get(HEADER))
        return self._version, None

    def check_permissions(self, request: Request) -> None:
        """Refuse a method or a version that the route has not, then ask the policy."""
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(f"The method {str(request.method)[:16]} is not allowed for this resource.")
        if self.since and self.version < self.since:
            raise self.too_old(self.since)
        super().check_permissions(request)

    def too_old(self, since: Version) -> Problem:
        """Return what a request in a version older than the route is told."""
        return NotFound(f"The resource could not be found; it is there from version {since} on.")

    def finalize_response(
        self, request: Request, response: Response, *args: object, **kwargs: object
    ) -> Response:
        """Say which version answered and which there are."""
        if self.service.history:
            service = self.service
            if self._version:
                response[HEADER] = f"{service.word} {self._version}"
            response["OpenStack-API-Minimum-Version"] = f"{service.word} {service.minimum}"
            response["OpenStack-API-Maximum-Version"] = f"{service.word} {service.maximum}"
            self.headers["Vary"] = HEADER
        return super().finalize_response(request, response, *args, **kwargs)


def _told(handle: Callable[[], Response]) -> Response:
    """Have the answer name the operation that the request began, which its client may await."""
    with accepted.noted() as changes:
        response = handle()
    operation = accepted.principal(changes)
    if operation is not None:
        response[idempotency.OPERATION] = str(operation.pk)
    return response
