"""The URL table, walked: every route of every service, its view, and a path that leads to it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from api.views import ResourceView

CHANGING = ("POST", "PUT", "PATCH", "DELETE")
_GROUP = re.compile(r"\(\?P<(\w+)>\[\^/\]\+\)")


def routes() -> Iterator[tuple[str, type[ResourceView]]]:
    """Yield the regular expression and the view of each route of a service."""
    yield from _below("", get_resolver("project.urls").url_patterns)


def _below(prefix: str, patterns: list[URLPattern | URLResolver]) -> Iterator[tuple[str, type[ResourceView]]]:
    for pattern in patterns:
        here = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from _below(here, pattern.url_patterns)
            continue
        view: Any = getattr(pattern.callback, "view_class", None)
        if view is not None and issubclass(view, ResourceView):
            yield here, view


def methods_of(view: Any) -> list[str]:
    """Return the methods that a route has."""
    return [
        method
        for method in ("GET", *CHANGING)
        if method.lower() in view.http_method_names and hasattr(view, method.lower())
    ]


def a_path_to(route: str) -> str:
    """Return a path that the route takes, with ids that nothing has."""
    path = re.sub(r"\(\?:\(\?P<project>.*?\)/\)\?", "", route)
    path = _GROUP.sub(str(uuid.uuid4()), path)
    path = path.replace("(?!/)", "").replace("(?:/detail)?", "").replace("(?P<rest>/.*)?", "")
    path = re.sub(r"/\?(\\Z|\$)$", "", path)
    return f"/{path}"
