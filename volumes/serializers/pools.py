"""Pools and the capabilities of back-ends on the wire."""

from __future__ import annotations

from typing import Any, Final

from volumes.actions.pools import BackendState, address
from volumes.models import Pool
from volumes.serializers.fields import moment

UNKNOWN: Final = "unknown"
SILENT: Final = "It has not reported for too long: does any node serve it?"


def pool_document(pool: Pool) -> dict[str, Any]:
    """Return a pool: what it can do and has, as last reported, and what operators and failures say of it."""
    reported: dict[str, Any] = pool.capabilities
    numbers = {
        "total_capacity_gb": round(pool.total_gb, 2),
        "free_capacity_gb": round(pool.free_gb, 2),
        "allocated_capacity_gb": pool.allocated_gb,
        "provisioned_capacity_gb": round(pool.provisioned_gb, 2),
        "max_over_subscription_ratio": str(pool.over_provisioning),
        "reserved_percentage": pool.reserved_percentage,
    }
    age, up = getattr(pool, "age", None), getattr(pool, "up", False)
    state = {
        "backend_state": "up" if up else "down",
        "timestamp": moment(pool.reported_at),
        "report_age_seconds": None if age is None else round(age.total_seconds(), 1),
        "down_reason": None if up else pool.down_reason or SILENT,
        "disabled": pool.disabled,
        "disabled_reason": pool.disabled_reason or None,
        "frozen": pool.frozen,
        "availability_zone": pool.availability_zone,
    }
    described = {"volume_backend_name": pool.backend, **_described(reported)}
    return {
        "name": address(pool.backend, pool.name),
        "capabilities": {**described, **reported, "pool_name": pool.name, **numbers, **state},
    }


def capabilities_document(host: str, backend: BackendState, pools: list[Pool]) -> dict[str, Any]:
    """Return what a back-end says of itself; `properties` are the capabilities that it reported."""
    reported: dict[str, Any] = pools[0].capabilities if pools else {}
    properties = {
        str(name): {"title": str(name), "description": str(value), "type": _type_of(value)}
        for name, value in reported.items()
    }
    return {
        "namespace": f"OS::Storage::Capabilities::{host}",
        "volume_backend_name": str(reported.get("volume_backend_name", backend.name)),
        "pool_name": None,
        "display_name": None,
        "description": None,
        "visibility": None,
        "replication_targets": [],
        **_described(reported),
        "properties": properties,
    }


def _described(reported: dict[str, Any]) -> dict[str, str]:
    """Return what describes the back-end's driver."""
    return {
        "vendor_name": str(reported.get("vendor_name", UNKNOWN)),
        "driver_version": str(reported.get("driver_version", UNKNOWN)),
        "storage_protocol": str(reported.get("storage_protocol", UNKNOWN)),
    }


def _type_of(value: object) -> str:
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "string")
