"""Rows for tests: each function makes one valid row, and takes what the test cares about."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from bays.models import Bay, BayModel, NodeGroup
from bays.models import Quota as BayQuota
from bays.states import Status
from identity.callers import Caller
from lifecycle import local, requests
from lifecycle.leases import at_rest
from lifecycle.models import Event, Node, Operation
from lifecycle.requests import Asked
from lifecycle.swap import swap
from volumes.actions.typing import DEFAULT
from volumes.models import Pool, Quota, Snapshot, Volume, VolumeType
from volumes.models.quotas import Amounts

PROJECT = "p" * 32
OTHER_PROJECT = "q" * 32


def caller(*roles: str, project: str = PROJECT, user: str = "u" * 32) -> Caller:
    implied = {"admin": {"admin", "member", "reader"}, "member": {"member", "reader"}, "reader": {"reader"}}
    held = set().union(*(implied[role] for role in roles or ("member",)))
    return Caller(user, "somebody", project, "project", frozenset(held))


def node(node_id: uuid.UUID | None = None, **over: Any) -> Node:
    """The Node of this process, or of another one."""
    values: dict[str, Any] = {
        "kind": Node.Kind.WORKER,
        "name": "node1",
        "hostname": "host",
        "pid": 1,
        "ttl": timedelta(seconds=5),
    }
    return Node.objects.update_or_create(pk=node_id or local.node_id, defaults={**values, **over})[0]


def baymodel(**over: Any) -> BayModel:
    values = {"project_id": PROJECT, "user_id": "u" * 32, "name": "small", "coe": "demo", "image_id": "image"}
    return BayModel.objects.create(**{**values, **over})


def bay(status: str = Status.CREATE_IN_PROGRESS, *, model: BayModel | None = None, **over: Any) -> Bay:
    """A bay as a request leaves it, in a busy status, or as an outcome does, at rest."""
    node()
    values: dict[str, Any] = {"project_id": PROJECT, "user_id": "u" * 32, "name": "bay1"}
    row = Bay(**{**values, "baymodel": model or baymodel(), **over})
    with transaction.atomic():
        BayQuota.reserve(row.project_id)
        operation = requests.birth(row, "create", Asked("u" * 32, row.project_id), name=row.name)
    if status in Bay.machine.busy:
        changed = swap(Bay, pk=row.pk, values={"status": status})
    else:
        changed = swap(Bay, pk=row.pk, values=at_rest(Bay, status, ""))
        Operation.objects.filter(pk=operation.pk).update(state="COMPLETE", finished_at=operation.created_at)
    assert changed is not None
    return changed


def nodegroup(of: Bay, status: str = Status.CREATE_COMPLETE, **over: Any) -> NodeGroup:
    """A further node group of a bay."""
    return NodeGroup.objects.create(**{"bay": of, "name": "blue", "status": status, **over})


def pool(backend: str = "fast", name: str = "one", *, room: int = 1000, **over: Any) -> Pool:
    """A pool that has just reported room for so many GiB."""
    values: dict[str, Any] = {
        "backend": backend,
        "name": name,
        "availability_zone": "nova",
        "total_gb": room,
        "free_gb": room,
        "promisable_gb": room,
        "free_promisable_gb": room,
        "reported_at": timezone.now() + timedelta(hours=1),  # fresh for as long as the test may take
        "capabilities": {
            "volume_backend_name": backend,
            "thin_provisioning_support": True,
            "multiattach": True,
        },
    }
    return Pool.objects.update_or_create(pk=f"{backend}#{name}", defaults={**values, **over})[0]


def volume_type(name: str = "", **over: Any) -> VolumeType:
    """A type of this name; the default type without one."""
    return VolumeType.objects.update_or_create(name=name or DEFAULT, defaults=over)[0]


def volume(status: str = "available", *, in_pool: Pool | None = None, **over: Any) -> Any:
    """A volume as a request leaves it, in a busy status, or as an outcome does, at rest."""
    node()
    home = in_pool or Pool.objects.order_by("pk").first() or pool()
    values: dict[str, Any] = {
        "project_id": PROJECT,
        "user_id": "u" * 32,
        "name": "volume1",
        "size": 1,
        "availability_zone": home.availability_zone,
        "backend": home.backend,
        "pool": home.name,
    }
    row = Volume(**{**values, "type": over.pop("type", None) or volume_type(), **over})
    with transaction.atomic():
        Quota.reserve(row.project_id, row.type_id, Amounts(volumes=1, gigabytes=row.size))
        assert Pool.reserve(home.pk, row.size)
        operation = requests.birth(row, "create", Asked("u" * 32, row.project_id), name=row.name)
    return _settled(Volume, row, status, operation)


def snapshot(of: Volume, status: str = "available", **over: Any) -> Any:
    """A snapshot of a volume, likewise."""
    values: dict[str, Any] = {
        "project_id": of.project_id,
        "user_id": of.user_id,
        "name": "snapshot1",
        "volume": of,
        "type": of.type,
        "size": of.size,
        "backend": of.backend,
        "pool": of.pool,
    }
    row = Snapshot(**{**values, **over})
    with transaction.atomic():
        Quota.reserve(row.project_id, row.type_id, Amounts(snapshots=1, gigabytes=row.size))
        assert Pool.reserve(of.pool_id, row.size)
        operation = requests.birth(row, "create", Asked("u" * 32, row.project_id), name=row.name)
    return _settled(Snapshot, row, status, operation)


def _settled(model: Any, row: Any, status: str, operation: Operation) -> Any:
    if status in model.machine.busy:
        changed = swap(model, pk=row.pk, values={"status": status})
    else:
        changed = swap(model, pk=row.pk, values=at_rest(model, status, ""))
        Operation.objects.filter(pk=operation.pk).update(state="COMPLETE", finished_at=operation.created_at)
        if status == "available":
            told = {"resource_type": model.machine.name, "resource_id": row.pk, "operation_id": operation.pk}
            moved = {"event": "created", "from_status": "creating", "to_status": "available"}
            Event.objects.create(**told, **moved, epoch=0)
    assert changed is not None
    return changed
