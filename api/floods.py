"""What is refused before anything is done for it: bodies that we will not read, and those who ask too often.

Who calls is not known here yet. So requests without a token are counted by address, and so is every token that proved
to be none; a token whose project was found to ask too often is remembered until it may ask again, since to refuse must
cost much less than to answer.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from django.conf import settings

from api import rates
from api.errors import refuse
from api.problems import LengthRequired, TooLarge, TooManyRequests
from api.versions import service_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from api.problems import Problem

MOST: Final = 10_000  # tokens to remember


class FloodMiddleware:
    """Refuse a request to one of the services, or pass it on; it stands where the client's address is known."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if service_of(request.path_info) is None:
            return self.get_response(request)
        problem = _unreadable(request)
        if problem:
            response = refuse(request, problem)
            response["Connection"] = "close"  # what was not read is in the way of the next request
            return response
        token = request.headers.get("X-Auth-Token")
        wait = held.wait(token) if token else _anonymous(request)
        if wait:
            return refuse(request, TooManyRequests(wait))
        response = self.get_response(request)
        if token and response.status_code == 401 and (wait := _anonymous(request)):  # noqa: PLR2004 - unauthorized
            return refuse(request, TooManyRequests(wait))
        return response


def _unreadable(request: HttpRequest) -> Problem | None:
    """Return what is wrong with the announced body; nothing of it has been read."""
    if "Transfer-Encoding" in request.headers:
        return LengthRequired("The length of the body must be given in advance, by Content-Length.")
    length = request.headers.get("Content-Length") or "0"
    if not (length.isascii() and length.isdecimal()) or int(length) > settings.API_BODY_BYTES:
        return TooLarge(f"The request's body is longer than {settings.API_BODY_BYTES} bytes.")
    return None


def _anonymous(request: HttpRequest) -> float:
    return rates.ADDRESSES.take(rates.network_of(request.META.get("REMOTE_ADDR", "")))


class _Held:
    """Tokens that must wait, each until a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: OrderedDict[str, float] = OrderedDict()

    def hold(self, token: str, seconds: float) -> None:
        """Have a token wait."""
        with self._lock:
            self._until[token] = time.monotonic() + seconds
            if len(self._until) > MOST:
                self._until.popitem(last=False)

    def wait(self, token: str) -> float:
        """Return the seconds that a token must wait; 0 if it need not."""
        until = self._until.get(token)
        if until is None:
            return 0.0
        left = until - time.monotonic()
        if left <= 0:
            with self._lock:
                self._until.pop(token, None)
        return max(0.0, left)


held = _Held()
