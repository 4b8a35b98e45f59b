"""A bay's node groups as they are shown: the default ones, which are columns of its row, and its further ones alike."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from api.problems import NotFound
from bays.models import Bay
from bays.nodegroups import DEFAULT_MASTER, DEFAULT_WORKER, NodeGroup

MASTER = "master"


@dataclass(frozen=True, slots=True)
class Group:
    """A node group as it is shown. `row` is where it is kept: the bay for a default group."""

    row: Bay | NodeGroup
    bay: Bay
    id: uuid.UUID
    name: str
    role: str
    node_count: int
    min_node_count: int
    max_node_count: int | None
    flavor_id: str | None
    image_id: str | None
    docker_volume_size: int | None
    labels: Mapping[str, str]
    status: str
    status_reason: str
    node_addresses: list[str]
    nodes: list[dict[str, str]]

    @property
    def is_default(self) -> bool:
        return isinstance(self.row, Bay)

    @property
    def created_at(self) -> datetime:
        return self.row.created_at

    @property
    def updated_at(self) -> datetime | None:
        return self.row.updated_at


def groups_of(bay: Bay, role: str | None = None) -> list[Group]:
    """Return the bay's node groups, the default ones first."""
    groups = [
        master(bay),
        worker(bay),
        *(further(bay, row) for row in bay.nodegroups.order_by("created_at", "pk")),
    ]
    return [group for group in groups if role is None or group.role == role]


def find_group(bay: Bay, ident: str) -> Group:
    """Return the bay's node group with this id or name.

    :raises NotFound: it has none.
    """
    try:
        pk: uuid.UUID | None = uuid.UUID(ident)
    except ValueError:
        pk = None
    for group in (worker(bay), master(bay)):
        if group.name == ident or group.id == pk:
            return group
    row = bay.nodegroups.filter(Q(name=ident) | Q(pk=pk)).first()
    if row is None:
        raise NotFound(f"The node group {ident[:255]} could not be found.")
    return further(bay, row)


def worker(bay: Bay) -> Group:
    """Return the default group of workers."""
    nodes = bay.nodes.get(DEFAULT_WORKER)
    further = {node["address"] for name, told in bay.nodes.items() if name != DEFAULT_WORKER for node in told}
    addresses = [a for a in bay.node_addresses if a not in further] if nodes is None else _addresses(nodes)
    return _default(
        bay,
        DEFAULT_WORKER,
        role="worker",
        node_count=bay.node_count,
        min_node_count=bay.min_node_count,
        max_node_count=bay.max_node_count,
        flavor_id=bay.flavor_id,
        node_addresses=addresses,
        nodes=nodes or [],
    )


def master(bay: Bay) -> Group:
    """Return the group of masters."""
    return _default(
        bay,
        DEFAULT_MASTER,
        role=MASTER,
        node_count=bay.master_count,
        min_node_count=1,
        max_node_count=None,
        flavor_id=bay.master_flavor_id,
        node_addresses=bay.master_addresses,
        nodes=[],
    )


def _default(bay: Bay, name: str, **own: Any) -> Group:
    return Group(
        row=bay,
        bay=bay,
        id=uuid.uuid5(bay.pk, name),
        name=name,
        image_id=bay.baymodel.image_id,
        docker_volume_size=bay.docker_volume_size,
        labels=bay.labels,
        status=bay.status,
        status_reason=bay.status_reason,
        **own,
    )


def further(bay: Bay, row: NodeGroup) -> Group:
    """Return a group of its own row; all groups of a bay that is being deleted go with it."""
    going = bay.status.startswith("DELETE")
    return Group(
        row=row,
        bay=bay,
        id=row.pk,
        name=row.name,
        role=row.role,
        node_count=row.node_count,
        min_node_count=row.min_node_count,
        max_node_count=row.max_node_count,
        flavor_id=row.flavor_id,
        image_id=row.image_id,
        docker_volume_size=row.docker_volume_size,
        labels=row.labels,
        status=bay.status if going else row.status,
        status_reason=bay.status_reason if going else row.status_reason,
        node_addresses=_addresses(bay.nodes.get(row.name, [])),
        nodes=bay.nodes.get(row.name, []),
    )


def _addresses(nodes: Collection[Mapping[str, str]]) -> list[str]:
    return [node["address"] for node in nodes]
