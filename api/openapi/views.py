"""The descriptions, each under its service, and the page that shows them: without a token, and no word to outside.

They are the same in every installation of this version, so there is nothing in them to hide.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import etag, require_safe

from api.openapi.document import document_of
from api.openapi.texts import TITLES
from api.versions import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest

DOCUMENT: Final = "openapi.json"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _tag(request: HttpRequest, service: Service) -> str:
    del request
    return _tag_of(service)


@cache
def _tag_of(service: Service) -> str:
    return f'"{hashlib.sha256(document_of(service)).hexdigest()[:32]}"'


@require_safe
@etag(_tag)
def description(request: HttpRequest, service: Service) -> HttpResponse:
    """Answer with the description of a service."""
    del request
    headers = {
        "Cache-Control": "no-cache",
        "Access-Control-Allow-Origin": "*",
    }  # to be asked for again, not fetched
    return HttpResponse(document_of(service), content_type="application/json", headers=headers)


@require_safe
def page(request: HttpRequest, services: Sequence[Service]) -> HttpResponse:
    """Show the descriptions of these services to people."""
    shown = [
        {"url": path_of(service), "type": service.type, "name": TITLES[service]}
        for service in reversed(services)
    ]
    answer = render(request, "api/docs.html", {"services": shown})
    answer["Content-Security-Policy"] = POLICY
    return answer


def path_of(service: Service) -> str:
    return f"{service.prefix}/{DOCUMENT}"
