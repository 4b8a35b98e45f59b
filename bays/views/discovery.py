"""What clients read first: the service's versions, and version 1's table of contents."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does
from bays.documents import CONTENTS, VERSIONS
from bays.views.base import BayView

COLLECTIONS = (
    *("baymodels", "bays", "clustertemplates", "clusters", "certificates", "quotas", "stats", "mservices"),
    *("federations", "operations"),
)
MEDIA_TYPE = {"base": "application/json", "type": "application/vnd.openstack.magnum.v1+json"}


class Versions(BayView):
    policy = {"GET": "identity:discover"}
    described = {"GET": Does({200: VERSIONS})}
    authentication_classes = []  # a stale token must not spoil what needs none

    def get(self, request: Request) -> Response:  # noqa: ARG002
        """List the versions of the service."""
        return Response(
            {
                "name": "Roadstead container-infra API",
                "description": "Container bays on Heat stacks",
                "versions": [
                    {
                        "id": "v1",
                        "status": "CURRENT",
                        "min_version": str(self.service.minimum),
                        "max_version": str(self.service.maximum),
                        "links": [{"rel": "self", "href": f"{self.base}/v1/"}],
                    }
                ],
            }
        )


class Contents(BayView):
    policy = {"GET": "identity:discover"}
    described = {"GET": Does({200: CONTENTS})}
    authentication_classes = []  # a stale token must not spoil what needs none

    def get(self, request: Request) -> Response:  # noqa: ARG002
        """List what version 1 offers."""
        document: dict[str, object] = {
            "id": "v1",
            "media_types": [MEDIA_TYPE],
            "links": [{"rel": "self", "href": f"{self.base}/v1/"}],
        }
        for name in COLLECTIONS:
            document[name] = [
                {"rel": "self", "href": f"{self.base}/v1/{name}/"},
                {"rel": "bookmark", "href": f"{self.base}/{name}/"},
            ]
        groups = "clusters/{cluster_id}/nodegroups"
        document["nodegroups"] = [
            {"rel": "self", "href": f"{self.base}/v1/{groups}"},
            {"rel": "bookmark", "href": f"{self.base}/{groups}"},
        ]
        return Response(document)
