"""What a dry run tells of bays: what would change in the API's words, and the quota."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Model

from bays.models import Bay, NodeGroup, Quota
from bays.serializers import Dialect
from bays.tasks import ENDS
from lifecycle.accepted import Accepted
from lifecycle.advance import End


def facts(row: Model, words: Dialect) -> Mapping[str, Any]:
    """Return what is told of a bay or a node group that would change."""
    if isinstance(row, Bay):
        return _bay(row, words)
    assert isinstance(row, NodeGroup)  # noqa: S101 - no other row of bays is noted
    return {
        "name": row.name,
        "role": row.role,
        "status": str(row.status),
        "node_count": row.node_count,
        "min_node_count": row.min_node_count,
        "max_node_count": row.max_node_count,
        "flavor_id": row.flavor_id,
        "image_id": row.image_id,
        "docker_volume_size": row.docker_volume_size,
        "labels": row.labels,
    }


def _bay(bay: Bay, words: Dialect) -> Mapping[str, Any]:
    """`node_count` is that of the default workers: the further groups are told of by themselves."""
    return {
        "name": bay.name,
        "status": str(bay.status),
        words.model_id: str(bay.baymodel_id),
        "node_count": bay.node_count,
        "min_node_count": bay.min_node_count,
        "max_node_count": bay.max_node_count,
        "master_count": bay.master_count,
        "flavor_id": bay.flavor_id,
        "master_flavor_id": bay.master_flavor_id,
        "docker_volume_size": bay.docker_volume_size,
        "labels": bay.labels,
        "keypair": bay.keypair,
        words.timeout: bay.create_timeout,
        "discovery_url": bay.discovery_url,
        "fixed_network": bay.fixed_network,
        "fixed_subnet": bay.fixed_subnet,
        "floating_ip_enabled": bay.floating_ip_enabled,
        "master_lb_enabled": bay.master_lb_enabled,
        "health_status": str(bay.health_status),
    }


def counts(changes: Sequence[Accepted], project_id: str) -> dict[str, dict[str, int]]:
    """Return the quota of bays as it is now: that of the project whose bay would change, or else of this one."""
    bays = (change.now for change in changes if isinstance(change.now, Bay))
    project = next((bay.project_id for bay in bays), project_id)
    quota = Quota.objects.filter(pk=project).first() or Quota(project_id=project, used=0)
    return {"bays": {"limit": quota.limit, "used": quota.used}}


def end(event: str, bay: Bay) -> None:
    """Make what ends with the bay."""
    conclude: End[Bay] = ENDS[event]
    conclude(bay, bay)
