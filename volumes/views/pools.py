"""/scheduler-stats/get_pools, /capabilities and /os-availability-zone."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, texts, truths
from api.openapi.schemas import listed
from api.problems import NotFound
from volumes import placement
from volumes.actions import pools, services, typing
from volumes.actions.services import STORAGE
from volumes.documents.catalog import CAPABILITIES, POOL, ZONES
from volumes.models import Pool
from volumes.serializers.pools import capabilities_document, pool_document
from volumes.views.base import VolumeView, truth

FILTERED, FILTERED_BY_TYPE = 28, 35  # since these minor versions


class Pools(VolumeView):
    policy = {"GET": "pool:list"}
    described = {
        "GET": Does(
            {200: listed("pools", POOL)},
            query=(
                *truths("detail"),
                *texts("name", since=f"3.{FILTERED}"),
                *texts("volume_type", since=f"3.{FILTERED_BY_TYPE}"),
            ),
            refuses=(404,),
        )
    }

    def get(self, request: Request) -> Response:
        """List the pools that meet the filters; `detail=true` with all that they reported."""
        query = request.query_params
        rows: list[Pool] = list(pools.reported())
        if "name" in query and self.at_least(FILTERED):
            rows = [row for row in rows if pools.address(row.backend, row.name) == query["name"]]
        if "volume_type" in query and self.at_least(FILTERED_BY_TYPE):
            kind = typing.find_type(self.caller, query["volume_type"])
            rows = [row for row in rows if placement.unmet(kind, row) is None]
        documents = [pool_document(row) for row in rows]
        if not truth(request, "detail"):
            documents = [{"name": document["name"]} for document in documents]
        return Response({"pools": documents})


class Capabilities(VolumeView):
    policy = {"GET": "pool:list"}
    described = {"GET": Does({200: CAPABILITIES})}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show what the back-end of a host can do."""
        backend = services.find(ident.partition("#")[0], STORAGE).backend
        if backend is None:
            raise NotFound(f"Host {ident[:255]} has no back-end.")
        of_it = list(pools.reported().filter(backend=backend.name))
        return Response(capabilities_document(ident, backend, of_it))


class AvailabilityZones(VolumeView):
    policy = {"GET": "zone:list"}
    described = {"GET": Does({200: ZONES})}

    def get(self, request: Request) -> Response:  # noqa: ARG002
        """List the zones of back-ends, and whether they take new volumes now."""
        zones = pools.zones().items()
        rows = [{"zoneName": name, "zoneState": {"available": available}} for name, available in zones]
        return Response({"availabilityZoneInfo": rows})
