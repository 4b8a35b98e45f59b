"""Behind a proxy: what it says of the client is taken for the client's own words, so that links lead back through it.

Only with the setting BEHIND_PROXY: without it these headers are the client's, and mean nothing. One proxy is believed,
the one that speaks to us: of a list in a header, the last entry, which is that proxy's.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.urls import get_script_prefix, set_script_prefix

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+", re.ASCII)
_WITH_PORT: Final = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<four>[0-9.]+))(?::[0-9]+)?", re.ASCII)
_PORTS: Final = {"http": "80", "https": "443"}


class ProxyMiddleware:
    """Give the request the scheme, host, port, path and address that the client used, as the proxy tells them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.BEHIND_PROXY:
            return self.get_response(request)
        before = get_script_prefix()
        try:
            _believe(request)
            return self.get_response(request)
        finally:
            set_script_prefix(before)


def _believe(request: HttpRequest) -> None:
    said = request.META
    if scheme := _last(request, "PROTO").lower():
        said["HTTP_X_FORWARDED_PROTO"] = scheme  # read by Django, by the setting SECURE_PROXY_SSL_HEADER
    host = _last(request, "HOST") or said.get("HTTP_HOST", "")
    port = _last(request, "PORT")
    names_port = ":" in host.rpartition("]")[2]
    if host and port.isdecimal() and not names_port and port != _PORTS[request.scheme or "http"]:
        host = f"{host}:{port}"
    if host:
        said["HTTP_X_FORWARDED_HOST"] = host  # likewise, by USE_X_FORWARDED_HOST; ALLOWED_HOSTS judges it
    prefix = _last(request, "PREFIX").rstrip("/")
    if _PREFIX.fullmatch(prefix):
        said["SCRIPT_NAME"] = prefix
        request.path = prefix + request.path_info
        set_script_prefix(f"{prefix}/")
    client = _last(request, "FOR")
    if found := _WITH_PORT.fullmatch(client):  # some name the client's port too
        client = found["six"] or found["four"]
    with contextlib.suppress(ValueError):  # it does not say
        said["REMOTE_ADDR"] = str(ipaddress.ip_address(client))


def _last(request: HttpRequest, what: str) -> str:
    return str(request.META.get(f"HTTP_X_FORWARDED_{what}", "")).rpartition(",")[2].strip()
