"""Services, clusters and hosts on the wire."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.fields import Reference, Text
from api.versions import Version
from volumes.actions.pools import Usage
from volumes.actions.services import STORAGE, Cluster, Service
from volumes.serializers.fields import moment

CLUSTERS, CLUSTER_REPLICATION, BACKEND_STATE = Version(3, 7), Version(3, 26), Version(3, 49)


class ServiceInput(serializers.Serializer[Any]):
    """Which service is meant."""

    host = Text(max_length=255)
    binary = Reference()
    service = Reference()  # an older word for binary

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a body that names no binary."""
        if not attrs.get("binary") and not attrs.get("service"):
            raise serializers.ValidationError("binary is required.")
        return attrs


class ReasonInput(ServiceInput):
    """Which service is meant, and why it is to take no more work."""

    disabled_reason = Text(max_length=255)

    def validate_disabled_reason(self, value: str) -> str:
        """Refuse a reason that is blank."""
        if not value.strip():
            raise serializers.ValidationError("A reason cannot be blank.")
        return value.strip()


class BackendInput(serializers.Serializer[Any]):
    """Which back-end is meant: by a host, or as a cluster."""

    host = Reference()
    cluster = Reference()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a body that names both or none."""
        if bool(attrs.get("host")) == bool(attrs.get("cluster")):
            raise serializers.ValidationError("One and only one of cluster and host must be set.")
        return attrs


class LogInput(serializers.Serializer[Any]):
    """Whose log levels are meant."""

    binary = Reference()
    server = Reference()
    prefix = Reference()


class ClusterInput(serializers.Serializer[Any]):
    """Which cluster is meant, and why it is to take no more volumes."""

    name = Text(max_length=255)
    binary = Reference()
    disabled_reason = Reference()


def service_document(service: Service, version: Version) -> dict[str, Any]:
    """Return a service as the list shows it."""
    document = {
        "binary": service.binary,
        "host": service.host,
        "zone": service.zone,
        "status": _status(disabled=service.disabled),
        "state": _state(up=service.up),
        "updated_at": moment(service.seen_at),
        "disabled_reason": service.disabled_reason,
    }
    backend = service.backend
    if version >= CLUSTERS:
        document["cluster"] = None if backend is None else backend.address
    if backend is None:
        return document
    if version >= BACKEND_STATE:
        document["backend_state"] = _state(up=backend.up)
    return document | {"replication_status": "disabled", "active_backend_id": None, "frozen": backend.frozen}


def cluster_summary(cluster: Cluster, version: Version) -> dict[str, Any]:
    """Return a cluster as lists show it."""
    document = {
        "name": cluster.backend.address,
        "binary": STORAGE,
        "state": _state(up=cluster.up),
        "status": _status(disabled=cluster.backend.disabled),
    }
    return document | ({"replication_status": "disabled"} if version >= CLUSTER_REPLICATION else {})


def cluster_detail(cluster: Cluster, version: Version) -> dict[str, Any]:
    """Return a cluster with its nodes counted."""
    document = cluster_summary(cluster, version) | {
        "num_hosts": len(cluster.members),
        "num_down_hosts": cluster.down,
        "last_heartbeat": moment(cluster.seen_at),
        "created_at": None,
        "updated_at": None,
        "disabled_reason": cluster.backend.disabled_reason,
    }
    if version >= CLUSTER_REPLICATION:
        document |= {"frozen": cluster.backend.frozen, "active_backend_id": None}
    return document


def host_document(service: Service) -> dict[str, Any]:
    """Return a service as the list of hosts shows it."""
    return {
        "host_name": service.host,
        "service": service.binary,
        "zone": service.zone,
        "service-status": "available" if service.up else "unavailable",
        "service-state": _status(disabled=service.disabled),
        "last-update": moment(service.seen_at),
    }


def usage_document(host: str, project: str, usage: Usage) -> dict[str, Any]:
    """Return what a project stores on a host; numbers are text, as in Cinder."""
    return {
        "resource": {
            "host": host,
            "project": project,
            "volume_count": str(usage.volumes),
            "total_volume_gb": str(usage.volume_gb),
            "snapshot_count": str(usage.snapshots),
            "total_snapshot_gb": str(usage.snapshot_gb),
        }
    }


def _state(*, up: bool) -> str:
    return "up" if up else "down"


def _status(*, disabled: bool) -> str:
    return "disabled" if disabled else "enabled"
