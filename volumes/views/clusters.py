"""/clusters: back-ends with all nodes that serve them; and /workers/cleanup, of which there is nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, texts
from api.openapi.schemas import OBJECT, listed
from api.problems import BadRequest, NotFound
from api.versions import Version
from volumes.actions import services
from volumes.actions.services import STORAGE, Cluster
from volumes.documents import one
from volumes.documents.catalog import CHANGED_CLUSTER, CLEANUP, CLUSTER, CLUSTER_SUMMARY
from volumes.serializers.services import (
    CLUSTER_REPLICATION,
    CLUSTERS,
    ClusterInput,
    cluster_detail,
    cluster_summary,
)
from volumes.views.base import VolumeView, validated
from volumes.views.filtering import truth_of

Value = Callable[[Cluster], str | bool | None]
# What each filter compares.
FILTERS: Mapping[str, Value] = {
    "name": lambda cluster: cluster.backend.address,
    "binary": lambda _: STORAGE,
    "is_up": lambda cluster: cluster.up,
    "disabled": lambda cluster: cluster.backend.disabled,
    "num_hosts": lambda cluster: str(len(cluster.members)),
    "num_down_hosts": lambda cluster: str(cluster.down),
}
LATER_FILTERS: Mapping[str, Value] = {
    "replication_status": lambda _: "disabled",
    "frozen": lambda cluster: cluster.backend.frozen,
    "active_backend_id": lambda _: None,
}
LISTED = (*texts(*FILTERS), *texts(*LATER_FILTERS, since=str(CLUSTER_REPLICATION)))


class Clusters(VolumeView):
    since = CLUSTERS
    policy = {"GET": "service:list"}
    described = {"GET": Does({200: listed("clusters", CLUSTER_SUMMARY)}, query=LISTED)}
    shown = staticmethod(cluster_summary)

    def get(self, request: Request) -> Response:
        """List the clusters that meet the filters."""
        filters = {**FILTERS, **(LATER_FILTERS if self.version >= CLUSTER_REPLICATION else {})}
        unknown = sorted(name[:64] for name in request.query_params if name not in filters)
        if unknown:
            raise BadRequest(f"Invalid filter keys: {', '.join(unknown[:10])}.")
        wanted = [(filters[name], request.query_params[name]) for name in request.query_params]
        rows = [each for each in services.clusters() if all(_is(of(each), text) for of, text in wanted)]
        return Response({"clusters": [self.shown(each, self.version) for each in rows]})


class ClustersInDetail(Clusters):
    described = {"GET": Does({200: listed("clusters", CLUSTER)}, query=LISTED)}
    shown = staticmethod(cluster_detail)


class ClusterDetail(VolumeView):
    since = CLUSTERS
    policy = {"GET": "service:list"}
    described = {"GET": Does({200: one("cluster", CLUSTER)}, query=texts("binary"))}

    def get(self, request: Request, ident: str) -> Response:
        """Show a cluster."""
        _require_binary(request.query_params.get("binary"), ident)
        return Response({"cluster": cluster_detail(services.cluster_named(ident), self.version)})


class ClusterView(VolumeView):
    """Enable and disable a cluster: whether its back-end takes new volumes."""

    since = CLUSTERS
    policy = {"PUT": "service:change"}
    described = {"PUT": Does({200: CHANGED_CLUSTER}, takes=ClusterInput, refuses=(404,))}
    disabled = False

    def put(self, request: Request) -> Response:
        """Have a back-end take new volumes, or none, on all its nodes."""
        body = validated(ClusterInput(data=request.data))
        reason = (body.get("disabled_reason") or "").strip() or None if self.disabled else None
        _require_binary(body.get("binary"), body["name"])
        whole = services.find(services.cluster_named(body["name"]).backend.address, STORAGE)
        if self.disabled:
            services.disable(self.caller, whole, reason)
        else:
            services.enable(self.caller, whole)
        document: dict[str, Any] = cluster_summary(services.cluster_named(body["name"]), self.version)
        return Response({"cluster": {**document, "disabled_reason": reason}})


class EnableCluster(ClusterView):
    pass


class DisableCluster(ClusterView):
    disabled = True


class WorkersCleanup(VolumeView):
    since = Version(3, 24)
    policy = {"POST": "service:change"}
    described = {"POST": Does({202: CLEANUP}, takes=OBJECT)}

    def post(self, request: Request) -> Response:
        """Answer that nothing is to be cleaned up: what a lost worker left is taken over without being asked for."""
        if not isinstance(request.data, dict):
            raise BadRequest("Invalid request body: expected an object.")
        return Response({"cleaning": [], "unavailable": []}, status=202)


def _is(value: str | bool | None, text: str) -> bool:
    return value is truth_of(text) if isinstance(value, bool) else value == text


def _require_binary(binary: str | None, name: str) -> None:
    """Refuse another binary than that of back-ends: clusters have no other.

    :raises NotFound: it is another.
    """
    if binary not in (None, "", STORAGE):
        raise NotFound(f"Cluster {name[:255]} of {binary[:255]} could not be found.")
