"""Every request that a test sends to a route of ours, held against the route's description.

The test runner puts this middleware before all others, so hundreds of tests that are about other things prove the
description as well. It checks of each answer that its status and its document, in the answer's microversion, are
described; of each request that was accepted that its body is; and of the view that it read no parameter of the query
and used no serializer of which the description does not tell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import jsonschema_rs
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict
from rest_framework.serializers import BaseSerializer

from api.openapi import texts
from api.openapi.operations import Operation
from api.openapi.schemas import Schema, as_of
from api.versions import BLOCK_STORAGE, HEADER, Service, Version, service_of
from api.views import ResourceView

MOST = 1024 * 1024  # a longer body is not looked at
_used: ContextVar[set[type] | None] = ContextVar("used", default=None)


class Asked(QueryDict):
    """A query that notes which parameters it is asked for."""

    def __init__(self, text: str, asked: set[str]) -> None:
        self.asked = set[str]()  # it asks itself while it is filled
        super().__init__(text, mutable=True)
        self.asked = asked

    def __getitem__(self, key: Any) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: Any) -> bool:
        self.asked.add(key)
        return super().__contains__(key)

    def copy(self) -> Any:
        return QueryDict(self.urlencode(), mutable=True)


class Checking:
    """The middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        service = service_of(request.path_info)
        if service is None:
            return self.get_response(request)
        asked: set[str] = set()
        try:
            request.GET = Asked(request.GET.urlencode(), asked)  # type: ignore[assignment] # never changed
        except SuspiciousOperation:
            return self.get_response(request)
        length = str(request.META.get("CONTENT_LENGTH") or 0)
        body = request.body if length.isdecimal() and int(length) < MOST else b""
        with _noting() as used:
            response = self.get_response(request)
        if response.streaming or response.status_code in (
            405,
            500,
        ):  # no method of the route, or no answer of its
            return response
        operation = _operation(request)
        if operation is not None:
            check_answer(operation, request, response, addressed=_addressed(operation, request))
            check_request(operation, response, body)
            check_reading(operation, asked, used)
        elif request.resolver_match is None and response.get("Content-Type", "").startswith(
            "application/json"
        ):
            _validate(_error(service), response.content, f"{request.path_info}: the error")
        return response


@contextmanager
def _noting() -> Iterator[set[type]]:
    used: set[type] = set()
    token = _used.set(used)
    try:
        yield used
    finally:
        _used.reset(token)


def watch_serializers() -> None:
    """Have every serializer that validates a body by itself, and not as a part of another, note that it does."""
    validate = BaseSerializer.is_valid

    def is_valid(self: BaseSerializer[Any], **kwargs: Any) -> bool:
        used = _used.get()
        if used is not None:
            used.add(type(self))
        return validate(self, **kwargs)

    BaseSerializer.is_valid = is_valid  # type: ignore[method-assign]


def _operation(request: HttpRequest) -> Operation | None:
    match = request.resolver_match
    kind = getattr(match and match.func, "view_class", None)
    if (
        match is None
        or kind is None
        or not issubclass(kind, ResourceView)
        or kind.__module__.startswith("tests.")
    ):
        return None
    method = "GET" if request.method == "HEAD" else str(request.method)
    return _operation_of(match.func, method)


@cache
def _operation_of(made: Any, method: str) -> Operation | None:
    view = made.view_class(**made.view_initkwargs)
    return Operation(view, method) if method in view.policy else None


def _addressed(operation: Operation, request: HttpRequest) -> bool:
    """Tell whether the path names something; the project that it may begin with is nothing of its own."""
    assert request.resolver_match is not None
    names = set(request.resolver_match.kwargs)
    return bool(names - {"project"} if operation.view.service is BLOCK_STORAGE else names)


def check_answer(
    operation: Operation, request: HttpRequest, response: HttpResponse, *, addressed: bool
) -> None:
    """Hold an answer's status and document against the description."""
    status, service = response.status_code, operation.view.service
    where = f"{request.method} {request.path_info} answered {status}"
    if status >= 400:
        told = operation.refusals(addressed=addressed)
        assert status in told, _wrong(
            operation, where, f"of refusals only {told} are described: see `refuses`"
        )
        if response.content:
            _validate(_error(service), response.content, _wrong(operation, where, "the error"))
        return
    told = [*operation.answers]
    assert status in told, _wrong(operation, where, f"only {told} are described: see `answers`")
    schema = operation.answers[status]
    if schema is None:
        assert not response.content, _wrong(operation, where, "a document is not described")
    elif response.content:
        version = response.get(HEADER, "").partition(" ")[2]
        known = Version(*map(int, version.split("."))) if version else None
        _validate(
            _answer(operation, status, known), response.content, _wrong(operation, where, "the document")
        )
    else:
        empty = request.method == "HEAD" or "anyOf" in schema  # of several actions some say nothing
        assert empty, _wrong(operation, where, "a document is described, and there is none")


def check_request(operation: Operation, response: HttpResponse, body: bytes) -> None:
    """Hold the body of a request that was accepted against the description; one that was only tried was not."""
    tried = response.content.startswith(b'{"dry_run"')
    if response.status_code >= 300 or tried or not body or operation.body is None:
        return
    what = _wrong(operation, f"it accepted {body[:500]!r}", "the body")
    _validate(_body(operation), body, what)


def check_reading(operation: Operation, asked: set[str], used: set[type]) -> None:
    """Hold what a view has read of a request against the description."""
    told = {each.name for each in operation.does.query}
    where = f"{operation.method} reads"
    assert asked <= told, _wrong(operation, where, f"parameters {sorted(asked - told)}: see `query`")
    by = set(operation.body.serializers) if operation.body else set()
    assert used <= by, _wrong(operation, where, f"its body by {used - by}: see `takes`")


def _wrong(operation: Operation, where: str, what: str) -> str:
    kind = type(operation.view)
    return f"{kind.__module__}.{kind.__name__}.described[{operation.method!r}]: {where}: {what}"


def _validate(validator: Any, content: bytes, what: str) -> None:
    try:
        validator.validate(json.loads(content))
    except jsonschema_rs.ValidationError as error:
        raise AssertionError(f"{what} is not as it is described.\n{error}") from None


@cache
def _error(service: Service) -> Any:
    return _compiled(texts.error_schema(service), None)


@cache
def _answer(operation: Operation, status: int, version: Version | None) -> Any:
    return _compiled(operation.answers[status] or {}, version)


@cache
def _body(operation: Operation) -> Any:
    return _compiled(operation.body.schema if operation.body else {}, None)


def _compiled(schema: Schema, version: Version | None) -> Any:
    return jsonschema_rs.Draft202012Validator(as_of(schema, version), validate_formats=True)
