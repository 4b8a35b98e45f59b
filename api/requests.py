"""The id of a request: in its answer, in each line of log about it, and in the Operation that it begins."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse
    from rest_framework.request import Request

HEADER: Final = "x-openstack-request-id"
_VALID = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


class RequestIdMiddleware:
    """Give each request an id, or keep the one that the client gave if it has the right form.

    It stands outermost, so that an answer of any other middleware carries the id as well.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        request_id = given if _VALID.fullmatch(given) else f"req-{uuid.uuid4()}"
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()  # and not at the end: Django logs refusals later
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response[HEADER] = request_id
        return response


def request_id_of(request: object) -> str:
    """Return the id of a Django or DRF request; empty where the middleware did not run."""
    return getattr(request, "request_id", "")


def url_of(request: HttpRequest | Request, path: str) -> str:
    """Return the URL of one of our paths as the client names it: by its host, and below a proxy's prefix."""
    return str(request.build_absolute_uri(request.META.get("SCRIPT_NAME", "") + path))
