"""Paths of version 3: each is there with and without the project's id, and with and without a slash at its end."""

from __future__ import annotations

from typing import Final

from django.urls import URLPattern, re_path
from rest_framework.views import APIView

PROJECT: Final = r"(?:(?P<project>[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/)?"
ONE: Final = r"(?P<ident>[^/]+)"


def route(path: str, view: type[APIView], **how: object) -> URLPattern:
    """Return the pattern of a path below /volume/v3; `path` is a regular expression without anchors."""
    return re_path(rf"^volume/v3/{PROJECT}{path}/?\Z", view.as_view(**how))
