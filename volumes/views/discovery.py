"""What clients read first: that there is version 3, and up to which microversion."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does
from volumes.documents.catalog import VERSIONS
from volumes.views.base import VolumeView

UPDATED = "2026-11-20T00:00:00Z"
MEDIA_TYPE = {"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}


class Versions(VolumeView):
    """The root of the service: several choices, one of them."""

    policy = {"GET": "identity:discover"}
    described = {"GET": Does({300: VERSIONS})}
    authentication_classes = []  # a stale token must not spoil what needs none
    status = 300

    def get(self, request: Request) -> Response:  # noqa: ARG002
        """List the versions of the service."""
        version: dict[str, Any] = {
            "id": "v3.0",
            "status": "CURRENT",
            "version": str(self.service.maximum),
            "min_version": str(self.service.minimum),
            "updated": UPDATED,
            "links": [{"rel": "self", "href": f"{self.base}/"}],
            "media-types": [MEDIA_TYPE],
        }
        return Response({"versions": [version]}, status=self.status)


class Version3(Versions):
    """Version 3 itself."""

    described = {"GET": Does({200: VERSIONS})}

    status = 200
