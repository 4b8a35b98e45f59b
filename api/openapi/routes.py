"""The URL table as OpenAPI writes it: each route's path with its parameters in braces.

A route's pattern may leave things open (a slash at the end, the project's id, an older word): what is optional is left
out of the path, so each route has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from api.versions import Service
from api.views import ResourceView

_CONVERTED = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
_NAMED = re.compile(r"\(\?P<([a-z_]+)>")
_NOTHING = ("(?!", "(?=", "(?<")  # what only looks ahead or back


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a service: its path, and the view as the URL table makes it."""

    path: str
    view: ResourceView
    made: Any
    """What the URL table calls."""

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"\{([a-z_]+)\}", self.path)


def routes(service: Service, urlconf: str | None = None) -> list[Route]:
    """Return the routes of a service, in the order of their paths."""
    found = [route for route in _walk(get_resolver(urlconf), "") if route.view.service is service]
    return sorted(found, key=lambda route: route.path)


def _walk(resolver: URLResolver, before: str) -> Iterator[Route]:
    for each in resolver.url_patterns:
        here = before + template(each)
        if isinstance(each, URLResolver):
            yield from _walk(each, here)
        elif (view := view_of(each)) is not None:
            yield Route("/" + here.strip("/"), view, each.callback)


def view_of(pattern: URLPattern) -> ResourceView | None:
    """Return the view that a pattern leads to, as the URL table makes it; None if it is none of ours."""
    made = cast("Any", pattern.callback)
    kind = getattr(made, "view_class", None)
    if kind is None or not issubclass(kind, ResourceView):
        return None
    return cast("ResourceView", kind(**made.view_initkwargs))


def template(pattern: URLPattern | URLResolver) -> str:
    """Return the path that a pattern matches, with its parameters in braces and without what is optional."""
    own = pattern.pattern
    if isinstance(own, RoutePattern):
        return _CONVERTED.sub(r"{\1}", str(own))
    text = str(own).removeprefix("^").removesuffix("$").removesuffix(r"\Z")
    path, at = "", 0
    while at < len(text):
        end = _end(text, at)
        piece, at = text[at:end], end
        if at < len(text) and text[at] == "?":
            at += 1
        elif named := _NAMED.match(piece):
            path += f"{{{named[1]}}}"
        elif not piece.startswith(_NOTHING):
            path += piece.removeprefix("\\")
    return path


def _end(text: str, start: int) -> int:
    """Return where the group, or the one character, ends that begins here."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at + 1 + (text[at] == "\\")
    raise ValueError(f"A group of {text} has no end.")
